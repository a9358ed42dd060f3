//! No secret is ever in a line, whatever form it takes.

use data_encoding::{BASE64, HEXLOWER};
use proptest::prelude::*;
use strongroom_types::Refusal;
use strongroom_types::reply::{AuthReply, Logical};

use super::*;

const CANARY: &str = "canary-5a1f9c";

/// JSON whose every text value holds the canary.
fn hiding(depth: u32) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,5}".prop_map(|around| Value::from(format!("{around}{CANARY}{around}"))),
    ];
    leaf.prop_recursive(depth, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\]{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn check(lines: &[String]) -> Result<(), TestCaseError> {
    let backwards: String = CANARY.chars().rev().collect();
    for line in lines {
        prop_assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        for form in
            [CANARY, &backwards, &HEXLOWER.encode(CANARY.as_bytes()), &BASE64.encode(CANARY.as_bytes())[..16]]
        {
            prop_assert!(!line.contains(form), "{line}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn values_never_appear(asked in hiding(4), answered in hiding(4)) {
        let sink = sink();
        let broker = broker(&[&sink]);
        let mut request = Asked::new(1, json!({"data": asked}));
        request.data.insert("text".into(), CANARY.into());
        let event = request.event();
        let token = Secret::copy_of(CANARY.as_bytes());
        let event = Event {
            token: Some(&token),
            headers: &[Header { name: "x", value: CANARY, hashed: true }],
            ..event
        };
        let auth = AuthReply {
            client_token: Secret::copy_of(CANARY.as_bytes()),
            accessor: CANARY.into(),
            policies: vec![], token_policies: vec![], identity_policies: vec![], metadata: None,
            lease_duration: 0, renewable: false, entity_id: String::new(), token_type: "batch", orphan: true, num_uses: 0,
        };
        let logical = Logical { auth: Some(auth), data: Some(answered.clone()), ..Logical::default() };
        let refusal = Refusal::denied().with_data(json!({"data": answered}).as_object().unwrap().clone());
        let raw = Reply::Raw { status: 200, content_type: "text/plain", body: CANARY.as_bytes().to_vec() };
        let replies = [Reply::Logical(Box::new(logical)), Reply::Json { status: 200, body: answered }, raw];
        let audited = broker.before(&event).unwrap();
        for answer in replies.iter().map(Ok).chain([Err(&refusal)]) {
            broker.after(&audited, &event, &ResponseEvent { answer, clear: Clear::NOTHING }).unwrap();
        }
        check(&sink.lines())?;
        let row = audited.outbox_row().unwrap();
        check(&[String::from_utf8_lossy(&row[11..]).trim_end().to_owned()])?;
    }
}

#[test]
fn errors_repeat_no_input() {
    let sink = sink();
    let broker = broker(&[&sink]).with_limits(Limits { request_strings: 0, response_strings: 0 });
    let asked = Asked::new(1, json!({"k": CANARY}));
    let refused = broker.before(&asked.event()).err().unwrap();
    assert!(!format!("{refused}{refused:?}").contains(CANARY));
    assert!(!sink.lines().concat().contains(CANARY));
}
