//! Which PCRs a secret is bound to, and the sessions that prove them.

use strongroom_device_api::{DeviceError, DeviceErrorKind};
use tss_esapi::Context;
use tss_esapi::constants::CapabilityType;
use tss_esapi::handles::SessionHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::{CapabilityData, Digest, PcrSelection, PcrSelectionList, PcrSlot};

use crate::error::{Failure, sort};
use crate::session::Tpm;

/// PCRs of one bank; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pcrs {
    bank: Bank,
    /// Bit n: PCR n, 0 to 23.
    bits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bank {
    Sha256,
    Sha384,
}

const BANKS: [(Bank, &str, [u8; 2], HashingAlgorithm); 2] = [
    (Bank::Sha256, "sha256", [0x00, 0x0b], HashingAlgorithm::Sha256),
    (Bank::Sha384, "sha384", [0x00, 0x0c], HashingAlgorithm::Sha384),
];

impl Pcrs {
    /// From `sha256:7,11`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (bank, list) = text.split_once(':')?;
        let (bank, ..) = *BANKS.iter().find(|(_, name, ..)| *name == bank)?;
        let mut bits = 0;
        for number in list.split(',') {
            let number: u32 = number.parse().ok().filter(|number| *number < 24)?;
            bits |= 1 << number;
        }
        Some(Self { bank, bits })
    }

    /// The bank's algorithm, and the bitmap as the TPM has it: PCR 0 is bit 0 of the first byte.
    pub(crate) fn encode(self) -> [u8; 5] {
        let [a, b] =
            BANKS.iter().find(|(bank, ..)| *bank == self.bank).map(|(_, _, id, _)| *id).unwrap_or_default();
        let [c, d, e, _] = self.bits.to_le_bytes();
        [a, b, c, d, e]
    }

    /// From what [`Pcrs::encode`] gives, and nothing else.
    pub(crate) fn decode([a, b, c, d, e]: [u8; 5]) -> Option<Self> {
        let (bank, ..) = *BANKS.iter().find(|(_, _, id, _)| *id == [a, b])?;
        let bits = u32::from_le_bytes([c, d, e, 0]);
        (bits != 0).then_some(Self { bank, bits })
    }

    fn selection(self) -> Result<PcrSelectionList, Failure> {
        let algorithm = BANKS.iter().find(|(bank, ..)| *bank == self.bank).map(|(.., algorithm)| *algorithm);
        let slots: Vec<PcrSlot> = (0..24)
            .map(|number| 1 << number)
            .filter(|bit| self.bits & bit != 0)
            .filter_map(|bit| PcrSlot::try_from(bit).ok())
            .collect();
        PcrSelectionList::builder()
            .with_selection(algorithm.unwrap_or(HashingAlgorithm::Sha256), &slots)
            .build()
            .map_err(|cause| sort("select PCRs", cause))
    }
}

impl Tpm {
    /// The policy that `pcrs` make as they are now.
    ///
    /// Asked for in an authenticated session: whoever could change the answer on the bus could have the secret
    /// sealed under a policy of his own.
    pub(crate) fn policy_now(&mut self, pcrs: Pcrs) -> Result<Digest, Failure> {
        self.check_allocated(pcrs)?;
        let trial = self.start_policy_session(true)?;
        let digest = self
            .prove(trial, pcrs)
            .and_then(|()| self.in_session("policy of the PCRs", |context| context.policy_get_digest(trial)));
        self.flush(SessionHandle::from(trial).into());
        digest
    }

    /// Does `work` in a session, salted and encrypted both ways, that has proven `pcrs`.
    pub(crate) fn with_pcrs<T>(
        &mut self,
        pcrs: Pcrs,
        work: impl FnOnce(&mut Context) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let session = self.start_policy_session(false)?;
        let outcome = self
            .prove(session, pcrs)
            .and_then(|()| self.context.execute_with_session(Some(session.into()), work));
        self.flush(SessionHandle::from(session).into());
        outcome
    }

    fn prove(&mut self, session: PolicySession, pcrs: Pcrs) -> Result<(), Failure> {
        let selection = pcrs.selection()?;
        self.in_session("prove the PCRs", |context| context.policy_pcr(session, Digest::default(), selection))
    }

    /// Refuses PCRs that the TPM does not keep: it would leave them out of the policy without a word.
    fn check_allocated(&mut self, pcrs: Pcrs) -> Result<(), Failure> {
        let (kept, _) = self.in_audit_session("list the PCRs", |context| {
            context.get_capability(CapabilityType::AssignedPcr, 0, 16)
        })?;
        let wanted = pcrs.selection()?;
        let CapabilityData::AssignedPcr(kept) = kept else { return Err(not_kept()) };
        let is_kept = |bank: &PcrSelection| {
            kept.get_selections().iter().any(|kept| {
                kept.hashing_algorithm() == bank.hashing_algorithm()
                    && bank.selected().iter().all(|pcr| kept.is_selected(*pcr))
            })
        };
        if wanted.get_selections().iter().all(is_kept) { Ok(()) } else { Err(not_kept()) }
    }
}

fn not_kept() -> Failure {
    let message =
        "the TPM does not keep the PCRs of --pcrs: choose another bank, or have the firmware allocate it";
    DeviceError::new(DeviceErrorKind::Refused, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_encoded_as_the_tpm_has_it() {
        let pcrs = Pcrs::parse("sha256:7,11").unwrap();
        assert_eq!(pcrs.encode(), [0x00, 0x0b, 0x80, 0x08, 0x00]);
        assert_eq!(Pcrs::decode(pcrs.encode()), Some(pcrs));
        assert_eq!(Pcrs::parse("sha384:23").unwrap().encode(), [0x00, 0x0c, 0, 0, 0x80]);
        for text in ["", "sha256", "sha256:", "sha256:24", "sha256:-1", "sha1:7", "sha256:7,", "sha256:7;8"] {
            assert_eq!(Pcrs::parse(text), None, "{text}");
        }
        for bytes in [[0, 0x0b, 0, 0, 0], [0, 4, 1, 0, 0], [1, 0x0b, 1, 0, 0]] {
            assert_eq!(Pcrs::decode(bytes), None);
        }
    }
}
