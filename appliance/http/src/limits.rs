//! Every limit of a listener, with its name. A limit reached is a clear error or a closed connection, never a wait.

use std::time::Duration;

use tokio::sync::Semaphore;

/// The limits of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections. One more waits in the kernel's queue until another ends.
    pub connections: usize,
    /// Open connections from one address; never more than three quarters of all. One more is closed at once.
    pub connections_per_address: usize,
    /// Requests under way, over all connections. One more is 429.
    pub requests: usize,
    /// Bytes of the first line and the headers together (HTTP/1.1), or of the header list (HTTP/2): 431.
    pub head_bytes: usize,
    /// Header lines: 431.
    pub headers: usize,
    /// Bytes of the token's header: 431.
    pub token_bytes: usize,
    /// Bytes of a body, whatever the route allows: 413.
    pub body_bytes: usize,
    /// Bytes of all bodies above 64 KiB that are in memory at once, over all listeners, of which the largest such limit
    /// counts; never less than one body may have. One more waits for as long as a body may take, then 429.
    pub all_bodies_bytes: usize,
    /// How long a TLS handshake may take.
    pub handshake_time: Duration,
    /// How long the first line and the headers may take; also from the handshake to the first request.
    pub head_time: Duration,
    /// How long a body may take, from the moment the service asks for it.
    pub body_time: Duration,
    /// Bytes that are still read, to throw them away, after an answer that did not wait for its request's end.
    pub linger_bytes: usize,
    /// How long such bytes are waited for, before the connection is closed on a client that goes on sending.
    pub linger_time: Duration,
    /// How long a connection may stay without a request; also how long a client may take to read an answer.
    pub idle_time: Duration,
    /// How long an answer may take: 503. What was begun goes on without the client.
    pub request_time: Duration,
    /// How long requests under way are waited for when the listener stops.
    pub drain_time: Duration,
    /// HTTP/2 streams open at once on one connection.
    pub streams: u32,
    /// HTTP/2 streams that a client has reset and the server has not yet looked at (rapid reset): connection closed.
    pub pending_resets: usize,
    /// HTTP/2 streams that the server has reset for the client's errors: connection closed.
    pub error_resets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16 * 1024,
            connections_per_address: 1024,
            requests: 8 * 1024,
            head_bytes: 48 * 1024,
            headers: 100,
            token_bytes: 8192,
            body_bytes: 32 * 1024 * 1024,
            all_bodies_bytes: 256 * 1024 * 1024,
            handshake_time: Duration::from_secs(10),
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            // Room for a body that is refused because it is larger than the largest.
            linger_bytes: 64 * 1024 * 1024,
            linger_time: Duration::from_secs(1),
            idle_time: Duration::from_secs(300),
            request_time: Duration::from_secs(90),
            drain_time: Duration::from_secs(10),
            streams: 128,
            pending_resets: 20,
            error_resets: 64,
        }
    }
}

/// How many connections all listeners together may have: each is an open file, and the store, the audit log and the
/// bridges need some too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seating {
    /// In all.
    pub connections: usize,
}

/// Open files that are kept from connections.
const RESERVED_FILES: usize = 256;

impl Seating {
    /// As many as `open_files`, the process's limit, leaves; where that is very low, half of it.
    pub fn within(open_files: u64) -> Self {
        let files = usize::try_from(open_files).unwrap_or(usize::MAX);
        let left = files - RESERVED_FILES.min(files / 2);
        Self { connections: left.clamp(1, Semaphore::MAX_PERMITS) }
    }

    /// How many of them one address may have at most, whatever its own limit: no one keeps all others out.
    pub(crate) fn of_one_address(self) -> usize {
        (self.connections - self.connections / 4).max(1)
    }
}

impl Limits {
    /// How often a connection is looked at: often enough that its shortest deadline is late by a quarter at most.
    pub(crate) fn tick(&self) -> Duration {
        (self.head_time.min(self.idle_time) / 4).max(Duration::from_millis(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_rest() {
        for (files, connections, of_one) in
            [(1_048_576, 1_048_320, 786_240), (1024, 768, 576), (256, 128, 96), (3, 2, 2), (0, 1, 1)]
        {
            let seating = Seating::within(files);
            assert_eq!((seating.connections, seating.of_one_address()), (connections, of_one), "{files}");
        }
        assert_eq!(Seating::within(u64::MAX).connections, Semaphore::MAX_PERMITS);
    }
}
