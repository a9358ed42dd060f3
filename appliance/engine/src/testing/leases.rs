//! Leases of a mount in memory: made, renewed and revoked as core does it, without what is core's alone (tokens, the
//! index by expiry, further attempts).

use std::sync::{Mutex, MutexGuard, PoisonError};

use strongroom_store::StoreError;
use strongroom_types::error::Kind;
use strongroom_types::reply::{LeaseReply, Logical};
use strongroom_types::{Refusal, Reply};

use super::{Answer, Mount, block_on, told_of};
use crate::Outcome;
use crate::lease::{LeaseHandler, Leased, Renewal, SecretKind};

/// The leases of a mount, the oldest first.
#[derive(Default)]
pub(super) struct Leases(Mutex<Vec<Made>>);

#[derive(Clone)]
struct Made {
    kind: &'static SecretKind,
    renewable: bool,
    lease: Leased,
}

impl Mount {
    /// The ids of all leases that have been made, the oldest first; revoked ones as well.
    pub fn leases(&self) -> Vec<String> {
        self.made().iter().map(|made| made.lease.id.clone()).collect()
    }

    /// Whether the lease may be renewed.
    pub fn is_renewable(&self, id: &str) -> bool {
        let made = self.find(id);
        made.renewable && made.kind.renew.is_some()
    }

    /// Renews a lease, for `increment` seconds if that is not 0.
    pub fn renew(&self, id: &str, increment: i64) -> Answer {
        let name = format!("renew {id}");
        let Made { kind, renewable, lease } = self.find(id);
        let Some(handler) = kind.renew.as_ref().filter(|_| renewable) else {
            return Answer::refused(name, &Refusal::bad_request("lease is not renewable"));
        };
        let lease = Leased { increment, ..lease };
        let told = |renewal: &Renewal| {
            let numbers = format!("{} {}", renewal.ttl, renewal.max_ttl);
            [numbers].into_iter().chain(renewal.writes.iter().map(told_of)).collect()
        };
        let cx = self.cx();
        match self.ran(&name, handler, &lease, told) {
            Err(refusal) => Answer::refused(name, &refusal),
            Ok(renewal) => {
                let seconds = lease.seconds(&cx, &renewal);
                if seconds <= 0 {
                    return Answer::refused(name, &Refusal::bad_request("past the max TTL, cannot renew"));
                }
                self.commit(&Outcome::done(renewal.writes)).expect("a commit");
                if let Some(made) = self.made().iter_mut().find(|made| made.lease.id == id) {
                    made.lease.expires = cx.now.plus_secs(seconds);
                }
                Answer::of(
                    name,
                    reply_of(LeaseReply { id: id.to_owned(), duration: seconds, renewable: true }),
                )
            }
        }
    }

    /// Revokes a lease.
    pub fn revoke(&self, id: &str) -> Answer {
        let name = format!("revoke {id}");
        for _ in 0..8 {
            let Made { kind, lease, .. } = self.find(id);
            match self.ran(&name, &kind.revoke, &lease, |writes| writes.iter().map(told_of).collect()) {
                Err(refusal) => return Answer::refused(name, &refusal),
                Ok(writes) => match self.commit(&Outcome::done(writes)) {
                    Ok(()) => return Answer::of(name, Reply::Empty),
                    Err(StoreError::Conflict) => {}
                    Err(other) => panic!("{name}: {other}"),
                },
            }
        }
        panic!("{name}: one conflict after the other");
    }

    /// Makes the lease that `outcome` asks for, and names it in the answer.
    pub(super) fn lease(&self, path: &str, outcome: &mut Outcome) {
        let Some(wish) = outcome.lease.take() else { return };
        let kind = self.engine.secret(wish.kind);
        let kind = kind.unwrap_or_else(|| panic!("{path}: the engine declares no secret {:?}", wish.kind));
        assert!(wish.ttl >= 0 && wish.max_ttl >= 0, "{path}: a lease cannot live for less than nothing");
        let Reply::Logical(logical) = &mut outcome.reply else {
            panic!("{path}: an answer of this form cannot name a lease")
        };
        let mut made = self.made();
        let id = format!("{}{path}/{}", self.info.path, made.len());
        let (now, duration) = (self.cx().now, wish.seconds(&self.info));
        let renewable = wish.renewable && kind.renew.is_some();
        logical.lease = Some(LeaseReply { id: id.clone(), duration, renewable });
        let lease =
            Leased { id, data: wish.data, issued: now, expires: now.plus_secs(duration), increment: 0 };
        made.push(Made { kind, renewable, lease });
    }

