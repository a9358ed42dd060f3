//! Logging in with a name and a password: `userpass`, and what works like it.

use serde_json::{Value, json};
use strongroom_types::Secret as Hidden;

use crate::client::{Ask, Client};
use crate::input;
use crate::secret::Secret;
use crate::verb::{Call, Failure, sanitize};

const WHAT: &str = "Error authenticating";

pub fn run(call: &mut Call<'_>, client: Client) -> Result<Secret, Failure> {
    let mut given = input::object(&std::mem::take(&mut call.arguments), call.io)?;
    let name = given.get("username").and_then(Value::as_str).map(str::to_owned);
    let name = name.ok_or_else(|| Failure::remote(format!("{WHAT}: 'username' must be specified")))?;
    let method = call.flags.text("method").unwrap_or_default().to_owned();
    let mount = call.flags.text("path").map_or(method, sanitize);
    let password = match given.remove("password") {
        Some(Value::String(password)) => Hidden::from(password),
        Some(_) => return Err(Failure::local("the password is given more than once")),
        None => asked(call)?,
    };
    let text = password.expose_str().unwrap_or_default().trim_end_matches(['\r', '\n']);
    let body = json!({ "password": text });
    let secret = Secret::must(&client, WHAT, &Ask::put(&format!("auth/{mount}/login/{name}"), &body));
    input::wipe(body);
    let secret = secret?;
    unwrapped(client, secret)
}

fn asked(call: &mut Call<'_>) -> Result<Hidden, Failure> {
    if call.flags.on("non-interactive") {
        return Err(Failure::local("a password is needed, and -non-interactive forbids to ask for it"));
    }
    call.io.ask_hidden("Password (will be hidden): ").map_err(|cause| {
        Failure::remote(format!(
            "{WHAT}: the password cannot be asked for: {cause}; give it through stdin: password=-"
        ))
    })
}

/// With `-wrap-ttl` the token came wrapped over the network; here it is wanted for use.
fn unwrapped(client: Client, secret: Secret) -> Result<Secret, Failure> {
    let Some(token) = secret.wrap_info.get("token").and_then(Value::as_str) else { return Ok(secret) };
    let client = client.with_token(Hidden::copy_of(token.as_bytes()));
    let ask = Ask { method: "PUT", path: "sys/wrapping/unwrap", preliminary: true, ..Ask::default() };
    Secret::must(&client, WHAT, &ask)
}
