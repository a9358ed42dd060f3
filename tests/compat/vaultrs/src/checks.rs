//! A line per check, and a total.

use std::fmt::Debug;
use std::process::ExitCode;

use vaultrs::error::ClientError;

#[derive(Default)]
pub struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    pub fn check(&mut self, what: &str, holds: bool) {
        println!("{}{what}", if holds { "ok      " } else { "FAILED  " });
        *(if holds { &mut self.passed } else { &mut self.failed }) += 1;
    }

    /// The call must succeed; what it gives back.
    pub fn works<T>(&mut self, what: &str, result: Result<T, ClientError>) -> T {
        match result {
            Ok(value) => {
                self.check(what, true);
                value
            }
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    /// The server must refuse with this status.
    pub fn refused<T: Debug>(&mut self, what: &str, status: u16, result: Result<T, ClientError>) {
        let is_refused = matches!(&result, Err(ClientError::APIError { code, .. }) if *code == status);
        if !is_refused {
            println!("        instead: {result:?}");
        }
        self.check(what, is_refused);
    }

    pub fn end(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        ExitCode::from(u8::from(self.failed > 0))
    }
}
