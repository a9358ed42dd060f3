//! One connection: handshake, protocol, and its requests one by one.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use http::header::{CONNECTION, EXPECT, ORIGIN};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request as HttpRequest, Response, StatusCode, Version,
};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustls::crypto::SecureRandom;
use strongroom_core::{Finish, log};
use strongroom_types::error::Kind;
use strongroom_types::id::RequestId;
use strongroom_types::request::Head;
use strongroom_types::{Operation, Received, Refusal, Reply, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;

use crate::Service;
use crate::bind::MetricsAccess;
use crate::body::SocketBody;
use crate::cors::{self, Verdict as Cross};
use crate::custom::CustomHeaders;
use crate::flow::{self, Sent};
use crate::head::{self, Lines, NAMESPACE};
use crate::limits::Limits;
use crate::linger::Lingering;
use crate::pace::{Pace, UnderWay, Verdict, Watch, Watched};
use crate::pages::{add_ui_headers, is_page};
use crate::render::{Asked, no_page, render};
use crate::seats::Seat;

/// Bytes of a body that nobody wants, which are taken so that the connection can stay.
const ARRIVED: usize = 64 * 1024;

/// In answers that tell of a fault of ours.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all connections of a listener share.
pub(crate) struct House {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) limits: Limits,
    pub(crate) headers: CustomHeaders,
    pub(crate) metrics: MetricsAccess,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) random: &'static dyn SecureRandom,
    /// Requests under way.
    pub(crate) requests: AtomicUsize,
    /// Memory for bodies, of all listeners.
    pub(crate) bodies: Arc<Semaphore>,
}

/// What a listener tells its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Go on.
    Open,
    /// Finish what is under way, then close.
    Drain,
    /// Close.
    Cut,
}

/// Serves a connection to its end.
pub(crate) async fn serve<S>(
    house: Arc<House>,
    socket: S,
    remote: Option<SocketAddr>,
    seat: Seat,
    phase: watch::Receiver<Phase>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(acceptor) = house.tls.clone() else {
        return speak(house, socket, false, remote, seat, phase).await;
    };
    let mut stopped = phase.clone();
    let shaken = tokio::select! {
        shaken = timeout(house.limits.handshake_time, acceptor.accept(socket)) => shaken,
        _ = stopped.wait_for(|phase| *phase != Phase::Open) => return,
    };
    // A handshake that fails is the client's affair: nothing to answer, and not worth a line for each scanner.
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(cause)) => return log::HTTP.debug(format_args!("a TLS handshake failed: {cause}")),
        Err(_) => return log::HTTP.debug(format_args!("a TLS handshake took too long")),
    };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    speak(house, stream, http2, remote, seat, phase).await;
}

/// HTTP/2 only if the handshake agreed on it: guessing from the first bytes has no deadline in hyper.
async fn speak<IO>(
    house: Arc<House>,
    io: IO,
    http2: bool,
    remote: Option<SocketAddr>,
    seat: Seat,
    phase: watch::Receiver<Phase>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Arc::new(Pace::default());
    let limits = house.limits.clone();
    let watch = Watch::new(pace.clone(), limits.head_time, limits.idle_time, http2, Instant::now());
    let desk = Arc::new(Desk {
        house,
        pace: pace.clone(),
        remote: remote.map(|remote| (remote.ip().to_canonical(), remote.port())),
        seat: Arc::new(seat),
        phase: phase.clone(),
    });
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    if http2 {
        let io = TokioIo::new(Watched::new(io, pace));
        attend(two(&limits).serve_connection(io, service), watch, limits.tick(), phase).await;
    } else {
        let io = TokioIo::new(Watched::new(Lingering::new(io, pace.clone(), &limits), pace));
        attend(one(&limits).serve_connection(io, service), watch, limits.tick(), phase).await;
    }
}

fn one(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // See `pace`: this timer would also run while the connection is idle.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes.saturating_add(1024).max(8192));
    builder
}

fn two(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle_time / 2)
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .max_local_error_reset_streams(limits.error_resets)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(64 * 1024);
    builder
}

