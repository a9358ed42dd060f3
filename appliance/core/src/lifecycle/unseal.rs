//! From sealed to active: shares, devices, and what is checked once a keyslot has opened.

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_barrier::Barrier;
use strongroom_seal::{Opened, Progress, SealError, ShareError, Slot, SlotTable, Unsealing, share};
use strongroom_store::Snapshot;
use strongroom_types::error::Kind;
use strongroom_types::{Refusal, Secret};

use super::slots::{self, Untrusted, trusted};
use super::{SealFacts, StartError, State, seal_fault, stored_table};
use crate::active::Active;
use crate::log::{self, Seldom};
use crate::order::{Rank, ranked};
use crate::{Core, Parts, fault};

/// Waiting for a keyslot to open.
pub struct Sealed {
    /// What the stored table says of itself; `None` if it cannot be read.
    pub facts: Option<SealFacts>,
    /// Whether devices are asked without being told: at start, not after an operator has sealed.
    pub by_itself: bool,
    /// Never held while a device is asked. `None` if there is no readable table, or it has opened.
    attempt: tokio::sync::Mutex<Option<Unsealing>>,
    /// Whose turn it is to ask the devices.
    asking: tokio::sync::Mutex<()>,
    /// What the status shows, so that it never waits for a device.
    seen: Mutex<SealedStatus>,
    /// Wrong shares: anybody may send them, and they do not fill the log.
    pub refused: Seldom,
}

/// How far unsealing is.
#[derive(Clone, Debug, Default)]
pub struct SealedStatus {
    /// Of the custodians.
    pub progress: Progress,
    /// Tells this attempt from the next; empty before the first share.
    pub nonce: String,
    /// What stands in the way, and what to do about it.
    pub troubles: Vec<String>,
}

impl Sealed {
    pub(super) fn at_start(parts: &Parts, snapshot: &dyn Snapshot) -> Result<Self, StartError> {
        Self::new(parts, snapshot, true)
    }

    pub(super) fn by_hand(parts: &Parts, snapshot: &dyn Snapshot) -> Result<Self, StartError> {
        Self::new(parts, snapshot, false)
    }

    /// Sealed for good: until somebody mends the store and starts again.
    pub(super) fn broken(trouble: String) -> Self {
        let seen = SealedStatus { troubles: vec![trouble], ..SealedStatus::default() };
        let (attempt, asking, refused) = Default::default();
        Self { facts: None, by_itself: false, attempt, asking, seen: Mutex::new(seen), refused }
    }

    fn new(parts: &Parts, snapshot: &dyn Snapshot, by_itself: bool) -> Result<Self, StartError> {
        let table = match stored_table(snapshot)? {
            Ok(table) => table,
            Err(cause) => {
                log::SEAL.error(format_args!("{cause}"));
                return Ok(Self::broken(cause.to_string()));
            }
        };
        let table = table.unverified();
        let attempt = Unsealing::new(table, &parts.settings.node, parts.entropy.as_ref())?;
        let facts = SealFacts::of(table, parts.entropy.as_ref())?;
        let has_devices = table
            .slots()
            .iter()
            .flat_map(|slot| &slot.groups)
            .any(|group| group.holders.iter().any(|holder| holder.device().is_some()));
        let seen = SealedStatus { progress: attempt.progress(), ..SealedStatus::default() };
        Ok(Self {
            facts: Some(facts),
            by_itself: by_itself && has_devices,
            attempt: tokio::sync::Mutex::new(Some(attempt)),
            asking: tokio::sync::Mutex::default(),
            seen: Mutex::new(seen),
            refused: Seldom::default(),
        })
    }

    /// How far it is.
    pub fn status(&self) -> SealedStatus {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, attempt: &Unsealing) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.progress = attempt.progress();
        attempt.nonce().clone_into(&mut seen.nonce);
    }

    /// Shows what stands in the way; the log gets what it has not had yet.
    fn complain(&self, troubles: Vec<String>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for trouble in troubles.iter().filter(|trouble| !seen.troubles.contains(trouble)) {
            log::SEAL.warn(format_args!("still sealed: {trouble}"));
        }
        seen.troubles = troubles;
    }
}

