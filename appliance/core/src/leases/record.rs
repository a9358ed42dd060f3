//! A lease as it is stored, and where it stands: drawn in the [module](super).

use serde::{Deserialize, Serialize};
use strongroom_barrier::{Entry, MAX_SEGMENT, Minute, Name, Reader, Write};
use strongroom_engine::Leased;
use strongroom_types::id::MountId;
use strongroom_types::{JsonMap, Refusal, Timestamp};

use crate::clock::{Floored, Life};
use crate::fault::{barrier, damaged};

/// Failed attempts after which a lease is called irrevocable. It is tried further.
pub const MAX_FAILURES: u32 = 6;
/// Seconds from the first failed attempt to the next; doubled with each.
const FIRST_PAUSE: i64 = 60;
/// Longest pause, in seconds.
const LONGEST_PAUSE: i64 = 4 * 3600;

/// What is stored of a lease.
#[derive(Clone, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// The name of the engine's kind of secret.
    pub kind: String,
    /// The mount that gave it.
    pub mount: MountId,
    /// What the engine needs to renew it and to take it back.
    pub data: JsonMap,
    /// The key of the token that it ends with; `None` if nobody asked, or a batch token without parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When it was made.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// What no renewal goes beyond: the end of the batch token that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Timestamp>,
    /// Whether it may be renewed.
    pub renewable: bool,
    /// When it was last renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_renewal: Option<Timestamp>,
    /// Revoked, and only there until the engine has taken it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// How often the engine could not take it back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Timestamp>,
    /// The clock's era in which it was made or last renewed.
    #[serde(default, skip_serializing_if = "is_first")]
    pub era: u32,
    /// What the engine said last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
pub(super) fn is_first(era: &u32) -> bool {
    *era == 0
}

impl LeaseRecord {
    /// Whether it is of no use any more: said by whoever looks, not by a sweep. Refused while the clock cannot tell.
    pub fn is_over(&self, clock: &Floored, now: Timestamp) -> Result<bool, Refusal> {
        let since = self.last_renewal.unwrap_or(self.issued);
        Ok(self.ended || clock.is_over(Life { since, era: self.era, end: self.expires }, now)?)
    }

    /// Whether it is to be taken back at this `reading` of the clock.
    pub fn is_due(&self, reading: Timestamp) -> bool {
        (self.ended || self.expires <= reading) && self.may_be_tried(reading)
    }

    /// Whether no attempt has failed, or it is time for the next one.
    pub fn may_be_tried(&self, now: Timestamp) -> bool {
        self.retry.is_none_or(|retry| retry <= now)
    }

    /// Whether it has been tried often enough to be shown to somebody.
    pub fn is_irrevocable(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// Seconds until it ends, rounded to the nearest.
    pub fn ttl(&self, now: Timestamp) -> i64 {
        (self.expires.nanos() - now.nanos() + 500_000_000).div_euclid(1_000_000_000).max(0)
    }

    /// The same, revoked.
    pub fn ended(self) -> Self {
        Self { ended: true, retry: None, ..self }
    }

    /// The same after an attempt that failed: it has ended, whatever was the reason to try.
    pub fn failed(self, error: String, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
        Self { ended: true, failures, retry: Some(now.plus_secs(pause)), error, ..self }
    }

    /// Under which minute it stands in the index by expiry.
    fn minute(&self) -> Minute {
        match self.retry {
            Some(retry) => Minute::not_before(retry),
            None if self.ended => Minute::of(Timestamp::from_secs(0)),
            None => Minute::not_before(self.expires),
        }
    }
}

/// The name of a lease: a path, and a last part that nobody guesses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseId(String);

impl LeaseId {
    /// From what somebody sent; `None` if no lease has such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let (path, last) = text.rsplit_once('/')?;
        let is_whole = !last.is_empty() && !path.split('/').any(str::is_empty) && text.len() <= MAX_SEGMENT;
        (is_whole && Name::below(LEASE, text).is_ok()).then(|| Self(text.to_owned()))
    }

