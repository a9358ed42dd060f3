//! The usual form of a policy's text: two spaces a level, `=` under `=`, comments where they were.
//!
//! Works on words, not on meaning: what the server accepts is formatted, and nothing but space is changed.

mod print;
mod read;

/// `text` in its usual form. The error says in which line the text cannot be read.
pub fn format(text: &str) -> Result<String, String> {
    Ok(print::document(&read::document(text)?))
}

/// What stands in a body, in order.
enum Node {
    /// One empty line.
    Blank,
    /// A comment with lines of its own.
    Comment(String),
    /// `path "x" { … }` or `key = value`.
    Item {
        /// `path` and `"x"`.
        keys: Vec<String>,
        /// Whether `=` stands before the value.
        assigned: bool,
        /// What it is.
        value: Shape,
        /// A comment in the same line.
        comment: Option<String>,
    },
}

/// A value.
enum Shape {
    /// A word, a number, a text, as it was written.
    Atom(String),
    /// `[…]`; in lines of its own if it was.
    List(Vec<Entry>, bool),
    /// `{…}`.
    Body(Vec<Node>),
}

/// What stands in a list.
enum Entry {
    /// A value, and a comment behind it.
    Value(Shape, Option<String>),
    /// A comment with a line of its own.
    Comment(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_get_their_usual_form() {
        let given = r#"
# People
path "secret/data/*" { capabilities=["read","list"] }


path "a/b" {
    capabilities = [ "create",   # new ones
      "update" ]
  max_wrapping_ttl="1h" // long
  allowed_parameters = { "ttl" = ["1h"], "*" = [] }
  /* the
     end */
  comment = <<EOT
 as it is
EOT
  required_parameters = []
  denied_parameters {}
}"#;
        let formatted = r#"# People
path "secret/data/*" {
  capabilities = ["read", "list"]
}

path "a/b" {
  capabilities = [
    "create", # new ones
    "update",
  ]
  max_wrapping_ttl = "1h" // long
  allowed_parameters = {
    "ttl" = ["1h"]
    "*"   = []
  }
  /* the
     end */
  comment = <<EOT
 as it is
EOT
  required_parameters = []
  denied_parameters {}
}
"#;
        assert_eq!(format(given).unwrap(), formatted);
        assert_eq!(format(formatted).unwrap(), formatted);
    }

    #[test]
    fn equal_signs_stand_under_each_other() {
        let given = "path \"x\" {\ncapabilities = [\"read\"]\nmin_wrapping_ttl = 1\n\na = 1\n}";
        let formatted =
            "path \"x\" {\n  capabilities     = [\"read\"]\n  min_wrapping_ttl = 1\n\n  a = 1\n}\n";
        assert_eq!(format(given).unwrap(), formatted);
        assert_eq!(format("").unwrap(), "");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        for text in ["path \"x\" {", "path \"x", "a =\n", "\n]", "a = [1", "path", "a = <<E\nx", "/* x"] {
            assert!(format(text).unwrap_err().contains("line "), "{text}");
        }
    }
}
