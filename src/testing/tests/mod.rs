//! The server as a client sees it: raw lines over real TLS, no code of the clients.

mod imap;
mod modes;
mod pop;
mod smtp;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::line_io::Stream;
use super::*;

const USER: &str = "billing@contoso.example";
const OTHER: &str = "orders@contoso.example";

/// A server with two mailboxes.
async fn server_of(service: Service) -> Server {
    let server = Server::builder().service(service).start().await.unwrap();
    server.add_mailbox(USER);
    server.add_mailbox(OTHER);
    server
}

async fn server() -> Server {
    server_of(Service::ExchangeOnline).await
}

/// An XOAUTH2 initial response.
fn xoauth2(user: &str, token: &str) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

/// The TLS of a client that trusts `certificate` and nothing else.
fn connector(certificate: &[u8]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate.to_vec())).unwrap();
    #[cfg(feature = "ring")]
    let provider = rustls::crypto::ring::default_provider();
    #[cfg(not(feature = "ring"))]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// A client that only speaks lines.
struct Raw {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    tls: TlsConnector,
}

impl Raw {
    /// Connects, and does TLS if the endpoint has it from the start.
    async fn open(server: &Server, endpoint: &Endpoint) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", endpoint.port())).await.unwrap();
        let tls = connector(server.certificate_der());
        let raw = Self { stream: Box::new(stream), input: Vec::new(), tls };
        if endpoint.security() == Security::ImplicitTls {
            raw.start_tls("localhost").await
        } else {
            raw
        }
    }

    async fn start_tls(self, name: &'static str) -> Self {
        assert_eq!(self.input, b"", "something followed the go-ahead");
        let name = ServerName::try_from(name).unwrap();
        let stream = self.tls.connect(name, self.stream).await.unwrap();
        Self { stream: Box::new(stream), ..self }
    }

    async fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes()).await;
    }

    async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads more; false at the end.
    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.input).await.unwrap_or(0) > 0
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(at) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.input.drain(..at + 2).take(at).collect();
                return String::from_utf8(line).unwrap();
            }
            assert!(self.fill().await, "connection ended after {:?}", self.input);
        }
    }

    async fn octets(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            assert!(self.fill().await, "connection ended");
        }
        self.input.drain(..count).collect()
    }

    /// The lines up to the first that begins with `start`.
    async fn until(&mut self, start: &str) -> Vec<String> {
        let mut lines = vec![self.line().await];
        while !lines.last().unwrap().starts_with(start) {
            lines.push(self.line().await);
        }
        lines
    }

    /// Sends a line and reads one.
    async fn ask(&mut self, line: &str) -> String {
        self.send(line).await;
        self.line().await
    }

    /// The connection is over and nothing more was said.
    async fn ends(&mut self) {
        while self.fill().await {}
        assert_eq!(String::from_utf8_lossy(&self.input), "");
    }
}

#[test]
fn a_server_can_be_shared_between_tasks() {
    fn shareable<T: Send + Sync + 'static>() {}
    shareable::<Server>();
    shareable::<Builder>();
    shareable::<Login>();
}

#[tokio::test]
async fn endpoints_say_where_and_how_to_connect() {
    let server = server_of(Service::HighVolumeEmail).await;
    let smtp = server.smtp();
    assert_eq!((smtp.host(), smtp.security()), ("localhost", Security::StartTls));
    assert_eq!(smtp.profile().least_token_lifetime(), Duration::from_secs(600));
    let all = [
        smtp,
        server.smtp_implicit(),
        server.imap(),
        server.imap_starttls(),
        server.pop(),
        server.pop_starttls(),
    ];
    let ports: std::collections::BTreeSet<u16> = all.iter().map(Endpoint::port).collect();
    assert!(ports.len() == 6 && !ports.contains(&0));
}

#[tokio::test]
async fn the_certificate_is_good_for_the_name_and_the_address() {
    let server = server().await;
    for name in ["localhost", "127.0.0.1"] {
        let stream = TcpStream::connect(("127.0.0.1", server.imap().port())).await.unwrap();
        let tls = connector(server.certificate_der());
        let mut raw =
            Raw { stream: Box::new(stream), input: Vec::new(), tls }.start_tls(name).await;
        assert!(
            raw.line().await.starts_with("* OK The Microsoft Exchange IMAP4 service is ready.")
        );
    }
    let stream = TcpStream::connect(("127.0.0.1", server.imap().port())).await.unwrap();
    let name = ServerName::try_from("outlook.office365.com").unwrap();
    assert!(connector(server.certificate_der()).connect(name, stream).await.is_err());
}

