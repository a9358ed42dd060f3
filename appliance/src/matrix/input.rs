//! Bodies and queries that are wrong.

use std::collections::BTreeSet;

use serde_json::Value;
use strongroom_engine::{Body, FieldSpec};
use strongroom_types::error::Kind as Blame;

use super::rig::{Ask, LARGEST, ROOT, Rig, Spot, spots};
use super::{Watch, right, wrong};

#[tokio::test(flavor = "multi_thread")]
async fn c15_a_field_of_a_wrong_type_is_refused_and_nothing_changes() {
    let (watch, spots) = (Watch::new().await, spots());
    let cases = async |watch: &Watch, spot: &Spot, ()| {
        for field in spot.entry.fields.iter().filter(|field| !field.is_rest()) {
            for value in wrong(field.kind) {
                let ask = spot.ask(ROOT).body(format!("{{\"{}\": {value}}}", field.name));
                watch.refused(spot, ask, Blame::BadRequest, "wrong type").await;
            }
        }
    };
    watch.unchanged(bodies(&spots), cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_a_query_of_a_wrong_type_is_refused() {
    use strongroom_engine::Kind::{Bool, Int, Seconds};
    let (watch, spots) = (Watch::new().await, spots());
    let cases = async |watch: &Watch, spot: &Spot, ()| {
        // A text is always a text, and a list of one.
        for field in spot.entry.fields.iter().filter(|field| [Int, Bool, Seconds].contains(&field.kind)) {
            let ask = spot.ask(ROOT).path(format!("{}?{}=perhaps", spot.path, field.name));
            watch.refused(spot, ask, Blame::BadRequest, "wrong type in the query").await;
        }
    };
    let reads = spots.iter().filter(|spot| !spot.entry.operation.is_write());
    watch.unchanged(reads.map(|spot| (spot, ())), cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_and_c22_a_body_that_is_no_object_or_too_much_is_refused_and_nothing_changes() {
    let (watch, spots) = (Watch::new().await, spots());
    let cases = async |watch: &Watch, spot: &Spot, ()| {
        for body in ["[]", "1", "\"x\"", "{", "{\"a\": 1,}", "\u{feff}{}", "a=b", "{}{}"] {
            watch.refused(spot, spot.ask(ROOT).body(body), Blame::BadRequest, "no object").await;
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(101), "}".repeat(101));
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(LARGEST));
        for body in [deep, large, " ".repeat(LARGEST + 1)] {
            watch.refused(spot, spot.ask(ROOT).body(body), Blame::TooLarge, "too much").await;
        }
        if spot.entry.body == Body::MergePatch {
            for other in [None, Some("application/json".to_owned()), Some("text/plain".to_owned())] {
                let ask = super::Ask { content_type: other, ..spot.ask(ROOT) };
                watch.refused(spot, ask, Blame::MediaType, "not a merge patch").await;
            }
        }
    };
    watch.unchanged(bodies(&spots), cases).await;
}

/// What reads a body.
fn bodies(spots: &[Spot]) -> impl Iterator<Item = (&Spot, ())> {
    spots.iter().filter(|spot| spot.has_body()).map(|spot| (spot, ()))
}

/// An object with what `spot` demands, but for `missing`.
fn without(spot: &Spot, missing: &FieldSpec) -> String {
    let needed = spot.entry.fields.iter().filter(|field| field.required && field.name != missing.name);
    let members: Vec<String> =
        needed.map(|field| format!("\"{}\": {}", field.name, right(field.kind))).collect();
    format!("{{{}}}", members.join(", "))
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_without_a_field_that_is_needed_nothing_is_done() {
    let (watch, spots) = (Watch::new().await, spots());
    let needed = |spot: &Spot| spot.entry.fields.iter().filter(|field| field.required).count();
    let seen: usize = bodies(&spots).map(|(spot, ())| needed(spot)).sum();
    assert!(seen > 15, "only {seen} fields are needed");
    let cases = async |watch: &Watch, spot: &Spot, ()| {
        for field in spot.entry.fields.iter().filter(|field| field.required) {
            let null = format!("{{\"{}\": null}}", field.name);
            for body in [without(spot, field), String::new(), "null".to_owned(), null] {
                let ask = spot.ask(ROOT).body(body);
                watch.refused(spot, ask, Blame::BadRequest, "a field is missing").await;
            }
        }
    };
    watch.unchanged(bodies(&spots), cases).await;
}

/// How a request ended, and what was warned of: nothing where there is no place for it.
type Ending = (Result<(), Blame>, Option<Vec<String>>);

/// What comes of this body or query. The appliance is another one afterwards if this one may have changed.
async fn ending(watch: &mut Watch, spot: &Spot, text: &str) -> Ending {
    ending_of(watch, spot, text, None).await
}

/// The same of an answer that is to be wrapped.
async fn ending_of(watch: &mut Watch, spot: &Spot, text: &str, wrap_ttl: Option<u64>) -> Ending {
    let is_write = spot.entry.operation.is_write();
    let (stored, shown) = (watch.rig.revision(), if is_write { watch.rig.shown().await } else { Vec::new() });
    let ask = match spot.has_body() {
        true => spot.ask(ROOT).body(text),
        false => spot.ask(ROOT).path(format!("{}{text}", spot.path)),
    };
    match watch.rig.ask(Ask { wrap_ttl, ..ask }).await {
        Ok(answer) => {
            if is_write {
                watch.rig = Rig::new().await;
            }
            let warnings = answer["warnings"].as_array();
            let text = |warning: &Value| warning.as_str().unwrap().to_owned();
            (Ok(()), warnings.map(|warnings| warnings.iter().map(text).collect()))
        }
        Err(refusal) => {
            let is_same = watch.rig.revision() == stored && (!is_write || watch.rig.shown().await == shown);
            watch.holds(is_same, || format!("{spot}, {text}: refused, and yet something has changed"));
            let blame = refusal.kind;
            watch.holds(blame != Blame::Internal, || format!("{spot}, {text}: {refusal:?}"));
            (Err(blame), None)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_an_empty_body_and_a_field_that_is_not_known_do_no_harm_and_the_latter_is_warned_of() {
    let mut watch = Watch::new().await;
    let spots = spots();
    let takes_any: BTreeSet<&str> = spots
        .iter()
        .filter(|spot| spot.entry.fields.iter().any(FieldSpec::is_rest))
        .map(|spot| spot.path.as_str())
        .collect();
    for spot in &spots {
        let (usual, unknown) = match spot.has_body() {
            true => ("{}", "{\"zz_unknown\": 1}"),
            false if spot.entry.operation.is_write() => continue, // a body that nobody reads
            false => ("", "?zz_unknown=1"),
        };
        let (usual, _) = ending(&mut watch, spot, usual).await;
        let (got, warnings) = ending(&mut watch, spot, unknown).await;
        if takes_any.contains(spot.path.as_str()) {
            continue; // nothing is unknown there
        }
        watch.holds(got == usual, || format!("{spot}: an unknown field makes a difference: {got:?}"));
        let is_told = |warnings: Vec<String>| warnings.iter().any(|text| text.contains("zz_unknown"));
        watch.holds(warnings.is_none_or(is_told), || format!("{spot}: nobody is told of an unknown field"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_an_answer_that_cannot_be_wrapped_is_refused_before_anything_changes() {
    let mut watch = Watch::new().await;
    let (mut answered, mut refused) = (0, 0);
    for spot in &spots() {
        let needed = spot.entry.fields.iter().filter(|field| field.required);
        let members: Vec<String> =
            needed.map(|field| format!("\"{}\": {}", field.name, right(field.kind))).collect();
        let text = if spot.has_body() { format!("{{{}}}", members.join(", ")) } else { String::new() };
        match ending_of(&mut watch, spot, &text, Some(60)).await {
            (Ok(()), _) => answered += 1,
            (Err(_), _) => refused += 1,
        }
    }
    assert!(answered > 50 && refused > 20, "{answered} answered, {refused} refused");
}
