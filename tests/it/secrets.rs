//! No secret reaches a log line, a `Debug` or an error, whatever the server does with it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailbearer::testing::{Fault, Server, Service};
use mailbearer::token::StaticToken;
use mailbearer::{
    Auth, Client, Connector, Endpoint, Failure, ImapClient, PopClient, Protocol, SmtpClient, tls,
};

use crate::hostile::connector;

const USER: &str = "billing@contoso.example";
const PASSWORD: &str = "correct-horse-battery-staple";

/// Everything that was shown anywhere.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Shown {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    fn note(&self, what: impl std::fmt::Debug) {
        let mut text = String::new();
        write!(text, "{what:?} {what:#?}").unwrap();
        self.0.lock().unwrap().extend(text.into_bytes());
    }

    fn note_error<E: Failure>(&self, error: &E) {
        self.note(error);
        let mut text = format!("{error} {:?}", error.reply_text());
        let mut source = error.source();
        while let Some(cause) = source {
            write!(text, "{cause} {cause:?}").unwrap();
            source = cause.source();
        }
        self.0.lock().unwrap().extend(text.into_bytes());
    }
}

impl io::Write for Shown {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether `text` shows `secret`, in clear or in base64, or a good part of either.
fn shows(text: &str, secret: &str) -> bool {
    let forms = [secret.to_owned(), STANDARD.encode(secret), STANDARD.encode(&secret[1..])];
    let parts: HashSet<&[u8]> = forms.iter().flat_map(|form| form.as_bytes().windows(16)).collect();
    text.as_bytes().windows(16).any(|part| parts.contains(part))
}

async fn log_in<C: Client + std::fmt::Debug>(
    shown: &Shown,
    server: &Server,
    connector: Connector<C>,
    auth: Auth,
) {
    let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
    shown.note(&auth);
    let connector = connector.tls(trust).auth(auth);
    shown.note(&connector);
    match connector.connect().await {
        Ok(client) => shown.note(&client),
        Err(error) => shown.note_error(&error),
    }
}

async fn everywhere(shown: &Shown, server: &Server, auth: impl Fn() -> Auth) {
    for endpoint in [server.smtp(), server.smtp_implicit()] {
        log_in(shown, server, SmtpClient::builder(endpoint), auth()).await;
    }
    for endpoint in [server.imap(), server.imap_starttls()] {
        log_in(shown, server, ImapClient::builder(endpoint), auth()).await;
    }
    for endpoint in [server.pop(), server.pop_starttls()] {
        log_in(shown, server, PopClient::builder(endpoint), auth()).await;
    }
}

/// A POP3 server that quotes the password of USER and PASS wherever it can: to refuse it, or
/// behind a login, in a listing and out of turn.
async fn quoting_pop(shown: &Shown, refused: bool) {
    let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
    let server = async {
        far.say("+OK ready\r\n").await;
        for (command, answer) in [
            ("CAPA", "+OK\r\nUSER\r\n.\r\n".to_owned()),
            ("USER", "+OK\r\n".to_owned()),
            ("PASS", format!("{} {PASSWORD}\r\n", if refused { "-ERR" } else { "+OK" })),
            ("STAT", format!("+OK 1 2 {PASSWORD}\r\n")),
            ("CAPA", format!("+OK\r\nX {PASSWORD}\r\n.\r\n")),
            ("UIDL", format!("+OK\r\n{PASSWORD}\r\n.\r\n")),
            ("NOOP", format!("-ERR {PASSWORD}\r\n")),
            ("RSET", format!("+OK\r\nQUOTED {PASSWORD}\r\n")),
            ("", String::new()),
        ] {
            let line = far.line().await;
            assert!(line.starts_with(command) || line.is_empty(), "{line} for {command}");
            far.say(answer).await;
        }
    };
    let client = async {
        let connector = connector.auth(Auth::user_pass(USER, PASSWORD));
        shown.note(&connector);
        let mut client = match connector.connect().await {
            Ok(client) => client,
            Err(error) => return shown.note_error(&error),
        };
        let _ = client.capa().await.unwrap();
        shown.note_error(&client.uidl().await.unwrap_err());
        shown.note_error(&client.noop().await.unwrap_err());
        let _ = client.rset().await;
        shown.note_error(&client.stat().await.unwrap_err());
        shown.note(&client);
    };
    tokio::join!(client, server);
}

/// While another test registers a place that traces, one that begins to listen may be overlooked;
/// once the place is known, it is heard.
async fn be_heard(shown: &Shown) {
    let server = Server::start().await.unwrap();
    for _ in 0..10 {
        let auth = Auth::xoauth2(USER, StaticToken::new("nobody-issued-this"));
        log_in(shown, &server, PopClient::builder(server.pop()), auth).await;
        if shown.text().contains("C: AUTH") {
            return;
        }
        tracing::callsite::rebuild_interest_cache();
    }
}

#[tokio::test]
async fn tokens_and_passwords_are_nowhere_to_be_seen() {
    let shown = Shown::default();
    let writer = shown.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    be_heard(&shown).await;

    let mut secrets = vec![PASSWORD.to_owned()];
    for service in [Service::ExchangeOnline, Service::Gmail] {
        let server = Server::builder().service(service).start().await.unwrap();
        server.add_mailbox(USER);
        let good = server.issue_token(USER);
        let bad = format!("{}{}", "planted-token-that-nobody-issued-", "x1y2z3".repeat(40));
        let token = StaticToken::new(good.as_str());
        shown.note(&token);
        everywhere(&shown, &server, || Auth::xoauth2(USER, token.clone())).await;
        everywhere(&shown, &server, || Auth::oauthbearer(USER, token.clone())).await;
        everywhere(&shown, &server, || Auth::xoauth2(USER, StaticToken::new(bad.as_str()))).await;
        everywhere(&shown, &server, || Auth::plain(USER, PASSWORD)).await;
        everywhere(&shown, &server, || Auth::login(USER, PASSWORD)).await;
        // Servers that quote what they were sent: the reply cannot be known before the token is,
        // so it is leaked to have it live as long as the fault wants.
        for (protocol, verb, reply) in [
            (Protocol::Smtp, "AUTH", format!("535 5.7.3 bad token {bad}")),
            (Protocol::Imap, "AUTHENTICATE", format!("NO you sent {bad}")),
            (Protocol::Pop, "AUTH", format!("-ERR not {bad}")),
        ] {
            server.inject_always(Fault::Reply { protocol, verb, reply: reply.leak() });
        }
        everywhere(&shown, &server, || Auth::xoauth2(USER, StaticToken::new(bad.as_str()))).await;
        secrets.extend([good, bad]);
    }

    quoting_pop(&shown, true).await;
    quoting_pop(&shown, false).await;

    let text = shown.text();
    assert!(text.contains("C: AUTH XOAUTH2"), "the trace was not on");
    assert!(text.contains("S: QUOTED"), "nothing was said out of turn");
    assert!(text.contains("[secret"), "nothing was masked");
    assert!(text.contains("535 5.7.3"), "no refusal was shown");
    for secret in secrets {
        assert!(!shows(&text, &secret), "shown: {secret}");
    }
}

#[test]
fn the_check_itself_finds_a_secret_in_clear_and_in_base64() {
    assert!(shows("a correct-horse-battery-staple b", PASSWORD));
    assert!(shows(&STANDARD.encode(format!("\0u\0{PASSWORD}")), PASSWORD));
    assert!(!shows("nothing", PASSWORD));
}

#[tokio::test]
async fn an_unusable_token_is_described_and_not_quoted() {
    let endpoint = Endpoint::pop("localhost").with_port(1);
    for token in
        ["Bearer planted-token-0123456789", "planted-token-0123456789\r\n", "pla\0nted-token"]
    {
        let provider = StaticToken::new(token);
        let error =
            PopClient::connect_xoauth2(endpoint.clone(), USER, &provider).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("nted-token"), "{shown}");
    }
}
