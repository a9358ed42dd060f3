//! The supervisor's file: which programs, in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use strongroom_policy::hcl::Document;

use crate::config::report::Report;
use crate::config::stanza::Stanza;

/// What to run.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// Written at start and locked while running, so that a second supervisor of the same programs refuses.
    pub pid_file: Option<PathBuf>,
    /// In the order of starting.
    pub programs: Vec<Program>,
}

/// One program.
#[derive(Debug, PartialEq)]
pub struct Program {
    /// For the log.
    pub name: String,
    /// The program's file; it has a slash, so that no search decides what is run.
    pub file: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Set besides what the supervisor itself has.
    pub environment: BTreeMap<String, String>,
    /// Where its output goes; to the supervisor's own when `None`.
    pub log: Option<PathBuf>,
    /// What is there once it is ready.
    pub ready: Option<Ready>,
    /// Whether it understands SIGHUP.
    pub reload: bool,
}

/// What shows that a program is ready.
#[derive(Debug, PartialEq)]
pub enum Ready {
    /// A Unix socket that is there.
    Socket(PathBuf),
    /// A port that answers.
    Port(SocketAddr),
}

/// The plan in `file`, or everything that is wrong with it.
pub fn load(file: &Path) -> Result<Plan, Report> {
    let mut report = Report::default();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(cause) => {
            report.file_problem(file, format!("cannot be read: {cause}"));
            return Err(report);
        }
    };
    let plan = match Document::parse(&text) {
        Ok(document) => {
            let mut top = Stanza::top(file, &document.body, &mut report);
            let plan = read(&mut top);
            top.finish();
            plan
        }
        Err(error) => {
            report.syntax(file, &error);
            return Err(report);
        }
    };
    if plan.programs.is_empty() && report.problems.is_empty() {
        report.file_problem(file, "there is no program in it");
    }
    if report.problems.is_empty() { Ok(plan) } else { Err(report.sorted()) }
}

fn read(top: &mut Stanza<'_>) -> Plan {
    let pid_file = top.path("pid_file");
    let mut programs = Vec::new();
    let mut names = BTreeSet::new();
    top.blocks("program", 1, |labels, stanza| {
        let name = labels.first().copied().unwrap_or_default();
        if !names.insert(name.to_owned()) {
            stanza.problem("there is a program of this name already");
        }
        programs.extend(program(name, stanza));
    });
    Plan { pid_file, programs }
}

fn program(name: &str, stanza: &mut Stanza<'_>) -> Option<Program> {
    let given = stanza.has("command");
    let command = stanza.texts("command");
    let mut environment = BTreeMap::new();
    stanza.blocks("environment", 0, |_, variables| environment.extend(variables.pairs()));
    let log = stanza.path("log");
    let ready = stanza.parsed("ready", |text| match text.parse() {
        Ok(port) => Ok(Ready::Port(port)),
        Err(_) if text.contains('/') => Ok(Ready::Socket(PathBuf::from(text))),
        Err(_) => Err("is neither the path of a socket nor an address such as \"127.0.0.1:2321\"".into()),
    });
    let reload = stanza.flag("reload").unwrap_or(false);
    if !given {
        stanza.problem("command is missing: write the program's file and its arguments as a list of texts");
    }
    let mut words = command?.into_iter();
    let file = words.next().filter(|file| file.contains('/'));
    if file.is_none() {
        stanza.problem_at("command", "command must begin with the path of a program");
    }
    Some(Program {
        name: name.into(),
        file: file?,
        arguments: words.collect(),
        environment,
        log,
        ready,
        reload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<Plan, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("supervise.hcl");
        fs::write(&file, text).unwrap();
        load(&file).map_err(|report| report.to_string())
    }

    #[test]
    fn a_plan_is_read() {
        let text = r#"
            pid_file = "run/supervise.pid"
            program "a" {
              command     = ["/bin/a", "-x"]
              environment = { A = "1", B = 2 }
              log         = "a.log"
              ready       = "127.0.0.1:2321"
            }
            program "b" { command = ["./b"] ready = "run/b.sock" reload = true }
        "#;
        let plan = plan(text).unwrap();
        let [a, b] = plan.programs.as_slice() else { panic!("two programs") };
        assert_eq!((a.file.as_str(), a.arguments.as_slice()), ("/bin/a", ["-x".to_owned()].as_slice()));
        assert_eq!(a.environment.get("B").map(String::as_str), Some("2"));
        assert_eq!(a.ready, Some(Ready::Port("127.0.0.1:2321".parse().unwrap())));
        assert_eq!((&b.ready, b.reload), (&Some(Ready::Socket("run/b.sock".into())), true));
    }

    #[test]
    fn mistakes_are_named() {
        let text = "program \"a\" { command = [\"sleep\"] }\nprogram \"a\" { comand = [] ready = \"x\" }";
        let said = plan(text).unwrap_err();
        for part in [
            ":1:15: command must begin with the path of a program",
            ":2:1: program \"a\": there is a program of this name already",
            ":2:1: program \"a\": command is missing",
            "unknown key \"comand\", did you mean \"command\"?",
            "ready is neither the path of a socket",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(plan("").unwrap_err().contains("there is no program in it"));
    }
}
