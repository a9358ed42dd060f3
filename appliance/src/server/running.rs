//! A server that serves: until SIGTERM, with the log level, audit files and certificates reloaded at SIGHUP.

use std::path::PathBuf;
use std::sync::Arc;

use strongroom_audit::Sink;
use strongroom_core::Core;
use strongroom_core::log::{self, Level};
use strongroom_http::{Bound, Certificate, Seating};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::{config, sandbox, say};

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
    reloaded: Reloaded,
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
            _ = signals.hangup.recv() => reloaded.reload(&certificates),
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

/// What is read or opened again at SIGHUP, beside certificates. What cannot be stays as it was, and is said.
#[derive(Default)]
pub struct Reloaded {
    /// Audit files, by name.
    pub sinks: Vec<(String, Arc<dyn Sink>)>,
    /// Files and folders, of which only the log level counts once the server has started.
    pub configurations: Vec<PathBuf>,
}

impl Reloaded {
    fn reload(&self, certificates: &[Arc<Certificate>]) {
        self.read_configuration();
        for (name, sink) in &self.sinks {
            match sink.reopen() {
                Ok(()) => log::AUDIT.info(format_args!("audit sink \"{name}\" reopened")),
                Err(cause) => {
                    log::AUDIT.error(format_args!("audit sink \"{name}\" cannot be reopened: {cause}"));
                }
            }
        }
        for certificate in certificates {
            match certificate.reload() {
                Ok(()) => log::HTTP.info(format_args!("certificate reloaded")),
                Err(cause) => log::HTTP.error(format_args!("{cause}; the certificate in use stays")),
            }
            if let Some(complaint) = certificate.complaint() {
                log::HTTP.warn(format_args!("{complaint}"));
            }
        }
    }

    fn read_configuration(&self) {
        if self.configurations.is_empty() {
            return;
        }
        match config::load(&self.configurations) {
            Ok((config, _)) => {
                let level = config.log_level.unwrap_or(Level::Info);
                log::set_level(level);
                log::info(format_args!("the log level is {}", level.name()));
            }
            Err(report) => {
                let problems = report.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                log::error(format_args!(
                    "the configuration is not read again, the log level stays: {problems}"
                ));
            }
        }
    }
}
