//! SIGKILL under load: every acknowledged write is there afterwards, whole batches only, sum and records in step.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use strongroom_store::{Options, RedbStore, Reserve, Store};

mod load;

use load::{Random, Writer, check, wait};

const KILLS: u64 = 220;
/// Kills that one file has to survive.
const KILLS_PER_FILE: u64 = 22;
const WRITERS: usize = 4;
const CHILD: &str = "STRONGROOM_STORE_OF_THE_KILLED";

fn open(path: &Path) -> std::sync::Arc<RedbStore> {
    RedbStore::open(path, Options { reserve: Reserve::NONE, ..Options::default() }).unwrap()
}

/// Not a test but the process that is killed: writes for ever, and says each step that was acknowledged.
#[test]
fn the_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = open(&PathBuf::from(path));
    std::thread::scope(|scope| {
        for id in 0..WRITERS as u8 {
            let store = &*store;
            scope.spawn(move || {
                let mut writer = Writer::resume(id, store);
                loop {
                    let step = wait(writer.step(store)).unwrap();
                    // One write: a line is there wholly or not at all.
                    std::io::stdout().write_all(format!("ack {id} {step}\n").as_bytes()).unwrap();
                }
            });
        }
    });
}

/// Starts the process, kills it at a random point, and notes in `acknowledged` what it said until then. Returns how
/// many steps that were.
fn start_and_kill(path: &Path, random: &mut Random, acknowledged: &mut [u64]) -> usize {
    #[allow(clippy::disallowed_methods, reason = "a test starts the process that it kills")]
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_killed", "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let (tell, heard) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut steps = Vec::new();
        for line in said.lines() {
            let line = line.unwrap();
            // What the test harness says comes before, on the same line as the first step.
            let Some((_, step)) = line.split_once("ack ") else { continue };
            let (id, step) = step.split_once(' ').unwrap();
            steps.push((id.parse::<usize>().unwrap(), step.parse::<u64>().unwrap()));
            // Nobody listens once the process is to die.
            let _ = tell.send(());
        }
        steps
    });
    // One of four dies while it starts and opens, the others under load: after so many steps, so that a slow disk makes
    // the test longer and not weaker, and a little later, so that it is at any point of a commit.
    if random.below(4) == 0 {
        std::thread::sleep(Duration::from_micros(random.below(20_000)));
    } else {
        for _ in 0..=random.below(40) {
            heard.recv_timeout(Duration::from_secs(60)).expect("the process makes no steps");
        }
        std::thread::sleep(Duration::from_micros(random.below(3000)));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let steps = reader.join().unwrap();
    for (id, step) in &steps {
        acknowledged[*id] = acknowledged[*id].max(*step);
    }
    steps.len()
}

#[test]
fn acknowledged_writes_survive_sigkill() {
    let seed = std::env::var("STRONGROOM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
    println!("seed: STRONGROOM_SEED={seed}");
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = [0; WRITERS];
    let mut steps = 0;
    for kill in 0..KILLS {
        let path = folder.path().join(format!("store-{}", kill / KILLS_PER_FILE));
        if kill % KILLS_PER_FILE == 0 {
            acknowledged = [0; WRITERS];
        }
        steps += start_and_kill(&path, &mut random, &mut acknowledged);
        let store = open(&path);
        let snapshot = store.snapshot().unwrap();
        check(&*snapshot, &acknowledged);
        // A step that was not answered may be there: the next process goes on from it.
        for (id, acknowledged) in (0..).zip(&mut acknowledged) {
            *acknowledged = Writer::resume(id, &*store).last();
        }
    }
    println!("{KILLS} kills, {steps} acknowledged steps");
}
