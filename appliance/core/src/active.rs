//! The appliance while it is unsealed: everything that sealing takes away again.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use strongroom_audit::Broker;
use strongroom_barrier::{Barrier, View, plain};
use strongroom_engine::Entropy;
use strongroom_seal::Devices;
use strongroom_store::{Snapshot, Space, Store};
use strongroom_types::id::{MountId, NamespaceId};
use strongroom_types::{Operation, Refusal, Timestamp};
use tokio::sync::{Mutex, Notify, Semaphore, watch};

use crate::census::{Census, Seat};
use crate::ceremony::Ceremonies;
use crate::clock::Floored;
use crate::compute::Compute;
use crate::effects::Effects;
use crate::fault::{self, damaged};
use crate::leases::Leases;
use crate::lifecycle::{ClusterRecord, SealFacts, Switch};
use crate::lockouts::Lockouts;
use crate::metrics::{Metrics, Summary};
use crate::mounts::{Kinds, MountTable};
use crate::outbox::Outbox;
use crate::perform::After;
use crate::policies::Policies;
use crate::quotas::Quotas;
use crate::rules::ResponseRules;
use crate::sys::monitor;
use crate::sys::remount::Moves;
use crate::tokens::{Tokens, UseLocks};
use crate::{Parts, Settings, audit_trail, census, log, versions};

/// The view of core's own records: mounts, policies, the audit salts, the clock's floor.
pub const SYSTEM: MountId = MountId(*b"strongroom/sys\0\0");
/// The view of the tokens.
pub const TOKENS: MountId = MountId(*b"strongroom/token");
/// The view of the audit outbox.
pub const OUTBOX: MountId = MountId(*b"strongroom/outbx");
/// The view of the entities.
pub const ENTITIES: MountId = MountId(*b"strongroom/ident");
/// The view of the leases.
pub const LEASES: MountId = MountId(*b"strongroom/lease");
/// The view of the lockouts.
pub const LOCKOUTS: MountId = MountId(*b"strongroom/locks");
/// The mount of the cubbyholes.
pub const CUBBYHOLE: MountId = MountId(*b"strongroom/cubby");

/// See the module.
pub struct Active {
    /// Which cluster this is.
    pub cluster: ClusterRecord,
    /// What the keyslot table says, verified.
    pub facts: ArcSwap<SealFacts>,
    /// The one place that encrypts.
    pub barrier: Arc<Barrier>,
    /// The ciphertext.
    pub store: Arc<dyn Store>,
    /// Core's own records.
    pub system: View,
    /// What tokens keep for themselves.
    pub cubbyholes: View,
    /// Who logs in.
    pub entities: View,
    /// Who has failed to, lately.
    pub lockouts: Lockouts,
    /// Who answers which path.
    pub mounts: Arc<ArcSwap<MountTable>>,
    /// Who may what.
    pub policies: Policies,
    /// How often whom.
    pub quotas: Quotas,
    /// What answers and audit lines are to look like.
    pub rules: ArcSwap<ResponseRules>,
    /// Who asks.
    pub tokens: Tokens,
    /// What engines have given out for a time.
    pub leases: Leases,
    /// How many tokens and leases there are.
    pub census: Arc<Census>,
    /// Turns of tokens with limited uses.
    pub use_locks: UseLocks,
    /// Turns of requests that have got in each other's way, by what they ask for.
    pub crowds: UseLocks,
    /// The audit log.
    pub audit: Arc<Broker>,
    /// Audit lines that are not synced yet.
    pub outbox: Outbox,
    /// What the operator chose.
    pub settings: Arc<Settings>,
    /// The kinds of engines and auth methods there are.
    pub kinds: Kinds,
    /// Places for what computes long.
    pub compute: Compute,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Time.
    pub clock: Arc<Floored>,
    /// Held by whoever changes the system's own tables.
    pub changes: Mutex<()>,
    /// Mounts that have been moved.
    pub moves: Moves,
    /// Notified when there is something to sweep.
    pub sweep: Notify,
    /// What custodians are about to decide.
    pub ceremonies: Ceremonies,
    /// The devices of this node.
    pub devices: Arc<dyn Devices>,
    /// What was counted and measured.
    pub metrics: Arc<Metrics>,
    /// Commits under way.
    pub effects: Effects,
    /// The OpenAPI document for whoever has no token, once somebody has asked for it. It names no mount.
    pub open_document: OnceLock<String>,
    /// Places for those who follow the log.
    pub monitors: Arc<Semaphore>,
    switch: Arc<Switch>,
}

