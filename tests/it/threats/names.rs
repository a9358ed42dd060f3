//! One thing, one name: two parts of a server that read a name differently are the largest class of flaws on record.

use serde_json::{Value, json};
use strongroom_tests::Client;
use strongroom_tests::process::{DEV_ROOT, DevServer, errors};

use super::{ALL, ask, holding, policy, token};

/// What no answer may show.
const CANARY: &str = "canary-of-names";

/// Targets that are not canonical: 400 for everybody.
const NOT_CANONICAL: &[&str] = &[
    "secret/data/./private/x",
    "secret/data/private/.",
    "secret/data/private/x/.",
    "secret/./data/private/x",
    "./secret/data/private/x",
    "secret/data/open/../private/x",
    "secret/data/../data/private/x",
    "../v1/secret/data/private/x",
    "sys/policies/acl/../../../secret/data/private/x",
    "secret/data/%2e/private/x",
    "secret/data/open/%2e%2e/private/x",
    "secret/data/open/%2E%2E/private/x",
    "secret/data/open/.%2e/private/x",
    "secret/data/open/%2e./private/x",
    "secret/data/open/..%2fprivate/x",
    "secret/data/open%2f..%2fprivate/x",
    "secret/data/open/..%5cprivate/x",
    "secret/data//private/x",
    "secret//data/private/x",
    "/secret/data/private/x",
    "secret/data/private//x",
    "secret/data/private/x//",
    "secret/data/private%2fx",
    "secret/data%2Fprivate/x",
    "secret%2fdata%2fprivate%2fx",
    "secret/data/private%5cx",
    "secret/data/private\\x",
    "secret/data/private/x%00",
    "secret/data/private/%00x",
    "secret/data/private/x%0a",
    "secret/data/private/x%0d%0aX-Vault-Token:%20root",
    "secret/data/private/x%7f",
    "secret/data/private/x%09",
    "secret/data/private/%ff",
    "secret/data/private%c0%afx",
    "secret/data/private%e0%80%afx",
    "secret/data/private/cafe%cc%81",
    "secret/data/private/%78%4",
    "secret/data/private/%zz",
    "secret/data/private/%",
    "secret/data/private/%u0078",
];

/// Canonical, and the name of something else, which is not there.
const OTHERS: &[&str] = &[
    "secret/data/PRIVATE/x",
    "secret/data/Private/x",
    "secret/data/private/X",
    "secret/data/private%20/x",
    "secret/data/%20private/x",
    "secret/data/private/x%20",
    "secret/data/private%c2%a0/x",
    "secret/data/priv%e2%80%8bate/x",
    "secret/data/%ef%bd%90rivate/x",
    "secret/data/%2570rivate/x",
    "secret/data/private/%2578",
    "secret/data/private%252fx",
    "secret/data/%252e%252e/private/x",
    "secret/data/open/%ef%bc%8e%ef%bc%8e/private/x",
    "secret/data/private;a=b/x",
    "secret/data/private/x;a",
    "secret/data/.../private/x",
    "secret/data/..private/x",
    "secret/DATA/private/x",
    "SECRET/data/private/x",
];

/// Other ways to write the very same name.
const SAME: &[&str] = &[
    "secret/data/private/x",
    "secret/data/%70rivate/x",
    "secret/data/%70%72%69%76%61%74%65/%78",
    "%73ecret/data/private/x",
    "secret/d%61ta/private/x?version=1",
    "secret/data/private/x?",
    "secret/data/private/x?../open",
];

