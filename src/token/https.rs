//! HTTP/1.1 over one connection for one request: what a token flow needs every hour or so.
//!
//! The connection is opened as the mail connections are: the same dialling, the same TLS.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header;
use oauth2::url::{Host, Url};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::http::{
    HttpClient, HttpError, HttpRequest, HttpResponse, UrlError, is_next_door, request_url,
};
use super::token_endpoint::LONGEST_BODY;
#[cfg(feature = "proxy")]
use crate::net::proxy::Proxy;
use crate::net::tls::HandshakeError;
use crate::net::{Connection, Dial, Stream, Tcp};
use crate::{BoxFuture, tls};

/// The client that flows use unless they are lent another.
#[derive(Default)]
pub(super) struct Direct {
    tls: tls::Config,
    #[cfg(feature = "proxy")]
    proxy: Option<Proxy>,
}

impl HttpClient for Direct {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(async move { Ok(self.exchange(request).await?) })
    }
}

#[derive(Debug, thiserror::Error)]
enum DirectError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("connecting to {host}:{port}: {source}")]
    Dial { host: String, port: u16, source: io::Error },
    #[cfg(feature = "proxy")]
    #[error(transparent)]
    Proxy(#[from] crate::net::Error),
    #[cfg(feature = "proxy")]
    #[error(transparent)]
    ProxySetup(#[from] crate::net::proxy::SetupError),
    #[error("the host of a clear-text URL is not this machine")]
    NotLoopback,
    #[error(transparent)]
    Tls(#[from] HandshakeError),
    #[error("the request cannot be sent: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("reading the body of the answer: {0}")]
    Body(HttpError),
}

impl Direct {
    pub(super) const fn new(tls: tls::Config) -> Self {
        Self {
            tls,
            #[cfg(feature = "proxy")]
            proxy: None,
        }
    }

    #[cfg(feature = "proxy")]
    pub(super) fn through(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, DirectError> {
        let url = request_url(request.url())?;
        let outgoing = to_hyper(&url, &request)?;
        let stream = self.open(&url).await?;
        let (mut sender, mut connection) = http1::handshake(HyperIo(stream)).await?;
        let exchange = async {
            let response = sender.send_request(outgoing).await?;
            from_hyper(response).await
        };
        // The connection is driven here and not in a task, so that it ends when this future does.
        let mut exchange = pin!(exchange);
        let mut closed = false;
        std::future::poll_fn(|context| {
            if let Poll::Ready(done) = exchange.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            if !closed && let Poll::Ready(end) = Pin::new(&mut connection).poll(context) {
                end?;
                closed = true;
            }
            Poll::Pending
        })
        .await
    }

    /// The connection, for `https` inside TLS. Its time is the flow's, which has a deadline for
    /// the request as a whole.
    async fn open(&self, url: &Url) -> Result<Box<dyn Stream>, DirectError> {
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        };
        let port = url.port_or_known_default().unwrap_or(443);
        let connection = self.dial(&host, port).await?;
        if url.scheme() == "https" {
            return Ok(self.tls.handshake(connection, &host, Duration::MAX).await?.0);
        }
        // `request_url` lets clear text pass by the name; the address decides. Behind a proxy, it
        // is not known.
        if connection.peer.is_some_and(|peer| is_next_door(peer.ip())) {
            Ok(connection.stream)
        } else {
            Err(DirectError::NotLoopback)
        }
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Connection, DirectError> {
        #[cfg(feature = "proxy")]
        if let Some(proxy) = &self.proxy {
            return Ok(proxy.route(host, port)?.open(&Tcp::default(), Duration::MAX).await?);
        }
        let dialled = Tcp::default().dial(host, port).await;
        dialled.map_err(|source| DirectError::Dial { host: host.to_owned(), port, source })
    }
}

fn to_hyper(
    url: &Url,
    request: &HttpRequest,
) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
    let target = url
        .query()
        .map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    // hyper's connection-level client leaves Host to its caller (RFC 9112 section 3.2).
    let host = match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let mut outgoing = hyper::Request::builder()
        .method(request.method())
        .uri(target)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, concat!("mailbearer/", env!("CARGO_PKG_VERSION")));
    for (name, value) in request.headers() {
        outgoing = outgoing.header(name, value);
    }
    outgoing.body(Full::new(Bytes::copy_from_slice(request.body())))
}

async fn from_hyper(
    response: hyper::Response<hyper::body::Incoming>,
) -> Result<HttpResponse, DirectError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(DirectError::Body)?;
    let mut answer = HttpResponse::new(head.status.as_u16()).with_body(Vec::from(body.to_bytes()));
    for (name, value) in &head.headers {
        // Token endpoints say nothing of interest in octets that are not text.
        if let Ok(value) = value.to_str() {
            answer = answer.with_header(name.as_str(), value);
        }
    }
    Ok(answer)
}

