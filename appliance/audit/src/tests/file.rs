use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::testing::conformance;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    (folder, path)
}

#[test]
fn sinks_keep_what_they_promise() {
    conformance(&|| sink()).unwrap();
    let (folder, _) = place();
    let next = std::sync::atomic::AtomicUsize::new(0);
    conformance(&|| {
        let number = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Arc::new(FileSink::open(&folder.path().join(number.to_string()), FileSink::MODE).unwrap())
    })
    .unwrap();
}

#[test]
fn the_file_is_its_owners_alone() {
    let (_folder, path) = place();
    FileSink::open(&path, FileSink::MODE).unwrap();
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    FileSink::open(&path, 0).unwrap();
    assert_eq!(mode(&path), 0o666);
    FileSink::open(&path, FileSink::MODE).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn links_folders_and_pipes_are_refused() {
    let (folder, path) = place();
    fs::write(folder.path().join("elsewhere"), "").unwrap();
    symlink(folder.path().join("elsewhere"), &path).unwrap();
    assert!(FileSink::open(&path, 0o600).is_err());
    assert!(FileSink::open(folder.path(), 0o600).is_err());
    assert!(FileSink::open(Path::new("/dev/null"), 0o600).is_err());
    assert!(FileSink::open(&folder.path().join("no/such/folder"), 0o600).is_err());
    #[allow(clippy::disallowed_methods)] // a test
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap();
    assert!(made.success());
    assert!(FileSink::open(&folder.path().join("pipe"), 0o600).is_err());
}

#[test]
fn a_piece_of_a_line_is_closed() {
    let (_folder, path) = place();
    fs::write(&path, "whole\npiece").unwrap();
    let sink = FileSink::open(&path, 0o600).unwrap();
    sink.write(b"next\n").unwrap();
    sink.write(b"last\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole\npiece\nnext\nlast\n");
}

#[test]
fn rotation_by_renaming() {
    let (folder, path) = place();
    let old = folder.path().join("audit.log.1");
    let sink = FileSink::open(&path, 0o600).unwrap();
    sink.write(b"one\n").unwrap();
    fs::rename(&path, &old).unwrap();
    // Until SIGHUP the lines follow the file.
    sink.write(b"two\n").unwrap();
    sink.sync().unwrap();
    sink.reopen().unwrap();
    sink.write(b"three\n").unwrap();
    assert_eq!(fs::read_to_string(&old).unwrap(), "one\ntwo\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    assert_eq!(mode(&path), 0o600);

    // What cannot be opened anew goes on with what is there.
    fs::rename(&path, folder.path().join("audit.log.2")).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(sink.reopen().is_err());
    sink.write(b"four\n").unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("audit.log.2")).unwrap(), "three\nfour\n");
}

#[test]
fn a_deleted_file_is_noticed_by_the_next_sync() {
    let (_folder, path) = place();
    let sink = FileSink::open(&path, 0o600).unwrap();
    sink.write(b"one\n").unwrap();
    fs::remove_file(&path).unwrap();
    sink.sync().unwrap();
    sink.write(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
}
