//! The yardstick of the benchmark: hyper over rustls and nothing else, answering the same bytes to every request.
//!
//! ```text
//! bare CERT KEY [ADDRESS [BYTES [service]]]
//! ```
//!
//! `service` answers the same through the whole of `strongroom-http` instead, with a service that does nothing:
//! the difference is what the listener costs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use strongroom_http::{
    Address, CustomHeaders, Limits, Listener, MinVersion, Pem, Seating, Service, Tls, bind, serve,
};
use strongroom_types::{BoxFuture, Received, Refusal, Reply, Request};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

type Fault = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let mut arguments = std::env::args().skip(1);
    let (Some(certificate), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bare CERT KEY [ADDRESS [BYTES [service]]]".into());
    };
    let address: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:8299").parse()?;
    let bytes: usize = arguments.next().as_deref().unwrap_or("1024").parse()?;
    match arguments.next() {
        None => bare(&certificate, &key, address, bytes).await,
        Some(_) => whole(certificate, key, address, bytes).await,
    }
}

/// hyper and rustls with the listener's own TLS settings.
async fn bare(certificate: &str, key: &str, address: SocketAddr, bytes: usize) -> Result<(), Fault> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let body = Bytes::from(vec![b'x'; bytes]);
    let listener = TcpListener::bind(address).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (acceptor, body) = (acceptor.clone(), body.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(socket).await else { return };
            let service = service_fn(move |_| {
                let body = body.clone();
                async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
            });
            let mut builder = http1::Builder::new();
            let _ = builder.header_read_timeout(None).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Answers the same text to everything.
struct Same(String);

impl Service for Same {
    fn handle(&self, _: Request<Received>) -> BoxFuture<'_, Result<Reply, Refusal>> {
        Box::pin(async { Ok(Reply::data(serde_json::json!({ "x": self.0 }))) })
    }
}

async fn whole(certificate: String, key: String, address: SocketAddr, bytes: usize) -> Result<(), Fault> {
    let tls = Tls {
        certificate: Pem::File(certificate.into()),
        key: Pem::File(key.into()),
        min_version: MinVersion::Tls13,
    };
    let (limits, headers) = (Limits::default(), CustomHeaders::default());
    let listener = Listener {
        address: Address::Tcp(address),
        tls: Some(tls),
        limits,
        headers,
        metrics: Default::default(),
    };
    let (_never, stop) = watch::channel(false);
    let seating = Seating { connections: 1024 };
    serve(vec![bind(listener)?], Arc::new(Same("x".repeat(bytes))), seating, stop).await;
    Ok(())
}
