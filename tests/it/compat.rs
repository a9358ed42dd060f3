//! Released clients that know nothing of us, over HTTPS, against the whole appliance.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use strongroom_tests::{Appliance, repository};

/// A Python with the clients of `requirements.txt`, made once.
fn python() -> &'static PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let wanted = repository().join("tests/compat/requirements.txt");
        let folder = repository().join("target/compat");
        let python = folder.join("bin/python");
        let installed = folder.join("requirements.txt");
        let is_there = std::fs::read(&installed).is_ok_and(|held| held == std::fs::read(&wanted).unwrap());
        if !is_there {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted));
            std::fs::copy(&wanted, &installed).unwrap();
        }
        python
    })
}

fn run(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}:\n{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn hvac_uses_kv_tokens_policies_and_mounts() {
    let appliance = Appliance::start().await.unwrap();
    let printed = run(Command::new(python())
        .arg(repository().join("tests/compat/hvac_kv.py"))
        .env("VAULT_ADDR", format!("https://{}", appliance.address))
        .env("VAULT_CACERT", appliance.ca_file())
        .env("VAULT_TOKEN", appliance.root_token().unwrap()));
    println!("{printed}");
    assert!(printed.contains(" passed, 0 failed"));
}
