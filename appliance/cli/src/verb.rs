//! What a verb is, as data: the dispatcher, the parser of flags and the help all read it.

use crate::args::{Flag, Flags};
use crate::client::{Client, ClientError};
use crate::io::Io;
use crate::show::Format;

/// The exit code of a command line that names no verb.
pub const UNKNOWN: u8 = 127;
/// The exit code of what the server refused, and of a sealed `status`.
pub const REMOTE: u8 = 2;
/// The exit code of our own mistakes and the caller's.
pub const LOCAL: u8 = 1;

/// A verb.
pub struct Verb {
    /// `["kv", "get"]`.
    pub words: &'static [&'static str],
    /// One line for people.
    pub about: &'static str,
    /// What it takes beside flags: `PATH [KEY=VALUE...]`.
    pub takes: &'static str,
    /// A command line that can be copied.
    pub example: &'static str,
    /// How many arguments at least.
    pub min: usize,
    /// How many at most; None is any number.
    pub max: Option<usize>,
    /// Its flags, by family.
    pub flags: &'static [&'static [Flag]],
    /// What its first argument is, for the completion of the shell.
    pub first: First,
    /// Whether `-format=raw` makes sense.
    pub raw: bool,
    /// What it does; the exit code.
    pub run: fn(&mut Call<'_>) -> Result<u8, Failure>,
}

/// What the first argument of a verb is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// Nothing that could be completed.
    Other,
    /// A path of the API.
    Path,
    /// A secret's path, as `kv` takes it.
    Secret,
    /// A mounted engine.
    Mount,
    /// A mounted way to log in.
    Auth,
    /// A policy's name.
    Policy,
    /// An audit device.
    Device,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// All verbs, by family.
#[derive(Clone, Copy)]
pub struct Table(pub &'static [&'static [Verb]]);

impl Table {
    /// One after the other, in the order of the help.
    pub fn iter(self) -> impl Iterator<Item = &'static Verb> {
        self.0.iter().copied().flatten()
    }

    /// Those whose first words are `words`.
    pub fn below(self, words: &[&str]) -> impl Iterator<Item = &'static Verb> {
        self.iter().filter(move |verb| verb.words.starts_with(words))
    }
}

/// One call of a verb.
pub struct Call<'a> {
    /// Its flags.
    pub flags: Flags,
    /// What is no flag.
    pub arguments: Vec<String>,
    /// How to print.
    pub format: Format,
    /// Where to print.
    pub io: &'a mut Io,
}

impl Call<'_> {
    /// The argument at `index`, from 0; empty if there is none.
    pub fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }

    /// The same as a path: without spaces and slashes around it.
    pub fn path(&self, index: usize) -> String {
        sanitize(self.argument(index))
    }

    /// A client as the flags and the environment describe it.
    pub fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.flags, self.io)
    }
}

/// A path as people type it: spaces and slashes around it do not count.
pub fn sanitize(path: &str) -> String {
    path.trim().trim_matches('/').to_owned()
}

/// Why a command line ends without success.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// For stderr, or for stdout where the code is 0; empty when all has been said.
    pub text: String,
}

impl Failure {
    /// The caller's mistake, or ours.
    pub fn local(text: impl Into<String>) -> Self {
        Self { code: LOCAL, text: text.into() }
    }

    /// The server's answer, or that there is none.
    pub fn remote(text: impl Into<String>) -> Self {
        Self { code: REMOTE, text: text.into() }
    }

    /// What the client says, after what was tried.
    pub fn during(what: impl std::fmt::Display, cause: &ClientError) -> Self {
        Self::with_code(REMOTE, what, cause)
    }

    /// The same with another exit code.
    pub fn with_code(code: u8, what: impl std::fmt::Display, cause: &ClientError) -> Self {
        match cause {
            // What the caller wants to see was made, and nothing else.
            ClientError::Instead(text) => Self { code: 0, text: text.clone() },
            _ => Self { code, text: format!("{what}: {cause}") },
        }
    }
}

/// What a command line names.
pub enum Found<'a> {
    /// A verb, and what follows its words.
    Verb(&'static Verb, &'a [String]),
    /// A group whose help is asked for.
    Help(Vec<&'a str>),
    /// A group, with a word that is none of its verbs, or with nothing.
    Group(Vec<&'a str>, Option<&'a str>),
    /// Nothing there is.
    Nothing(&'a str),
}

/// The verb that `args` begin with.
pub fn find<'a>(table: Table, args: &'a [String]) -> Found<'a> {
    let mut known: Vec<&'a str> = Vec::new();
    for word in args {
        let mut longer: Vec<&str> = known.clone();
        longer.push(word);
        if table.below(&longer).next().is_none() {
            break;
        }
        known = longer;
        if let Some(verb) = table.iter().find(|verb| verb.words == known.as_slice()) {
            return Found::Verb(verb, args.get(known.len()..).unwrap_or_default());
        }
    }
    let next = args.get(known.len()).map(String::as_str);
    match (known.is_empty(), next) {
        (true, next) => Found::Nothing(next.unwrap_or_default()),
        (false, Some("-h" | "-help" | "--help")) => Found::Help(known),
        (false, next) => Found::Group(known, next),
    }
}
