//! A program that keeps the token: `token_helper = "/path"` in `~/.vault`, or in the file that `VAULT_CONFIG_PATH` names.
//! It is called with `get`, `store` or `erase`; the token goes through its stdin and stdout.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use strongroom_policy::hcl::Document;
use strongroom_types::Secret;

use crate::env;
use crate::io::Io;

/// The program, and what it is always called with.
pub struct Helper {
    program: PathBuf,
    arguments: Vec<String>,
}

/// The helper that the user's configuration names, if any.
pub fn named(io: &Io) -> io::Result<Option<Helper>> {
    let path = match (env::get(io, "CONFIG_PATH"), io.home()) {
        (Some(path), _) => PathBuf::from(path),
        (None, Some(home)) => home.join(".vault"),
        (None, None) => return Ok(None),
    };
    // A folder of that name is somebody else's.
    if !path.is_file() {
        return Ok(None);
    }
    let wrong = |why: &dyn std::fmt::Display| io::Error::other(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| wrong(&error))?;
    let document = Document::parse(&text).map_err(|error| wrong(&error))?;
    document.body.only(&["token_helper"]).map_err(|error| wrong(&error))?;
    let named = document.body.get("token_helper").map_err(|error| wrong(&error))?;
    let Some(named) = named else { return Ok(None) };
    let line = named.text().map_err(|error| wrong(&error))?;
    if line.trim().is_empty() {
        return Ok(None);
    }
    let mut words = match Path::new(line).is_file() {
        // A path may hold spaces.
        true => vec![line.to_owned()],
        false => line.split_whitespace().map(str::to_owned).collect(),
    };
    let program = PathBuf::from(words.remove(0));
    if !program.is_absolute() {
        return Err(wrong(&format!(
            "the token helper \"{line}\" must be named by a path that begins with /"
        )));
    }
    Ok(Some(Helper { program, arguments: words }))
}

impl Helper {
    /// The token it keeps.
    pub fn get(&self, io: &Io) -> io::Result<Option<Secret>> {
        self.call(io, "get", None).map(|out| Some(Secret::from(out.stdout)))
    }

    /// Gives it a token to keep.
    pub fn store(&self, io: &Io, token: &str) -> io::Result<()> {
        self.call(io, "store", Some(token)).map(drop)
    }

    /// Lets it forget.
    pub fn erase(&self, io: &Io) -> io::Result<()> {
        self.call(io, "erase", None).map(drop)
    }

    // A program that the user names in their own configuration; the daemon never comes here.
    #[allow(clippy::disallowed_methods)]
    fn call(&self, io: &Io, what: &str, input: Option<&str>) -> io::Result<Output> {
        let program = self.program.display();
        let failed =
            |why: &dyn std::fmt::Display| io::Error::other(format!("the token helper {program}: {why}"));
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .arg(what)
            .env_clear()
            .envs(&io.env)
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        if let (Some(mut stdin), Some(token)) = (child.stdin.take(), input) {
            // A helper that does not read says by its exit code whether that is right.
            let _ = stdin.write_all(token.as_bytes());
        }
        let out = child.wait_with_output().map_err(|error| failed(&error))?;
        if out.status.success() {
            return Ok(out);
        }
        let said = String::from_utf8_lossy(&out.stderr);
        Err(failed(&format!("\"{what}\" failed ({}): {}", out.status, said.trim())))
    }
}
