//! A request's two lines in the audit log: one before its effect, one before its answer.
//!
//! A [`Trail`] follows a request through the stages and keeps what they find out, so that a request which is refused
//! half-way has a line that says as much as was known. No line written, no effect; no second line, no answer.

use std::sync::Arc;

use strongroom_audit::{
    AuditError, Audited, Auth, Clear, Event, Header, Mount, Namespace, ResponseEvent, Salt, SinkConfig,
};
use strongroom_barrier::{Name, View, Write};
use strongroom_engine::{Entropy, FieldSpec};
use strongroom_store::Batch;
use strongroom_types::error::Kind;
use strongroom_types::id::RequestId;
use strongroom_types::request::Head;
use strongroom_types::{JsonMap, Operation, Received, Refusal, Reply, Request, Secret, Timestamp};

use crate::Parts;
use crate::active::Active;
use crate::fault::{self, damaged};
use crate::stage::{Asker, Authenticated, Authorized, Read, Routed, Target};

const NOTHING_DONE: &str = "the audit log did not accept the request: nothing was done";

/// What is known of a request so far.
pub struct Trail {
    active: Arc<Active>,
    id: RequestId,
    operation: Operation,
    path: String,
    namespace: String,
    token: Option<Secret>,
    remote: Option<(std::net::IpAddr, u16)>,
    headers: Vec<(String, String)>,
    wrap_ttl: Option<u64>,
    target: Where,
    fields: &'static [FieldSpec],
    asker: Option<Asker>,
    data: Option<Arc<JsonMap>>,
    allowed: Option<bool>,
}

/// Which mount a line names.
enum Where {
    Nowhere,
    System,
    Tokens,
    Mount(Arc<crate::mounts::Mount>),
}

impl Trail {
    /// A request has come in.
    pub fn begin(active: &Arc<Active>, request: &Request<Received>) -> Self {
        let Head { id, operation, path, token, namespace, wrap_ttl, remote, headers, .. } = &request.head;
        Self {
            active: active.clone(),
            id: *id,
            operation: *operation,
            path: path.as_str().to_owned(),
            namespace: namespace.clone(),
            token: token.as_ref().map(|token| Secret::copy_of(token.expose())),
            remote: *remote,
            headers: headers.clone(),
            wrap_ttl: *wrap_ttl,
            target: Where::Nowhere,
            fields: &[],
            asker: None,
            data: None,
            allowed: None,
        }
    }

    /// It is known where it goes.
    pub fn routed(&mut self, request: Request<Routed>) -> Request<Routed> {
        match &request.stage.target {
            Target::Engine { mount, endpoint, .. } => {
                self.target = Where::Mount(mount.clone());
                self.fields = endpoint.fields;
            }
            Target::System { endpoint, .. } => {
                self.target = if self.path.starts_with("sys/") { Where::System } else { Where::Tokens };
                self.fields = endpoint.fields;
            }
            Target::Help { .. } | Target::Nowhere(_) => {}
        }
        request
    }

    /// It is known who asks.
    pub fn authenticated(&mut self, request: Request<Authenticated>) -> Request<Authenticated> {
        self.asker.clone_from(&request.stage.asker);
        request
    }

    /// It is known with what.
    pub fn read(&mut self, request: Request<Read>) -> Request<Read> {
        if !request.stage.given.is_empty() {
            self.data = Some(request.stage.given.clone());
        }
        self.allowed = Some(false);
        request
    }

    /// It is known whether it may: a create is told from an update by then.
    pub fn authorized(&mut self, request: Request<Authorized>) -> Request<Authorized> {
        self.operation = request.head.operation;
        self.allowed = Some(true);
        request
    }

