//! Released clients that know nothing of us, over HTTPS: on the whole appliance, and on a daemon that nobody has
//! initialised. `tests/compat/README.md` tells which client is used for what.

mod packages;

use std::process::Command;

use packages::{run, source};
use strongroom_tests::{Appliance, Fresh, binary};

/// A command that finds a server where such clients look for it.
trait At {
    fn at(&mut self, address: &str, ca_file: &std::path::Path, token: &str) -> &mut Self;
}

impl At for Command {
    fn at(&mut self, address: &str, ca_file: &std::path::Path, token: &str) -> &mut Self {
        self.env("VAULT_ADDR", address).env("VAULT_CACERT", ca_file).env("VAULT_TOKEN", token)
    }
}

/// Runs a script that counts its checks.
fn counted(command: &mut Command) {
    let printed = run(command);
    println!("{printed}");
    assert!(printed.contains(" passed, 0 failed"), "{printed}");
}

/// A script of hvac's on a server that one custodian has opened.
async fn hvac(script: &str) {
    let server = Fresh::start().await.unwrap();
    let opened = server.open().await.unwrap();
    counted(
        Command::new(packages::python())
            .arg(source(script))
            .at(&server.url(), &server.ca_file(), &opened.root_token)
            .env("AUDIT_LOG", server.audit_file()),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hvac_uses_kv_on_the_whole_appliance() {
    let appliance = Appliance::start().await.unwrap();
    let token = appliance.root_token().unwrap();
    let address = format!("https://{}", appliance.address);
    counted(Command::new(packages::python()).arg(source("hvac_kv.py")).at(
        &address,
        &appliance.ca_file(),
        &token,
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn hvac_uses_tokens() {
    hvac("hvac_tokens.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hvac_uses_policies_and_userpass() {
    hvac("hvac_access.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hvac_uses_approle() {
    hvac("hvac_approle.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hvac_uses_mounts_wrapping_audit_and_rotation() {
    hvac("hvac_system.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hvac_uses_leases() {
    hvac("hvac_leases.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hvac_initialises_unseals_and_seals() {
    let server = Fresh::start().await.unwrap();
    counted(Command::new(packages::python()).arg(source("hvac_seal.py")).at(
        &server.url(),
        &server.ca_file(),
        "",
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn vaultrs_works_from_init_to_seal() {
    let program = packages::vaultrs();
    let server = Fresh::start().await.unwrap();
    counted(Command::new(program).at(&server.url(), &server.ca_file(), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_vault_works_from_init_to_leases() {
    let folder = packages::node();
    let server = Fresh::start().await.unwrap();
    counted(Command::new("node").arg(folder.join("vault.mjs")).at(&server.url(), &server.ca_file(), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn ansible_reads_and_writes() {
    let server = Fresh::start().await.unwrap();
    let opened = server.open().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let printed = run(Command::new(packages::python().with_file_name("ansible-playbook"))
        .arg(source("ansible/vault.yml"))
        .at(&server.url(), &server.ca_file(), &opened.root_token)
        .env("ANSIBLE_COLLECTIONS_PATH", packages::collections())
        .env("ANSIBLE_HOME", home.path())
        .env("ANSIBLE_NOCOLOR", "1")
        // No time for finding Python, nor for files of each task.
        .env("ANSIBLE_PYTHON_INTERPRETER", packages::python())
        .env("ANSIBLE_PIPELINING", "True")
        .env("ANSIBLE_LOCALHOST_WARNING", "False")
        .env("ANSIBLE_INVENTORY_UNPARSED_WARNING", "False"));
    println!("{printed}");
    assert!(printed.contains("PLAY RECAP") && printed.contains("failed=0"), "{printed}");
}

/// A script in a folder of its own, in which our program is called `vault`.
fn shell(script: &str, server: &Fresh, token: &str) {
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(binary("strongroom"), home.path().join("vault")).unwrap();
    let mut command = Command::new("bash");
    command.arg(source("shell").join(script)).current_dir(home.path()).env_clear().env("HOME", home.path());
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", home.path().display()));
    counted(command.at(&server.url(), &server.ca_file(), token));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_script_initialises_unseals_and_seals() {
    let server = Fresh::start().await.unwrap();
    shell("operator.sh", &server, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applications_script_works() {
    let server = Fresh::start().await.unwrap();
    let opened = server.open().await.unwrap();
    shell("application.sh", &server, &opened.root_token);
}
