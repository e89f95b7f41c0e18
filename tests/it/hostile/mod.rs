//! What a malicious or broken server can do.

mod closed;
mod imap;
mod imap_extensions;
mod pop;
mod pop_maildrop;
mod smtp;

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use mailbearer::net::{Connection, Dial};
use mailbearer::smtp::Envelope;
use mailbearer::token::StaticToken;
use mailbearer::{
    Auth, BoxFuture, Client, Connector, Endpoint, ImapClient, PopClient, Protocol, SmtpClient,
    danger,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const TOKEN: &str = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAAW9s8zQ1kX7yT5uR2vN4mK6hG";

/// One end of one pipe.
struct Once(Mutex<Option<DuplexStream>>);

impl Dial for Once {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Connection>> {
        let stream = self.0.lock().unwrap().take();
        Box::pin(async move {
            let stream = stream.ok_or(io::ErrorKind::ConnectionRefused)?;
            Ok(Connection::new(stream).with_peer(([127, 0, 0, 1], 1).into()))
        })
    }
}

pub(crate) fn connector<C: Client>(
    protocol: Protocol,
    builder: fn(Endpoint) -> Connector<C>,
) -> (Connector<C>, Far) {
    let (near, far) = duplex(1 << 20);
    let endpoint = Endpoint::new(protocol, "localhost", 1, danger::plaintext_on_loopback());
    let connector = builder(endpoint)
        .dial(Once(Mutex::new(Some(near))))
        .auth(Auth::xoauth2("a@b.example", StaticToken::new(TOKEN)));
    (connector, Far { stream: far, heard: Vec::new() })
}

/// The server's end.
pub(crate) struct Far {
    stream: DuplexStream,
    heard: Vec<u8>,
}

impl Far {
    pub(crate) async fn say(&mut self, text: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(text.as_ref()).await;
    }

    /// Reads one line; empty at the end.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.heard.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return String::new(),
                Ok(octets) => self.heard.extend_from_slice(&buffer[..octets]),
            }
        }
    }

    /// Reads so many octets.
    async fn octets(&mut self, most: usize) {
        while self.heard.len() < most {
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(octets) => self.heard.extend_from_slice(&buffer[..octets]),
            }
        }
        self.heard.drain(..most);
    }

    async fn smtp_login(&mut self, extensions: &str) {
        self.say("220 hi\r\n").await;
        self.line().await;
        self.say(format!("250-x\r\n{extensions}250 AUTH XOAUTH2\r\n")).await;
        self.line().await;
        self.say("334 \r\n").await;
        self.line().await;
        self.say("235 ok\r\n").await;
    }

    async fn pop_login(&mut self) {
        self.say("+OK hi\r\n").await;
        self.line().await;
        self.say("+OK\r\nSASL XOAUTH2\r\n.\r\n").await;
        self.line().await;
        self.say("+ \r\n").await;
        self.line().await;
        self.say("+OK\r\n").await;
        self.line().await;
        self.say("+OK 1 20\r\n").await;
    }
}

fn envelope() -> Envelope {
    Envelope::new("a@b.example", ["c@d.example"]).unwrap()
}

async fn logged_in_smtp(extensions: &str) -> (SmtpClient, Far) {
    let (connector, mut far) = connector(Protocol::Smtp, SmtpClient::builder);
    let (client, ()) = tokio::join!(connector.connect(), far.smtp_login(extensions));
    (client.unwrap(), far)
}

async fn logged_in_pop() -> (PopClient, Far) {
    let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
    let (client, ()) = tokio::join!(connector.connect(), far.pop_login());
    (client.unwrap(), far)
}

/// `TCP_KEEPINTVL` counts whole seconds.
#[tokio::test]
async fn a_short_keepalive_still_connects() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = mailbearer::net::Tcp::default().keepalive(Some(Duration::from_secs(3)));
    tcp.dial("127.0.0.1", port).await.unwrap();
}

/// An error is one line of a log, whatever the server says.
#[tokio::test(start_paused = true)]
async fn errors_hold_no_control_characters() {
    let mut shown = Vec::new();
    for greeting in ["220 hi\r\nfoo\x1b[2J\r\nERROR forged log line\r\n", "\x1b[2J\0\r\n"] {
        let (connector, mut far) = connector(Protocol::Smtp, SmtpClient::builder);
        let (client, ()) = tokio::join!(connector.connect(), far.say(greeting));
        shown.push(client.unwrap_err().to_string());
    }
    for greeting in ["-ERR \x1b[2J\r\n", "\x1b[2J\r\n"] {
        let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
        let (client, ()) = tokio::join!(connector.connect(), far.say(greeting));
        shown.push(client.unwrap_err().to_string());
    }
    for greeting in ["* BYE \x1b[2J\r\n", "* BYE [\x1b[2J] x\r\n", "\x1b[2J\r\n"] {
        let (connector, mut far) = connector(Protocol::Imap, ImapClient::builder);
        let (client, ()) = tokio::join!(connector.connect(), far.say(greeting));
        shown.push(client.unwrap_err().to_string());
    }
    shown.retain(|text| text.contains(char::is_control));
    assert!(shown.is_empty(), "{shown:#?}");
}

/// "No limit", as a user may write it.
#[tokio::test(start_paused = true)]
async fn the_largest_limits_are_limits() {
    let limits =
        mailbearer::Limits::default().line(usize::MAX).response(usize::MAX).message(u64::MAX);
    let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
    let connector = connector.limits(limits);
    let server = async {
        for octet in b"-ERR no" {
            far.say([*octet]).await;
            tokio::task::yield_now().await;
        }
        far.say("\r\n").await;
    };
    let (client, ()) = tokio::join!(connector.connect(), server);
    assert_eq!(client.unwrap_err().to_string(), "the server turned the connection away: -ERR no");
}
