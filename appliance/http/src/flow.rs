//! The body of an answer that goes on: a task of its own makes the parts, hyper takes them.
//!
//! The task ends with its source, with its client, with the listener, and when the client takes too long to read. Whatever
//! the stream keeps (its place among the requests under way, what it is shown by) is given back at that moment, although
//! hyper may still be waiting for the client.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame};
use strongroom_types::Stream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::connection::Phase;
use crate::pace::Pace;
use crate::render::Content;

/// Parts that are made before the client has taken them.
const AHEAD: usize = 8;

/// A body that hyper takes: whole, or part by part.
pub(crate) type Sent = Either<Full<Bytes>, Flow>;

/// `content` on its way to a client of whom `pace` tells, and who may take `patience` to read a part.
pub(crate) fn sent(
    content: Content,
    phase: &watch::Receiver<Phase>,
    pace: &Arc<Pace>,
    patience: Duration,
) -> Sent {
    match content {
        Either::Left(whole) => Either::Left(whole),
        Either::Right(stream) => Either::Right(Flow::start(stream, phase.clone(), pace.clone(), patience)),
    }
}

/// See the module.
pub(crate) struct Flow {
    parts: mpsc::Receiver<Bytes>,
    is_cut: Arc<AtomicBool>,
}

impl Flow {
    fn start(stream: Stream, mut phase: watch::Receiver<Phase>, pace: Arc<Pace>, patience: Duration) -> Self {
        let (client, parts) = mpsc::channel(AHEAD);
        let is_cut = Arc::<AtomicBool>::default();
        let flow = Self { parts, is_cut: is_cut.clone() };
        tokio::spawn(async move {
            tokio::select! {
                ended = make(stream, &client, patience) => if ended.is_err() {
                    is_cut.store(true, Relaxed);
                    pace.give_up();
                },
                () = client.closed() => {}
                _ = phase.wait_for(|phase| *phase != Phase::Open) => {}
            }
        });
        flow
    }
}

/// The client does not read.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client does not read the stream that it has asked for")
    }
}

impl Error for TooSlow {}

async fn make(mut stream: Stream, client: &mpsc::Sender<Bytes>, patience: Duration) -> Result<(), TooSlow> {
    while let Some(part) = stream.part().await {
        let taken = timeout(patience, client.send(part.into())).await;
        if taken.map_err(|_| TooSlow)?.is_err() {
            break;
        }
    }
    Ok(())
}

impl Body for Flow {
    type Data = Bytes;
    type Error = TooSlow;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooSlow>>> {
        Poll::Ready(match ready!(self.parts.poll_recv(cx)) {
            Some(part) => Some(Ok(Frame::data(part))),
            // Not a proper end: nobody shall take it for whole.
            None if self.is_cut.load(Relaxed) => Some(Err(TooSlow)),
            None => None,
        })
    }
}
