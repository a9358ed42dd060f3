//! Init: everything that a cluster begins with, in one batch.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use strongroom_barrier::{Barrier, View, plain};
use strongroom_openpgp::Recipient;
use strongroom_policy::builtin;
use strongroom_seal::{GroupPlan, HolderPlan, SlotPlan, SlotShares, SlotTable, create};
use strongroom_store::{Batch, Expect, Space, StoreError};
use strongroom_types::id::{ClusterId, NamespaceId};
use strongroom_types::{Entropy, Refusal, Secret};

use super::slots::sealed_bytes;
use super::{ClusterRecord, SealFacts, Sealed, State, seal_fault};
use crate::active::{Active, SYSTEM, TOKENS};
use crate::ceremony::pgp::{self, Recipients};
use crate::clock::Floored;
use crate::fault::{self, damaged};
use crate::policies::PolicyRecord;
use crate::tokens::{Tokens, Wish, check_chosen};
use crate::{Core, Parts, SealWish, audit_trail, clock, log, mounts, policies};

/// What an operator asks of init. Numbers that are not given are 5 shares with a threshold of 3.
#[derive(Default)]
pub struct InitWish {
    /// Custodians' shares; only where people alone unseal.
    pub secret_shares: Option<i64>,
    /// How many of them open.
    pub secret_threshold: Option<i64>,
    /// Break-glass shares; only where devices unseal.
    pub recovery_shares: Option<i64>,
    /// How many of them open.
    pub recovery_threshold: Option<i64>,
    /// Said by whoever wants devices and no break-glass shares: when a device is lost, everything is.
    pub accept_total_loss: bool,
    /// OpenPGP keys of those whom the custodians' shares are for, in order; none where they are handed out as they are.
    pub pgp_keys: Vec<String>,
    /// The same for the break-glass shares.
    pub recovery_pgp_keys: Vec<String>,
    /// The same for the root token.
    pub root_token_pgp_key: Option<String>,
    /// The root token instead of a random one; for development.
    pub root_token: Option<Secret>,
}

/// What init hands out, once.
pub struct Initialised {
    /// Custodians' shares of the first keyslot: their bytes, or messages for their keys.
    pub keys: Vec<Secret>,
    /// Shares of the break-glass keyslot, likewise.
    pub recovery_keys: Vec<Secret>,
    /// Allows everything: the token, or a message for a key, in base64.
    pub root_token: Secret,
}

/// Those whom it is encrypted for.
struct For {
    keys: Recipients,
    recovery_keys: Recipients,
    root_token: Option<Recipient>,
}

/// The name of the keyslot that the appliance is opened with every day.
pub(crate) const DAILY: &str = "primary";
/// The name of the keyslot of last resort.
pub(crate) const BREAK_GLASS: &str = "recovery";

impl Core {
    /// Makes a cluster. Where devices open it, it is unsealed at once; else it waits for the shares.
    pub async fn init(&self, wish: InitWish) -> Result<Initialised, Refusal> {
        let already = || Refusal::bad_request("Vault is already initialized");
        let parts = &self.parts;
        if self.is_initialised() {
            return Err(already());
        }
        if let Some(token) = &wish.root_token {
            check_chosen(token.expose_str().unwrap_or_default())?;
        }
        let plan = plan(&parts.seal, &wish)?;
        let to = For::read(&wish, &plan, parts)?;
        let cluster = ClusterId::from_random(parts.entropy.draw()?);
        let made = create(cluster, &plan, parts.devices.as_ref(), parts.entropy.as_ref()).await;
        let made = made.map_err(|cause| seal_fault(&cause))?;

        let mut batch = Batch::default();
        let (arena, entropy, now) = (parts.arena.clone(), parts.entropy.clone(), parts.clock.now());
        let barrier = Barrier::create(cluster, &made.root_key, arena, entropy, now, &mut batch);
        let barrier = barrier.map_err(fault::barrier)?;
        add_clear_records(parts, cluster, &made.table, &barrier, &mut batch)?;
        let root_token = add_own_records(parts, &barrier, wish.root_token, &mut batch)?;
        let handed_out = to.hand_out(&made.shares, root_token, parts.entropy.as_ref())?;
        // Of two that come at the same time the second one finds what it expects to be absent.
        match parts.store.commit(batch).await {
            Ok(_) => {}
            Err(StoreError::Conflict) => return Err(already()),
            Err(cause) => return Err(fault::store(cause)),
        }
        log::SEAL.info(format_args!("initialised: cluster {cluster}"));
        self.begin(barrier, &made.table).await;
        Ok(handed_out)
    }