    /// The line before the effect, of a grant or of a refusal. No line, no effect. What has too many texts for a line
    /// is refused from here on, as anything else is that is refused: by a line, and at the same price.
    pub fn before(&mut self, checked: &mut Result<Request<Authorized>, Refusal>) -> Result<Audited, Refusal> {
        let begun = self.active.clock.reading();
        let mut written = self.write(checked.as_ref().err().map(text), |event, audit| audit.before(event));
        if let Err(cause @ AuditError::TooManyStrings { .. }) = written {
            let refusal = self.without_data(cause);
            written = self.write(Some(text(&refusal)), |event, audit| audit.before(event));
            *checked = Err(refusal);
        }
        self.active.measure(&self.active.metrics.audit_request, begun);
        written.map_err(|cause| {
            self.active.metrics.audit_request_failure.add();
            not_accepted(cause, NOTHING_DONE)
        })
    }

    /// Leaves out of the lines what was sent, of which there is too much.
    fn without_data(&mut self, cause: AuditError) -> Refusal {
        self.data = None;
        cause.into()
    }

    /// Both lines at once, of a request that only asks: they come before the answer.
    pub fn both(
        &self,
        asked: Timestamp,
        checked: &Result<Request<Authorized>, Refusal>,
        answer: &Result<Reply, Refusal>,
    ) -> Result<(), Refusal> {
        let (response, error) = (self.response(answer), answer.as_ref().err().map(text));
        let begun = self.active.clock.reading();
        let written = self.write(checked.as_ref().err().map(text), |event, audit| {
            audit.both(asked, event, error, &response)
        });
        // As one line takes about as long as the other.
        self.active
            .measure_as(&[&self.active.metrics.audit_request, &self.active.metrics.audit_response], begun);
        written.map_err(|cause| {
            self.active.metrics.audit_request_failure.add();
            not_accepted(cause, NOTHING_DONE)
        })
    }

    fn response<'r>(&'r self, answer: &'r Result<Reply, Refusal>) -> ResponseEvent<'r> {
        let keys = match &self.target {
            Where::Mount(mount) => mount.record.config.audit_non_hmac_response_keys.as_slice(),
            _ => &[],
        };
        ResponseEvent { answer: answer.as_ref(), clear: Clear { field: &|_| false, keys } }
    }

    /// The line before the answer. No line, no answer.
    pub fn after(&self, audited: &Audited, answer: &Result<Reply, Refusal>) -> Result<(), Refusal> {
        let response = self.response(answer);
        let error = answer.as_ref().err().map(text);
        let begun = self.active.clock.reading();
        let written = self.write(error, |event, audit| audit.after(audited, event, &response));
        self.active.measure(&self.active.metrics.audit_response, begun);
        written.map_err(|cause| {
            self.active.metrics.audit_response_failure.add();
            not_accepted(
                cause,
                "the audit log did not accept the answer: what was asked is done, its answer is withheld",
            )
        })
    }

    fn write<T>(
        &self,
        error: Option<&str>,
        line: impl FnOnce(&Event<'_>, &strongroom_audit::Broker) -> T,
    ) -> T {
        let is_clear =
            |name: &str| self.fields.iter().any(|field| field.clear_in_audit && field.name == name);
        let keys = match &self.target {
            Where::Mount(mount) => mount.record.config.audit_non_hmac_request_keys.as_slice(),
            _ => &[],
        };
        let rules = self.active.rules.load();
        let hashed =
            |name: &str| rules.audit_headers.iter().find(|(known, _)| known == name).map(|(_, hmac)| *hmac);
        let headers = self
            .headers
            .iter()
            .filter_map(|(name, value)| hashed(name).map(|hashed| Header { name, value, hashed }));
        let headers: Vec<Header<'_>> = headers.collect();
        let event = Event {
            headers: &headers,
            namespace: match self.namespace.as_str() {
                "" => Namespace::ROOT,
                path => Namespace { id: "", path },
            },
            mount: self.mount(),
            token: self.token.as_ref(),
            auth: self.asker.as_ref().map(auth),
            allowed: self.allowed,
            remote: self.remote,
            wrap_ttl: self.wrap_ttl,
            data: self.data.as_deref(),
            clear: Clear { field: &is_clear, keys },
            error,
            ..Event::new(self.id, self.operation, &self.path)
        };
        line(&event, &self.active.audit)
    }

    fn mount(&self) -> Option<Mount<'_>> {
        let core = |point, kind, accessor, class| Some(Mount { point, kind, accessor, class });
        match &self.target {
            Where::Nowhere => None,
            Where::System => core("sys/", "system", "system_strongroom", "secret"),
            Where::Tokens => core("auth/token/", "token", "auth_token_strongroom", "auth"),
            Where::Mount(mount) => {
                let record = &mount.record;
                let class = if mount.is_auth() { "auth" } else { "secret" };
                core(&record.path, &record.kind, &record.accessor, class)
            }
        }
    }
}

