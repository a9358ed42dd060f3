//! Batch tokens: nothing is stored, so that as many can be made as are wanted.
//!
//! ```text
//! hvb. ‖ base64url(TokenRecord as JSON, sealed apart by the tokens' view) ‖ 8 characters of the keyed checksum
//! ```
//!
//! The barrier's frame is encrypted and authenticated, and bound to cluster and view: whoever holds a batch token can
//! neither read nor change what it says. It lives as long as it says, and as its parent does.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use strongroom_barrier::{BarrierError, Reader};
use strongroom_types::{Refusal, Secret, Timestamp};
use zeroize::Zeroizing;

use super::mint::CHECK;
use super::{Known, TokenRecord, Tokens, name};
use crate::fault::{barrier, damaged};

/// What a batch token begins with.
pub(super) const PREFIX: &str = "hvb.";
/// As long as a token may be in a header.
const LONGEST: usize = 8192;
/// What it is sealed as: no record has this name.
const APART: &str = "batch";

/// What is sealed in `token`, if it has the form of a batch token.
pub(super) fn sealed(token: &[u8]) -> Option<&[u8]> {
    let (body, _) = token.strip_prefix(PREFIX.as_bytes())?.split_last_chunk::<CHECK>()?;
    Some(body)
}

impl Tokens {
    /// The token that says what `record` says.
    pub(super) fn seal_batch(&self, record: &TokenRecord) -> Result<Secret, Refusal> {
        let body = Zeroizing::new(serde_json::to_vec(record).map_err(damaged)?);
        let sealed = self.view.seal_apart(&name(&[APART])?, &body).map_err(barrier)?;
        let length = PREFIX.len() + BASE64URL_NOPAD.encode_len(sealed.len()) + CHECK;
        if length > LONGEST {
            return Err(Refusal::bad_request(
                "the batch token would be too long for a header: give it less 'meta' and fewer policies",
            ));
        }
        let mut text = String::with_capacity(length);
        text.push_str(PREFIX);
        BASE64URL_NOPAD.encode_append(&sealed, &mut text);
        let check = self.checksum(text.as_bytes());
        text.push_str(&check);
        Ok(Secret::from(text))
    }

    /// The token in which `sealed` stands.
    pub(super) fn find_batch(
        &self,
        reader: &Reader,
        key: String,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        let Ok(sealed) = BASE64URL_NOPAD.decode(sealed) else { return Ok(None) };
        let body = match self.view.open_apart(&name(&[APART])?, &sealed) {
            Ok(body) => body,
            Err(BarrierError::Damaged) => return Ok(None),
            Err(cause) => return Err(barrier(cause)),
        };
        let record: TokenRecord = serde_json::from_slice(body.expose()).map_err(damaged)?;
        self.checked_batch(reader, key, record, now)
    }

    /// The batch token that says what `record` says, if neither its time nor its parent has ended.
    pub(super) fn checked_batch(
        &self,
        reader: &Reader,
        key: String,
        record: TokenRecord,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        if !record.batch || record.expires.is_none() || self.has_ended(&record, now)? {
            return Ok(None);
        }
        if let Some(parent) = &record.parent
            && self.find_by_key(reader, parent.clone(), now)?.is_none()
        {
            return Ok(None);
        }
        Ok(Some(Arc::new(Known { key, record, entry: None })))
    }
}
