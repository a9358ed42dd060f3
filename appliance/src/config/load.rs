//! Files and folders into one configuration.

use std::fs;
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
        match files_of(path) {
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
    let text = match fs::metadata(file) {
        Ok(about) if about.len() > MAX_BYTES as u64 => {
            return report.file_problem(file, format!("is longer than {MAX_BYTES} bytes"));
        }
        _ => fs::read_to_string(file),
    };
    let text = match text {
        Ok(text) => text,
        Err(cause) => return report.file_problem(file, format!("cannot be read: {cause}")),
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
