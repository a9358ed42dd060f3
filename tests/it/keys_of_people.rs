//! The keys of people, from their making to their replacement: the command line against a server with its data on disk, and
//! the server killed where it hurts.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use strongroom_tests::process::{PATIENCE, Stopped, free_port};
use strongroom_tests::{Client, binary};

/// A server, and its command line.
pub struct Server {
    pub folder: tempfile::TempDir,
    address: SocketAddr,
    pub token: String,
    process: Option<Stopped>,
}

/// What a command line gave.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|cause| panic!("{cause}: {}", self.out))
    }
}

pub fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

impl Server {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port(1)));
        let (data, log) = (folder.path().join("data"), folder.path().join("audit.log"));
        let text = format!(
            "storage \"redb\" {{\n  path = {data:?}\n}}\nlistener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n}}\n\
             audit \"file\" \"log\" {{\n  options {{\n    file_path = {log:?}\n  }}\n}}\n"
        );
        fs::write(folder.path().join("server.hcl"), text).unwrap();
        let mut server = Self { folder, address, token: String::new(), process: None };
        server.launch().await;
        server
    }

    /// SIGKILL, if it runs, and another process on the same data.
    pub async fn launch(&mut self) {
        if let Some(mut running) = self.process.take() {
            running.0.kill().unwrap();
            running.0.wait().unwrap();
        }
        let config = self.folder.path().join("server.hcl");
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let child = Command::new(binary("strongroom"))
            .args(["server".to_owned(), format!("-config={}", config.display())])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(Stopped(child));
        let mut client = Client::plain(self.address, "");
        let end = Instant::now() + PATIENCE;
        while client.send("GET", "sys/health", None).await.is_err() {
            assert!(Instant::now() < end, "{}", self.log());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Runs the command line as somebody who has a token, or none.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let home: &Path = self.folder.path();
        let out = Command::new(binary("strongroom"))
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("VAULT_ADDR", format!("http://{}", self.address))
            .envs((!self.token.is_empty()).then_some(("VAULT_TOKEN", &self.token)))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: out.status.code().unwrap(), out: text(&out.stdout), err: text(&out.stderr) }
    }

    /// Gives these keys. Whether it is unsealed then.
    pub fn unseal(&self, keys: &[String]) -> bool {
        for key in keys {
            self.run(&["operator", "unseal", key]);
        }
        self.run(&["status"]).code == 0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_replaced_the_server_is_killed_and_a_root_token_comes_from_the_new_ones() {
    let mut server = Server::start().await;
    let made = server.run(&["operator", "init", "-format=json"]).json();
    let old = texts(&made["unseal_keys_b64"]);
    assert_eq!((old.len(), made["unseal_threshold"].as_i64()), (5, Some(3)));
    assert!(server.unseal(&old[..3]));
    server.token = made["root_token"].as_str().unwrap().to_owned();
    assert_eq!(server.run(&["secrets", "enable", "-version=2", "-path=secret", "kv"]).code, 0);
    assert_eq!(server.run(&["kv", "put", "-mount=secret", "a", "word=kept"]).code, 0);

    let begin =
        ["operator", "rekey", "-init", "-key-shares=3", "-key-threshold=2", "-verify", "-format=json"];
    let begun = server.run(&begin).json();
    let nonce = format!("-nonce={}", begun["nonce"].as_str().unwrap());
    let mut last = begun;
    for (number, key) in old[2..].iter().enumerate() {
        let status = server.run(&["operator", "rekey", "-status"]);
        assert!(status.out.contains(&format!("Progress                 {number}/3")), "{}", status.out);
        last = server.run(&["operator", "rekey", &nonce, "-format=json", key]).json();
    }
    let new = texts(&last["keys_base64"]);
    assert_eq!((new.len(), &last["verification_required"]), (3, &Value::Bool(true)));

    // Killed before the new keys were read back: the old ones are in force.
    server.launch().await;
    assert!(!server.unseal(&new));
    assert!(server.unseal(&old[..3]));
    let begun = server.run(&begin).json();
    let nonce = format!("-nonce={}", begun["nonce"].as_str().unwrap());
    for key in &old[..3] {
        last = server.run(&["operator", "rekey", &nonce, "-format=json", key]).json();
    }
    let new = texts(&last["keys_base64"]);
    let nonce = format!("-nonce={}", last["verification_nonce"].as_str().unwrap());
    assert_eq!(server.run(&["operator", "rekey", "-verify", &nonce, &new[2]]).code, 0);
    let status = server.run(&["operator", "rekey", "-verify", "-status"]);
    assert!(status.out.contains("1/2"), "{}", status.out);
    let proved = server.run(&["operator", "rekey", "-verify", &nonce, &new[0]]);
    assert!(proved.code == 0 && proved.out.contains("in force"), "{}{}", proved.out, proved.err);

    // Killed at once: the new ones are in force, and of the old ones each is refused by itself.
    server.launch().await;
    for key in &old {
        let said = server.run(&["operator", "unseal", key]);
        assert!(said.code == 2 && said.err.contains("another keyslot"), "{}{}", said.out, said.err);
    }
    assert!(server.unseal(&new[1..]));
    assert_eq!(server.run(&["kv", "get", "-mount=secret", "-field=word", "a"]).out, "kept");

    // The root token goes, and nobody has one: two custodians make another.
    assert_eq!(server.run(&["token", "revoke", "-self"]).code, 0);
    server.token = String::new();
    assert_ne!(server.run(&["operator", "generate-root", "-init"]).code, 0, "nobody began it");
    let begun = server.run(&["operator", "generate-root", "-init", "-format=json", &new[0]]).json();
    let (nonce, otp) = (begun["nonce"].as_str().unwrap(), begun["otp"].as_str().unwrap());
    let nonce = format!("-nonce={nonce}");
    let done = server.run(&["operator", "generate-root", &nonce, "-format=json", &new[1]]).json();
    let decode = format!("-decode={}", done["encoded_token"].as_str().unwrap());
    let otp = format!("-otp={otp}");
    server.token = server.run(&["operator", "generate-root", &decode, &otp]).out;
    assert_eq!(server.run(&["token", "lookup", "-field=policies"]).out, "[root]");
    assert_eq!(server.run(&["kv", "get", "-mount=secret", "-field=word", "a"]).out, "kept");

    // As a root token it outlives the process.
    server.launch().await;
    assert!(server.unseal(&new[..2]));
    assert_eq!(server.run(&["token", "lookup", "-field=policies"]).out, "[root]");
    let audit = fs::read_to_string(server.folder.path().join("audit.log")).unwrap();
    for secret in old.iter().chain(&new).chain([&server.token]) {
        assert!(!audit.contains(secret.as_str()) && !server.log().contains(secret.as_str()));
    }
}

/// SIGKILL at a random moment around the last share, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn c25_killed_at_any_moment_of_a_rekey_old_or_new_keys_open() {
    let mut server = Server::start().await;
    let made = server.run(&["operator", "init", "-n", "3", "-t", "2", "-format=json"]).json();
    let mut keys = texts(&made["unseal_keys_b64"]);
    assert!(server.unseal(&keys[..2]));
    server.token = made["root_token"].as_str().unwrap().to_owned();
    let (mut with_old, mut with_new) = (0, 0);
    for round in 0_u64..12 {
        let mut client = Client::plain(server.address, &server.token);
        let wish = serde_json::json!({
            "secret_shares": 3, "secret_threshold": 2, "require_verification": round % 2 == 0
        });
        let begun = client.send("PUT", "sys/rekey/init", Some(&wish)).await.unwrap().body;
        let mut last = Value::Null;
        let (mut path, mut nonce, mut given) = ("sys/rekey/update", begun["nonce"].clone(), keys.clone());
        let mut new = Vec::new();
        if round % 2 == 0 {
            for key in &keys[..2] {
                let share = serde_json::json!({"key": key, "nonce": nonce});
                last = client.send("PUT", path, Some(&share)).await.unwrap().body;
            }
            new = texts(&last["keys_base64"]);
            (path, nonce, given) = ("sys/rekey/verify", last["verification_nonce"].clone(), new.clone());
        }
        let share = serde_json::json!({"key": given[0], "nonce": nonce});
        client.send("PUT", path, Some(&share)).await.unwrap();
        let share = serde_json::json!({"key": given[1], "nonce": nonce});
        let answer = tokio::spawn(async move { client.send("PUT", path, Some(&share)).await });
        tokio::time::sleep(std::time::Duration::from_micros(round * 700)).await;
        server.launch().await;
        if let Ok(Ok(answer)) = answer.await
            && let (true, true) = (new.is_empty(), answer.body["keys_base64"].is_array())
        {
            new = texts(&answer.body["keys_base64"]);
        }
        if new.len() == 3 && server.unseal(&new[..2]) {
            keys = new;
            with_new += 1;
        } else {
            assert!(server.unseal(&keys[..2]), "neither the old nor the new keys open after round {round}");
            with_old += 1;
        }
    }
    println!("after 12 kills the old keys opened {with_old} times and the new ones {with_new} times");
}
