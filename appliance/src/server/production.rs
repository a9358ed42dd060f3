//! What a configuration names, opened and put together.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_core::json::Limits;
use strongroom_core::log::{self, Level};
use strongroom_core::{Core, Parts, Settings};
use strongroom_http::{Address, Bound, Pem, Tls};
use strongroom_os::{Arena, Protection};
use strongroom_seal::SystemEntropy;
use strongroom_store::{MemoryStore, Options, RedbStore, Store};
use strongroom_types::JsonMap;
use strongroom_types::time::SystemClock;

use super::VERSION;
use super::banner::{self, Banner};
use super::running::{self, Reloaded, Signals};
use crate::config::{self, At, Config, Listener, Seal, Storage};
use crate::{registry, sandbox, say};

/// The exit code of a process that has to end because its store is damaged.
const POISONED: i32 = 3;

/// Serves what `configurations` describe, until it is told to stop.
pub async fn serve(configurations: &[PathBuf], log_level: Option<Level>) -> Result<(), String> {
    let (config, report) = config::load(configurations).map_err(|report| report.to_string())?;
    log::set_level(log_level.or(config.log_level).unwrap_or(Level::Info));
    for warning in &report.warnings {
        say::error(&format!("strongroom WARN  {warning}"));
    }
    let signals = Signals::receive()?;
    let arena = Arena::new(config.key_memory, Protection::Required).map_err(|cause| {
        let (wished, most) = (config.key_memory, sandbox::lockable());
        format!("server: {cause}. The limit is {most}, key_memory in the configuration asks for {wished}")
    })?;
    let (store, storage_type) = open_store(&config.storage)?;
    let mut audit = Vec::new();
    for stanza in &config.audit {
        audit.push(registry::sink(stanza).map_err(|cause| format!("audit \"{}\": {cause}", stanza.name))?);
    }
    let sinks = audit.iter().map(|sink| (sink.name.clone(), sink.sink.clone())).collect();
    let memory = banner::memory(arena.backing());
    let core = Core::new(Parts {
        store,
        engines: registry::ENGINES,
        methods: registry::METHODS,
        audit,
        devices: Arc::new(registry::Bridges::of(&config)),
        entropy: Arc::new(SystemEntropy),
        clock: Arc::new(SystemClock),
        arena,
        settings: Arc::new(settings(&config, storage_type)),
        seal: registry::seal_wish(&config)?,
    });
    let core = core.map_err(|cause| format!("server: {cause}"))?;
    let listeners = config.listeners.iter().map(bind).collect::<Result<Vec<Bound>, String>>()?;
    for complaint in listeners.iter().filter_map(Bound::certificate).filter_map(|pair| pair.complaint()) {
        say::error(&format!("strongroom WARN  {complaint}"));
    }
    if let Some(path) = &config.pid_file {
        fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|cause| format!("pid_file {}: {cause}", path.display()))?;
    }
    Banner {
        api_addr: config.api_addr.clone(),
        listeners: &listeners,
        storage: storage_type,
        place: place(&config.storage),
        seal: seal(&config),
        audit: config.audit.iter().map(|sink| format!("{}/ ({})", sink.name, sink.kind)).collect(),
        memory,
        after: Vec::new(),
    }
    .print();
    let served = running::serve(
        core,
        listeners,
        Reloaded { sinks, configurations: configurations.to_owned() },
        signals,
    )
    .await;
    if let Some(path) = &config.pid_file {
        // It may have been taken away.
        let _ = fs::remove_file(path);
    }
    served
}

fn open_store(storage: &Storage) -> Result<(Arc<dyn Store>, &'static str), String> {
    match storage {
        Storage::Memory => Ok((MemoryStore::new(), "inmem")),
        Storage::Redb { path, cache, reserve } => {
            let options = Options {
                cache_bytes: *cache,
                reserve: *reserve,
                on_poison: Box::new(|cause| {
                    // Nothing may go on: whether the last commit happened is not known.
                    say::error(&format!("strongroom FATAL {cause}"));
                    std::process::exit(POISONED)
                }),
                ..Options::default()
            };
            let store = RedbStore::open(path, options).map_err(|cause| format!("storage: {cause}"))?;
            Ok((store, "redb"))
        }
    }
}

fn settings(config: &Config, storage_type: &'static str) -> Settings {
    Settings {
        version: VERSION.into(),
        cluster_name: config.cluster_name.clone().unwrap_or_default(),
        default_lease_ttl: config.default_lease_ttl,
        max_lease_ttl: config.max_lease_ttl,
        max_request_size: config.listeners.iter().map(|one| one.limits.body_bytes).max().unwrap_or(0),
        json: Limits { depth: config.json.depth, members: config.json.members },
        storage_type,
        shown: shown(config),
        folder: folder(&config.storage),
        node: config.node.clone(),
        user_lockout: config.user_lockout.clone(),
        telemetry: config.telemetry.clone(),
    }
}

/// What of the configuration anybody may know who asks for `sys/config/state/sanitized`: no file, no device.
fn shown(config: &Config) -> JsonMap {
    let listener = |listener: &Listener| match &listener.at {
        At::Plain { address } => {
            json!({ "type": "tcp", "config": { "address": address, "tls_disable": true } })
        }
        At::Tls { address, .. } => {
            json!({ "type": "tcp", "config": { "address": address, "tls_disable": false } })
        }
        At::Unix { .. } => json!({ "type": "unix", "config": {} }),
    };
    let listeners: Vec<Value> = config.listeners.iter().map(listener).collect();
    let mut shown = JsonMap::new();
    shown.insert("listeners".into(), listeners.into());
    shown.insert("api_addr".into(), config.api_addr.clone().unwrap_or_default().into());
    shown
}

fn folder(storage: &Storage) -> Option<PathBuf> {
    match storage {
        Storage::Redb { path, .. } => path.parent().map(Path::to_owned),
        Storage::Memory => None,
    }
}

fn bind(listener: &Listener) -> Result<Bound, String> {
    let file = |path: &Path| Pem::File(path.to_owned());
    let (address, tls) = match &listener.at {
        At::Plain { address } => (Address::Tcp(*address), None),
        At::Unix { path, mode } => (Address::Unix { path: path.clone(), mode: *mode }, None),
        At::Tls { address, cert, key, min_version } => {
            let tls = Tls { certificate: file(cert), key: file(key), min_version: *min_version };
            (Address::Tcp(*address), Some(tls))
        }
    };
    let (limits, headers) = (listener.limits.clone(), listener.headers.clone());
    let metrics = listener.metrics;
    strongroom_http::bind(strongroom_http::Listener { address, tls, limits, headers, metrics })
        .map_err(|cause| format!("listener: {cause}"))
}

fn place(storage: &Storage) -> Option<String> {
    match storage {
        Storage::Redb { path, .. } => Some(path.display().to_string()),
        Storage::Memory => None,
    }
}

fn seal(config: &Config) -> String {
    let groups = config.seals.iter().map(|seal| match seal {
        Seal::Device(device) => format!("{} at {}", device.name, device.socket.display()),
        Seal::Custodians { threshold, shares } => format!("{threshold} of {shares} custodians"),
    });
    let groups: Vec<String> = groups.collect();
    if groups.is_empty() { "custodians".into() } else { groups.join(" and ") }
}