    /// For a lease that is made.
    pub fn new(path: &str, last: &str) -> Result<Self, Refusal> {
        Self::parse(&format!("{path}/{last}"))
            .ok_or_else(|| Refusal::bad_request("the path is too long for what is leased there"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What was asked for.
    pub fn path(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(path, _)| path)
    }

    fn name(&self) -> Result<Name, Refusal> {
        Name::below(LEASE, &self.0).map_err(damaged)
    }

    fn due(&self) -> Result<Name, Refusal> {
        Name::new([self.as_str()]).map_err(damaged)
    }

    fn by_token(&self, key: &str) -> Result<Name, Refusal> {
        Name::new([TOKEN, key, self.as_str()]).map_err(damaged)
    }

    fn as_irrevocable(&self) -> Result<Name, Refusal> {
        Name::new([IRREVOCABLE, self.as_str()]).map_err(damaged)
    }
}

/// Begins the names of the leases themselves.
pub const LEASE: &str = "lease";
/// Begins the names of the index by token.
pub const TOKEN: &str = "token";
/// Begins the names of those that could not be taken back.
pub const IRREVOCABLE: &str = "irrevocable";

/// A lease that was found.
pub struct Found {
    /// Its name.
    pub id: LeaseId,
    /// What is stored.
    pub record: LeaseRecord,
    entry: Entry,
}

/// The lease `id`, whatever state it is in.
pub fn find(reader: &Reader, id: &LeaseId) -> Result<Option<Found>, Refusal> {
    let Some(entry) = reader.get(&id.name()?).map_err(barrier)? else { return Ok(None) };
    let record = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
    Ok(Some(Found { id: id.clone(), record, entry }))
}

/// Makes a lease.
pub fn make(id: &LeaseId, record: &LeaseRecord) -> Result<Vec<Write>, Refusal> {
    let body = serde_json::to_vec(record).map_err(damaged)?;
    let mut writes = vec![
        Write::put(id.name()?, body).if_unchanged(None),
        Write::put(id.due()?, Vec::new()).due(record.minute()),
    ];
    if let Some(key) = &record.token {
        writes.push(Write::put(id.by_token(key)?, Vec::new()));
    }
    Ok(writes)
}

/// Removes what stands in the index by expiry and says nothing true.
pub fn forget_due(id: &LeaseId, minute: Minute) -> Result<Write, Refusal> {
    Ok(Write::delete(id.due()?).due(minute))
}

impl Found {
    /// As the engine sees it.
    pub fn leased(&self, increment: i64) -> Leased {
        let LeaseRecord { data, issued, expires, .. } = self.record.clone();
        Leased { id: self.id.as_str().to_owned(), data, issued, expires, increment }
    }

    /// Whether the index by expiry has it under `minute`.
    pub fn stands_under(&self, minute: Minute) -> bool {
        self.record.minute() == minute
    }

    /// Changes it to `record`.
    pub fn change(&self, record: &LeaseRecord) -> Result<Vec<Write>, Refusal> {
        let body = serde_json::to_vec(record).map_err(damaged)?;
        let mut writes = vec![Write::put(self.id.name()?, body).if_unchanged(Some(&self.entry))];
        let (old, new) = (self.record.minute(), record.minute());
        if old != new {
            writes.push(forget_due(&self.id, old)?);
            writes.push(Write::put(self.id.due()?, Vec::new()).due(new));
        }
        if record.is_irrevocable() && !self.record.is_irrevocable() {
            writes.push(Write::put(self.id.as_irrevocable()?, Vec::new()));
        }
        // To say that it has ended takes something away: it must be possible on a full disk.
        Ok(if record.ended { writes.into_iter().map(Write::frees).collect() } else { writes })
    }

    /// Removes it.
    pub fn remove(&self) -> Result<Vec<Write>, Refusal> {
        let mut writes = vec![
            Write::delete(self.id.name()?).if_unchanged(Some(&self.entry)),
            forget_due(&self.id, self.record.minute())?,
        ];
        if let Some(key) = &self.record.token {
            writes.push(Write::delete(self.id.by_token(key)?));
        }
        if self.record.is_irrevocable() {
            writes.push(Write::delete(self.id.as_irrevocable()?));
        }
        Ok(writes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LeaseRecord {
        LeaseRecord {
            v: 1,
            kind: "creds".into(),
            mount: MountId([3; 16]),
            data: serde_json::from_str(r#"{"user":"ann-7"}"#).unwrap(),
            token: Some("00ff".into()),
            issued: Timestamp::from_secs(1_800_000_000),
            expires: Timestamp::from_secs(1_800_003_601),
            latest: None,
            renewable: true,
            last_renewal: None,
            ended: false,
            failures: 0,
            retry: None,
            era: 0,
            error: String::new(),
        }
    }

    /// What is stored is pinned: a change of the file is a change of the format.
    #[test]
    fn the_format_is_as_it_was() {
        let id = LeaseId::new("db/creds/app", "Zz09").unwrap();
        let now = record().issued;
        let full = LeaseRecord {
            latest: Some(now.plus_secs(7200)),
            last_renewal: Some(now.plus_secs(60)),
            ..(0..6).fold(record().ended(), |record, _| record.failed("it is down".into(), now))
        };
        let mut text = String::new();
        let value = strongroom_types::Secret::from(serde_json::to_vec(&record()).unwrap());
        let found =
            Found { id: id.clone(), record: record(), entry: Entry { value, revision: Default::default() } };
        for writes in [make(&id, &record()), found.change(&full)] {
            for write in writes.unwrap() {
                let name = write.name.segments().join(" │ ");
                let due =
                    write.due.map_or(String::new(), |minute| format!("@{} ", minute.start().secs() / 60));
                let body = match &write.value {
                    None => " is removed".to_owned(),
                    Some(value) => format!(" = {}", value.expose_str().unwrap()),
                };
                text += format!("{due}{name}{body}").trim_end();
                text += "\n";
            }
        }
        assert_eq!(text, include_str!("golden.txt"));
        for line in text.lines().filter_map(|line| line.split_once(" = {")) {
            let back: LeaseRecord = serde_json::from_str(&format!("{{{}", line.1)).unwrap();
            assert_eq!(back.kind, "creds");
        }
    }

    #[test]
    fn a_lease_is_tried_ever_more_rarely() {
        let now = Timestamp::from_secs(0);
        let mut tried = record();
        let pauses: Vec<i64> = (0..40)
            .map(|_| {
                tried = tried.clone().failed(String::new(), now);
                tried.retry.unwrap().secs() / 60
            })
            .collect();
        assert_eq!(pauses[..9], [1, 2, 4, 8, 16, 32, 64, 128, 240]);
        assert!(pauses[9..].iter().all(|pause| *pause == 240));
    }

    /// Dots, spaces, other scripts, a slash at the end: what is a name is one whole name, and comes back as it was.
    #[test]
    fn vault_0_11_3_ids_with_any_characters_are_found_again() {
        for path in ["db/creds/a.b", "db/creds/..a", "db/creds/ü ✓", "a/b/c/d/e", "db/creds/%2F", "a"] {
            let id = LeaseId::new(path, "Rnd1").unwrap();
            assert_eq!(LeaseId::parse(id.as_str()).unwrap(), id);
            assert_eq!(id.path(), path);
            assert_eq!(id.name().unwrap().segments()[1..].join("/"), id.as_str());
        }
        for none in ["", "/", "a", "a/", "/a", "a//b", &"a/".repeat(250), &format!("a/{}", "b".repeat(5000))]
        {
            assert_eq!(LeaseId::parse(none), None, "{none}");
        }
    }
}
