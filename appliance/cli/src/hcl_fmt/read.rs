//! Text into nodes.

use super::{Entry, Node, Shape};

/// The whole text.
pub fn document(text: &str) -> Result<Vec<Node>, String> {
    let mut reader = Reader { text, at: 0 };
    let nodes = reader.body()?;
    match reader.peek() {
        None => Ok(nodes),
        Some(c) => Err(reader.wrong(&format!("\"{c}\" is too much"))),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes `prefix` if it comes next.
    fn take(&mut self, prefix: &str) -> bool {
        let is = self.rest().starts_with(prefix);
        if is {
            self.at += prefix.len();
        }
        is
    }

    fn take_while(&mut self, accepted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !accepted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn wrong(&self, what: &str) -> String {
        let line = self.text.get(..self.at).unwrap_or_default().matches('\n').count() + 1;
        format!("line {line}: {what}")
    }

    /// Skips space; how many line ends were in it.
    fn space(&mut self) -> usize {
        self.take_while(char::is_whitespace).matches('\n').count()
    }

    /// A comment, if one comes next.
    fn comment(&mut self) -> Result<Option<String>, String> {
        if self.rest().starts_with('#') || self.rest().starts_with("//") {
            return Ok(Some(self.take_while(|c| c != '\n').trim_end().to_owned()));
        }
        if !self.rest().starts_with("/*") {
            return Ok(None);
        }
        let end = self.rest().find("*/").ok_or_else(|| self.wrong("the comment has no end"))?;
        let comment = self.rest().get(..end + 2).unwrap_or_default().to_owned();
        self.at += end + 2;
        Ok(Some(comment))
    }

    /// A comment in the same line.
    fn comment_behind(&mut self) -> Result<Option<String>, String> {
        self.take_while(|c| c != '\n' && c.is_whitespace());
        self.comment()
    }

    /// Up to the end of the text, or a `}`.
    fn body(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            if self.space() > 1 && !nodes.is_empty() {
                nodes.push(Node::Blank);
            }
            if let Some(comment) = self.comment()? {
                nodes.push(Node::Comment(comment));
            } else if matches!(self.peek(), None | Some('}')) {
                break;
            } else {
                nodes.push(self.item()?);
            }
        }
        while matches!(nodes.last(), Some(Node::Blank)) {
            nodes.pop();
        }
        Ok(nodes)
    }

    fn item(&mut self) -> Result<Node, String> {
        let mut keys = Vec::new();
        let (assigned, value) = loop {
            self.space();
            match self.peek() {
                Some('{') => break (false, self.value()?),
                Some('=' | ':') => {
                    self.at += 1;
                    self.space();
                    break (true, self.value()?);
                }
                Some(_) => keys.push(self.atom()?),
                None => return Err(self.wrong("the text ends too early")),
            }
        };
        if keys.is_empty() {
            return Err(self.wrong("a name is missing"));
        }
        let mut comment = self.comment_behind()?;
        if comment.is_none() && self.take(",") {
            comment = self.comment_behind()?;
        }
        Ok(Node::Item { keys, assigned, value, comment })
    }

    fn value(&mut self) -> Result<Shape, String> {
        if self.take("{") {
            let body = self.body()?;
            return match self.take("}") {
                true => Ok(Shape::Body(body)),
                false => Err(self.wrong("a } is missing")),
            };
        }
        if self.take("[") {
            return self.list();
        }
        self.atom().map(Shape::Atom)
    }

    fn list(&mut self) -> Result<Shape, String> {
        let mut entries = Vec::new();
        let mut has_lines = false;
        loop {
            has_lines |= self.space() > 0;
            if let Some(comment) = self.comment()? {
                has_lines = true;
                entries.push(Entry::Comment(comment));
                continue;
            }
            if self.take("]") {
                return Ok(Shape::List(entries, has_lines));
            }
            let value = self.value()?;
            let mut comment = self.comment_behind()?;
            has_lines |= self.space() > 0;
            let is_last = !self.take(",");
            if comment.is_none() {
                comment = self.comment_behind()?;
            }
            has_lines |= comment.is_some();
            entries.push(Entry::Value(value, comment));
            if is_last {
                has_lines |= self.space() > 0;
                return match self.take("]") {
                    true => Ok(Shape::List(entries, has_lines)),
                    false => Err(self.wrong("a , or a ] is missing")),
                };
            }
        }
    }

    /// A word, a number, a text in quotes, or a text between two lines.
    fn atom(&mut self) -> Result<String, String> {
        let begin = self.at;
        if self.take("\"") {
            loop {
                match self.peek() {
                    Some('\\') => {
                        self.at += 1;
                        self.at += self.peek().map_or(0, char::len_utf8);
                    }
                    Some('"') => {
                        self.at += 1;
                        break;
                    }
                    Some('\n') | None => return Err(self.wrong("the text has no \" at its end")),
                    Some(c) => self.at += c.len_utf8(),
                }
            }
        } else if self.take("<<") {
            self.take("-");
            let mark = self.take_while(|c| c != '\n').trim();
            loop {
                if !self.take("\n") {
                    return Err(self.wrong(&format!("no line {mark} ends the text")));
                }
                if self.take_while(|c| c != '\n').trim() == mark {
                    break;
                }
            }
        } else {
            let word = self.take_while(|c| c.is_alphanumeric() || "_-.+*/".contains(c));
            if word.is_empty() {
                let what = self
                    .peek()
                    .map_or("the text ends too early".to_owned(), |c| format!("\"{c}\" is wrong here"));
                return Err(self.wrong(&what));
            }
        }
        Ok(self.text.get(begin..self.at).unwrap_or_default().to_owned())
    }
}
