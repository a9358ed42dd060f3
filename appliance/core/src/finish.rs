//! Work that is finished even when nobody waits for it any more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use strongroom_types::BoxFuture;

/// Polls `work`; dropped before its end, hands the rest of it to the runtime: nobody reads its answer then.
///
/// hyper drops what answers a request as soon as the client closes its connection or resets its stream. A commit whose
/// caller has vanished would leave the memory behind the store, and an audited request without its response line.
pub struct Finish<T: Send + 'static> {
    work: Option<BoxFuture<'static, T>>,
}

impl<T: Send + 'static> Finish<T> {
    /// `work`, which from now on ends in any case.
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(Box::pin(work)) }
    }
}

impl<T: Send + 'static> Future for Finish<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let answer = std::task::ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(answer)
    }
}

impl<T: Send + 'static> Drop for Finish<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.work.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { drop(work.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn what_is_dropped_half_way_still_ends() {
        let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut work = Box::pin(Finish::new({
            let (go, done) = (go.clone(), done.clone());
            async move {
                go.notified().await;
                done.notify_one();
            }
        }));
        let pending = std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
        drop(work);
        go.notify_one();
        done.notified().await;
    }

    #[tokio::test]
    async fn an_answer_is_handed_on() {
        assert_eq!(Finish::new(async { 7 }).await, 7);
    }
}
