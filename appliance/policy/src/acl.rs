//! The compiled access list of a token.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use strongroom_types::{JsonMap, Operation, Timestamp};

use crate::builtin::ROOT;
use crate::capability::Capabilities;
use crate::parameters::Fault;
use crate::path::AclPath;
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::rule::{Merged, Rule, Source};
use crate::trie::Trie;

/// The stanzas of several policies, merged by path. What no stanza speaks of is refused.
///
/// The rule for a path is the first that is found:
///
/// 1. the path itself;
/// 2. for list and scan, the path without its trailing slash;
/// 3. the best pattern with a wildcard: [`crate::pattern::Priority`];
/// 4. for list and scan, the same without the trailing slash. This must be last: a `deny` on `private/*` also
///    holds for the list of `private/` (GHSA-xp3c-3jw3-4vcr).
///
/// Only this one rule counts; rules of other patterns add nothing to it. Patterns that differ only in the case of what
/// is a name in any case ([`AclPath::folded`]) are one pattern there.
#[derive(Debug, Default)]
pub struct Acl {
    root: bool,
    rules: Vec<Rule>,
    /// Patterns without a wildcard, as indices of `rules`.
    exact: HashMap<Box<str>, usize>,
    /// All others, likewise.
    wild: Trie,
    /// Those of both kinds that have upper case, likewise; ascending.
    upper: Vec<usize>,
}

/// What a request wants.
pub struct Ask<'a> {
    /// What is asked for.
    pub path: AclPath<'a>,
    /// Create and update already told apart.
    pub operation: Operation,
    /// From the body or the query; `None` is the same as none at all.
    pub parameters: Option<&'a JsonMap>,
    /// `X-Vault-Wrap-TTL` in seconds.
    pub wrap_ttl: Option<u64>,
    /// Whether the path asks for `sudo` beside the verb.
    pub needs_sudo: bool,
    /// The time of the request: stanzas that have expired do not count.
    pub now: Timestamp,
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It may go on.
    Granted {
        /// The policies that grant it; for help, which needs none, nobody.
        by: Vec<Arc<str>>,
        /// Whether `sudo` is granted on the path.
        sudo: bool,
        /// Most names that one answer to a list or scan may have.
        pagination_limit: Option<u64>,
    },
    /// It may not.
    Refused {
        /// For the server's log; the client is only told "permission denied".
        reason: Reason,
    },
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No stanza speaks of the path.
    NoRule,
    /// The stanza denies, or grants nothing.
    Denied,
    /// The stanza does not grant the operation.
    Capability,
    /// The path asks for `sudo`, which is not granted.
    Sudo,
    /// The answer must be wrapped, or for a shorter or longer time.
    Wrapping,
    /// A parameter is missing or not allowed.
    Parameters(Fault),
    /// The stanza has a condition of this name that cannot be checked yet.
    Unsupported(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule => f.write_str("no policy speaks of the path"),
            Self::Denied => f.write_str("a policy denies the path"),
            Self::Capability => f.write_str("no policy grants the operation on the path"),
            Self::Sudo => f.write_str("the path needs the capability sudo"),
            Self::Wrapping => f.write_str("the policy demands a wrapped answer, within bounds of time"),
            Self::Parameters(Fault::Missing) => {
                f.write_str("a parameter that the policy requires is missing")
            }
            Self::Parameters(Fault::Denied) => f.write_str("the policy denies a parameter"),
            Self::Parameters(Fault::NotAllowed) => f.write_str("the policy does not allow a parameter"),
            Self::Unsupported(key) => write!(f, "the policy uses {key}, which is not supported yet"),
        }
    }
}

/// See [`Acl::visible_mounts`].
pub struct VisibleMounts<'a> {
    acl: &'a Acl,
    /// Where the patterns lead that grant something.
    ways: Trie,
    now: Timestamp,
}

impl VisibleMounts<'_> {
    /// See [`Acl::visible`].
    pub fn contains(&self, mount: &str) -> bool {
        let at = || self.acl.find(mount.into(), Operation::List, self.now);
        self.acl.root
            || at().is_some_and(|(_, merged)| !merged.capabilities.is_deny())
            || self.ways.goes_to(&mount.trim_end_matches('/').split('/').collect::<Vec<_>>())
    }
}

impl Acl {
    /// Allows everything.
    pub fn root() -> Self {
        Self { root: true, ..Self::default() }
    }

