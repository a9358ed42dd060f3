//! The record of a key: what is known of a secret beside its values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_engine::{Call, Cx, Entry, JsonMap, Name, Refusal, Write, record};
use strongroom_types::Timestamp;
use strongroom_types::reply::time_or_empty;

use super::SHAPE;
use super::config::{Config, shown_seconds};
use crate::v1;

/// The record `key`: settings and custom metadata of a secret, and the times of its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// When the first version or the first metadata was written.
    pub created: Timestamp,
    /// When the last version or the last metadata was written.
    pub updated: Timestamp,
    /// The newest version's number; 0 before the first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub current: u64,
    /// No version below this is kept any more; 0 while none has been dropped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub oldest: u64,
    /// How many versions are kept, if more than the mount says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_versions: u64,
    /// Whether a write must name the version that it replaces.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cas_required: bool,
    /// Whether a change of metadata must name the one that it replaces.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata_cas_required: bool,
    /// Seconds a version lives, if fewer than the mount says; 0 is for ever.
    #[serde(default, skip_serializing_if = "is_default")]
    pub delete_after: i64,
    /// How often metadata was written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata_version: u64,
    /// What people say of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub custom: BTreeMap<String, String>,
    /// The versions, by number.
    #[serde(default, skip_serializing_if = "is_default")]
    pub versions: BTreeMap<u64, Version>,
}

/// What is known of a version beside its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// When it was written.
    pub created: Timestamp,
    /// When it was deleted, or when it is going to count as deleted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deleted: Option<Timestamp>,
    /// Whether its values are gone for good.
    #[serde(default, skip_serializing_if = "is_default")]
    pub destroyed: bool,
}

/// Most keys set little: what is not set is not written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Version {
    /// Whether its values can be read.
    pub fn is_readable(&self, now: Timestamp) -> bool {
        !self.destroyed && !self.is_deleted(now)
    }

    /// Whether its time has come; a time in the future does not count yet.
    pub fn is_deleted(&self, now: Timestamp) -> bool {
        self.deleted.is_some_and(|deleted| deleted <= now)
    }
}

