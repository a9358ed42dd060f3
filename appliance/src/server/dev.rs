//! `strongroom server -dev`: in memory, initialised, unsealed, KV version 2 at `secret/`. For trying things out; it
//! has no devices and forgets everything.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::BASE64;
use strongroom_core::log::{self, Level};
use strongroom_core::{Core, InitWish, Initialised, Parts, SealWish, Settings};
use strongroom_http::{Address, Bound, CustomHeaders, Limits, MetricsAccess, MinVersion, Pem, Tls};
use strongroom_os::{Arena, Protection};
use strongroom_seal::{Devices, SystemEntropy};
use strongroom_store::MemoryStore;
use strongroom_types::id::RequestId;
use strongroom_types::request::Head;
use strongroom_types::time::SystemClock;
use strongroom_types::{ApiPath, Clock, Entropy, Operation, Received, Request, Secret};

use super::VERSION;
use super::banner::{self, Banner};
use super::flags::DevWish;
use super::running::{self, Reloaded, Signals};
use crate::certificate;
use crate::config::KEY_MEMORY;
use crate::files::{make_folder, replace};
use crate::registry;

/// No device is needed.
struct NoDevices;

impl Devices for NoDevices {
    fn device(&self, _: &str) -> Option<Arc<dyn strongroom_device_api::KeyDevice>> {
        None
    }
}

/// Serves from memory until it is told to stop.
pub async fn serve(wish: &DevWish) -> Result<(), String> {
    log::set_level(wish.log_level.unwrap_or(Level::Info));
    let signals = Signals::receive()?;
    let arena = Arena::new(KEY_MEMORY, Protection::BestEffort).map_err(|cause| format!("server: {cause}"))?;
    let memory = banner::memory(arena.backing());
    let core = Core::new(Parts {
        store: MemoryStore::new(),
        engines: registry::ENGINES,
        methods: registry::METHODS,
        audit: Vec::new(),
        devices: Arc::new(NoDevices),
        entropy: Arc::new(SystemEntropy),
        clock: Arc::new(SystemClock),
        arena,
        settings: Arc::new(Settings { version: VERSION.into(), ..Settings::default() }),
        seal: SealWish::Custodians,
    });
    let core = core.map_err(|cause| format!("server: {cause}"))?;
    let certificates = certificates(wish)?;
    let tls = certificates.as_ref().map(|made| Tls {
        certificate: Pem::Text(Secret::copy_of(made.issued.certificate.as_bytes())),
        key: Pem::Text(Secret::copy_of(made.issued.key.expose())),
        min_version: MinVersion::Tls12,
    });
    let (limits, headers) = (Limits::default(), CustomHeaders::default());
    let (address, metrics) = (Address::Tcp(wish.address), MetricsAccess::default());
    let listener = strongroom_http::Listener { address, tls, limits, headers, metrics };
    let bound = strongroom_http::bind(listener).map_err(|cause| format!("listener: {cause}"))?;
    let made = initialise(&core, wish).await?;
    let token = made.root_token.expose_str().unwrap_or_default();
    if wish.store_token {
        store_token(token)?;
    }
    let ca = certificates.as_ref().map(|made| made.folder.join(CA));
    let after = words(&bound, &made, ca.as_deref());
    let listeners = vec![bound];
    Banner {
        api_addr: None,
        listeners: &listeners,
        storage: "inmem",
        place: None,
        seal: "one unseal key".into(),
        audit: Vec::new(),
        memory,
        after,
    }
    .print();
    let served = running::serve(core, listeners, Reloaded::default(), signals).await;
    if let Some(folder) = certificates.filter(|made| made.is_temporary).map(|made| made.folder) {
        // It is in the folder for temporary files in any case.
        let _ = fs::remove_dir_all(folder);
    }
    served
}

/// One key, which opens it at once; and `secret/`.
async fn initialise(core: &Arc<Core>, wish: &DevWish) -> Result<Initialised, String> {
    let root_token = wish.root_token.as_ref().map(|token| Secret::copy_of(token.expose()));
    let init =
        InitWish { secret_shares: Some(1), secret_threshold: Some(1), root_token, ..InitWish::default() };
    let made = core.init(init).await.map_err(|refusal| format!("server: init: {}", refusal.message))?;
    for key in &made.keys {
        let key = BASE64.encode(key.expose());
        core.offer_share(&key).await.map_err(|refusal| format!("server: unseal: {}", refusal.message))?;
    }
    let body = br#"{"type": "kv", "description": "key/value secret storage", "options": {"version": "2"}}"#;
    let head = Head {
        headers: Vec::new(),
        id: RequestId::from_random(
            (&SystemEntropy as &dyn Entropy).draw().map_err(|cause| cause.to_string())?,
        ),
        operation: Operation::Update,
        path: ApiPath::from_text("sys/mounts/secret").map_err(|cause| cause.message().to_owned())?,
        query: Vec::new(),
        token: Some(Secret::copy_of(made.root_token.expose())),
        namespace: String::new(),
        wrap_ttl: None,
        content_type: None,
        remote: None,
    };
    let request = Request { head, stage: Received { body: Box::new(body.to_vec()) } };
    core.handle(request).await.map_err(|refusal| format!("server: secret/: {}", refusal.message))?;
    Ok(made)
}

/// What is to be said once it has started; scripts look for the two lines with a colon.
fn words(bound: &Bound, made: &Initialised, ca: Option<&Path>) -> Vec<String> {
    let mut lines = vec![
        "WARNING! This is a development server: everything is in memory and gone when it ends, it is unsealed,".into(),
        "and its keys are shown below. Never use it in production.\n".into(),
        "To use it from another terminal:\n".into(),
        format!("    $ export VAULT_ADDR='{}'", bound.url()),
    ];
    if let Some(ca) = ca {
        lines.push(format!("    $ export VAULT_CACERT='{}'", ca.display()));
    }
    lines.push(String::new());
    for key in &made.keys {
        lines.push(format!("Unseal Key: {}", BASE64.encode(key.expose())));
    }
    lines.push(format!("Root Token: {}\n", made.root_token.expose_str().unwrap_or_default()));
    lines
}

/// Where the command line looks for the token.
fn store_token(token: &str) -> Result<(), String> {
    match std::env::home_dir().filter(|home| home.is_dir()) {
        Some(home) => replace(&home.join(".vault-token"), token.as_bytes()),
        None => Ok(()),
    }
}

const CA: &str = "vault-ca.pem";

struct Certificates {
    issued: certificate::Issued,
    folder: PathBuf,
    is_temporary: bool,
}

/// A certificate for this start, and where clients find its CA; `None` without TLS.
fn certificates(wish: &DevWish) -> Result<Option<Certificates>, String> {
    if !wish.tls {
        return Ok(None);
    }
    let now = SystemClock.now();
    let issued = certificate::issue(&[wish.address.ip()], now).map_err(|cause| format!("server: {cause}"))?;
    let (folder, is_temporary) = match &wish.certificates {
        Some(folder) => (folder.clone(), false),
        None => (std::env::temp_dir().join(format!("strongroom-tls-{}", std::process::id())), true),
    };
    if is_temporary {
        // One that is there already may be somebody else's.
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|cause| format!("{}: {cause}", folder.display()))?;
    } else {
        make_folder(&folder)?;
        replace(&folder.join("vault-cert.pem"), issued.certificate.as_bytes())?;
        replace(&folder.join("vault-key.pem"), issued.key.expose())?;
    }
    replace(&folder.join(CA), issued.ca.as_bytes())?;
    Ok(Some(Certificates { issued, folder, is_temporary }))
}
