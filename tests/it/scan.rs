//! Rust as the checks of the repository look at it: without its comments and texts, which may mention anything.

/// `source` with every comment, text and character literal blanked out; lines and columns stay what they are.
pub fn code(source: &str) -> String {
    let source: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < source.len() {
        let end = match source[at..] {
            ['/', '/', ..] => line_end(&source, at),
            ['/', '*', ..] => block_end(&source, at),
            ['"', ..] => text_end(&source, at + 1),
            ['\'', ..] => char_end(&source, at),
            // A raw text, behind whatever letters a name may not continue.
            ['r', '"' | '#', ..] if !continues_a_name(&source, at) => raw_end(&source, at),
            _ => at,
        };
        if end == at {
            out.push(source[at]);
            at += 1;
        } else {
            out.extend(source[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Whether `code` has `word` as a word of its own.
pub fn has_word(code: &str, word: &str) -> bool {
    words(code).any(|found| found == word)
}

/// The words of `code`, in order.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !is_name(c)).filter(|word| !word.is_empty())
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `br"…"` and `cr"…"` are raw texts, too.
fn continues_a_name(source: &[char], at: usize) -> bool {
    match source[..at] {
        [.., before, 'b' | 'c'] => is_name(before),
        ['b' | 'c'] => false,
        [.., before] => is_name(before),
        [] => false,
    }
}

fn line_end(source: &[char], at: usize) -> usize {
    source[at..].iter().position(|c| *c == '\n').map_or(source.len(), |length| at + length)
}

/// Comments of this kind stand within each other.
fn block_end(source: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < source.len() {
        match source[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn text_end(source: &[char], mut at: usize) -> usize {
    while at < source.len() {
        match source[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    source.len()
}

/// A character, not a lifetime: those have no second quote where it would have to be.
fn char_end(source: &[char], at: usize) -> usize {
    match source[at + 1..] {
        ['\\', _, ..] => {
            let close = source[at + 3..].iter().position(|c| *c == '\'');
            close.map_or(source.len(), |length| at + 3 + length + 1)
        }
        [_, '\'', ..] => at + 3,
        _ => at,
    }
}

/// `at` itself for a raw name such as `r#type`.
fn raw_end(source: &[char], at: usize) -> usize {
    let hashes = source[at + 1..].iter().take_while(|c| **c == '#').count();
    let body = at + 1 + hashes;
    if source.get(body) != Some(&'"') {
        return at;
    }
    let closes = |end: &usize| {
        source[*end] == '"' && source[*end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (body + 1..source.len()).find(closes).map_or(source.len(), |end| end + 1 + hashes)
}

#[test]
fn comments_and_texts_are_no_code() {
    let cases = [
        ("a // unsafe\nb", "a b"),
        ("a /* x /* unsafe */ \n */ b", "a b"),
        (r#"f("un\"safe", 1)"#, "f( , 1)"),
        ("f(\"http://x\") + unsafe", "f( ) + unsafe"),
        (r##"r#"a"unsafe"# + br"\" + x"##, "+ b + x"),
        ("r#type + for", "r#type + for"),
        ("b'\"' + '\\'' + '\\u{1}' + \"'\" + x", "b + + + + x"),
        ("fn f<'a>(x: &'a str, y: 'static)", "fn f<'a>(x: &'a str, y: 'static)"),
        ("x \"open", "x"),
    ];
    for (source, expected) in cases {
        let code = code(source);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{source}");
        assert_eq!(code.chars().count(), source.chars().count(), "{source}");
        assert_eq!(code.lines().count(), source.lines().count(), "{source}");
    }
    assert!(has_word("pub unsafe(x)", "unsafe") && !has_word("unsafe_code", "unsafe"));
}