    /// Active where devices unseal, sealed where people do. What goes wrong here must not keep the shares from
    /// whoever asked: they exist, and are shown only once.
    async fn begin(&self, barrier: Arc<Barrier>, table: &SlotTable) {
        let before = self.state();
        if let SealWish::Groups { .. } = self.parts.seal {
            match self.activate(barrier.clone(), table).await {
                Ok(active) => {
                    self.enter(&before, active);
                    return;
                }
                Err(cause) => log::SEAL.error(format_args!("initialised, but still sealed: {cause}")),
            }
        }
        barrier.seal();
        let state = State::at_start(&self.parts);
        let state = state.unwrap_or_else(|cause| State::Sealed(Arc::new(Sealed::broken(cause.to_string()))));
        self.state.store(Arc::new(state));
        self.switch.notify();
    }

    async fn activate(&self, barrier: Arc<Barrier>, table: &SlotTable) -> Result<Arc<Active>, Refusal> {
        let facts = SealFacts::of(table, self.parts.entropy.as_ref()).map_err(|cause| seal_fault(&cause))?;
        Active::load(
            &self.parts,
            barrier,
            facts,
            self.switch.clone(),
            self.effects.clone(),
            self.metrics.clone(),
        )
        .await
    }
}

impl For {
    /// Reads the keys of `wish`, and tries each. Where there are shares there is a key for each of them, or none at all.
    fn read(wish: &InitWish, plan: &[SlotPlan], parts: &Parts) -> Result<Self, Refusal> {
        let (now, entropy) = (parts.clock.now(), parts.entropy.as_ref());
        let people = |name: &str| {
            let slot = plan.iter().find(|slot| slot.name == name);
            let holders = slot.into_iter().flat_map(|slot| &slot.groups).flat_map(|group| &group.holders);
            holders.filter(|holder| **holder == HolderPlan::Custodian).count()
        };
        let read = |field, keys: &Vec<String>, slot, what| {
            Recipients::parse((field, keys), (people(slot), what), now, entropy)
        };
        let token = wish.root_token_pgp_key.as_ref();
        Ok(Self {
            keys: read("pgp_keys", &wish.pgp_keys, DAILY, "seal")?,
            recovery_keys: read("recovery_pgp_keys", &wish.recovery_pgp_keys, BREAK_GLASS, "recovery")?,
            root_token: token
                .map(|key| pgp::recipient("root_token_pgp_key", key, now, entropy))
                .transpose()?,
        })
    }

    /// What leaves: encrypted for whom it is, before anything of it is committed.
    fn hand_out(
        &self,
        shares: &[SlotShares],
        token: Secret,
        entropy: &dyn Entropy,
    ) -> Result<Initialised, Refusal> {
        let of = |name: &str| shares.iter().find(|slot| slot.name == name).map_or(Vec::new(), copies);
        let root_token = match &self.root_token {
            None => token,
            Some(to) => Secret::from(pgp::token(to, &token, entropy)?),
        };
        Ok(Initialised {
            keys: self.keys.hand_out(of(DAILY), entropy)?,
            recovery_keys: self.recovery_keys.hand_out(of(BREAK_GLASS), entropy)?,
            root_token,
        })
    }
}

fn copies(slot: &SlotShares) -> Vec<Secret> {
    slot.shares.iter().map(|share| Secret::copy_of(share.expose())).collect()
}

/// The keyslots to be made.
fn plan(seal: &SealWish, wish: &InitWish) -> Result<Vec<SlotPlan>, Refusal> {
    let slot = |name: &str, groups| SlotPlan { name: name.to_owned(), groups };
    match seal {
        SealWish::Custodians => {
            refuse_given(
                "shamir",
                &[
                    ("recovery_shares", is_number(wish.recovery_shares)),
                    ("recovery_threshold", is_number(wish.recovery_threshold)),
                    ("recovery_pgp_keys", !wish.recovery_pgp_keys.is_empty()),
                ],
            )?;
            let people = custodians(wish.secret_shares, wish.secret_threshold, "seal")?;
            Ok(vec![slot(DAILY, vec![people])])
        }
        SealWish::Groups { groups, .. } => {
            refuse_given(
                &kind(groups),
                &[
                    ("secret_shares", is_number(wish.secret_shares)),
                    ("secret_threshold", is_number(wish.secret_threshold)),
                    ("pgp_keys", !wish.pgp_keys.is_empty() && !groups.iter().any(has_people)),
                ],
            )?;
            let mut slots = vec![slot(DAILY, groups.clone())];
            match wish.recovery_shares {
                Some(0) if wish.accept_total_loss => {}
                Some(0) => {
                    return Err(Refusal::bad_request(
                        "without recovery shares everything is lost with the device: ask for some, or say \
                         accept_total_loss=true",
                    ));
                }
                shares => slots
                    .push(slot(BREAK_GLASS, vec![custodians(shares, wish.recovery_threshold, "recovery")?])),
            }
            Ok(slots)
        }
    }
}

fn has_people(group: &GroupPlan) -> bool {
    group.holders.contains(&HolderPlan::Custodian)
}

/// Whether a number is asked for; zero is as good as none.
fn is_number(wish: Option<i64>) -> bool {
    wish.is_some_and(|number| number != 0)
}

