//! An answer, read as Vault's clients read it.

use serde::Serialize;
use serde_json::Value;
use strongroom_types::JsonMap;

use crate::client::{Answer, Ask, Client, ClientError};
use crate::verb::Failure;

/// The envelope. Fields are written in this order.
#[derive(Debug, Default, Serialize)]
pub struct Secret {
    /// The request's id.
    pub request_id: Value,
    /// The lease's id; empty without one.
    pub lease_id: Value,
    /// Seconds.
    pub lease_duration: Value,
    /// Whether the lease can be renewed.
    pub renewable: Value,
    /// What was asked for.
    pub data: Value,
    /// What the server wants to be known.
    pub warnings: Value,
    /// A token.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub auth: Value,
    /// A wrapped answer.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub wrap_info: Value,
}

impl Secret {
    /// Asks, and reads the answer; None if there is nothing in it. `what` begins the message of a failure.
    pub fn ask(client: &Client, what: &str, ask: &Ask<'_>) -> Result<Option<Self>, Failure> {
        client.ask(ask).and_then(|answer| Self::of(&answer)).map_err(|cause| Failure::during(what, &cause))
    }

    /// The same, but what is not there is nothing, too.
    pub fn find(client: &Client, what: &str, ask: &Ask<'_>) -> Result<Option<Self>, Failure> {
        client.find(ask).and_then(|answer| Self::of(&answer)).map_err(|cause| Failure::during(what, &cause))
    }

    /// Asks what cannot be answered with nothing.
    pub fn must(client: &Client, what: &str, ask: &Ask<'_>) -> Result<Self, Failure> {
        let empty = || Failure::remote(format!("{what}: the server's answer is empty"));
        Self::ask(client, what, ask)?.ok_or_else(empty)
    }

    /// From an answer; None if there is nothing in it.
    pub fn of(answer: &Answer) -> Result<Option<Self>, ClientError> {
        if answer.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let strange = || ClientError::Strange("the server's answer is not a JSON object".into());
        let Ok(Value::Object(mut body)) = serde_json::from_slice(&answer.body) else { return Err(strange()) };
        if answer.status == 404 && !has_something(&body) {
            return Ok(None);
        }
        Ok(Some(Self::from_body(&mut body)))
    }

    fn from_body(body: &mut JsonMap) -> Self {
        if !body.contains_key("request_id") && !body.contains_key("lease_id") {
            // An answer without the envelope: all of it is the data.
            return Self {
                request_id: "".into(),
                lease_id: "".into(),
                lease_duration: 0.into(),
                renewable: false.into(),
                data: Value::Object(std::mem::take(body)),
                ..Self::default()
            };
        }
        let mut take = |name: &str, default: Value| match body.remove(name) {
            None | Some(Value::Null) => default,
            Some(value) => value,
        };
        // Programs that read our JSON find these members always.
        let mut auth = take("auth", Value::Null);
        if let Some(auth) = auth.as_object_mut() {
            for name in ["token_policies", "identity_policies", "metadata", "mfa_requirement"] {
                auth.entry(name).or_insert(Value::Null);
            }
        }
        let mut wrap_info = take("wrap_info", Value::Null);
        if let Some(wrap_info) = wrap_info.as_object_mut() {
            wrap_info.entry("wrapped_accessor").or_insert_with(|| "".into());
        }
        Self {
            request_id: take("request_id", "".into()),
            lease_id: take("lease_id", "".into()),
            lease_duration: take("lease_duration", 0.into()),
            renewable: take("renewable", false.into()),
            data: take("data", Value::Null),
            warnings: take("warnings", Value::Null),
            auth,
            wrap_info,
        }
    }

    /// The member `name` of the data.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.data.get(name)
    }

    /// What `-field=name` asks for: the envelope's fields have names of their own.
    pub fn field(&self, name: &str) -> Option<Value> {
        self.field_of_auth(name).or_else(|| self.field_of_wrap(name)).or_else(|| match name {
            "refresh_interval" | "lease_duration" => Some(self.lease_duration.clone()),
            "lease_id" => Some(self.lease_id.clone()),
            "lease_renewable" => Some(self.renewable.clone()),
            _ => self.data.get(name).cloned(),
        })
    }

    fn field_of_auth(&self, name: &str) -> Option<Value> {
        let auth = self.auth.as_object()?;
        let member = match name {
            "token" => "client_token",
            "token_accessor" => "accessor",
            "token_duration" => "lease_duration",
            "token_renewable" => "renewable",
            "token_policies" | "identity_policies" | "policies" => name,
            _ => {
                let key = name.strip_prefix("token_meta_")?;
                return auth.get("metadata")?.get(key).cloned();
            }
        };
        auth.get(member).cloned()
    }

    fn field_of_wrap(&self, name: &str) -> Option<Value> {
        let wrap = self.wrap_info.as_object()?;
        let member = match name {
            "wrapping_token" => "token",
            "wrapping_accessor" => "accessor",
            "wrapping_token_ttl" => "ttl",
            "wrapping_token_creation_time" => "creation_time",
            "wrapping_token_creation_path" => "creation_path",
            "wrapped_accessor" => "wrapped_accessor",
            _ => return None,
        };
        wrap.get(member).cloned()
    }
}

/// Whether the body of a 404 is an answer all the same: data or warnings.
fn has_something(body: &JsonMap) -> bool {
    let filled = |name: &str| match body.get(name) {
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        _ => false,
    };
    filled("data") || filled("warnings")
}
