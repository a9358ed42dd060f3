//! Many leases that are to end: one record, until they have.

use serde::{Deserialize, Serialize};
use strongroom_barrier::{Name, NameError, Reader, Write};
use strongroom_types::id::MountId;
use strongroom_types::{Refusal, Timestamp};

use super::record::{LeaseRecord, is_first};
use crate::active::Active;
use crate::fault::{barrier, damaged};
use crate::tokens::{TokenRecord, base62};

/// What is stored of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// When it was said.
    pub at: Timestamp,
    /// In which era of the clock that was.
    #[serde(default, skip_serializing_if = "is_first")]
    pub era: u32,
    /// Which leases.
    pub what: What,
}

/// Which leases are to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Those of one token, which has ended.
    Token {
        /// Its key.
        key: String,
    },
    /// Those at and below a path that were there when it was said.
    Prefix {
        /// Without slashes at its ends.
        path: String,
        /// Whether a lease is removed although its engine could not take back what it gave.
        force: bool,
    },
    /// Those of one mount at and below a path. What is left of a mount waits for them.
    Mount {
        /// Which.
        mount: MountId,
        /// Where it was.
        path: String,
        /// Whether it is somewhere else now, where it goes on giving.
        moved: bool,
    },
}

const JOB: &str = "job";
const OF_MOUNT: &str = "mount";
/// Characters that tell jobs of one kind apart.
const RANDOM: usize = 16;

/// The end of a token's leases.
pub fn of_token(active: &Active, key: &str) -> Result<Write, Refusal> {
    put(Name::new([JOB, "token", key]), active, What::Token { key: key.to_owned() })
}

/// The end of everything at and below `path`; its name is what to wait for.
pub fn of_prefix(active: &Active, path: &str, force: bool) -> Result<Write, Refusal> {
    let name = [JOB.to_owned(), "prefix".to_owned(), base62(active.entropy.as_ref(), RANDOM)?];
    put(Name::new(name), active, What::Prefix { path: path.to_owned(), force })
}

/// The end of all that a mount has given while it was at `path`, which ends in a slash.
pub fn of_mount(active: &Active, mount: MountId, path: &str, moved: bool) -> Result<Write, Refusal> {
    let random = base62(active.entropy.as_ref(), RANDOM)?;
    let name = [JOB.to_owned(), OF_MOUNT.to_owned(), mount.to_string(), random];
    put(Name::new(name), active, What::Mount { mount, path: path.trim_end_matches('/').to_owned(), moved })
}

fn put(name: Result<Name, NameError>, active: &Active, what: What) -> Result<Write, Refusal> {
    let job = Job { v: 1, at: active.now(), era: active.clock.era(), what };
    let body = serde_json::to_vec(&job).map_err(damaged)?;
    Ok(Write::put(name.map_err(damaged)?, body).frees())
}

/// Whether a mount has leases that are to end first.
pub fn keeps(reader: &Reader, mount: MountId) -> Result<bool, Refusal> {
    let mut has = false;
    let first = &mut |_: &[String]| {
        has = true;
        false
    };
    let of_mount = Name::new([JOB.to_owned(), OF_MOUNT.to_owned(), mount.to_string()]).map_err(damaged)?;
    reader.walk(&of_mount, first).map_err(barrier)?;
    Ok(has)
}

/// At most `most` jobs that stand behind `after`, in no particular order.
pub fn all(reader: &Reader, after: Option<&Name>, most: usize) -> Result<Vec<(Name, Job)>, Refusal> {
    let root = Name::new([JOB]).map_err(damaged)?;
    let mut names = Vec::new();
    let visit = &mut |rest: &[String]| {
        names.push(root.segments().iter().chain(rest).cloned().collect::<Vec<_>>());
        names.len() < most
    };
    reader.walk_on(&root, after.unwrap_or(&root), visit).map_err(barrier)?;
    let mut jobs = Vec::new();
    for segments in names {
        let name = Name::new(segments).map_err(damaged)?;
        if let Some(job) = find(reader, &name)? {
            jobs.push((name, job));
        }
    }
    Ok(jobs)
}

/// The job of this name, if it is not done.
pub fn find(reader: &Reader, name: &Name) -> Result<Option<Job>, Refusal> {
    let Some(entry) = reader.get(name).map_err(barrier)? else { return Ok(None) };
    serde_json::from_slice(entry.value.expose()).map(Some).map_err(damaged)
}

impl Job {
    /// Whether this lease is among them.
    pub fn takes(&self, lease: &LeaseRecord) -> bool {
        match &self.what {
            What::Token { key } => lease.token.as_ref() == Some(key),
            What::Prefix { .. } => self.was_there(lease.issued, lease.era),
            What::Mount { mount, moved, .. } => {
                lease.mount == *mount && (!moved || self.was_there(lease.issued, lease.era))
            }
        }
    }

    /// Whether this token is among them.
    pub fn takes_token(&self, token: &TokenRecord) -> bool {
        match &self.what {
            What::Token { .. } => false,
            What::Prefix { .. } => self.was_there(token.created, token.era),
            What::Mount { mount, moved, .. } => {
                token.login.as_ref().is_some_and(|login| login.mount == *mount)
                    && (!moved || self.was_there(token.created, token.era))
            }
        }
    }

    /// Whether something was there when it was said, whatever a wrong clock has said of its making.
    fn was_there(&self, made: Timestamp, era: u32) -> bool {
        made <= self.at || era < self.era
    }

    /// Whether a lease is removed although its engine could not take back what it gave.
    pub fn forces(&self) -> bool {
        matches!(self.what, What::Prefix { force: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is stored is pinned.
    #[test]
    fn the_format_is_as_it_was() {
        let at = Timestamp::from_secs(1_800_000_000);
        let mount = MountId([3; 16]);
        let all = [
            What::Token { key: "00ff".into() },
            What::Prefix { path: "db/creds".into(), force: true },
            What::Mount { mount, path: "db".into(), moved: false },
        ];
        let lines =
            all.map(|what| serde_json::to_string(&Job { v: 1, at, era: 0, what }).unwrap() + "\n").concat();
        assert_eq!(lines, include_str!("golden-jobs.txt"));
        for line in lines.lines() {
            let job: Job = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&job).unwrap(), line);
        }
    }
}
