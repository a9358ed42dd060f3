//! The appliance while it is unsealed: everything that sealing takes away again.

use std::sync::Arc;

use arc_swap::ArcSwap;
use strongroom_audit::Broker;
use strongroom_barrier::{Barrier, Name, Reader, View, Write};
use strongroom_engine::{Engine, Entropy};
use strongroom_store::{Snapshot, Store};
use strongroom_types::id::{ClusterId, MountId, NamespaceId};
use strongroom_types::{Clock, Refusal, Timestamp};
use tokio::sync::{Mutex, Notify};

use crate::fault;
use crate::mounts::MountTable;
use crate::outbox::Outbox;
use crate::perform::After;
use crate::policies::Policies;
use crate::tokens::{Known, Tokens, UseLocks};
use crate::{Parts, Settings};

/// The view of core's own records: mounts, policies, the audit salts.
pub const SYSTEM: MountId = MountId(*b"strongroom/sys\0\0");
/// The view of the tokens.
pub const TOKENS: MountId = MountId(*b"strongroom/token");
/// The view of the audit outbox.
pub const OUTBOX: MountId = MountId(*b"strongroom/outbx");
/// The mount of the cubbyholes.
pub const CUBBYHOLE: MountId = MountId(*b"strongroom/cubby");

/// See the module.
pub struct Active {
    /// Which cluster this is.
    pub cluster: ClusterId,
    /// The one place that encrypts.
    pub barrier: Arc<Barrier>,
    /// The ciphertext.
    pub store: Arc<dyn Store>,
    /// Core's own records.
    pub system: View,
    /// Who answers which path.
    pub mounts: ArcSwap<MountTable>,
    /// Who may what.
    pub policies: Policies,
    /// Who asks.
    pub tokens: Tokens,
    /// Turns of tokens with limited uses.
    pub use_locks: UseLocks,
    /// The audit log.
    pub audit: Arc<Broker>,
    /// Audit lines that are not synced yet.
    pub outbox: Arc<Outbox>,
    /// What the operator chose.
    pub settings: Arc<Settings>,
    /// The kinds of engines there are.
    pub engines: &'static [&'static Engine],
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Held by whoever changes the system's own tables.
    pub changes: Mutex<()>,
    /// Notified when a request asks to seal.
    pub seal_asked: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

impl Active {
    /// Reads what is needed to answer requests: mounts and policies; never the secrets, tokens or leases.
    pub fn load(
        parts: &Parts,
        barrier: Arc<Barrier>,
        cluster: ClusterId,
        seal_asked: Arc<Notify>,
    ) -> Result<Arc<Self>, Refusal> {
        let snapshot = parts.store.snapshot().map_err(fault::store)?;
        let view = |id| View::new(&barrier, NamespaceId::ROOT, id);
        let system = view(SYSTEM);
        let reader = system.at(snapshot.clone());
        let tokens = view(TOKENS);
        let token_reader = tokens.at(snapshot.clone());
        let mounts = MountTable::load(&reader, &barrier, parts.engines, &parts.settings)?;
        let audit = crate::audit_trail::broker(&reader, &parts.audit)?;
        let outbox = Arc::new(Outbox::new(view(OUTBOX)));
        outbox.restore(&audit, snapshot)?;
        Ok(Arc::new(Self {
            cluster,
            store: parts.store.clone(),
            mounts: ArcSwap::from_pointee(mounts),
            policies: Policies::load(&reader)?,
            tokens: Tokens::load(tokens, &token_reader)?,
            use_locks: UseLocks::default(),
            audit,
            outbox,
            settings: parts.settings.clone(),
            engines: parts.engines,
            entropy: parts.entropy.clone(),
            changes: Mutex::default(),
            seal_asked,
            clock: parts.clock.clone(),
            system,
            barrier,
        }))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is committed now.
    pub fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Refusal> {
        self.store.snapshot().map_err(fault::store)
    }

    /// Core's own records as they are now.
    pub fn system_now(&self) -> Result<Reader, Refusal> {
        Ok(self.system.at(self.snapshot()?))
    }

    /// What in memory follows from a commit.
    pub fn follow(&self, after: &[After]) -> Result<(), Refusal> {
        for step in after {
            match step {
                After::Mounts => {
                    let reader = self.system_now()?;
                    let table = MountTable::load(&reader, &self.barrier, self.engines, &self.settings)?;
                    self.mounts.store(Arc::new(table));
                }
                After::Policies => self.policies.reload(&self.system_now()?)?,
                After::Seal => self.seal_asked.notify_one(),
            }
        }
        Ok(())
    }

    /// What removes `known`, its descendants, and all that was in their cubbyholes.
    pub fn revoke(&self, tokens: &Reader, known: &Known) -> Result<Vec<(View, Write)>, Refusal> {
        self.removal(self.tokens.revoke_tree(tokens, known)?)
    }

    /// The same, but its children become orphans.
    pub fn revoke_alone(&self, tokens: &Reader, known: &Known) -> Result<Vec<(View, Write)>, Refusal> {
        self.removal(self.tokens.revoke_alone(tokens, known)?)
    }

    fn removal(&self, revoked: crate::tokens::Revoked) -> Result<Vec<(View, Write)>, Refusal> {
        let mut writes: Vec<_> = revoked.writes.into_iter().map(|w| (self.tokens.view.clone(), w)).collect();
        let cubbyholes = View::new(&self.barrier, NamespaceId::ROOT, CUBBYHOLE);
        let reader = cubbyholes.at(self.snapshot()?);
        for key in revoked.keys {
            let parent = Name::new([key]).map_err(fault::damaged)?;
            let mut names = Vec::new();
            reader
                .walk(&parent, &mut |rest| {
                    names.push(parent.segments().iter().chain(rest).cloned().collect::<Vec<_>>());
                    true
                })
                .map_err(fault::barrier)?;
            for segments in names {
                let name = Name::new(segments).map_err(fault::damaged)?;
                writes.push((cubbyholes.clone(), Write::delete(name)));
            }
        }
        Ok(writes)
    }
}
