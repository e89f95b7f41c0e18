//! Proxies over pipes in memory.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::{BoxFuture, Retry};

const LIMIT: Duration = Duration::from_secs(30);
const CONNECTED: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// Dials one pipe, and remembers what was asked for.
struct Pipe {
    near: Mutex<Option<DuplexStream>>,
    asked: Mutex<Vec<(String, u16)>>,
}

impl Pipe {
    fn new() -> (Arc<Self>, DuplexStream) {
        let (near, far) = duplex(64 * 1024);
        let (near, asked) = (Mutex::new(Some(near)), Mutex::default());
        (Arc::new(Self { near, asked }), far)
    }
}

impl Dial for Arc<Pipe> {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        self.asked.lock().unwrap().push((host.to_owned(), port));
        let near = self.near.lock().unwrap().take();
        Box::pin(async move {
            let near = near.ok_or(io::ErrorKind::ConnectionRefused)?;
            Ok(Connection::new(near).with_peer(([127, 0, 0, 1], 3128).into()))
        })
    }
}

/// Never answers.
struct Silent;

impl Dial for Silent {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(std::future::pending())
    }
}

async fn read_request(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    String::from_utf8(request).unwrap()
}

/// A proxy that answers one request with `answer` and gives back the request and the stream.
fn answering(mut far: DuplexStream, answer: &'static str) -> JoinHandle<(String, DuplexStream)> {
    tokio::spawn(async move {
        let request = read_request(&mut far).await;
        far.write_all(answer.as_bytes()).await.unwrap();
        (request, far)
    })
}

async fn open(proxy: &Proxy, dial: &dyn Dial) -> Result<Connection, net::Error> {
    proxy.route("mail.example.net", 143).unwrap().open(dial, LIMIT).await
}

/// What the proxy did, of an error that names proxy and server.
fn cause(error: net::Error, url: &str) -> Error {
    let shown = error.to_string();
    let begin = format!("cannot reach mail.example.net:143 through {url}: ");
    assert!(shown.starts_with(&begin), "{shown}");
    match error {
        net::Error::Proxy { source, .. } => *source,
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_the_server_says_behind_the_answer_is_read_first() {
    let (pipe, far) = Pipe::new();
    let server = answering(far, "HTTP/1.1 200 OK\r\n\r\n* OK ready\r\n");
    let mut connection = open(&Proxy::http("proxy.example", 3128), &pipe).await.unwrap();
    assert_eq!(*pipe.asked.lock().unwrap(), [("proxy.example".to_owned(), 3128)]);
    assert_eq!(connection.peer, None);
    let (_, mut far) = server.await.unwrap();
    far.write_all(b"more").await.unwrap();
    let mut heard = [0; 16];
    connection.stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"* OK ready\r\nmore");
    connection.stream.write_all(b"a NOOP\r\n").await.unwrap();
    let mut said = [0; 8];
    far.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"a NOOP\r\n");
}

