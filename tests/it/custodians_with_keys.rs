//! Custodians who have OpenPGP keys: what they are handed through the command line only they can read, with GnuPG; and with
//! what they read they unseal, replace their shares and make a root token.

use std::fs;

use data_encoding::BASE64;
use serde_json::Value;
use strongroom_tests::gpg::Gpg;

use crate::keys_of_people::{Server, texts};

/// Three people, and what each names as their key: one binary, one armoured, one in base64.
fn custodians(gpg: &Gpg, server: &Server) -> Vec<String> {
    let kinds =
        [("ann", ("ed25519", "cv25519")), ("bob", ("rsa3072", "rsa3072")), ("eve", ("nistp384", "nistp384"))];
    let file = |(name, kind): (&str, (&str, &str))| {
        gpg.make(name, kind, &[]);
        let bytes = match name {
            "ann" => gpg.public(name, &[]),
            "bob" => gpg.public(name, &["--armor"]),
            _ => BASE64.encode(&gpg.public(name, &[])).into_bytes(),
        };
        let path = server.folder.path().join(format!("{name}.key"));
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    kinds.into_iter().map(file).collect()
}

/// What its owner reads: `operator unseal` takes it as it is.
fn read(gpg: &Gpg, message: &str) -> String {
    gpg.decrypt(&BASE64.decode(message.as_bytes()).unwrap())
}

fn read_all(gpg: &Gpg, messages: &Value) -> Vec<String> {
    texts(messages).iter().map(|message| read(gpg, message)).collect()
}

/// Where the subkey of an exported key begins: after the primary key, a name, and the signature over both. GnuPG writes lengths of one
/// or two bytes.
fn subkey(key: &[u8]) -> usize {
    let mut place = 0;
    for _ in 0..3 {
        place += match key[place] & 3 {
            0 => 2 + usize::from(key[place + 1]),
            _ => 3 + usize::from(u16::from_be_bytes([key[place + 1], key[place + 2]])),
        };
    }
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn what_custodians_are_handed_only_they_can_read() {
    let (gpg, mut server) = (Gpg::new(), Server::start().await);
    let files = custodians(&gpg, &server);
    let keys = format!("-pgp-keys={}", files.join(","));
    let token = format!("-root-token-pgp-key={}", files[0]);
    let init = ["operator", "init", "-n=3", "-t=2", &keys, &token, "-format=json"];
    let made = server.run(&init).json();
    // In both encodings it is a message, and nothing of it opens.
    assert!(
        !server.unseal(&texts(&made["unseal_keys_b64"])) && !server.unseal(&texts(&made["unseal_keys_hex"]))
    );
    let shares = read_all(&gpg, &made["unseal_keys_b64"]);
    assert!(server.unseal(&shares[1..]), "{}", server.log());
    server.token = read(&gpg, made["root_token"].as_str().unwrap());
    assert_eq!(server.run(&["token", "lookup", "-field=policies"]).out, "[root]");

    // New shares, kept by the server, and read back before they count.
    let begin = ["operator", "rekey", "-init", "-n=3", "-t=2", &keys, "-backup", "-verify", "-format=json"];
    let begun = server.run(&begin).json();
    let prints = texts(&begun["pgp_fingerprints"]);
    assert_eq!((prints.len(), &begun["backup"]), (3, &Value::Bool(true)));
    let nonce = format!("-nonce={}", begun["nonce"].as_str().unwrap());
    server.run(&["operator", "rekey", &nonce, &shares[0]]);
    let done = server.run(&["operator", "rekey", &nonce, "-format=json", &shares[2]]).json();
    assert_eq!(done["pgp_fingerprints"], begun["pgp_fingerprints"]);
    assert_ne!(server.run(&["operator", "rekey", "-backup-retrieve"]).code, 0, "they do not count yet");
    let new = read_all(&gpg, &done["keys_base64"]);
    let verification = format!("-nonce={}", done["verification_nonce"].as_str().unwrap());
    for share in &new[..2] {
        server.run(&["operator", "rekey", "-verify", &verification, share]);
    }

    // What is kept is what was handed out; the process may end meanwhile.
    server.launch().await;
    assert!(!server.unseal(&shares) && server.unseal(&new[1..]), "{}", server.log());
    let kept = server.run(&["operator", "rekey", "-backup-retrieve", "-format=json"]).json();
    for (number, print) in prints.iter().enumerate() {
        let messages = &kept["data"]["keys_base64"][print];
        assert_eq!(read_all(&gpg, messages), [new[number].clone()]);
    }
    assert_eq!(server.run(&["operator", "rekey", "-backup-delete"]).code, 0);
    let gone = server.run(&["operator", "rekey", "-backup-retrieve"]);
    assert!(gone.code == 2 && gone.err.contains("no backed-up keys found"), "{}", gone.err);

    // A root token for one of them, when nobody has one.
    assert_eq!(server.run(&["token", "revoke", "-self"]).code, 0);
    server.token = String::new();
    let key = format!("-pgp-key={}", files[1]);
    let begun = server.run(&["operator", "generate-root", "-init", &key, "-format=json", &new[0]]).json();
    assert_eq!(
        (&begun["pgp_fingerprint"], &begun["otp"]),
        (&Value::from(prints[1].clone()), &Value::from(""))
    );
    let nonce = format!("-nonce={}", begun["nonce"].as_str().unwrap());
    let done = server.run(&["operator", "generate-root", &nonce, "-format=json", &new[1]]).json();
    server.token = read(&gpg, done["encoded_token"].as_str().unwrap());
    assert_eq!(server.run(&["token", "lookup", "-field=policies"]).out, "[root]");

    // Nothing in clear has been written anywhere.
    let audit = fs::read_to_string(server.folder.path().join("audit.log")).unwrap();
    for secret in shares.iter().chain(&new).chain([&server.token]) {
        assert!(!audit.contains(secret.as_str()) && !server.log().contains(secret.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custodian_without_a_key_that_can_be_trusted_gets_nothing() {
    let (gpg, server) = (Gpg::new(), Server::start().await);
    let files = custodians(&gpg, &server);
    let file = |name: &str, bytes: &[u8]| {
        let path = server.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    // Somebody's own subkey in the place of a custodian's.
    let (theirs, mine) = (gpg.public("ann", &[]), gpg.public("eve", &[]));
    let swapped = [&theirs[..subkey(&theirs)], &mine[subkey(&mine)..]].concat();
    gpg.make("gone", ("ed25519", "cv25519"), &[]);
    gpg.revoke("gone");
    gpg.make("old", ("ed25519", "cv25519"), &["--faked-system-time", "20240101T000000"]);
    gpg.expire("old");
    for (last, text) in [
        (file("swapped", &swapped), "is not signed by the primary key"),
        (file("gone", &gpg.public("gone", &[])), "this key has been revoked"),
        (file("old", &gpg.public("old", &[])), "this key has expired"),
        (file("none", b"no key"), "this is no OpenPGP key"),
        ("keybase:eve".to_owned(), "no key is fetched from anywhere"),
    ] {
        let keys = format!("-pgp-keys={},{},{last}", files[0], files[1]);
        let said = server.run(&["operator", "init", "-n=3", "-t=2", &keys]);
        assert!(said.code != 0 && said.err.contains(text), "{text}: {}", said.err);
        assert_eq!(server.run(&["operator", "init", "-status"]).code, 2, "{text}: it was initialised");
    }
    let few = format!("-pgp-keys={}", files[0]);
    let said = server.run(&["operator", "init", "-n=3", "-t=2", &few]);
    assert!(said.err.contains("count mismatch between number of provided PGP keys"), "{}", said.err);
}
