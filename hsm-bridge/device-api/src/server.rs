//! The bridge's side: offers a [`KeyDevice`] on a socket.
//!
//! A peer of the wrong user is closed before a byte is read. A request whose deadline passes before the device is
//! asked is answered with Retry and has not been done; one whose deadline passes later, with Unknown.

mod connection;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{KeyDevice, PeerRule, bridge};

/// What a server allows.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// As which user the daemon runs.
    pub peer: PeerRule,
    /// Most connections at a time; one more is closed at once.
    pub connections: usize,
    /// Most unanswered requests of one connection; one more is answered with Retry.
    pub window: u16,
    /// Most requests that are with the device at a time; the others wait, until their deadlines.
    pub concurrency: usize,
    /// How long the greeting may take, the rest of a frame, and the peer to take a reply.
    pub patience: Duration,
    /// Longest deadline of a request; a longer one is shortened.
    pub longest_deadline: Duration,
    /// How long requests in flight may go on after the stop.
    pub drain: Duration,
}

impl ServerOptions {
    /// 16 connections, 64 unanswered requests each, 32 with the device, 10 s of patience, deadlines up to
    /// 5 minutes, 5 s to drain.
    pub fn new(peer: PeerRule) -> Self {
        Self {
            peer,
            connections: 16,
            window: 64,
            concurrency: 32,
            patience: Duration::from_secs(10),
            longest_deadline: Duration::from_secs(300),
            drain: Duration::from_secs(5),
        }
    }
}

/// What the connections share.
struct Shared {
    options: ServerOptions,
    device: Arc<dyn KeyDevice>,
    at_device: Arc<Semaphore>,
}

/// Serves until `stop` says true or its sender is gone; then requests in flight are answered, and it returns.
pub async fn serve(
    listener: UnixListener,
    options: ServerOptions,
    device: Arc<dyn KeyDevice>,
    mut stop: watch::Receiver<bool>,
) {
    let at_device = Arc::new(Semaphore::new(options.concurrency));
    let shared = Arc::new(Shared { options, device, at_device });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < shared.options.connections => {
                    match shared.options.peer.check(&stream) {
                        Ok(()) => {
                            connections.spawn(connection::run(stream, Arc::clone(&shared), stop.clone()));
                        }
                        Err(refusal) => bridge::say(&format!("refused a connection: {refusal}")),
                    }
                }
                Ok(_) => bridge::say("refused a connection: there are as many as are allowed"),
                Err(cause) => {
                    // Out of descriptors, as a rule: it passes.
                    bridge::say(&format!("cannot accept a connection: {cause}"));
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Returns when it is time to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Its sender is gone: nobody could say stop any more, so this is the end too.
    let _ = stop.wait_for(|stop| *stop).await;
}
