//! A simulated TPM has no resource manager: what a bridge that was killed had loaded stays loaded, and fills it up.
//!
//! The kernel's `/dev/tpmrm0` flushes by itself. For swtpm this does it, before the library connects: it lists what
//! is loaded and flushes it, in the TPM's own commands.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const GET_CAPABILITY: u32 = 0x0000_017a;
const FLUSH_CONTEXT: u32 = 0x0000_0165;
const CAP_HANDLES: u32 = 1;
/// Most handles that are asked for; a TPM has a few.
const MOST: u32 = 64;
/// The first handle of the loaded sessions, and of the transient objects.
const RANGES: [u32; 2] = [0x0200_0000, 0x8000_0000];
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a swtpm listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Simulator {
    host: String,
    port: u16,
}

impl Simulator {
    /// From `swtpm:host=HOST,port=PORT`; `None` for another TCTI.
    pub(crate) fn of(tcti: &str) -> Option<Self> {
        let mut simulator = Self { host: "localhost".into(), port: 2321 };
        for field in tcti.strip_prefix("swtpm:")?.split(',') {
            match field.split_once('=')? {
                ("host", host) => simulator.host = host.to_owned(),
                ("port", port) => simulator.port = port.parse().ok()?,
                _ => return None,
            }
        }
        Some(simulator)
    }

    /// Flushes what others have left. Nobody else may be using this simulator.
    pub(crate) fn flush_leftovers(&self) -> io::Result<()> {
        let address = (self.host.as_str(), self.port).to_socket_addrs()?.next();
        let address = address.ok_or_else(|| io::Error::other("its host has no address"))?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        for first in RANGES {
            let list = command(&mut stream, GET_CAPABILITY, &[CAP_HANDLES, first, MOST])?;
            for handle in handles(&list) {
                command(&mut stream, FLUSH_CONTEXT, &[handle])?;
            }
        }
        Ok(())
    }
}

/// Sends a command without sessions; the answer's parameters, empty if the TPM says no.
fn command(stream: &mut TcpStream, code: u32, words: &[u32]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(10 + 4 * words.len()).unwrap_or(u32::MAX);
    let mut out = vec![0x80, 0x01];
    for word in [length, code].iter().chain(words) {
        out.extend_from_slice(&word.to_be_bytes());
    }
    stream.write_all(&out)?;
    let mut head = [0; 10];
    stream.read_exact(&mut head)?;
    let [_, _, a, b, c, d, code @ ..] = head;
    let rest = u32::from_be_bytes([a, b, c, d]).checked_sub(10).filter(|rest| *rest <= 4096);
    let rest = rest.ok_or_else(|| io::Error::other("it does not speak as a TPM"))?;
    let mut parameters = vec![0; usize::try_from(rest).unwrap_or_default()];
    stream.read_exact(&mut parameters)?;
    Ok(if code == [0; 4] { parameters } else { Vec::new() })
}

/// The handles in the answer to GetCapability: more u8 ‖ capability u32 ‖ count u32 ‖ handles u32.
fn handles(list: &[u8]) -> impl Iterator<Item = u32> {
    let (words, _) = list.get(9..).unwrap_or_default().as_chunks::<4>();
    words.iter().map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_swtpm_is_one() {
        let simulator = Simulator { host: "127.0.0.1".into(), port: 24 };
        assert_eq!(Simulator::of("swtpm:host=127.0.0.1,port=24"), Some(simulator.clone()));
        assert_eq!(Simulator::of("swtpm:port=24,host=127.0.0.1"), Some(simulator));
        assert_eq!(Simulator::of("device:/dev/tpmrm0"), None);
        assert_eq!(Simulator::of("swtpm:host=127.0.0.1,port=x"), None);
    }

    #[test]
    fn handles_are_read_from_any_bytes() {
        assert_eq!(
            handles(&[0, 0, 0, 0, 1, 0, 0, 0, 1, 0x80, 0, 0, 2, 9]).collect::<Vec<_>>(),
            [0x8000_0002]
        );
        assert_eq!(handles(&[1, 2, 3]).count(), 0);
    }
}
