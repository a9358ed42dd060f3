//! The connection to the TPM: the primary key, and sessions that are salted with it.
//!
//! Everything secret crosses the bus encrypted, in both directions, under a salt that only the holder of the primary
//! key can read; [`Enrolment`](crate::enrolment::Enrolment) sees to it that this is the right holder.

use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use strongroom_device_api::bridge::say;
use strongroom_device_api::{DeviceError, DeviceErrorKind, Identity};
use strongroom_types::Secret;
use tss_esapi::Context;
use tss_esapi::attributes::{ObjectAttributesBuilder, SessionAttributesBuilder};
use tss_esapi::constants::{SessionType, StartupType};
use tss_esapi::handles::{KeyHandle, ObjectHandle};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{
    EccPoint, EccScheme, KeyDerivationFunctionScheme, Public, PublicBuilder, PublicEccParametersBuilder,
    SymmetricDefinition, SymmetricDefinitionObject,
};
use tss_esapi::traits::Marshall;
use tss_esapi::utils::get_tpm_vendor;
use zeroize::Zeroizing;

use crate::config::TpmWish;
use crate::error::{Failure, sort};

/// After an attempt to connect that failed, the next one is made no sooner.
const PAUSE: Duration = Duration::from_millis(250);

/// The TPM as the bridge's one thread has it.
pub(crate) struct Connection {
    wish: TpmWish,
    tpm: Option<Tpm>,
    trouble: DeviceError,
    tried: Option<Instant>,
}

/// A TPM that is connected, and is the enrolled one.
pub(crate) struct Tpm {
    pub(crate) context: Context,
    pub(crate) primary: KeyHandle,
    /// For everything that needs no policy.
    session: AuthSession,
    pub(crate) identity: Identity,
}

impl Connection {
    pub(crate) fn new(wish: TpmWish) -> Self {
        let trouble = DeviceError::new(DeviceErrorKind::Retry, "the TPM has not been opened yet");
        Self { wish, tpm: None, trouble, tried: None }
    }

    /// Does `work`; when the TPM was lost, connects again and does it a second time.
    pub(crate) fn run<T>(
        &mut self,
        work: impl Fn(&mut Tpm, &TpmWish) -> Result<T, Failure>,
    ) -> Result<T, DeviceError> {
        self.open()?;
        match self.attempt(&work) {
            Err(Failure::Lost(cause)) => {
                say(&format!("{cause}; connecting again"));
                self.tpm = None;
                self.open()?;
                self.attempt(&work).map_err(|failure| {
                    if let Failure::Lost(_) = failure {
                        self.tpm = None;
                    }
                    failure.settle()
                })
            }
            outcome => outcome.map_err(Failure::settle),
        }
    }

    fn attempt<T>(&mut self, work: impl Fn(&mut Tpm, &TpmWish) -> Result<T, Failure>) -> Result<T, Failure> {
        match &mut self.tpm {
            Some(tpm) => work(tpm, &self.wish),
            None => Err(self.trouble.clone().into()),
        }
    }

    fn open(&mut self) -> Result<(), DeviceError> {
        if self.tpm.is_some() {
            return Ok(());
        }
        if self.tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return Err(self.trouble.clone());
        }
        match Tpm::open(&self.wish).map_err(Failure::settle) {
            Ok(tpm) => {
                self.tpm = Some(tpm);
                self.tried = None;
                Ok(())
            }
            Err(trouble) => {
                if self.trouble != trouble {
                    say(&format!("the TPM is not open: {trouble}"));
                }
                self.tried = Some(Instant::now());
                self.trouble = trouble.clone();
                Err(trouble)
            }
        }
    }
}

impl Tpm {
    fn open(wish: &TpmWish) -> Result<Self, Failure> {
        if let Some(simulator) = &wish.simulator {
            simulator.flush_leftovers().map_err(|cause| {
                DeviceError::new(DeviceErrorKind::Gone, format!("no TPM answers at --tcti: {cause}"))
            })?;
        }
        let mut context = Context::new(wish.tcti.clone()).map_err(|_| {
            // The library's own code says no more than that.
            DeviceError::new(
                DeviceErrorKind::Gone,
                "no TPM answers at --tcti: is it there, and may this user open it?",
            )
        })?;
        if wish.simulator.is_some() {
            // A real TPM was started by the firmware; a simulated one may not have been.
            context.startup(StartupType::Clear).map_err(|cause| sort("start the TPM", cause))?;
        }
        let template = primary_template().map_err(|cause| sort("primary key's template", cause))?;
        let made = context
            .execute_with_nullauth_session(|context| {
                context.create_primary(Hierarchy::Owner, template, None, None, None, None)
            })
            .map_err(|cause| sort("make the primary key", cause))?;
        let primary = made.key_handle;
        let name = name_of(&made.out_public)?;
        // Sessions are salted with the key that the library holds under the handle: it must be this one.
        let held =
            context.tr_get_name(primary.into()).map_err(|cause| sort("name the primary key", cause))?;
        if held.value() != name.as_slice() {
            let message =
                "the TPM's primary key and its name do not fit: something sits between it and the bridge";
            return Err(DeviceError::new(DeviceErrorKind::Refused, message).into());
        }
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        wish.enrolment.check(&name)?;
        let vendor = get_tpm_vendor(&mut context).map_err(|cause| sort("read the vendor", cause))?;
        let model = vendor.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned();
        let session = start_session(&mut context, primary, SessionType::Hmac)?;
        Ok(Self { context, primary, session, identity: Identity { kind: "tpm".into(), model, serial: name } })
    }