    /// What a handler says; one that does not wait says the same when it is asked again.
    fn ran<T>(
        &self,
        name: &str,
        handler: &LeaseHandler<T>,
        lease: &Leased,
        told: impl Fn(&T) -> Vec<String>,
    ) -> Result<T, Refusal> {
        let said = block_on(handler.run(&self.cx(), lease));
        if let LeaseHandler::Inline(_) = handler {
            let told = |said: &Result<T, Refusal>| match said {
                Ok(said) => told(said),
                Err(refusal) => vec![format!("{:?} {}", refusal.kind, refusal.message)],
            };
            let again = block_on(handler.run(&self.cx(), lease));
            assert_eq!(told(&said), told(&again), "{name}: the handler is not a function of what it is lent");
        }
        said.inspect_err(|refusal| assert_ne!(refusal.kind, Kind::Internal, "{name}: {:?}", refusal.cause))
    }

    fn find(&self, id: &str) -> Made {
        let made = self.made();
        made.iter().find(|made| made.lease.id == id).cloned().unwrap_or_else(|| panic!("no lease {id}"))
    }

    fn made(&self) -> MutexGuard<'_, Vec<Made>> {
        self.leases.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reply_of(lease: LeaseReply) -> Reply {
    Reply::Logical(Box::new(Logical { lease: Some(lease), ..Logical::default() }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::conformance::Suite;
    use super::*;
    use crate::{
        Call, Cx, Endpoint, Engine, Handler, LeaseWish, Param, ParamKind, Route, Table, Write, record,
    };

    const NAME: Param = Param { name: "name", help: "Whose.", kind: ParamKind::Exact };
    const ROUTES: Table<Handler> = &[
        Route {
            path: "pass",
            help: "Who has one.",
            endpoints: &[Endpoint::list("List.", |cx, call| {
                Ok(Outcome::reply(Reply::keys(cx.list(&record::name("pass", "")?, call)?)))
            })],
            ..Route::BASE
        },
        Route {
            path: "pass/{name}",
            params: &[NAME],
            help: "A pass.",
            endpoints: &[Endpoint::read("Get one.", &[], give)],
            ..Route::BASE
        },
    ];
    static PASSES: Engine = Engine {
        kind: "pass",
        help: "Gives passes.",
        routes: |_| Ok(ROUTES),
        secrets: &[PASS],
        ..Engine::BASE
    };
    const PASS: SecretKind = SecretKind {
        name: "pass",
        renew: Some(LeaseHandler::Inline(|_, _| Ok(Renewal { ttl: 60, max_ttl: 100, ..Renewal::default() }))),
        revoke: LeaseHandler::Inline(|_, lease| {
            Ok(vec![Write::delete(record::name("pass", lease.text("name"))?)])
        }),
    };

    fn give(_: &Cx, call: &Call) -> Result<Outcome, Refusal> {
        let name = call.param("name");
        let write = Write::put(record::name("pass", name)?, record::encode(1, &name)?);
        let outcome = Outcome::new(Reply::data(json!({ "pass": name })), vec![write]);
        Ok(outcome.leased(LeaseWish::of(&PASS).lasting(60, 100).with("name", name)))
    }

    fn fill(mount: &Mount) {
        for name in ["a", "b", "c"] {
            assert_eq!(mount.get(&format!("pass/{name}")).status(200).at("lease_duration"), 60);
        }
    }

    #[test]
    fn a_lease_is_renewed_up_to_its_limit_and_taken_back() {
        let mount = Mount::new(&PASSES, &[]);
        let id = mount.get("pass/a").status(200).at("lease_id").as_str().unwrap().to_owned();
        assert_eq!(mount.list("pass").keys(), ["a"]);
        mount.wait(50);
        assert_eq!(mount.renew(&id, 0).status(200).at("lease_duration"), 50);
        assert_eq!(mount.renew(&id, 10).status(200).at("lease_duration"), 10);
        mount.wait(50);
        mount.renew(&id, 0).status(400);
        mount.revoke(&id).status(204);
        mount.list("pass").status(404);
    }

    #[test]
    fn an_engine_that_leases_passes_the_suite() {
        Suite { engine: &PASSES, options: &[], fill, lists: &["pass"] }.run();
    }

    #[test]
    #[should_panic(expected = "declares no secret")]
    fn a_lease_of_an_undeclared_kind_is_found() {
        static NONE: Engine =
            Engine { kind: "pass", help: "Passes.", routes: |_| Ok(ROUTES), ..Engine::BASE };
        Mount::new(&NONE, &[]).get("pass/a");
    }

    #[test]
    #[should_panic(expected = "revoke mount/pass/a/0")]
    fn a_revocation_that_works_once_only_is_found() {
        const ONCE: SecretKind = SecretKind {
            revoke: LeaseHandler::Inline(|cx, lease| {
                let name = record::name("pass", lease.text("name"))?;
                cx.get(&name)?.ok_or_else(Refusal::not_found)?;
                Ok(vec![Write::delete(name)])
            }),
            ..PASS
        };
        static PASSES: Engine = Engine {
            kind: "pass",
            help: "Passes.",
            routes: |_| Ok(ROUTES),
            secrets: &[ONCE],
            ..Engine::BASE
        };
        Suite { engine: &PASSES, options: &[], fill, lists: &[] }.run();
    }
}
