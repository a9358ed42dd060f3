//! `strongroom routes`: every operation that this program can answer, and what decides whether somebody may have it
//! answered. It reads the route tables; there is no server.
//!
//! Engines and auth methods are shown where they could be mounted: `/{kv}/…`, `/auth/{userpass}/…`.

mod print;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use strongroom_engine::surface::{Entry, Rule, of_engine};
use strongroom_engine::{Engine, Handler, MountOptions, Table};

use crate::registry::{ENGINES, METHODS};
use crate::say;

const USAGE: &str = "Usage: strongroom routes [options]

  Lists every operation that this program answers: what is asked, what decides whether somebody may, and what it is
  for. No server is needed.

      $ strongroom routes -unauthenticated

  -unauthenticated    only what needs no token
  -without-rule       only what nothing decides about; there should be none
  -format=FORMAT      table, unless json is asked for (VAULT_FORMAT)";

/// The command, with the arguments after its name.
pub fn main(arguments: &[String]) -> ExitCode {
    match parse(arguments, std::env::var("VAULT_FORMAT").ok()) {
        Ok(Some(wish)) => {
            say::out(&answer(&wish));
            ExitCode::SUCCESS
        }
        Ok(None) => {
            say::out(USAGE);
            ExitCode::SUCCESS
        }
        Err(what) => say::failure(&format!("routes: {what}\n\n{USAGE}")),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    unauthenticated: bool,
    without_rule: bool,
    json: bool,
}

/// `None` asks for help.
fn parse(arguments: &[String], format: Option<String>) -> Result<Option<Wish>, String> {
    let mut wish = Wish::default();
    let mut format = format.filter(|format| !format.is_empty()).unwrap_or_else(|| "table".to_owned());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let flag = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
        match flag.map(|flag| flag.split_once('=').unwrap_or((flag, ""))) {
            Some(("h" | "help", "")) => return Ok(None),
            Some(("unauthenticated", "")) => wish.unauthenticated = true,
            Some(("without-rule", "")) => wish.without_rule = true,
            Some(("format", "")) => rest.next().ok_or("-format needs a value")?.clone_into(&mut format),
            Some(("format", value)) => value.clone_into(&mut format),
            _ => return Err(format!("{argument} is not known")),
        }
    }
    wish.json = match format.as_str() {
        "table" => false,
        "json" => true,
        _ => return Err(format!("there is no format {format}: table and json are")),
    };
    Ok(Some(wish))
}

fn answer(wish: &Wish) -> String {
    let wanted = |entry: &Entry| {
        (!wish.unauthenticated || entry.rule.is_open()) && (!wish.without_rule || entry.rule == Rule::Missing)
    };
    let entries: Vec<Entry> = all().into_iter().filter(wanted).collect();
    if wish.json { print::json(&entries) } else { print::table(&entries) }
}

/// Every operation: core's own, then each engine's, then each auth method's.
pub fn all() -> Vec<Entry> {
    let mut all = strongroom_core::surface();
    for engine in ENGINES {
        for (options, table) in tables(engine) {
            all.extend(of_engine(&format!("{{{}{options}}}", engine.kind), table));
        }
    }
    for method in METHODS {
        for (options, table) in tables(&method.engine) {
            all.extend(of_engine(&format!("auth/{{{}{options}}}", method.engine.kind), table));
        }
    }
    all
}

/// The tables of an engine, each with the options that choose it.
pub fn tables(engine: &Engine) -> Vec<(String, Table<Handler>)> {
    let mut tables: Vec<(String, Table<Handler>)> = Vec::new();
    for version in ["", "1", "2"] {
        let options: MountOptions =
            (!version.is_empty()).then(|| ("version".to_owned(), version.to_owned())).into_iter().collect();
        let Ok(table) = (engine.routes)(&options) else { continue };
        let paths = |table: Table<Handler>| table.iter().map(|route| route.path);
        if tables.iter().all(|(_, known)| paths(known).ne(paths(table))) {
            let options = options.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            tables.push((options, table));
        }
    }
    tables
}
