//! A request's body, read only when somebody asks for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use strongroom_types::request::{BodyError, BodySource};
use strongroom_types::{BoxFuture, Secret};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};
use zeroize::{Zeroize, Zeroizing};

use crate::budget::{Claim, FREE};

/// A body that is still in the socket.
pub(crate) struct SocketBody<B = Incoming> {
    /// There until this is dropped.
    body: Option<B>,
    limit: usize,
    time: Duration,
    claim: Claim,
    state: Rest<B>,
}

impl<B: Body> SocketBody<B> {
    /// At most `limit` bytes whatever the reader allows, and `time` from the moment it asks. What is large takes from
    /// `budget`.
    pub(crate) fn new(body: B, limit: usize, time: Duration, budget: &Arc<Semaphore>) -> Self {
        let state = if body.is_end_stream() { Left::Nothing } else { Left::Unknown };
        let claim = Claim::on(budget);
        Self { body: Some(body), limit, time, claim, state: Rest(Arc::new(Mutex::new(state))) }
    }

    /// What this body takes from the budget, to be held for as long as its bytes may be in memory.
    pub(crate) fn claim(&self) -> Claim {
        self.claim.clone()
    }

    /// What will be left of the body, for when its reader is gone.
    pub(crate) fn rest(&self) -> Rest<B> {
        Rest(self.state.0.clone())
    }
}

impl<B: Body + Send + Unpin> BodySource for SocketBody<B>
where
    B::Data: Send,
{
    fn read(&mut self, limit: usize) -> BoxFuture<'_, Result<Secret, BodyError>> {
        Box::pin(self.collect(limit.min(self.limit)))
    }
}

impl<B: Body + Unpin> SocketBody<B> {
    async fn collect(&mut self, limit: usize) -> Result<Secret, BodyError> {
        let Some(body) = self.body.as_mut() else { return Err(BodyError::Broken) };
        let announced = body.size_hint().lower();
        if announced > limit as u64 {
            return Err(BodyError::TooLarge);
        }
        let size = body.size_hint();
        let expected = size.exact().and_then(|exact| usize::try_from(exact).ok()).unwrap_or(limit);
        let mut is_claimed = size.exact().is_some() || limit <= FREE;
        if is_claimed {
            self.claim.take(expected, self.time).await?;
        }
        let mut deadline = Instant::now() + self.time;
        // An announced length is only so many pages of address space until the bytes are here.
        let mut whole = Zeroizing::new(Vec::with_capacity(usize::try_from(announced).unwrap_or(0)));
        loop {
            let data = match timeout_at(deadline, body.frame()).await {
                Ok(Some(Ok(frame))) => frame.into_data(),
                Ok(None) => break,
                Ok(Some(Err(_))) | Err(_) => return Err(BodyError::Broken),
            };
            let Ok(mut data) = data else { continue };
            while bytes::Buf::has_remaining(&data) {
                let chunk = bytes::Buf::chunk(&data);
                if chunk.len() > limit - whole.len() {
                    return Err(BodyError::TooLarge);
                }
                if !is_claimed && whole.len() + chunk.len() > FREE {
                    // Nobody knows how much is to come. The wait is not the client's.
                    self.claim.take(limit, self.time).await?;
                    (is_claimed, deadline) = (true, Instant::now() + self.time);
                }
                append(&mut whole, chunk);
                let length = chunk.len();
                bytes::Buf::advance(&mut data, length);
            }
        }
        self.state.set(Left::Nothing);
        Ok(Secret::from(std::mem::take(&mut *whole)))
    }
}

impl<B> Drop for SocketBody<B> {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.state.give_back(body);
        }
    }
}

/// What a reader has left of a body.
pub(crate) struct Rest<B = Incoming>(Arc<Mutex<Left<B>>>);

enum Left<B> {
    /// It was read to its end.
    Nothing,
    /// Its reader still has it.
    Unknown,
    /// This.
    Some(B),
}

/// How often the rest of a body is looked for before it counts as not there. hyper needs two turns for each piece.
const TURNS: usize = 4;

impl<B> Rest<B> {
    fn set(&self, left: Left<B>) -> Left<B> {
        // Nothing panics under this lock; if it did, the state would still be one of the three.
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), left)
    }

    fn give_back(&self, body: B) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*left, Left::Unknown) {
            *left = Left::Some(body);
        }
    }
}

