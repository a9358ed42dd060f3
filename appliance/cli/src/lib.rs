//! The command line: the verbs, flags, formats and exit codes of the `vault` command. It speaks HTTP(S) and nothing else.
//!
//! | module | holds |
//! |---|---|
//! | [`verb`] | what a verb is: its words, its flags, its help, its function, as data |
//! | [`verbs`] | the table of verbs; one file per family |
//! | [`args`] | flags: `-x` and `--x`, `-x=v` and `-x v` |
//! | [`io`] | the streams, the environment and the terminal, all of them parameters |
//! | [`client`] | one request over HTTP or HTTPS |
//! | [`hcl_fmt`] | the usual form of a policy's text |
//! | [`completion`] | what a shell offers for the word that is being typed |
//! | [`secret`] | an answer, read as Vault's clients read it |
//! | [`show`] | tables, JSON, YAML, single fields |
//! | [`sudo`] | which paths ask for sudo, for `-output-policy` |
//!
//! Exit codes: 0 done, 1 our own mistake or the caller's (flags, arguments, files), 2 the server's answer or sealed,
//! 127 no such verb. What a verb says goes to stdout; what went wrong goes to stderr.

mod args;
mod client;
mod completion;
mod env;
mod hcl_fmt;
mod help;
mod input;
mod io;
mod secret;
mod show;
pub mod sudo;
mod token;
mod verb;
mod verbs;

#[cfg(test)]
mod walk;

pub use io::{CheckConfiguration, Io, Notice, Prompt};

use args::Parsed;
use verb::{Call, Failure, Verb};

/// As clients and people see it: semver, at least 1.20.0, our own version as build metadata.
pub const VERSION: &str = concat!("1.20.0+strongroom.", env!("CARGO_PKG_VERSION"));

/// Runs one command line, without the program's name. The exit code.
pub fn run(args: Vec<String>, io: &mut Io) -> u8 {
    if completion::answer(verbs::TABLE, io) {
        return 0;
    }
    let code = match dispatch(args, io) {
        Ok(code) => code,
        Err(Failure { code, text }) => {
            match (text.is_empty(), code) {
                (true, _) => {}
                (false, 0) => io.say(&text),
                (false, _) => io.error(&text),
            }
            code
        }
    };
    io.flush();
    code
}

fn dispatch(args: Vec<String>, io: &mut Io) -> Result<u8, Failure> {
    match args.first().map(String::as_str) {
        None => return Err(Failure { code: verb::UNKNOWN, text: help::overview(verbs::TABLE) }),
        Some("-v" | "-version" | "--version") => return verbs::version::print(io),
        Some("-autocomplete-install" | "--autocomplete-install") => {
            return verbs::completion::change(io, true);
        }
        Some("-autocomplete-uninstall" | "--autocomplete-uninstall") => {
            return verbs::completion::change(io, false);
        }
        Some("-h" | "-help" | "--help" | "help") => {
            io.say(&help::overview(verbs::TABLE));
            return Ok(0);
        }
        Some(flag) if flag.starts_with('-') => {
            return Err(Failure::local(format!(
                "the flag {flag} stands before the command: put it behind, as in \"strongroom read {flag} PATH\""
            )));
        }
        Some(_) => {}
    }
    match verb::find(verbs::TABLE, &args) {
        verb::Found::Verb(verb, rest) => one(verb, rest, io),
        verb::Found::Help(group) => {
            io.say(&help::group(verbs::TABLE, &group));
            Ok(0)
        }
        verb::Found::Group(group, unknown) => {
            Err(Failure::local(help::unknown_in_group(verbs::TABLE, &group, unknown)))
        }
        verb::Found::Nothing(word) => {
            Err(Failure { code: verb::UNKNOWN, text: help::unknown_verb(verbs::TABLE, word) })
        }
    }
}

fn one(verb: &'static Verb, rest: &[String], io: &mut Io) -> Result<u8, Failure> {
    let Parsed { flags, arguments, help } = args::parse(verb, rest)?;
    if help {
        io.say(&help::verb(verb));
        return Ok(0);
    }
    args::check_count(verb, arguments.len())?;
    let format = show::Format::chosen(&flags, io)?;
    if format == show::Format::Raw && !verb.raw {
        return Err(Failure::local("This command does not support the -format=raw option."));
    }
    (verb.run)(&mut Call { flags, arguments, format, io })
}
