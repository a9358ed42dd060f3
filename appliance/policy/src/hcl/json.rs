//! JSON (RFC 8259) into the same tree. `null` means that the member is not there.

use super::cursor::Cursor;
use super::lexer::is_number;
use super::{Body, HclError, Item, MAX_DEPTH, Value};

/// Reads a whole document: one object.
pub fn parse(text: &str) -> Result<Body, HclError> {
    let mut parser = Parser { cursor: Cursor::new(text) };
    parser.skip_blank();
    let body = parser.object(1)?;
    parser.skip_blank();
    match parser.cursor.peek() {
        None => Ok(body),
        Some(_) => Err(parser.cursor.error("expected the end after the JSON object")),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
}

impl Parser<'_> {
    fn skip_blank(&mut self) {
        self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
    }

    /// Goes past white space and `sign`, or says that it is missing.
    fn expect(&mut self, sign: &str) -> Result<(), HclError> {
        self.skip_blank();
        if self.cursor.take(sign) { Ok(()) } else { Err(self.cursor.error(format!("expected '{sign}'"))) }
    }

    /// Goes past white space and `sign`, if it comes next.
    fn accept(&mut self, sign: &str) -> bool {
        self.skip_blank();
        self.cursor.take(sign)
    }

    fn object(&mut self, depth: usize) -> Result<Body, HclError> {
        self.expect("{")?;
        let mut items = Vec::new();
        if self.accept("}") {
            return Ok(Body { items });
        }
        loop {
            self.skip_blank();
            let place = self.cursor.place();
            let key = self.text()?;
            self.expect(":")?;
            if let Some(value) = self.value(depth)? {
                items.push(Item { key, labels: Vec::new(), value, line: place.line, column: place.column });
            }
            if self.accept("}") {
                return Ok(Body { items });
            }
            self.expect(",").map_err(|error| HclError { what: "expected ',' or '}'".into(), ..error })?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, HclError> {
        self.expect("[")?;
        let mut values = Vec::new();
        if self.accept("]") {
            return Ok(values);
        }
        loop {
            self.skip_blank();
            let place = self.cursor.place();
            values.push(self.value(depth)?.ok_or_else(|| place.error("null has no meaning in a list"))?);
            if self.accept("]") {
                return Ok(values);
            }
            self.expect(",").map_err(|error| HclError { what: "expected ',' or ']'".into(), ..error })?;
        }
    }

    /// A value, or `None` for `null`.
    fn value(&mut self, depth: usize) -> Result<Option<Value>, HclError> {
        self.skip_blank();
        if depth >= MAX_DEPTH {
            return Err(self.cursor.error(format!("nested deeper than {MAX_DEPTH}")));
        }
        let value = match self.cursor.peek() {
            Some('{') => Value::Block(self.object(depth + 1)?),
            Some('[') => Value::List(self.list(depth + 1)?),
            Some('"') => Value::Text(self.text()?),
            Some('-' | '0'..='9') => Value::Number(self.number()?),
            _ => return self.constant(),
        };
        Ok(Some(value))
    }

    fn constant(&mut self) -> Result<Option<Value>, HclError> {
        let place = self.cursor.place();
        match self.cursor.take_while(char::is_alphanumeric) {
            "true" => Ok(Some(Value::Bool(true))),
            "false" => Ok(Some(Value::Bool(false))),
            "null" => Ok(None),
            _ => Err(place.error("expected a value")),
        }
    }

    fn number(&mut self) -> Result<String, HclError> {
        let place = self.cursor.place();
        let text = self.cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        let digits = text.strip_prefix('-').unwrap_or(text);
        // HCL also knows `0x1f` and `0600`.
        let is_hcl = digits
            .strip_prefix('0')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == 'x' || c == 'X'));
        if is_number(text) && !is_hcl {
            Ok(text.to_owned())
        } else {
            Err(place.error("this is not a number"))
        }
    }

    fn text(&mut self) -> Result<String, HclError> {
        let start = self.cursor.place();
        if !self.cursor.take("\"") {
            return Err(start.error("expected a text in double quotes"));
        }
        let mut text = String::new();
        loop {
            let place = self.cursor.place();
            match self.cursor.next() {
                None => return Err(start.error("this text has no closing quote")),
                Some('"') => return Ok(text),
                Some('\\') => {
                    text.push(self.escape().ok_or_else(|| place.error("unknown escape in a text"))?)
                }
                Some(c) if c < ' ' => return Err(place.error("a control character in a text")),
                Some(c) => text.push(c),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Option<char> {
        let c = self.cursor.next()?;
        match c {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            '\\' | '"' | '/' => Some(c),
            'u' => self.utf16(),
            _ => None,
        }
    }

    /// One code unit, or two where the first is the first half of a pair.
    fn utf16(&mut self) -> Option<char> {
        let first = self.cursor.code(4, 16)?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        let second = if self.cursor.take("\\u") { self.cursor.code(4, 16)? } else { return None };
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)
    }
}
