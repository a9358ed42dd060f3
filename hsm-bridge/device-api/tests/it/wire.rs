//! The frames as drawn: pinned by a golden file, and safe against any bytes.

use proptest::prelude::*;
use strongroom_device_api::wire::{Answer, Call, Frame, MAX_BODY, Reply, Request, WireError, fuzz};
use strongroom_device_api::{DeviceError, DeviceErrorKind, Identity, KeyId, Wrapped};
use strongroom_types::Secret;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn id(text: &str) -> KeyId {
    KeyId::new(text).unwrap()
}

fn request(call: Call) -> Frame {
    let harmless = call.is_harmless();
    Frame::Request(Request { id: 0x0102_0304_0506_0708, deadline_ms: 30_000, harmless, call })
}

fn reply(outcome: Result<Answer, DeviceError>) -> Frame {
    Frame::Reply(Reply { id: 7, outcome })
}

/// One of each.
fn samples() -> Vec<(&'static str, Frame)> {
    let plain = || Secret::copy_of(b"plain");
    let identity = || Identity { kind: "mock".into(), model: "a model".into(), serial: "42".into() };
    let error = |kind| Err(DeviceError::new(kind, "why"));
    vec![
        ("hello", Frame::Hello { lowest: 1, highest: 1 }),
        ("welcome", Frame::Welcome { version: 1, window: 64 }),
        ("request.identity", request(Call::Identity)),
        ("request.health", request(Call::Health)),
        ("request.random", request(Call::Random(32))),
        ("request.ensure-key", request(Call::EnsureKey(id("root")))),
        ("request.wrap", request(Call::Wrap(id("root"), b"aad".to_vec(), plain()))),
        ("request.unwrap", request(Call::Unwrap(id("root"), Vec::new(), Wrapped(b"wrapped".to_vec())))),
        (
            "request.not-harmless",
            Frame::Request(Request { id: 1, deadline_ms: 0, harmless: false, call: Call::Health }),
        ),
        ("reply.identity", reply(Ok(Answer::Identity(identity())))),
        ("reply.health", reply(Ok(Answer::Health))),
        ("reply.random", reply(Ok(Answer::Random(plain())))),
        ("reply.ensure-key", reply(Ok(Answer::EnsureKey))),
        ("reply.wrap", reply(Ok(Answer::Wrap(Wrapped(b"wrapped".to_vec()))))),
        ("reply.unwrap", reply(Ok(Answer::Unwrap(plain())))),
        ("reply.retry", reply(error(DeviceErrorKind::Retry))),
        ("reply.gone", reply(error(DeviceErrorKind::Gone))),
        ("reply.unknown", reply(error(DeviceErrorKind::Unknown))),
        ("reply.login", reply(error(DeviceErrorKind::Login))),
        ("reply.refused", reply(error(DeviceErrorKind::Refused))),
        ("reply.misuse", reply(error(DeviceErrorKind::Misuse))),
        ("reply.fatal", reply(error(DeviceErrorKind::Fatal))),
    ]
}

#[test]
fn frames_are_as_the_golden_file_of_version_1() {
    let golden = include_str!("../golden/frames-1.txt");
    let written: String = samples()
        .iter()
        .map(|(name, frame)| format!("{name} {}\n", hex(frame.encode().unwrap().expose())))
        .collect();
    assert_eq!(written, golden);
}

#[test]
fn every_cut_and_every_byte_too_many_of_a_frame_is_refused() {
    for line in include_str!("../golden/frames-1.txt").lines() {
        let frame = unhex(line.split_once(' ').unwrap().1);
        let body = &frame[4..];
        assert!(Frame::decode(body).is_ok(), "{line}");
        for length in 0..body.len() {
            assert!(Frame::decode(&body[..length]).is_err(), "{line} cut to {length}");
        }
        assert!(Frame::decode(&[body, &[0]].concat()).is_err(), "{line}");
    }
}

#[test]
fn an_unknown_operation_is_told_apart() {
    let mut body = request(Call::Health).encode().unwrap().expose()[4..].to_vec();
    *body.last_mut().unwrap() = 7;
    let expected = WireError::UnknownOperation { id: 0x0102_0304_0506_0708, operation: 7 };
    assert_eq!(Frame::decode(&body).err(), Some(expected));
}

#[test]
fn fields_out_of_their_limits_are_refused() {
    let frames = [
        request(Call::Wrap(id("k"), vec![0; 4097], Secret::copy_of(b"x"))),
        request(Call::Wrap(id("k"), Vec::new(), Secret::from(vec![0; 1025]))),
        request(Call::Wrap(id("k"), Vec::new(), Secret::from(Vec::new()))),
        request(Call::Unwrap(id("k"), Vec::new(), Wrapped(vec![0; 8193]))),
        request(Call::Random(0)),
        request(Call::Random(1025)),
    ];
    for frame in frames {
        let encoded = frame.encode().unwrap();
        assert!(matches!(Frame::decode(&encoded.expose()[4..]), Err(WireError::Malformed(_))));
    }
    let huge = request(Call::Unwrap(id("k"), Vec::new(), Wrapped(vec![0; 70_000])));
    assert!(matches!(huge.encode(), Err(WireError::Size(_))));
    assert!(matches!(Frame::decode(&vec![3; MAX_BODY + 1]), Err(WireError::Size(_))));
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let long = DeviceError::new(DeviceErrorKind::Fatal, "é".repeat(2000));
    let encoded = reply(Err(long)).encode().unwrap();
    let Ok(Frame::Reply(Reply { outcome: Err(error), .. })) = Frame::decode(&encoded.expose()[4..]) else {
        panic!("not a reply");
    };
    assert_eq!(error.message, "é".repeat(512));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_decoded_or_refused(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzz(&body);
    }

    #[test]
    fn a_changed_frame_is_decoded_or_refused(
        which in 0..22_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut body = samples()[which].1.encode().unwrap().expose()[4..].to_vec();
        for (at, value) in changes {
            let at = at.index(body.len());
            body[at] = value;
        }
        fuzz(&body);
    }
}
