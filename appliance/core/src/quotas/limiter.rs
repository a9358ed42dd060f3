//! How often each client may ask: a token bucket for every address.
//!
//! A bucket is one number, the time at which it will be full again; a request puts that off by what it costs. So a bucket
//! that nobody has drawn on for long is the same as none, and can be forgotten.
//!
//! Clients are spread over [`SHARDS`] small maps, so that no two of them wait for each other but by chance. There are at
//! most [`CLIENTS`] buckets in each: who comes when it is full shares one with all others that do.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};

use strongroom_types::cidr;

/// Maps of clients.
const SHARDS: usize = 16;
/// Most clients of one map.
const CLIENTS: usize = 4096;
/// Between two attempts to make room in a full map.
const SWEEP: i64 = SECOND;
const SECOND: i64 = 1_000_000_000;

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests in an interval; more than 0.
    pub rate: f64,
    /// Nanoseconds.
    pub interval: i64,
    /// Nanoseconds that a client who asks too often is refused everything; 0 only what is too much.
    pub block: i64,
}

/// See the module.
pub struct Limiter {
    /// Nanoseconds that one request costs.
    cost: i64,
    /// Nanoseconds of a full bucket.
    full: i64,
    block: i64,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    buckets: HashMap<IpAddr, Bucket>,
    /// Shared by everybody for whom there is no place.
    others: Bucket,
    /// Not before then is room made again.
    sweep: i64,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// When it is full again, in nanoseconds.
    full_at: i64,
    /// Until when everything is refused.
    blocked_until: i64,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { full_at: i64::MIN, blocked_until: i64::MIN }
    }
}

/// Whether a request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether.
    pub allowed: bool,
    /// Requests that a full bucket holds.
    pub limit: i64,
    /// Requests that it still holds.
    pub remaining: i64,
    /// Seconds, rounded up: until it is full again, or, where the request is refused, until one would be allowed.
    pub wait: i64,
}

impl Limiter {
    /// With every bucket full.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // a cast of a float saturates
    pub fn new(limits: Limits) -> Self {
        let cost = ((limits.interval as f64 / limits.rate) as i64).max(1);
        let held = (limits.rate.ceil() as i64).max(1);
        Self { cost, full: cost.saturating_mul(held), block: limits.block, shards: Default::default() }
    }

    /// Takes one request of `client` out of its bucket at `now`, in nanoseconds.
    pub fn take(&self, client: Option<IpAddr>, now: i64) -> Verdict {
        let client = who(client);
        let Some(shard) = self.shards.get(shard_of(client)) else {
            return self.draw(&mut Bucket::default(), now);
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.buckets.len() >= CLIENTS && !shard.buckets.contains_key(&client) {
            if now >= shard.sweep || shard.sweep > now.saturating_add(SWEEP) {
                shard.sweep = now.saturating_add(SWEEP);
                shard.buckets.retain(|_, bucket| bucket.full_at > now || bucket.blocked_until > now);
            }
            if shard.buckets.len() >= CLIENTS {
                return self.draw(&mut shard.others, now);
            }
        }
        self.draw(shard.buckets.entry(client).or_default(), now)
    }

    fn draw(&self, bucket: &mut Bucket, now: i64) -> Verdict {
        // A clock that was ahead must not leave a client refused for as long as it was ahead.
        let full_at = bucket.full_at.clamp(now, now.saturating_add(self.full));
        let blocked_until = bucket.blocked_until.min(now.saturating_add(self.block));
        let after = full_at.saturating_add(self.cost);
        let (limit, blocked) = (self.full / self.cost, blocked_until > now);
        if !blocked && after.saturating_sub(now) <= self.full {
            *bucket = Bucket { full_at: after, blocked_until };
            let owed = after.saturating_sub(now);
            let remaining = self.full.saturating_sub(owed) / self.cost;
            return Verdict { allowed: true, limit, remaining, wait: secs(owed) };
        }
        let blocked_until = if blocked { blocked_until } else { now.saturating_add(self.block) };
        *bucket = Bucket { full_at, blocked_until };
        let free = after.saturating_sub(now).saturating_sub(self.full);
        let wait = secs(free.max(blocked_until.saturating_sub(now))).max(1);
        Verdict { allowed: false, limit, remaining: 0, wait }
    }
}

fn secs(nanos: i64) -> i64 {
    nanos.max(0).saturating_add(SECOND - 1) / SECOND
}

/// Those without an address come through a Unix socket and are one.
fn who(client: Option<IpAddr>) -> IpAddr {
    client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), cidr::one_client)
}

