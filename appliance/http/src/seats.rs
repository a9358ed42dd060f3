//! Connection permits: so many in all, so many of one listener, so many from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_types::cidr;
use tokio::sync::OwnedSemaphorePermit;

/// How many connections each address has; of IPv6 each network of 64 bits.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// The right to have a connection, or to finish what one began. Given back on drop.
pub(crate) struct Seat {
    from: Option<(Arc<Addresses>, IpAddr)>,
    _permits: Permits,
}

/// Of all connections and of the listener's.
pub(crate) type Permits = [OwnedSemaphorePermit; 2];

impl Addresses {
    /// A seat for a connection from `address`, unless it has `limit` already. Unix sockets have no address.
    pub(crate) fn seat(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        limit: usize,
        permits: Permits,
    ) -> Option<Seat> {
        let Some(address) = address.map(cidr::one_client) else {
            return Some(Seat { from: None, _permits: permits });
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Seat { from: Some((self.clone(), address)), _permits: permits })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((addresses, address)) = &self.from else { return };
        let mut counts = addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    #[test]
    fn seats_are_counted_by_address_and_given_back() {
        let permits = Arc::new(Semaphore::new(20));
        let addresses = Arc::new(Addresses::default());
        let take = |text: &str| {
            let permit = || permits.clone().try_acquire_owned().unwrap();
            addresses.seat(Some(text.parse().unwrap()), 2, [permit(), permit()])
        };
        let first = take("10.0.0.1");
        let second = take("::ffff:10.0.0.1");
        assert!(first.is_some() && second.is_some());
        assert!(take("10.0.0.1").is_none());
        assert!(take("10.0.0.2").is_some());
        drop(first);
        assert!(take("10.0.0.1").is_some());
        drop(second);
        // Anybody has all addresses of such a network.
        let neighbours = (take("2001:db8::1"), take("2001:db8::2"));
        assert!(neighbours.0.is_some() && neighbours.1.is_some() && take("2001:db8::3").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
        drop(neighbours);
        assert!(addresses.0.lock().unwrap().is_empty());
        assert_eq!(permits.available_permits(), 20);
    }
}
