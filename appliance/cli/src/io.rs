//! The streams, the environment and the terminal of a call: parameters, so that tests own them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use strongroom_types::time::SystemClock;
use strongroom_types::{Clock, Secret};
use zeroize::Zeroizing;

use crate::show::clean;

/// Longest secret that is typed or read from stdin for one.
const MAX_TYPED: usize = 64 * 1024;
/// Longest document that is read from stdin or a file.
const MAX_INPUT: u64 = 64 * 1024 * 1024;

/// Where a call reads, writes and asks.
pub struct Io {
    /// As this program was called: `strongroom`, or a link to it, with a path or without.
    pub program: PathBuf,
    /// Standard input.
    pub stdin: Box<dyn Read>,
    /// Standard output.
    pub stdout: Box<dyn Write>,
    /// Standard error.
    pub stderr: Box<dyn Write>,
    /// Whether stdout is a terminal: a single field then ends with a line end.
    pub to_terminal: bool,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// What relative paths are relative to.
    pub folder: PathBuf,
    /// Tells a person what is waited for; None where nobody looks.
    pub notice: Option<Notice>,
    /// What time it is.
    pub clock: Box<dyn Clock>,
    /// Asks a person.
    pub prompt: Box<dyn Prompt>,
    /// Checks a server's configuration, which files or folders make together.
    pub check_configuration: CheckConfiguration,
}

/// What is worth knowing of a configuration that can be used; or everything that is wrong with it.
pub type CheckConfiguration = fn(&[PathBuf]) -> Result<Vec<String>, Vec<String>>;

/// Takes a line for a person who waits.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Asks a person for something that must not be seen.
pub trait Prompt {
    /// One line, typed without echo. An error where there is no terminal.
    fn hidden(&mut self) -> io::Result<Secret>;
}

impl Io {
    /// The process's own; what configurations are is the server's affair.
    pub fn system(check_configuration: CheckConfiguration) -> Self {
        Self {
            program: std::env::args_os().next().map_or_else(|| "strongroom".into(), PathBuf::from),
            stdin: Box::new(io::stdin()),
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            to_terminal: io::stdout().is_terminal(),
            env: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            folder: PathBuf::from("."),
            notice: io::stderr().is_terminal().then(|| -> Notice {
                Arc::new(|text| {
                    let _ = writeln!(io::stderr(), "{text}");
                })
            }),
            clock: Box::new(SystemClock),
            prompt: Box::new(Terminal),
            check_configuration,
        }
    }

    /// The user's home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.env.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
    }

    /// The name this program was called by: `strongroom`, or that of a link to it.
    pub fn name(&self) -> &str {
        self.program.file_name().and_then(OsStr::to_str).unwrap_or("strongroom")
    }

    /// A line (or lines) on stdout. A closed pipe is no error: whoever reads has read enough.
    pub fn say(&mut self, text: &str) {
        self.say_raw(text);
        self.say_raw("\n");
    }

    /// Text on stdout: to a program as it is, to a terminal without what would command it.
    pub fn say_raw(&mut self, text: &str) {
        let text = if self.to_terminal { clean(text) } else { text.into() };
        let _ = self.stdout.write_all(text.as_bytes());
    }

    /// Text on stdout that is to be seen at once; an error once nobody reads it any more.
    pub fn say_now(&mut self, text: &str) -> io::Result<()> {
        let text = if self.to_terminal { clean(text) } else { text.into() };
        self.stdout.write_all(text.as_bytes())?;
        self.stdout.flush()
    }

    /// A line (or lines) on stderr, which people read: without what would command a terminal.
    pub fn error(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "{}", clean(text.trim_end()));
    }

    /// Everything said is on its way.
    pub fn flush(&mut self) {
        let _ = self.stdout.flush();
        let _ = self.stderr.flush();
    }

    /// All of stdin.
    pub fn read_stdin(&mut self) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut all = Zeroizing::new(Vec::new());
        (&mut self.stdin).take(MAX_INPUT).read_to_end(&mut all)?;
        Ok(all)
    }

    /// All of a file.
    pub fn read_file(&self, name: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut all = Zeroizing::new(Vec::new());
        std::fs::File::open(self.folder.join(Path::new(name)))?.take(MAX_INPUT).read_to_end(&mut all)?;
        Ok(all)
    }

    /// Asks `question` on stdout and reads the answer without echo.
    pub fn ask_hidden(&mut self, question: &str) -> io::Result<Secret> {
        self.say_raw(question);
        self.flush();
        let answer = self.prompt.hidden();
        self.say_raw("\n");
        answer
    }
}

/// The terminal on stdin.
struct Terminal;

impl Prompt for Terminal {
    fn hidden(&mut self) -> io::Result<Secret> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Err(io::Error::other("file descriptor 0 is not a terminal"));
        }
        let _silent = Silent::new()?;
        // Byte by byte, past the buffer of `Stdin`, which would keep a copy.
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_TYPED));
        loop {
            let mut byte = [0];
            match nix::unistd::read(stdin.as_fd(), &mut byte)? {
                0 => break,
                _ if matches!(byte, [b'\n' | b'\r']) => break,
                _ if line.len() == MAX_TYPED => return Err(io::Error::other("the line is too long")),
                _ => line.extend_from_slice(&byte),
            }
        }
        Ok(Secret::copy_of(line.trim_ascii()))
    }
}

/// A terminal without echo until it is dropped.
struct Silent(Termios);

impl Silent {
    fn new() -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}
