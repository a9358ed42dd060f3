//! The module's life: initialised, a token found, logged in, one session for each thread; and all of that again
//! when the token was lost.
//!
//! A module keeps one login and one set of handles for the whole process, and many heal only by finalising. So
//! there is one lock: work reads, opening and closing write. Sessions live inside it: one that outlives
//! the finalising would close a session of the next life that has got the same number.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, SessionState};
use cryptoki::slot::{Slot, TokenInfo};
use strongroom_device_api::bridge::flags::FlagError;
use strongroom_device_api::bridge::say;
use strongroom_device_api::{DeviceError, DeviceErrorKind, Identity, KeyId};

use crate::config::Config;
use crate::error::{Failure, sort};
use crate::{allow, login, mechanism, object};

/// After an attempt to open that failed, the next one is made no sooner.
const PAUSE: Duration = Duration::from_millis(500);

/// The loaded module.
pub(crate) struct Module {
    config: Config,
    library: Pkcs11,
    life: RwLock<Life>,
    /// Held while a key is looked for and made, so that no two are made for one id.
    pub(crate) making: Mutex<()>,
}

struct Life {
    /// Counts the openings.
    generation: u64,
    open: Option<Open>,
    /// Why it is not open.
    trouble: DeviceError,
    tried: Option<Instant>,
}

/// A token that is logged in to.
struct Open {
    identity: Identity,
    seats: Vec<Mutex<Seat>>,
    /// Keeps the login while the others come and go.
    _login: Mutex<Session>,
}

/// One thread's session, and the keys that it knows.
pub(crate) struct Seat {
    pub(crate) session: Session,
    handles: BTreeMap<String, ObjectHandle>,
}

impl Seat {
    /// The key `id`; looked for once in the session's life.
    pub(crate) fn key(&mut self, id: &KeyId) -> Result<ObjectHandle, Failure> {
        if let Some(handle) = self.handles.get(id.as_str()) {
            return Ok(*handle);
        }
        let handle = object::find(&self.session, id)?.ok_or(Failure::NoKey)?;
        self.handles.insert(id.as_str().to_owned(), handle);
        Ok(handle)
    }

    /// Any key that was used before.
    pub(crate) fn known_key(&self) -> Option<ObjectHandle> {
        self.handles.values().next().copied()
    }

    /// Whether the token still works with a key that was used before.
    fn prove(&mut self) -> Result<(), Failure> {
        mechanism::probe(&self.session, self.known_key().ok_or(Failure::NoKey)?)
    }
}

impl Module {
    /// Loads the library; nothing is asked of it yet.
    pub(crate) fn load(config: Config) -> Result<Self, FlagError> {
        let path = config.module.display();
        if !config.module.is_file() {
            return Err(FlagError(format!("--module {path}: there is no such file")));
        }
        let library = Pkcs11::new(&config.module)
            .map_err(|cause| FlagError(format!("--module {path}: it is not a PKCS#11 module: {cause}")))?;
        let trouble = DeviceError::new(DeviceErrorKind::Retry, "the token has not been opened yet");
        let life = RwLock::new(Life { generation: 0, open: None, trouble, tried: None });
        Ok(Self { config, library, life, making: Mutex::new(()) })
    }

    /// How many threads there are to be.
    pub(crate) fn sessions(&self) -> usize {
        self.config.sessions
    }

    /// Which token is open.
    pub(crate) fn identity(&self) -> Result<Identity, DeviceError> {
        self.ensure_open()?;
        let life = self.life.read().unwrap_or_else(PoisonError::into_inner);
        life.open.as_ref().map(|open| open.identity.clone()).ok_or_else(|| life.trouble.clone())
    }

    /// Does `work` with the session of thread `number`. When the token seems lost, it is opened again, and the work is
    /// done a second time.
    pub(crate) fn run<T>(
        &self,
        number: usize,
        work: impl Fn(&mut Seat) -> Result<T, Failure>,
    ) -> Result<T, DeviceError> {
        self.attempt(number, work).map_err(Failure::settle)
    }

    /// As [`Module::run`]; [`Failure::NoKey`] is for the caller to act on.
    pub(crate) fn attempt<T>(
        &self,
        number: usize,
        work: impl Fn(&mut Seat) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (generation, just_opened) = self.ensure_open()?;
        match self.at_seat(number, &work) {
            Err(Failure::Lost(cause)) => {
                say(&format!("{cause}; the token is opened again"));
                self.open_again(generation)?;
                self.at_seat(number, &work)
            }
            // A token that is lost can look empty. One that has just been opened, or still does its work, is not lost.
            Err(Failure::NoKey) if !just_opened && self.at_seat(number, Seat::prove).is_err() => {
                say("the token says that it has no such key, and proves no other; it is opened again");
                self.open_again(generation)?;
                self.at_seat(number, &work)
            }
            outcome => outcome,
        }
    }