    /// Does `work` in a session that is salted and encrypted both ways.
    pub(crate) fn in_session<T>(
        &mut self,
        operation: &str,
        work: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T, Failure> {
        self.context.execute_with_session(Some(self.session), work).map_err(|cause| sort(operation, cause))
    }

    /// As [`Tpm::in_session`], for commands with nothing to encrypt: nobody between can change command or answer.
    pub(crate) fn in_audit_session<T>(
        &mut self,
        operation: &str,
        work: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T, Failure> {
        self.set_audit(true).map_err(|cause| sort(operation, cause))?;
        let outcome = self.in_session(operation, work);
        self.set_audit(false).map_err(|cause| sort(operation, cause))?;
        outcome
    }

    fn set_audit(&mut self, audit: bool) -> tss_esapi::Result<()> {
        let (attributes, mask) = SessionAttributesBuilder::new()
            .with_audit(audit)
            .with_decrypt(!audit)
            .with_encrypt(!audit)
            .with_continue_session(true)
            .build();
        self.context.tr_sess_set_attributes(self.session, attributes, mask)
    }

    /// Whether the TPM answers, and still has the primary key.
    pub(crate) fn health(&mut self) -> Result<(), Failure> {
        let primary = self.primary;
        self.in_session("read the primary key", |context| context.read_public(primary)).map(drop)
    }

    /// Random bytes of the TPM's own generator, encrypted on their way.
    pub(crate) fn random(&mut self, count: usize) -> Result<Secret, Failure> {
        let mut random = Zeroizing::new(Vec::with_capacity(count));
        while random.len() < count {
            let want = (count - random.len()).min(32);
            let some = self.in_session("random", |context| context.get_random(want))?;
            if some.is_empty() || some.len() > want {
                let message = "random: the TPM gives another number of bytes than was asked for";
                return Err(DeviceError::new(DeviceErrorKind::Fatal, message).into());
            }
            random.extend_from_slice(&some);
        }
        Ok(Secret::copy_of(&random))
    }

    /// A session for a policy: one that only works out its digest, or a real one.
    pub(crate) fn start_policy_session(&mut self, trial: bool) -> Result<PolicySession, Failure> {
        let kind = if trial { SessionType::Trial } else { SessionType::Policy };
        let session = start_session(&mut self.context, self.primary, kind)?;
        PolicySession::try_from(session).map_err(|cause| sort("start a session", cause))
    }

    /// Makes room in the TPM. If it fails the TPM is lost, which the next call will see.
    pub(crate) fn flush(&mut self, handle: ObjectHandle) {
        if let Err(cause) = self.context.execute_without_session(|context| context.flush_context(handle)) {
            say(&format!("an object stays in the TPM: {cause}"));
        }
    }
}

/// The name of a key: the algorithm ‖ SHA-256 of its public part. Worked out here, from the key that is used: what
/// the TPM says unasked could come from somebody between.
fn name_of(public: &Public) -> Result<Vec<u8>, Failure> {
    let bytes = public.marshall().map_err(|cause| sort("name the primary key", cause))?;
    let digest = digest::digest(&digest::SHA256, &bytes);
    Ok([&[0x00, 0x0b], digest.as_ref()].concat())
}

/// A session whose salt only the primary key can read, encrypted both ways.
fn start_session(
    context: &mut Context,
    primary: KeyHandle,
    kind: SessionType,
) -> Result<AuthSession, Failure> {
    let mut start = || -> tss_esapi::Result<Option<AuthSession>> {
        let session = context.start_auth_session(
            Some(primary),
            None,
            None,
            kind,
            SymmetricDefinition::AES_128_CFB,
            HashingAlgorithm::Sha256,
        )?;
        if let Some(session) = session {
            let (attributes, mask) = SessionAttributesBuilder::new()
                .with_decrypt(true)
                .with_encrypt(true)
                .with_continue_session(true)
                .build();
            context.tr_sess_set_attributes(session, attributes, mask)?;
        }
        Ok(session)
    };
    let none = || DeviceError::new(DeviceErrorKind::Fatal, "start a session: the TPM gives none");
    start().map_err(|cause| sort("start a session", cause))?.ok_or_else(|| none().into())
}

/// The storage key that every TPM makes again from its owner seed: ECC P-256, restricted, as the TCG's template.
fn primary_template() -> tss_esapi::Result<Public> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new()
        .with_symmetric(SymmetricDefinitionObject::AES_128_CFB)
        .with_ecc_scheme(EccScheme::Null)
        .with_curve(EccCurve::NistP256)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .with_is_signing_key(false)
        .with_is_decryption_key(true)
        .with_restricted(true)
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}
