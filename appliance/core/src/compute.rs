//! A few places for what computes long, such as a password's hash: beside it the reads must go on.
//!
//! Whoever asks from one address has a quarter of the places in the queue at most: a stranger who logs in as nobody, as
//! often as they can, makes the others wait for half a second, and is refused alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use strongroom_types::Refusal;
use strongroom_types::cidr::one_client;
use strongroom_types::error::Kind;
use tokio::sync::Semaphore;

use crate::fault::damaged;

/// Who may be in the queue for each place; the next one is told to come again.
const WAITING: usize = 128;
/// How many of these one client may be.
const OF_ONE_CLIENT: usize = WAITING / 4;

/// See the module.
pub struct Compute {
    places: Semaphore,
    waiting: Semaphore,
    /// How many each client has in the queue. Clients without any are not in it.
    clients: Mutex<HashMap<IpAddr, usize>>,
    of_one_client: usize,
}

/// What a client has of the queue. Given back on drop.
struct Share<'a> {
    compute: &'a Compute,
    client: IpAddr,
}

impl Compute {
    /// One place for each processor.
    pub fn new() -> Self {
        Self::with(std::thread::available_parallelism().map_or(1, usize::from))
    }

    fn with(places: usize) -> Self {
        Self {
            places: Semaphore::new(places),
            waiting: Semaphore::new(places * WAITING),
            clients: Mutex::default(),
            of_one_client: places * OF_ONE_CLIENT,
        }
    }

    /// Runs `work` for a request from `client` when there is a place. Refused if too many wait for one, or too many of
    /// this client do. Unix sockets have no address: who reaches them is counted with all only.
    pub async fn run<T>(
        &self,
        client: Option<IpAddr>,
        work: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let busy =
            || Refusal::new(Kind::TooMany, "too many requests compute at the same time: try again soon");
        let _share = match client {
            Some(client) => Some(self.share(client).ok_or_else(busy)?),
            None => None,
        };
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let _place = self.places.acquire().await.map_err(damaged)?;
        tokio::task::block_in_place(work)
    }

    fn share(&self, client: IpAddr) -> Option<Share<'_>> {
        let client = one_client(client);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        if *count >= self.of_one_client {
            return None;
        }
        *count += 1;
        Some(Share { compute: self, client })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut clients = self.compute.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_has_a_share_and_gives_it_back() {
        let compute = Compute::with(1);
        let shares: Vec<_> =
            (0..OF_ONE_CLIENT).map(|_| compute.share(address("10.0.0.1")).unwrap()).collect();
        assert!(compute.share(address("10.0.0.1")).is_none());
        assert!(compute.share(address("::ffff:10.0.0.1")).is_none(), "the same one in other words");
        assert!(compute.share(address("10.0.0.2")).is_some());
        drop(shares);
        assert!(compute.share(address("10.0.0.1")).is_some());
        // Of IPv6 anybody has all addresses of a network.
        let network = |n: usize| compute.share(address(&format!("2001:db8::{n:x}")));
        let shares: Vec<_> = (0..OF_ONE_CLIENT).map(|n| network(n).unwrap()).collect();
        assert!(network(OF_ONE_CLIENT).is_none());
        drop(shares);
        assert!(compute.clients.lock().unwrap().is_empty(), "nobody is remembered");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn c6_one_address_does_not_keep_the_others_from_logging_in() {
        let compute = Arc::new(Compute::with(1));
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let ask = |from: &'static str| {
            let (compute, wait) = (compute.clone(), wait.clone());
            tokio::spawn(async move {
                // Ends with the channel.
                let work = || Ok(wait.lock().unwrap().recv().is_err());
                compute.run(Some(address(from)), work).await
            })
        };
        // As many as there are places in the whole queue, of which most are turned away at once.
        let crowd: Vec<_> = (0..WAITING).map(|_| ask("192.0.2.1")).collect();
        while crowd.iter().filter(|one| one.is_finished()).count() < WAITING - OF_ONE_CLIENT {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = ["192.0.2.2", "192.0.2.3", "2001:db8::1"].map(ask).into();
        while compute.clients.lock().unwrap().len() < 4 {
            tokio::task::yield_now().await;
        }
        drop(go);
        for other in others {
            assert_eq!(other.await.unwrap().ok(), Some(true));
        }
        let mut refused = 0;
        for one in crowd {
            refused += usize::from(one.await.unwrap().is_err_and(|refusal| refusal.kind == Kind::TooMany));
        }
        assert_eq!(refused, WAITING - OF_ONE_CLIENT);
        assert!(compute.clients.lock().unwrap().is_empty());
    }
}
