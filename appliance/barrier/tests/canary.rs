//! On the real store: nothing of what was written can be read in the file, in no spelling, and everything comes back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // the lints spare tests, not what tests share

mod common;

use std::sync::Arc;

use common::*;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use strongroom_barrier::{Barrier, Minute, Name, View, Write};
use strongroom_store::{Batch, Options, RedbStore, Reserve, Store, StoreError};
use strongroom_types::id::NamespaceId;

const SEGMENTS: [&str; 3] = ["canary-of-a-directory", "canary/with a slash", "canary-of-a-record-é"];
const VALUE: &str = "canary-of-a-value-whose-length-is-more-than-one-block";
const DUE: &str = "canary-of-a-lease";

/// How `text` could stand in a file. In base64 at each of the three offsets, without the ends that depend on neighbours.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let mut all = vec![
        text.as_bytes().to_vec(),
        text.bytes().rev().collect(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        HEXLOWER.encode(text.as_bytes()).into_bytes(),
        HEXUPPER.encode(text.as_bytes()).into_bytes(),
    ];
    for offset in 0..3 {
        let shifted = [&vec![b' '; offset], text.as_bytes()].concat();
        for encoding in [BASE64, BASE64URL_NOPAD] {
            let encoded = encoding.encode(&shifted).into_bytes();
            all.push(encoded[4..encoded.len() - 4].to_vec());
        }
    }
    all
}

fn occurs(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn no_name_and_no_value_occurs_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let open = || RedbStore::open(&path, Options { reserve: Reserve::NONE, ..Options::default() }).unwrap();
    let entropy = Arc::new(Seeded::default());
    let record = Name::new(SEGMENTS).unwrap();
    let lease = Name::new([DUE]).unwrap();
    {
        let store = open();
        let mut batch = Batch::default();
        let barrier =
            Barrier::create(CLUSTER, &root_key(), arena(), entropy.clone(), NOW, &mut batch).unwrap();
        let view = View::new(&barrier, NamespaceId::ROOT, MOUNT);
        view.seal(&Write::put(record.clone(), VALUE.to_owned()), &mut batch).unwrap();
        view.seal(&Write::put(lease.clone(), VALUE.to_owned()).due(Minute::of(NOW)), &mut batch).unwrap();
        store.commit(batch).await.unwrap();

        let seen = view.at(store.snapshot().unwrap()).get(&record).unwrap().unwrap();
        let update = |value: &str| {
            let mut batch = Batch::default();
            let write = Write::put(record.clone(), value.to_owned()).if_unchanged(Some(&seen));
            view.seal(&write, &mut batch).unwrap();
            batch
        };
        store.commit(update(&VALUE.to_uppercase())).await.unwrap();
        let late = store.commit(update("late")).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "a record that has changed since");
        let mut second = Batch::default();
        Barrier::create(CLUSTER, &root_key(), arena(), entropy.clone(), NOW, &mut second).unwrap();
        assert!(matches!(store.commit(second).await, Err(StoreError::Conflict)), "one keyring");
    }
    {
        let store = open();
        let snapshot = store.snapshot().unwrap();
        let barrier = Barrier::open(CLUSTER, &root_key(), &*snapshot, arena(), entropy).unwrap();
        let reader = View::new(&barrier, NamespaceId::ROOT, MOUNT).at(snapshot);
        assert_eq!(text(reader.get(&record).unwrap()), Some(VALUE.to_uppercase()));
        let parent = Name::new(SEGMENTS[..2].iter().copied()).unwrap();
        assert_eq!(reader.list(&parent, None, None).unwrap(), [SEGMENTS[2]]);
        assert_eq!(reader.due(Minute::of(NOW), None, 9).unwrap()[0].name, lease);
    }
    let mut file = std::fs::read(&path).unwrap();
    let secrets = || SEGMENTS.into_iter().chain([VALUE, DUE]).flat_map(|s| [s.to_owned(), s.to_uppercase()]);
    let found = |file: &[u8]| {
        secrets().flat_map(|secret| spellings(&secret)).filter(|needle| occurs(file, needle)).count()
    };
    assert_eq!(found(&file), 0);
    for half in [&root_key().expose()[..16], &root_key().expose()[16..]] {
        assert!(!occurs(&file, half), "the root key");
    }
    // The control: the search finds what is there.
    file.extend_from_slice(&spellings(DUE)[2]);
    assert_eq!(found(&file), 1);
}