    /// Merges and compiles policies. Their order does not matter. None of them is root, whatever its name: only
    /// [`Acl::root`] is.
    pub fn compile(policies: &[Arc<Policy>]) -> Self {
        let mut by_pattern: BTreeMap<Pattern, Vec<Source>> = BTreeMap::new();
        for policy in policies {
            for stanza in policy.stanzas() {
                let source = (policy.name().clone(), stanza.clone());
                by_pattern.entry(stanza.pattern.clone()).or_default().push(source);
            }
        }
        let mut acl = Self::default();
        for (index, (pattern, stanzas)) in by_pattern.into_iter().enumerate() {
            if pattern.is_exact() {
                acl.exact.insert(pattern.text().into(), index);
            } else {
                acl.wild.insert(&pattern, index);
            }
            if pattern.has_upper_case() {
                acl.upper.push(index);
            }
            acl.rules.push(Rule::new(pattern, stanzas));
        }
        acl
    }

    /// Whether it allows everything.
    pub fn is_root(&self) -> bool {
        self.root
    }

    /// Whether a request may go on. Help always may.
    pub fn check(&self, ask: &Ask<'_>) -> Decision {
        if self.root {
            return Decision::Granted { by: vec![ROOT.into()], sudo: true, pagination_limit: None };
        }
        if ask.operation == Operation::Help {
            return Decision::Granted { by: Vec::new(), sudo: false, pagination_limit: None };
        }
        let Some((_, merged)) = self.find(ask.path, ask.operation, ask.now) else {
            return Decision::Refused { reason: Reason::NoRule };
        };
        match merged.check(ask) {
            Ok(()) => Decision::Granted {
                by: merged.granting(Capabilities::needed_for(ask.operation)),
                sudo: merged.capabilities.contains(Capabilities::SUDO),
                pagination_limit: merged.pagination_limit,
            },
            Err(reason) => Decision::Refused { reason },
        }
    }

