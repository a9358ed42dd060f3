//! A small client: one kept-alive connection, made again when it is lost.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// See the module.
pub struct Client {
    address: SocketAddr,
    tls: Option<TlsConnector>,
    open: Option<SendRequest<Full<Bytes>>>,
    /// Sent as `X-Vault-Token` unless empty.
    pub token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null if it is empty or no JSON.
    pub body: Value,
}

impl Client {
    /// For plain HTTP.
    pub fn plain(address: SocketAddr, token: &str) -> Self {
        Self { address, tls: None, open: None, token: token.to_owned() }
    }

    /// For HTTPS, trusting only the CA in `pem`.
    pub fn secure(address: SocketAddr, pem: &[u8], token: &str) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config))), ..Self::plain(address, token) })
    }

    /// Sends one request, on a new connection if the last one is gone before anything was sent on it.
    pub async fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send_raw(method, path, &[], body.into_bytes()).await
    }

    /// The same with headers and any body.
    pub async fn send_raw(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> io::Result<Answer> {
        self.send_as(method, path, "application/json", headers, body).await
    }

    /// The same of another content type.
    pub async fn send_kind(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> io::Result<Answer> {
        self.send_as(method, path, kind, &[], body).await
    }

    async fn send_as(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> io::Result<Answer> {
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"))
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, kind);
        if !self.token.is_empty() {
            request = request.header("X-Vault-Token", &self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(io::Error::other)?;
        let answer = self.exchange(request);
        let answer = tokio::time::timeout(Duration::from_secs(60), answer).await;
        answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).inspect_err(|_| self.open = None)
    }

    async fn exchange(&mut self, request: hyper::Request<Full<Bytes>>) -> io::Result<Answer> {
        // The server may be about to close one that it has just answered on: nothing has been sent on it yet.
        let is_usable = match self.open.as_mut() {
            Some(open) => open.ready().await.is_ok(),
            None => false,
        };
        if !is_usable {
            self.open = Some(self.connect().await?);
        }
        let Some(open) = self.open.as_mut() else { return Err(io::ErrorKind::NotConnected.into()) };
        open.ready().await.map_err(io::Error::other)?;
        let response = open.send_request(request).await.map_err(io::Error::other)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if head.headers.get(CONNECTION).is_some_and(|value| value == "close") {
            self.open = None;
        }
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => speak(stream).await,
            Some(tls) => {
                let name = ServerName::IpAddress(self.address.ip().into());
                speak(tls.connect(name, stream).await?).await
            }
        }
    }
}

async fn speak<S>(stream: S) -> io::Result<SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}
