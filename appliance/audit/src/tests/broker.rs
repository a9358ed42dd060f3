use std::io;
use std::sync::Mutex;

use strongroom_types::Refusal;
use strongroom_types::error::Kind;

use super::*;
use crate::testing::Mood;

fn empty(broker: &Broker, audited: &Audited, event: &Event<'_>) -> Result<(), AuditError> {
    broker.after(audited, event, &ResponseEvent { answer: Ok(&Reply::Empty), clear: Clear::NOTHING })
}

#[test]
fn without_sinks_auditing_is_off() {
    let broker = broker(&[]);
    let asked = Asked::new(1, json!({}));
    let audited = broker.before(&asked.event()).unwrap();
    assert_eq!(audited.ticket(), 1);
    assert!(audited.outbox_row().is_none());
    empty(&broker, &audited, &asked.event()).unwrap();
    assert_eq!(broker.restore(vec![]), Ok(0));
    assert!(broker.sinks().is_empty());
}

#[test]
fn a_line_that_nobody_takes_stops_the_request() {
    let (a, b) = (sink(), sink());
    let broker = broker(&[&a, &b]);
    let asked = Asked::new(1, json!({}));
    a.set(Mood::Refusing);
    b.set(Mood::Refusing);
    let refused = broker.before(&asked.event()).err().unwrap();
    let AuditError::Refused { causes } = &refused else { panic!("{refused}") };
    assert!(causes.starts_with("a: ") && causes.contains("; b: "), "{causes}");
    assert_eq!(Refusal::from(refused).message, "internal error");
    assert!(a.lines().is_empty() && b.lines().is_empty());
}

#[test]
fn one_sink_that_takes_the_line_is_enough() {
    let (a, b) = (sink(), sink());
    let broker = broker(&[&a, &b]);
    let asked = Asked::new(1, json!({}));
    a.set(Mood::Refusing);
    let audited = broker.before(&asked.event()).unwrap();
    empty(&broker, &audited, &asked.event()).unwrap();
    assert_eq!((a.lines().len(), b.lines().len()), (0, 2));

    // Back again: it gets the second line of a request whose first line it has refused.
    let audited = broker.before(&asked.event()).unwrap();
    a.set(Mood::Well);
    empty(&broker, &audited, &asked.event()).unwrap();
    assert_eq!((a.lines().len(), b.lines().len()), (1, 4));
    assert_eq!(parsed(&a.lines()[0])["request"]["id"], asked.id.to_string());
}

#[test]
fn a_response_line_that_nobody_takes_withholds_the_answer() {
    let a = sink();
    let broker = broker(&[&a]);
    let asked = Asked::new(1, json!({}));
    a.set(Mood::RefusingResponses);
    let audited = broker.before(&asked.event()).unwrap();
    assert!(matches!(empty(&broker, &audited, &asked.event()), Err(AuditError::Refused { .. })));
    assert_eq!(a.lines().len(), 1);
}

#[test]
fn both_lines_at_once_are_those_that_two_writes_make() {
    let (apart, at_once) = (sink(), sink());
    let asked = Asked::new(1, json!({"version": "2"}));
    let nothing = Refusal::not_found();
    let found = Reply::data(json!({"value": "canary"}));
    for answer in [Ok(&found), Ok(&Reply::Empty), Err(&nothing)] {
        let response = ResponseEvent { answer, clear: Clear::NOTHING };
        let error = answer.err().map(|_| "not found");
        let broker = broker(&[&apart]);
        let audited = broker.before(&asked.event()).unwrap();
        broker.after(&audited, &Event { error, ..asked.event() }, &response).unwrap();
        let broker = super::broker(&[&at_once]);
        broker.both(broker.now(), &asked.event(), error, &response).unwrap();
    }
    assert_eq!(apart.lines(), at_once.lines());
    assert_eq!((apart.writes(), at_once.writes()), (6, 3));
    assert!(at_once.lines().iter().all(|line| !line.contains("canary")));
}

