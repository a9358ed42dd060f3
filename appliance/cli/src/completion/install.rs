//! What a shell must be told to ask this program, and where it is told.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::io::Io;

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// By name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|shell| shell.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// The lines that tell it to ask `program` whenever `name` is completed.
    pub fn lines(self, name: &str, program: &Path) -> String {
        let program = quoted(&program.to_string_lossy());
        // What follows -C is a command line of its own.
        let command = quoted(&program);
        match self {
            Self::Bash => format!("complete -o nospace -C {command} {name}\n"),
            Self::Zsh => format!(
                "autoload -U +X bashcompinit && bashcompinit\ncomplete -o nospace -C {command} {name}\n"
            ),
            Self::Fish => format!(
                "function __complete_{name}\n    set -lx COMP_LINE (commandline -cp)\n    test -z (commandline -ct)\n    \
                 and set COMP_LINE \"$COMP_LINE \"\n    {program}\nend\ncomplete -f -c {name} -a \
                 \"(__complete_{name})\"\n"
            ),
        }
    }

    /// The file it reads when it starts.
    fn file(self, home: &Path, name: &str) -> PathBuf {
        match self {
            Self::Bash => home.join(".bashrc"),
            Self::Zsh => home.join(".zshrc"),
            Self::Fish => home.join(format!(".config/fish/completions/{name}.fish")),
        }
    }

    /// Whether this user has it: there is its file, or for fish the folder of its configuration.
    fn is_used(self, home: &Path, name: &str) -> bool {
        match self {
            Self::Fish => home.join(".config/fish").is_dir(),
            _ => self.file(home, name).is_file(),
        }
    }
}

/// `text` as one word of a shell's line.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// All of them.
pub const ALL: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Where this program is: as it was called, or where the search path has it.
pub fn program(io: &Io) -> PathBuf {
    if io.program.components().count() > 1 {
        return std::path::absolute(io.folder.join(&io.program)).unwrap_or_else(|_| io.program.clone());
    }
    let folders = io.env.get("PATH").map(String::as_str).unwrap_or_default().split(':');
    let mut found = folders.map(|folder| Path::new(folder).join(&io.program)).filter(|path| path.is_file());
    found.next().unwrap_or_else(|| io.program.clone())
}

/// Tells every shell that the user has; their names and files.
pub fn install(io: &Io) -> io::Result<Vec<(Shell, PathBuf)>> {
    each(io, |old, lines| match old.contains(lines) {
        true => None,
        false if old.is_empty() || old.ends_with('\n') => Some(format!("{old}{lines}")),
        false => Some(format!("{old}\n{lines}")),
    })
}

/// Takes back what [`install`] has told.
pub fn uninstall(io: &Io) -> io::Result<Vec<(Shell, PathBuf)>> {
    each(io, |old, lines| old.contains(lines).then(|| old.replace(lines, "")))
}

/// Changes the file of every shell that the user has, where `change` says so.
fn each(io: &Io, change: fn(&str, &str) -> Option<String>) -> io::Result<Vec<(Shell, PathBuf)>> {
    let home = io.home().ok_or_else(|| io::Error::other("HOME is not set"))?;
    let (name, program) = (io.name(), program(io));
    let mut changed = Vec::new();
    for shell in ALL.into_iter().filter(|shell| shell.is_used(&home, name)) {
        let file = shell.file(&home, name);
        let old = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            old => old?,
        };
        match change(&old, &shell.lines(name, &program)) {
            None => continue,
            Some(new) if new.is_empty() && shell == Shell::Fish => fs::remove_file(&file)?,
            Some(new) => {
                if let Some(folder) = file.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(&file, new)?;
            }
        }
        changed.push((shell, file));
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_one_word_of_one_command() {
        let lines = |path: &str| Shell::Bash.lines("vault", Path::new(path));
        assert_eq!(lines("/usr/bin/vault"), "complete -o nospace -C /usr/bin/vault vault\n");
        assert_eq!(
            lines("/my programs/vault"),
            "complete -o nospace -C ''\\''/my programs/vault'\\''' vault\n"
        );
        assert_eq!(quoted("a;b"), "'a;b'");
    }
}
