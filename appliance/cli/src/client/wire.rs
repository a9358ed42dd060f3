//! The bytes of one request and one answer: a connection of their own, HTTP/1.1.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::address::{Address, Target};
use super::{Answer, Ask, Client};

/// Longest answer that is read.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// Why there is no answer.
pub struct Lost {
    /// For people.
    pub why: String,
    /// Whether it makes sense to ask again, and does no harm: nobody was reached, or nothing was to be changed.
    pub again: bool,
}

/// What another try does not mend.
impl From<String> for Lost {
    fn from(why: String) -> Self {
        Self { why, again: false }
    }
}

/// Sends, and reads the answer.
pub async fn send(client: &Client, ask: &Ask<'_>, target: &Target) -> Result<Answer, Lost> {
    Ok(whole(begin(client, ask, target).await?).await?)
}

/// Sends, and reads the head of the answer.
pub async fn begin(client: &Client, ask: &Ask<'_>, target: &Target) -> Result<Response<Incoming>, Lost> {
    let request = request(client, ask, target)?;
    let unreached = |why: String| Lost { why, again: true };
    match &client.address {
        Address::Unix(path) => {
            let socket = UnixStream::connect(path).await.map_err(|error| unreached(error.to_string()))?;
            exchange(socket, request).await
        }
        Address::Tcp { host, port, .. } => {
            let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| {
                unreached(format!("cannot connect to {}: {error}", client.address.host()))
            })?;
            let _ = socket.set_nodelay(true);
            let Some(config) = &client.tls else { return exchange(socket, request).await };
            let name = client.tls_name.as_deref().unwrap_or(host);
            let name =
                ServerName::try_from(name.to_owned()).map_err(|_| format!("\"{name}\" is no server name"))?;
            let connector = TlsConnector::from(config.clone());
            let stream = connector.connect(name, socket).await.map_err(|error| explain(&error))?;
            exchange(stream, request).await
        }
    }
}

/// What to do about the commonest failure of a handshake.
fn explain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let hint = if text.contains("UnknownIssuer") {
        ". The server's CA is not known here: name its file with VAULT_CACERT or -ca-cert"
    } else if ["InvalidContentType", "corrupt message", "handshake eof"]
        .iter()
        .any(|sign| text.contains(sign))
    {
        ". The server does not seem to speak TLS: does VAULT_ADDR have to begin with http://?"
    } else {
        ""
    };
    format!("the TLS handshake failed: {text}{hint}")
}

fn request(client: &Client, ask: &Ask<'_>, target: &Target) -> Result<Request<Full<Bytes>>, String> {
    let body = match ask.body {
        Some(body) => {
            Bytes::from_owner(Zeroizing::new(serde_json::to_vec(body).map_err(|error| error.to_string())?))
        }
        None => Bytes::new(),
    };
    let mut request = Request::builder()
        .method(ask.method)
        .uri(client.address.line(target))
        .header(HOST, client.address.host())
        .body(Full::new(body))
        .map_err(|error| format!("the request cannot be sent: {error}"))?;
    let headers = request.headers_mut();
    if ask.body.is_some() {
        let kind = if ask.method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if let Some(token) = &client.token {
        let mut value = HeaderValue::from_bytes(token.expose())
            .map_err(|_| "the token cannot be sent: it holds characters that no token has".to_owned())?;
        value.set_sensitive(true);
        headers.insert("x-vault-token", value);
    }
    for (name, value) in client.headers_for(ask) {
        headers.append(name, value.clone());
    }
    Ok(request)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Lost>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // A write may have had its effect, and would have it twice.
    let is_read = request.method() == http::Method::GET;
    let broken = |error: hyper::Error| match error.is_parse() {
        true => Lost::from(
            "the server does not answer with HTTP: does VAULT_ADDR have to begin with https://?".to_owned(),
        ),
        false => Lost { why: format!("the connection broke: {error}"), again: is_read },
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(broken)
}

/// The rest of an answer.
pub async fn whole(response: Response<Incoming>) -> Result<Answer, String> {
    let status = response.status().as_u16();
    if (300..400).contains(&status) {
        // Followed blindly, a token would go wherever an answer says; taken for a success, a write would be lost.
        let to =
            response.headers().get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        let to = to.map_or_else(|| "elsewhere".to_owned(), |to| format!("to {to}"));
        return Err(format!(
            "nothing was done: the server sends us {to}. If that is right, set VAULT_ADDR to it"
        ));
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await
        .map_err(|error| format!("the answer did not arrive whole: {error}"))?;
    Ok(Answer { status, body: Zeroizing::new(body.to_bytes().to_vec()) })
}
