//! The recorded command lines of `tests/golden/cli/`, played with our command line against our servers.
//!
//! The files of [`WHOLE`] must match, but for the lines of `known-differences.txt`, each with its reason; a listed line
//! that matches again is a failure too. Of every file the total is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use strongroom_tests::process::{DEV_ROOT, PATIENCE, Stopped, free_port};
use strongroom_tests::{Client, DevServer, binary, repository};

/// Files that must match.
const WHOLE: &[&str] =
    &["kv", "logical", "general", "secrets", "policy", "token", "auth", "audit", "lease", "login"];

/// The file that begins with a server of its own, which is not initialised. It must match, too.
const FRESH: &str = "operator";

/// Most lines in the list of known differences.
const MOST_KNOWN: usize = 40;

fn folder() -> PathBuf {
    repository().join("tests/golden/cli")
}

/// `id reason` a line; `#` begins a comment.
fn known_differences() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("known-differences.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let pair =
        |line: &str| line.split_once(' ').map(|(id, reason)| (id.to_owned(), reason.trim().to_owned()));
    lines.map(|line| pair(line).unwrap_or_else(|| panic!("no reason: {line}"))).collect()
}

/// What cli-replay.py printed for these files; their totals are printed on.
fn replay(url: &str, files: &[&str]) -> String {
    let out = Command::new("python3")
        .arg(repository().join("tests/golden/cli-replay.py"))
        .arg(binary("strongroom"))
        .args([url, DEV_ROOT])
        .args(files.iter().map(|file| folder().join(format!("{file}.jsonl"))))
        .output()
        .unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(printed.contains(" passed, "), "cli-replay.py did not come to its end:\n{printed}");
    for file in files {
        let total =
            printed.lines().find(|line| line.starts_with(&format!("{file}: ")) && line.contains(" of "));
        println!("golden cli {}", total.unwrap_or_else(|| panic!("no total of {file}:\n{printed}")));
    }
    printed
}

/// The ids of the lines that differ.
fn differing(printed: &str) -> BTreeSet<&str> {
    let ids = printed.lines().filter_map(|line| line.split_once(": ")).map(|(id, _)| id);
    ids.filter(|id| id.contains('.') && !id.contains(' ')).collect()
}

