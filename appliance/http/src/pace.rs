//! How a client behaves in time: slow with its headers, idle, or at work.
//!
//! hyper's own timer for headers also runs while a connection is idle, so that it cannot be strict with the one and
//! patient with the other. Here the connection's task looks at what its two ends have noted, every few seconds.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What the two ends of a connection note. All of it is advice to [`Watch::look`], so relaxed order does.
#[derive(Default)]
pub(crate) struct Pace {
    /// Requests whose answer is not made yet, or goes on.
    under_way: AtomicU32,
    /// Requests so far, wrapping.
    requests: AtomicU32,
    /// Bytes of a next request have arrived.
    begun: AtomicBool,
    /// A request was answered before its body was at its end. HTTP/1.1 only, as [`Pace::begun`] is of use there only.
    unread: AtomicBool,
    /// The client does not read a stream that it has asked for.
    given_up: AtomicBool,
}

/// Counts a request as under way until it is dropped.
pub(crate) struct UnderWay(Arc<Pace>);

impl Pace {
    /// A request's headers are complete.
    pub(crate) fn request(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        self.begun.store(false, Relaxed);
        UnderWay(self.clone())
    }

    /// A request's answer did not wait for the end of its body, so that the connection ends with it.
    pub(crate) fn leave_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// A client has not read a part of a stream in time.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Relaxed);
    }

    /// Whether the client may be sending still: the rest of a body, or of headers that were refused.
    pub(crate) fn has_unread(&self) -> bool {
        self.unread.load(Relaxed) || self.begun.load(Relaxed)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

/// What the connection's task does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Wait,
    /// Ask for the end: the client has nothing to say.
    Shut,
    /// End it: the client takes too long.
    Cut,
}

/// The task's side of a [`Pace`].
pub(crate) struct Watch {
    pace: Arc<Pace>,
    head_time: Duration,
    idle_time: Duration,
    /// HTTP/1.1 only: between HTTP/2 requests, frames that are no headers come and go.
    heads_are_bytes: bool,
    seen: u32,
    quiet_since: Instant,
    begun_since: Option<Instant>,
    shut: bool,
}

impl Watch {
    pub(crate) fn new(
        pace: Arc<Pace>,
        head_time: Duration,
        idle_time: Duration,
        http2: bool,
        now: Instant,
    ) -> Self {
        Self {
            pace,
            head_time,
            idle_time,
            heads_are_bytes: !http2,
            seen: 0,
            quiet_since: now,
            begun_since: None,
            shut: false,
        }
    }

    /// To be called every so often.
    pub(crate) fn look(&mut self, now: Instant) -> Verdict {
        // Of HTTP/2 it is one stream among others, which stay.
        if self.heads_are_bytes && self.pace.given_up.load(Relaxed) {
            return Verdict::Cut;
        }
        let requests = self.pace.requests.load(Relaxed);
        if self.pace.under_way.load(Relaxed) > 0 || requests != self.seen {
            self.seen = requests;
            self.quiet_since = now;
            self.begun_since = None;
            return Verdict::Wait;
        }
        if self.heads_are_bytes && self.pace.begun.load(Relaxed) {
            let since = *self.begun_since.get_or_insert(now);
            if now - since >= self.head_time {
                return Verdict::Cut;
            }
        }
        let patience = if requests == 0 { self.head_time } else { self.idle_time };
        if now - self.quiet_since < patience {
            return Verdict::Wait;
        }
        self.quiet_since = now;
        // Asked once and still here: it does not read what it asked for.
        if std::mem::replace(&mut self.shut, true) { Verdict::Cut } else { Verdict::Shut }
    }
}

/// A connection that notes when bytes arrive.
pub(crate) struct Watched<IO> {
    io: IO,
    pace: Arc<Pace>,
}

impl<IO> Watched<IO> {
    pub(crate) fn new(io: IO, pace: Arc<Pace>) -> Self {
        Self { io, pace }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before && self.pace.under_way.load(Relaxed) == 0 {
            self.pace.begun.store(true, Relaxed);
        }
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(300);

    fn watch(http2: bool) -> (Arc<Pace>, Watch, Instant) {
        let pace = Arc::new(Pace::default());
        let start = Instant::now();
        (pace.clone(), Watch::new(pace, HEAD, IDLE, http2, start), start)
    }

    #[test]
    fn a_client_that_never_asks_is_gone_after_the_time_for_headers() {
        let (_, mut watch, start) = watch(true);
        assert_eq!(watch.look(start + HEAD / 2), Verdict::Wait);
        assert_eq!(watch.look(start + HEAD), Verdict::Shut);
        assert_eq!(watch.look(start + HEAD * 2), Verdict::Cut);
    }

    #[test]
    fn slow_headers_are_cut_but_an_idle_connection_is_left_alone() {
        let (pace, mut watch, start) = watch(false);
        drop(pace.request());
        assert_eq!(watch.look(start + HEAD), Verdict::Wait);
        assert_eq!(watch.look(start + HEAD * 3), Verdict::Wait);
        pace.begun.store(true, Relaxed);
        assert_eq!(watch.look(start + HEAD * 4), Verdict::Wait);
        assert_eq!(watch.look(start + HEAD * 5), Verdict::Cut);
    }

    #[test]
    fn a_connection_that_reads_its_only_stream_no_more_is_cut() {
        for (http2, verdict) in [(false, Verdict::Cut), (true, Verdict::Wait)] {
            let (pace, mut watch, start) = watch(http2);
            let under_way = pace.request();
            assert_eq!(watch.look(start), Verdict::Wait);
            pace.give_up();
            drop(under_way);
            assert_eq!(watch.look(start + HEAD), verdict, "HTTP/2: {http2}");
        }
    }

    #[test]
    fn a_request_under_way_is_no_idleness() {
        let (pace, mut watch, start) = watch(false);
        let under_way = pace.request();
        assert_eq!(watch.look(start + IDLE * 2), Verdict::Wait);
        drop(under_way);
        assert_eq!(watch.look(start + IDLE * 2 + HEAD), Verdict::Wait);
        assert_eq!(watch.look(start + IDLE * 3), Verdict::Shut);
    }
}
