//! `secrets move` and `auth move`: begins the move and waits until it is done.

use std::time::Duration;

use serde_json::{Value, json};

use super::Family;
use crate::client::Ask;
use crate::secret::Secret;
use crate::show::plain;
use crate::verb::{Call, Failure};

/// Between two looks, at first; each is half as long again as the one before, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(50);
/// The longest time between two looks.
const LONGEST: Duration = Duration::from_secs(5);

impl Family {
    /// Moves the mount that is the first argument to the second.
    pub fn remount(&self, call: &mut Call<'_>) -> Result<u8, Failure> {
        let (from, to) = (call.path(0), call.path(1));
        let noun = self.noun;
        let body = json!({ "from": format!("{}{from}", self.prefix), "to": format!("{}{to}", self.prefix) });
        let client = call.client()?;
        let what = format!("Error moving {noun} {from}/ to {to}/");
        let begun = Secret::ask(&client, &what, &Ask::post("sys/remount", &body))?;
        let id = begun.as_ref().and_then(|begun| begun.get("migration_id")).and_then(Value::as_str);
        let Some(id) = id else {
            // An old server answers when it is done.
            call.io.say(&format!("Success! Moved {noun} {from}/ to: {to}/"));
            return Ok(0);
        };
        let which = format!("{noun} {from}/ to {to}/, with migration ID {id}");
        call.io.say(&format!("Started moving {which}"));
        call.io.say(&format!("Waiting for terminal status in migration of {which}"));
        call.io.flush();
        let status = format!("sys/remount/status/{id}");
        let mut pause = FIRST;
        loop {
            let what = format!("Error checking migration status of {which}");
            let now = Secret::must(&client, &what, &Ask::get(&status))?;
            let info = now.get("migration_info");
            match info.and_then(|info| info.get("status")).map(plain).as_deref() {
                Some("success") => break,
                Some("failure") => {
                    return Err(Failure::remote(format!("Failure! Error encountered moving {which}")));
                }
                Some(_) => {}
                None => {
                    return Err(Failure::remote(format!("{what}: the server's answer has no status")));
                }
            }
            std::thread::sleep(pause);
            pause = (pause + pause / 2).min(LONGEST);
        }
        call.io.say(&format!("Success! Finished moving {which}"));
        Ok(0)
    }
}
