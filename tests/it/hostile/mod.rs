//! What a malicious or broken server can do.

mod imap;

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use mailbearer::net::{Connection, Dial};
use mailbearer::smtp::Envelope;
use mailbearer::token::StaticToken;
use mailbearer::{
    Auth, BoxFuture, Client, Connector, Endpoint, Failure, ImapClient, PopClient, Protocol, Retry,
    SmtpClient, danger,
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

fn connector<C: Client>(
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
struct Far {
    stream: DuplexStream,
    heard: Vec<u8>,
}

impl Far {
    async fn say(&mut self, text: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(text.as_ref()).await;
    }

    /// Reads one line; empty at the end.
    async fn line(&mut self) -> String {
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

/// 250 in place of the answer to a dot that was never written: the receipt says "sent".
#[tokio::test(start_paused = true)]
async fn smtp_a_message_that_was_not_written_is_not_reported_as_sent() {
    let (mut client, mut far) = logged_in_smtp("250-PIPELINING\r\n").await;
    let server = async {
        for _ in 0..3 {
            far.line().await;
        }
        far.say("250 ok\r\n250 ok\r\n354 go\r\n250 one too many\r\n").await;
        far
    };
    let body = "Subject: x\r\n\r\nhello\r\n";
    let envelope = envelope();
    let (sent, mut far) = tokio::join!(client.send(&envelope, body), server);
    drop(client);
    let mut written = String::new();
    far.stream.read_to_string(&mut written).await.unwrap();
    assert!(sent.is_err() || written.ends_with("\r\n.\r\n"), "{sent:?}, but written: {written:?}");
}

/// 552 while the message is still in the send buffer: what is left of it must not be read as
/// commands.
#[tokio::test(start_paused = true)]
async fn smtp_a_refusal_before_the_message_was_written_costs_the_connection() {
    let (mut client, mut far) = logged_in_smtp("250-PIPELINING\r\n").await;
    let server = async {
        for _ in 0..3 {
            far.line().await;
        }
        far.say("250 ok\r\n250 ok\r\n354 go\r\n552 5.3.4 no\r\n").await;
        // A server for which DATA is over by that.
        let next = tokio::time::timeout(Duration::from_secs(5), far.line()).await;
        (next, far)
    };
    let body = "MAIL FROM:<smuggled@b.example>\r\n\r\nhello\r\n";
    let envelope = envelope();
    let client = async {
        let error = client.send(&envelope, body).await.unwrap_err();
        let usable = error.connection_usable();
        let _ = tokio::time::timeout(Duration::from_secs(1), client.noop()).await;
        usable
    };
    let (usable, (next, _)) = tokio::join!(client, server);
    assert!(!usable, "connection_usable(); the server read as a command: {next:?}");
}

/// The token echoed in the answer to a later command.
#[tokio::test(start_paused = true)]
async fn smtp_the_token_is_taken_out_of_later_replies() {
    let (mut client, mut far) = logged_in_smtp("").await;
    let server = async {
        far.line().await;
        far.say(format!("451 4.3.0 session {TOKEN} lost\r\n")).await;
        far.line().await;
        far.say(format!("{TOKEN}\r\n")).await;
    };
    let client = async {
        let refused = client.noop().await.unwrap_err();
        let nonsense = client.noop().await.unwrap_err();
        format!("{refused} {refused:?} {nonsense} {nonsense:?}")
    };
    let (shown, ()) = tokio::join!(client, server);
    assert!(!shown.contains(&TOKEN[..16]), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn smtp_the_token_is_taken_out_of_receipts() {
    let (mut client, mut far) = logged_in_smtp("").await;
    let server = async {
        far.line().await;
        far.say(format!("550 5.7.1 {TOKEN}\r\n")).await;
    };
    let envelope = envelope();
    let (sent, ()) = tokio::join!(client.send(&envelope, "x"), server);
    let error = sent.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", error.reply_text());
    assert!(!shown.contains(&TOKEN[..16]), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn pop_the_token_is_taken_out_of_what_cannot_be_parsed() {
    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say(format!("+OK\r\n{TOKEN}\r\n.\r\n")).await;
    };
    let (listed, ()) = tokio::join!(client.list(), server);
    let error = listed.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(&TOKEN[..16]), "{shown}");
}

/// 3xx to NOOP: the server waits for something, so another command would be content.
#[tokio::test(start_paused = true)]
async fn smtp_354_to_a_command_that_is_not_data_costs_the_connection() {
    let (mut client, mut far) = logged_in_smtp("").await;
    let server = async {
        far.line().await;
        far.say("354 go ahead\r\n").await;
    };
    let (answer, ()) = tokio::join!(client.noop(), server);
    let error = answer.unwrap_err();
    assert!(!error.connection_usable(), "{error:?} {:?}", error.retry());
}

/// Half a line before the command, the other half behind it.
#[tokio::test(start_paused = true)]
async fn pop_what_came_before_a_command_is_not_its_answer() {
    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say("+OK\r\n+OK 999 9").await;
        let line = tokio::time::timeout(Duration::from_secs(1), far.line()).await;
        far.say("99\r\n+OK 1 20\r\n").await;
        line
    };
    let client = async {
        client.noop().await.unwrap();
        client.stat().await
    };
    let (stat, line) = tokio::join!(client, server);
    assert!(stat.is_err() || stat.as_ref().unwrap().messages() == 1, "{stat:?} {line:?}");
}

/// `TCP_KEEPINTVL` counts whole seconds.
#[tokio::test]
async fn a_short_keepalive_still_connects() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = mailbearer::net::Tcp::default().keepalive(Some(Duration::from_secs(3)));
    tcp.dial("127.0.0.1", port).await.unwrap();
}

/// Something that nobody asked for, and no 421: the next connection is a good one.
#[tokio::test(start_paused = true)]
async fn smtp_a_reply_that_nobody_asked_for_means_connect_again() {
    for unasked in ["250 ok", "554 5.0.0 idle for too long", "500 what"] {
        let (mut client, mut far) = logged_in_smtp("").await;
        let server = async {
            far.line().await;
            far.say(format!("250 ok\r\n{unasked}\r\n")).await;
        };
        let client = async {
            client.noop().await.unwrap();
            tokio::task::yield_now().await;
            client.noop().await.unwrap_err()
        };
        let (error, ()) = tokio::join!(client, server);
        assert_eq!(error.retry(), Retry::Reconnect, "{error}");
    }
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
    assert_eq!(client.unwrap_err().to_string(), "greeting refused: -ERR no");
}
