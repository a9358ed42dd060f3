//! `storage "…"`, and the older word `backend`.

use strongroom_store::Reserve;

use super::stanza::Stanza;
use super::{STORE_CACHE, Storage};

const REDB: &str = "write: storage \"redb\" { path = \"/var/lib/strongroom/store.redb\" }";

/// Storages of Vault's that are not here, each with what it is.
const FOREIGN: [(&str, &str); 19] = [
    ("raft", "there is one node as yet, with one file"),
    ("file", "a folder of files has no transactions"),
    ("consul", "the store is local"),
    ("postgresql", "the store is local"),
    ("mysql", "the store is local"),
    ("s3", "the store is local"),
    ("gcs", "the store is local"),
    ("azure", "the store is local"),
    ("dynamodb", "the store is local"),
    ("etcd", "the store is local"),
    ("zookeeper", "the store is local"),
    ("cassandra", "the store is local"),
    ("cockroachdb", "the store is local"),
    ("couchdb", "the store is local"),
    ("foundationdb", "the store is local"),
    ("mssql", "the store is local"),
    ("spanner", "the store is local"),
    ("swift", "the store is local"),
    ("inmem_ha", "only one process reads it"),
];

/// One storage stanza of the type `kind`.
pub fn read(kind: &str, stanza: &mut Stanza<'_>) -> Option<Storage> {
    match kind {
        "redb" => redb(stanza),
        "inmem" => Some(Storage::Memory),
        _ => {
            let foreign = FOREIGN.iter().find(|(name, _)| *name == kind);
            let why = foreign.map_or("there is no such storage", |(_, why)| *why);
            stanza.problem(format!("{why}; {REDB}"));
            stanza.abandon();
            None
        }
    }
}

fn redb(stanza: &mut Stanza<'_>) -> Option<Storage> {
    let path = stanza.path("path");
    if path.is_none() && !stanza.has("path") {
        stanza.problem(format!("path is missing; {REDB}"));
    }
    let cache = stanza.bytes("cache", 1 << 20..=1 << 36);
    let cache = cache.and_then(|cache| usize::try_from(cache).ok()).unwrap_or(STORE_CACHE);
    let mut reserve = Reserve::default();
    if let Some(percent) = stanza.integer("reserve_percent", 0..=90).and_then(|p| u8::try_from(p).ok()) {
        reserve.percent = percent;
    }
    if let Some(bytes) = stanza.bytes("reserve", 0..=1 << 50) {
        reserve.at_least = bytes;
    }
    stanza.ignored(&["max_parallel", "node_id", "performance_multiplier", "disable_mlock"]);
    Some(Storage::Redb { path: path?, cache, reserve })
}
