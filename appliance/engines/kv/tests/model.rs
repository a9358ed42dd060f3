//! Version 2 against a model of it that is as simple as can be, over random histories.

// Also the helpers of a test may end it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_engine::Entropy;
use strongroom_engine::testing::{Mount, Seeded};
use strongroom_engine_kv::ENGINE;

/// What the model keeps of a version.
#[derive(Clone)]
struct Version {
    data: Value,
    deleted: bool,
    destroyed: bool,
}

/// All versions of a secret that are kept, and the number of the newest.
#[derive(Clone, Default)]
struct Secret {
    newest: u64,
    versions: BTreeMap<u64, Version>,
    max_versions: u64,
}

type Model = BTreeMap<&'static str, Secret>;

const PATHS: [&str; 5] = ["a", "a/b", "a/1", "b", "b/c/d"];

struct Dice(Seeded);

impl Dice {
    fn below(&self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).unwrap();
        u64::from_le_bytes(bytes) % limit
    }
}

#[test]
fn random_histories_end_as_the_model_says() {
    for seed in 0..40 {
        let dice = Dice(Seeded::new(seed));
        let mount = Mount::new(&ENGINE, &[("version", "2")]);
        let mut model = Model::new();
        for step in 0..150 {
            act(&mount, &mut model, &dice, step);
            let path = PATHS[usize::try_from(dice.below(5)).unwrap()];
            compare(&mount, model.get(path), path, dice.below(14));
        }
        let mut keys: Vec<&str> = model.keys().copied().collect();
        keys.sort_unstable();
        assert_eq!(mount.scan("metadata").keys(), keys, "seed {seed}");
    }
}

/// One random request, to the engine and to the model.
fn act(mount: &Mount, model: &mut Model, dice: &Dice, step: u64) {
    let path = PATHS[usize::try_from(dice.below(5)).unwrap()];
    let at = |kind: &str| format!("{kind}/{path}");
    let newest = model.get(path).map_or(0, |secret| secret.newest);
    match dice.below(9) {
        0..=2 => {
            let data = json!({ "step": step, "k": { step.to_string(): true } });
            let cas = dice.below(4).checked_sub(1).map(|off| newest.saturating_sub(off));
            let options = cas.map_or(json!({}), |cas| json!({ "cas": cas }));
            let answer = mount.post(&at("data"), json!({ "data": data, "options": options }));
            if cas.is_some_and(|cas| cas != newest) {
                answer.status(400);
            } else {
                assert_eq!(answer.status(200).at("data.version"), newest + 1);
                model.entry(path).or_default().add(data);
            }
        }
        3 => {
            let answer = mount.patch(&at("data"), json!({"data": {"k": null, "patched": step}}));
            let secret = model.get_mut(path);
            let old = secret.and_then(|secret| Some((secret.versions.get(&newest)?.clone(), secret)));
            match old {
                Some((old, secret)) if !old.deleted && !old.destroyed => {
                    answer.status(200);
                    let mut data = old.data;
                    data.as_object_mut().unwrap().remove("k");
                    data["patched"] = step.into();
                    secret.add(data);
                }
                _ => drop(answer.status(404)),
            }
        }
        4 => {
            mount.delete(&at("data")).status(204);
            change(model, path, &[newest], |version| version.deleted = true);
        }
        5 => {
            let numbers = [dice.below(newest + 2), dice.below(newest + 2)];
            mount.post(&at("delete"), json!({ "versions": numbers })).status(204);
            change(model, path, &numbers, |version| version.deleted = true);
        }
        6 => {
            let numbers = [dice.below(newest + 2), dice.below(newest + 2)];
            mount.post(&at("undelete"), json!({ "versions": numbers })).status(204);
            change(model, path, &numbers, |version| version.deleted = false);
        }
        7 => {
            let number = dice.below(newest + 2);
            mount.post(&at("destroy"), json!({ "versions": [number] })).status(204);
            change(model, path, &[number], |version| version.destroyed = true);
        }
        _ if dice.below(3) == 0 => {
            mount.delete(&at("metadata")).status(204);
            model.remove(path);
        }
        _ => {
            let max_versions = dice.below(13);
            mount.post(&at("metadata"), json!({ "max_versions": max_versions })).status(204);
            model.entry(path).or_default().max_versions = max_versions;
        }
    }
}

impl Secret {
    fn add(&mut self, data: Value) {
        self.newest += 1;
        self.versions.insert(self.newest, Version { data, deleted: false, destroyed: false });
        let kept = if self.max_versions == 0 { 10 } else { self.max_versions };
        let newest = self.newest;
        self.versions.retain(|number, _| number + kept > newest);
    }
}

/// What is destroyed stays so, and its deletion does not show.
fn change(model: &mut Model, path: &str, numbers: &[u64], to: impl Fn(&mut Version)) {
    let Some(secret) = model.get_mut(path) else { return };
    for number in numbers {
        if let Some(version) = secret.versions.get_mut(number) {
            to(version);
        }
    }
}

/// Whether the engine says of version `number` (0: the newest) what the model says.
fn compare(mount: &Mount, secret: Option<&Secret>, path: &str, number: u64) {
    let answer = mount.get(&format!("data/{path}?version={number}"));
    let secret = secret.filter(|secret| secret.newest > 0);
    let wanted = secret.map_or(0, |secret| if number == 0 { secret.newest } else { number });
    match secret.and_then(|secret| secret.versions.get(&wanted)) {
        None => assert_eq!(answer.status(404).at("data"), &Value::Null),
        Some(version) if version.deleted || version.destroyed => {
            let answer = answer.status(404);
            assert_eq!(answer.at("data.metadata.destroyed"), version.destroyed);
            assert_eq!(answer.at("data.data"), &Value::Null);
        }
        Some(version) => {
            let answer = answer.status(200);
            assert_eq!(answer.at("data.data"), &version.data, "{path} {number}");
            assert_eq!(answer.at("data.metadata.version"), wanted);
        }
    }
}
