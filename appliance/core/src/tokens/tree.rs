//! Revocation: a token takes its children with it.

use strongroom_barrier::{Reader, Write};
use strongroom_types::Refusal;

use super::{Known, Tokens, name};
use crate::fault::{barrier, damaged};

/// Tokens revoked by one request; more are refused, so that a batch stays small.
const MAX_TREE: usize = 100_000;

/// What goes when tokens are revoked.
pub struct Revoked {
    /// For the tokens' view.
    pub writes: Vec<Write>,
    /// The keys of all that go: what they kept in their cubbyholes goes too.
    pub keys: Vec<String>,
}

impl Tokens {
    /// Removes `known` and all that descend from it.
    pub fn revoke_tree(&self, reader: &Reader, known: &Known) -> Result<Revoked, Refusal> {
        let mut revoked = Revoked { writes: Vec::new(), keys: Vec::new() };
        let mut open = vec![known.key.clone()];
        while let Some(key) = open.pop() {
            if revoked.keys.len() >= MAX_TREE {
                return Err(Refusal::bad_request("too many children: revoke some of them first"));
            }
            for child in self.children(reader, &key)? {
                revoked.writes.push(Write::delete(name(&["child", &key, &child])?));
                open.push(child);
            }
            self.remove(reader, key, &mut revoked)?;
        }
        Ok(revoked)
    }

    /// Removes `known` alone: its children become orphans.
    pub fn revoke_alone(&self, reader: &Reader, known: &Known) -> Result<Revoked, Refusal> {
        let mut revoked = Revoked { writes: Vec::new(), keys: Vec::new() };
        for child in self.children(reader, &known.key)? {
            revoked.writes.push(Write::delete(name(&["child", &known.key, &child])?));
            let at = name(&["id", &child])?;
            let Some(entry) = reader.get(&at).map_err(barrier)? else { continue };
            let mut record: super::TokenRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
            record.parent = None;
            let body = serde_json::to_vec(&record).map_err(damaged)?;
            revoked.writes.push(Write::put(at, body).if_unchanged(Some(&entry)));
        }
        self.remove(reader, known.key.clone(), &mut revoked)?;
        Ok(revoked)
    }

    fn children(&self, reader: &Reader, key: &str) -> Result<Vec<String>, Refusal> {
        reader.list(&name(&["child", key])?, None, None).map_err(barrier)
    }

    /// Removes the records of one token; one that is already gone is passed over.
    fn remove(&self, reader: &Reader, key: String, revoked: &mut Revoked) -> Result<(), Refusal> {
        let at = name(&["id", &key])?;
        if let Some(entry) = reader.get(&at).map_err(barrier)? {
            let record: super::TokenRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
            revoked.writes.push(Write::delete(at));
            revoked.writes.push(Write::delete(name(&["accessor", &record.accessor])?));
            if let Some(parent) = &record.parent {
                revoked.writes.push(Write::delete(name(&["child", parent, &key])?));
            }
        }
        revoked.keys.push(key);
        Ok(())
    }
}
