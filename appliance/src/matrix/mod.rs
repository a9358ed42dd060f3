//! Bad input, for every operation there is: each is asked without a token, with a wrong and a weak one, sealed, with
//! wrong types, without what it needs, with too much, with names that are not canonical, and for what it does not
//! offer. Each must get the contract's answer, and nothing may change.
//!
//! Everything comes from the route tables: an engine, an auth method or a route of core's that is added is covered by
//! that. What a table cannot tell is in the lists of [`known`], each line with its reason.
//!
//! | module | holds |
//! |---|---|
//! | [`rig`] | an appliance with everything that can be mounted, and what of it can be seen |
//! | [`known`] | what is there beforehand, and exceptions |
//! | [`access`], [`input`], [`names`], [`sealed`] | the cases |

mod access;
mod input;
mod known;
mod names;
mod rig;
mod sealed;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use strongroom_engine::{Kind, Operation};
use strongroom_types::error::Kind as Blame;

use rig::{Ask, Rig, Shown, Spot, Stored};

/// How many spots are asked until the memory is looked at again: that takes as many requests as there are reads.
const EVERY: usize = 20;

/// An appliance under bad input. What does not hold is gathered, and said at the end.
struct Watch {
    rig: Rig,
    failures: RefCell<Vec<String>>,
    asked: Cell<usize>,
}

impl Watch {
    async fn new() -> Self {
        Self { rig: Rig::new().await, failures: RefCell::default(), asked: Cell::default() }
    }

    /// After `cases` of each of `spots` the appliance must be as it was: the store after each request (see
    /// [`Watch::refused`]), the memory after some spots.
    async fn unchanged<'s, T: 's>(
        &self,
        spots: impl IntoIterator<Item = (&'s Spot, T)>,
        cases: impl AsyncFn(&Self, &'s Spot, T),
    ) {
        let (stored, shown) = (self.rig.stored(), self.rig.shown().await);
        let mut since = String::new();
        for (spot, prepared) in spots {
            since.push_str(&format!("\n  {spot}"));
            cases(self, spot, prepared).await;
            self.asked.set(self.asked.get() + 1);
            if self.asked.get().is_multiple_of(EVERY) {
                self.compare(&stored, &shown, &since).await;
                since.clear();
            }
        }
        self.compare(&stored, &shown, &since).await;
    }

    async fn compare(&self, stored: &Stored, shown: &Shown, since: &str) {
        self.holds(self.rig.stored() == *stored, || format!("the store has changed by one of:{since}"));
        let now = self.rig.shown().await;
        let differs = || shown.iter().zip(&now).find(|(before, now)| before != now);
        self.holds(now == *shown, || format!("memory has changed by one of:{since}\n{:?}", differs()));
    }

    /// `ask` must be refused for `blame`, and leave the store as it is.
    async fn refused(&self, spot: &Spot, ask: Ask, blame: Blame, case: &str) {
        let before = self.rig.revision();
        let shown = ask.to_string();
        let answer = self.rig.ask(ask).await;
        let got = answer.as_ref().err().map(|refusal| refusal.kind);
        self.holds(got == Some(blame), || format!("{spot}, {case}, {shown}: not {blame:?}: {answer:?}"));
        let is_same = self.rig.revision() == before;
        self.holds(is_same, || format!("{spot}, {case}, {shown}: something was committed"));
    }

    fn holds(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.failures.borrow_mut().push(otherwise());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let failures = self.failures.borrow();
        if !std::thread::panicking() {
            assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
        }
    }
}

/// Values that a field of this kind cannot be.
fn wrong(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Any => &[],
        Kind::Text => &["{}", "[1]"],
        Kind::Int => &["\"x\"", "1.5", "[1]", "{}"],
        Kind::Bool => &["\"perhaps\"", "[true]", "{}"],
        Kind::Map => &["1", "\"x\"", "[]"],
        Kind::KvPairs => &["1", "\"x\"", "{\"a\": []}"],
        Kind::Seconds => &["\"soon\"", "true", "{}"],
        Kind::TextList => &["{}", "[[]]", "[{}]"],
        Kind::IntList => &["{}", "[\"x\"]", "\"x\""],
    }
}

/// A value that a field of this kind can be.
fn right(kind: Kind) -> &'static str {
    match kind {
        Kind::Any | Kind::Text => "\"thing\"",
        Kind::Int => "1",
        Kind::Bool => "false",
        Kind::Map | Kind::KvPairs => "{\"a\": \"b\"}",
        Kind::Seconds => "\"1h\"",
        Kind::TextList => "[\"thing\"]",
        Kind::IntList => "[1]",
    }
}

/// The operations that a route might offer.
const OPERATIONS: &[Operation] = &[
    Operation::Read,
    Operation::List,
    Operation::Scan,
    Operation::Update,
    Operation::Patch,
    Operation::Delete,
];

/// All spots, by path.
fn by_path(spots: &[Spot]) -> BTreeMap<String, Vec<&Spot>> {
    let mut paths: BTreeMap<String, Vec<&Spot>> = BTreeMap::new();
    for spot in spots {
        paths.entry(spot.path.clone()).or_default().push(spot);
    }
    paths
}
