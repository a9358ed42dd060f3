//! Closing a connection on a client that is still sending.
//!
//! A socket that is closed with bytes unread is reset, and a reset may overtake the answer, or break the client's write
//! before it reads. So the sending half is closed first, and what still comes is read and thrown away for a moment.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use zeroize::Zeroizing;

use crate::limits::Limits;
use crate::pace::Pace;

/// How much is thrown away at once.
const PIECE: usize = 16 * 1024;

/// A connection that lingers when it is shut down with bytes unread.
pub(crate) struct Lingering<IO> {
    io: IO,
    pace: Arc<Pace>,
    /// At most so many bytes.
    left: usize,
    time: std::time::Duration,
    rest: Option<Rest>,
}

/// The time that is left, and where bytes go: they may be a secret that was not asked for.
struct Rest(Pin<Box<Sleep>>, Zeroizing<Vec<u8>>);

impl<IO> Lingering<IO> {
    pub(crate) fn new(io: IO, pace: Arc<Pace>, limits: &Limits) -> Self {
        Self { io, pace, left: limits.linger_bytes, time: limits.linger_time, rest: None }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Lingering<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.rest.is_none() {
            std::task::ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            if !this.pace.has_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        let time = this.time;
        let Rest(over, piece) =
            this.rest.get_or_insert_with(|| Rest(Box::pin(sleep(time)), Zeroizing::new(vec![0; PIECE])));
        while over.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(piece);
            // The answer is out: how the client ends is its own affair.
            let Ok(()) = std::task::ready!(Pin::new(&mut this.io).poll_read(cx, &mut buf)) else { break };
            let read = buf.filled().len();
            if read == 0 || read > this.left {
                break;
            }
            this.left -= read;
        }
        Poll::Ready(Ok(()))
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