#[test]
fn where_nobody_takes_both_lines_there_is_no_answer() {
    let (a, b) = (sink(), sink());
    let broker = broker(&[&a, &b]);
    let asked = Asked::new(1, json!({}));
    let response = ResponseEvent { answer: Ok(&Reply::Empty), clear: Clear::NOTHING };
    let both = || broker.both(broker.now(), &asked.event(), None, &response);
    a.set(Mood::Refusing);
    both().unwrap();
    b.set(Mood::Refusing);
    assert!(matches!(both(), Err(AuditError::Refused { .. })));
    assert_eq!((a.lines().len(), b.lines().len()), (0, 2));
}

#[test]
fn too_many_texts_at_once_are_refused_as_they_are_apart() {
    let a = sink();
    let broker = broker(&[&a]).with_limits(Limits { request_strings: 3, response_strings: 2 });
    let answer = |keys: &[&str]| Reply::data(json!({ "keys": keys }));
    let both = |asked: &Asked, reply: &Reply| {
        let response = ResponseEvent { answer: Ok(reply), clear: Clear::NOTHING };
        broker.both(broker.now(), &asked.event(), None, &response)
    };
    let over = Asked::new(1, json!({"l": ["1", "2", "3", "canary"]}));
    assert_eq!(both(&over, &answer(&[])), Err(AuditError::TooManyStrings { limit: 3 }));
    assert_eq!(a.lines().len(), 1);
    let fits = Asked::new(2, json!({}));
    both(&fits, &answer(&["1", "2"])).unwrap();
    assert_eq!(both(&fits, &answer(&["1", "2", "3"])), Err(AuditError::TooManyStrings { limit: 2 }));
    assert_eq!(a.lines().len(), 5);
    for line in [&a.lines()[0], &a.lines()[4]] {
        assert!(parsed(line)["error"].as_str().unwrap().contains("strings"), "{line}");
    }
}

#[test]
fn too_many_texts_are_refused_and_the_line_says_so() {
    let a = sink();
    let limits = Limits { request_strings: 3, response_strings: 4 };
    let broker = broker(&[&a]).with_limits(limits);
    let fits = Asked::new(1, json!({"l": ["1", "2", {"k": "3"}], "n": [1, 2, 3, 4, 5]}));
    let audited = broker.before(&fits.event()).unwrap();

    let over = Asked::new(2, json!({"l": ["1", "2", "3", "canary"]}));
    let refused = broker.before(&over.event()).err().unwrap();
    assert_eq!(refused, AuditError::TooManyStrings { limit: 3 });
    let refusal = Refusal::from(refused);
    assert!(refusal.kind == Kind::TooLarge && refusal.message.contains("more than 3 strings"));
    assert_eq!(a.lines().len(), 1);
    broker.before(&Event { data: None, error: Some(&refusal.message), ..over.event() }).unwrap();
    let line = parsed(&a.lines()[1]);
    assert_eq!(line["request"]["id"], over.id.to_string());
    assert!(line["request"].get("data").is_none());
    assert_eq!(line["error"], refusal.message.as_ref());

    let answer = |data| {
        let reply = Reply::data(data);
        broker.after(&audited, &fits.event(), &ResponseEvent { answer: Ok(&reply), clear: Clear::NOTHING })
    };
    answer(json!({"keys": ["1", "2", "3", "4"]})).unwrap();
    assert_eq!(
        answer(json!({"keys": ["1", "2", "3", "4", "5"]})),
        Err(AuditError::TooManyStrings { limit: 4 })
    );
    let line = parsed(&a.lines()[3]);
    assert!(
        line["response"].get("data").is_none() && line["error"].as_str().unwrap().contains("more than 4")
    );

    // Texts in clear cost no hash and are not counted.
    let event = Event { clear: Clear { field: &|name| name == "l", keys: &[] }, ..over.event() };
    broker.before(&event).unwrap();
}

#[test]
fn every_sink_has_its_own_salt_and_the_hash_can_be_asked_for() {
    let (a, b) = (sink(), sink());
    let broker = broker(&[&a, &b]);
    broker.before(&Asked::new(1, json!({"k": "v"})).event()).unwrap();
    let of = |line: &str| parsed(line)["request"]["data"]["k"].as_str().unwrap().to_owned();
    let (in_a, in_b) = (of(&a.lines()[0]), of(&b.lines()[0]));
    assert_ne!(in_a, in_b);
    assert_eq!(
        (broker.hash("a", "v"), broker.hash("b", "v"), broker.hash("c", "v")),
        (Some(in_a), Some(in_b), None)
    );
}

