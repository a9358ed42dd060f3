//! `kv enable-versioning`.

use serde_json::json;

use super::super::secrets::SECRETS;
use crate::client::Ask;
use crate::secret::Secret;
use crate::verb::{Call, Failure};

pub fn versioning(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = call.path(0);
    let url = format!("{}/{path}/tune", SECRETS.root);
    let body = json!({ "options": { "version": "2" } });
    let what = format!("Error tuning {} {path}/", SECRETS.noun);
    Secret::ask(&call.client()?, &what, &Ask::post(&url, &body))?;
    call.io.say(&format!("Success! Tuned the {} at: {path}/", SECRETS.noun));
    Ok(0)
}
