//! All that several policies say about one path, merged.

use std::borrow::Cow;
use std::sync::Arc;

use strongroom_types::{Operation, Timestamp};

use crate::acl::{Ask, Reason};
use crate::capability::Capabilities;
use crate::parameters::Parameters;
use crate::pattern::Pattern;
use crate::policy::{Stanza, Wrapping};

/// A stanza and the name of its policy.
pub type Source = (Arc<str>, Arc<Stanza>);

/// The stanzas for one path.
#[derive(Debug)]
pub struct Rule {
    pub pattern: Pattern,
    stanzas: Vec<Source>,
    /// Made once, unless a stanza expires; then merged at each use.
    merged: Option<Merged>,
}

/// What the stanzas for one path say together.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    pub capabilities: Capabilities,
    pub pagination_limit: Option<u64>,
    parameters: Parameters,
    wrapping: Wrapping,
    needs_mfa: bool,
    filters_keys: bool,
    /// Who says what.
    sources: Vec<(Arc<str>, Capabilities)>,
}

impl Rule {
    pub fn new(pattern: Pattern, stanzas: Vec<Source>) -> Self {
        let is_lasting = stanzas.iter().all(|(_, stanza)| stanza.expiration.is_none());
        let merged = if is_lasting { Merged::of(stanzas.iter()) } else { None };
        Self { pattern, stanzas, merged }
    }

    /// What the stanzas say that count at `now`; `None` if there are none.
    pub fn at(&self, now: Timestamp) -> Option<Cow<'_, Merged>> {
        if let Some(merged) = &self.merged {
            return Some(Cow::Borrowed(merged));
        }
        Merged::of(self.counting(now)).map(Cow::Owned)
    }

    /// The stanzas that count at `now`.
    pub fn counting(&self, now: Timestamp) -> impl Iterator<Item = &Source> {
        self.stanzas.iter().filter(move |(_, stanza)| stanza.expiration.is_none_or(|end| now < end))
    }
}

impl Merged {
    pub fn of<'a>(stanzas: impl Iterator<Item = &'a Source>) -> Option<Self> {
        let mut merged: Option<Self> = None;
        for (policy, stanza) in stanzas {
            merged.get_or_insert_default().add(policy, stanza);
        }
        merged
    }

    fn add(&mut self, policy: &Arc<str>, stanza: &Stanza) {
        self.capabilities = self.capabilities | stanza.capabilities;
        self.parameters.merge(&stanza.parameters);
        self.wrapping.min = lowest(self.wrapping.min, stanza.wrapping.min);
        self.wrapping.max = lowest(self.wrapping.max, stanza.wrapping.max);
        self.pagination_limit = lowest(self.pagination_limit, stanza.pagination_limit);
        self.needs_mfa |= !stanza.mfa_methods.is_empty();
        self.filters_keys |= stanza.keys_filter.is_some();
        self.sources.push((policy.clone(), stanza.capabilities));
    }

    /// Whether a request may go on.
    pub fn check(&self, ask: &Ask<'_>) -> Result<(), Reason> {
        if self.capabilities.is_deny() {
            return Err(Reason::Denied);
        }
        if !self.capabilities.contains(Capabilities::needed_for(ask.operation)) {
            return Err(Reason::Capability);
        }
        if ask.needs_sudo && !self.capabilities.contains(Capabilities::SUDO) {
            return Err(Reason::Sudo);
        }
        self.check_unsupported(ask.operation)?;
        if !self.wrapping.accepts(ask.wrap_ttl) {
            return Err(Reason::Wrapping);
        }
        if has_parameters(ask.operation) {
            let none = strongroom_types::JsonMap::new();
            self.parameters.check(ask.parameters.unwrap_or(&none)).map_err(Reason::Parameters)?;
        }
        Ok(())
    }

    /// A condition that cannot be checked is not met.
    fn check_unsupported(&self, operation: Operation) -> Result<(), Reason> {
        if self.needs_mfa {
            return Err(Reason::Unsupported("mfa_methods"));
        }
        if self.filters_keys && matches!(operation, Operation::List | Operation::Scan) {
            return Err(Reason::Unsupported("list_scan_response_keys_filter_path"));
        }
        Ok(())
    }

    /// The policies that grant all of `capabilities`, each once.
    pub fn granting(&self, capabilities: Capabilities) -> Vec<Arc<str>> {
        self.named(|own| own.contains(capabilities))
    }

    /// The policies that say anything, each once.
    pub fn policies(&self) -> Vec<Arc<str>> {
        self.named(|_| true)
    }

    fn named(&self, chosen: impl Fn(Capabilities) -> bool) -> Vec<Arc<str>> {
        let mut names: Vec<_> =
            self.sources.iter().filter(|(_, own)| chosen(*own)).map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The conditions beside the capabilities, in words.
    pub fn conditions(&self) -> Vec<&'static str> {
        let Self { parameters, wrapping, .. } = self;
        [
            (!parameters.required.is_empty(), "some parameters are required"),
            (!parameters.denied.is_empty(), "some parameters are denied"),
            (!parameters.allowed.is_empty(), "only some parameters are allowed"),
            (*wrapping != Wrapping::default(), "the answer must be wrapped"),
            (self.pagination_limit.is_some(), "lists are limited"),
            (self.needs_mfa, "MFA is demanded, which is not supported yet"),
            (self.filters_keys, "lists are filtered, which is not supported yet"),
        ]
        .into_iter()
        .filter_map(|(holds, words)| holds.then_some(words))
        .collect()
    }
}

impl Wrapping {
    /// Whether an answer may be wrapped for `seconds`, or not at all. Where merging has left no length that
    /// keeps both bounds, none is accepted.
    fn accepts(self, seconds: Option<u64>) -> bool {
        let Some(seconds) = seconds.filter(|seconds| *seconds > 0) else { return self == Self::default() };
        let nanos = seconds.saturating_mul(1_000_000_000);
        self.min.is_none_or(|min| nanos >= min) && self.max.is_none_or(|max| nanos <= max)
    }
}

/// Whether an operation has parameters that access lists look at.
fn has_parameters(operation: Operation) -> bool {
    use Operation::{Create, Head, Patch, Read, Update};
    matches!(operation, Read | Head | Create | Update | Patch)
}

fn lowest(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        _ => a.or(b),
    }
}