#[tokio::test(start_paused = true)]
async fn one_deadline_bounds_all_and_the_error_says_how_far_it_came() {
    let proxy = Proxy::socks5("proxy.example", 1080);
    let begun = Instant::now();
    let error = cause(open(&proxy, &Silent).await.unwrap_err(), "socks5://proxy.example:1080");
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    assert_eq!(begun.elapsed(), LIMIT);

    let (pipe, _far) = Pipe::new();
    let begun = Instant::now();
    let error = cause(open(&proxy, &pipe).await.unwrap_err(), "socks5://proxy.example:1080");
    assert!(matches!(error, Error::Deadline { after: LIMIT }), "{error}");
    assert_eq!(begun.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_drips_comes_to_the_deadline_too() {
    let (pipe, mut far) = Pipe::new();
    let dripping = tokio::spawn(async move {
        read_request(&mut far).await;
        far.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.unwrap();
        while far.write_all(b"y").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
    });
    let begun = Instant::now();
    let error = open(&Proxy::http("proxy.example", 3128), &pipe).await.unwrap_err();
    let error = cause(error, "http://proxy.example:3128");
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
    assert_eq!(begun.elapsed(), LIMIT);
    dripping.await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_is_gone_is_not_taken_for_the_server() {
    let proxy = Proxy::http("::1", 3128);
    let (pipe, far) = Pipe::new();
    drop(far);
    let error = cause(open(&proxy, &pipe).await.unwrap_err(), "http://[::1]:3128");
    assert!(matches!(error, Error::Closed | Error::Io(_)), "{error}");
    let refused = cause(open(&proxy, &pipe).await.unwrap_err(), "http://[::1]:3128");
    assert!(matches!(refused, Error::Unreachable(_)), "{refused}");
    assert_eq!(refused.retry(), Retry::Later(None));
}

#[test]
fn neither_a_proxy_nor_its_routes_show_credentials() {
    let proxy = Proxy::https("proxy.example", 443).credentials("customer-7", "hunter22");
    let shown = format!("{proxy:?} {proxy:#?} {proxy}");
    assert!(!shown.contains("customer-7") && !shown.contains("hunter22"), "{shown}");
    assert!(shown.contains("[secret]"), "{shown}");
}

#[test]
fn hosts_that_no_certificate_could_be_for_are_refused() {
    let proxy = Proxy::http("proxy.example", 3128);
    for host in ["", "a b", "a\r\nb", "a/b", "a@b", "a:1", "[::1]", "a\0", &"a.".repeat(200)] {
        assert_eq!(proxy.route(host, 1).err(), Some(SetupError::Host(host.to_owned())));
        let other = Proxy::socks5(host, 1080);
        assert_eq!(other.check(), Err(SetupError::Host(host.to_owned())));
    }
    for host in ["mail.example.net", "mail.example.net.", "192.0.2.1", "2001:db8::1"] {
        assert!(proxy.route(host, 1).is_ok(), "{host}");
    }
}

#[cfg(feature = "ring")]
mod in_tls {
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    fn identity(name: &str) -> (TlsAcceptor, tls::Config) {
        let signed = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key.into())
            .unwrap();
        let trusting = tls::Config::with_root_pem(signed.cert.pem().as_bytes()).unwrap();
        (TlsAcceptor::from(Arc::new(config)), trusting)
    }

    #[tokio::test]
    async fn an_https_proxy_hears_its_credentials_in_tls_only() {
        let (acceptor, trusting) = identity("proxy.example");
        let (pipe, far) = Pipe::new();
        let server = tokio::spawn(async move {
            let mut stream = acceptor.accept(far).await.unwrap();
            let request = read_request(&mut stream).await;
            stream.write_all(CONNECTED.as_bytes()).await.unwrap();
            stream.write_all(b"* OK ready\r\n").await.unwrap();
            stream.flush().await.unwrap();
            (request, stream)
        });
        let proxy = Proxy::https("proxy.example", 443).credentials("user", "pass").tls(trusting);
        let mut connection = open(&proxy, &pipe).await.unwrap();
        let (request, _stream) = server.await.unwrap();
        assert!(request.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"), "{request}");
        let mut greeting = [0; 12];
        connection.stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"* OK ready\r\n");
    }

    #[tokio::test]
    async fn an_https_proxy_with_another_name_is_refused() {
        let (acceptor, trusting) = identity("other.example");
        let (pipe, far) = Pipe::new();
        tokio::spawn(async move { acceptor.accept(far).await.map(drop) });
        let proxy = Proxy::https("proxy.example", 443).tls(trusting);
        let error = open(&proxy, &pipe).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Never);
        let error = cause(error, "https://proxy.example:443");
        let Error::Tls(inner) = &error else { panic!("{error}") };
        assert!(matches!(**inner, net::Error::Certificate { .. }), "{error}");
    }
}

#[cfg(feature = "pop")]
mod of_connectors {
    use super::*;
    use crate::token::{AccessToken, StaticToken};
    use crate::{Auth, Connector, Endpoint, Failure, Misuse, PopClient, Stage, danger, token};

    fn connector(endpoint: Endpoint, dial: &Arc<Pipe>) -> Connector<PopClient> {
        let auth = Auth::xoauth2("a@b.c", StaticToken::new("token"));
        PopClient::builder(endpoint).dial(dial.clone()).auth(auth)
    }

    #[tokio::test]
    async fn a_greeting_that_comes_with_the_answer_is_the_servers_greeting() {
        let (pipe, mut far) = Pipe::new();
        let server = tokio::spawn(async move {
            let request = read_request(&mut far).await;
            far.write_all(b"HTTP/1.1 200 OK\r\n\r\n+OK ready\r\n").await.unwrap();
            let mut line = [0; 6];
            far.read_exact(&mut line).await.unwrap();
            far.write_all(b"+OK\r\nSTLS\r\n.\r\n").await.unwrap();
            far.read_exact(&mut line).await.unwrap();
            far.write_all(b"+OK go ahead\r\nnot TLS").await.unwrap();
            (request, line)
        });
        let connector = connector(Endpoint::pop_starttls("mail.example.net"), &pipe);
        let proxy = Proxy::http("proxy.example", 3128);
        let error = connector.proxy(proxy).connect().await.unwrap_err();
        // What STARTTLS demands holds in a tunnel too.
        assert!(error.to_string().contains("7 octets between its answer to STARTTLS"), "{error}");
        let (request, line) = server.await.unwrap();
        assert!(request.starts_with("CONNECT mail.example.net:110 HTTP/1.1\r\n"), "{request}");
        assert_eq!(&line, b"STLS\r\n");
    }

    #[tokio::test]
    async fn the_stage_of_what_a_proxy_refuses_is_dialling() {
        let (pipe, far) = Pipe::new();
        let server = answering(far, "HTTP/1.1 403 Forbidden\r\n\r\n");
        let connector = connector(Endpoint::pop("mail.example.net"), &pipe);
        let proxy = Proxy::http("proxy.example", 3128);
        let error = connector.proxy(proxy).connect().await.unwrap_err();
        assert_eq!((error.stage(), error.retry()), (Stage::Dial, Retry::Administrator));
        assert_eq!(
            error.to_string(),
            "cannot reach mail.example.net:995 through http://proxy.example:3128: the proxy \
             answered: HTTP 403 Forbidden (while dialling)"
        );
        server.await.unwrap();
    }

    #[tokio::test]
    async fn clear_text_does_not_go_through_a_proxy_on_this_machine_either() {
        let (pipe, _far) = Pipe::new();
        let clear = danger::plaintext_on_loopback();
        let endpoint = Endpoint::pop("localhost").with_security(clear);
        let error = connector(endpoint, &pipe)
            .proxy(Proxy::socks5("127.0.0.1", 1080))
            .connect()
            .await
            .unwrap_err();
        assert!(matches!(error, crate::pop::Error::Misuse(Misuse::ClearTextThroughProxy)));
        assert_eq!(*pipe.asked.lock().unwrap(), []);
    }

    #[tokio::test]
    async fn what_cannot_work_is_found_before_a_token_is_asked_for() {
        let (pipe, _far) = Pipe::new();
        let never = token::from_fn(|_| async {
            panic!("asked for a token");
            #[expect(unreachable_code, reason = "it says what would be returned")]
            Ok(AccessToken::new(""))
        });
        let connect = async |host: &str, proxy: Proxy| {
            let connector = connector(Endpoint::pop(host), &pipe).proxy(proxy);
            connector.auth(Auth::xoauth2("a@b.c", never)).connect().await.unwrap_err()
        };
        let proxy = Proxy::socks5("proxy.example", 1080);
        let error = connect("mail.example.net", proxy.clone().credentials("user", "")).await;
        assert_eq!(
            error.to_string(),
            "the password for the proxy has 0 octets; SOCKS5 takes 1 to 255"
        );
        assert_eq!(error.retry(), Retry::Never);
        let error = connect("mail.example.net\r\nX: y", proxy).await;
        assert!(matches!(error, crate::pop::Error::Misuse(Misuse::BadHost(_))), "{error}");
        assert_eq!(*pipe.asked.lock().unwrap(), []);
    }
}
