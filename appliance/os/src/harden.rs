//! What the process gives up at start, for good: none of it can be undone.
//!
//! Each step is a function; [`apply`] takes those of a [`Wish`] in the order in which they must be.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch};

/// What to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// [`no_core_dumps`].
    pub no_core_dumps: bool,
    /// [`not_dumpable`].
    pub not_dumpable: bool,
    /// [`no_new_privileges`].
    pub no_new_privileges: bool,
    /// [`forbid_exec`].
    pub forbid_exec: bool,
}

impl Wish {
    /// All of it: what the daemon does.
    pub const ALL: Self =
        Self { no_core_dumps: true, not_dumpable: true, no_new_privileges: true, forbid_exec: true };
}

/// A step that the kernel refused. The process should not go on.
#[derive(Debug)]
pub struct HardenError {
    step: &'static str,
    cause: io::Error,
}

/// Takes the steps of `wish`.
pub fn apply(wish: &Wish) -> Result<(), HardenError> {
    // Taken apart, so that a new wish cannot be forgotten here.
    let Wish { no_core_dumps, not_dumpable, no_new_privileges, forbid_exec } = *wish;
    if no_core_dumps {
        self::no_core_dumps()?;
    }
    if not_dumpable {
        self::not_dumpable()?;
    }
    if no_new_privileges {
        self::no_new_privileges()?;
    }
    if forbid_exec {
        self::forbid_exec()?;
    }
    Ok(())
}

/// No core file, whatever ends the process.
pub fn no_core_dumps() -> Result<(), HardenError> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|cause| HardenError::new("forbid core dumps", cause))
}

/// No dump through a pipe of the kernel either, for which the limit does not count, and no debugger of the same user;
/// `/proc/<pid>` belongs to root.
pub fn not_dumpable() -> Result<(), HardenError> {
    prctl::set_dumpable(false).map_err(|cause| HardenError::new("become undumpable", cause))
}

/// No set-user-id program gives this process or a child more rights.
pub fn no_new_privileges() -> Result<(), HardenError> {
    prctl::set_no_new_privs().map_err(|cause| HardenError::new("give up new privileges", cause))
}

/// `execve` and `execveat` fail with EPERM, in every thread that there is and will be.
///
/// Refused, not killed: who can make the daemon try must not have found a way to stop it. Implies
/// [`no_new_privileges`]. A process of another architecture's calls is killed.
pub fn forbid_exec() -> Result<(), HardenError> {
    const STEP: &str = "forbid exec";
    let other =
        |cause: &dyn fmt::Display| HardenError { step: STEP, cause: io::Error::other(cause.to_string()) };
    let program = exec_filter().map_err(|cause| other(&cause))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|cause| other(&cause))
}

fn exec_filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules: BTreeMap<i64, Vec<SeccompRule>> =
        EXEC_CALLS.iter().map(|call| (i64::from(*call), Vec::new())).collect();
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)?.try_into()
}

#[cfg(not(target_arch = "x86_64"))]
const EXEC_CALLS: &[u32] = &[libc::SYS_execve as u32, libc::SYS_execveat as u32];

/// The second pair are the same calls by the numbers of the x32 ABI, which the kernel counts to the same architecture.
#[cfg(target_arch = "x86_64")]
const EXEC_CALLS: &[u32] = &[libc::SYS_execve as u32, libc::SYS_execveat as u32, X32 | 520, X32 | 545];

#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

impl HardenError {
    fn new(step: &'static str, cause: nix::Error) -> Self {
        Self { step, cause: cause.into() }
    }
}

impl fmt::Display for HardenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kernel does not let this process {}: {}", self.step, self.cause)
    }
}

impl std::error::Error for HardenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
