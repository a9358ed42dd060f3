//! What becomes of a login: a token, in the same commit as the method's own writes.

use std::net::IpAddr;
use std::sync::Arc;

use strongroom_engine::{Cx, Knock, Login, NoLogin, TokenWish};
use strongroom_policy::PolicyName;
use strongroom_policy::builtin::DEFAULT;
use strongroom_store::Snapshot;
use strongroom_types::reply::Logical;
use strongroom_types::{Cidr, Refusal, Reply, Request, Timestamp};

use tokio::sync::OwnedMutexGuard;

use crate::active::Active;
use crate::entities;
use crate::lockouts::{Rules, Verdict, rules};
use crate::metrics::births::Birth;
use crate::mounts::Mount;
use crate::order::{Rank, Ranked};
use crate::perform::{After, Scene, Work, cx};
use crate::stage::Authorized;
use crate::tokens::{LoginRef, TokenRecord, Wish, capped, least};

/// A login before and while its proof is looked at: whom it is for, whether they are locked out, and the turn with what it
/// uses up.
pub struct Door {
    /// Whom the method says they say they are; `None` where only their proof says it.
    knock: Result<Option<Knock>, Refusal>,
    /// Held until the commit: what is used up by a login is used by one at a time.
    turn: Option<Ranked<OwnedMutexGuard<()>>>,
}

/// Asks the method who it is for, and waits for the turn with what the login uses up.
pub async fn knock(active: &Active, request: &Request<Authorized>, mount: &Mount) -> Door {
    let stage = &request.stage;
    let knock = match mount.method.and_then(|method| method.knock) {
        None => Ok(None),
        Some(knock) => knock(&cx(active, mount, None, stage.snapshot.clone()), &stage.call).map(Some),
    };
    let used_up = knock.as_ref().ok().and_then(|knock| knock.as_ref()?.turn.as_ref());
    let turn = match used_up {
        None => None,
        Some(what) => Some(active.use_locks.lock(Rank::UsedUp, &format!("{}/{what}", mount.record.id)).await),
    };
    Door { knock, turn }
}

impl Door {
    /// Whether something may have changed since the method was asked.
    pub fn has_waited(&self) -> bool {
        self.turn.is_some()
    }

    /// Refused if it is for somebody who is locked out.
    pub fn is_open(&self, active: &Active, mount: &Mount, now: Timestamp) -> Result<(), Refusal> {
        let Some((knock, rules)) = self.guarded(active, mount)? else { return Ok(()) };
        unless_locked(active.lockouts.before(mount.record.id, knock, rules, now))
    }

    /// Looks at the proof, and counts. Whoever is locked out by the time it was looked at is not told how it came out.
    pub fn opened(
        &self,
        active: &Active,
        mount: &Mount,
        now: Timestamp,
        proof: impl FnOnce() -> Result<Login, NoLogin>,
    ) -> Result<Login, Refusal> {
        self.is_open(active, mount, now)?;
        let id = mount.record.id;
        match (proof(), self.guarded(active, mount)?) {
            (Ok(login), guarded) => {
                if let Some((knock, rules)) = guarded {
                    unless_locked(active.lockouts.succeeded(id, knock, rules, now))?;
                }
                self.check_alias(&login)?;
                Ok(login)
            }
            (Err(NoLogin::Wrong(refusal)), Some((knock, rules))) => {
                unless_locked(active.lockouts.failed(id, knock, rules, now))?;
                Err(refusal)
            }
            (Err(other), _) => Err(other.into_refusal()),
        }
    }

    /// Whom it is for, and what locks them out; `None` where nothing does.
    fn guarded(&self, active: &Active, mount: &Mount) -> Result<Option<(&Knock, Rules)>, Refusal> {
        let knock = self.knock.as_ref().map_err(Refusal::clone)?;
        Ok(knock.as_ref().zip(rules(&active.settings, mount)))
    }

    /// The role that it is for; empty without one.
    fn role(&self) -> &str {
        let knock = self.knock.as_ref().ok().and_then(Option::as_ref);
        knock.and_then(|knock| knock.role.as_deref()).unwrap_or_default()
    }

    /// Whoever was counted is whoever comes in.
    fn check_alias(&self, login: &Login) -> Result<(), Refusal> {
        match &self.knock {
            Ok(Some(knock)) if knock.alias != login.alias => {
                Err(Refusal::fault("a method has let in somebody else than had knocked"))
            }
            _ => Ok(()),
        }
    }
}

fn unless_locked(verdict: Verdict) -> Result<(), Refusal> {
    match verdict {
        Verdict::Open => Ok(()),
        Verdict::Locked => Err(Refusal::denied()),
    }
}