impl Core {
    /// Takes one custodian's share, in hexadecimal or base64. A wrong one is refused at once.
    pub async fn offer_share(&self, key: &str) -> Result<(), Refusal> {
        let state = self.state();
        let sealed = match &*state {
            State::Uninitialised => return Err(Refusal::bad_request("Vault is not initialized")),
            // As Vault has it: one share too many does no harm.
            State::Active(_) => return Ok(()),
            State::Sealed(sealed) => sealed,
        };
        let bytes = share::from_text(key).map_err(refused)?;
        let are_all_there = {
            let mut guard = ranked(Rank::Attempt, sealed.attempt.lock()).await;
            if !self.is_sealed() {
                return Ok(());
            }
            let attempt = guard.as_mut().ok_or_else(|| unreadable(sealed))?;
            match attempt.offer_share(bytes.expose()) {
                Ok(_) | Err(ShareError::AlreadyGiven { .. }) => {}
                Err(cause) => {
                    // Nonsense is not worth a line: anybody may send it.
                    if let ShareError::Wrong { .. } = cause {
                        let text = format_args!("a share was refused: {cause}");
                        sealed.refused.warn(&log::SEAL, self.parts.clock.now(), text);
                    }
                    return Err(refused(cause));
                }
            }
            let progress = attempt.progress();
            if self.try_open(&state, sealed, &mut guard).await? {
                return Ok(());
            }
            progress.given >= progress.t
        };
        if are_all_there {
            // What is still missing is a device's.
            self.ask_devices(&state, sealed).await?;
        }
        Ok(())
    }

    /// Forgets the shares given so far.
    pub async fn reset_shares(&self) -> Result<(), Refusal> {
        let state = self.state();
        let sealed = match &*state {
            State::Uninitialised => return Err(Refusal::bad_request("Vault is not initialized")),
            State::Active(_) => return Err(Refusal::bad_request("vault is unsealed")),
            State::Sealed(sealed) => sealed,
        };
        let mut guard = ranked(Rank::Attempt, sealed.attempt.lock()).await;
        let attempt = guard.as_mut().ok_or_else(|| unreadable(sealed))?;
        attempt.reset(self.parts.entropy.as_ref()).map_err(|cause| seal_fault(&cause))?;
        sealed.show(attempt);
        Ok(())
    }

    /// Asks the devices of this node once. Whether the appliance is unsealed now.
    pub async fn unseal_by_devices(&self) -> bool {
        let state = self.state();
        let State::Sealed(sealed) = &*state else { return matches!(*state, State::Active(_)) };
        self.ask_devices(&state, sealed).await.unwrap_or_else(|cause| {
            sealed.complain(vec![cause.to_string()]);
            false
        })
    }

    /// The attempt is not held meanwhile: a device may be silent for long, and people go on.
    async fn ask_devices(&self, state: &Arc<State>, sealed: &Sealed) -> Result<bool, Refusal> {
        let _turn = ranked(Rank::Devices, sealed.asking.lock()).await;
        let round = ranked(Rank::Attempt, sealed.attempt.lock()).await.as_ref().map(Unsealing::round);
        let Some(mut round) = round else { return Ok(!self.is_sealed()) };
        let troubles = round.ask(self.parts.devices.as_ref()).await;
        let mut guard = ranked(Rank::Attempt, sealed.attempt.lock()).await;
        let Some(attempt) = guard.as_mut() else { return Ok(!self.is_sealed()) };
        attempt.take(round);
        sealed.complain(troubles.iter().map(SealError::to_string).collect());
        self.try_open(state, sealed, &mut guard).await
    }

    /// Unseals if a slot is complete. Whether it was.
    async fn try_open(
        &self,
        state: &Arc<State>,
        sealed: &Sealed,
        held: &mut Option<Unsealing>,
    ) -> Result<bool, Refusal> {
        let Some(attempt) = held else { return Ok(false) };
        let opened = attempt.open().map_err(|cause| seal_fault(&cause))?;
        sealed.show(attempt);
        let Some(opened) = opened else { return Ok(false) };
        self.unlock(state, &opened).await?;
        // Nobody who waited for this attempt opens the same slot once more.
        *held = None;
        Ok(true)
    }

