//! Frames on a stream: reading and writing that may be dropped in the middle and taken up again.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::time::Duration;

use strongroom_types::Secret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use zeroize::{Zeroize, Zeroizing};

use crate::wire::{Frame, MAX_FRAME, WireError, body_length};

/// Why no frame could be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Io(io::Error),
    Wire(WireError),
    /// The rest of a frame did not come in time.
    Slow,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(cause) => cause.fmt(f),
            Self::Wire(cause) => cause.fmt(f),
            Self::Slow => f.write_str("the rest of a frame did not come in time"),
        }
    }
}

/// Reads frames. Dropping [`FrameReader::next`] loses nothing.
pub(crate) struct FrameReader<R> {
    stream: R,
    buffer: Zeroizing<Vec<u8>>,
    filled: usize,
    /// How long a frame may take once its first byte is there.
    patience: Duration,
    partial_since: Option<Instant>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R, patience: Duration) -> Self {
        let buffer = Zeroizing::new(vec![0; MAX_FRAME]);
        Self { stream, buffer, filled: 0, patience, partial_since: None }
    }

    /// The next frame; `None` when the peer has closed. A request of an unknown operation is
    /// [`WireError::UnknownOperation`], and reading can go on.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = self.take_frame() {
                return frame.map(Some).map_err(ReadError::Wire);
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let read = self.stream.read(room);
            let count = match self.partial_since {
                None => read.await,
                Some(since) => match timeout_at(since + self.patience, read).await {
                    Ok(count) => count,
                    Err(_) => return Err(ReadError::Slow),
                },
            };
            match count.map_err(ReadError::Io)? {
                0 if self.filled == 0 => return Ok(None),
                0 => return Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into())),
                count => {
                    self.filled += count;
                    self.partial_since.get_or_insert_with(Instant::now);
                }
            }
        }
    }

    /// The frame at the buffer's start, if all of it is there.
    fn take_frame(&mut self) -> Option<Result<Frame, WireError>> {
        let there = self.buffer.get(..self.filled)?;
        let length = match body_length(*there.first_chunk::<4>()?) {
            Ok(length) => length,
            Err(error) => return Some(Err(error)),
        };
        let frame = Frame::decode(there.get(4..4 + length)?);
        let used = 4 + length;
        self.buffer.copy_within(used..self.filled, 0);
        let left = self.filled - used;
        if let Some(stale) = self.buffer.get_mut(left..self.filled) {
            stale.zeroize();
        }
        self.filled = left;
        self.partial_since = (left > 0).then(Instant::now);
        Some(frame)
    }
}

/// Frames on their way out. Dropping [`FrameWriter::write`] loses nothing.
pub(crate) struct FrameWriter<W> {
    stream: W,
    frames: VecDeque<Secret>,
    /// Bytes of the first frame that are out.
    written: usize,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(crate) fn new(stream: W) -> Self {
        Self { stream, frames: VecDeque::new(), written: 0 }
    }

    pub(crate) fn push(&mut self, frame: Secret) {
        self.frames.push_back(frame);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Writes some of what is waiting.
    pub(crate) async fn write(&mut self) -> io::Result<()> {
        let Some(first) = self.frames.front() else { return Ok(()) };
        let left = first.expose().get(self.written..).unwrap_or_default();
        match self.stream.write(left).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => self.written += count,
        }
        if self.written >= first.len() {
            self.frames.pop_front();
            self.written = 0;
        }
        Ok(())
    }

    /// Writes all that is waiting.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while !self.is_empty() {
            self.write().await?;
        }
        Ok(())
    }
}
