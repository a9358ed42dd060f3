//! `completion`, and `-autocomplete-install`: lets a shell complete words, flags and paths.

use super::BASE;
use crate::completion::install::{self, Shell};
use crate::io::Io;
use crate::verb::{Call, Failure, First, Verb};

/// The verb of this file.
pub const VERBS: &[Verb] = &[Verb {
    words: &["completion"],
    about: "Print what bash, zsh or fish must be told to complete commands and paths",
    takes: "SHELL",
    example: "completion bash",
    first: First::Word(&["bash", "zsh", "fish"]),
    min: 1,
    max: Some(1),
    flags: &[],
    run,
    ..BASE
}];

fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let wanted = call.argument(0);
    let shell = Shell::named(wanted)
        .ok_or_else(|| Failure::local(format!("Unknown shell: {wanted}: there is bash, zsh and fish")))?;
    let lines = shell.lines(call.io.name(), &install::program(call.io));
    call.io.say_raw(&lines);
    Ok(0)
}

/// `-autocomplete-install` and `-autocomplete-uninstall`.
pub fn change(io: &mut Io, is_install: bool) -> Result<u8, Failure> {
    let done = if is_install { install::install(io) } else { install::uninstall(io) };
    let done = done.map_err(|error| Failure::local(format!("Error changing a shell's file: {error}")))?;
    if done.is_empty() {
        io.say("Nothing to do: no shell of yours needs a change.");
    }
    for (shell, file) in done {
        io.say(&format!(
            "Success! Changed {} for {}; it counts in shells that start from now on.",
            file.display(),
            shell.name()
        ));
    }
    Ok(0)
}
