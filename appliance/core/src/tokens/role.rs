//! Roles: what a token may be that somebody makes by one.

use serde::{Deserialize, Serialize};
use strongroom_barrier::{Entry, Name, Reader};
use strongroom_policy::PolicyName;
use strongroom_types::{Cidr, Refusal};

use super::name;
use crate::fault::{barrier, damaged};

/// Longest name of a role, and longest suffix of a path.
const LONGEST: usize = 256;

/// What is stored of a role.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// Canonical; empty, with the globs, leaves it to the maker's own policies.
    pub allowed_policies: Vec<String>,
    /// Canonical; never given.
    pub disallowed_policies: Vec<String>,
    /// In lower case; `*` stands for any text.
    pub allowed_policies_glob: Vec<String>,
    /// In lower case; `*` stands for any text.
    pub disallowed_policies_glob: Vec<String>,
    /// Whether its tokens have no parent.
    pub orphan: bool,
    /// Whether its tokens may be renewed.
    pub renewable: bool,
    /// Ends the path that its tokens are made at.
    pub path_suffix: String,
    /// The aliases that a token may be made for; kept until there is identity.
    pub allowed_entity_aliases: Option<Vec<String>>,
    /// The networks that its tokens may be used from.
    pub bound_cidrs: Vec<Cidr>,
    /// Seconds; 0 is no such limit.
    pub explicit_max_ttl: i64,
    /// Whether that was set by its older name, under which it is shown too.
    pub explicit_max_ttl_by_old_name: bool,
    /// Seconds; 0 is not periodic.
    pub period: i64,
    /// Whether that was set by its older name, under which it is shown too.
    pub period_by_old_name: bool,
    /// Whether the default policy is left out.
    pub no_default_policy: bool,
    /// 0 is unlimited.
    pub num_uses: u64,
    /// Which type its tokens have.
    pub token_type: TokenType,
}

/// Which type the tokens of a role have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenType {
    /// What the maker wishes, else service.
    #[default]
    DefaultService,
    /// What the maker wishes, else batch.
    DefaultBatch,
    /// Service.
    Service,
    /// Batch.
    Batch,
}

impl TokenType {
    /// As clients write it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "default" | "default-service" => Some(Self::DefaultService),
            "default-batch" => Some(Self::DefaultBatch),
            "service" => Some(Self::Service),
            "batch" => Some(Self::Batch),
            _ => None,
        }
    }

    /// As clients read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DefaultService => "default-service",
            Self::DefaultBatch => "default-batch",
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }

    /// Whether a batch token is to be made of a wish for one, for none, or of no wish.
    pub fn is_batch(self, wished: Option<bool>) -> bool {
        match self {
            Self::DefaultService => wished.unwrap_or(false),
            Self::DefaultBatch => wished.unwrap_or(true),
            Self::Service => false,
            Self::Batch => true,
        }
    }
}

impl RoleRecord {
    /// What a role is that says nothing.
    pub fn new() -> Self {
        Self { v: 1, renewable: true, ..Self::default() }
    }

    /// Whether it says which policies its tokens may hold; else that is the maker's own.
    pub fn speaks_of_policies(&self) -> bool {
        self.has_allowed()
            || !self.disallowed_policies.is_empty()
            || !self.disallowed_policies_glob.is_empty()
    }

    /// Whether it says which policies are allowed.
    pub fn has_allowed(&self) -> bool {
        !self.allowed_policies.is_empty() || !self.allowed_policies_glob.is_empty()
    }

    /// Whether its tokens may hold `policy`, as far as it says what is allowed.
    pub fn allows(&self, policy: &str) -> bool {
        self.allowed_policies.iter().any(|allowed| allowed == policy)
            || self.allowed_policies_glob.iter().any(|glob| glob_matches(glob, policy))
    }

