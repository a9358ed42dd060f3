//! A process that writes lines is killed, or runs into a full disk: in a child, which is this test program itself.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::outbox::decode;

const FOLDER: &str = "STRONGROOM_AUDIT_TEST_FOLDER";
const KILLS: usize = 25;
/// The numbers of requests that only ask begin here.
const ASKED: u64 = 1 << 40;

#[allow(clippy::disallowed_methods)] // a test
fn child(test: &str, folder: &Path, limits: &str) -> Child {
    // A limit on the size of files is what a full disk is: a write is cut short, the next one fails.
    let script = format!("{limits} exec \"$0\" --exact tests::crash::{test} --nocapture");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(std::env::current_exe().unwrap()).env(FOLDER, folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn file_broker(path: &Path) -> Broker {
    broker_of(vec![Arc::new(FileSink::open(path, 0o600).unwrap())])
}

/// Not a test by itself: audits, and "commits" each row to a file, until it is killed.
#[test]
fn writes_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let broker = file_broker(&folder.join("audit.log"));
    let mut rows = OpenOptions::new().create(true).append(true).open(folder.join("rows")).unwrap();
    let mut answered = OpenOptions::new().create(true).append(true).open(folder.join("answered")).unwrap();
    for number in 0..10_000_000 {
        let asked = Asked::new(number, json!({"value": "x".repeat(number as usize % 9000), "l": ["a", "b"]}));
        let event = asked.event();
        let audited = broker.before(&event).unwrap();
        let row = audited.outbox_row().unwrap();
        let length = u32::try_from(row.len()).unwrap().to_be_bytes();
        rows.write_all(&[length.as_slice(), &row].concat()).unwrap();
        let response = ResponseEvent { answer: Ok(&Reply::Empty), clear: Clear::NOTHING };
        broker.after(&audited, &event, &response).unwrap();
        // And one that only asks: "answered" is what a client has seen.
        let asked = Asked::new(ASKED + number, json!({"l": "x".repeat(number as usize % 5000)}));
        broker.both(broker.now(), &asked.event(), None, &response).unwrap();
        answered.write_all(format!("{}\n", asked.id).as_bytes()).unwrap();
    }
}

/// The rows that were committed: whole ones.
fn committed(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap_or_default();
    let mut rest = bytes.as_slice();
    let mut rows = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let Some((row, after)) = after.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        rows.push(row.to_vec());
        rest = after;
    }
    rows
}

#[test]
fn no_committed_row_is_without_its_line_after_a_kill() {
    let mut restored = 0;
    let mut seen = 0;
    for kill in 0..KILLS {
        let folder = tempfile::tempdir().unwrap();
        let (log, rows) = (folder.path().join("audit.log"), folder.path().join("rows"));
        let mut writer = child("writes_until_killed", folder.path(), "");
        for _ in 0..2000 {
            if fs::metadata(&rows).is_ok_and(|about| about.len() > 0) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(kill as u64 * 3));
        writer.kill().unwrap();
        assert_eq!(writer.wait().unwrap().signal(), Some(9));

        // A kill leaves the kernel's pages alone; a power cut does not. Every other time a piece of the end is lost.
        let length = fs::metadata(&log).unwrap().len();
        if kill % 2 == 1 {
            let lost = (kill as u64 * 7919) % length;
            OpenOptions::new().write(true).open(&log).unwrap().set_len(length - lost).unwrap();
        }
        let rows = committed(&rows);
        seen += rows.len();
        let broker = file_broker(&log);
        restored += broker.restore(rows.clone()).unwrap();
        // The piece that the crash may have left is closed by the next line.
        broker.before(&Asked::new(u64::MAX, json!({})).event()).unwrap();

        let log = fs::read_to_string(&log).unwrap();
        assert!(log.ends_with('\n'));
        let lines: HashSet<&[u8]> = log.split_inclusive('\n').map(str::as_bytes).collect();
        for row in &rows {
            assert!(decode(row).unwrap().iter().all(|line| lines.contains(line.bytes())), "kill {kill}");
        }
        if kill % 2 == 0 {
            // Nobody has an answer that is not in the log, with its request.
            let answered = fs::read_to_string(folder.path().join("answered")).unwrap();
            for id in answered.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
                assert_eq!(log.matches(&format!("\"id\":\"{id}\"")).count(), 2, "kill {kill}");
            }
        }
        let pieces = log.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
        assert!(pieces <= 1, "kill {kill}: {pieces} lines are cut");
    }
    assert!(seen > KILLS && restored > 0, "{seen} rows, {restored} restored: the test has not tested");
}

/// Not a test by itself: writes until the file may not grow, makes room, goes on.
#[test]
fn writes_until_full() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let path = folder.join("audit.log");
    let sink = FileSink::open(&path, 0o600).unwrap();
    let line = [vec![b'x'; 999], vec![b'\n']].concat();
    let taken = (0..1000).take_while(|_| sink.write(&line).is_ok()).count();
    let at_end = fs::read(&path).unwrap();
    assert!(sink.write(&line).is_err());
    // The first refused line was cut, and stays one piece however often the disk refuses.
    assert_eq!(fs::read(&path).unwrap().len(), at_end.len());
    // Room again: only the file's end is taken away, as nothing else may be.
    let whole = taken * line.len();
    File::options().write(true).open(&path).unwrap().set_len(whole as u64 - 1500).unwrap();
    sink.write(b"next\n").unwrap();
    fs::write(folder.join("result"), format!("{taken} {}", at_end.len() - whole)).unwrap();
}

#[test]
fn a_full_disk_refuses_and_leaves_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    // 20 blocks of 512 bytes; the signal that comes with the limit is ignored, as a daemon does.
    let mut writer = child("writes_until_full", folder.path(), "trap '' XFSZ; ulimit -f 20;");
    assert!(writer.wait().unwrap().success());
    let result = fs::read_to_string(folder.path().join("result")).unwrap();
    let (taken, piece) = result.split_once(' ').unwrap();
    assert_eq!((taken, piece), ("10", "240"));
    let log = fs::read_to_string(folder.path().join("audit.log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.last(), Some(&"next"));
    assert!(log.ends_with('\n'));
    assert_eq!(lines.iter().filter(|line| line.len() == 999).count(), 8);
}

/// Not a test by itself: of two lines the disk takes the first.
#[test]
fn writes_half_of_two_lines() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let path = folder.join("audit.log");
    let sink = FileSink::open(&path, 0o600).unwrap();
    let first = [vec![b'x'; 511], vec![b'\n']].concat();
    assert!(sink.write(&[first.as_slice(), b"second\n"].concat()).is_err());
    assert_eq!(fs::read(&path).unwrap(), first);
    // Room again.
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    sink.write(b"next\n").unwrap();
}

#[test]
fn what_a_full_disk_cuts_between_two_lines_is_closed_already() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = child("writes_half_of_two_lines", folder.path(), "trap '' XFSZ; ulimit -f 1;");
    assert!(writer.wait().unwrap().success());
    assert_eq!(
        fs::read_to_string(folder.path().join("audit.log")).unwrap(),
        "next\n",
        "no empty line before it"
    );
}
