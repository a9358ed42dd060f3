//! The store on disk, beyond what every store promises.

mod damage;
mod disk;
mod faults;
mod open;
mod power;
mod writer;

#[path = "../../tests/load/mod.rs"]
mod load;

use std::sync::{Arc, Mutex};

use super::*;
use crate::{Expect, Space};

/// Without a reserve: the machine that tests run on may be nearly full.
fn options() -> Options {
    Options { reserve: Reserve::NONE, ..Options::default() }
}

fn put(key: &[u8], value: &[u8]) -> Batch {
    let mut batch = Batch::default();
    batch.put(Space::Cluster, key.to_vec(), value.to_vec(), Expect::Any);
    batch
}

fn is_poisoned<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Poisoned(_)))
}

/// The causes that a store reports when it is poisoned.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<String>>>);

impl Reports {
    fn options(&self) -> Options {
        let reports = Arc::clone(&self.0);
        Options {
            on_poison: Box::new(move |cause| reports.lock().unwrap().push(cause.to_owned())),
            ..options()
        }
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}