    /// The capabilities on a path at a time, as `sys/capabilities` tells them: in alphabetical order; `root` alone, or
    /// `deny` alone.
    pub fn capabilities<'a>(&self, path: impl Into<AclPath<'a>>, now: Timestamp) -> Vec<&'static str> {
        if self.root { vec![ROOT] } else { self.held(path.into(), now).words() }
    }

    /// Whether `sudo` is granted on a path at a time, with whatever else.
    pub fn has_sudo<'a>(&self, path: impl Into<AclPath<'a>>, now: Timestamp) -> bool {
        self.root || self.held(path.into(), now).contains(Capabilities::SUDO)
    }

    /// Whether `operation`, of those that write, could be granted on a path at a time. Whether a write creates or updates
    /// is not known before its body is: one of the two is enough.
    pub fn may_write<'a>(&self, path: impl Into<AclPath<'a>>, operation: Operation, now: Timestamp) -> bool {
        let either = [Operation::Create, Operation::Update];
        let wanted = if either.contains(&operation) { &either[..] } else { &[operation][..] };
        self.root
            || self.find(path.into(), operation, now).is_some_and(|(_, merged)| {
                let granted = merged.capabilities;
                !granted.is_deny()
                    && wanted.iter().any(|one| granted.contains(Capabilities::needed_for(*one)))
            })
    }

    /// Whether anything but `deny` could be granted at or below a mount's path (`secret/`) at a time.
    pub fn visible(&self, mount: &str, now: Timestamp) -> bool {
        let grants = |rule: &Rule| rule.at(now).is_some_and(|merged| !merged.capabilities.is_deny());
        self.root
            || self
                .find(mount.into(), Operation::List, now)
                .is_some_and(|(_, merged)| !merged.capabilities.is_deny())
            || self.rules.iter().any(|rule| rule.pattern.reaches(mount) && grants(rule))
    }

    /// The same, made to be asked about many mounts: each costs what its path does, however many rules there are.
    pub fn visible_mounts(&self, now: Timestamp) -> VisibleMounts<'_> {
        let grants = |rule: &&Rule| rule.at(now).is_some_and(|merged| !merged.capabilities.is_deny());
        let mut ways = Trie::default();
        self.rules.iter().filter(grants).for_each(|rule| ways.lead(&rule.pattern));
        VisibleMounts { acl: self, ways, now }
    }

    /// Why an operation on a path is allowed or refused at a time, in words. Where it is allowed on conditions, they
    /// are named.
    pub fn explain(&self, path: &str, operation: Operation, now: Timestamp) -> String {
        let name = operation.name();
        if self.root {
            return format!("{name} is allowed: the policy root allows everything");
        }
        if operation == Operation::Help {
            return "help is always allowed".into();
        }
        let Some((rule, merged)) = self.find(path.into(), operation, now) else {
            return format!("{name} is refused: no policy speaks of this path");
        };
        let rule = format!("the rule \"{}\" (of {})", rule.pattern, merged.policies().join(", "));
        let words = merged.capabilities.words().join(", ");
        if merged.capabilities.is_deny() {
            return format!("{name} is refused: {rule} denies everything");
        }
        if !merged.capabilities.contains(Capabilities::needed_for(operation)) {
            return format!("{name} is refused: {rule} grants only {words}");
        }
        let conditions: String = merged.conditions().iter().map(|words| format!("; {words}")).collect();
        format!("{name} is allowed: {rule} grants {words}{conditions}")
    }

    /// Every pattern that the policies speak of, with what they say there at a time, as [`Acl::capabilities`] does.
    /// A form for people asks it once instead of asking about every path. Empty for root.
    pub fn table(&self, now: Timestamp) -> impl Iterator<Item = (&Pattern, Vec<&'static str>)> {
        self.rules.iter().filter_map(move |rule| {
            let merged = rule.at(now)?;
            Some((&rule.pattern, merged.capabilities.words()))
        })
    }

    fn held(&self, path: AclPath<'_>, now: Timestamp) -> Capabilities {
        // List, so that a path with a slash at its end is also looked for without.
        let found = self.find(path, Operation::List, now);
        found.map_or(Capabilities::NONE, |(_, merged)| merged.capabilities)
    }

    /// The one rule for a path: see [`Acl`] for the order.
    fn find(
        &self,
        path: AclPath<'_>,
        operation: Operation,
        now: Timestamp,
    ) -> Option<(&Rule, Cow<'_, Merged>)> {
        let is_list = matches!(operation, Operation::List | Operation::Scan);
        let text = path.text.trim_start_matches('/');
        let bare = text.strip_suffix('/').filter(|_| is_list);
        if !path.folded.is_empty() && !self.upper.is_empty() {
            let in_any_case = |text, exact| self.in_any_case(AclPath { text, ..path }, exact, now);
            return in_any_case(text, true)
                .or_else(|| in_any_case(bare?, true))
                .or_else(|| in_any_case(text, false))
                .or_else(|| in_any_case(bare?, false));
        }
        self.exact(text, now)
            .or_else(|| self.exact(bare?, now))
            .or_else(|| self.best(text, now))
            .or_else(|| self.best(bare?, now))
    }

    fn exact(&self, path: &str, now: Timestamp) -> Option<(&Rule, Cow<'_, Merged>)> {
        let rule = self.rules.get(*self.exact.get(path)?)?;
        Some((rule, rule.at(now)?))
    }

    /// The best of the patterns with a wildcard that match and count.
    fn best(&self, path: &str, now: Timestamp) -> Option<(&Rule, Cow<'_, Merged>)> {
        let mut best: Option<(&Rule, Cow<'_, Merged>)> = None;
        self.wild.matching(path, |index| {
            let Some(rule) = self.rules.get(index) else { return };
            if best.as_ref().is_some_and(|(best, _)| best.pattern.priority() > rule.pattern.priority()) {
                return;
            }
            if let Some(merged) = rule.at(now) {
                best = Some((rule, merged));
            }
        });
        best
    }

    /// As [`Acl::exact`] or [`Acl::best`], for a path with names that are the same in any case. All patterns with upper
    /// case are gone through: few policies have any, and few routes such names.
    fn in_any_case(
        &self,
        path: AclPath<'_>,
        exact: bool,
        now: Timestamp,
    ) -> Option<(&Rule, Cow<'_, Merged>)> {
        let mut found: Vec<(Cow<'_, Pattern>, &Rule)> = Vec::new();
        let mut add = |index: usize| {
            let rule = self.rules.get(index).filter(|rule| !rule.pattern.has_upper_case());
            found.extend(rule.map(|rule| (Cow::Borrowed(&rule.pattern), rule)));
        };
        match exact {
            true => self.exact.get(path.text).copied().into_iter().for_each(&mut add),
            false => self.wild.matching(path.text, &mut add),
        }
        for rule in self.upper.iter().filter_map(|index| self.rules.get(*index)) {
            let folded = rule.pattern.folded(path).filter(|_| rule.pattern.is_exact() == exact);
            found.extend(folded.map(|pattern| (Cow::Owned(pattern), rule)));
        }
        found.retain(|(_, rule)| rule.counting(now).next().is_some());
        let (best, rule) = found.iter().max_by(|(a, _), (b, _)| a.priority().cmp(&b.priority()))?;
        let same = found.iter().filter(|(pattern, _)| pattern == best);
        let merged = Merged::of(same.flat_map(|(_, rule)| rule.counting(now)))?;
        Some((rule, Cow::Owned(merged)))
    }
}
