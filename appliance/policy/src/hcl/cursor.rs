//! A place in a text, and the few steps that both grammars take from it.

use super::HclError;

/// The place of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl Place {
    pub fn error(self, what: impl Into<String>) -> HclError {
        HclError { line: self.line, column: self.column, what: what.into() }
    }
}

/// What is left of a text, and where it begins.
pub struct Cursor<'a> {
    rest: &'a str,
    place: Place,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { rest: text, place: Place { line: 1, column: 1 } }
    }

    pub fn rest(&self) -> &'a str {
        self.rest
    }

    pub fn place(&self) -> Place {
        self.place
    }

    pub fn error(&self, what: impl Into<String>) -> HclError {
        self.place.error(what)
    }

    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        if c == '\n' {
            self.place.line = self.place.line.saturating_add(1);
            self.place.column = 1;
        } else {
            self.place.column = self.place.column.saturating_add(1);
        }
        Some(c)
    }

    /// Goes past `prefix` if it comes next.
    pub fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest.starts_with(prefix);
        if found {
            prefix.chars().for_each(|_| {
                self.next();
            });
        }
        found
    }

    /// Goes past all characters that `accepted` accepts, and returns them.
    pub fn take_while(&mut self, accepted: impl Fn(char) -> bool) -> &'a str {
        let (taken, _) = self.rest.split_at(self.rest.find(|c| !accepted(c)).unwrap_or(self.rest.len()));
        taken.chars().for_each(|_| {
            self.next();
        });
        taken
    }

    /// A number of exactly `digits` digits in `radix`: the end of an escape.
    pub fn code(&mut self, digits: usize, radix: u32) -> Option<u32> {
        let mut code: u32 = 0;
        for _ in 0..digits {
            let digit = self.peek()?.to_digit(radix)?;
            code = code.checked_mul(radix)?.checked_add(digit)?;
            self.next();
        }
        Some(code)
    }
}
