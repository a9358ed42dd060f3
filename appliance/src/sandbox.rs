//! What the daemon gives up before it holds a secret, and what it makes use of.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use strongroom_os::harden::{self, HardenError, Wish};

/// No core dumps, not dumpable, no new privileges, no exec; for every thread that there is and will be, for good.
pub fn enter() -> Result<(), HardenError> {
    harden::apply(&Wish::ALL)
}

/// Lets as many files and connections be open as the system allows: a shell's usual 1024 would let a few idle clients
/// keep all others out. Where it cannot be raised it stays as it is.
pub fn open_many_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// How many files may be open at once.
pub fn open_files() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(256), hard).unwrap();
        open_many_files();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }
}