    /// Whether its tokens must not hold `policy`.
    pub fn disallows(&self, policy: &str) -> bool {
        self.disallowed_policies.iter().any(|refused| refused == policy)
            || self.disallowed_policies_glob.iter().any(|glob| glob_matches(glob, policy))
    }

    /// The path that its tokens are made at.
    pub fn path(&self, role: &str) -> String {
        let suffix =
            if self.path_suffix.is_empty() { String::new() } else { format!("/{}", self.path_suffix) };
        format!("auth/token/create/{role}{suffix}")
    }

    /// Batch tokens are never written again: nothing can be counted or prolonged.
    pub fn check(&self) -> Result<(), Refusal> {
        let counted = self.period > 0 || self.num_uses > 0 || self.explicit_max_ttl > 0;
        if self.token_type == TokenType::Batch && counted {
            return Err(Refusal::bad_request(
                "a role for batch tokens cannot set a period, an explicit maximum or a number of uses",
            ));
        }
        Ok(())
    }
}

/// The role `role`, and its entry for the precondition of a change.
pub fn find(reader: &Reader, role: &str) -> Result<Option<(RoleRecord, Entry)>, Refusal> {
    if !is_name(role) {
        return Ok(None);
    }
    let Some(entry) = reader.get(&name_of(role)?).map_err(barrier)? else { return Ok(None) };
    let record = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
    Ok(Some((record, entry)))
}

/// Where the role `role` is stored in the tokens' view.
pub fn name_of(role: &str) -> Result<Name, Refusal> {
    name(&["role", role])
}

/// Where all roles are.
pub fn name_of_all() -> Result<Name, Refusal> {
    name(&["role"])
}

/// Whether a role may be called so: letters, digits and `_`, within them also `-` and `.`.
pub fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut chars = text.chars();
    text.len() <= LONGEST
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && chars.all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

/// Whether a path may end so: segments of which each could be the name of a role.
pub fn is_suffix(text: &str) -> bool {
    text.is_empty() || (text.len() <= LONGEST && text.split('/').all(is_name))
}

/// The canonical names of policies that a role may give, or globs of them: `root` is not among them, whatever its
/// spelling, and a glob that no name can fit is refused as such a name is.
pub fn lasting(given: &[String]) -> Result<Vec<String>, Refusal> {
    names(given, |text| PolicyName::parse_lasting(text))
}

/// The canonical names of policies that a role refuses, or globs of them. One that no name can fit is refused: it
/// would keep out nothing.
pub fn refused(given: &[String]) -> Result<Vec<String>, Refusal> {
    names(given, |text| PolicyName::parse(text))
}

fn names(
    given: &[String],
    one: impl Fn(&String) -> Result<PolicyName, strongroom_policy::NameError>,
) -> Result<Vec<String>, Refusal> {
    let all: Result<Vec<_>, _> =
        given.iter().map(|text| one(text).map(|name| name.as_str().to_owned())).collect();
    let mut all = all.map_err(|error| Refusal::bad_request(error.to_string()))?;
    all.sort();
    all.dedup();
    Ok(all)
}

/// Whether `glob` matches all of `text`: in it, `*` stands for any text.
pub fn glob_matches(glob: &str, text: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is the best: it leaves most for what follows.
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_what_they_say() {
        for (glob, text) in
            [("*", ""), ("*", "a"), ("a*", "ab"), ("*b", "ab"), ("a*c*e", "abcde"), ("a", "a"), ("**", "x")]
        {
            assert!(glob_matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("a*", "ba"), ("a", "ab"), ("a*a", "a"), ("a*b*b", "ab"), ("", "a")] {
            assert!(!glob_matches(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn names_and_suffixes_cannot_leave_their_place() {
        for name in ["a", "team-1", "a.b", "_x_", "A"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "-a", "a-", "a/b", "a b", "a\0", "ä"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(
            is_suffix("") && is_suffix("a/b") && !is_suffix("a/../b") && !is_suffix("/a") && !is_suffix("a/")
        );
    }
}
