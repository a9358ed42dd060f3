//! Text of others on its way to a terminal.
//!
//! A secret, a name or an error can hold an escape sequence that rewrites what a person has read, or lets the terminal
//! type for them. Line ends and tabs are text; every other control character is shown, not obeyed.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with every control character written out: `\x1b`, `\u{202e}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // Writing to memory does not fail.
        let _ = match u32::from(c) {
            _ if !acts(c) => write!(out, "{c}"),
            code @ 0..0x100 => write!(out, "\\x{code:02x}"),
            code => write!(out, "\\u{{{code:x}}}"),
        };
    }
    Cow::Owned(out)
}

/// Whether a terminal would do something else than to show `c`: control characters, and those that turn the direction
/// of writing.
fn acts(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, expected) in [
            ("plain, é, ∞, 日本", "plain, é, ∞, 日本"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("\u{1b}]0;title\u{7}", "\\x1b]0;title\\x07"),
            ("over\rwritten\u{8}", "over\\x0dwritten\\x08"),
            ("\u{9b}31m\u{7f}\0", "\\x9b31m\\x7f\\x00"),
            ("user\u{202e}txt.exe", "user\\u{202e}txt.exe"),
        ] {
            assert_eq!(clean(text), expected);
        }
    }
}
