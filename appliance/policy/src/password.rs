//! Password policies: how passwords that the appliance makes up are to look.
//!
//! ```text
//! length = 20
//! rule "charset" {
//!   charset   = "abcdefghijklmnopqrstuvwxyz"
//!   min-chars = 1
//! }
//! ```
//!
//! A password is drawn from all characters of all rules, each as likely as any other, and thrown away as a whole until
//! all rules hold: so every password that a policy allows is as likely as any other.

use std::collections::BTreeSet;

use strongroom_types::{Entropy, NoEntropy, Secret};
use zeroize::Zeroizing;

use crate::hcl::{Block, Document, HclError, Item};

/// The longest password.
pub const LONGEST: usize = 100;
/// The shortest password.
pub const SHORTEST: usize = 4;
/// The most characters that a password is drawn from: a byte chooses one.
const MOST_CHARACTERS: usize = 256;
/// The most rules.
const MOST_RULES: usize = 20;
/// The longest text of a policy, in bytes.
const LONGEST_TEXT: usize = 64 * 1024;
/// How many passwords are thrown away at most while one is drawn.
const TRIES: usize = 10_000;
/// How many of those a policy may need when it is stored, three times in a row: far fewer, so that it does not fail later.
const TRIES_AT_FIRST: usize = 1_000;

/// A parsed password policy.
#[derive(Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    length: usize,
    rules: Vec<Rule>,
    /// The characters of all rules, each once.
    characters: Vec<char>,
}

/// At least so many of these.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    characters: BTreeSet<char>,
    least: usize,
}

/// Why no password came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum NoPassword {
    /// The system's generator fails.
    Entropy(NoEntropy),
    /// Hardly any text fulfils all rules.
    Impossible,
}

impl From<NoEntropy> for NoPassword {
    fn from(cause: NoEntropy) -> Self {
        Self::Entropy(cause)
    }
}

impl PasswordPolicy {
    /// From HCL or JSON.
    pub fn parse(text: &str) -> Result<Self, HclError> {
        let whole = |what: String| HclError { line: 1, column: 1, what };
        if text.len() > LONGEST_TEXT {
            return Err(whole(format!("the policy is longer than {LONGEST_TEXT} bytes")));
        }
        let body = Document::parse(text)?.body;
        body.only(&["length", "rule"])?;
        let length = body.get("length")?.ok_or_else(|| whole("length is missing".into()))?;
        let at_length = |what: String| length.error(what);
        let length = length.integer()?;
        let (shortest, longest) = (SHORTEST, LONGEST);
        let length = usize::try_from(length).ok().filter(|length| (shortest..=longest).contains(length));
        let length = length.ok_or_else(|| {
            at_length(format!("passwords must be between {shortest} and {longest} characters"))
        })?;
        let blocks = body.blocks("rule", 1)?;
        if blocks.len() > MOST_RULES {
            return Err(whole(format!("there are more than {MOST_RULES} rules")));
        }
        let rules = blocks.iter().map(Rule::parse).collect::<Result<Vec<_>, _>>()?;
        let characters: BTreeSet<char> = rules.iter().flat_map(|rule| &rule.characters).copied().collect();
        if characters.is_empty() {
            return Err(whole("no charset specified".into()));
        }
        if characters.len() > MOST_CHARACTERS {
            return Err(whole(format!("the charsets have more than {MOST_CHARACTERS} characters")));
        }
        let least = rules.iter().fold(0usize, |sum, rule| sum.saturating_add(rule.least));
        if least > length {
            return Err(at_length(format!("the rules require at least {least} characters")));
        }
        Ok(Self { length, rules, characters: characters.into_iter().collect() })
    }

    /// The same, and that passwords can really be made: for a policy that is to be stored.
    pub fn is_possible(&self, entropy: &dyn Entropy) -> Result<(), NoPassword> {
        (0..3).try_for_each(|_| self.draw(entropy, TRIES_AT_FIRST).map(drop))
    }

    /// A password.
    pub fn password(&self, entropy: &dyn Entropy) -> Result<Secret, NoPassword> {
        self.draw(entropy, TRIES)
    }

    fn draw(&self, entropy: &dyn Entropy, tries: usize) -> Result<Secret, NoPassword> {
        let mut bytes = Bytes::new(entropy);
        let mut password = Zeroizing::new(Vec::with_capacity(self.length));
        for _ in 0..tries {
            password.clear();
            for _ in 0..self.length {
                password.push(bytes.choose(&self.characters)?);
            }
            if self.rules.iter().all(|rule| rule.holds(&password)) {
                // No character is longer than four bytes: the text is never moved, and leaves no copy behind.
                let mut text = String::with_capacity(self.length * 4);
                text.extend(password.iter());
                return Ok(Secret::from(text));
            }
        }
        Err(NoPassword::Impossible)
    }
}

impl Rule {
    fn parse(block: &Block<'_>) -> Result<Self, HclError> {
        let here = |what: &str| HclError { line: block.line, column: block.column, what: what.to_owned() };
        if block.labels.first() != Some(&"charset") {
            return Err(here("there is no such rule: there is \"charset\""));
        }
        block.body.only(&["charset", "min-chars"])?;
        let charset = block.body.get("charset")?.ok_or_else(|| here("charset is missing"))?;
        let characters: BTreeSet<char> = charset.text()?.chars().collect();
        if characters.is_empty() {
            return Err(charset.error("charset is empty"));
        }
        if characters.iter().any(|c| is_unprintable(*c)) {
            return Err(charset.error("non-printable character in charset"));
        }
        let least = block.body.get("min-chars")?;
        let least = least.map(|item| whole_number(item, "min-chars")).transpose()?.unwrap_or(0);
        Ok(Self { characters, least })
    }

    fn holds(&self, password: &[char]) -> bool {
        password.iter().filter(|c| self.characters.contains(c)).count() >= self.least
    }
}

/// White space but the space, control and format characters, and what combines with the character before it or has no
/// meaning: nobody could type it.
fn is_unprintable(c: char) -> bool {
    let is_invisible = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..);
    c.is_control() || (c.is_whitespace() && c != ' ') || is_invisible
}

fn whole_number(item: &Item, name: &str) -> Result<usize, HclError> {
    usize::try_from(item.integer()?).map_err(|_| item.error(format!("{name} cannot be negative")))
}

/// Random bytes, drawn many at a time.
struct Bytes<'e> {
    entropy: &'e dyn Entropy,
    drawn: Zeroizing<Vec<u8>>,
}

impl<'e> Bytes<'e> {
    fn new(entropy: &'e dyn Entropy) -> Self {
        Self { entropy, drawn: Zeroizing::default() }
    }

    fn next(&mut self) -> Result<u8, NoEntropy> {
        if self.drawn.is_empty() {
            self.drawn.resize(256, 0);
            self.entropy.fill(&mut self.drawn)?;
        }
        Ok(self.drawn.pop().unwrap_or_default())
    }

    /// One of at most 256 characters, each as likely as any other: a byte beyond the largest multiple of their number
    /// is thrown away, because the first of them would be more likely.
    fn choose(&mut self, characters: &[char]) -> Result<char, NoEntropy> {
        let count = characters.len().max(1);
        let fair = MOST_CHARACTERS - MOST_CHARACTERS % count;
        loop {
            let byte = usize::from(self.next()?);
            if byte < fair {
                return Ok(characters.get(byte % count).copied().unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests;
