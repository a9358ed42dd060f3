//! Tokens that end because a job says so.

use std::collections::HashSet;
use std::sync::Arc;

use strongroom_barrier::{Name, View, Write};
use strongroom_types::Refusal;

use super::job::Job;
use super::record::LeaseId;
use super::revoke::SLICE;
use crate::active::Active;
use crate::commit::{beside, pairs};
use crate::order::{Rank, ranked};
use crate::revocation::aside;
use crate::sweep::Swept;
use crate::tokens::Below;

/// Changes made by one batch, as far as one token's end does not need more.
const MAX_WRITES: usize = 10_000;

/// Ends the token whose lease `id` is.
pub async fn end_token(active: &Active, job: &Job, id: &LeaseId) -> Result<(), Refusal> {
    let _family = ranked(Rank::Family, active.tokens.family.write()).await;
    loop {
        let snapshot = active.snapshot()?;
        let reader = active.tokens.view.at(snapshot.clone());
        let known = active.tokens.find_by_lease_to_end(&reader, id.as_str(), active.now())?;
        let Some(known) = known.filter(|known| job.takes_token(&known.record)) else { return Ok(()) };
        let work = active.revoke(&snapshot, &known)?;
        // If it was used or renewed at this very moment: once more.
        if beside(active, pairs(&work.writes)).await?.is_done()? {
            return active.follow(work.after);
        }
    }
}

/// Ends the next tokens below `path`, with all that descends from them: how many, and whether these were all.
pub async fn end_tokens(
    active: &Arc<Active>,
    job: &Job,
    path: &str,
    after: &mut Option<Name>,
) -> Result<(usize, Swept), Refusal> {
    // As whoever revokes: no child is born meanwhile.
    let _family = ranked(Rank::Family, active.tokens.family.write()).await;
    let round = aside(|| next_tokens(active, job, path, after))?;
    if !beside(active, round.ends.iter().flat_map(|end| pairs(end))).await?.is_done()? {
        // One of them was used or renewed at this very moment: it must not keep the others.
        for end in &round.ends {
            beside(active, pairs(end)).await?.is_done()?;
        }
        // It is still there: once more.
        return Ok((0, Swept::Some));
    }
    *after = round.after.or(after.take());
    active.leases.wake.notify_one();
    Ok((round.ended, round.swept))
}

/// Tokens that end together.
struct Tokens {
    /// What removes each.
    ends: Vec<Vec<(View, Write)>>,
    ended: usize,
    /// The last that is wholly removed.
    after: Option<Name>,
    swept: Swept,
}

fn next_tokens(active: &Active, job: &Job, path: &str, after: &Option<Name>) -> Result<Tokens, Refusal> {
    let snapshot = active.snapshot()?;
    let reader = active.tokens.view.at(snapshot.clone());
    let below = active.tokens.below(&reader, path, after.as_ref(), SLICE)?;
    let swept = if below.len() < SLICE { Swept::All } else { Swept::Some };
    let mut round = Tokens { ends: Vec::new(), ended: 0, after: None, swept };
    let (mut gone, mut writes) = (HashSet::new(), 0);
    for Below { name, key } in below {
        let record = if gone.contains(&key) { None } else { active.tokens.record(&reader, &key)? };
        if let Some(record) = record.filter(|token| job.takes_token(token)) {
            let slice = active.end_slice(&snapshot, &key, record.spares_children)?;
            // A family of which some have been removed already: seen again when they are.
            let is_known = slice.tokens.iter().any(|key| gone.contains(key));
            if !is_known {
                writes += slice.writes.len();
                round.ended += slice.tokens.len();
                gone.extend(slice.tokens);
                round.ends.push(slice.writes);
            }
            if is_known || !slice.whole {
                round.swept = Swept::Some;
                break;
            }
        }
        round.after = Some(name);
        if writes >= MAX_WRITES {
            round.swept = Swept::Some;
            break;
        }
    }
    Ok(round)
}
