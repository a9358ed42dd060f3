//! What answers and audit lines are to look like beyond their content, as operators set it below `sys/config/`.
//!
//! Each setting is one record in the system's view, JSON, absent until it is set: `["config", "cors"]`,
//! `["config", "ui-headers"]`, `["config", "audit-headers"]`. All are read at unseal and after each change, and replaced
//! as a whole.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strongroom_barrier::{Name, Reader, View, Write};
use strongroom_types::Refusal;

use crate::fault::{barrier, damaged};

/// The rules at one moment. While nothing is unsealed there are none.
#[derive(Debug, Default)]
pub struct ResponseRules {
    /// Which pages of other origins may ask; `None` refuses them all.
    pub cors: Option<Cors>,
    /// Headers of the console's answers: name and values.
    pub ui_headers: Vec<(String, Vec<String>)>,
    /// Headers of requests that the audit log shows: name, in lower case, and whether its values are hashed.
    pub audit_headers: Vec<(String, bool)>,
}

/// Pages of other origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// `https://host:port`, as browsers send it; or `*` alone.
    pub origins: Vec<String>,
    /// Every header that such a page may send.
    pub headers: Vec<String>,
    /// Whether its requests may carry cookies and client certificates.
    pub allow_credentials: bool,
}

/// Headers that a page may send in any case: what the API itself reads.
const ALWAYS: [&str; 10] = [
    "Content-Type",
    "X-Requested-With",
    "X-Vault-AWS-IAM-Server-ID",
    "X-Vault-MFA",
    "X-Vault-No-Request-Forwarding",
    "X-Vault-Wrap-Format",
    "X-Vault-Wrap-TTL",
    "X-Vault-Policy-Override",
    "Authorization",
    "X-Vault-Token",
];

impl ResponseRules {
    /// As they are stored.
    pub(crate) fn load(system: &Reader) -> Result<Self, Refusal> {
        let cors = CorsRecord::load(system)?.map(|record| record.rule());
        let ui_headers = UiHeaders::load(system)?.unwrap_or_default().headers.into_iter().collect();
        let audit_headers = AuditHeaders::load(system)?.unwrap_or_default().headers.into_iter().collect();
        Ok(Self { cors, ui_headers, audit_headers })
    }
}

/// A record of `sys/config/`.
pub(crate) trait Setting: Serialize + DeserializeOwned {
    /// The last part of its name.
    const NAME: &'static str;

    /// What is stored.
    fn load(system: &Reader) -> Result<Option<Self>, Refusal> {
        let entry = system.get(&name(Self::NAME)?).map_err(barrier)?;
        entry.map(|entry| serde_json::from_slice(entry.value.expose()).map_err(damaged)).transpose()
    }

    /// Stores it instead of what `system` shows.
    fn write(&self, view: &View, system: &Reader) -> Result<(View, Write), Refusal> {
        let seen = system.get(&name(Self::NAME)?).map_err(barrier)?;
        let body = serde_json::to_vec(self).map_err(damaged)?;
        Ok((view.clone(), Write::put(name(Self::NAME)?, body).if_unchanged(seen.as_ref())))
    }

    /// Removes it.
    fn remove(view: &View) -> Result<(View, Write), Refusal> {
        Ok((view.clone(), Write::delete(name(Self::NAME)?)))
    }
}

fn name(of: &str) -> Result<Name, Refusal> {
    Name::new(["config", of]).map_err(damaged)
}

/// See [`Cors`].
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CorsRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// As they were given.
    pub origins: Vec<String>,
    /// Beyond [`ALWAYS`].
    pub headers: Vec<String>,
    /// See [`Cors`].
    pub allow_credentials: bool,
}

impl Setting for CorsRecord {
    const NAME: &'static str = "cors";
}

impl CorsRecord {
    /// With every header that may be sent.
    pub fn rule(&self) -> Cors {
        let mut headers: Vec<String> = ALWAYS.map(str::to_owned).into();
        for own in &self.headers {
            if !headers.iter().any(|known| known.eq_ignore_ascii_case(own)) {
                headers.push(own.clone());
            }
        }
        Cors { origins: self.origins.clone(), headers, allow_credentials: self.allow_credentials }
    }
}

/// Headers of the console's answers.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct UiHeaders {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// Values by name.
    pub headers: BTreeMap<String, Vec<String>>,
}

impl Default for UiHeaders {
    fn default() -> Self {
        Self { v: 1, headers: BTreeMap::new() }
    }
}

impl Setting for UiHeaders {
    const NAME: &'static str = "ui-headers";
}

/// Headers of requests that the audit log shows.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AuditHeaders {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// By name, in lower case: whether the values are hashed.
    pub headers: BTreeMap<String, bool>,
}

impl Default for AuditHeaders {
    fn default() -> Self {
        Self { v: 1, headers: BTreeMap::new() }
    }
}

impl Setting for AuditHeaders {
    const NAME: &'static str = "audit-headers";
}
