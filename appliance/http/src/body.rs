//! A request's body, read only when somebody asks for it.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use strongroom_types::request::{BodyError, BodySource};
use strongroom_types::{BoxFuture, Secret};
use tokio::time::{Instant, timeout_at};
use zeroize::{Zeroize, Zeroizing};

/// A body that is still in the socket.
pub(crate) struct SocketBody<B = Incoming> {
    body: B,
    limit: usize,
    time: Duration,
}

impl<B> SocketBody<B> {
    /// At most `limit` bytes whatever the reader allows, and `time` from the moment it asks.
    pub(crate) fn new(body: B, limit: usize, time: Duration) -> Self {
        Self { body, limit, time }
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
        let announced = self.body.size_hint().lower();
        if announced > limit as u64 {
            return Err(BodyError::TooLarge);
        }
        let deadline = Instant::now() + self.time;
        // An announced length is only so many pages of address space until the bytes are here.
        let mut whole = Zeroizing::new(Vec::with_capacity(usize::try_from(announced).unwrap_or(0)));
        loop {
            let frame = timeout_at(deadline, self.body.frame()).await.map_err(|_| BodyError::Broken)?;
            let Some(frame) = frame else { break };
            let Ok(mut data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            while bytes::Buf::has_remaining(&data) {
                let chunk = bytes::Buf::chunk(&data);
                if chunk.len() > limit - whole.len() {
                    return Err(BodyError::TooLarge);
                }
                append(&mut whole, chunk);
                let length = chunk.len();
                bytes::Buf::advance(&mut data, length);
            }
        }
        Ok(Secret::from(std::mem::take(&mut *whole)))
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
    use std::pin::Pin;
    use std::task::{Context, Poll};

    const TIME: Duration = Duration::from_secs(5);

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
        SocketBody::new(body, 1000, TIME).read(limit).await.map(|body| body.expose().to_vec())
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
}