#[tokio::test]
async fn a_dropped_server_takes_its_connections_along() {
    let server = server().await;
    let endpoint = server.imap();
    let mut raw = Raw::open(&server, &endpoint).await;
    raw.line().await;
    drop(server);
    raw.ends().await;
    assert!(TcpStream::connect(("127.0.0.1", endpoint.port())).await.is_err());
}

#[tokio::test]
async fn shutdown_returns_when_all_connections_have_gone() {
    let server = server().await;
    let (world, endpoint) = (Arc::downgrade(&server.world), server.pop());
    let mut raw = Raw::open(&server, &endpoint).await;
    raw.line().await;
    server.shutdown().await;
    assert!(world.upgrade().is_none());
    raw.ends().await;
}

#[tokio::test]
async fn logins_and_transcript_tell_what_happened_without_the_token() {
    let server = server().await;
    let token = server.issue_token(USER);
    let mut imap = imap::open(&server).await;
    imap.ask(&format!("a AUTHENTICATE XOAUTH2 {}", xoauth2(USER, "guess"))).await;
    imap.ask(&format!("b AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &token))).await;
    let mut pop = pop::open(&server).await;
    pop.ask("AUTH XOAUTH2").await;
    pop.ask(&xoauth2(OTHER, &token)).await;
    let logins = server.logins();
    let seen: Vec<_> = logins
        .iter()
        .map(|login| (login.protocol(), login.mailbox(), login.used(&token), login.accepted()))
        .collect();
    assert_eq!(
        seen,
        [
            (Protocol::Imap, USER, false, false),
            (Protocol::Imap, USER, true, true),
            (Protocol::Pop, OTHER, true, false),
        ]
    );
    assert_eq!(logins[0].mechanism(), "XOAUTH2");
    let transcript = server.transcript().join("\n");
    assert!(transcript.contains("imap-1 S: b OK AUTHENTICATE completed."), "{transcript}");
    assert!(transcript.contains("pop-1 C: [secret, "), "{transcript}");
    // A client that lost count sends SASL where a command is due.
    imap.ask(&xoauth2(USER, &token)).await;
    let transcript = server.transcript().join("\n");
    for secret in [token.as_str(), &xoauth2(USER, &token), &xoauth2(OTHER, &token)] {
        assert!(!transcript.contains(secret));
        assert!(!format!("{server:?} {logins:?}").contains(secret));
    }
}

/// Octets that go wrong easily: dots, 8-bit, lone CR and LF, a line over every limit.
fn awkward_message() -> Vec<u8> {
    let mut message = b"From: billing@contoso.example\r\nSubject: \xc3\xa4\r\n\r\n".to_vec();
    message.extend(b".\r\n..\r\n.dot\r\nlone \n.\n lf and \r cr\r\n\x00\x80\xff\r\n");
    message.extend(vec![b'x'; 100_000]);
    message.extend(b"\r\n\r\n.\r\n");
    message
}

#[tokio::test]
async fn a_message_keeps_every_octet_from_smtp_to_imap_and_pop() {
    let server = server().await;
    let message = awkward_message();
    let mut smtp = smtp::logged_in(&server).await;
    smtp::envelope(&mut smtp, USER, OTHER).await;
    smtp::data(&mut smtp, &message).await;
    assert!(smtp.line().await.starts_with("250 2.0.0 OK <"));
    assert_eq!(server.messages(OTHER), std::slice::from_ref(&message));
    assert_eq!(server.messages_in(USER, "Sent"), std::slice::from_ref(&message));

    server.allow(USER, OTHER);
    let token = server.issue_token(USER);
    let mut imap = imap::open(&server).await;
    imap.ask(&format!("a AUTHENTICATE XOAUTH2 {}", xoauth2(OTHER, &token))).await;
    imap.send("b SELECT INBOX").await;
    imap.until("b OK").await;
    let head = imap.ask("c UID FETCH 1 (BODY.PEEK[])").await;
    assert_eq!(head, format!("* 1 FETCH (UID 1 BODY[] {{{}}}", message.len()));
    assert_eq!(imap.octets(message.len()).await, message);
    assert_eq!(imap.line().await, ")");

    let mut pop = pop::open(&server).await;
    pop.ask("AUTH XOAUTH2").await;
    pop.ask(&xoauth2(OTHER, &token)).await;
    assert_eq!(pop.ask("RETR 1").await, "+OK");
    assert_eq!(pop::dotted(&mut pop).await, message);
}
