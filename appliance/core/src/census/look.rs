//! All that is counted, looked at once.

use strongroom_barrier::{Name, Reader};
use strongroom_store::Revision;
use strongroom_types::Refusal;

use super::Tally;
use crate::active::Active;
use crate::fault::{barrier, damaged};
use crate::leases::{IRREVOCABLE, LEASE};
use crate::quotas::Rules;
use crate::tokens::Below;

/// Begins the names of the tokens' records.
pub const ID: &str = "id";

/// What is stored, and when.
pub fn look(active: &Active, rules: &Rules) -> Result<(Revision, Tally), Refusal> {
    let snapshot = active.snapshot()?;
    let (tokens, leases) = (active.tokens.view.at(snapshot.clone()), active.leases.view.at(snapshot));
    let mut tally = Tally::default();
    below(&tokens, ID, |_| {
        tally.count.tokens += 1;
        Ok(())
    })?;
    below(&leases, IRREVOCABLE, |_| {
        tally.count.irrevocable += 1;
        Ok(())
    })?;
    // Without quotas their number is all that counts.
    let path = |rest: &[String]| if rules.quotas.is_empty() { String::new() } else { path_of(rest) };
    below(&leases, LEASE, |rest| {
        tally.leases(rules, &path(rest), "", 1);
        Ok(())
    })?;
    let has_roles = rules.quotas.has_roles();
    below(&tokens, LEASE, |rest| {
        let role = match has_roles {
            false => String::new(),
            true => {
                let name = [LEASE.to_owned()].into_iter().chain(rest.iter().cloned()).collect();
                let role = role_of(&tokens, &Below::of(name)?.name)?;
                role.ok_or_else(|| damaged("a token has a lease by its name, and none by its place"))?
            }
        };
        tally.leases(rules, &path(rest), &role, 1);
        Ok(())
    })?;
    Ok((tokens.revision(), tally))
}

/// Shows `each` what follows `first` in the names of all that begin with it.
fn below(
    reader: &Reader,
    first: &str,
    mut each: impl FnMut(&[String]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut done = Ok(());
    let visit = &mut |rest: &[String]| {
        done = each(rest);
        done.is_ok()
    };
    reader.walk(&Name::new([first]).map_err(damaged)?, visit).map_err(barrier)?;
    done
}

/// The path that has made a lease: all of its name but the last part.
pub fn path_of(rest: &[String]) -> String {
    rest.split_last().map_or(String::new(), |(_, path)| path.join("/"))
}

/// Whom the login was for that has made a token, by its name in the index by path; `None` if nothing has that name.
pub fn role_of(tokens: &Reader, name: &Name) -> Result<Option<String>, Refusal> {
    let entry = tokens.get(name).map_err(barrier)?;
    Ok(entry.map(|entry| entry.value.expose_str().unwrap_or_default().to_owned()))
}