async fn with_a_secret() -> (DevServer, Client) {
    let server = DevServer::start().await.unwrap();
    let value = json!({"data": {"v": CANARY}});
    for path in ["secret/data/private/x", "secret/data/open/x"] {
        assert_eq!(server.client().send("POST", path, Some(&value)).await.unwrap().status, 200);
    }
    let text = format!(
        "path \"*\" {{ {ALL} }}\npath \"secret/data/private/*\" {{ capabilities = [\"deny\"] }}\n\
         path \"secret/metadata/private/*\" {{ capabilities = [\"deny\"] }}"
    );
    let client = holding(&server, "all-but-private", &text).await;
    (server, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_3605_no_spelling_gets_past_a_deny() {
    let (server, client) = with_a_secret().await;
    for (targets, own, roots) in [(NOT_CANONICAL, 400, 400), (OTHERS, 404, 404), (SAME, 403, 200)] {
        for target in targets {
            let target = format!("/v1/{target}");
            let (status, whole) = ask(server.address, "GET", &target, &client.token, "", "").await;
            // The deny holds for some names of things that are not there, too.
            assert!(status == own || (own == 404 && status == 403), "GET {target}: {whole}");
            assert!(!whole.contains(CANARY), "GET {target}: {whole}");
            let (status, whole) = ask(server.address, "GET", &target, DEV_ROOT, "", "").await;
            assert_eq!(status, roots, "GET {target} by root: {whole}");
            let body = r#"{"data":{"v":"overwritten"}}"#;
            let (status, _) = ask(server.address, "POST", &target, &client.token, "", body).await;
            assert!(own == 404 || status == own, "POST {target}: {status}");
            let (status, _) = ask(server.address, "DELETE", &target, &client.token, "", "").await;
            assert!(own == 404 || status == own, "DELETE {target}: {status}");
        }
    }
    let kept = server.client().send("GET", "secret/data/private/x", None).await.unwrap();
    assert_eq!((kept.status, &kept.body["data"]["data"]["v"]), (200, &json!(CANARY)));
    assert_eq!(kept.body["data"]["metadata"]["version"], 1, "something was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_path_that_ends_in_a_slash_is_never_the_one_without() {
    let (server, _) = with_a_secret().await;
    let text = format!("path \"secret/data/private/x/\" {{ {ALL} }}");
    let slash = holding(&server, "slash", &text).await;
    for method in ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"] {
        let target = "/v1/secret/data/private/x/";
        let (status, whole) = ask(server.address, method, target, &slash.token, "", "{}").await;
        assert!((400..500).contains(&status) && !whole.contains(CANARY), "{method}: {whole}");
    }
    let (status, _) = ask(server.address, "GET", "/v1/secret/data/private/x", &slash.token, "", "").await;
    assert_eq!(status, 403, "what is allowed with the slash is not allowed without");
    let kept = server.client().send("GET", "secret/data/private/x", None).await.unwrap();
    assert_eq!(kept.body["data"]["metadata"]["deletion_time"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn ghsa_xp3c_3jw3_4vcr_and_cve_2026_63131_a_list_of_what_is_denied_is_denied() {
    let (_server, mut client) = with_a_secret().await;
    for (method, path) in [
        ("LIST", "secret/metadata/private"),
        ("LIST", "secret/metadata/private/"),
        ("GET", "secret/metadata/private?list=true"),
        ("GET", "secret/metadata/private/?list=1"),
        ("SCAN", "secret/metadata/private"),
        ("SCAN", "secret/metadata/private/"),
        ("GET", "secret/metadata/private?scan=true"),
    ] {
        let answer = client.send(method, path, None).await.unwrap();
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
    }
    let names = client.send("LIST", "secret/metadata", None).await.unwrap();
    assert_eq!(names.body["data"]["keys"], json!(["open/", "private/"]), "the list above it is allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_89322_and_ghsa_fg5x_a_deny_holds_for_every_spelling_of_the_name() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    policy(&mut root, "admin", "path \"original/*\" { capabilities = [\"read\"] }").await;
    let text = format!(
        "path \"sys/*\" {{ {ALL} }}\npath \"sys/policies/acl/admin\" {{ capabilities = [\"deny\"] }}\n\
         path \"sys/policy/admin\" {{ capabilities = [\"deny\"] }}"
    );
    let mut client = holding(&server, "policies-but-admin", &text).await;
    let body = json!({"policy": "path \"*\" { capabilities = [\"sudo\", \"update\"] }"});
    for place in ["sys/policies/acl", "sys/policy"] {
        for name in [
            "admin",
            "Admin",
            "ADMIN",
            "aDmIn",
            "%61dmin",
            "%41DMIN",
            "admin%20",
            "%20admin",
            "Admin%20",
            "admin%c2%a0",
        ] {
            let path = format!("{place}/{name}");
            for (method, body) in
                [("GET", None), ("PUT", Some(&body)), ("POST", Some(&body)), ("DELETE", None)]
            {
                let answer = client.send(method, &path, body).await.unwrap();
                assert!(answer.status == 403 || answer.status == 400, "{method} {path}: {}", answer.status);
                assert!(!answer.body.to_string().contains("original"), "{method} {path}: {}", answer.body);
            }
        }
    }
    let kept = root.send("GET", "sys/policies/acl/admin", None).await.unwrap();
    assert!(kept.body["data"]["policy"].as_str().unwrap().contains("original"), "{}", kept.body);
    // And a grant for one name is no grant for another.
    let mut one = holding(&server, "one", &format!("path \"sys/policies/acl/mine\" {{ {ALL} }}")).await;
    for (name, status) in [("mine", 204), ("MINE", 204), ("mine2", 403), ("mine%20x", 403)] {
        let answer = one.send("PUT", &format!("sys/policies/acl/{name}"), Some(&body)).await.unwrap();
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
    }
    // A policy may spell the name as it likes: what it denies to one spelling it denies to all, and so what it grants.
    root.send("POST", "sys/auth/approle", Some(&json!({"type": "approle"}))).await.unwrap();
    for role in ["myapp", "other"] {
        let made = root.send("POST", &format!("auth/approle/role/{role}"), Some(&json!({}))).await.unwrap();
        assert_eq!(made.status, 204, "{}", made.body);
    }
    let text = "path \"auth/approle/role/*\" { capabilities = [\"read\", \"update\"] }\n\
                path \"auth/approle/role/MyApp/*\" { capabilities = [\"deny\"] }";
    let mut but = holding(&server, "but", text).await;
    let text = "path \"auth/approle/role/MyApp/*\" { capabilities = [\"read\", \"update\"] }";
    let mut only = holding(&server, "only", text).await;
    for (role, by_but, by_only) in [
        ("MyApp", 403, 200),
        ("myapp", 403, 200),
        ("MYAPP", 403, 200),
        ("%4dyApp", 403, 200),
        ("Other", 200, 403),
    ] {
        for (client, status) in [(&mut but, by_but), (&mut only, by_only)] {
            let path = format!("auth/approle/role/{role}/role-id");
            assert_eq!(client.send("GET", &path, None).await.unwrap().status, status, "{path}");
            let path = format!("auth/approle/role/{role}/secret-id");
            let answer = client.send("POST", &path, Some(&json!({}))).await.unwrap();
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
        }
    }
}

/// Spellings that are the reserved name itself once they are canonical, and look-alikes that must gain nothing.
const ROOTS: &[&str] = &[
    "root",
    "Root",
    "ROOT",
    "rOoT",
    "rooT",
    " root",
    "root ",
    "\troot",
    "root\n",
    "\u{a0}root",
    "root\u{3000}",
    " Root ",
    "ro\u{200b}ot",
    "\u{feff}root",
    "root\0",
    "ｒｏｏｔ",
    "rооt",
    "%72oot",
    "root.",
    "default,root",
    "default, Root",
    "root/",
    "../root",
    "\"root\"",
];

/// The endpoints that take the name of a policy for somebody, by their documentation. A new one has to come into the test
/// below before this list may grow.
const GIVE_POLICIES: &[&str] = &[
    "/auth/token/create",
    "/auth/token/create-orphan",
    "/auth/token/create/{role_name}",
    "/auth/token/roles/{role_name}",
];

/// Asks for a token; what comes of it must not be root's.
async fn never_root(server: &DevServer, maker: &mut Client, path: &str, wish: &Value) {
    let made = maker.send("POST", path, Some(wish)).await.unwrap();
    let auth = &made.body["auth"];
    assert!(!auth.to_string().contains("\"root\""), "{path} {wish}: {}", made.body);
    if made.status != 200 {
        assert_eq!(made.status, 400, "{path} {wish}: {}", made.body);
        return;
    }
    let mut made = Client::plain(server.address, auth["client_token"].as_str().unwrap());
    assert_eq!(made.send("GET", "sys/policies/acl/maker", None).await.unwrap().status, 403, "{path} {wish}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_5999_and_64761_no_spelling_of_root_makes_a_root_token() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let document = root.send("GET", "sys/internal/specs/openapi", None).await.unwrap().body;
    let takes_policies: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, item)| path.starts_with("/auth/") && item.to_string().contains("policies\":"))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(takes_policies, GIVE_POLICIES);

    let text = "path \"auth/token/*\" { capabilities = [\"create\", \"update\", \"sudo\"] }";
    let mut maker = holding(&server, "maker", text).await;
    // A role with every policy, and below one for each spelling.
    let any = json!({"allowed_policies_glob": "*"});
    assert_eq!(root.send("POST", "auth/token/roles/any", Some(&any)).await.unwrap().status, 204);
    for spelling in ROOTS {
        for (field, wish) in [
            ("allowed_policies", json!([spelling])),
            ("allowed_policies", json!(spelling)),
            ("allowed_policies_glob", json!([spelling, "r*"])),
        ] {
            let role = json!({ field: wish, "token_no_default_policy": true });
            let made = root.send("POST", "auth/token/roles/some", Some(&role)).await.unwrap();
            assert!(made.status == 204 || made.status == 400, "{role}: {}", made.body);
            // Without a wish of its own, the token gets what the role has.
            for wish in [json!({}), json!({ "policies": [spelling] }), json!({ "policies": ["root"] })] {
                never_root(&server, &mut maker, "auth/token/create/some", &wish).await;
                never_root(&server, &mut root, "auth/token/create/some", &wish).await;
            }
            root.send("DELETE", "auth/token/roles/some", None).await.unwrap();
        }
    }
    for place in ["auth/token/create", "auth/token/create-orphan", "auth/token/create/any"] {
        for spelling in ROOTS {
            for wish in [json!([spelling]), json!(spelling), json!(["default", spelling])] {
                for kind in ["service", "batch"] {
                    let wish = json!({ "policies": wish, "no_default_policy": true, "type": kind });
                    never_root(&server, &mut maker, place, &wish).await;
                }
            }
        }
    }
    // Nor can the policies themselves be touched.
    let body = json!({"policy": "path \"*\" { capabilities = [\"read\"] }"});
    for spelling in
        ["root", "Root", "ROOT", "%72oot", "root%20", "%20ROOT", "response-wrapping", "Response-Wrapping"]
    {
        for place in ["sys/policies/acl", "sys/policy"] {
            for (method, body) in [("PUT", Some(&body)), ("DELETE", None)] {
                let answer = root.send(method, &format!("{place}/{spelling}"), body).await.unwrap();
                assert_eq!(answer.status, 400, "{method} {place}/{spelling}: {}", answer.body);
            }
        }
    }
    for spelling in ["default", "Default", "DEFAULT", "d%65fault"] {
        let answer = root.send("DELETE", &format!("sys/policies/acl/{spelling}"), None).await.unwrap();
        assert_eq!(
            (answer.status, errors(&answer.body).as_str()),
            (400, "cannot delete default policy"),
            "{spelling}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ghsa_mwr2_wmgp_crj6_no_spelling_of_a_namespace_falls_through_to_the_root() {
    let (server, _) = with_a_secret().await;
    let target = "/v1/secret/data/open/x";
    for (namespace, status) in [
        ("root", 200),
        ("root/", 200),
        ("/", 200),
        ("", 200),
        ("ns1", 404),
        ("ns1/", 404),
        ("ROOT", 404),
        ("Root/", 404),
        ("root/root", 404),
        ("root/ns1", 404),
        ("r%6fot", 404),
        ("%2f", 404),
        ("root//", 400),
        ("//root", 400),
        ("..", 400),
        ("root/..", 400),
        ("ns1/../", 400),
        (".", 400),
        ("root\\", 400),
        ("ns1//", 400),
    ] {
        let header = format!("X-Vault-Namespace: {namespace}\r\n");
        let (got, whole) = ask(server.address, "GET", target, DEV_ROOT, &header, "").await;
        assert_eq!(got, status, "{namespace:?}: {whole}");
        assert_eq!(whole.contains(CANARY), status == 200, "{namespace:?}: {whole}");
    }
    let twice = "X-Vault-Namespace: ns1\r\nX-Vault-Namespace: root\r\n";
    assert_eq!(ask(server.address, "GET", target, DEV_ROOT, twice, "").await.0, 400);
    // Init and unseal are nobody's but the root's.
    for path in ["/v1/sys/init", "/v1/sys/seal-status", "/v1/sys/health"] {
        assert_eq!(ask(server.address, "GET", path, "", "X-Vault-Namespace: ns1\r\n", "").await.0, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_what_is_spelt_otherwise_is_another_mount_and_inherits_nothing() {
    let (server, _) = with_a_secret().await;
    let mut root = server.client();
    let kind = json!({"type": "kv", "options": {"version": "2"}});
    for taken in [
        "secret",
        "secret/",
        "secret/data",
        "sys",
        "sys/",
        "sys/x",
        "auth",
        "auth/token",
        "identity",
        "cubbyhole",
        "cubbyhole/x",
        "audit",
        "s%79s",
        "secre%74",
    ] {
        let made = root.send("POST", &format!("sys/mounts/{taken}"), Some(&kind)).await.unwrap();
        assert!((400..500).contains(&made.status), "{taken}: {} {}", made.status, made.body);
    }
    for bad in [".", "..", "a/../sys", "a//b", "%2e%2e", "a%2fb", "a%00", "cafe%cc%81", "a%5cb"] {
        let made = root.send("POST", &format!("sys/mounts/{bad}"), Some(&kind)).await.unwrap();
        assert_eq!(made.status, 400, "{bad}: {}", made.body);
    }
    for other in ["SECRET", "secret%20", "%20secret", "%ef%bd%93ecret", "SYS"] {
        let made = root.send("POST", &format!("sys/mounts/{other}"), Some(&kind)).await.unwrap();
        assert_eq!(made.status, 204, "{other}: {}", made.body);
        let read = root.send("GET", &format!("{other}/data/open/x"), None).await.unwrap();
        assert_eq!(read.status, 404, "{other} inherits: {}", read.body);
    }
    assert_eq!(root.send("GET", "sys/mounts", None).await.unwrap().status, 200);
}

/// A capability that is asked about and one that is enforced are the same.
#[tokio::test(flavor = "multi_thread")]
async fn c3_what_capabilities_tell_is_what_is_enforced() {
    let (server, mut client) = with_a_secret().await;
    for (path, allowed) in [("secret/data/private/x", false), ("secret/data/open/x", true)] {
        let told =
            client.send("POST", "sys/capabilities-self", Some(&json!({ "paths": [path] }))).await.unwrap();
        let told: &Value = &told.body["data"]["capabilities"];
        assert_eq!(told == &json!(["deny"]), !allowed, "{path}: {told}");
        let status = client.send("GET", path, None).await.unwrap().status;
        assert_eq!(status, if allowed { 200 } else { 403 });
    }
    let own = token(&mut server.client(), json!({"policies": ["default"]})).await;
    let body = json!({"paths": ["secret/data/open/x"], "token": own});
    let told = client.send("POST", "sys/capabilities", Some(&body)).await.unwrap();
    assert_eq!(told.body["data"]["capabilities"], json!(["deny"]));
}
