//! Reading one stanza: every key is asked for by name and type, and what nobody has asked for is unknown.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use strongroom_policy::hcl::{Block, Body, HclError, Item, Value};

use super::report::Report;
use super::words::nearest;

/// A stanza that is being read. Problems go into the report; a value that is refused reads as absent, so that
/// the rest of the file is looked at all the same.
pub struct Stanza<'a> {
    file: &'a Path,
    body: &'a Body,
    place: (u32, u32),
    /// As in an error: `listener "tcp"`; empty at the top level.
    title: String,
    known: Vec<&'a str>,
    report: &'a mut Report,
}

impl<'a> Stanza<'a> {
    /// The top level of `file`.
    pub fn top(file: &'a Path, body: &'a Body, report: &'a mut Report) -> Self {
        Self { file, body, place: (1, 1), title: String::new(), known: Vec::new(), report }
    }

    /// What stands between the braces of every block `key` with `labels` labels, each handed to `read`.
    pub fn blocks(&mut self, key: &'a str, labels: usize, mut read: impl FnMut(&[&str], &mut Stanza<'_>)) {
        self.known.push(key);
        for item in self.body.items().iter().filter(|item| item.key == key) {
            match item.blocks(labels) {
                Ok(blocks) => blocks.iter().for_each(|block| self.block(key, block, &mut read)),
                Err(error) => {
                    let what = format!("{key}: {}", error.what);
                    self.report.problem(self.file, (error.line, error.column), what);
                }
            }
        }
    }

    fn block(&mut self, key: &str, block: &Block<'_>, read: &mut impl FnMut(&[&str], &mut Stanza<'_>)) {
        let mut title = key.to_owned();
        block.labels.iter().for_each(|label| title.push_str(&format!(" {label:?}")));
        let mut inner = Stanza {
            file: self.file,
            body: block.body,
            place: (block.line, block.column),
            title,
            known: Vec::new(),
            report: self.report,
        };
        read(&block.labels, &mut inner);
        inner.finish();
    }

    /// A text.
    pub fn text(&mut self, key: &'a str) -> Option<String> {
        self.read(key, |item| item.text().map(str::to_owned))
    }

    /// A text that must be there.
    pub fn required_text(&mut self, key: &'a str, what: &str) -> Option<String> {
        if !self.has(key) {
            self.known.push(key);
            self.problem(format!("{key} is missing: {what}"));
            return None;
        }
        self.parsed(key, |text| match text {
            "" => Err(format!("is empty: {what}")),
            _ => Ok(text.to_owned()),
        })
    }

    /// A path; relative ones are from the working folder.
    pub fn path(&mut self, key: &'a str) -> Option<PathBuf> {
        self.parsed(key, |text| match text {
            "" => Err("is empty: write a path".into()),
            _ => Ok(PathBuf::from(text)),
        })
    }

    /// Texts.
    pub fn texts(&mut self, key: &'a str) -> Option<Vec<String>> {
        self.read(key, |item| item.texts().map(|texts| texts.into_iter().map(str::to_owned).collect()))
    }

    /// Yes or no.
    pub fn flag(&mut self, key: &'a str) -> Option<bool> {
        self.read(key, Item::boolean)
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, key: &'a str, range: RangeInclusive<i64>) -> Option<i64> {
        self.read(key, |item| {
            let value = item.integer()?;
            let (least, most) = (range.start(), range.end());
            match range.contains(&value) {
                true => Ok(value),
                false => Err(item.error(format!("{key} must lie between {least} and {most}"))),
            }
        })
    }

    /// Permissions such as `"0600"`, `0600` or `"600"`.
    pub fn octal(&mut self, key: &'a str) -> Option<u32> {
        self.read(key, |item| {
            let (Value::Text(text) | Value::Number(text)) = &item.value else {
                return Err(item.error(format!("{key} is no mode such as \"0600\"")));
            };
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
            mode.ok_or_else(|| item.error(format!("{key} is no mode such as \"0600\"")))
        })
    }

    /// A duration of at least a second, in seconds.
    pub fn seconds(&mut self, key: &'a str) -> Option<i64> {
        self.read(key, |item| match item.duration()? / 1_000_000_000 {
            secs @ 1.. => Ok(secs),
            _ => Err(item.error(format!("{key} must be at least one second"))),
        })
    }

    /// A duration that may be none, in whole seconds.
    pub fn whole_seconds(&mut self, key: &'a str) -> Option<i64> {
        self.read(key, |item| match item.duration()? {
            nanos @ 0.. => Ok((nanos + 999_999_999) / 1_000_000_000),
            _ => Err(item.error(format!("{key} cannot be negative"))),
        })
    }

    /// A number of bytes, as a number or as `"16MiB"`, within `range`.
    pub fn bytes(&mut self, key: &'a str, range: RangeInclusive<u64>) -> Option<u64> {
        self.read(key, |item| {
            let number = item.integer().ok().and_then(|number| u64::try_from(number).ok());
            let value = number.or_else(|| item.text().ok().and_then(parse_bytes));
            let value = value.ok_or_else(|| {
                item.error(format!("{key} is not a number of bytes such as 1048576 or \"1MiB\""))
            })?;
            let (least, most) = (range.start(), range.end());
            match range.contains(&value) {
                true => Ok(value),
                false => Err(item.error(format!("{key} must lie between {least} and {most} bytes"))),
            }
        })
    }

    /// A text that `parse` understands, or says what is wrong with: "is no address: …".
    pub fn parsed<T>(&mut self, key: &'a str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.read(key, |item| parse(item.text()?).map_err(|what| item.error(format!("{key} {what}"))))
    }

    /// All attributes, whatever their names: a table of texts.
    pub fn pairs(&mut self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for item in self.body.items() {
            self.known.push(&item.key);
            match &item.value {
                Value::Text(text) | Value::Number(text) => found.push((item.key.clone(), text.clone())),
                _ => self.report.syntax(self.file, &item.error(format!("{} is not a text", cut(&item.key)))),
            }
        }
        found
    }

    /// All attributes, whatever their names, each a text or a list of texts.
    pub fn lists(&mut self) -> Vec<(String, Vec<String>)> {
        let mut found = Vec::new();
        for item in self.body.items() {
            self.known.push(&item.key);
            let texts = item.text().map(|text| vec![text]).or_else(|_| item.texts());
            match texts {
                Ok(texts) => {
                    found.push((item.key.clone(), texts.into_iter().map(str::to_owned).collect()));
                }
                Err(error) => self.report.syntax(self.file, &error),
            }
        }
        found
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.body.items().iter().any(|item| item.key == key)
    }

    /// Keys of Vault's that mean nothing here: accepted with a warning.
    pub fn ignored(&mut self, keys: &[&'a str]) {
        for key in keys {
            self.known.push(key);
            for item in self.body.items().iter().filter(|item| item.key == *key) {
                let what = format!("{key} has no meaning here and is ignored");
                self.report.warning(self.file, (item.line, item.column), what);
            }
        }
    }

    /// Keys that ask for something that is not done, each with what to do about it.
    pub fn refused(&mut self, keys: &[(&'a str, &str)]) {
        for (key, instead) in keys {
            for item in self.body.items().iter().filter(|item| item.key == *key) {
                self.report.problem(self.file, (item.line, item.column), format!("{key}: {instead}"));
            }
            if self.has(key) {
                self.known.push(key);
            }
        }
    }

    /// A problem of the stanza as a whole.
    pub fn problem(&mut self, what: impl Into<String>) {
        let what = self.titled(what.into());
        self.report.problem(self.file, self.place, what);
    }

    /// A problem of the value at `key`.
    pub fn problem_at(&mut self, key: &str, what: impl Into<String>) {
        let item = self.body.items().iter().find(|item| item.key == key);
        let place = item.map_or(self.place, |item| (item.line, item.column));
        self.report.problem(self.file, place, what.into());
    }

    /// The rest of the stanza is of no interest: its problem has been reported already.
    pub fn abandon(&mut self) {
        self.known.extend(self.body.items().iter().map(|item| item.key.as_str()));
    }

    /// Reports what nobody has asked for.
    pub fn finish(&mut self) {
        for item in self.body.items().iter().filter(|item| !self.known.contains(&item.key.as_str())) {
            let mut what = format!("unknown key {:?}", cut(&item.key));
            if let Some(meant) = nearest(&item.key, &self.known) {
                what.push_str(&format!(", did you mean {meant:?}?"));
            }
            let what = self.titled(what);
            self.report.problem(self.file, (item.line, item.column), what);
        }
    }

    fn titled(&self, what: String) -> String {
        if self.title.is_empty() { what } else { format!("{}: {what}", self.title) }
    }

    fn read<T>(&mut self, key: &'a str, read: impl FnOnce(&Item) -> Result<T, HclError>) -> Option<T> {
        self.known.push(key);
        let found = self.body.get(key).and_then(|item| item.map(read).transpose());
        found.unwrap_or_else(|error| {
            self.report.syntax(self.file, &error);
            None
        })
    }
}

/// A word of the file in an error, at most 64 characters of it.
fn cut(word: &str) -> &str {
    word.char_indices().nth(64).map_or(word, |(end, _)| word.split_at(end).0)
}

/// `1048576`, `1024KiB`, `1MiB`, `1GiB`.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// An address to listen on: `127.0.0.1:8200`, `[::1]:8200`, `localhost:8200`, `:8200`, or without the port.
pub fn parse_address(text: &str, port: u16) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, digits)) => match digits.parse() {
            Ok(port) => (host, port),
            Err(_) => return Err("is no address: write it as \"127.0.0.1:8200\" or \"[::1]:8200\"".into()),
        },
        None => (text, port),
    };
    match host {
        "" => Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
        "localhost" => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => Err("is no address: names are not looked up; write the IP address and the port, \
                  as \"127.0.0.1:8200\" or \"[::1]:8200\""
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_addresses() {
        assert_eq!(parse_bytes("16MiB"), Some(16 << 20));
        assert_eq!(parse_bytes("512"), Some(512));
        for wrong in ["", "MiB", "1MB", "1.5MiB", "-1", "99999999999GiB"] {
            assert_eq!(parse_bytes(wrong), None, "{wrong}");
        }
        for (text, address) in [
            ("127.0.0.1:8200", "127.0.0.1:8200"),
            ("127.0.0.1", "127.0.0.1:8200"),
            ("localhost:1234", "127.0.0.1:1234"),
            ("[::1]:8200", "[::1]:8200"),
            ("::1", "[::1]:8200"),
            (":8200", "[::]:8200"),
        ] {
            assert_eq!(parse_address(text, 8200).unwrap().to_string(), address, "{text}");
        }
        for wrong in ["vault.example.com:8200", "127.0.0.1:high", "127.0.0.1:70000", "1.2.3:8200"] {
            assert!(parse_address(wrong, 8200).is_err(), "{wrong}");
        }
    }
}
