//! The slot table as it is stored: hostile bytes until its MAC has been verified, which needs the root key.
//!
//! All numbers are big-endian, a *name* is a length byte and UTF-8.
//!
//! ```text
//! table   "SRKS" ‖ version = 1 ‖ cluster id, 16 ‖ generation, u64 ‖ slots, u8 ‖ slot … ‖ MAC, 32
//! slot    id, 16 ‖ name ‖ groups, u8 ‖ group …
//!         ‖ public key, 1216 ‖ wrapped private key, 2460 ‖ encapsulated root key, 1180
//! group   threshold k, u8 ‖ holders n, u8 ‖ commitment, 33 (k of them) ‖ holder … (n of them, index 1 to n)
//! holder  1                                                    a custodian
//!         2 ‖ node ‖ device ‖ key id ‖ length, u16 ‖ wrapped   a PKCS#11 device; "node", "device", "key id" are names
//!         3 ‖ node ‖ device ‖ key id ‖ length, u16 ‖ wrapped   a TPM
//! ```
//!
//! The MAC is over everything before it, with a key that the barrier's keyring holds. A table has one
//! encoding only: what [`SlotTable::parse`] accepts is what [`SlotTable::seal_bytes`] writes.

use std::collections::BTreeSet;

use strongroom_device_api::{KeyId, Wrapped};
use strongroom_types::id::ClusterId;
use subtle::ConstantTimeEq;

use crate::keys::{ENCAPSULATED_ROOT_KEY_LEN, WRAPPED_PRIVATE_KEY_LEN};
use crate::model::{MAX_GROUPS, MAX_SLOTS, MAX_WRAPPED, is_name};
use crate::sharing::Commitment;
use crate::xwing::PUBLIC_KEY_LEN;
use crate::{DeviceHolder, DeviceKind, Group, Holder, Slot, SlotId, TableError};

/// Largest table in bytes.
pub const MAX_TABLE: usize = 128 * 1024;

const MAGIC: &[u8; 4] = b"SRKS";
const VERSION: u8 = 1;
const MAC_LEN: usize = 32;

const CUSTODIAN: u8 = 1;
const PKCS11: u8 = 2;
const TPM: u8 = 3;

/// All slots of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotTable {
    pub(crate) cluster: ClusterId,
    pub(crate) generation: u64,
    pub(crate) slots: Vec<Slot>,
}

/// A table from the store whose MAC has not been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTable {
    table: SlotTable,
    body: Vec<u8>,
    mac: [u8; MAC_LEN],
}

impl SlotTable {
    /// The cluster it belongs to.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// Counts the changes, from 1. The keyring says which one is current.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// 1 to 16 slots; any of them opens.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Reads hostile bytes. Never panics, takes memory in proportion to `bytes` and at most [`MAX_TABLE`].
    pub fn parse(bytes: &[u8]) -> Result<StoredTable, TableError> {
        if bytes.len() > MAX_TABLE {
            return Err(TableError::TooLarge);
        }
        let (body, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or(TableError::Malformed("length"))?;
        let mut reader = Reader { rest: body };
        let table = reader.table()?;
        match reader.rest {
            [] => Ok(StoredTable { table, body: body.to_vec(), mac: *mac }),
            _ => Err(TableError::Malformed("end")),
        }
    }

    /// The bytes to store. `mac` is HMAC-SHA256 or as strong, with a key of the barrier's keyring.
    pub fn seal_bytes(&self, mac: impl FnOnce(&[u8]) -> [u8; MAC_LEN]) -> Result<Vec<u8>, TableError> {
        let mut bytes = Vec::new();
        write_table(&mut bytes, self)?;
        let mac = mac(&bytes);
        bytes.extend_from_slice(&mac);
        if bytes.len() > MAX_TABLE { Err(TableError::TooLarge) } else { Ok(bytes) }
    }
}

impl StoredTable {
    /// The table, not verified: to unseal with, and for nothing else.
    pub fn unverified(&self) -> &SlotTable {
        &self.table
    }

    /// The table, if `mac` over its bytes is what was stored. The caller compares cluster and generation.
    pub fn verify(self, mac: impl FnOnce(&[u8]) -> [u8; MAC_LEN]) -> Result<SlotTable, TableError> {
        match bool::from(mac(&self.body).ct_eq(&self.mac)) {
            true => Ok(self.table),
            false => Err(TableError::Mac),
        }
    }
}

/// What has not been read yet.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], TableError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(TableError::Malformed(what))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], TableError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(TableError::Malformed(what))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, TableError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// A count from 1 to `most`.
    fn count(&mut self, most: usize, what: &'static str) -> Result<u8, TableError> {
        let count = self.byte(what)?;
        if (1..=most).contains(&usize::from(count)) { Ok(count) } else { Err(TableError::Malformed(what)) }
    }

    fn name(&mut self, what: &'static str) -> Result<String, TableError> {
        let length = self.byte(what)?;
        let text = std::str::from_utf8(self.take(length.into(), what)?).ok().filter(|text| is_name(text));
        text.map(str::to_owned).ok_or(TableError::Malformed(what))
    }

