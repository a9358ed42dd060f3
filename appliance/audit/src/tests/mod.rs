//! What the tests share: a request that holds something of everything, and brokers over sinks in memory.

mod broker;
mod canary;
mod crash;
mod file;
mod line;
mod outbox;
mod rounds;

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_types::id::RequestId;
use strongroom_types::time::ManualClock;
use strongroom_types::{JsonMap, Operation, Reply, Secret, Timestamp};

use crate::testing::MemorySink;
use crate::*;

pub(crate) const TOKEN: &str = "hvs.a-token-that-nobody-may-see";
pub(crate) const ACCESSOR: &str = "accessor-of-the-token";

/// Owns what an [`Event`] borrows.
pub(crate) struct Asked {
    pub(crate) id: RequestId,
    token: Secret,
    policies: Vec<String>,
    pub(crate) data: JsonMap,
    metadata: JsonMap,
}

impl Asked {
    pub(crate) fn new(number: u64, data: Value) -> Self {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        Self {
            id: RequestId(id),
            token: Secret::copy_of(TOKEN.as_bytes()),
            policies: vec!["default".into(), "readers".into()],
            data: data.as_object().unwrap().clone(),
            metadata: json!({"team": "night"}).as_object().unwrap().clone(),
        }
    }

    pub(crate) fn event(&self) -> Event<'_> {
        Event {
            mount: Some(Mount { point: "secret/", kind: "kv", accessor: "kv_1234", class: "secret" }),
            token: Some(&self.token),
            auth: Some(Auth {
                accessor: ACCESSOR,
                display_name: "token",
                policies: &self.policies,
                token_policies: &self.policies,
                identity_policies: &[],
                metadata: Some(&self.metadata),
                entity_id: "",
                token_type: "service",
                remaining_uses: 0,
                token_ttl: 3600,
                issued: Some(Timestamp::from_secs(1_700_000_000)),
            }),
            allowed: Some(true),
            remote: Some(([192, 0, 2, 7].into(), 40123)),
            data: Some(&self.data),
            ..Event::new(self.id, Operation::Update, "secret/data/app")
        }
    }
}

pub(crate) fn salt(seed: u8) -> Salt {
    Salt::new(&Secret::from(vec![seed; 32]))
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_nanos(1_700_000_000_123_456_789)))
}

/// A broker over `sinks`, called `a`, `b`, … with salts of 1, 2, … bytes; tickets from 1.
pub(crate) fn broker(sinks: &[&Arc<MemorySink>]) -> Broker {
    broker_of(sinks.iter().map(|sink| Arc::clone(sink) as Arc<dyn Sink>).collect())
}

pub(crate) fn broker_of(sinks: Vec<Arc<dyn Sink>>) -> Broker {
    let config = |(sink, number): (Arc<dyn Sink>, u8)| {
        let name = char::from(b'a' + number - 1).to_string();
        (SinkConfig::new(&name, sink), salt(number))
    };
    Broker::new(sinks.into_iter().zip(1..).map(config).collect(), clock(), 1)
}

pub(crate) fn sink() -> Arc<MemorySink> {
    Arc::new(MemorySink::new())
}

/// Writes both lines of `event`, answered with `reply`.
pub(crate) fn both(broker: &Broker, event: &Event<'_>, reply: &Reply) {
    let audited = broker.before(event).unwrap();
    broker.after(&audited, event, &ResponseEvent { answer: Ok(reply), clear: Clear::NOTHING }).unwrap();
}

pub(crate) fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}
