//! What a malicious or broken server can do.

mod smtp;

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mailbearer::imap::AppendOptions;
use mailbearer::net::{Connection, Dial};
use mailbearer::smtp::Envelope;
use mailbearer::token::StaticToken;
use mailbearer::{
    Auth, BoxFuture, Client, Connector, Endpoint, Failure, ImapClient, PopClient, Protocol, Retry,
    SmtpClient, Timeouts, danger,
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

/// By AUTHENTICATE, so that the session knows a token.
async fn logged_in_imap(timeouts: Timeouts) -> (ImapClient, Far) {
    let (connector, mut far) = connector(Protocol::Imap, ImapClient::builder);
    let connector = connector.timeouts(timeouts);
    let server = async {
        far.say("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hi\r\n").await;
        far.line().await;
        far.say("+ \r\n").await;
        far.line().await;
        far.say("A1 OK [CAPABILITY IMAP4rev1] in\r\n").await;
    };
    let (client, ()) = tokio::join!(connector.connect(), server);
    (client.unwrap(), far)
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

/// OK to APPEND although nothing of the literal was invited or sent.
#[tokio::test(start_paused = true)]
async fn imap_a_message_that_was_not_written_is_not_reported_as_stored() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("A2 OK [APPENDUID 1 7] done\r\n").await;
    };
    let (stored, ()) =
        tokio::join!(client.append("Sent", "hello\r\n", AppendOptions::new()), server);
    assert!(stored.is_err(), "{stored:?}");
}

/// The server has the whole message, then breaks the protocol.
#[tokio::test(start_paused = true)]
async fn imap_append_that_ends_in_a_protocol_error_may_have_been_done() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("+ go\r\n").await;
        far.line().await;
        far.line().await;
        far.say(vec![b'x'; 100_000]).await;
    };
    let (stored, ()) =
        tokio::join!(client.append("Sent", "hello\r\n", AppendOptions::new()), server);
    let error = stored.unwrap_err();
    assert_eq!(error.retry(), Retry::MayDuplicate, "{error}");
}

/// The connection was closed before APPEND was written.
#[tokio::test(start_paused = true)]
async fn imap_append_on_a_connection_that_was_closed_before_can_be_repeated() {
    let (mut client, far) = logged_in_imap(Timeouts::default()).await;
    drop(far);
    let error = client.append("Sent", "hello\r\n", AppendOptions::new()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Reconnect, "{error}");
}

/// A flood of untagged data in place of the answer.
#[tokio::test]
async fn imap_a_flood_does_not_outlast_the_deadline() {
    let timeouts = Timeouts::default().reply(Duration::from_millis(300));
    let (mut client, mut far) = logged_in_imap(timeouts).await;
    let flood = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let until = Instant::now() + Duration::from_secs(6);
            let data = "* OK hi\r\n".repeat(10_000);
            while Instant::now() < until && far.stream.write_all(data.as_bytes()).await.is_ok() {}
        });
    });
    let start = Instant::now();
    let answer = client.noop().await;
    let took = start.elapsed();
    drop(client);
    flood.join().unwrap();
    assert!(took < Duration::from_secs(4), "{answer:?} after {took:?}");
}

/// The scrubber on a large response that is not understood.
#[tokio::test]
async fn imap_a_large_response_that_is_not_understood_is_passed_over_quickly() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let octets = 1_600_000;
    let server = tokio::spawn(async move {
        far.line().await;
        far.say(format!("* 1 BOGUS {{{octets}}}\r\n")).await;
        far.say("All work and no play makes Jack ".repeat(octets / 32)).await;
        far.say("\r\nA2 OK\r\n").await;
        far
    });
    let start = Instant::now();
    client.noop().await.unwrap();
    let took = start.elapsed();
    server.await.unwrap();
    assert!(took < Duration::from_secs(1), "{octets} octets took {took:?}");
}

/// A response name without end, octet by octet.
#[tokio::test]
async fn imap_a_long_name_in_small_pieces_costs_linear_time() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = tokio::spawn(async move {
        far.line().await;
        far.say("* ").await;
        for _ in 0..10_000 {
            far.say([b'X'; 50]).await;
            tokio::task::yield_now().await;
        }
        far.say("\r\nA2 OK\r\n").await;
        far
    });
    let start = Instant::now();
    client.noop().await.unwrap();
    let took = start.elapsed();
    server.await.unwrap();
    assert!(took < Duration::from_secs(1), "a line of 500 kB in pieces of 50 octets took {took:?}");
}

/// EXPUNGE of the old mailbox, before CLOSED.
#[tokio::test(start_paused = true)]
async fn imap_what_came_before_closed_is_about_the_old_mailbox() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("* 9 EXISTS\r\nA2 OK\r\n").await;
        far.line().await;
        far.say("* 3 EXPUNGE\r\n* OK [CLOSED] old one closed\r\n* 5 EXISTS\r\nA3 OK\r\n").await;
    };
    let client = async {
        client.select("A").await.unwrap();
        let mailbox = client.select("B").await.unwrap();
        (mailbox.exists(), mailbox.take_event())
    };
    let ((exists, event), ()) = tokio::join!(client, server);
    assert_eq!(exists, 5);
    assert!(event.is_none(), "{event:?}");
}

