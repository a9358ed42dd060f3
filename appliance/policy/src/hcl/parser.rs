//! The grammar of HCL version 1.
//!
//! ```text
//! body  = { item [","] }
//! item  = key "=" value | key { key } "{" body "}"
//! key   = word | text
//! value = text | heredoc | number | "true" | "false" | "[" [ value { "," value } [","] ] "]" | "{" body "}"
//! ```

use super::cursor::Place;
use super::lexer::{Lexer, Token};
use super::{Body, HclError, Item, MAX_DEPTH, Value};

/// Reads a whole document.
pub fn parse(text: &str) -> Result<Body, HclError> {
    let mut lexer = Lexer::new(text);
    let (token, place) = lexer.next()?;
    let mut parser = Parser { lexer, token, place };
    let body = parser.body(0)?;
    match parser.token {
        Token::End => Ok(body),
        _ => Err(parser.expected("a key")),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The next word, not yet used.
    token: Token,
    place: Place,
}

impl Parser<'_> {
    /// Takes the next word.
    fn advance(&mut self) -> Result<Token, HclError> {
        let (token, place) = self.lexer.next()?;
        self.place = place;
        Ok(std::mem::replace(&mut self.token, token))
    }

    /// Takes the next word if it is `token`.
    fn accept(&mut self, token: &Token) -> Result<bool, HclError> {
        let found = self.token == *token;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expected(&self, what: &str) -> HclError {
        self.place.error(format!("expected {what}, found {}", self.token.describe()))
    }

    /// Items up to something that is not a key.
    fn body(&mut self, depth: usize) -> Result<Body, HclError> {
        let mut items = Vec::new();
        while let Token::Word(_) | Token::Text(_) = self.token {
            items.push(self.item(depth)?);
            self.accept(&Token::Comma)?;
        }
        Ok(Body { items })
    }

    fn item(&mut self, depth: usize) -> Result<Item, HclError> {
        let Place { line, column } = self.place;
        let mut labels = Vec::new();
        let key = match self.advance()? {
            Token::Word(key) | Token::Text(key) => key,
            _ => return Err(self.expected("a key")),
        };
        if self.accept(&Token::Assign)? {
            let value = self.value(depth)?;
            return Ok(Item { key, labels, value, line, column });
        }
        while let Token::Word(_) | Token::Text(_) = self.token {
            if let Token::Word(label) | Token::Text(label) = self.advance()? {
                labels.push(label);
            }
        }
        match self.token {
            Token::OpenBrace => Ok(Item { key, labels, value: self.value(depth)?, line, column }),
            _ if labels.is_empty() => Err(self.expected("'=' or '{' after a key")),
            _ => Err(self.expected("'{' after a key and its labels")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, HclError> {
        if depth >= MAX_DEPTH {
            return Err(self.place.error(format!("nested deeper than {MAX_DEPTH}")));
        }
        let value = match &self.token {
            Token::OpenBrace => return self.block(depth + 1),
            Token::OpenBracket => return self.list(depth + 1),
            Token::Text(text) => Value::Text(text.clone()),
            Token::Number(number) => Value::Number(number.clone()),
            Token::Word(word) if word == "true" => Value::Bool(true),
            Token::Word(word) if word == "false" => Value::Bool(false),
            _ => return Err(self.expected("a value (texts are written in quotes)")),
        };
        self.advance()?;
        Ok(value)
    }

    fn block(&mut self, depth: usize) -> Result<Value, HclError> {
        self.advance()?;
        let body = self.body(depth)?;
        if self.accept(&Token::CloseBrace)? {
            Ok(Value::Block(body))
        } else {
            Err(self.expected("a key or '}'"))
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, HclError> {
        self.advance()?;
        let mut values = Vec::new();
        while self.token != Token::CloseBracket {
            values.push(self.value(depth)?);
            if !self.accept(&Token::Comma)? && self.token != Token::CloseBracket {
                return Err(self.expected("',' or ']' in the list"));
            }
        }
        self.advance()?;
        Ok(Value::List(values))
    }
}
