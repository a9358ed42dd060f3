//! Keyslots: how the root key comes back.
//!
//! ```text
//! holders   HSM key (pkcs11) · TPM object (tpm) · person (custodian)
//!    │      each holds one share and its blinding, 64 bytes; a device holds them wrapped
//!    ▼
//! group     k of n holders ── Pedersen sharing over P-256 ──▶ group secret
//!    │
//!    ▼      1 to 4 groups, all needed
//! keyslot ── HKDF-SHA256 over its group secrets ──▶ slot key
//!                                                     │ AES-256-GCM
//!                                                     ▼
//!                              the slot's private key (X25519 + ML-KEM-768)
//!                                                     │ X-Wing decapsulation, HKDF-SHA256, AES-256-GCM
//!                                                     ▼
//!                                          root key (256 bit), the same in every slot
//! ```
//!
//! Any one slot opens. The root key is encapsulated to each slot's public key, so that it can be replaced
//! while no holder is present. Nothing in the [`SlotTable`] is secret, and all of it is hostile bytes until the
//! root key has opened the keyring: then [`StoredTable::verify`] checks the table's MAC, and the caller compares
//! the generation.
//!
//! | module | holds |
//! |---|---|
//! | [`model`] | slots, groups and holders, as stored; [`smallest_sets`] and [`kind`] read them |
//! | [`plan`] | slots, groups and holders, as wished for |
//! | [`table`] | the stored format, its parser and its MAC |
//! | [`share`] | what a custodian is given |
//! | [`create()`] | makes the root key and every slot; proves each before it is accepted |
//! | [`unseal`] | one attempt to open a slot, from shares and devices |
//! | [`rekey`] | other people for a slot, another root key |
//! | [`round`] | asking the devices meanwhile |
//! | [`entropy`] | randomness as a parameter |
//!
//! A use, from init to unseal:
//!
//! ```
//! use strongroom_seal::{GroupPlan, SlotPlan, SystemEntropy, Unsealing, create};
//! # use strongroom_seal::Devices;
//! # struct NoDevices;
//! # impl Devices for NoDevices {
//! #     fn device(&self, _: &str) -> Option<std::sync::Arc<dyn strongroom_device_api::KeyDevice>> { None }
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let cluster = strongroom_types::id::ClusterId::from_random([7; 16]);
//! let plan = [SlotPlan { name: "people".into(), groups: vec![GroupPlan::custodians(2, 3)] }];
//! let made = create(cluster, &plan, &NoDevices, &SystemEntropy).await.unwrap();
//!
//! let mut unsealing = Unsealing::new(&made.table, "node-1", &SystemEntropy).unwrap();
//! let shares = &made.shares[0].shares;
//! assert_eq!(unsealing.offer_share(shares[0].expose()).unwrap().given, 1);
//! assert!(unsealing.open().unwrap().is_none());
//! unsealing.offer_share(shares[2].expose()).unwrap();
//! assert!(unsealing.open().unwrap().unwrap().root_key == made.root_key);
//! # });
//! ```

pub mod create;
mod derive;
pub mod entropy;
pub mod error;
mod holder;
mod keys;
pub mod model;
pub mod plan;
pub mod rekey;
pub mod round;
pub mod share;
mod sharing;
pub mod table;
pub mod unseal;
mod xwing;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use create::{Created, SlotShares, create};
pub use entropy::SystemEntropy;
pub use error::{PlanError, SealError, ShareError, TableError};
pub use holder::Devices;
pub use model::{DeviceHolder, DeviceKind, Group, Holder, Slot, SlotId, SmallestSet, kind, smallest_sets};
pub use plan::{GroupPlan, HolderPlan, SlotPlan};
pub use rekey::{NewSlot, make_new, new_root_key, new_shares, replace_root_key};
pub use round::Round;
pub use table::{SlotTable, StoredTable};
pub use unseal::{Opened, Progress, Unsealing};