impl Active {
    /// Reads what is needed to answer requests: mounts and policies; never the secrets, tokens or leases.
    pub(crate) async fn load(
        parts: &Parts,
        barrier: Arc<Barrier>,
        facts: SealFacts,
        switch: Arc<Switch>,
        effects: Effects,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, Refusal> {
        let view = |id| View::new(&barrier, NamespaceId::ROOT, id);
        let (system, tokens) = (view(SYSTEM), view(TOKENS));
        let salts = audit_trail::salts(parts, &system).await?;
        versions::note(parts, &system).await?;
        let snapshot = parts.store.snapshot().map_err(fault::store)?;
        let reader = system.at(snapshot.clone());
        let outbox = Outbox::load(view(OUTBOX), snapshot.clone())?;
        let audit = Broker::new(salts, parts.clock.clone(), outbox.next_ticket());
        let audit = Arc::new(audit.with_report(Box::new(audit_trail::report)));
        outbox.restore(&audit, snapshot.clone())?;
        let kinds = Kinds { engines: parts.engines, methods: parts.methods };
        let mounts = MountTable::load(&reader, &barrier, kinds, &parts.settings)?;
        let clock = Arc::new(Floored::load(parts.clock.clone(), &reader)?);
        let mounts = Arc::new(ArcSwap::from_pointee(mounts));
        let of_tokens = tokens.at(snapshot.clone());
        let tokens = Tokens::load(tokens, &of_tokens, clock.clone(), mounts.clone())?;
        let active = Arc::new(Self {
            cluster: cluster(snapshot.as_ref())?,
            facts: ArcSwap::from_pointee(facts),
            store: parts.store.clone(),
            cubbyholes: view(CUBBYHOLE),
            entities: view(ENTITIES),
            lockouts: Lockouts::load(view(LOCKOUTS), &snapshot)?,
            mounts,
            policies: Policies::load(&reader)?,
            quotas: Quotas::load(&reader)?,
            rules: ArcSwap::from_pointee(ResponseRules::load(&reader)?),
            tokens,
            leases: Leases::new(view(LEASES)),
            census: Arc::default(),
            use_locks: UseLocks::default(),
            crowds: UseLocks::default(),
            audit,
            outbox,
            settings: parts.settings.clone(),
            kinds,
            compute: Compute::new(),
            entropy: parts.entropy.clone(),
            clock,
            changes: Mutex::default(),
            moves: Moves::default(),
            sweep: Notify::new(),
            ceremonies: Ceremonies::default(),
            open_document: OnceLock::new(),
            monitors: Arc::new(Semaphore::new(monitor::PLACES)),
            devices: parts.devices.clone(),
            switch,
            effects,
            metrics,
            system,
            barrier,
        });
        // Where quotas count leases, nobody makes one before they are counted.
        census::recount_if_asked(&active)?;
        Ok(active)
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Something that has begun then has ended.
    pub fn measure(&self, what: &Summary, begun: Timestamp) {
        let now = self.clock.reading().nanos();
        what.took(now.saturating_sub(begun.nanos()), now);
    }

    /// An operation of a mount that has begun then has ended.
    pub fn measure_route(&self, mount: MountId, operation: Operation, begun: Timestamp) {
        let now = self.clock.reading().nanos();
        self.metrics.routes.took(mount, operation, now.saturating_sub(begun.nanos()), now);
    }

    /// The same, of several things that took equally long, one after the other.
    pub fn measure_as(&self, whats: &[&Summary], begun: Timestamp) {
        let now = self.clock.reading().nanos();
        let each = now.saturating_sub(begun.nanos()) / i64::try_from(whats.len()).unwrap_or(1).max(1);
        whats.iter().for_each(|what| what.took(each, now));
    }

    /// The same, for each of `times` things that took equally long.
    pub fn measure_each(&self, what: &Summary, times: usize, begun: Timestamp) {
        self.measure_as(&vec![what; times], begun);
    }

    /// A place for a lease: see [`Census::seat`].
    pub fn seat(&self, path: &str, role: &str) -> Result<Option<Seat>, Refusal> {
        let seat = self.census.seat(path, role);
        seat.inspect_err(|_| self.metrics.lease_quota_violation.add())
    }

    /// What is committed now.
    pub fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Refusal> {
        self.store.snapshot().map_err(fault::store)
    }

    /// Changes whenever the appliance may have been sealed.
    pub fn changes_of_state(&self) -> watch::Receiver<u64> {
        self.switch.listen()
    }

    /// What in memory follows from a commit. An error here is a fault of the storage: what was committed stands, and
    /// the next start reads it.
    pub fn follow(&self, after: Vec<After>) -> Result<(), Refusal> {
        for step in after {
            match step {
                After::Mount(id) => {
                    let (before, system) = (self.mounts.load_full(), self.system.at(self.snapshot()?));
                    let table = before.changed(id, &system, &self.barrier, self.kinds, &self.settings)?;
                    if table.by_id(id).is_none() {
                        self.metrics.routes.forget(id);
                    }
                    self.mounts.store(Arc::new(table));
                    census::recount_if_asked(self)?;
                }
                After::Moved(moved) => self.moves.remember(moved),
                After::Rules => {
                    let rules = ResponseRules::load(&self.system.at(self.snapshot()?))?;
                    self.rules.store(Arc::new(rules));
                }
                After::Quotas => {
                    self.quotas.reload(&self.system.at(self.snapshot()?))?;
                    census::recount_if_asked(self)?;
                }
                After::Levels(levels) => levels.apply(),
                After::Policy(name) => self.policies.reload(&self.system.at(self.snapshot()?), &name)?,
                After::Rotated(rotation) => {
                    rotation.install();
                    log::info(format_args!("a new term encrypts from here on"));
                }
                After::Slots(facts) => self.facts.store(Arc::new(facts)),
                After::Ceremony(end) => self.ceremonies.end(end),
                After::Unlocked(mount, alias) => self.lockouts.unlock(mount, &alias),
                After::Born(birth) => self.metrics.births.add(birth),
                After::Sweep => self.sweep.notify_one(),
                After::Era(era) => {
                    self.clock.enter(era);
                    log::warn(format_args!("the clock was behind and has been accepted as it is"));
                }
                After::Leases => self.leases.wake.notify_one(),
                After::Seal => self.switch.wish_seal(),
            }
        }
        Ok(())
    }
}

fn cluster(snapshot: &dyn Snapshot) -> Result<ClusterRecord, Refusal> {
    let stored = snapshot.get(Space::Cluster, plain::CLUSTER).map_err(fault::store)?;
    let stored = stored.ok_or_else(|| damaged("the cluster's record is missing: restore the storage"))?;
    serde_json::from_slice(&stored.value).map_err(damaged)
}
