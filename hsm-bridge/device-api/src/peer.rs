//! Who may be at the other end of the socket.

use tokio::net::UnixStream;

use crate::{DeviceError, DeviceErrorKind};

/// Which user the other end must be. Each side checks it by what the kernel says of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRule {
    /// The user id of the other end. Without it only one's own can be, and only if `allow_same_uid` says so.
    pub uid: Option<u32>,
    /// Whether the other end may run as the same user as this process. For development: one duty, one user.
    pub allow_same_uid: bool,
}

impl PeerRule {
    /// The same user at both ends, for development and tests.
    pub const SAME_UID: Self = Self { uid: None, allow_same_uid: true };

    /// Whether `peer` is allowed for a process of the user `own`.
    pub fn allows(self, peer: u32, own: u32) -> bool {
        match self.uid {
            Some(uid) => peer == uid && (peer != own || self.allow_same_uid),
            None => peer == own && self.allow_same_uid,
        }
    }

    /// Refuses the other end of `stream` if the rule does.
    pub(crate) fn check(self, stream: &UnixStream) -> Result<(), DeviceError> {
        let refused = |message: String| DeviceError::new(DeviceErrorKind::Refused, message);
        let credentials = stream
            .peer_cred()
            .map_err(|cause| refused(format!("the kernel does not tell the peer's user: {cause}")))?;
        let (peer, own) = (credentials.uid(), nix::unistd::geteuid().as_raw());
        if self.allows(peer, own) {
            return Ok(());
        }
        Err(refused(match self.uid {
            _ if peer == own => format!(
                "the other end of the socket runs as the same user ({own}): give each its own, \
                 or set allow_same_uid for development"
            ),
            Some(uid) => format!("the other end of the socket runs as user {peer}; it must be user {uid}"),
            None => {
                format!("the other end of the socket runs as user {peer}, and no peer's user is configured")
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_users_need_a_word_and_others_need_a_name() {
        let rule = |uid, allow_same_uid| PeerRule { uid, allow_same_uid };
        for (rule, peer, allowed) in [
            (rule(None, false), 7, false),
            (rule(None, false), 8, false),
            (rule(None, true), 7, true),
            (rule(None, true), 8, false),
            (rule(Some(8), false), 8, true),
            (rule(Some(8), false), 7, false),
            (rule(Some(8), false), 0, false),
            (rule(Some(7), false), 7, false),
            (rule(Some(7), true), 7, true),
            (rule(Some(8), true), 7, false),
        ] {
            assert_eq!(rule.allows(peer, 7), allowed, "{rule:?} {peer}");
        }
    }
}
