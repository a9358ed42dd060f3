//! All patterns with a wildcard, found by the segments of a path.
//!
//! A look-up visits only nodes that the path itself leads to, so that its cost depends on the length of the path
//! and on how many patterns match it, not on how many patterns there are.

use std::collections::HashMap;

use crate::pattern::Pattern;

/// Patterns, each with a value.
#[derive(Debug, Default)]
pub struct Trie {
    root: Node,
}

/// A place after some segments.
#[derive(Debug, Default)]
struct Node {
    /// On by a segment of this text.
    literal: HashMap<Box<str>, Node>,
    /// On by any one segment: `+`.
    plus: Option<Box<Node>>,
    /// Patterns that end here.
    closed: Option<usize>,
    /// Patterns that end here in `text*`, by the text.
    open: HashMap<Box<str>, usize>,
    /// The longest of these texts, in bytes.
    longest_open: usize,
}

impl Trie {
    /// Adds a pattern.
    pub fn insert(&mut self, pattern: &Pattern, value: usize) {
        let (before, last) =
            pattern.text().rsplit_once('/').map_or((None, pattern.text()), |(b, l)| (Some(b), l));
        let mut node = &mut self.root;
        for segment in before.iter().flat_map(|before| before.split('/')) {
            node = node.step(segment);
        }
        if pattern.is_open_ended() {
            node.open.insert(last.into(), value);
            node.longest_open = node.longest_open.max(last.len());
        } else {
            node.step(last).closed = Some(value);
        }
    }

    /// Adds only the way along a pattern's segments, for [`Trie::goes_to`].
    pub fn lead(&mut self, pattern: &Pattern) {
        pattern.text().split('/').fold(&mut self.root, Node::step);
    }

    /// Whether a way leads along all of `segments`, each by itself or by `+`.
    pub fn goes_to(&self, segments: &[&str]) -> bool {
        self.root.goes_to(segments)
    }

    /// Calls `found` with the value of each pattern that matches `path`, in no order.
    pub fn matching(&self, path: &str, mut found: impl FnMut(usize)) {
        let segments: Vec<&str> = path.split('/').collect();
        self.root.visit(&segments, &mut found);
    }
}

impl Node {
    /// The node after `segment`, made if needed.
    fn step(&mut self, segment: &str) -> &mut Self {
        match segment {
            "+" => self.plus.get_or_insert_default(),
            _ => self.literal.entry(segment.into()).or_default(),
        }
    }

    fn goes_to(&self, segments: &[&str]) -> bool {
        let Some((segment, rest)) = segments.split_first() else { return true };
        let goes_on = |next: &Self| next.goes_to(rest);
        self.literal.get(*segment).is_some_and(goes_on) || self.plus.as_deref().is_some_and(goes_on)
    }

    /// Goes on from here by the segments that are left. As deep as the longest pattern, which is bounded.
    fn visit(&self, segments: &[&str], found: &mut impl FnMut(usize)) {
        let Some((segment, rest)) = segments.split_first() else {
            self.closed.into_iter().for_each(found);
            return;
        };
        if !self.open.is_empty() {
            (0..=segment.len().min(self.longest_open))
                .filter_map(|end| self.open.get(segment.get(..end)?))
                .for_each(|value| found(*value));
        }
        if let Some(next) = self.literal.get(*segment) {
            next.visit(rest, found);
        }
        if let Some(next) = &self.plus {
            next.visit(rest, found);
        }
    }
}
