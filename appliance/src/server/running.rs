//! A server that serves: until SIGTERM, with the audit files and certificates reloaded at SIGHUP.

use std::sync::Arc;

use strongroom_audit::Sink;
use strongroom_core::Core;
use strongroom_http::{Bound, Certificate, Seating};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::{sandbox, say};

/// Signals, received from the moment this is made.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Before the banner, so that a signal right behind it is not missed.
    pub fn receive() -> Result<Self, String> {
        let receive =
            |kind| signal(kind).map_err(|cause| format!("server: signals cannot be received: {cause}"));
        Ok(Self {
            terminate: receive(SignalKind::terminate())?,
            interrupt: receive(SignalKind::interrupt())?,
            hangup: receive(SignalKind::hangup())?,
        })
    }
}

/// Serves until SIGTERM or SIGINT; then what is under way is brought to its end and every key is wiped. A second
/// such signal ends at once.
pub async fn serve(
    core: Arc<Core>,
    listeners: Vec<Bound>,
    sinks: Vec<(String, Arc<dyn Sink>)>,
    mut signals: Signals,
) -> Result<(), String> {
    let (tell, stop) = watch::channel(false);
    let certificates: Vec<Arc<Certificate>> = listeners.iter().filter_map(Bound::certificate).collect();
    let service = Arc::new(core.clone());
    let seating = Seating::within(sandbox::open_files());
    say_seats(&listeners, seating);
    let serving = tokio::spawn(strongroom_http::serve(listeners, service, seating, stop));
    // Of its own: requests under way may still need what it does.
    let (tell_core, stop_core) = watch::channel(false);
    let working = tokio::spawn(core.run(stop_core));
    loop {
        tokio::select! {
            _ = signals.hangup.recv() => reload(&sinks, &certificates),
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
        }
    }
    say::error("==> Strongroom shutdown triggered");
    let _ = tell.send(true);
    let end = async {
        let _ = serving.await;
        let _ = tell_core.send(true);
        let _ = working.await;
    };
    tokio::select! {
        () = end => Ok(()),
        _ = signals.terminate.recv() => Err("server: ended before everything was finished".into()),
        _ = signals.interrupt.recv() => Err("server: ended before everything was finished".into()),
    }
}

/// The system's limit is the operator's to raise, if it is below their own.
fn say_seats(listeners: &[Bound], seating: Seating) {
    let wished: usize = listeners.iter().map(|bound| bound.limits().connections).sum();
    let there = seating.connections;
    if there < wished {
        say::error(&format!(
            "strongroom WARN  the limit of open files leaves room for {there} connections, not {wished}: raise it \
             (LimitNOFILE, ulimit -n) or lower max_connections"
        ));
    }
}

/// What cannot be reloaded stays as it was, and is said.
fn reload(sinks: &[(String, Arc<dyn Sink>)], certificates: &[Arc<Certificate>]) {
    for (name, sink) in sinks {
        match sink.reopen() {
            Ok(()) => say::error(&format!("strongroom INFO  audit sink \"{name}\" reopened")),
            Err(cause) => {
                say::error(&format!("strongroom ERROR audit sink \"{name}\" cannot be reopened: {cause}"));
            }
        }
    }
    for certificate in certificates {
        match certificate.reload() {
            Ok(()) => {
                say::error("strongroom INFO  certificate reloaded");
                if let Some(complaint) = certificate.complaint() {
                    say::error(&format!("strongroom WARN  {complaint}"));
                }
            }
            Err(cause) => {
                say::error(&format!("strongroom ERROR {cause}; the certificate in use stays"));
            }
        }
    }
}