/// Tokio's stream, as hyper wants to see it.
struct HyperIo(Box<dyn Stream>);

impl hyper::rt::Read for HyperIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut target: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Handing hyper's own buffer to Tokio takes unsafe code; for a few kilobytes a copy will do.
        let mut space = [0; 4096];
        let room = space.len().min(target.remaining());
        let mut buffer = ReadBuf::new(&mut space[..room]);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
        target.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for HyperIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;

    use super::*;

    /// An HTTP server that answers one request on each of as many connections as there are
    /// answers. Its task returns the requests. Answers are whole HTTP messages.
    pub(crate) async fn serve(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                requests.push(read_request(&mut stream).await);
                // A client that has read enough may be gone already.
                let _ = stream.write_all(&answer).await;
            }
            requests
        });
        (url, server)
    }

    async fn read_request(stream: &mut TcpStream) -> String {
        let mut request = Vec::new();
        loop {
            let text = String::from_utf8(request.clone()).unwrap();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                });
                if body.len() >= length.unwrap_or(0) {
                    return text;
                }
            }
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "cut short: {text}");
        }
    }

    pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into()
    }

    async fn post(url: &str) -> Result<HttpResponse, HttpError> {
        let request = HttpRequest::new("POST", format!("{url}?a=1"))
            .with_header("accept", "application/json")
            .with_body("grant_type=x");
        Direct::default().send(request).await
    }

    #[tokio::test]
    async fn a_request_goes_out_whole_and_the_answer_comes_back_whole() {
        let answers = vec![answer("429 Too Many", "Retry-After: 7\r\n", "later")];
        let (url, server) = serve(answers).await;
        let response = post(&url).await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.header("retry-after"), Some("7"));
        assert_eq!(response.body(), b"later");
        let request = &server.await.unwrap()[0];
        let host = url.trim_start_matches("http://").trim_end_matches("/token");
        assert!(request.starts_with("POST /token?a=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("\r\nhost: {host}\r\n")), "{request}");
        assert!(request.contains("\r\naccept: application/json\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\ngrant_type=x"), "{request}");
    }

    #[tokio::test]
    async fn chunked_and_unbounded_bodies_are_read() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                       2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let until_close = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc";
        let (url, _server) = serve(vec![chunked.into(), until_close.into()]).await;
        for _ in 0..2 {
            assert_eq!(post(&url).await.unwrap().body(), b"abc");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_returned_and_not_followed() {
        let elsewhere = "Location: http://127.0.0.1:9/\r\n";
        let (url, _server) = serve(vec![answer("307 Moved", elsewhere, "")]).await;
        assert_eq!(post(&url).await.unwrap().status(), 307);
    }

    #[tokio::test]
    async fn a_body_over_one_mebibyte_is_an_error() {
        let (fits, exceeds) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
        let answers = vec![answer("200 OK", "", &fits), answer("200 OK", "", &exceeds)];
        let (url, _server) = serve(answers).await;
        assert_eq!(post(&url).await.unwrap().body().len(), 1 << 20);
        let error = post(&url).await.unwrap_err().to_string();
        assert_eq!(error, "reading the body of the answer: length limit exceeded");
    }

    #[tokio::test]
    async fn a_server_that_closes_or_talks_nonsense_is_an_error() {
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec();
        let answers = vec![Vec::new(), b"220 mail.example ESMTP\r\n".to_vec(), cut];
        let (url, _server) = serve(answers).await;
        for _ in 0..3 {
            assert!(post(&url).await.is_err());
        }
    }

    #[tokio::test]
    async fn clear_text_to_another_host_is_refused_before_dialling() {
        let error = post("http://192.0.2.1/token").await.unwrap_err().to_string();
        assert!(error.contains("is not https"), "{error}");
    }

    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    #[tokio::test]
    async fn a_server_without_tls_is_named_in_the_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Speak clearly\r\n\r\n").await.unwrap();
            // Held until the client has gone, so that it reads the answer and not a reset.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let error = post(&format!("https://{address}/token")).await.unwrap_err().to_string();
        assert!(error.contains("TLS handshake with 127.0.0.1"), "{error}");
        server.await.unwrap();
    }

    #[cfg(all(feature = "proxy", any(feature = "ring", feature = "aws-lc-rs")))]
    #[tokio::test]
    async fn a_proxy_that_refuses_is_named_and_what_it_says_decides_on_a_retry() {
        use crate::net::proxy::Proxy;
        use crate::token::{ClientCredentials, ErrorKind, TokenProvider, TokenRequest};
        use crate::{Endpoint, Failure, Retry};

        let basic = "Proxy-Authenticate: Basic\r\n";
        let answers = vec![answer("407 Who?", basic, ""), answer("503 Down", "", "")];
        let (url, server) = serve(answers).await;
        let address = url.trim_start_matches("http://").trim_end_matches("/token");
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        let proxy = Proxy::http("127.0.0.1", port).credentials("user", "planted-password");
        let tokens = ClientCredentials::builder("https://login.example/token", "app", "secret");
        let tokens = tokens.proxy(proxy).build().unwrap();
        let request = TokenRequest::new(Endpoint::imap("mail.example.net"), "a@b.c");
        let refused = tokens.token(&request).await.unwrap_err();
        assert_eq!((refused.kind(), refused.retry()), (ErrorKind::Transport, Retry::Never));
        let expected = format!(
            "cannot reach login.example:443 through http://{address}: the proxy refused the user \
             name or the password"
        );
        assert!(refused.to_string().contains(&expected), "{refused}");
        assert!(!format!("{refused:?}").contains("planted"), "{refused:?}");
        let down = tokens.token(&request).await.unwrap_err();
        assert_eq!(down.retry(), Retry::Later(None));
        let request = &server.await.unwrap()[0];
        assert!(request.starts_with("CONNECT login.example:443 HTTP/1.1\r\n"), "{request}");
    }

    #[cfg(all(feature = "testing", feature = "ring"))]
    #[tokio::test]
    async fn over_tls_the_certificate_must_be_trusted_and_carry_the_name() {
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
        let ring = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let server_config = rustls::ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(server_config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer("200 OK", "", "over TLS")).await;
                let _ = stream.shutdown().await;
            }
        });

        let trusting = tls::Config::with_root_pem(signed.cert.pem().as_bytes()).unwrap();
        let client = Direct::new(trusting);
        let ask = |host| HttpRequest::new("POST", format!("https://{host}:{port}/token"));
        assert_eq!(client.send(ask("127.0.0.1")).await.unwrap().body(), b"over TLS");

        let wrong_name = client.send(ask("localhost")).await.unwrap_err().to_string();
        assert!(wrong_name.starts_with("the certificate of localhost was refused"), "{wrong_name}");
        let unknown = Direct::default().send(ask("127.0.0.1")).await.unwrap_err().to_string();
        assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    }
}