    /// Logs out and finalises.
    pub(crate) fn close(&self) {
        self.life.write().unwrap_or_else(PoisonError::into_inner).close(&self.library);
    }

    fn at_seat<T>(
        &self,
        number: usize,
        work: impl Fn(&mut Seat) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let life = self.life.read().unwrap_or_else(PoisonError::into_inner);
        let open = life.open.as_ref().ok_or_else(|| life.trouble.clone())?;
        let seat = open.seats.get(number).ok_or_else(|| life.trouble.clone())?;
        work(&mut lock(seat))
    }

    /// Opens the token if it is not open; says which opening it is, and whether it was this call's.
    fn ensure_open(&self) -> Result<(u64, bool), DeviceError> {
        let life = self.life.read().unwrap_or_else(PoisonError::into_inner);
        if life.open.is_some() {
            return Ok((life.generation, false));
        }
        drop(life);
        let mut life = self.life.write().unwrap_or_else(PoisonError::into_inner);
        self.open(&mut life)?;
        Ok((life.generation, true))
    }

    /// Closes and opens, unless another thread has done so since opening `generation`.
    fn open_again(&self, generation: u64) -> Result<(), DeviceError> {
        let mut life = self.life.write().unwrap_or_else(PoisonError::into_inner);
        if life.generation == generation {
            life.close(&self.library);
        }
        self.open(&mut life)
    }

    fn open(&self, life: &mut Life) -> Result<(), DeviceError> {
        if life.open.is_some() {
            return Ok(());
        }
        if life.tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return Err(life.trouble.clone());
        }
        match self.open_token().map_err(Failure::settle) {
            Ok(open) => {
                life.generation += 1;
                life.open = Some(open);
                life.tried = None;
                Ok(())
            }
            Err(trouble) => {
                life.close(&self.library);
                life.tried = Some(Instant::now());
                if life.trouble != trouble {
                    say(&format!("the token is not open: {trouble}"));
                }
                life.trouble = trouble.clone();
                Err(trouble)
            }
        }
    }

    fn open_token(&self) -> Result<Open, Failure> {
        match self.library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(cause) => return Err(sort("initialise", cause)),
        }
        let (slot, token) = self.find_token()?;
        allow::check(&self.library, slot)?;
        let session = || self.library.open_rw_session(slot).map_err(|cause| sort("open session", cause));
        let first = session()?;
        login::log_in(&first, &token, &self.config.pin, &self.config.latch)?;
        let seats = (0..self.config.sessions)
            .map(|_| Ok(Mutex::new(Seat { session: logged_in(session()?)?, handles: BTreeMap::new() })))
            .collect::<Result<Vec<_>, Failure>>()?;
        let identity = Identity {
            kind: "pkcs11".into(),
            model: format!("{} {}", token.manufacturer_id(), token.model()),
            serial: token.serial_number().to_owned(),
        };
        Ok(Open { identity, seats, _login: Mutex::new(logged_in(first)?) })
    }

    /// The one token that is wished for, as it is now.
    fn find_token(&self) -> Result<(Slot, TokenInfo), Failure> {
        let wish = &self.config.token;
        let slots = self.library.get_slots_with_token().map_err(|cause| sort("list slots", cause))?;
        let mut fitting = Vec::new();
        for slot in slots {
            // A slot whose token cannot be read is another's trouble, or will be missed below.
            let Ok(token) = self.library.get_token_info(slot) else { continue };
            let fits = token.token_initialized()
                && wish.label.as_ref().is_none_or(|label| label == token.label())
                && wish.serial.as_ref().is_none_or(|serial| serial == token.serial_number())
                && wish.slot.is_none_or(|id| id == slot.id());
            if fits {
                fitting.push((slot, token));
            }
        }
        let (kind, message) = match (fitting.pop(), fitting.len()) {
            (Some(found), 0) => return Ok(found),
            (Some(_), _) => (DeviceErrorKind::Misuse, "several tokens fit: say which by --serial"),
            (None, _) => (
                DeviceErrorKind::Gone,
                "the module has no such token: put it back, or check --token, --serial and --slot",
            ),
        };
        Err(DeviceError::new(kind, message).into())
    }
}

impl Life {
    /// Sessions first: none may outlive the finalising.
    fn close(&mut self, library: &Pkcs11) {
        self.open = None;
        match library.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            Err(cause) => say(&format!("the module cannot be finalised: {cause}")),
        }
    }
}

fn logged_in(session: Session) -> Result<Session, Failure> {
    let info = session.get_session_info().map_err(|cause| sort("session info", cause))?;
    match info.session_state() {
        SessionState::RwUser => Ok(session),
        state => {
            let message = format!("a session is {state:?} after the login: the module is broken");
            Err(DeviceError::new(DeviceErrorKind::Fatal, message).into())
        }
    }
}

fn lock(seat: &Mutex<Seat>) -> MutexGuard<'_, Seat> {
    seat.lock().unwrap_or_else(PoisonError::into_inner)
}
