//! Routes for people, and for programs.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};
use strongroom_core::OPEN_BY_CONFIGURATION;
use strongroom_engine::FieldSpec;
use strongroom_engine::surface::{Entry, Rule};

/// Columns, what the configuration may open besides, and a line that counts.
pub fn table(entries: &[Entry]) -> String {
    let rows: Vec<[String; 3]> =
        entries.iter().map(|entry| [entry.method().to_owned(), entry.shown_path(), rule(entry)]).collect();
    let width = |column: fn(&[String; 3]) -> &String| rows.iter().map(|row| column(row).len()).max();
    let (paths, rules) = (width(|[_, path, _]| path).unwrap_or(0), width(|[_, _, rule]| rule).unwrap_or(0));
    let mut out = String::new();
    for ([method, path, rule], entry) in rows.iter().zip(entries) {
        let _ = writeln!(out, "{method:6}  {path:paths$}  {rule:rules$}  {}", entry.summary);
    }
    for (method, path, wish) in OPEN_BY_CONFIGURATION.iter().filter(|_| !entries.is_empty()) {
        let _ = writeln!(out, "{method} {path}: without a token on a listener that has {wish}");
    }
    let _ = write!(out, "{}", count(entries));
    out
}

/// `5 operations on 4 paths; …`
fn count(entries: &[Entry]) -> String {
    let paths = |wanted: fn(&Entry) -> bool| -> usize {
        entries.iter().filter(|e| wanted(e)).map(Entry::shown_path).collect::<BTreeSet<_>>().len()
    };
    format!(
        "{} operations on {} paths: {} without authentication, {} without an authorisation rule",
        entries.len(),
        paths(|_| true),
        paths(|entry| entry.rule.is_open()),
        paths(|entry| entry.rule == Rule::Missing),
    )
}

/// What decides, in words.
fn rule(entry: &Entry) -> String {
    match entry.rule {
        Rule::AccessList => format!("policy: {}", capability(entry)),
        Rule::Sudo => format!("policy: {} and sudo", capability(entry)),
        Rule::Instead(words) => format!("no token: {words}"),
        Rule::Missing => "NOTHING".to_owned(),
    }
}

fn capability(entry: &Entry) -> &'static str {
    if entry.tells_create && entry.method() == "POST" { "create or update" } else { entry.operation.name() }
}

/// An array of objects.
pub fn json(entries: &[Entry]) -> String {
    format!("{:#}", Value::from_iter(entries.iter().map(object)))
}

fn object(entry: &Entry) -> Value {
    let fields: Vec<&str> = entry.fields.iter().filter(|f| !f.is_rest()).map(|field| field.name).collect();
    json!({
        "method": entry.method(),
        "path": entry.shown_path(),
        "unauthenticated": entry.rule.is_open(),
        "sudo": entry.rule == Rule::Sudo,
        "rule": (entry.rule != Rule::Missing).then(|| rule(entry)),
        "summary": entry.summary,
        "fields": fields,
        "any_field": entry.fields.iter().any(FieldSpec::is_rest),
    })
}
