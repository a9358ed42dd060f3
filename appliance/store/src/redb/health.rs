//! What redb does on a damaged file or a failing disk, as one final answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use crate::StoreError;

/// Whether the store may be used.
pub(super) struct Health {
    cause: OnceLock<String>,
    on_poison: Box<dyn Fn(&str) + Send + Sync>,
}

/// Why a call into redb did not succeed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The bytes of the file make no sense.
    Damaged(String),
    /// redb says so.
    Redb(::redb::Error),
}

impl Health {
    pub(super) fn new(on_poison: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        Self { cause: OnceLock::new(), on_poison }
    }

    /// Whether it has been poisoned.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.cause.get() {
            None => Ok(()),
            Some(cause) => Err(StoreError::Poisoned(cause.clone())),
        }
    }

    /// Poisons; the first cause stays, and is reported once.
    pub(super) fn poison(&self, cause: String) -> StoreError {
        let mut first = false;
        let cause = self.cause.get_or_init(|| {
            first = true;
            cause
        });
        if first {
            (self.on_poison)(cause);
        }
        StoreError::Poisoned(cause.clone())
    }

    /// Calls into redb. Whatever goes wrong poisons.
    pub(super) fn guard<T>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Result<T, StoreError> {
        self.check()?;
        caught(call).map_err(|fault| self.poison(fault.to_string()))
    }
}

/// Calls into redb; a panic is a fault.
///
/// A value of redb's that must outlive the call has to stay outside of `call` and, after a fault, to be leaked, not
/// dropped: a panic may have left redb's locks poisoned, and a second one while the first unwinds aborts.
pub(super) fn caught<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Fault::Damaged(message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

/// A value of redb's that is dropped with care: its drop takes redb's locks, which panics once they are poisoned.
pub(super) struct Careful<T>(Option<T>);

impl<T> Careful<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(super) fn get(&self) -> Result<&T, Fault> {
        self.0.as_ref().ok_or_else(|| Fault::Damaged("used after its end".to_owned()))
    }
}

impl<T> Drop for Careful<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        // The store is poisoned when this fails: its cause has been reported.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(cause) => write!(f, "store damaged: restore a backup ({cause})"),
            Self::Redb(::redb::Error::Io(cause)) => write!(
                f,
                "the disk fails ({cause}): mend or free it, then restart; restore a backup if the store does not open"
            ),
            Self::Redb(cause) => write!(f, "store damaged: restore a backup ({cause})"),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident)*) => {
        $(impl From<::redb::$error> for Fault {
            fn from(cause: ::redb::$error) -> Self {
                Self::Redb(cause.into())
            }
        })*
    };
}

from_redb!(StorageError TableError TransactionError CommitError);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_first_cause_stays_and_is_told_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&told);
        let health = Health::new(Box::new(move |cause| hear.lock().unwrap().push(cause.to_owned())));
        assert_eq!(health.guard(|| Ok(1)).unwrap(), 1);
        let panicked = health.guard::<()>(|| panic!("page {}", 7)).unwrap_err().to_string();
        assert!(panicked.contains("store damaged: restore a backup (page 7)"), "{panicked}");
        let later = health.guard::<()>(|| panic!("not reached")).unwrap_err().to_string();
        assert_eq!(later, panicked);
        assert_eq!(health.poison("another".into()).to_string(), panicked);
        assert_eq!(told.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_drop_that_panics_is_caught() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("poisoned lock");
            }
        }
        drop(Careful::new(Bomb));
    }
}