impl Key {
    /// A key that nothing was written to yet.
    fn new(now: Timestamp) -> Self {
        Self {
            created: now,
            updated: now,
            current: 0,
            oldest: 0,
            max_versions: 0,
            cas_required: false,
            metadata_cas_required: false,
            delete_after: 0,
            metadata_version: 0,
            custom: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }

    /// Adds a version, drops those that are too many, and tells their numbers.
    pub fn add(&mut self, config: &Config, now: Timestamp) -> Vec<u64> {
        self.current += 1;
        self.updated = now;
        let deleted = config.deletion_time(self.delete_after, now);
        self.versions.insert(self.current, Version { created: now, deleted, destroyed: false });
        let kept = config.kept(self.max_versions);
        if self.current - self.oldest < kept {
            return Vec::new();
        }
        self.oldest = self.current - kept + 1;
        let keep = self.versions.split_off(&self.oldest);
        std::mem::replace(&mut self.versions, keep).into_keys().collect()
    }

    /// What answers show of version `number`.
    pub fn shown_version(&self, number: u64, version: &Version) -> JsonMap {
        let mut shown = shown_times(version);
        shown.insert("version".into(), number.into());
        shown.insert("custom_metadata".into(), self.shown_custom());
        shown
    }

    /// What `metadata` shows.
    pub fn shown(&self) -> Value {
        let versions = self.versions.iter();
        let versions: JsonMap =
            versions.map(|(number, version)| (number.to_string(), shown_times(version).into())).collect();
        json!({
            "cas_required": self.cas_required,
            "created_time": self.created.to_string(),
            "current_metadata_version": self.metadata_version,
            "current_version": self.current,
            "custom_metadata": self.shown_custom(),
            "delete_version_after": shown_seconds(self.delete_after),
            "max_versions": self.max_versions,
            "metadata_cas_required": self.metadata_cas_required,
            "oldest_version": self.oldest,
            "updated_time": self.updated.to_string(),
            "versions": versions,
        })
    }

    fn shown_custom(&self) -> Value {
        if self.custom.is_empty() { Value::Null } else { json!(self.custom) }
    }
}

fn shown_times(version: &Version) -> JsonMap {
    let pairs = [
        ("created_time", Value::from(version.created.to_string())),
        ("deletion_time", time_or_empty(version.deleted).into()),
        ("destroyed", version.destroyed.into()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A key as it was found, to be read, changed and written back.
pub struct Found<'a> {
    path: &'a str,
    /// What is known of it.
    pub key: Key,
    place: Place,
}

/// Where a key was found.
enum Place {
    /// In its own record.
    Key(Entry),
    /// As a secret of version 1 that was never changed since the upgrade.
    Unversioned(Entry),
    /// Nowhere.
    Nowhere,
}

impl<'a> Found<'a> {
    /// The key at `path`, if there is one.
    pub fn load(cx: &Cx, path: &'a str) -> Result<Option<Self>, Refusal> {
        if let Some(entry) = cx.get(&name(path)?)? {
            let key = record::decode(SHAPE, &entry)?;
            return Ok(Some(Self { path, key, place: Place::Key(entry) }));
        }
        let Some(entry) = cx.get(&v1::name(path)?)? else { return Ok(None) };
        let (config, _) = Config::load(cx)?;
        let created = config.upgraded.unwrap_or(cx.now);
        let mut key = Key { current: 1, ..Key::new(created) };
        key.versions.insert(1, Version { created, deleted: None, destroyed: false });
        Ok(Some(Self { path, key, place: Place::Unversioned(entry) }))
    }

    /// The key at `path`, or a new one.
    pub fn load_or_new(cx: &Cx, path: &'a str) -> Result<Self, Refusal> {
        let found = Self::load(cx, path)?;
        Ok(found.unwrap_or_else(|| Self { path, key: Key::new(cx.now), place: Place::Nowhere }))
    }

    /// The values of version `number`, which is readable.
    pub fn values(&self, cx: &Cx, number: u64) -> Result<JsonMap, Refusal> {
        if let Place::Unversioned(entry) = &self.place {
            return v1::decode(entry);
        }
        let entry = cx.get(&version_name(self.path, number)?)?;
        let entry = entry.ok_or_else(|| Refusal::fault("a version that its key speaks of is not stored"))?;
        record::decode(SHAPE, &entry)
    }

    /// What writes the key back, if it is still as it was found. These writes come before those to its versions.
    pub fn save(&self) -> Result<Vec<Write>, Refusal> {
        let put = Write::put(name(self.path)?, record::encode(SHAPE, &self.key)?);
        Ok(match &self.place {
            Place::Key(seen) => vec![put.if_unchanged(Some(seen))],
            Place::Nowhere => vec![put.if_unchanged(None)],
            Place::Unversioned(seen) => vec![
                put.if_unchanged(None),
                put_version(self.path, 1, &v1::decode(seen)?)?,
                Write::delete(v1::name(self.path)?).if_unchanged(Some(seen)),
            ],
        })
    }

    /// What deletes the key and all its versions, if it is still as it was found.
    pub fn purge(&self) -> Result<Vec<Write>, Refusal> {
        let seen = match &self.place {
            Place::Key(seen) => seen,
            Place::Unversioned(seen) => {
                return Ok(vec![Write::delete(v1::name(self.path)?).if_unchanged(Some(seen))]);
            }
            Place::Nowhere => return Ok(Vec::new()),
        };
        let mut writes = vec![Write::delete(name(self.path)?).if_unchanged(Some(seen))];
        let stored = self.key.versions.iter().filter(|(_, version)| !version.destroyed);
        for (number, _) in stored {
            writes.push(delete_version(self.path, *number)?);
        }
        Ok(writes)
    }
}

/// Whether there is a key: tells create from update.
pub(super) fn exists(cx: &Cx, call: &Call) -> Result<bool, Refusal> {
    let path = call.param("path");
    Ok(cx.has(&name(path)?)? || cx.has(&v1::name(path)?)?)
}

/// Where the key of `path` is stored; for the empty path, what all keys are below of.
pub(super) fn name(path: &str) -> Result<Name, Refusal> {
    record::name("key", path)
}

/// What writes the values of a version.
pub(super) fn put_version(path: &str, number: u64, values: &JsonMap) -> Result<Write, Refusal> {
    Ok(Write::put(version_name(path, number)?, record::encode(SHAPE, values)?))
}

/// What deletes the values of a version.
pub(super) fn delete_version(path: &str, number: u64) -> Result<Write, Refusal> {
    Ok(Write::delete(version_name(path, number)?))
}

/// The number is one more segment than a key at the same path has, so that no two of these names are the same.
fn version_name(path: &str, number: u64) -> Result<Name, Refusal> {
    record::name("version", &format!("{path}/{number}"))
}