/// Spread by the bits that differ between neighbours; whoever picks his addresses gains nothing but a crowded map.
fn shard_of(client: IpAddr) -> usize {
    let bits = match client {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or_default(),
    };
    let mixed = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
    usize::try_from(mixed).unwrap_or_default() % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const START: i64 = 1_800_000_000 * SECOND;

    fn limiter(rate: f64, interval: i64, block: i64) -> Limiter {
        Limiter::new(Limits { rate, interval: interval * SECOND, block: block * SECOND })
    }

    fn allowed(limiter: &Limiter, client: Option<IpAddr>, now: i64, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.take(client, now).allowed).count()
    }

    #[test]
    fn a_bucket_holds_the_rate_and_fills_evenly() {
        let limiter = limiter(10.0, 10, 0);
        assert_eq!(allowed(&limiter, HERE, START, 50), 10);
        let refused = limiter.take(HERE, START);
        assert_eq!((refused.allowed, refused.limit, refused.remaining, refused.wait), (false, 10, 0, 1));
        assert_eq!(allowed(&limiter, HERE, START + SECOND / 2, 5), 0);
        assert_eq!(allowed(&limiter, HERE, START + 3 * SECOND, 50), 3);
        assert_eq!(allowed(&limiter, HERE, START + 1000 * SECOND, 50), 10);
        let first = limiter.take(HERE, START + 2000 * SECOND);
        assert_eq!((first.remaining, first.wait), (9, 1));
    }

    #[test]
    fn a_rate_below_one_lets_one_pass_and_then_waits() {
        let limiter = limiter(0.1, 1, 0);
        assert_eq!(allowed(&limiter, HERE, START, 5), 1);
        assert_eq!(limiter.take(HERE, START).wait, 10);
        assert_eq!(allowed(&limiter, HERE, START + 9 * SECOND, 5), 0);
        assert_eq!(allowed(&limiter, HERE, START + 10 * SECOND, 5), 1);
    }

    #[test]
    fn clients_do_not_pay_for_each_other_but_a_network_of_ipv6_is_one() {
        let limiter = limiter(2.0, 60, 0);
        for client in ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8:0:1::1"] {
            assert_eq!(allowed(&limiter, client.parse().ok(), START, 9), 2, "{client}");
        }
        assert_eq!(allowed(&limiter, "2001:db8::2".parse().ok(), START, 9), 0);
        assert_eq!(allowed(&limiter, "::ffff:10.0.0.1".parse().ok(), START, 9), 0);
        assert_eq!(allowed(&limiter, None, START, 9), 2);
    }

    #[test]
    fn who_asks_too_often_is_blocked_as_long_as_it_says() {
        let limiter = limiter(1.0, 1, 30);
        assert_eq!(allowed(&limiter, HERE, START, 3), 1);
        assert_eq!(limiter.take(HERE, START).wait, 30);
        assert_eq!(allowed(&limiter, HERE, START + 29 * SECOND, 3), 0);
        // To ask meanwhile does not make it longer.
        assert_eq!(allowed(&limiter, HERE, START + 30 * SECOND, 3), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_blocks_nobody_for_longer() {
        let limiter = limiter(1.0, 10, 20);
        assert_eq!(allowed(&limiter, HERE, START + 1_000_000 * SECOND, 3), 1);
        assert_eq!(allowed(&limiter, HERE, START, 3), 0);
        assert_eq!(allowed(&limiter, HERE, START + 20 * SECOND, 3), 1);
    }

    #[test]
    fn cve_2023_6337_addresses_without_number_take_no_memory_without_bound() {
        let limiter = limiter(1.0, 60, 0);
        let clients =
            (0..200_000_u32).map(|n| Some(IpAddr::V4(Ipv4Addr::from_bits(n.wrapping_mul(2_654_435_761)))));
        let passed = clients.clone().filter(|client| limiter.take(*client, START).allowed).count();
        let held: usize = limiter.shards.iter().map(|shard| shard.lock().unwrap().buckets.len()).sum();
        assert_eq!(held, SHARDS * CLIENTS);
        assert_eq!(passed, SHARDS * CLIENTS + SHARDS, "whoever finds no place shares one bucket");
        // Room is made by those whose buckets are full again.
        assert!(limiter.take("192.0.2.1".parse().ok(), START + 61 * SECOND).allowed);
        let held: usize = limiter.shards.iter().map(|shard| shard.lock().unwrap().buckets.len()).sum();
        assert!(held < SHARDS * CLIENTS, "{held}");
    }

    #[test]
    fn of_a_thousand_at_once_exactly_as_many_pass_as_may() {
        let limiter = limiter(10.0, 3600, 0);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| allowed(&limiter, HERE, START, 125))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 10);
    }
}