/// The token of whoever has proven who they are.
pub fn admitted(
    active: &Active,
    request: &Request<Authorized>,
    mount: &Mount,
    (door, login): (&Door, Login),
    cx: &Cx,
    snapshot: &Arc<dyn Snapshot>,
) -> Result<Work, Refusal> {
    let Login { alias, display_name, metadata, token, writes } = login;
    let batch = is_batch(mount, &token);
    if batch && (token.period > 0 || token.num_uses > 0 || token.explicit_max_ttl > 0) {
        return Err(Refusal::bad_request(
            "the mount gives batch tokens, which have no period, explicit maximum or number of uses",
        ));
    }
    let base = match (token.period, token.ttl) {
        (0, 0) => mount.info.default_lease_ttl,
        (0, ttl) => ttl,
        (period, _) => period,
    };
    let (ttl, warnings) = capped(base, least(token.explicit_max_ttl, most(mount, &token)));
    let role = door.role();
    // A batch token is stored nowhere.
    let seat = if batch { None } else { active.seat(request.stage.path(), role)? };
    let (entity, alias_write) = entities::of_login(active, snapshot, mount.record.id, &alias)?;
    let wish = Wish {
        id: None,
        policies: policies(&token)?,
        path: request.stage.path().to_owned(),
        meta: Some(metadata),
        display_name: shown_as(mount, &display_name),
        ttl,
        explicit_max_ttl: token.explicit_max_ttl,
        period: token.period,
        num_uses: token.num_uses,
        renewable: !batch,
        parent: None,
        bound_cidrs: networks(&token, cx.remote)?,
        role: String::new(),
        batch,
        login_role: role.to_owned(),
        login: Some(LoginRef { mount: mount.record.id, alias, entity }),
    };
    let begun = active.clock.reading();
    let minted = active.tokens.mint(wish, active.entropy.as_ref(), cx.now)?;
    active.measure(&active.metrics.token_create, begun);
    let mut all: Vec<_> = writes.into_iter().map(|write| (mount.view.clone(), write)).collect();
    all.extend(minted.writes.into_iter().map(|write| (active.tokens.view.clone(), write)));
    all.extend(alias_write);
    let reply = Logical { auth: Some(minted.auth), warnings, ..Logical::default() };
    let born = After::Born(Birth::new(mount.engine.kind, ttl, batch));
    Ok(Work { writes: all, seat, ..Work::reply(Reply::Logical(Box::new(reply))) }.then([born]))
}

/// What the token may be now, and how long it may live at most: asked of its method before each renewal.
pub fn asked_again(
    scene: &Scene<'_>,
    login: &LoginRef,
    record: &TokenRecord,
) -> Result<(TokenWish, i64), Refusal> {
    let active: &Arc<Active> = scene.active;
    let mounts = active.mounts.load();
    let mount = mounts.by_id(login.mount);
    let Some((mount, method)) = mount.and_then(|mount| Some((mount, mount.method?))) else {
        return Err(Refusal::bad_request("the auth method is gone, not renewing"));
    };
    let token = (method.renew)(&cx(active, mount, None, scene.snapshot.clone()), &login.alias)?;
    if policies(&token)? != record.policies {
        return Err(Refusal::bad_request("policies have changed, not renewing"));
    }
    let most = most(mount, &token);
    Ok((token, most))
}

/// Canonical and sorted. Never root, whatever a method says: that no login leads to.
fn policies(token: &TokenWish) -> Result<Vec<String>, Refusal> {
    let mut policies = Vec::new();
    for text in &token.policies {
        let name = PolicyName::parse_lasting(text);
        policies.push(name.map_err(|error| Refusal::bad_request(error.to_string()))?.as_str().to_owned());
    }
    if !token.no_default_policy {
        policies.push(DEFAULT.into());
    }
    policies.sort();
    policies.dedup();
    Ok(policies)
}

/// What the token says, else what the mount says.
fn is_batch(mount: &Mount, token: &TokenWish) -> bool {
    let of_mount = mount.record.config.token_type.as_str();
    match (token.token_type.as_str(), of_mount) {
        // What a mount demands, no role changes.
        (_, "batch") => true,
        (_, "service") => false,
        ("batch" | "default-batch", _) => true,
        ("service" | "default-service", _) => false,
        (_, of_mount) => of_mount == "default-batch",
    }
}

fn most(mount: &Mount, token: &TokenWish) -> i64 {
    least(token.max_ttl, mount.info.max_lease_ttl)
}

/// The networks of the token: the login has to come from one of them.
fn networks(token: &TokenWish, remote: Option<IpAddr>) -> Result<Vec<Cidr>, Refusal> {
    let is_near = |remote: IpAddr| token.bound_cidrs.iter().any(|cidr| cidr.contains(remote));
    if !token.bound_cidrs.is_empty() && !remote.is_some_and(is_near) {
        return Err(Refusal::denied());
    }
    match (token.strictly_bind_ip, remote) {
        (false, _) => Ok(token.bound_cidrs.clone()),
        (true, Some(remote)) => Ok(Cidr::parse(&remote.to_canonical().to_string()).into_iter().collect()),
        (true, None) => Err(Refusal::denied()),
    }
}

/// The mount's path below `auth/`, and who it is, if the method says so.
fn shown_as(mount: &Mount, who: &str) -> String {
    let path = mount.record.path.as_str();
    let name = path.strip_prefix("auth/").unwrap_or(path).trim_end_matches('/').replace('/', "-");
    if who.is_empty() { name } else { format!("{name}-{who}") }
}