/// Drives a connection, and ends it when its time or the listener's has come.
async fn attend<C: GracefulConnection>(
    connection: C,
    mut watch: Watch,
    tick: Duration,
    mut phase: watch::Receiver<Phase>,
) {
    let mut connection = std::pin::pin!(connection);
    let mut ticks = interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            // How it ended is the client's affair.
            _ = connection.as_mut() => return,
            now = ticks.tick() => match watch.look(now) {
                Verdict::Wait => {}
                Verdict::Shut => connection.as_mut().graceful_shutdown(),
                Verdict::Cut => return,
            },
            changed = phase.changed() => {
                if changed.is_err() || *phase.borrow() == Phase::Cut {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Where the requests of one connection are taken.
struct Desk {
    house: Arc<House>,
    pace: Arc<Pace>,
    remote: Option<(IpAddr, u16)>,
    seat: Arc<Seat>,
    phase: watch::Receiver<Phase>,
}

/// A place among the requests under way.
struct Place(Arc<House>);

impl Place {
    fn take(house: &Arc<House>) -> Option<Self> {
        let place = Self(house.clone());
        (house.requests.fetch_add(1, Relaxed) < house.limits.requests).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

impl Desk {
    async fn answer(&self, request: HttpRequest<Incoming>) -> Response<Sent> {
        let under_way = self.pace.request();
        let (parts, body) = request.into_parts();
        let mut id = [0; 16];
        let random = self.house.random.fill(&mut id);
        let id = RequestId::from_random(id);
        let namespace = parts.headers.get(&NAMESPACE).cloned();
        let limits = &self.house.limits;
        let body = SocketBody::new(body, limits.body_bytes, limits.body_time, &self.house.bodies);
        let rest = body.rest();
        let is_page = is_page(parts.uri.path());
        // Few requests come from a browser: the others need not look at its rules.
        let rules =
            (is_page || parts.headers.contains_key(ORIGIN)).then(|| self.house.service.response_rules());
        let cors = rules.as_ref().and_then(|rules| rules.cors.as_ref());
        let (answer, origin) = match cors::judge(cors, &parts.method, &parts.headers) {
            _ if random.is_err() => (Err(Refusal::internal()), None),
            Cross::Refused(refusal) => (Err(refusal), None),
            Cross::Preflight(origin) => (Ok(cors::nothing()), Some(origin)),
            Cross::Allowed(origin) => (self.ask(id, &parts, body, under_way).await, Some(origin)),
            Cross::Ordinary => (self.ask(id, &parts, body, under_way).await, None),
        };
        let is_preflight = parts.method == Method::OPTIONS;
        let secure = self.house.tls.is_some();
        let mut response = render(Asked { id, method: parts.method, namespace, secure }, answer);
        let status = response.status();
        if status == StatusCode::INTERNAL_SERVER_ERROR
            && let Ok(id) = HeaderValue::from_str(&id.to_string())
        {
            // By this name the log tells the fault; the body has no place for it.
            response.headers_mut().insert(REQUEST_ID, id);
        }
        self.house.headers.apply(status, response.headers_mut());
        if let (Some(rules), true) = (&rules, is_page) {
            add_ui_headers(rules, response.headers_mut());
        }
        if let (Some(origin), Some(cors)) = (origin, cors) {
            cors::allow(cors, origin, response.headers_mut());
            if is_preflight {
                cors::explain(cors, response.headers_mut());
            }
        }
        // HTTP/2 ends the stream by itself. Here the next request would stand behind a body that nobody reads.
        let expects = parts.headers.contains_key(EXPECT);
        if parts.version < Version::HTTP_2 && !rest.finish(ARRIVED, expects).await {
            self.pace.leave_unread();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|content| flow::sent(content, &self.phase, &self.pace, limits.idle_time))
    }

    /// What core wants to see of the headers: those of the audit log's settings, and how metrics are wanted.
    fn wanted(&self, path: &str, headers: &HeaderMap) -> Vec<(String, String)> {
        let of = |name: &str| -> Vec<(String, String)> {
            let values = headers.get_all(name).iter();
            values
                .map(|value| (name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect()
        };
        let mut wanted = Vec::new();
        if let Some(rules) = self.house.service.audited_headers() {
            wanted.extend(rules.audit_headers.iter().flat_map(|(name, _)| of(name)));
        }
        if path == METRICS {
            wanted.extend(of("accept"));
        }
        wanted
    }

    async fn ask(
        &self,
        id: RequestId,
        parts: &http::request::Parts,
        body: SocketBody,
        under_way: UnderWay,
    ) -> Result<Reply, Refusal> {
        if is_page(parts.uri.path()) {
            return Ok(no_page());
        }
        let limits = &self.house.limits;
        let lines =
            Lines { method: &parts.method, uri: &parts.uri, version: parts.version, headers: &parts.headers };
        let mut head = head::parse(&lines, id, self.remote, limits.token_bytes)?;
        head.headers = self.wanted(head.path.as_str(), &parts.headers);
        let Some(place) = Place::take(&self.house) else {
            return Err(Refusal::new(Kind::TooMany, "too many requests are under way: try again"));
        };
        let service = self.house.service.clone();
        let is_metrics = asks_for_metrics(&head);
        if self.house.metrics.only && !is_metrics {
            return Err(Refusal::not_found());
        }
        if self.house.metrics.open && is_metrics && head.token.is_none() {
            return service.open_metrics(&head);
        }
        // What goes on without its client, or after its answer has begun, still counts as this connection, as a request
        // under way, and as much memory as its body took.
        let held = (self.seat.clone(), place, under_way, body.claim());
        let request = Request { head, stage: Received { body: Box::new(body) } };
        let mut work = Finish::new(async move {
            let mut answer = service.handle(request).await;
            report(id, &answer);
            if let Ok(reply) = &mut answer {
                reply.keep(held);
            }
            answer
        });
        // Most answers are there at once: those need no timer.
        let at_once = poll_fn(|cx| match Pin::new(&mut work).poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(answer) = at_once.await {
            return answer;
        }
        timeout(limits.request_time, work).await.unwrap_or_else(|_| {
            Err(Refusal::new(Kind::Unavailable, "the request took too long; it may still take effect"))
        })
    }
}

const METRICS: &str = "sys/metrics";

/// Whether the metrics are asked for, and nothing else.
fn asks_for_metrics(head: &Head) -> bool {
    let reads = matches!(head.operation, Operation::Read | Operation::Head);
    reads && head.path.as_str() == METRICS && !head.path.has_trailing_slash()
}

/// A fault of ours is logged once, here, where its answer leaves; the client can name the request.
fn report(id: RequestId, answer: &Result<Reply, Refusal>) {
    if let Err(Refusal { cause: Some(cause), .. }) = answer {
        log::HTTP.error(format_args!("request {id}: {cause}"));
    }
}