    /// A keyslot has opened. Only now can the table be believed: its MAC and generation must match the keyring.
    async fn unlock(&self, state: &Arc<State>, opened: &Opened) -> Result<(), Refusal> {
        let stay_sealed = |cause: String| {
            log::SEAL.error(format_args!("the keyslot \"{}\" has opened, but {cause}", opened.name));
            if let State::Sealed(sealed) = &*self.state() {
                sealed.complain(vec![cause.clone()]);
            }
            Refusal::new(Kind::Internal, cause)
        };
        if !self.effects.none().await {
            return Err(stay_sealed(
                "a write from before it was sealed has not ended: the storage hangs. Mend it, then give the keys again".into(),
            ));
        }
        let snapshot = self.parts.store.snapshot().map_err(fault::store)?;
        let (barrier, table) =
            self.open_barrier(&opened.root_key, snapshot.as_ref()).map_err(|cause| stay_sealed(cause.0))?;
        let facts = self.drop_replaced(opened, &barrier, &table, snapshot.as_ref()).await?;
        let active = Active::load(
            &self.parts,
            barrier.clone(),
            facts,
            self.switch.clone(),
            self.effects.clone(),
            self.metrics.clone(),
        )
        .await;
        let active = active.map_err(|cause| {
            barrier.seal();
            let why = cause.cause.as_deref().unwrap_or(&cause.message);
            stay_sealed(format!("the system's own records cannot be read: {why}"))
        })?;
        if !self.enter(state, active) {
            return Err(stay_sealed("the state has changed meanwhile: give the keys again".into()));
        }
        log::SEAL.info(format_args!("unsealed by the keyslot \"{}\"", opened.name));
        Ok(())
    }

    fn open_barrier(
        &self,
        root_key: &Secret,
        snapshot: &dyn Snapshot,
    ) -> Result<(Arc<Barrier>, SlotTable), Untrusted> {
        let parts = &self.parts;
        let table = stored_table(snapshot).map_err(Untrusted::new)?.map_err(Untrusted::new)?;
        let cluster = table.unverified().cluster();
        let barrier = Barrier::open(cluster, root_key, snapshot, parts.arena.clone(), parts.entropy.clone());
        let barrier = barrier.map_err(Untrusted::new)?;
        match trusted(snapshot, &barrier) {
            Ok(table) => Ok((barrier, table)),
            Err(cause) => {
                barrier.seal();
                Err(cause)
            }
        }
    }

    /// New shares have opened: what they stand in for opens nothing from here on. Where that cannot be written it waits for
    /// the next time, and is no reason to stay sealed.
    async fn drop_replaced(
        &self,
        opened: &Opened,
        barrier: &Arc<Barrier>,
        table: &SlotTable,
        snapshot: &dyn Snapshot,
    ) -> Result<SealFacts, Refusal> {
        let entropy = self.parts.entropy.as_ref();
        let is_void = |slot: &&Slot| slot.replaced() == Some(opened.name.as_str());
        if table.slots().iter().any(|slot| is_void(&slot)) {
            let slots = table.slots().iter().filter(|slot| !is_void(slot)).cloned().collect();
            let dropped = async {
                let change = slots::change(barrier, table, slots, snapshot, entropy, self.parts.clock.now())?;
                self.parts.store.commit(change.batch).await.map_err(fault::store)?;
                change.rotation.install();
                Ok::<_, Refusal>(change.facts)
            };
            match dropped.await {
                Ok(facts) => {
                    log::info(format_args!("the keys that \"{}\" had before are void now", opened.name));
                    return Ok(facts);
                }
                Err(cause) => {
                    let why = cause.cause.as_deref().unwrap_or(&cause.message);
                    log::warn(format_args!("the keys that \"{}\" had before still open: {why}", opened.name));
                }
            }
        }
        SealFacts::of(table, entropy).map_err(|cause| seal_fault(&cause))
    }

    /// From here on requests are answered; not if the state is another than `before` by now.
    pub(super) fn enter(&self, before: &Arc<State>, active: Arc<Active>) -> bool {
        let entered = self.become_from(before, State::Active(active.clone()));
        if !entered {
            active.barrier.seal();
        }
        self.switch.notify();
        entered
    }
}

fn refused(cause: ShareError) -> Refusal {
    Refusal::bad_request(cause.to_string())
}

fn unreadable(sealed: &Sealed) -> Refusal {
    Refusal::new(Kind::Internal, sealed.status().troubles.join("; "))
}
