//! Where the clients come from: each is fetched once, in the version that its lock file names, to `target/compat/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use strongroom_tests::repository;

/// A file of `tests/compat/`.
pub fn source(name: &str) -> PathBuf {
    repository().join("tests/compat").join(name)
}

fn place(name: &str) -> PathBuf {
    repository().join("target/compat").join(name)
}

/// What a command prints, all of it; its failure fails the test.
pub fn run(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}:\n{text}");
    text
}

/// Calls `make` with a new folder for `name`, unless one is there that was made with the same `locks`.
fn made_once(name: &str, locks: &[&str], make: impl FnOnce(&Path)) -> PathBuf {
    let folder = place(name);
    let mark = folder.join("made-from");
    let wanted = locks.iter().flat_map(|lock| fs::read(source(lock)).unwrap()).collect::<Vec<u8>>();
    if !fs::read(&mark).is_ok_and(|held| held == wanted) {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        make(&folder);
        fs::write(&mark, wanted).unwrap();
    }
    folder
}

/// A Python with the packages of `requirements.txt`.
pub fn python() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        made_once("python", &["requirements.txt"], |folder| {
            run(Command::new("python3").args(["-m", "venv"]).arg(folder));
            let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "-r"];
            run(Command::new(folder.join("bin/python")).args(pip).arg(source("requirements.txt")));
        })
    });
    folder.join("bin/python")
}

/// A folder of Ansible collections: the one of `collections.txt`, out of the large package that brings them all.
pub fn collections() -> PathBuf {
    made_once("collections", &["ansible/collections.txt"], |folder| {
        let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest"];
        let lock = source("ansible/collections.txt");
        run(Command::new(python()).args(pip).arg(folder).arg("-r").arg(lock));
        let packages = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let package =
            packages.into_iter().find(|path| path.extension().is_some_and(|end| end == "whl")).unwrap();
        let take = "import sys, zipfile; package = zipfile.ZipFile(sys.argv[1]); package.extractall(sys.argv[2], \
                    [name for name in package.namelist() if name.startswith(sys.argv[3])])";
        let wanted = "ansible_collections/community/hashi_vault/";
        run(Command::new("python3").args(["-c", take]).arg(&package).arg(folder).arg(wanted));
        fs::remove_file(package).unwrap();
    })
}

/// A folder with `node/package.json`, its packages, and the script.
pub fn node() -> PathBuf {
    let folder = made_once("node", &["node/package.json", "node/package-lock.json"], |folder| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(source("node").join(name), folder.join(name)).unwrap();
        }
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder));
    });
    fs::copy(source("node/vault.mjs"), folder.join("vault.mjs")).unwrap();
    folder
}

/// The program of `vaultrs/`, built.
pub fn vaultrs() -> PathBuf {
    let target = place("vaultrs");
    run(Command::new("cargo")
        .args(["build", "--quiet", "--locked"])
        .current_dir(source("vaultrs"))
        .env("CARGO_TARGET_DIR", &target)
        // Those of the test's own build say nothing about this one.
        .env_remove("RUSTFLAGS"));
    target.join("debug/strongroom-compat-vaultrs")
}
