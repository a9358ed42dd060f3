use proptest::prelude::*;

use super::*;

/// The value of `v` in a document of one attribute.
fn value(text: &str) -> Result<Value, HclError> {
    Document::parse(text).map(|document| document.body.get("v").unwrap().unwrap().value.clone())
}

fn list(texts: &[&str]) -> Value {
    Value::List(texts.iter().map(|text| Value::Text((*text).into())).collect())
}

#[test]
fn values_of_every_kind() {
    for (text, expected) in [
        (r#"v = "a""#, Value::Text("a".into())),
        (r#"v = "\n\t\r\"\\\u00e9\U0001f511\x41\101""#, Value::Text("\n\t\r\"\\é🔑AA".into())),
        (r##"v = "# no // comment /* ${x} {{y}}""##, Value::Text("# no // comment /* ${x} {{y}}".into())),
        ("v = -1.5e+3", Value::Number("-1.5e+3".into())),
        ("v = 0x1F", Value::Number("0x1F".into())),
        ("v = true", Value::Bool(true)),
        ("v = []", Value::List(vec![])),
        ("v = [\n\"a\", # one\n\"b\",\n]", list(&["a", "b"])),
        ("v = <<EOF\n  a\n\n  b\n  EOF\n", Value::Text("  a\n\n  b\n".into())),
        ("v = <<-EOF\n    a\n      b\n    EOF\n", Value::Text("a\n  b\n".into())),
        ("v = <<-EOF\n  a\n    EOF", Value::Text("  a\n".into())),
        ("v = <<EOF\nEOF", Value::Text(String::new())),
        ("{\"v\": \"\\ud83d\\udd11\\/\"}", Value::Text("🔑/".into())),
        ("{\"v\": 0e1}", Value::Number("0e1".into())),
        ("{\"v\": [true, \"a\"]}", Value::List(vec![Value::Bool(true), Value::Text("a".into())])),
    ] {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_malformed_is_refused_at_its_place() {
    for (text, message) in [
        ("v", "expected '=' or '{' after a key, found the end on line 1, column 2"),
        ("v =", "expected a value (texts are written in quotes), found the end on line 1, column 4"),
        ("v = = 1", "expected a value (texts are written in quotes), found '=' on line 1, column 5"),
        ("v \"a\" = 1", "expected '{' after a key and its labels, found '=' on line 1, column 7"),
        ("v = 1 }", "expected a key, found '}' on line 1, column 7"),
        ("v {", "expected a key or '}', found the end on line 1, column 4"),
        ("v { [", "expected a key or '}', found '[' on line 1, column 5"),
        ("v = [1 2]", "expected ',' or ']' in the list, found a number on line 1, column 8"),
        (
            "v = [\"a\" \"hidden\"]",
            "expected ',' or ']' in the list, found a text in quotes on line 1, column 10",
        ),
        ("v = \"a\nb\"", "this text has no closing quote on its line on line 1, column 5"),
        ("v = \"a\\q\"", "unknown escape in a text on line 1, column 7"),
        ("v = \"\\ud800\"", "unknown escape in a text on line 1, column 6"),
        ("\n /* x", "this comment has no end on line 2, column 2"),
        ("v = <<EOF\na", "this heredoc has no end on line 1, column 5"),
        ("v = <<", "a heredoc begins with <<WORD or <<-WORD alone at the end of a line on line 1, column 5"),
        ("v = 'a'", "unexpected character on line 1, column 5"),
        ("é = 1 \u{0}", "unexpected character on line 1, column 7"),
        ("v = 1.2.3", "this is not a number; texts and durations are written in quotes on line 1, column 5"),
        ("{", "expected a text in double quotes on line 1, column 2"),
        ("{\"v\"}", "expected ':' on line 1, column 5"),
        ("{\"v\": 01}", "this is not a number on line 1, column 7"),
        ("{\"v\": 1 2}", "expected ',' or '}' on line 1, column 9"),
        ("{\"v\": [1 2]}", "expected ',' or ']' on line 1, column 10"),
        ("{\"v\": [null]}", "null has no meaning in a list on line 1, column 8"),
        ("{\"v\": nil}", "expected a value on line 1, column 7"),
        ("{\"v\": \"\\udd11\"}", "unknown escape in a text on line 1, column 8"),
        ("{\"v\": \"a\tb\"}", "a control character in a text on line 1, column 9"),
    ] {
        assert_eq!(value(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn errors_never_repeat_a_value() {
    for text in
        ["pin = \"hunter2\" \"hunter2\"", "pin = [\"hunter2\"", "{\"pin\": \"hunter2", "pin = \"hunter2\\z\""]
    {
        assert!(!Document::parse(text).unwrap_err().to_string().contains("hunter2"), "{text}");
    }
    let body = Document::parse("pin = \"hunter2\"").unwrap().body;
    let pin = body.get("pin").unwrap().unwrap();
    assert_eq!(pin.integer().unwrap_err().what, "\"pin\" is not an integer");
    assert_eq!(pin.block().unwrap_err().what, "\"pin\" is not a block");
}

#[test]
fn order_duplicates_and_places_are_kept() {
    let body = Document::parse("b = 1\n  a \"x\" y { c = 2 }\nb = 3").unwrap().body;
    let places: Vec<_> =
        body.items().iter().map(|item| (item.key.as_str(), item.line, item.column)).collect();
    assert_eq!(places, [("b", 1, 1), ("a", 2, 3), ("b", 3, 1)]);
    assert_eq!(body.items()[1].labels, ["x", "y"]);
    assert_eq!(body.get("b").unwrap_err().to_string(), "\"b\" is given twice on line 3, column 1");
    assert_eq!(body.get("c"), Ok(None));
}

#[test]
fn blocks_are_found_however_they_are_written() {
    for text in [
        "k \"a\" \"b\" { x = 1 }",
        "k a { b { x = 1 } }",
        "k = { \"a\" = { \"b\" = { x = 1 } } }",
        "{\"k\": {\"a\": {\"b\": {\"x\": 1}}}}",
        "{\"k\": [{\"a\": [{\"b\": [{\"x\": 1}]}]}]}",
    ] {
        let body = Document::parse(text).unwrap().body;
        let blocks = body.blocks("k", 2).unwrap();
        assert_eq!(blocks.len(), 1, "{text}");
        assert_eq!(blocks[0].labels, ["a", "b"], "{text}");
        assert_eq!(blocks[0].body.get("x").unwrap().unwrap().integer(), Ok(1), "{text}");
    }
    let fails = |text: &str| Document::parse(text).unwrap().body.blocks("k", 1).unwrap_err().to_string();
    assert_eq!(fails("k = 1"), "\"k\" is not a block with 1 label(s) on line 1, column 1");
    assert_eq!(fails("k { a = 1 }"), "\"k\" is not a block with 1 label(s) on line 1, column 5");
    assert_eq!(fails("k a b {}"), "\"k\" takes 1 label(s) on line 1, column 1");
}

#[test]
fn scalars_are_read_as_vault_reads_them() {
    for (text, boolean, integer, duration) in [
        ("v = 1", Some(true), Some(1), Some(1_000_000_000)),
        ("v = \"0\"", Some(false), Some(0), Some(0)),
        ("v = \"true\"", Some(true), None, None),
        ("v = false", Some(false), None, None),
        ("v = \"90s\"", None, None, Some(90_000_000_000)),
        ("v = \"0640\"", None, Some(0o640), Some(640_000_000_000)),
        ("v = 0x10", None, Some(16), None),
        ("v = -5", None, Some(-5), Some(-5_000_000_000)),
        ("v = \"--5\"", None, None, None),
        ("v = \"0x-5\"", None, None, None),
        ("v = \"\"", None, None, None),
        ("v = 99999999999999999999", None, None, None),
        ("v = []", None, None, None),
    ] {
        let value = value(text).unwrap();
        assert_eq!(
            (value.as_bool(), value.as_integer(), value.as_duration()),
            (boolean, integer, duration),
            "{text}"
        );
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |open: &str, close: &str, n: usize| format!("v = {}{}", open.repeat(n), close.repeat(n));
    assert!(Document::parse(&nested("[", "]", MAX_DEPTH)).is_ok());
    for text in [
        nested("[", "]", MAX_DEPTH + 1),
        nested("{ v = ", "}", 20_000),
        "a {".repeat(20_000),
        format!("{{\"v\": {}", "[".repeat(20_000)),
        "{\"v\":".repeat(20_000),
    ] {
        assert_eq!(Document::parse(&text).unwrap_err().what, "nested deeper than 64");
    }
    assert_eq!(
        Document::parse(&" ".repeat(MAX_BYTES + 1)).unwrap_err().what,
        "the document is longer than 1048576 bytes"
    );
}

/// Pieces that are likely to get far into the grammar.
fn document() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "path",
        "\"a/*\"",
        "{",
        "}",
        "[",
        "]",
        "=",
        ",",
        ":",
        "\n",
        " ",
        "\"",
        "\\",
        "\\u00",
        "<<EOF\n",
        "EOF\n",
        "<<-",
        "#",
        "/*",
        "*/",
        "//",
        "true",
        "null",
        "-1",
        "0x",
        "1e",
        "é",
        "capabilities",
        "\"read\"",
        "\u{feff}",
        "\r",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_within_itself(text in prop_oneof![document(), "\\PC{0,80}", "\\{[\\PC]{0,60}"]) {
        if let Err(error) = Document::parse(&text) {
            let lines = text.split('\n').count();
            prop_assert!(error.line as usize <= lines && error.column >= 1, "{}", error);
        }
    }

    #[test]
    fn hcl_and_json_of_one_value_agree(texts in prop::collection::vec("\\PC{0,12}", 0..5)) {
        let json = serde_json::to_string(&texts).unwrap();
        prop_assert_eq!(value(&format!("{{\"v\": {json}}}")), value(&format!("v = {json}")));
    }
}
