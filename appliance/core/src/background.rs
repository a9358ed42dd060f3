//! What goes on beside the requests: unsealing by devices, forgetting synced audit rows, sweeping.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::active::Active;
use crate::lifecycle::State;
use crate::order::watched;
use crate::{Core, census, leases, lockouts, log, sweep};

/// Between two attempts to unseal by devices, at first; doubled up to [`SLOWEST`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const SLOWEST: Duration = Duration::from_secs(30);
/// How long a stop waits for the audit log to be synced.
const FLUSH: Duration = Duration::from_secs(5);

/// Works until `stop`; then flushes and wipes.
pub async fn run(core: &Arc<Core>, mut stop: watch::Receiver<bool>) {
    let mut changed = core.switch.listen();
    loop {
        changed.borrow_and_update();
        if core.switch.take_seal_wish() {
            // Asked for by a client that did not wait for the answer.
            core.flush().await;
            core.seal();
        }
        let state = core.state();
        tokio::select! {
            () = work(core, &state) => {}
            _ = changed.changed() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    if let State::Active(active) = &*core.state() {
        // Rows that stay are found to be in the log at the next start.
        let _ = tokio::time::timeout(FLUSH, active.outbox.settle(active)).await;
        core.flush().await;
        core.seal();
    }
}

/// What there is to do in this state. Dropped when the state changes.
async fn work(core: &Arc<Core>, state: &State) {
    match state {
        State::Uninitialised => std::future::pending().await,
        State::Sealed(sealed) if !sealed.by_itself => std::future::pending().await,
        State::Sealed(_) => unseal(core).await,
        State::Active(active) => {
            tokio::join!(
                forget(active),
                census(active),
                watched(sweep::run(active)),
                watched(leases::work::run(active)),
                watched(lockouts::run(active))
            );
        }
    }
}

/// Asks the devices until they open, ever more rarely.
async fn unseal(core: &Arc<Core>) {
    let mut pause = FIRST_PAUSE;
    loop {
        // On a task of its own: a state that changes meanwhile must not stop it half-way.
        let own = core.clone();
        let unsealed = tokio::spawn(async move { own.unseal_by_devices().await }).await;
        if unsealed.unwrap_or_default() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(SLOWEST);
    }
}

/// Counts once what is stored.
async fn census(active: &Arc<Active>) {
    // Whoever has just been unsealed has requests to answer first.
    sleep(FIRST_PAUSE).await;
    if let Err(cause) = census::count(active) {
        let why = cause.cause.as_deref().unwrap_or(&cause.message);
        log::warn(format_args!("tokens and leases are not counted until the next unseal: {why}"));
    }
}

/// Removes the audit rows whose lines are on the disk.
async fn forget(active: &Arc<Active>) {
    let mut synced = 0;
    loop {
        synced = active.audit.synced(synced).await;
        if let Err(cause) = active.outbox.forget(&active.store, synced).await {
            log::warn(format_args!("audit rows stay in the storage until the next start: {cause}"));
        }
    }
}
