//! A policy's text into stanzas.
//!
//! ```text
//! name = "ops"                                     # optional, and without effect
//! path "secret/data/+/app*" {
//!   comment              = "…"
//!   capabilities         = ["create", "read", …]   # or policy = "deny" | "read" | "write" | "sudo"
//!   allowed_parameters   = { "ttl" = ["1h"], "*" = [] }
//!   denied_parameters    = { … }
//!   required_parameters  = ["ttl"]
//!   min_wrapping_ttl     = "1s"
//!   max_wrapping_ttl     = 90
//!   pagination_limit     = 100
//!   expiration           = "2030-01-01T00:00:00Z"
//!   mfa_methods          = ["…"]                   # refused when the stanza is used: see `Reason`
//!   list_scan_response_keys_filter_path = "…"      # likewise, for list and scan
//! }
//! ```
//!
//! JSON has the same keys: `{"path": {"secret/*": {"capabilities": ["read"]}}}`.

use std::sync::Arc;

use strongroom_types::Timestamp;

use crate::capability::Capabilities;
use crate::hcl::{Block, Body, Document, HclError, Item};
use crate::parameters::{Parameters, Values};
use crate::pattern::Pattern;

/// The keys of a stanza.
const KEYS: [&str; 13] = [
    "comment",
    "policy",
    "capabilities",
    "allowed_parameters",
    "denied_parameters",
    "required_parameters",
    "min_wrapping_ttl",
    "max_wrapping_ttl",
    "mfa_methods",
    "pagination_limit",
    "expiration",
    "list_scan_response_keys_filter_path",
    "control_group",
];

/// A parsed policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    name: Arc<str>,
    stanzas: Vec<Arc<Stanza>>,
}

/// What a policy says about one path.
#[derive(Clone, Debug, PartialEq)]
pub struct Stanza {
    /// The path.
    pub pattern: Pattern,
    /// What may be done; exactly [`Capabilities::DENY`] if `deny` is among it.
    pub capabilities: Capabilities,
    /// With which parameters.
    pub parameters: Parameters,
    /// How long the answer must be wrapped.
    pub wrapping: Wrapping,
    /// Most names in one answer to a list or scan.
    pub pagination_limit: Option<u64>,
    /// From when on the stanza does not count.
    pub expiration: Option<Timestamp>,
    /// The MFA methods that must be passed.
    pub mfa_methods: Vec<String>,
    /// Template of the path that decides which names of a list or scan are shown.
    pub keys_filter: Option<String>,
}

/// Bounds for `X-Vault-Wrap-TTL`, in nanoseconds. With either of them an answer must be wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrapping {
    /// At least so long.
    pub min: Option<u64>,
    /// At most so long.
    pub max: Option<u64>,
}

/// Why a policy is refused, and where; always the writer's to mend.
pub type PolicyError = HclError;

impl Policy {
    /// The policy `name` (canonical: see [`crate::PolicyName`]) from its text in HCL or JSON.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let document = Document::parse(text)?;
        document.body.only(&["name", "path"])?;
        document.body.get("name")?.map(Item::text).transpose()?;
        let mut stanzas = Vec::new();
        for block in document.body.blocks("path", 1)? {
            let path = block.labels.first().copied().unwrap_or_default();
            stanzas.push(Arc::new(Stanza::parse(path, &block)?));
        }
        Ok(Self { name: name.into(), stanzas })
    }

    /// The name it was parsed with.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The same policy, none of which counts from `end` on.
    pub fn ending(mut self, end: Timestamp) -> Self {
        for stanza in &mut self.stanzas {
            let sooner = stanza.expiration.map_or(end, |own| own.min(end));
            Arc::make_mut(stanza).expiration = Some(sooner);
        }
        self
    }

    /// The stanzas in the order of the text; several may have the same path.
    pub fn stanzas(&self) -> &[Arc<Stanza>] {
        &self.stanzas
    }
}

