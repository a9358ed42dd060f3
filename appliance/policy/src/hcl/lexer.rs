//! The words of HCL.

use super::HclError;
use super::cursor::{Cursor, Place};

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Word(String),
    Text(String),
    Number(String),
    Assign,
    Comma,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    End,
}

impl Token {
    /// For errors. What was written is not repeated: it may be a secret.
    pub fn describe(&self) -> String {
        match self {
            Self::Word(_) => "a word without quotes".into(),
            Self::Text(_) => "a text in quotes".into(),
            Self::Number(_) => "a number".into(),
            Self::Assign => "'='".into(),
            Self::Comma => "','".into(),
            Self::OpenBrace => "'{'".into(),
            Self::CloseBrace => "'}'".into(),
            Self::OpenBracket => "'['".into(),
            Self::CloseBracket => "']'".into(),
            Self::End => "the end".into(),
        }
    }
}

/// Cuts a text into words.
pub struct Lexer<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text) }
    }

    /// The next word and its place.
    pub fn next(&mut self) -> Result<(Token, Place), HclError> {
        self.skip_blank()?;
        let place = self.cursor.place();
        let Some(c) = self.cursor.peek() else { return Ok((Token::End, place)) };
        let sign = match c {
            '=' => Some(Token::Assign),
            ',' => Some(Token::Comma),
            '{' => Some(Token::OpenBrace),
            '}' => Some(Token::CloseBrace),
            '[' => Some(Token::OpenBracket),
            ']' => Some(Token::CloseBracket),
            _ => None,
        };
        if let Some(sign) = sign {
            self.cursor.next();
            return Ok((sign, place));
        }
        let token = match c {
            '"' => Token::Text(self.text()?),
            '<' => Token::Text(self.heredoc()?),
            '-' | '0'..='9' => Token::Number(self.number()?),
            c if begins_word(c) => Token::Word(self.cursor.take_while(continues_word).to_owned()),
            _ => return Err(place.error("unexpected character")),
        };
        Ok((token, place))
    }

    /// White space, line breaks and comments.
    fn skip_blank(&mut self) -> Result<(), HclError> {
        loop {
            self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
            let place = self.cursor.place();
            if self.cursor.take("#") || self.cursor.take("//") {
                self.cursor.take_while(|c| c != '\n');
            } else if self.cursor.take("/*") {
                while !self.cursor.take("*/") {
                    self.cursor.next().ok_or_else(|| place.error("this comment has no end"))?;
                }
            } else {
                return Ok(());
            }
        }
    }

    fn text(&mut self) -> Result<String, HclError> {
        let start = self.cursor.place();
        let unfinished = || start.error("this text has no closing quote on its line");
        let mut text = String::new();
        self.cursor.next();
        loop {
            let place = self.cursor.place();
            match self.cursor.next().ok_or_else(unfinished)? {
                '"' => return Ok(text),
                '\n' => return Err(unfinished()),
                '\\' => text.push(self.escape().ok_or_else(|| place.error("unknown escape in a text"))?),
                c => text.push(c),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Option<char> {
        let c = self.cursor.peek()?;
        if c.is_digit(8) {
            return self.cursor.code(3, 8).and_then(char::from_u32);
        }
        self.cursor.next();
        match c {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'v' => Some('\u{b}'),
            '\\' | '"' => Some(c),
            'x' => self.cursor.code(2, 16).and_then(char::from_u32),
            'u' => self.cursor.code(4, 16).and_then(char::from_u32),
            'U' => self.cursor.code(8, 16).and_then(char::from_u32),
            _ => None,
        }
    }

    /// `<<EOF`, lines, `EOF`; after `<<-` the lines lose the indentation of the closing word.
    fn heredoc(&mut self) -> Result<String, HclError> {
        let place = self.cursor.place();
        if !self.cursor.take("<<") {
            return Err(place.error("unexpected character '<'"));
        }
        let indented = self.cursor.take("-");
        let end = self.cursor.take_while(continues_word);
        self.cursor.take("\r");
        if end.is_empty() || !self.cursor.take("\n") {
            return Err(place.error("a heredoc begins with <<WORD or <<-WORD alone at the end of a line"));
        }
        let mut lines = Vec::new();
        while !self.cursor.rest().is_empty() {
            let line = self.cursor.take_while(|c| c != '\n');
            if line.trim() == end {
                return Ok(join(&lines, if indented { indentation(line) } else { "" }));
            }
            lines.push(line);
            self.cursor.take("\n");
        }
        Err(place.error("this heredoc has no end"))
    }

    fn number(&mut self) -> Result<String, HclError> {
        let place = self.cursor.place();
        let text = self.cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '+' | '_'));
        if is_number(text) {
            return Ok(text.to_owned());
        }
        Err(place.error("this is not a number; texts and durations are written in quotes"))
    }
}

fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn indentation(line: &str) -> &str {
    line.split_at(line.len() - line.trim_start().len()).0
}

/// The lines, each with its line break, without `indentation` if all of them have it.
fn join(lines: &[&str], indentation: &str) -> String {
    let indentation = if lines.iter().all(|line| line.starts_with(indentation)) { indentation } else { "" };
    lines.iter().flat_map(|line| [line.strip_prefix(indentation).unwrap_or(line), "\n"]).collect()
}

/// Decimal with or without a fraction and an exponent, or hexadecimal with `0x`.
pub fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    if let Some(hexadecimal) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return !hexadecimal.is_empty() && hexadecimal.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))
}
