//! One binary for all targets: `STRONGROOM_FUZZ=path` chooses.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use strongroom_tests::fuzz::{TARGETS, Target};

fn chosen() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var("STRONGROOM_FUZZ").unwrap_or_default();
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("STRONGROOM_FUZZ is one of {names:?}"))
    })
}

fuzz_target!(|input: &[u8]| (chosen().run)(input));
