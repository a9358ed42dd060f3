//! The spelling of policies' names.

use proptest::prelude::*;

use crate::{NameError, PolicyName};

#[test]
fn names_are_trimmed_and_in_lower_case() {
    for (text, name) in [
        ("dev", "dev"),
        (" Dev-Ops ", "dev-ops"),
        ("a b", "a b"),
        ("\tROOT\n", "root"),
        ("a..b", "a..b"),
        ("É", "é"),
    ] {
        assert_eq!(PolicyName::parse(text).unwrap().as_str(), name);
    }
}

#[test]
fn built_in_policies_are_protected() {
    let name = |text: &str| PolicyName::parse(text).unwrap();
    let text = |result: Result<(), NameError>| result.map_err(|error| error.to_string());
    let refused = |words: &str| Err(words.to_owned());
    assert_eq!(text(name("root").check_update()), refused("cannot update \"root\" policy"));
    assert_eq!(
        text(name("response-wrapping").check_update()),
        refused("cannot update \"response-wrapping\" policy")
    );
    assert_eq!(text(name("root").check_delete()), refused("cannot delete \"root\" policy"));
    assert_eq!(text(name("Default").check_delete()), refused("cannot delete default policy"));
    assert_eq!(
        text(name("response-wrapping").check_assign()),
        refused("cannot assign policy \"response-wrapping\"")
    );
    assert_eq!(text(name("root").check_assign_lasting()), refused("cannot assign policy \"root\""));
    for (name, update, delete, assign, lasting) in [
        ("root", false, false, true, false),
        ("default", true, false, true, true),
        ("dev", true, true, true, true),
    ] {
        let name = PolicyName::parse(name).unwrap();
        let checks =
            (name.check_update(), name.check_delete(), name.check_assign(), name.check_assign_lasting());
        let checks = (checks.0.is_ok(), checks.1.is_ok(), checks.2.is_ok(), checks.3.is_ok());
        assert_eq!(checks, (update, delete, assign, lasting), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_canonical_name_is_its_own_canonical_name(text in "\\PC{0,20}|[ A-Za-zΣİK\u{a0}]{0,8}") {
        if let Ok(name) = PolicyName::parse(&text) {
            prop_assert_eq!(PolicyName::parse(name.as_str()), Ok(name.clone()));
        }
    }
}
