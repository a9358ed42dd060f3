//! The top level of a file, and what makes a whole of several.

use std::collections::BTreeMap;

use strongroom_core::log::{Level, NoLevel};
use strongroom_core::{LockoutSetting, Telemetry};

use super::stanza::Stanza;
use super::{
    Audit, Config, DEFAULT_LEASE_TTL, JsonLimits, KEY_MEMORY, Listener, MAX_JSON_DEPTH, MAX_JSON_MEMBERS,
    MAX_LEASE_TTL, Seal, Storage, audit, listener, lockout, seal, storage, telemetry,
};

/// What has been read so far. Of a single value the last file's counts; stanzas add up.
#[derive(Default)]
pub struct Draft {
    listeners: Vec<Listener>,
    storage: Option<Storage>,
    has_storage: bool,
    seals: Vec<Seal>,
    audit: Vec<Audit>,
    json: Option<JsonLimits>,
    cluster_name: Option<String>,
    node: Option<String>,
    api_addr: Option<String>,
    default_lease_ttl: Option<i64>,
    max_lease_ttl: Option<i64>,
    key_memory: Option<u64>,
    pid_file: Option<std::path::PathBuf>,
    log_level: Option<Level>,
    user_lockout: BTreeMap<String, LockoutSetting>,
    telemetry: Option<Telemetry>,
}

impl Draft {
    /// Takes in one file.
    pub fn read(&mut self, top: &mut Stanza<'_>) {
        for word in ["storage", "backend"] {
            top.blocks(word, 1, |labels, stanza| {
                let read = storage::read(labels.first().unwrap_or(&""), stanza);
                if self.has_storage {
                    stanza.problem("there is a storage already: exactly one can be used");
                }
                self.has_storage = true;
                self.storage = self.storage.take().or(read);
            });
        }
        let mut json =
            self.json.take().unwrap_or(JsonLimits { depth: MAX_JSON_DEPTH, members: MAX_JSON_MEMBERS });
        top.blocks("listener", 1, |labels, stanza| {
            self.listeners.extend(listener::read(labels.first().unwrap_or(&""), stanza, &mut json));
        });
        self.json = Some(json);
        top.blocks("seal", 1, |labels, stanza| self.seal(labels.first().unwrap_or(&""), stanza));
        top.blocks("audit", 2, |labels, stanza| {
            if let [kind, name] = labels {
                if self.audit.iter().any(|sink| sink.name == *name) {
                    stanza.problem("there is a sink of this name already");
                }
                self.audit.extend(audit::read(kind, name, stanza));
            }
        });
        top.blocks("user_lockout", 1, |labels, stanza| {
            let kind = labels.first().unwrap_or(&"");
            let setting = lockout::read(kind, stanza);
            if self.user_lockout.insert((*kind).to_owned(), setting).is_some() {
                stanza.problem("there is one for this kind already");
            }
        });
        top.blocks("telemetry", 0, |_, stanza| {
            if self.telemetry.replace(telemetry::read(stanza)).is_some() {
                stanza.problem("there is one already");
            }
        });
        self.values(top);
        foreign(top);
    }

    fn seal(&mut self, kind: &str, stanza: &mut Stanza<'_>) {
        let Some(seal) = seal::read(kind, stanza) else { return };
        let name = |seal: &Seal| match seal {
            Seal::Device(device) => Some(device.name.clone()),
            Seal::Custodians { .. } => None,
        };
        if self.seals.iter().any(|other| name(other) == name(&seal)) {
            stanza.problem("there is a seal of this name already: give each its own name");
        }
        self.seals.push(seal);
    }

    fn values(&mut self, top: &mut Stanza<'_>) {
        last(&mut self.cluster_name, top.text("cluster_name"));
        last(
            &mut self.node,
            top.parsed("node_id", |text| match text.len() {
                1..=64 => Ok(text.to_owned()),
                _ => Err("must have 1 to 64 bytes".into()),
            }),
        );
        last(&mut self.api_addr, top.parsed("api_addr", url));
        last(&mut self.default_lease_ttl, top.seconds("default_lease_ttl"));
        last(&mut self.max_lease_ttl, top.seconds("max_lease_ttl"));
        last(&mut self.key_memory, top.bytes("key_memory", 64 << 10..=1 << 30));
        last(&mut self.pid_file, top.path("pid_file"));
        last(
            &mut self.log_level,
            top.parsed("log_level", |text| text.parse().map_err(|no: NoLevel| no.to_string())),
        );
        if let (Some(default), Some(max)) = (self.default_lease_ttl, self.max_lease_ttl)
            && default > max
        {
            top.problem_at("default_lease_ttl", "default_lease_ttl is longer than max_lease_ttl");
        }
    }