/// Of what is listed, the lines of the file [`FRESH`] or those of all others must differ, and no other line.
fn differs_as_listed(printed: &str, is_fresh: bool) {
    let mut known = known_differences();
    assert!(known.len() <= MOST_KNOWN, "the list of known differences has grown to {}", known.len());
    known.retain(|id, _| id.starts_with(&format!("{FRESH}-")) == is_fresh);
    let differing = differing(printed);
    let new: Vec<&str> = printed
        .lines()
        .filter(|line| line.split_once(": ").is_some_and(|(id, _)| differing.contains(id)))
        .filter(|line| !line.split_once(": ").is_some_and(|(id, _)| known.contains_key(id)))
        .collect();
    let gone: Vec<&String> = known.keys().filter(|id| !differing.contains(id.as_str())).collect();
    assert!(new.is_empty(), "differences:\n{}", new.join("\n"));
    assert!(gone.is_empty(), "known differences that are gone, take them off the list: {gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_does_as_recorded() {
    let server = DevServer::start().await.unwrap();
    differs_as_listed(&replay(&server.url(), WHOLE), false);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auth_method_is_moved_with_its_users() {
    let server = DevServer::start().await.unwrap();
    let run = |line: &str| {
        let out = Command::new(binary("strongroom"))
            .args(line.split(' '))
            .env("VAULT_ADDR", server.url())
            .env("VAULT_TOKEN", DEV_ROOT)
            .output()
            .unwrap();
        let printed = [out.stdout, out.stderr].concat();
        (out.status.code(), String::from_utf8_lossy(&printed).into_owned())
    };
    for (line, code, wanted) in [
        ("auth enable userpass", 0, "Enabled userpass"),
        ("write auth/userpass/users/ann password=correct-horse", 0, "Data written"),
        ("auth move userpass/ up2/", 0, "Finished moving auth method userpass/ to up2/"),
        ("write -field=token auth/up2/login/ann password=correct-horse", 0, "hvs."),
        ("write auth/userpass/login/ann password=correct-horse", 2, "Code: 404"),
        ("auth move up2 token", 2, "cannot remount to destination auth/token/"),
        ("auth move token up3", 2, "cannot remount \"auth/token/\""),
        ("secrets move secret auth/x", 2, "one of the two is a place of auth methods"),
    ] {
        let (came, printed) = run(line);
        assert!(came == Some(code) && printed.contains(wanted), "{line}: {came:?} {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_totals_of_all_other_files_are_printed() {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> =
        names.filter_map(|name| name.to_str()?.strip_suffix(".jsonl").map(str::to_owned)).collect();
    let mut files: Vec<&str> = names.iter().map(String::as_str).collect();
    files.retain(|file| !WHOLE.contains(file) && *file != FRESH);
    files.sort_unstable();
    let server = DevServer::start().await.unwrap();
    replay(&server.url(), &files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_life_goes_as_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port(1)));
    let config = folder.path().join("server.hcl");
    let text = format!(
        "storage \"inmem\" {{}}\nlistener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n}}\n"
    );
    fs::write(&config, text).unwrap();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let child = Command::new(binary("strongroom"))
        .arg("server")
        .arg(format!("-config={}", config.display()))
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let _server = Stopped(child);
    let mut client = Client::plain(address, DEV_ROOT);
    let end = Instant::now() + PATIENCE;
    while client.send("GET", "sys/health", None).await.is_err() {
        assert!(Instant::now() < end, "{}", fs::read_to_string(folder.path().join("log")).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    differs_as_listed(&replay(&format!("http://{address}"), &[FRESH]), true);
}

/// What people's scripts do, with the program under the name they know.
const SCRIPT: &str = r#"set -eu
vault status >/dev/null
vault login -no-print "$ROOT"
vault secrets enable -path=team -version=2 kv >/dev/null
vault kv put -mount=team app/db user=ann password=s3cret >/dev/null
test "$(vault kv get -field=password team/app/db)" = s3cret
test "$(vault kv get -format=json team/app/db | python3 -c 'import json,sys; print(json.load(sys.stdin)["data"]["data"]["user"])')" = ann
printf '%s' '{"user":"bob"}' | vault kv patch -mount=team app/db - >/dev/null
test "$(vault kv get -mount=team -field=user app/db)" = bob
vault kv rollback -mount=team -version=1 app/db >/dev/null
test "$(vault kv get -mount=team -field=user app/db)" = ann
printf 'path "team/data/app/*" { capabilities=["read"] }' >app.hcl
vault policy fmt app.hcl >/dev/null
grep -q '^  capabilities = \["read"\]$' app.hcl
vault policy write app app.hcl >/dev/null
token=$(vault token create -policy=app -ttl=10m -field=token)
test "$(vault token capabilities "$token" team/data/app/db)" = read
test "$(VAULT_TOKEN=$token vault kv get -field=user team/app/db)" = ann
code=0; VAULT_TOKEN=$token vault kv put team/app/db user=eve >/dev/null 2>&1 || code=$?
test "$code" = 2
wrapped=$(vault kv get -wrap-ttl=1m -field=wrapping_token team/app/db)
test "$(vault unwrap -format=json "$wrapped" | python3 -c 'import json,sys; print(json.load(sys.stdin)["data"]["data"]["user"])')" = ann
vault unwrap "$wrapped" >/dev/null 2>&1 && exit 9
vault token revoke "$token" >/dev/null
vault token lookup "$token" >/dev/null 2>&1 && exit 10
vault kv get -output-policy team/app/db | grep -q '"read"'
curl=$(vault read -output-curl-string team/data/app/db)
eval "$curl -s" | grep -q s3cret
test "$(COMP_LINE='vault kv get team/app/' vault)" = team/app/db
vault secrets move team people >/dev/null
vault secrets list -format=json | grep -q people/
vault secrets disable people >/dev/null
test "$(vault print token)" = "$ROOT"
vault token revoke -self >/dev/null
test ! -e "$HOME/.vault-token"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn scripts_written_for_vault_work_through_a_link() {
    let server = DevServer::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(binary("strongroom"), home.path().join("vault")).unwrap();
    let out = Command::new("sh")
        .args(["-c", SCRIPT])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", home.path().display()))
        .env("HOME", home.path())
        .env("VAULT_ADDR", server.url())
        .env("ROOT", DEV_ROOT)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{:?}\n{said}", out.status);
}
