//! What the daemon gives up before it holds a secret, and what it makes use of.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use strongroom_os::harden::{self, HardenError, Wish};

/// No core dumps, not dumpable, no new privileges, no exec; for every thread that there is and will be, for good.
pub fn enter() -> Result<(), HardenError> {
    harden::apply(&Wish::ALL)
}

/// Lets as many files and connections be open as the system allows: a shell's usual 1024 would let a few idle clients
/// keep all others out; and as much memory be locked for keys. Where a limit cannot be raised it stays as it is.
pub fn use_what_is_allowed() {
    for resource in [Resource::RLIMIT_NOFILE, Resource::RLIMIT_MEMLOCK] {
        if let Ok((_, hard)) = getrlimit(resource) {
            let _ = setrlimit(resource, hard, hard);
        }
    }
}

/// How many bytes may be locked, for people.
pub fn lockable() -> String {
    match getrlimit(Resource::RLIMIT_MEMLOCK) {
        Ok((soft, _)) if soft != RLIM_INFINITY => format!("{soft} bytes"),
        _ => "any number of bytes".into(),
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
    fn soft_limits_are_raised_to_the_hard_ones() {
        let resources = [Resource::RLIMIT_NOFILE, Resource::RLIMIT_MEMLOCK];
        let hard = resources.map(|resource| getrlimit(resource).unwrap().1);
        for (resource, hard) in resources.into_iter().zip(hard) {
            setrlimit(resource, hard.min(256), hard).unwrap();
        }
        assert_eq!(lockable(), "256 bytes");
        use_what_is_allowed();
        assert_eq!(resources.map(|resource| getrlimit(resource).unwrap()), hard.map(|hard| (hard, hard)));
    }
}