#[test]
fn cve_2024_0831_raw_values_stand_in_the_raw_sink_only() {
    let (raw, hashed) = (sink(), sink());
    let config = |name: &str, sink: &Arc<MemorySink>, log_raw| SinkConfig {
        log_raw,
        ..SinkConfig::new(name, sink.clone())
    };
    let sinks = vec![(config("raw", &raw, true), salt(1)), (config("hashed", &hashed, false), salt(2))];
    let broker = Broker::new(sinks, clock(), 1);
    let asked = Asked::new(1, json!({"k": "canary"}));
    let audited = broker.before(&asked.event()).unwrap();
    empty(&broker, &audited, &asked.event()).unwrap();
    assert!(raw.lines().concat().contains("canary"));
    assert_eq!(hashed.lines().len(), 2);
    assert!(!hashed.lines().concat().contains("canary"));
}

#[test]
fn tickets_ascend_also_over_refusals() {
    let a = sink();
    let config = SinkConfig::new("a", a.clone());
    let broker = Broker::new(vec![(config, salt(1))], clock(), 40);
    let asked = Asked::new(1, json!({}));
    assert_eq!(broker.before(&asked.event()).unwrap().ticket(), 40);
    a.set(Mood::Refusing);
    assert!(broker.before(&asked.event()).is_err());
    a.set(Mood::Well);
    assert_eq!(broker.before(&asked.event()).unwrap().ticket(), 42);
}

#[test]
fn a_change_of_a_sink_is_reported_once() {
    let (a, told) = (sink(), Arc::new(Mutex::new(Vec::new())));
    let telling = told.clone();
    let report = move |name: &str, cause: Option<&io::Error>| {
        telling
            .lock()
            .unwrap()
            .push(format!("{name} {}", cause.map_or("well".into(), |cause| cause.kind().to_string())));
    };
    let broker = broker(&[&a]).with_report(Box::new(report));
    let asked = Asked::new(1, json!({}));
    for mood in [Mood::Well, Mood::Refusing, Mood::Refusing, Mood::Well, Mood::Well] {
        a.set(mood);
        let _ = broker.before(&asked.event());
    }
    assert_eq!(*told.lock().unwrap(), ["a no storage space", "a well"]);
}

#[test]
fn options_are_parsed_strictly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log").display().to_string();
    let made = |pairs: &[(&str, &str)]| {
        SinkConfig::file("f", "why", pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    };
    let config = made(&[
        ("file_path", &path),
        ("log_raw", "true"),
        ("hmac_accessor", "false"),
        ("elide_list_responses", "1"),
        ("format", "json"),
        ("mode", "0755"),
    ])
    .unwrap();
    assert!(config.log_raw && !config.hmac_accessor && config.elide_list_responses);
    assert_eq!((config.sink.kind(), config.options.len()), ("file", 6));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644, "no right to run");

    assert!(made(&[("file_path", "discard")]).is_ok() && made(&[("path", "stdout")]).is_ok());
    for (pairs, error) in [
        (&[][..], "the audit option \"file_path\" must be a file's path, \"stdout\" or \"discard\""),
        (
            &[("file_path", "")],
            "the audit option \"file_path\" must be a file's path, \"stdout\" or \"discard\"",
        ),
        (
            &[("file_path", "discard"), ("prefix", "#!/bin/sh")],
            "an audit sink of this kind has no option \"prefix\"",
        ),
        (
            &[("file_path", "discard"), ("log_raw", "maybe")],
            "the audit option \"log_raw\" must be true or false",
        ),
        (&[("file_path", "discard"), ("mode", "9")], "the audit option \"mode\" must be octal, such as 0600"),
        (
            &[("file_path", "discard"), ("mode", "10000")],
            "the audit option \"mode\" must be octal, such as 0600",
        ),
        (&[("file_path", "discard"), ("format", "jsonx")], "the audit option \"format\" must be json"),
    ] {
        assert_eq!(made(pairs).err().unwrap().to_string(), error);
    }
    let folder = folder.path().display().to_string();
    assert!(
        made(&[("file_path", &folder)]).err().unwrap().to_string().starts_with("cannot open the audit file")
    );
}