fn refuse_given(kind: &str, parameters: &[(&str, bool)]) -> Result<(), Refusal> {
    let given = parameters.iter().filter(|(_, is_given)| *is_given);
    let given: Vec<&str> = given.map(|(name, _)| *name).collect();
    if given.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad_request(format!("parameters {} not applicable to seal type {kind}", given.join(","))))
}

/// As [`strongroom_seal::kind`], of groups that are not made yet.
pub(crate) fn kind(groups: &[GroupPlan]) -> String {
    let holders = || groups.iter().flat_map(|group| &group.holders);
    let mut kinds: Vec<_> = holders()
        .filter_map(|holder| match holder {
            HolderPlan::Device { kind, .. } => Some(*kind),
            HolderPlan::Custodian => None,
        })
        .collect();
    kinds.sort();
    kinds.dedup();
    let mut names: Vec<&str> = kinds.into_iter().map(strongroom_seal::DeviceKind::name).collect();
    if names.is_empty() || holders().any(|holder| *holder == HolderPlan::Custodian) {
        names.push("shamir");
    }
    names.join("+")
}

/// The same as a group.
fn custodians(shares: Option<i64>, threshold: Option<i64>, what: &str) -> Result<GroupPlan, Refusal> {
    people(shares, threshold, what).map(|(threshold, shares)| GroupPlan::custodians(threshold, shares))
}

/// Threshold and number of people, with Vault's words for what makes no sense.
pub(crate) fn people(shares: Option<i64>, threshold: Option<i64>, what: &str) -> Result<(u8, u8), Refusal> {
    let (shares, threshold) = match (shares, threshold) {
        (None, None) => (5, 3),
        (shares, threshold) => (shares.unwrap_or(0), threshold.unwrap_or(0)),
    };
    let wrong = match (shares, threshold) {
        _ if shares < 1 => "shares must be at least one",
        _ if threshold < 1 => "threshold must be at least one",
        _ if shares > 255 => "shares must be less than 256",
        _ if threshold > 255 => "threshold must be less than 256",
        _ if shares > 1 && threshold == 1 => "threshold must be greater than one for multiple shares",
        _ if threshold > shares => "threshold cannot be larger than shares",
        _ => "",
    };
    match (wrong, u8::try_from(threshold), u8::try_from(shares)) {
        ("", Ok(threshold), Ok(shares)) => Ok((threshold, shares)),
        _ => Err(Refusal::bad_request(format!("invalid {what} configuration: {wrong}"))),
    }
}

/// The keyslot table and the cluster's name.
fn add_clear_records(
    parts: &Parts,
    cluster: ClusterId,
    table: &SlotTable,
    barrier: &Barrier,
    batch: &mut Batch,
) -> Result<(), Refusal> {
    let bytes = sealed_bytes(table, barrier)?;
    batch.put(Space::Cluster, plain::SLOT_TABLE.to_vec(), bytes, Expect::Absent);

    let chosen = parts.settings.cluster_name.as_str();
    let name = match chosen {
        "" => format!("vault-cluster-{}", HEXLOWER.encode(&parts.entropy.draw::<4>()?)),
        chosen => chosen.to_owned(),
    };
    let record = ClusterRecord { v: 1, id: cluster, name, created: parts.clock.now() };
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    batch.put(Space::Cluster, plain::CLUSTER.to_vec(), body, Expect::Absent);
    Ok(())
}

/// What the system needs of its own: salts, the root token, the default policy, the cubbyhole.
fn add_own_records(
    parts: &Parts,
    barrier: &Arc<Barrier>,
    root_token: Option<Secret>,
    batch: &mut Batch,
) -> Result<Secret, Refusal> {
    let entropy = parts.entropy.as_ref();
    let now = parts.clock.now();
    let system = View::new(barrier, NamespaceId::ROOT, SYSTEM);
    let view = View::new(barrier, NamespaceId::ROOT, TOKENS);

    let (tokens, salt) = Tokens::create(view.clone(), entropy, Arc::new(Floored::new(parts.clock.clone())))?;
    let wish = Wish { id: root_token, ..Wish::root() };
    let root = tokens.mint(wish, entropy, now)?;
    let mut of_tokens = root.writes.iter().chain([&salt]);
    of_tokens.try_for_each(|write| view.seal(write, batch)).map_err(fault::barrier)?;

    let text = builtin::DEFAULT_TEXT.trim_start().to_owned();
    let default = PolicyRecord { text, ..PolicyRecord::first(now) };
    let mut of_system = vec![
        policies::first(builtin::DEFAULT, &default)?,
        mounts::cubbyhole(entropy)?,
        clock::write(now)?.if_unchanged(None),
    ];
    for sink in &parts.audit {
        of_system.push(audit_trail::new_salt(&sink.name, entropy)?);
    }
    of_system.iter().try_for_each(|write| system.seal(write, batch)).map_err(fault::barrier)?;
    Ok(root.auth.client_token)
}