impl<B: Body + Unpin> Rest<B> {
    /// Whether the body is at its end once up to `limit` bytes of it that have already arrived are thrown away. With
    /// `expects`, the client waits to be told to send, and is not.
    pub(crate) async fn finish(self, limit: usize, expects: bool) -> bool {
        let mut body = match self.set(Left::Unknown) {
            Left::Nothing => return true,
            Left::Some(body) if !expects => body,
            _ => return false,
        };
        let (mut taken, mut turns) = (0, 0);
        while turns < TURNS && taken <= limit {
            let frame = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
                Poll::Ready(frame) => Poll::Ready(Some(frame)),
                Poll::Pending => Poll::Ready(None),
            });
            match frame.await {
                None => {
                    turns += 1;
                    yield_now().await;
                }
                Some(None) => return true,
                Some(Some(Err(_))) => return false,
                Some(Some(Ok(frame))) => {
                    turns = 0;
                    taken += frame.data_ref().map_or(0, bytes::Buf::remaining);
                }
            }
        }
        false
    }
}

/// Appends; what growing leaves behind is wiped.
fn append(whole: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    if whole.capacity() - whole.len() < chunk.len() {
        let mut larger = Vec::with_capacity((whole.len() + chunk.len()).max(2 * whole.capacity()));
        larger.extend_from_slice(whole);
        let mut outgrown = std::mem::replace(&mut **whole, larger);
        outgrown.zeroize();
    }
    whole.extend_from_slice(chunk);
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::body::Frame;
    use std::convert::Infallible;
    use std::task::Context;

    const TIME: Duration = Duration::from_secs(5);

    fn budget() -> Arc<Semaphore> {
        crate::budget::of(0)
    }

    /// Chunks of unknown total length.
    struct Chunks(Vec<Bytes>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop().map(|chunk| Ok(Frame::data(chunk))))
        }
    }

    async fn read<B: Body + Send + Unpin>(body: B, limit: usize) -> Result<Vec<u8>, BodyError>
    where
        B::Data: Send,
    {
        SocketBody::new(body, 1000, TIME, &budget()).read(limit).await.map(|body| body.expose().to_vec())
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_their_limit() {
        assert_eq!(read(Full::new(Bytes::from_static(b"12345")), 5).await, Ok(b"12345".to_vec()));
        assert_eq!(read(Full::new(Bytes::from_static(b"123456")), 5).await, Err(BodyError::TooLarge));
        assert_eq!(read(Full::new(Bytes::from(vec![b'x'; 1001])), 5000).await, Err(BodyError::TooLarge));
        let chunks = || Chunks(vec![Bytes::from(vec![b'x'; 90]); 10]);
        assert_eq!(read(chunks(), 900).await, Ok(vec![b'x'; 900]));
        assert_eq!(read(chunks(), 899).await, Err(BodyError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        struct Never;
        impl Body for Never {
            type Data = Bytes;
            type Error = Infallible;

            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                Poll::Pending
            }
        }
        assert_eq!(read(Never, 10).await, Err(BodyError::Broken));
    }

    /// What is left of a body of `pieces` pieces of 10 bytes when its reader stops at `limit` bytes.
    async fn over(pieces: usize, limit: usize, then: usize) -> bool {
        let body = Chunks(vec![Bytes::from_static(b"0123456789"); pieces]);
        let mut body = SocketBody::new(body, 1000, TIME, &budget());
        let rest = body.rest();
        let _ = body.read(limit).await;
        drop(body);
        rest.finish(then, false).await
    }

    #[tokio::test]
    async fn a_rest_that_is_there_is_thrown_away() {
        assert!(over(3, 30, 0).await);
        assert!(over(3, 5, 20).await);
        assert!(!over(9, 5, 20).await);
        let unread = SocketBody::new(Chunks(vec![]), 1000, TIME, &budget());
        let rest = unread.rest();
        assert!(!rest.finish(20, false).await, "its reader has it");
        let unread = SocketBody::new(Chunks(vec![]), 1000, TIME, &budget());
        let rest = unread.rest();
        drop(unread);
        assert!(!rest.finish(20, true).await, "nobody told the client to send");
        let none = SocketBody::new(Full::new(Bytes::new()), 1000, TIME, &budget());
        assert!(none.rest().finish(0, true).await);
    }
}
