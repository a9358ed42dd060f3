//! Every step of hardening cannot be undone, so that each is taken in a child: this test binary, started again for the
//! one test that asked.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // the lint spares tests, not the functions that they share

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use strongroom_os::harden::{self, Wish};

const IN_CHILD: &str = "STRONGROOM_TEST_CHILD";

/// Runs `body` in a process of its own and tells how that ended; inside that process it does not return.
#[allow(clippy::disallowed_methods)] // a test that needs a child
fn in_child(test: &str, body: fn()) -> ExitStatus {
    if std::env::var_os(IN_CHILD).is_some() {
        body();
        std::process::exit(0);
    }
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--test-threads=1", "--nocapture"])
        .env(IN_CHILD, "1")
        .current_dir(folder.path())
        .output()
        .unwrap();
    println!("the child said: {}", String::from_utf8_lossy(&child.stderr));
    child.status
}

#[allow(clippy::disallowed_methods)] // what is to be refused
fn exec() -> std::io::Result<()> {
    Command::new("/bin/true").status().map(|_| ())
}

#[test]
fn exec_is_refused_in_threads_old_and_new() {
    let status = in_child("exec_is_refused_in_threads_old_and_new", || {
        exec().unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let old = std::thread::spawn(move || {
            wait.recv().unwrap();
            exec()
        });
        harden::forbid_exec().unwrap();
        go.send(()).unwrap();
        for refused in [exec(), old.join().unwrap(), std::thread::spawn(exec).join().unwrap()] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
        }
        assert!(prctl::get_no_new_privs().unwrap());
    });
    assert!(status.success(), "{status}");
}

#[test]
fn an_abort_leaves_no_core() {
    let status = in_child("an_abort_leaves_no_core", || {
        // As much as the machine allows, so that the hardening has something to forbid.
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
        setrlimit(Resource::RLIMIT_CORE, hard, hard).unwrap();
        harden::no_core_dumps().unwrap();
        harden::not_dumpable().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        assert!(!prctl::get_dumpable().unwrap());
        std::process::abort();
    });
    assert_eq!(status.signal(), Some(libc::SIGABRT));
    assert!(!status.core_dumped());
}

#[test]
fn privileges_are_given_up_for_good() {
    let status = in_child("privileges_are_given_up_for_good", || {
        assert!(!prctl::get_no_new_privs().unwrap());
        harden::no_new_privileges().unwrap();
        assert!(prctl::get_no_new_privs().unwrap());
    });
    assert!(status.success(), "{status}");
}

#[test]
fn a_wish_is_granted_as_it_is() {
    let status = in_child("a_wish_is_granted_as_it_is", || {
        harden::apply(&Wish { forbid_exec: false, no_new_privileges: false, ..Wish::ALL }).unwrap();
        exec().unwrap();
        assert!(!prctl::get_no_new_privs().unwrap());
        assert!(!prctl::get_dumpable().unwrap());
        harden::apply(&Wish::ALL).unwrap();
        harden::apply(&Wish::ALL).unwrap(); // a second time is no error
        assert!(exec().is_err());
    });
    assert!(status.success(), "{status}");
}
