//! Policies: who may do what, decided without I/O, clock or randomness.
//!
//! | module | holds |
//! |---|---|
//! | [`hcl`] | HCL and JSON into one tree with positions; also read by the server's configuration |
//! | [`policy`] | a policy's text into [`Stanza`]s, or an error that names line and word |
//! | [`path`] | [`AclPath`]: the path of a request, and which of its names are the same in any case |
//! | [`pattern`] | the path of a stanza, and which of two that match is the better |
//! | [`capability`] | the words `create`, `read`, … as a set |
//! | [`parameters`] | `allowed_parameters` and its like |
//! | [`acl`] | [`Acl`]: the stanzas of several policies, merged and compiled, and the question "may they?" |
//! | [`name`] | [`PolicyName`]: the one spelling of a policy's name |
//! | [`password`] | how passwords that the appliance makes up are to look |
//! | [`builtin`] | the policies that are always there |

pub mod acl;
pub mod builtin;
pub mod capability;
pub mod hcl;
pub mod name;
pub mod parameters;
pub mod password;
pub mod path;
pub mod pattern;
pub mod policy;
mod rule;
mod trie;

pub use acl::{Acl, Ask, Decision, Reason, VisibleMounts};
pub use capability::Capabilities;
pub use name::{NameError, PolicyName};
pub use password::PasswordPolicy;
pub use path::AclPath;
pub use pattern::Pattern;
pub use policy::{Policy, PolicyError, Stanza};

#[cfg(test)]
mod tests;