fn text(refusal: &Refusal) -> &str {
    if refusal.message.is_empty() { "not found" } else { &refusal.message }
}

fn auth(asker: &Asker) -> Auth<'_> {
    let record = &asker.known.record;
    Auth {
        accessor: &record.accessor,
        display_name: &record.display_name,
        policies: &record.policies,
        token_policies: &record.policies,
        identity_policies: &[],
        metadata: record.meta.as_ref(),
        entity_id: record.entity(),
        token_type: record.kind(),
        remaining_uses: record.num_uses,
        token_ttl: record.creation_ttl,
        issued: Some(record.created),
    }
}

/// The client is told that the log is to blame; why it refuses stands in the server's own log.
fn not_accepted(cause: AuditError, told: &'static str) -> Refusal {
    match cause {
        AuditError::TooManyStrings { .. } => cause.into(),
        other => {
            crate::log::AUDIT.error(format_args!("{other}"));
            Refusal::new(Kind::Internal, told)
        }
    }
}

/// A sink begins to refuse, or takes lines again.
pub fn report(sink: &str, cause: Option<&std::io::Error>) {
    match cause {
        Some(cause) => crate::log::AUDIT.error(format_args!(
            "the audit sink \"{sink}\" refuses: {cause}. Mend it; without any other sink nothing is answered until then"
        )),
        None => crate::log::AUDIT.info(format_args!("the audit sink \"{sink}\" takes lines again")),
    }
}

// === salts ===

/// The configured sinks, each with its salt: made here for one that the cluster has not had yet.
pub async fn salts(parts: &Parts, system: &View) -> Result<Vec<(SinkConfig, Salt)>, Refusal> {
    let reader = system.at(parts.store.snapshot().map_err(fault::store)?);
    let mut batch = Batch::default();
    for sink in &parts.audit {
        if reader.get(&name(&sink.name)?).map_err(fault::barrier)?.is_none() {
            let write = new_salt(&sink.name, parts.entropy.as_ref())?;
            system.seal(&write, &mut batch).map_err(fault::barrier)?;
        }
    }
    if !batch.is_empty() {
        parts.store.commit(batch).await.map_err(fault::store)?;
    }
    let reader = system.at(parts.store.snapshot().map_err(fault::store)?);
    let salted = |sink: &SinkConfig| {
        let salt = reader.get(&name(&sink.name)?).map_err(fault::barrier)?;
        let salt = salt.ok_or_else(|| damaged("the salt of an audit sink is missing"))?;
        Ok((sink.clone(), Salt::new(&salt.value)))
    };
    parts.audit.iter().map(salted).collect()
}

/// A salt for the sink of this name, which has none.
pub fn new_salt(sink: &str, entropy: &dyn Entropy) -> Result<Write, Refusal> {
    let salt = Secret::from(entropy.draw::<32>()?.to_vec());
    Ok(Write::put(name(sink)?, salt).if_unchanged(None))
}

fn name(sink: &str) -> Result<Name, Refusal> {
    Name::new(["audit-salt", sink]).map_err(damaged)
}
