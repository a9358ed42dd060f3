//! Networks: what a token may be bound to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// What counts as one client: an IPv4 address, or a network of 64 bits of IPv6, of which anybody has all addresses.
pub fn one_client(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    masked(address, width(address).min(64))
}

/// A network: an address of which so many leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    first: IpAddr,
    bits: u8,
}

impl Cidr {
    /// `10.0.0.0/8`, `fd00::/8`, or an address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = width(address);
        let bits = match bits {
            // No sign and no leading zeros, which others read as octal.
            Some(bits) if bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => most,
        };
        (bits <= most).then(|| Self { first: masked(address, bits), bits })
    }

    /// Whether `address` lies in it. An IPv4 address that is written as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.first) && masked(address, self.bits) == self.first
    }

    /// What lies in both: the smaller one, or nothing.
    pub fn common(&self, other: &Self) -> Option<Self> {
        let (outer, inner) = if self.bits <= other.bits { (self, other) } else { (other, self) };
        outer.contains(inner.first).then_some(*inner)
    }
}

/// All of a client's list; one that cannot be read is the client's mistake.
pub fn parse_all(field: &str, given: &[String]) -> Result<Vec<Cidr>, Refusal> {
    let one = |text: &String| {
        Cidr::parse(text).ok_or_else(|| {
            Refusal::bad_request(format!("'{field}' holds what is neither an address nor a network"))
        })
    };
    given.iter().map(one).collect()
}

/// What lies in a network of `one` and in a network of `other`; an empty list binds to nothing. `None` if no address
/// is left.
pub fn narrowed(one: &[Cidr], other: &[Cidr]) -> Option<Vec<Cidr>> {
    if one.is_empty() || other.is_empty() {
        return Some([one, other].concat());
    }
    let mut all = Vec::new();
    for common in one.iter().flat_map(|a| other.iter().filter_map(|b| a.common(b))) {
        if !all.contains(&common) {
            all.push(common);
        }
    }
    (!all.is_empty()).then_some(all)
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

impl fmt::Display for Cidr {
    /// A single address stands without its bits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits == width(self.first) {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}/{}", self.first, self.bits),
        }
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl TryFrom<String> for Cidr {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("neither an address nor a network")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn networks_are_read_and_written() {
        for (text, written) in [
            ("127.0.0.1/32", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00::1/8", "fd00::/8"),
            ("::1", "::1"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(cidr(text).to_string(), written);
        }
        for text in
            ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0/8", "::/129", "010.0.0.1", "a/8"]
        {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_lies_in_a_network_is_in_it() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(cidr("10.0.0.0/8").contains(address("10.255.0.1")));
        assert!(!cidr("10.0.0.0/8").contains(address("11.0.0.1")));
        assert!(cidr("10.0.0.0/8").contains(address("::ffff:10.0.0.1")));
        assert!(cidr("0.0.0.0/0").contains(address("1.2.3.4")));
        assert!(!cidr("0.0.0.0/0").contains(address("::1")));
        assert!(!cidr("::/0").contains(address("1.2.3.4")));
    }

    #[test]
    fn two_lists_leave_what_is_in_both() {
        let all = |texts: &[&str]| texts.iter().map(|text| cidr(text)).collect::<Vec<_>>();
        assert_eq!(
            narrowed(&all(&["10.0.0.0/8"]), &all(&["10.1.0.0/16", "11.0.0.0/8"])),
            Some(all(&["10.1.0.0/16"]))
        );
        assert_eq!(narrowed(&all(&["10.1.0.0/16"]), &all(&["0.0.0.0/0"])), Some(all(&["10.1.0.0/16"])));
        assert_eq!(narrowed(&all(&["10.0.0.0/8"]), &[]), Some(all(&["10.0.0.0/8"])));
        assert_eq!(narrowed(&[], &[]), Some(Vec::new()));
        assert_eq!(narrowed(&all(&["10.0.0.0/8"]), &all(&["11.0.0.0/8"])), None);
    }
}