    fn table(&mut self) -> Result<SlotTable, TableError> {
        if self.array("first bytes")? != *MAGIC {
            return Err(TableError::Malformed("first bytes"));
        }
        let version = self.byte("version")?;
        if version != VERSION {
            return Err(TableError::Version(version));
        }
        let cluster = ClusterId(self.array("cluster id")?);
        let generation = u64::from_be_bytes(self.array("generation")?);
        let count = self.count(MAX_SLOTS, "number of slots")?;
        let slots = (0..count).map(|_| self.slot()).collect::<Result<Vec<_>, _>>()?;
        let ids: BTreeSet<SlotId> = slots.iter().map(|slot| slot.id).collect();
        let names: BTreeSet<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
        if ids.len() < slots.len() || names.len() < slots.len() {
            return Err(TableError::Malformed("slot names"));
        }
        Ok(SlotTable { cluster, generation, slots })
    }

    fn slot(&mut self) -> Result<Slot, TableError> {
        let id = SlotId(self.array("slot id")?);
        let name = self.name("slot name")?;
        let count = self.count(MAX_GROUPS, "number of groups")?;
        Ok(Slot {
            id,
            name,
            groups: (0..count).map(|_| self.group()).collect::<Result<_, _>>()?,
            public_key: self.take(PUBLIC_KEY_LEN, "public key")?.to_vec(),
            wrapped_private_key: self.take(WRAPPED_PRIVATE_KEY_LEN, "private key")?.to_vec(),
            encapsulated_root_key: self.take(ENCAPSULATED_ROOT_KEY_LEN, "root key")?.to_vec(),
        })
    }

    fn group(&mut self) -> Result<Group, TableError> {
        let threshold = self.count(u8::MAX.into(), "threshold")?;
        let count = self.count(u8::MAX.into(), "number of holders")?;
        if threshold > count {
            return Err(TableError::Malformed("threshold"));
        }
        let commitments = (0..threshold).map(|_| self.commitment()).collect::<Result<_, _>>()?;
        let holders = (1..=count).map(|index| self.holder(index)).collect::<Result<_, _>>()?;
        Ok(Group { threshold, holders, commitments })
    }

    /// A point is decoded when a share is checked, not here: that costs.
    fn commitment(&mut self) -> Result<Commitment, TableError> {
        let commitment: Commitment = self.array("commitments")?;
        match commitment.first() {
            Some(2 | 3) => Ok(commitment),
            _ => Err(TableError::Malformed("commitments")),
        }
    }

    fn holder(&mut self, index: u8) -> Result<Holder, TableError> {
        let kind = match self.byte("holder")? {
            CUSTODIAN => return Ok(Holder::Custodian { index }),
            PKCS11 => DeviceKind::Pkcs11,
            TPM => DeviceKind::Tpm,
            _ => return Err(TableError::Malformed("holder")),
        };
        let node = self.name("node name")?;
        let device = self.name("device name")?;
        let key = KeyId::new(&self.name("key id")?).ok_or(TableError::Malformed("key id"))?;
        let length = usize::from(u16::from_be_bytes(self.array("wrapped share")?));
        if length > MAX_WRAPPED {
            return Err(TableError::Malformed("wrapped share"));
        }
        let wrapped = Wrapped(self.take(length, "wrapped share")?.to_vec());
        Ok(Holder::Device(DeviceHolder { index, kind, node, device, key, wrapped }))
    }
}

fn write_table(out: &mut Vec<u8>, table: &SlotTable) -> Result<(), TableError> {
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&table.cluster.0);
    out.extend_from_slice(&table.generation.to_be_bytes());
    write_length(out, table.slots.len())?;
    for slot in &table.slots {
        out.extend_from_slice(&slot.id.0);
        write_name(out, &slot.name)?;
        write_length(out, slot.groups.len())?;
        for group in &slot.groups {
            write_group(out, group)?;
        }
        out.extend_from_slice(&slot.public_key);
        out.extend_from_slice(&slot.wrapped_private_key);
        out.extend_from_slice(&slot.encapsulated_root_key);
    }
    Ok(())
}

fn write_group(out: &mut Vec<u8>, group: &Group) -> Result<(), TableError> {
    out.push(group.threshold);
    write_length(out, group.holders.len())?;
    out.extend_from_slice(group.commitments.as_flattened());
    for holder in &group.holders {
        let Holder::Device(holder) = holder else {
            out.push(CUSTODIAN);
            continue;
        };
        out.push(match holder.kind {
            DeviceKind::Pkcs11 => PKCS11,
            DeviceKind::Tpm => TPM,
        });
        write_name(out, &holder.node)?;
        write_name(out, &holder.device)?;
        write_name(out, holder.key.as_str())?;
        let length = u16::try_from(holder.wrapped.0.len()).map_err(|_| TableError::TooLarge)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&holder.wrapped.0);
    }
    Ok(())
}

fn write_name(out: &mut Vec<u8>, name: &str) -> Result<(), TableError> {
    write_length(out, name.len())?;
    out.extend_from_slice(name.as_bytes());
    Ok(())
}

fn write_length(out: &mut Vec<u8>, length: usize) -> Result<(), TableError> {
    out.push(u8::try_from(length).map_err(|_| TableError::TooLarge)?);
    Ok(())
}
