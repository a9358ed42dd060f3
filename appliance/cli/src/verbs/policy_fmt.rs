//! `policy fmt`: works on a file, and asks no server.

use std::fs;
use std::io::Write;

use strongroom_policy::Policy;

use crate::hcl_fmt;
use crate::verb::{Call, Failure};

pub fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let file = call.argument(0).trim().to_owned();
    let path = call.io.folder.join(&file);
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::local(format!("Error reading policy file {file}: {error}")))?;
    if text.trim_start().starts_with('{') {
        return Err(Failure::local(format!("{file} holds JSON, which has no usual form here")));
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::local(format!("Error parsing {file}: {error}"));
    Policy::parse("text", &text).map_err(|error| wrong(&error))?;
    let formatted = hcl_fmt::format(&text).map_err(|error| wrong(&error))?;
    // A policy that is no policy any more is never written over one that was.
    Policy::parse("text", &formatted).map_err(|error| wrong(&error))?;
    if formatted != text {
        replace(&path, &formatted)
            .map_err(|error| Failure::local(format!("Error writing {file}: {error}")))?;
    }
    call.io.say(&format!("Success! Formatted policy: {file}"));
    Ok(0)
}

/// The file has the old text or the new one, never a part.
fn replace(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = fs::File::create(&new)?;
    file.set_permissions(fs::metadata(path)?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}
