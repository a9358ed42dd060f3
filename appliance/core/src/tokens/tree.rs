//! Revocation: a token takes its children with it.
//!
//! Whoever makes a child holds [`Tokens::family`] for reading until its commit, whoever revokes holds it for
//! writing: so no child is born to a parent that is being removed, and a thousand births do not make each other run
//! again.

use strongroom_barrier::{Minute, Reader, Write};
use strongroom_types::{Refusal, Timestamp};

use super::{Known, TokenRecord, Tokens, lease, name, name_by, record_name};
use crate::fault::{barrier, damaged};

/// Tokens removed by one batch. What it costs to find them hangs on this, and not on how large the family is.
pub const SLICE: usize = 500;

/// What goes when tokens are revoked.
#[derive(Default)]
pub struct Revoked {
    /// For the tokens' view.
    pub writes: Vec<Write>,
    /// The keys of all that go: what they kept in their cubbyholes goes too.
    pub keys: Vec<String>,
    /// Whether there is more.
    pub more: bool,
}

impl Tokens {
    /// Ends `known` for good, but leaves its record to the sweep, for which it falls due at once. Its descendants end with
    /// it, or live on.
    pub fn mark_ended(&self, known: &Known, spares_children: bool) -> Result<Vec<Write>, Refusal> {
        let entry = known.stored()?;
        let expires = Some(Timestamp::from_secs(0));
        let record = TokenRecord { ended: true, spares_children, expires, ..known.record.clone() };
        let body = serde_json::to_vec(&record).map_err(damaged)?;
        let mut writes = vec![Write::put(record_name(&known.key)?, body).if_unchanged(Some(entry)).frees()];
        writes.extend(due(&known.key, &known.record)?.map(|(minute, name)| Write::delete(name).due(minute)));
        writes.extend(
            due(&known.key, &record)?.map(|(minute, name)| Write::put(name, Vec::new()).due(minute).frees()),
        );
        Ok(writes)
    }

    /// Removes the token with this key alone: its children become orphans, as many as fit into one batch, then it goes.
    pub fn slice_alone(&self, reader: &Reader, key: &str) -> Result<Revoked, Refusal> {
        let mut revoked = Revoked::default();
        let children = self.children(reader, key, SLICE)?;
        revoked.more = children.len() >= SLICE;
        for child in children {
            revoked.writes.push(Write::delete(name_by(&["child", key], &child)?));
            let at = record_name(&child)?;
            let Some(entry) = reader.get(&at).map_err(barrier)? else { continue };
            let record: TokenRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
            let record = TokenRecord { parent: None, ..record };
            let body = serde_json::to_vec(&record).map_err(damaged)?;
            revoked.writes.push(Write::put(at, body).if_unchanged(Some(&entry)).frees());
        }
        if !revoked.more {
            self.remove(reader, key.to_owned(), &mut revoked)?;
        }
        Ok(revoked)
    }

    /// Removes as much of the tree below and with `key` as fits into one batch, leaves first: what is left is a tree
    /// still.
    pub fn tree_slice(&self, reader: &Reader, key: &str) -> Result<Revoked, Refusal> {
        let mut revoked = Revoked::default();
        // From the root down to where we are: each with its children that have not been looked at, or with enough of
        // them to fill the slice.
        let mut path = vec![(key.to_owned(), self.children(reader, key, SLICE)?)];
        let mut passed_over = 0;
        while let Some((parent, children)) = path.last_mut() {
            if revoked.keys.len() + passed_over >= SLICE {
                revoked.more = true;
                break;
            }
            if let Some(child) = children.pop() {
                if self.spares_children(reader, child.clone())? {
                    // It has ended already, and what it spares is not ours.
                    revoked.writes.push(Write::delete(name_by(&["child", parent], &child)?));
                    passed_over += 1;
                    continue;
                }
                let below = self.children(reader, &child, SLICE)?;
                path.push((child, below));
            } else if let Some((done, _)) = path.pop() {
                self.remove(reader, done, &mut revoked)?;
            }
        }
        Ok(revoked)
    }

    /// At most `most` children, in no particular order: a list in order would look at all of them.
    fn children(&self, reader: &Reader, key: &str, most: usize) -> Result<Vec<String>, Refusal> {
        let mut children = Vec::new();
        let visit = &mut |below: &[String]| {
            children.extend(below.first().cloned());
            children.len() < most
        };
        reader.walk(&name(&["child", key])?, visit).map_err(barrier)?;
        Ok(children)
    }

    /// Removes the records of one token; one that is already gone is passed over.
    fn remove(&self, reader: &Reader, key: String, revoked: &mut Revoked) -> Result<(), Refusal> {
        let at = record_name(&key)?;
        if let Some(entry) = reader.get(&at).map_err(barrier)? {
            let record: TokenRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
            revoked.writes.push(Write::delete(at).if_unchanged(Some(&entry)));
            revoked.writes.extend(lease::name_of(&key, &record)?.map(Write::delete));
            revoked.writes.extend(due(&key, &record)?.map(|(minute, name)| Write::delete(name).due(minute)));
            if let Some(parent) = &record.parent {
                revoked.writes.push(Write::delete(name_by(&["child", parent], &key)?));
            }
        }
        revoked.keys.push(key);
        Ok(())
    }
}

/// Where a token stands in the index by expiry; a token that lives for ever is not in it.
pub(super) fn due(
    key: &str,
    record: &TokenRecord,
) -> Result<Option<(Minute, strongroom_barrier::Name)>, Refusal> {
    record.expires.map(|end| Ok((Minute::not_before(end), name_by(&[], key)?))).transpose()
}
