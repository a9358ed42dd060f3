//! Requests against a whole appliance in memory. Ids in the names are those of the classes of flaws in SECURITY.md.

mod about;
mod audit;
mod clock;
mod full_disk;
mod generate_root;
mod lifecycle;
mod lifetimes;
mod lockouts;
mod logins;
mod metrics;
mod monitor;
mod mounts;
mod node;
mod password_policies;
mod pgp;
mod policies;
mod quotas;
mod races;
mod rekey;
mod requests;
mod sealing;
mod settings;
pub mod sweep;
mod token_kinds;
mod tokens;
mod tools;
mod wrapping;
