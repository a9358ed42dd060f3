//! Finding, making and refusing files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use redb::{Database, TableDefinition};

use super::load::wait;
use super::*;
use crate::redb::layout::{FORMAT, META};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    (folder, path)
}

fn open(path: &Path) -> Result<Arc<RedbStore>, OpenError> {
    RedbStore::open(path, options())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn value(store: &dyn Store, key: &[u8]) -> Option<Vec<u8>> {
    store.snapshot().unwrap().get(Space::Cluster, key).unwrap().map(|stored| stored.value)
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let (folder, path) = folder();
    let store = open(&path).unwrap();
    assert_eq!(wait(store.commit(put(b"key", b"value"))).unwrap(), Revision(1));
    drop(store);
    let store = open(&path).unwrap();
    assert_eq!(value(&*store, b"key").unwrap(), b"value");
    assert_eq!(store.snapshot().unwrap().revision(), Revision(1));
    assert_eq!(wait(store.commit(put(b"key", b"other"))).unwrap(), Revision(2));
    // Nothing beside the store: no draft is left.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_second_open_is_refused() {
    let (_folder, path) = folder();
    let store = open(&path).unwrap();
    let error = open(&path).err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(error.to_string().contains("in use by another process"));
    // A snapshot keeps it open.
    let snapshot = store.snapshot().unwrap();
    drop(store);
    assert!(matches!(open(&path), Err(OpenError::InUse(_))));
    assert_eq!(snapshot.get(Space::Cluster, b"key").unwrap(), None);
    drop(snapshot);
    open(&path).unwrap();
}

#[test]
fn of_those_who_make_it_at_once_one_succeeds() {
    let (folder, path) = folder();
    let stores: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&path))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(stores.iter().filter(|store| store.is_ok()).count(), 1);
    assert!(stores.iter().all(|store| matches!(store, Ok(_) | Err(OpenError::InUse(_)))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn nobody_else_may_read_it() {
    let (_folder, path) = folder();
    drop(open(&path).unwrap());
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
    drop(open(&path).unwrap());
    assert_eq!(mode(&path), 0o600, "narrowed");
}

#[test]
fn what_is_not_there_is_made_only_when_asked() {
    let (folder, path) = folder();
    let missing = RedbStore::open(&path, Options { create: false, ..options() });
    assert!(matches!(missing, Err(OpenError::Missing(_))));
    assert!(!path.exists());
    let nowhere = open(&folder.path().join("no/folder/store"));
    assert!(matches!(nowhere, Err(OpenError::Io { doing: "making", .. })));
}

#[test]
fn what_is_no_store_is_left_alone() {
    let (folder, path) = folder();
    let refused = |path: &Path| matches!(open(path), Err(OpenError::NotAStore(_)));
    fs::write(&path, "listener \"tcp\" {}".repeat(1000)).unwrap();
    assert!(refused(&path));
    assert!(fs::read_to_string(&path).unwrap().starts_with("listener"));
    assert!(matches!(open(folder.path()), Err(OpenError::Io { .. })));

    let foreign = folder.path().join("foreign");
    let database = Database::create(&foreign).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("other")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(refused(&foreign));

    let device = folder.path().join("device");
    symlink("/dev/null", &device).unwrap();
    assert!(refused(&device));
}

#[test]
fn an_emptied_file_is_damaged_and_not_a_new_store() {
    let (_folder, path) = folder();
    drop(open(&path).unwrap());
    fs::write(&path, []).unwrap();
    let error = open(&path).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }));
    assert!(error.to_string().starts_with("store damaged: restore a backup"), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let (_folder, path) = folder();
    drop(open(&path).unwrap());
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert(FORMAT, 7_u32.to_le_bytes().as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = open(&path).err().unwrap();
    assert!(matches!(error, OpenError::Newer { format: 7, .. }));
    assert!(error.to_string().contains("run the newer version"), "{error}");
}