impl Stanza {
    fn parse(path: &str, block: &Block<'_>) -> Result<Self, HclError> {
        let here = |what: String| HclError { line: block.line, column: block.column, what };
        let body = block.body;
        body.only(&KEYS)?;
        body.get("comment")?.map(Item::text).transpose()?;
        if let Some(item) = body.get("control_group")? {
            return Err(item.error("control_group is not supported yet"));
        }
        Ok(Self {
            pattern: Pattern::parse(path).map_err(here)?,
            capabilities: capabilities(body)?,
            parameters: Parameters {
                allowed: values(body, "allowed_parameters")?,
                denied: values(body, "denied_parameters")?,
                required: texts(body, "required_parameters")?
                    .iter()
                    .map(|name| name.to_lowercase())
                    .collect(),
            },
            wrapping: wrapping(body)?,
            pagination_limit: pagination_limit(body)?,
            expiration: expiration(body)?,
            mfa_methods: texts(body, "mfa_methods")?,
            keys_filter: keys_filter(body)?,
        })
    }
}

fn texts(body: &Body, key: &str) -> Result<Vec<String>, HclError> {
    let Some(item) = body.get(key)? else { return Ok(Vec::new()) };
    Ok(item.texts()?.into_iter().map(str::to_owned).collect())
}

/// From `capabilities` or, in policies of the first years, `policy`; with both, what both grant.
fn capabilities(body: &Body) -> Result<Capabilities, HclError> {
    let mut all = Capabilities::NONE;
    if let Some(item) = body.get("policy")? {
        let word = item.text()?;
        all = all
            | legacy(word)
                .ok_or_else(|| item.error("invalid policy: there are deny, read, write and sudo"))?;
    }
    if let Some(item) = body.get("capabilities")? {
        for word in item.texts()? {
            let one = Capabilities::from_word(word);
            all = all | one.ok_or_else(|| item.error("invalid capability"))?;
        }
    }
    Ok(all)
}

fn legacy(word: &str) -> Option<Capabilities> {
    let read = Capabilities::READ | Capabilities::LIST;
    let write = read | Capabilities::CREATE | Capabilities::UPDATE | Capabilities::DELETE;
    match word {
        "deny" => Some(Capabilities::DENY),
        "read" => Some(read),
        "write" => Some(write),
        "sudo" => Some(write | Capabilities::SUDO),
        _ => None,
    }
}

/// `{ "parameter" = [value, …] }`, the parameter in lower case.
fn values(body: &Body, key: &str) -> Result<Values, HclError> {
    let mut values = Values::new();
    for block in body.blocks(key, 0)? {
        for item in block.body.items() {
            let list = item.value.as_list().filter(|_| item.labels.is_empty());
            let list = list
                .ok_or_else(|| item.error(format!("a parameter in {key} is not given a list of values")))?;
            if values.insert(item.key.to_lowercase(), list.to_vec()).is_some() {
                return Err(item.error(format!("a parameter is given twice in {key}")));
            }
        }
    }
    Ok(values)
}

fn wrapping(body: &Body) -> Result<Wrapping, HclError> {
    let (min, max) =
        (positive_duration(body, "min_wrapping_ttl")?, positive_duration(body, "max_wrapping_ttl")?);
    match (min, max, body.get("max_wrapping_ttl")?) {
        (Some(min), Some(max), Some(item)) if max < min => {
            Err(item.error("max_wrapping_ttl cannot be less than min_wrapping_ttl"))
        }
        _ => Ok(Wrapping { min, max }),
    }
}

/// In nanoseconds; zero means none.
fn positive_duration(body: &Body, key: &str) -> Result<Option<u64>, HclError> {
    let Some(item) = body.get(key)? else { return Ok(None) };
    let nanos =
        u64::try_from(item.duration()?).map_err(|_| item.error(format!("{key} cannot be negative")))?;
    Ok(Some(nanos).filter(|nanos| *nanos > 0))
}

/// Zero means none.
fn pagination_limit(body: &Body) -> Result<Option<u64>, HclError> {
    let Some(item) = body.get("pagination_limit")? else { return Ok(None) };
    let limit =
        u64::try_from(item.integer()?).map_err(|_| item.error("pagination_limit cannot be negative"))?;
    Ok(Some(limit).filter(|limit| *limit > 0))
}

fn expiration(body: &Body) -> Result<Option<Timestamp>, HclError> {
    let Some(item) = body.get("expiration")? else { return Ok(None) };
    let when = Timestamp::parse(item.text()?);
    when.map(Some).ok_or_else(|| item.error("expiration is not a time such as \"2030-01-01T00:00:00Z\""))
}

fn keys_filter(body: &Body) -> Result<Option<String>, HclError> {
    let Some(item) = body.get("list_scan_response_keys_filter_path")? else { return Ok(None) };
    Ok(Some(item.text()?.to_owned()).filter(|text| !text.is_empty()))
}