    /// The whole, once all files are read; what is missing goes to `missing`.
    pub fn finish(self, mut missing: impl FnMut(&str)) -> Option<Config> {
        if !self.has_storage {
            missing(
                "there is no storage stanza; write: storage \"redb\" { path = \"/var/lib/strongroom/store.redb\" }",
            );
        }
        if self.listeners.is_empty() {
            missing(
                "there is no listener that can be used; write: listener \"tcp\" { address = \"127.0.0.1:8200\" … }",
            );
        }
        let max_lease_ttl =
            self.max_lease_ttl.unwrap_or(MAX_LEASE_TTL.max(self.default_lease_ttl.unwrap_or(0)));
        Some(Config {
            listeners: self.listeners,
            storage: self.storage?,
            seals: self.seals,
            audit: self.audit,
            cluster_name: self.cluster_name,
            node: self.node.unwrap_or_else(|| "node-1".into()),
            api_addr: self.api_addr,
            default_lease_ttl: self.default_lease_ttl.unwrap_or(DEFAULT_LEASE_TTL.min(max_lease_ttl)),
            max_lease_ttl,
            json: self.json?,
            key_memory: self.key_memory.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(KEY_MEMORY),
            pid_file: self.pid_file,
            log_level: self.log_level,
            user_lockout: self.user_lockout,
            telemetry: self.telemetry.unwrap_or_default(),
        })
    }
}

fn last<T>(slot: &mut Option<T>, value: Option<T>) {
    *slot = value.or(slot.take());
}

fn url(text: &str) -> Result<String, String> {
    match text.starts_with("https://") || text.starts_with("http://") {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err("is no URL: write it as \"https://strongroom.example.com:8200\"".into()),
    }
}

/// What Vault's servers know besides.
fn foreign(top: &mut Stanza<'_>) {
    top.ignored(&[
        "ui",
        "disable_mlock",
        "disable_cache",
        "cache_size",
        "cluster_addr",
        "disable_clustering",
        "disable_sealwrap",
        "disable_performance_standby",
        "disable_printable_check",
        "disable_indexing",
        "default_max_request_duration",
        "detect_deadlocks",
        "enable_multiseal",
        "enable_response_header_hostname",
        "enable_response_header_raft_node_id",
        "experiments",
        "imprecise_lease_role_tracking",
        "introspection_endpoint",
        "license_path",
        "log_file",
        "log_format",
        "log_requests_level",
        "log_rotate_bytes",
        "log_rotate_duration",
        "log_rotate_max_files",
        "plugin_directory",
        "plugin_tmpdir",
        "plugin_file_uid",
        "plugin_file_permissions",
        "plugin_auto_download",
        "plugin_auto_register",
        "plugin_download_behavior",
        "post_unseal_trace_directory",
        "enable_post_unseal_trace",
        "raw_storage_endpoint",
        "remove_irrevocable_lease_after",
        "reporting",
        "request_limiter",
        "sentinel",
        "service_registration",
        "unsafe_allow_api_audit_creation",
        "allow_audit_log_prefixing",
        "unsafe_cross_namespace_identity",
        "administrative_namespace_path",
        "activity_log",
        "hcp_link",
        "observations",
        "feature_flags",
    ]);
    const INSTEAD: [(&str, &str); 5] = [
        ("ha_storage", "one storage serves everything; remove the stanza"),
        ("entropy", "randomness comes from the system's generator; remove the stanza"),
        ("kms_library", "vendor libraries are loaded by hsm-bridge alone; remove the stanza"),
        ("plugin", "engines are built in; remove the stanza"),
        (
            "initialize",
            "self-initialisation is not done yet: run strongroom operator init once; remove the stanza",
        ),
    ];
    top.refused(&INSTEAD);
}
