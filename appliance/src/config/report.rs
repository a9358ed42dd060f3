//! What is wrong with a configuration, and where: everything at once, never only the first.

use std::fmt;
use std::path::{Path, PathBuf};

use strongroom_policy::hcl::HclError;

/// Something in a file that must be changed, or should be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    file: PathBuf,
    /// Line and column from 1; `None` where the file as a whole is meant.
    place: Option<(u32, u32)>,
    what: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// The problems and the warnings of a configuration, in the order in which they were found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What keeps the server from starting.
    pub problems: Vec<Remark>,
    /// What is accepted and does nothing.
    pub warnings: Vec<Remark>,
}

impl Report {
    /// A problem at `place` of `file`.
    pub fn problem(&mut self, file: &Path, place: (u32, u32), what: impl Into<String>) {
        self.problems.push(Remark { file: file.to_owned(), place: Some(place), what: what.into() });
    }

    /// A problem of `file` as a whole.
    pub fn file_problem(&mut self, file: &Path, what: impl Into<String>) {
        self.problems.push(Remark { file: file.to_owned(), place: None, what: what.into() });
    }

    /// A warning at `place` of `file`.
    pub fn warning(&mut self, file: &Path, place: (u32, u32), what: impl Into<String>) {
        self.warnings.push(Remark { file: file.to_owned(), place: Some(place), what: what.into() });
    }

    /// What the HCL reader refuses.
    pub fn syntax(&mut self, file: &Path, error: &HclError) {
        self.problem(file, (error.line, error.column), error.what.clone());
    }

    /// In the order of the files and lines, so that a reader can go through them from the top.
    pub fn sorted(mut self) -> Self {
        for remarks in [&mut self.problems, &mut self.warnings] {
            remarks.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
        }
        self
    }
}

impl fmt::Display for Report {
    /// The problems only, one a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
