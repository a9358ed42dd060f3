//! Accepting connections, and draining them when the daemon stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{KeepAlive, TcpKeepIdle};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::Service;
use crate::bind::{Bound, Socket};
use crate::budget;
use crate::connection::{self, House, Phase};
use crate::limits::Seating;
use crate::seats::{Addresses, Permits};
use crate::tls;

/// After an error of accept (no more descriptors, mostly), so that it does not spin.
const PAUSE: Duration = Duration::from_millis(100);
/// How long connections have to notice that they are cut.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Seconds of silence after which the kernel asks whether the client's machine is still there.
const SILENCE: u32 = 60;

/// Serves all listeners until `stop` is true, then drains: nothing new is accepted, idle connections are closed, and
/// requests under way have [`crate::Limits::drain_time`] to end. Returns when nothing is left.
pub async fn serve(
    listeners: Vec<Bound>,
    service: Arc<dyn Service>,
    seating: Seating,
    stop: watch::Receiver<bool>,
) {
    let of_bodies =
        listeners.iter().map(|bound| bound.limits().all_bodies_bytes.max(bound.limits().body_bytes));
    let hall = Hall {
        bodies: budget::of(of_bodies.max().unwrap_or(0)),
        all: Arc::new(Semaphore::new(seating.connections)),
        addresses: Arc::default(),
        of_one_address: seating.of_one_address(),
    };
    let mut set = JoinSet::new();
    for bound in listeners {
        set.spawn(one(bound, service.clone(), hall.clone(), stop.clone()));
    }
    while set.join_next().await.is_some() {}
}

/// What all listeners share.
#[derive(Clone)]
struct Hall {
    all: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    of_one_address: usize,
    /// Memory for bodies.
    bodies: Arc<Semaphore>,
}

enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener),
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Accepting {
    fn new(socket: Socket) -> io::Result<Self> {
        Ok(match socket {
            Socket::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket)?),
            Socket::Unix(socket) => Self::Unix(UnixListener::from_std(socket)?),
        })
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (socket, from) = listener.accept().await?;
                // An answer is one small write: it must not wait for the client's acknowledgement.
                socket.set_nodelay(true)?;
                // A client that vanishes while it reads a stream is noticed by nothing else, as long as nothing is sent.
                setsockopt(&socket, TcpKeepIdle, &SILENCE)?;
                setsockopt(&socket, KeepAlive, &true)?;
                Ok(Accepted::Tcp(socket, from))
            }
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

async fn one(bound: Bound, service: Arc<dyn Service>, hall: Hall, mut stop: watch::Receiver<bool>) {
    let Bound { socket, tls, mut limits, headers, metrics, .. } = bound;
    limits.connections_per_address = limits.connections_per_address.min(hall.of_one_address);
    // Fails only where there is no runtime, and then nothing of this runs.
    let Ok(listener) = Accepting::new(socket) else { return };
    let permits = Arc::new(Semaphore::new(limits.connections));
    let drain_time = limits.drain_time;
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let house = Arc::new(House {
        service,
        limits,
        headers,
        metrics,
        tls: tls.map(TlsAcceptor::from),
        random: tls::provider().secure_random,
        requests: AtomicUsize::new(0),
        bodies: hall.bodies.clone(),
    });
    let (tell, phase) = watch::channel(Phase::Open);
    tokio::select! {
        () = accept(&listener, &house, &hall, &permits, &phase) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    drop(listener);
    // A send without receivers means that there is no connection.
    let _ = tell.send(Phase::Drain);
    if timeout(drain_time, permits.acquire_many(all)).await.is_err() {
        let _ = tell.send(Phase::Cut);
        let _ = timeout(LAST_WORD, permits.acquire_many(all)).await;
    }
}

async fn accept(
    listener: &Accepting,
    house: &Arc<House>,
    hall: &Hall,
    permits: &Arc<Semaphore>,
    phase: &watch::Receiver<Phase>,
) {
    // The semaphores are never closed. The listener's own first: one that is full must not wait with a seat of all.
    while let Ok(own) = permits.clone().acquire_owned().await
        && let Ok(shared) = hall.all.clone().acquire_owned().await
    {
        match listener.accept().await {
            Ok(accepted) => welcome(accepted, house, &hall.addresses, [shared, own], phase),
            Err(error) if is_the_clients(&error) => {}
            Err(_) => sleep(PAUSE).await,
        }
    }
}

fn welcome(
    accepted: Accepted,
    house: &Arc<House>,
    addresses: &Arc<Addresses>,
    permits: Permits,
    phase: &watch::Receiver<Phase>,
) {
    let from = match &accepted {
        Accepted::Tcp(_, from) => Some(*from),
        Accepted::Unix(_) => None,
    };
    let limit = house.limits.connections_per_address;
    let Some(seat) = addresses.seat(from.map(|from| from.ip()), limit, permits) else { return };
    let (house, phase) = (house.clone(), phase.clone());
    match accepted {
        Accepted::Tcp(socket, _) => tokio::spawn(connection::serve(house, socket, from, seat, phase)),
        Accepted::Unix(socket) => tokio::spawn(connection::serve(house, socket, from, seat, phase)),
    };
}

/// Errors of one connection that ended before it was accepted; the listener is well.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | InvalidInput | NotConnected)
}
