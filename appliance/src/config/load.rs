//! Files and folders into one configuration.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use strongroom_policy::hcl::{Document, MAX_BYTES};

use super::Config;
use super::report::Report;
use super::stanza::Stanza;
use super::top::Draft;

/// The configuration that `paths` make together, each a file or a folder; and what is accepted but worth
/// knowing. Or everything that is wrong.
pub fn load(paths: &[PathBuf]) -> Result<(Config, Report), Report> {
    let mut report = Report::default();
    let mut draft = Draft::default();
    for path in paths {
        match guarded(path).and_then(|()| files_of(path)) {
            Ok(files) => files.iter().for_each(|file| read_file(file, &mut draft, &mut report)),
            Err(what) => report.file_problem(path, what),
        }
    }
    let whole_read = report.problems.is_empty();
    let first = paths.first().map_or(Path::new("-config"), PathBuf::as_path);
    let mut missing = Vec::new();
    let config = draft.finish(|what| missing.push(what.to_owned()));
    // What is missing may stand in the very stanza that could not be read.
    if whole_read {
        missing.into_iter().for_each(|what| report.file_problem(first, what));
    }
    match (config, report.problems.is_empty()) {
        (Some(config), true) => Ok((config, report.sorted())),
        _ => Err(report.sorted()),
    }
}

/// Refuses what others than its owner may change: whoever writes the configuration is the operator.
fn guarded(path: &Path) -> Result<(), String> {
    let about = fs::metadata(path).map_err(|cause| format!("cannot be read: {cause}"))?;
    judge(about.mode(), about.is_dir())
}

/// The same of what a path was found to be, by its `st_mode`. In a sticky folder each changes its own files only.
fn judge(mode: u32, is_folder: bool) -> Result<(), String> {
    const STICKY: u32 = 0o1000;
    match mode & 0o022 {
        0 => Ok(()),
        _ if is_folder && mode & STICKY != 0 => Ok(()),
        _ => Err(format!(
            "may be changed by others than its owner (mode {:04o}): chmod go-w, and look at what it says",
            mode & 0o7777
        )),
    }
}

/// The file itself, or the `.hcl` and `.json` files of a folder in the order of their names.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>, String> {
    let about = fs::metadata(path).map_err(|cause| format!("cannot be read: {cause}"))?;
    if !about.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|cause| format!("cannot be read: {cause}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|cause| format!("cannot be read: {cause}"))?.path();
        let wanted = file.extension().is_some_and(|extension| extension == "hcl" || extension == "json");
        if wanted && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err("the folder has no .hcl or .json file".into()),
        false => Ok(files),
    }
}

fn read_file(file: &Path, draft: &mut Draft, report: &mut Report) {
    let text = match text_of(file) {
        Ok(text) => text,
        Err(what) => return report.file_problem(file, what),
    };
    match Document::parse(&text) {
        Ok(document) => {
            let mut top = Stanza::top(file, &document.body, report);
            draft.read(&mut top);
            top.finish();
        }
        Err(error) => report.syntax(file, &error),
    }
}

/// What a file holds. What is judged is the file that is read, whatever its name stands for a moment later.
fn text_of(path: &Path) -> Result<String, String> {
    let unread = |cause: io::Error| format!("cannot be read: {cause}");
    let file = fs::File::open(path).map_err(unread)?;
    let about = file.metadata().map_err(unread)?;
    judge(about.mode(), false)?;
    let mut text = String::new();
    file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text).map_err(unread)?;
    match text.len() > MAX_BYTES {
        true => Err(format!("is longer than {MAX_BYTES} bytes")),
        false => Ok(text),
    }
}
