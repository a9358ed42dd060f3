//! The checks on a request's way. Each has a file: the type it leaves behind, and the only function that makes it.

mod admit;
mod authenticate;
mod authorize;
mod charge;
mod read;
mod route;

pub use admit::{Admitted, admit};
pub use authenticate::{Asker, Authenticated, authenticate};
pub use authorize::{Authorized, Standing, authorize};
pub use charge::{Bill, Charged, charge, charge_login};
pub use read::{Read, object, read, unread};
pub use route::{CanonicalPath, Routed, Target, acl_path, canonical_beginning, misspelt, route};

/// A field that only its own module can make: whoever holds the struct around it knows that the check was done.
mod proof {
    /// See the module.
    pub struct Proof(());

    impl Proof {
        /// Called once in each stage's file.
        pub(in crate::stage) fn checked() -> Self {
            Self(())
        }
    }
}