/// `TCP_KEEPINTVL` counts whole seconds.
#[tokio::test]
async fn a_short_keepalive_still_connects() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = mailbearer::net::Tcp::default().keepalive(Some(Duration::from_secs(3)));
    tcp.dial("127.0.0.1", port).await.unwrap();
}

#[tokio::test]
async fn imap_memory_of_capabilities() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let before = resident();
    let server = tokio::spawn(async move {
        far.line().await;
        far.say("* CAPABILITY").await;
        far.say(" a".repeat(16_000_000)).await;
        far.say("\r\nA2 OK\r\n").await;
        far
    });
    client.noop().await.unwrap();
    let after = resident();
    server.await.unwrap();

    assert!(after - before < 300, "{} MB for a line of 32 MB", after - before);
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Another message's flags change meanwhile. Dovecot, Cyrus and Exchange name the UID there, too.
#[tokio::test(start_paused = true)]
async fn imap_a_message_that_is_not_in_the_set_is_an_event() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("* 9 EXISTS\r\nA2 OK\r\n").await;
        far.line().await;
        far.say("* 9 FETCH (UID 99 FLAGS (\\Seen))\r\n* 5 FETCH (UID 5 FLAGS ())\r\nA3 OK\r\n")
            .await;
    };
    let client = async {
        let inbox = client.select("INBOX").await.unwrap();
        let uid = mailbearer::imap::Uid::new(5).unwrap();
        let messages = inbox.uid_fetch(uid, mailbearer::imap::Fetch::flags()).await.unwrap();
        messages.collect().await.unwrap()
    };
    let (messages, ()) = tokio::join!(client, server);
    let uids: Vec<_> = messages.iter().map(|message| message.uid().unwrap().get()).collect();
    assert_eq!(uids, [5]);
}

/// The server said goodbye while nobody asked, and does not close.
#[tokio::test(start_paused = true)]
async fn imap_after_a_goodbye_no_command_waits_for_an_answer() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("A2 OK\r\n* BYE one\r\n* BYE two\r\n").await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
    };
    let client = async {
        client.noop().await.unwrap();
        let start = tokio::time::Instant::now();
        (client.noop().await, start.elapsed())
    };
    let ((answer, took), ()) = tokio::join!(client, server);
    assert!(took < Duration::from_secs(60), "{answer:?} after {took:?}");
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

#[tokio::test(start_paused = true)]
async fn imap_append_whose_answer_was_lost_to_an_expired_token_may_have_been_done() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("+ go\r\n").await;
        far.line().await;
        far.line().await;
        far.say("* BYE Session invalidated - AccessTokenExpired\r\n").await;
        drop(far);
    };
    let (stored, ()) =
        tokio::join!(client.append("Sent", "hello\r\n", AppendOptions::new()), server);
    let error = stored.unwrap_err();
    assert_eq!(error.retry(), Retry::MayDuplicate, "{error}");
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

#[tokio::test(start_paused = true)]
async fn the_largest_literal_is_an_error_under_the_largest_limit() {
    let limits = mailbearer::Limits::default().message(u64::MAX);
    let (connector, mut far) = connector(Protocol::Imap, ImapClient::builder);
    let connector = connector.limits(limits);
    let server = async {
        far.say("* PREAUTH hi\r\n").await;
        far.line().await;
        far.say("* 1 FETCH (BODY[] {18446744073709551615}\r\nxxxx)\r\nA1 OK\r\n").await;
        drop(far);
    };
    let (client, ()) = tokio::join!(connector.connect(), server);
    assert!(client.is_err());
}

/// The same as above with a token of a realistic length.
#[tokio::test]
async fn imap_a_large_response_is_passed_over_quickly_with_a_long_token_too() {
    let mut seed = 1_u32;
    let token: String = (0..2000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                [(seed >> 26) as usize] as char
        })
        .collect();
    let (connector, mut far) = connector(Protocol::Imap, ImapClient::builder);
    let connector = connector.auth(Auth::xoauth2("a@b.example", StaticToken::new(token.as_str())));
    let octets = 1_000_000;
    let server = async move {
        far.say("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hi\r\n").await;
        far.line().await;
        far.say("+ \r\n").await;
        far.line().await;
        far.say("A1 OK [CAPABILITY IMAP4rev1] in\r\n").await;
        far.line().await;
        far.say(format!("* 1 BOGUS {{{octets}}}\r\n")).await;
        far.say("All work and no play makes Jack ".repeat(octets / 32)).await;
        far.say("\r\nA2 OK\r\n").await;
        far
    };
    let server = tokio::spawn(server);
    let mut client = connector.connect().await.unwrap();
    let start = Instant::now();
    client.noop().await.unwrap();
    let took = start.elapsed();
    server.await.unwrap();
    assert!(took < Duration::from_millis(500), "{octets} octets took {took:?}");
}

#[tokio::test]
async fn imap_memory_of_flags() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let before = resident();
    let server = tokio::spawn(async move {
        far.line().await;
        far.say("* FLAGS (").await;
        far.say("a ".repeat(16_000_000)).await;
        far.say(")\r\nA2 OK\r\n").await;
        far
    });
    client.select("INBOX").await.unwrap();
    let after = resident();
    server.await.unwrap();
    assert!(after - before < 300, "{} MB for a line of 32 MB", after - before);
}
