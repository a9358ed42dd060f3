//! What the request costs its asker: of its quota, and a use of a limited token.
//!
//! What a quota refuses costs no use. Whoever may do nothing on the path is not told that a quota covers it: that would tell
//! what is mounted.

use std::net::IpAddr;
use std::sync::Arc;

use strongroom_barrier::{View, Write};
use strongroom_engine::Handler;
use strongroom_store::Snapshot;
use strongroom_types::id::MountId;
use strongroom_types::request::Head;
use strongroom_types::{Refusal, Request};
use tokio::sync::OwnedMutexGuard;

use super::authorize::denied_by_policy;
use super::proof::Proof;
use super::{Asker, Authenticated, Read, Routed, Target};
use crate::active::Active;
use crate::mounts::MountTable;
use crate::order::{Rank, Ranked};
use crate::perform::{After, cx};
use crate::quotas::{Charge, Place, Quota, Verdict, shown};
use crate::wrapping;

/// A request that will be paid for.
pub struct Charged {
    /// Where it goes.
    pub routed: Routed,
    /// Who asks.
    pub asker: Option<Asker>,
    /// What is stored, as this request sees it.
    pub snapshot: Arc<dyn Snapshot>,
    _proof: Proof,
}

/// What is to be paid with the commit, whether the request is granted or refused from here on.
#[derive(Default)]
pub struct Bill {
    payer: Option<Payer>,
    /// What the answer tells of the quota.
    headers: Vec<(&'static str, String)>,
    /// Whether somebody logs in.
    pub is_login: bool,
    /// A login whose quota is not known before its body has been read.
    by_role: Option<ByRole>,
}

struct ByRole {
    mount: MountId,
    path: String,
    below: String,
    client: Option<IpAddr>,
}

/// A token with limited uses, of which the request costs one.
struct Payer {
    /// The token's.
    key: String,
    /// Held until the commit, so that a thousand requests with one token do not make each other run again.
    _turn: Ranked<OwnedMutexGuard<()>>,
}

/// Waits for the turn of a token with limited uses, and looks again how many are left.
pub async fn charge(
    active: &Active,
    request: Request<Authenticated>,
    bill: &mut Bill,
) -> Result<Request<Charged>, Refusal> {
    bill.is_login = is_login(&request.stage.routed.target);
    take_quota(active, &request, bill).inspect_err(|_| active.metrics.quota_violation.add())?;
    let Request { head, stage: Authenticated { routed, mut asker, mut snapshot, .. } } = request;
    if let Some(asker) = asker.as_mut().filter(|asker| asker.known.record.num_uses > 0) {
        let key = asker.known.key.clone();
        let turn = active.use_locks.lock(Rank::Uses, &key).await;
        snapshot = active.snapshot()?;
        let reader = active.tokens.view.at(snapshot.clone());
        let again = active.tokens.find_by_key(&reader, key.clone(), active.now())?;
        asker.known = again.ok_or_else(|| wrapping::ended(&routed.target, &asker.known))?;
        bill.payer = Some(Payer { key, _turn: turn });
    }
    Ok(Request { head, stage: Charged { routed, asker, snapshot, _proof: Proof::checked() } })
}

fn take_quota(active: &Active, request: &Request<Authenticated>, bill: &mut Bill) -> Result<(), Refusal> {
    let table = active.quotas.table();
    if table.quotas.is_empty() {
        return Ok(());
    }
    let Authenticated { routed, asker, .. } = &request.stage;
    let mounts = active.mounts.load();
    let (mount, path, below) = place(&mounts, routed);
    let client = client(&request.head);
    if let Some(mount) = mount.filter(|mount| is_login(&routed.target) && table.quotas.asks_for_roles(*mount))
    {
        // Charged when the body has been read, or could not be.
        let (path, below) = (path.to_owned(), below.to_owned());
        bill.by_role = Some(ByRole { mount, path, below, client });
        return Ok(());
    }
    let (reads, now) = (!request.head.operation.is_write(), active.clock.reading());
    let charge = Charge { mount, path, below, reads, role: None, client, now };
    bill.charged(table.charge(&charge), table.config.response_headers).map_err(|refusal| match asker {
        Some(asker)
            if !routed.target.unauthenticated()
                && asker.acl.capabilities(routed.acl_path.asked(), active.now()) == ["deny"] =>
        {
            denied_by_policy()
        }
        _ => refusal,
    })
}

/// Charges a login whose quota depends on its role, which only the body tells. A body that cannot be read is charged as
/// one that names no role: otherwise it would cost nothing.
pub fn charge_login(
    active: &Active,
    read: Result<Request<Read>, Refusal>,
    bill: &mut Bill,
) -> Result<Request<Read>, Refusal> {
    if let Some(ByRole { mount, path, below, client }) = bill.by_role.take() {
        let role = read.as_ref().ok().and_then(|request| role(active, request));
        let (role, now) = (role.as_deref(), active.clock.reading());
        let charge =
            Charge { mount: Some(mount), path: &path, below: &below, reads: false, role, client, now };
        let table = active.quotas.table();
        let charged = bill.charged(table.charge(&charge), table.config.response_headers);
        charged.inspect_err(|_| active.metrics.quota_violation.add())?;
    }
    read
}

/// The role that the method itself takes a login for, whatever else the body says.
fn role(active: &Active, request: &Request<Read>) -> Option<String> {
    let stage = &request.stage;
    let Target::Engine { mount, .. } = &stage.target else { return None };
    let knock = mount.method?.knock?;
    knock(&cx(active, mount, None, stage.snapshot.clone()), &stage.call).ok()?.role
}

/// The mount, the whole path and what of it is below the mount, also where nothing answers.
fn place<'r>(mounts: &'r MountTable, routed: &'r Routed) -> (Option<MountId>, &'r str, &'r str) {
    let path = routed.acl_path.bare();
    if let Target::Engine { mount, .. } = &routed.target {
        let below = path.strip_prefix(mount.record.path.as_str()).unwrap_or_default();
        return (Some(mount.record.id), path, below);
    }
    let place = Place::of(mounts, path);
    (place.mount, path, place.below)
}

fn is_login(target: &Target) -> bool {
    matches!(target, Target::Engine { endpoint, .. } if matches!(endpoint.run, Handler::Login(_) | Handler::SlowLogin(_)))
}

fn client(head: &Head) -> Option<IpAddr> {
    head.remote.map(|(address, _)| address)
}

impl Bill {
    fn charged(
        &mut self,
        charged: Result<Option<(&Quota, Verdict)>, Refusal>,
        tell: bool,
    ) -> Result<(), Refusal> {
        if let (Some((_, verdict)), true) = (charged?, tell) {
            self.headers = shown(&verdict).into();
        }
        Ok(())
    }

    /// What the answer tells of the quota, once.
    pub fn take_headers(&mut self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.headers)
    }

    /// Whether nothing is to be paid.
    pub fn is_empty(&self) -> bool {
        self.payer.is_none()
    }

    /// Adds the payment to `writes`, and says what in memory follows. Refused if the token has been revoked since.
    pub fn pay(
        &self,
        active: &Active,
        snapshot: &Arc<dyn Snapshot>,
        writes: &mut Vec<(View, Write)>,
    ) -> Result<Option<After>, Refusal> {
        match &self.payer {
            None => Ok(None),
            Some(payer) => active.tokens.spend(active, snapshot, &payer.key, writes),
        }
    }
}
