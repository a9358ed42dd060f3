//! Requests under way, for `sys/in-flight-req`: in many small maps, chosen by the request's random id, so that no two
//! requests wait for each other but by chance.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_types::id::RequestId;
use strongroom_types::request::Head;
use strongroom_types::{Operation, Timestamp};

use super::Metrics;

const SHARDS: usize = 32;

/// See the module.
#[derive(Default)]
pub struct InFlight {
    shards: [Mutex<HashMap<RequestId, UnderWay>>; SHARDS],
}

/// A request under way.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// Since when.
    pub start: Timestamp,
    /// From where.
    pub remote: Option<(IpAddr, u16)>,
    /// What of.
    pub path: String,
    /// What.
    pub operation: Operation,
}

/// Shown for as long as this is kept.
pub struct Shown {
    metrics: Arc<Metrics>,
    id: RequestId,
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.metrics.in_flight.shard(self.id, |shard| shard.remove(&self.id));
    }
}

impl InFlight {
    /// A request begins.
    pub fn begin(metrics: &Arc<Metrics>, head: &Head, start: Timestamp) -> Shown {
        let request = UnderWay {
            start,
            remote: head.remote,
            path: head.path.as_str().to_owned(),
            operation: head.operation,
        };
        metrics.in_flight.shard(head.id, |shard| shard.insert(head.id, request));
        Shown { metrics: metrics.clone(), id: head.id }
    }

    fn shard<T>(&self, id: RequestId, act: impl FnOnce(&mut HashMap<RequestId, UnderWay>) -> T) -> Option<T> {
        let [first, ..] = id.0;
        let shard = self.shards.get(usize::from(first) % SHARDS)?;
        Some(act(&mut shard.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let lens = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len());
        lens.sum()
    }

    /// All there are.
    pub fn all(&self) -> Vec<(RequestId, UnderWay)> {
        let copy = |shard: &Mutex<HashMap<RequestId, UnderWay>>| -> Vec<_> {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.iter().map(|(id, request)| (*id, request.clone())).collect()
        };
        self.shards.iter().flat_map(copy).collect()
    }
}
