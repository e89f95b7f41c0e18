//! The client over an in-memory pipe, with a small server at the other end.

mod bodies;
mod hostile;
mod many;
mod model;

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::*;
use crate::Endpoint;
use crate::auth::Login;
use crate::connector::Settings;
use crate::connector::{Establish, Judge, Protection};
use crate::machine::{Machine, Wait};
use crate::smtp::reply::Head;
use crate::smtp::{Body, Envelope};
use crate::{AuthCause, Failure, Fault, Limits, Profile, Retry, Timeouts, net, sasl};

/// What a server saw.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    commands: Vec<String>,
    /// Messages that were ended by a dot, without stuffing.
    messages: Vec<String>,
}

/// How a server answers; nothing is no answer, and `close` closes the connection.
type Answers = fn(&str) -> &'static str;

/// Takes everything.
fn willing(command: &str) -> &'static str {
    match command.split([' ', ':']).next().unwrap_or_default() {
        "DATA" => "354 Go ahead\r\n",
        "." => "250 2.0.0 Ok: queued as 4XyZ1\r\n",
        "QUIT" => "221 2.0.0 Bye\r\n",
        _ => "250 2.0.0 Ok\r\n",
    }
}

/// Answers commands until the client is gone.
async fn serve(stream: DuplexStream, answers: Answers) -> Seen {
    let (read, mut write) = tokio::io::split(stream);
    let mut read = BufReader::new(read);
    let mut seen = Seen::default();
    let mut message: Option<String> = None;
    let mut line = String::new();
    loop {
        line.clear();
        if read.read_line(&mut line).await.unwrap_or(0) == 0 || !line.ends_with("\r\n") {
            return seen;
        }
        let command = match &mut message {
            Some(text) if line != ".\r\n" => {
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                continue;
            }
            Some(text) => {
                seen.messages.push(std::mem::take(text));
                "."
            }
            None => line.trim_end(),
        };
        message = None;
        let answer = answers(command);
        if answer.starts_with("354") {
            message = Some(String::new());
        }
        if command != "." {
            seen.commands.push(command.to_owned());
        }
        if answer == "close" || write.write_all(answer.as_bytes()).await.is_err() {
            return seen;
        }
    }
}

fn extensions(keywords: &[&str]) -> Extensions {
    let head = Head { code: 250, enhanced: None };
    Extensions::from_reply(&Reply::new(head, format!("mail.test\n{}", keywords.join("\n"))))
}

/// A client at rest, and its server. `pipe`: octets that fit between them.
fn session(pipe: usize, keywords: &[&str], answers: Answers) -> (SmtpClient, JoinHandle<Seen>) {
    let (ours, theirs) = duplex(pipe);
    let limits = Limits::default();
    let core = Core::after_greeting(true, &limits);
    let driver = Driver::new(Box::new(ours), core, "smtp", Timeouts::default(), &limits);
    (SmtpClient::new(driver, extensions(keywords)), tokio::spawn(serve(theirs, answers)))
}

fn envelope() -> Envelope {
    Envelope::new("me@contoso.example", ["ann@a.example", "bob@b.example"]).unwrap()
}

/// A message with dots and lines of many lengths.
fn message(lines: usize) -> String {
    (0..lines).fold(String::from("Subject: hello\r\n\r\n"), |mut text, n| {
        let _ = write!(text, "{}{}\r\n", ".".repeat(n % 4), "x".repeat(n % 90));
        text
    })
}

/// A message that goes out as it is, and if it is large, past the send buffer. It ends in a line end
/// if 66 divides its octets.
fn plain(octets: usize) -> String {
    let line = "0123456789abcdef".repeat(4) + "\r\n";
    let (lines, rest) = (octets / line.len(), octets % line.len());
    line.repeat(lines) + &"x".repeat(rest)
}

/// Polls a future until it has been pending `times` times, letting the server work in between,
/// then drops it. The output, if it came to that.
async fn cut<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
    None
}

/// A client whose `send` was dropped after the dot had left and before the answer was read.
async fn handed_over(text: &str, answers: Answers) -> (SmtpClient, JoinHandle<Seen>) {
    for times in 1..10 {
        let (mut client, server) = session(8192, &["PIPELINING"], answers);
        assert!(cut(client.send(&envelope(), text), times).await.is_none());
        if matches!(client.driver.core().wait(), Wait::Delivery(_)) {
            return (client, server);
        }
    }
    panic!("the dot never left");
}

#[tokio::test]
async fn messages_of_all_sizes_arrive_as_they_are() {
    for lines in [0, 1, 500, 40_000] {
        for keywords in [&["PIPELINING", "SIZE 0", "8BITMIME"][..], &[]] {
            let (mut client, server) = session(64 * 1024, keywords, willing);
            let text = message(lines);
            let receipt = client.send(&envelope(), &text).await.unwrap();
            assert_eq!(receipt.accepted().count(), 2);
            assert_eq!(receipt.queue_id(), Some("4XyZ1"));
            // The same again, on the same connection.
            let _ = client.send(&envelope(), text.as_bytes()).await.unwrap();
            client.quit().await.unwrap();
            let seen = server.await.unwrap();
            assert_eq!(seen.messages, [text.as_str(), text.as_str()]);
        }
    }
}

#[tokio::test]
async fn large_messages_go_past_the_send_buffer_and_arrive_as_they_are() {
    const KIB_64: usize = 64 * 1024;
    for octets in [KIB_64 - 1, KIB_64, KIB_64 + 1, 2 * KIB_64, 2 * KIB_64 + 1, 1_000_000] {
        for pipe in [1000, KIB_64, 4 * KIB_64] {
            let (mut client, server) = session(pipe, &["PIPELINING"], willing);
            let text = plain(octets);
            let whole = if text.ends_with('\n') { text.clone() } else { format!("{text}\r\n") };
            let _ = client.send(&envelope(), &text).await.unwrap();
            let both = [(envelope(), text.clone()), (envelope(), text)];
            let all = client.send_all(both).collect().await;
            assert!(all.iter().all(|sent| sent.outcome.is_ok()));
            assert!(client.driver.core_mut().output().capacity() <= 96 * 1024);
            client.quit().await.unwrap();
            let seen = server.await.unwrap();
            assert!(seen.messages == [&whole[..]; 3], "{octets} octets by {pipe}");
        }
    }
}

#[tokio::test]
async fn the_send_buffer_does_not_grow_with_the_message() {
    let (mut client, server) = session(1024, &["PIPELINING"], willing);
    // Every line end doubles and every dot does too: the worst of messages.
    let _ = client.send(&envelope(), "\n.".repeat(1 << 20)).await.unwrap();
    assert!(client.driver.core_mut().output().capacity() <= 96 * 1024);
    drop(client);
    assert_eq!(server.await.unwrap().messages[0].len(), (1 << 20) * 3 + 2);
}

#[tokio::test]
async fn mail_says_what_the_server_wants_to_know() {
    let (mut client, server) =
        session(4096, &["SIZE 1000", "8BITMIME", "SMTPUTF8", "PIPELINING"], willing);
    let envelope = Envelope::new("grå@b.example", ["c@d.example"]).unwrap();
    let _ = client.send(&envelope, "caf\u{e9}\n").await.unwrap();
    drop(client);
    let seen = server.await.unwrap();
    assert_eq!(seen.commands[0], "MAIL FROM:<grå@b.example> SIZE=7 BODY=8BITMIME SMTPUTF8");
}

#[tokio::test]
async fn what_the_server_cannot_take_is_told_before_anything_is_sent() {
    let (mut client, server) = session(4096, &["SIZE 10", "PIPELINING"], willing);
    let error = client.send(&envelope(), "0123456789").await.unwrap_err();
    assert_eq!(error.to_string(), "the message has 12 octets, and the server takes at most 10");
    assert!(error.connection_usable() && error.retry() == Retry::Never);
    let utf8 = Envelope::new("a@b.example", ["ç@d.example"]).unwrap();
    let error = client.send(&utf8, "hi").await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }) && error.connection_usable(), "{error}");
    drop(client);
    assert_eq!(server.await.unwrap(), Seen::default());
}

#[tokio::test]
async fn after_a_refused_message_the_next_one_goes_out() {
    fn answers(command: &str) -> &'static str {
        match command {
            "RCPT TO:<ann@a.example>" => "550 5.1.1 User unknown\r\n",
            "RCPT TO:<bob@b.example>" => "451 4.7.1 Later\r\n",
            other => willing(other),
        }
    }
    for keywords in [&["PIPELINING"][..], &[]] {
        let (mut client, server) = session(4096, keywords, answers);
        let error = client.send(&envelope(), "hi").await.unwrap_err();
        assert_eq!(error.to_string(), "RCPT TO refused: 550 5.1.1 User unknown");
        assert_eq!(error.retry(), Retry::Later(None));
        assert!(error.connection_usable());
        let refused = error.receipt().unwrap().refused().filter(|refused| refused.is_transient());
        let retry = envelope().to_only(refused).unwrap();
        assert_eq!(retry.recipients().collect::<Vec<_>>(), ["bob@b.example"]);

        let other = Envelope::new("me@contoso.example", ["eve@c.example"]).unwrap();
        let receipt = client.send(&other, "hi").await.unwrap();
        assert_eq!(receipt.accepted().count(), 1);
        drop(client);
        let seen = server.await.unwrap();
        assert_eq!(seen.messages.last().unwrap(), "hi\r\n");
    }
}

#[tokio::test]
async fn a_send_dropped_anywhere_delivers_all_or_nothing_and_the_next_command_gets_its_own_answer()
{
    let (mut taken_back, mut closed, mut handed_over) = (0, 0, 0);
    let texts = [(1, message(2)), (16, message(20)), (300, message(60)), (8192, message(60))];
    for (pipe, text) in texts.into_iter().chain([(8192, plain(198_000)), (99_999, plain(198_000))])
    {
        for keywords in [&["PIPELINING"][..], &[]] {
            for times in 1.. {
                let (mut client, server) = session(pipe, keywords, willing);
                let sent = cut(client.send(&envelope(), &text), times).await;
                if let Some(sent) = sent {
                    assert_eq!(sent.unwrap().accepted().count(), 2);
                    break;
                }
                let settled = client.noop().await;
                let outcome = client.take_outcome();
                if let Err(error) = &settled {
                    assert!(matches!(error, Error::Net { source: net::Error::Abandoned, .. }));
                    assert!(!error.connection_usable());
                    assert!(client.noop().await.is_err());
                }
                drop(client);
                let seen = server.await.unwrap();
                match (settled, outcome) {
                    (Ok(()), Some(outcome)) => {
                        assert_eq!(outcome.unwrap().queue_id(), Some("4XyZ1"));
                        assert_eq!(seen.messages, [text.as_str()]);
                        handed_over += 1;
                    }
                    (Ok(()), None) => {
                        assert_eq!(seen.messages, [""; 0]);
                        assert!(seen.commands.contains(&"RSET".to_owned()));
                        assert!(seen.commands.ends_with(&["NOOP".to_owned()]));
                        taken_back += 1;
                    }
                    (Err(_), None) => {
                        assert_eq!(seen.messages, [""; 0]);
                        closed += 1;
                    }
                    (Err(error), Some(outcome)) => panic!("{error}, {outcome:?}"),
                }
            }
        }
    }
    assert!(
        taken_back > 10 && closed > 10 && handed_over > 1,
        "{taken_back} {closed} {handed_over}"
    );
}

#[tokio::test]
async fn the_outcome_of_a_dropped_send_does_not_get_into_the_next() {
    let first = "first\r\n";
    let (mut client, server) = handed_over(first, willing).await;
    let receipt = client.send(&envelope(), "second\r\n").await.unwrap();
    assert_eq!(receipt.accepted().count(), 2);
    assert!(client.take_outcome().unwrap().is_ok());
    assert!(client.take_outcome().is_none());
    drop(client);
    assert_eq!(server.await.unwrap().messages, [first, "second\r\n"]);
}

#[tokio::test]
async fn when_the_answer_is_lost_the_message_may_have_been_delivered() {
    fn answers(command: &str) -> &'static str {
        if command == "." { "close" } else { willing(command) }
    }
    let (mut client, server) = session(4096, &["PIPELINING"], answers);
    let error = client.send(&envelope(), "hi").await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error}");
    assert_eq!(error.retry(), Retry::MayDuplicate);
    assert_eq!(error.receipt().unwrap().accepted().count(), 2);
    assert_eq!(error.receipt().unwrap().reply(), None);
    assert!(!error.connection_usable());
    assert_eq!(server.await.unwrap().messages, ["hi\r\n"]);
    // That was one message; the next has nothing to do with it.
    let error = client.send(&envelope(), "again").await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_lost_after_the_drop_is_an_outcome_too() {
    fn answers(command: &str) -> &'static str {
        if command == "." { "close" } else { willing(command) }
    }
    let (client, server) = handed_over("hi", answers).await;
    let error = client.quit().await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error}");
    assert_eq!(server.await.unwrap().messages, ["hi\r\n"]);
}

#[tokio::test]
async fn a_connection_that_ends_before_the_dot_has_delivered_nothing() {
    fn answers(command: &str) -> &'static str {
        if command == "DATA" { "354 Go\r\n421 4.3.2 Closing\r\n" } else { willing(command) }
    }
    for text in [message(5000), plain(200_000)] {
        let (mut client, _server) = session(512, &["PIPELINING"], answers);
        let error = client.send(&envelope(), text).await.unwrap_err();
        assert!(matches!(error, Error::Closed { .. }), "{error}");
        assert_eq!(error.reply().unwrap().to_string(), "421 4.3.2 Closing");
        assert_eq!(error.retry(), Retry::Later(None));
        let error = client.noop().await.unwrap_err();
        assert!(matches!(error, Error::Closed { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_message_refused_half_way_leaves_a_connection_that_is_of_no_use() {
    fn answers(command: &str) -> &'static str {
        if command == "DATA" { "354 Go\r\n552 5.3.4 Too big\r\n" } else { willing(command) }
    }
    for text in [message(5000), plain(200_000)] {
        let (mut client, _server) = session(512, &["PIPELINING"], answers);
        let error = client.send(&envelope(), text).await.unwrap_err();
        assert_eq!(error.to_string(), "the message refused: 552 5.3.4 Too big");
        assert!(!error.connection_usable());
        assert!(client.noop().await.is_err());
    }
}

#[tokio::test]
async fn the_words_with_which_an_idle_connection_was_closed_are_told() {
    let (ours, mut theirs) = duplex(4096);
    let limits = Limits::default();
    let core = Core::after_greeting(true, &limits);
    let driver = Driver::new(Box::new(ours), core, "smtp", Timeouts::default(), &limits);
    let mut client = SmtpClient::new(driver, extensions(&["PIPELINING"]));
    theirs.write_all(b"421 4.4.2 mail.test Error: timeout exceeded\r\n").await.unwrap();
    drop(theirs);
    let error = client.send(&envelope(), "hi").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server closed the connection during MAIL FROM: 421 4.4.2 mail.test Error: timeout \
         exceeded"
    );
    assert_eq!(error.retry(), Retry::Reconnect);
}

#[tokio::test]
async fn quit_is_content_with_a_server_that_just_closes() {
    for answers in [willing as Answers, |_| "close", |_| "500 What?\r\n"] {
        let (client, server) = session(4096, &[], answers);
        client.quit().await.unwrap();
        assert_eq!(server.await.unwrap().commands, ["QUIT"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_for_the_message_leaves_it_unknown() {
    fn answers(command: &str) -> &'static str {
        if command == "." { "" } else { willing(command) }
    }
    let (mut client, _server) = session(4096, &["PIPELINING"], answers);
    let error = client.send(&envelope(), "hi").await.unwrap_err();
    let Error::Unknown { cause, .. } = &error else { panic!("{error}") };
    let Error::Net { source: net::Error::Deadline { after }, .. } = **cause else {
        panic!("{cause}");
    };
    assert_eq!(after, Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_reading_ends_the_upload_at_the_least_rate() {
    for text in [message(100), plain(200_000)] {
        let (ours, mut theirs) = duplex(100);
        let limits = Limits::default();
        let core = Core::after_greeting(true, &limits);
        let driver = Driver::new(Box::new(ours), core, "smtp", Timeouts::default(), &limits);
        let mut client = SmtpClient::new(driver, extensions(&["PIPELINING"]));
        let server = tokio::spawn(async move {
            let mut heard = [0; 64];
            let _ = theirs.read(&mut heard).await;
            let _ = theirs.write_all(b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n").await;
            let _ = theirs.read(&mut heard).await;
            std::future::pending::<()>().await;
        });
        let error = client.send(&envelope(), text).await.unwrap_err();
        let deadline = matches!(error, Error::Net { source: net::Error::Deadline { .. }, .. });
        assert!(deadline, "{error:?}");
        server.abort();
    }
}

/// One session, as often as there are octets from the server: it closes after each of them.
#[tokio::test]
async fn a_server_that_closes_anywhere_gives_an_error_and_never_a_wait() {
    /// What the server says, and how many lines it has read before.
    const DIALOGUE: [(usize, &str); 6] = [
        (0, "220 mail.test\r\n"),
        (1, EHLO_REPLY),
        (2, "334 \r\n"),
        (3, "235 2.7.0 Ok\r\n"),
        (7, "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n550 5.1.1 No\r\n354 Go ahead\r\n"),
        (9, "250 2.0.0 Queued\r\n"),
    ];
    let whole: usize = DIALOGUE.iter().map(|(_, said)| said.len()).sum();
    let last = DIALOGUE[5].1.len();
    for octets in 0..=whole {
        let (ours, theirs) = duplex(4096);
        let server = tokio::spawn(async move {
            let (read, mut write) = tokio::io::split(theirs);
            let mut read = BufReader::new(read);
            let (mut heard, mut lines, mut left) = (String::new(), 0, octets);
            for (after, said) in DIALOGUE {
                while lines < after && read.read_line(&mut heard).await.unwrap_or(0) > 0 {
                    lines += 1;
                }
                let said = said.get(..left).unwrap_or(said);
                let _ = write.write_all(said.as_bytes()).await;
                left -= said.len();
                if left == 0 {
                    return;
                }
            }
        });
        let protection = Protection { greeted: false, confidential: true };
        let opened = SmtpClient::open(Box::new(ours), protection, &settings(), login(false)).await;
        let ended = match opened {
            Ok(mut client) => client.send(&envelope(), "hi").await,
            Err(error) => Err(error),
        };
        server.await.unwrap();
        match ended {
            Ok(receipt) => {
                assert_eq!((octets, receipt.refused().count()), (whole, 1));
            }
            Err(Error::Unknown { receipt, .. }) => {
                assert!((whole - last + 1..whole).contains(&octets), "{octets}");
                assert_eq!(receipt.accepted().count(), 1);
            }
            Err(error) => {
                assert!(octets <= whole - last, "{octets}: {error}");
                assert!(matches!(error, Error::Closed { reply: None, .. }), "{octets}: {error}");
                assert!(!error.connection_usable());
            }
        }
    }
}

#[tokio::test]
async fn a_rehearsal_that_the_server_does_not_take_back_is_followed_by_nothing() {
    let (mut client, server) = session(4096, &[], |command| match command {
        "RSET" => "502 5.5.1 What?\r\n",
        command => willing(command),
    });
    let error = client.rehearse(&envelope()).await.unwrap_err();
    assert_eq!(error.stage(), Stage::Command("RSET"));
    assert!(!error.connection_usable() && !client.is_open());
    assert!(client.send(&envelope(), "hi").await.is_err());
    drop(client);
    assert_eq!(server.await.unwrap().commands.last().unwrap(), "RSET");
}

// On the way to a client.

fn login(two_step: bool) -> Login {
    Login { session: sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap(), two_step }
}

/// Opens a session with a server that says these lines, one at a time, each after it has heard a
/// line; the first is the greeting.
async fn open(
    settings: &Settings,
    login: Login,
    lines: &'static [&'static str],
) -> (Result<SmtpClient, Error>, String) {
    let (ours, theirs) = duplex(4096);
    let server = tokio::spawn(async move {
        let (read, mut write) = tokio::io::split(theirs);
        let mut read = BufReader::new(read);
        let mut heard = String::new();
        for (n, line) in lines.iter().enumerate() {
            if n > 0 && read.read_line(&mut heard).await.unwrap_or(0) == 0 {
                break;
            }
            let _ = write.write_all(line.as_bytes()).await;
        }
        let _ = read.read_to_string(&mut heard).await;
        heard
    });
    let protection = Protection { greeted: false, confidential: true };
    let opened = SmtpClient::open(Box::new(ours), protection, settings, login).await;
    // The server hears the end.
    match opened {
        Ok(client) => {
            let ended = (Ok(client), String::new());
            server.abort();
            ended
        }
        Err(error) => (Err(error), server.await.unwrap()),
    }
}

fn settings() -> Settings {
    Settings::new(Endpoint::smtp("mail.test"))
}

const EHLO_REPLY: &str =
    "250-mail.test Hello\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 AUTH XOAUTH2\r\n";

#[tokio::test]
async fn a_client_knows_what_the_server_announced() {
    let lines = &["220-mail.test\r\n220 ESMTP\r\n", EHLO_REPLY, "334 \r\n", "235 2.7.0 Ok\r\n"];
    let (client, _) = open(&settings(), login(false), lines).await;
    let client = client.unwrap();
    assert!(client.extensions().pipelining());
    assert_eq!(client.extensions().size_limit(), Some(1000));
    assert!(format!("{client:?}").starts_with("SmtpClient {"));
}

#[tokio::test]
async fn a_server_that_will_not_have_us_is_quoted() {
    let (refused, _) = open(&settings(), login(false), &["554 5.7.1 Not you\r\n"]).await;
    let error = refused.unwrap_err();
    assert_eq!(error.to_string(), "the server turned the connection away: 554 5.7.1 Not you");
    assert!(!error.connection_usable());
    assert_eq!(error.retry(), Retry::Never);

    let (refused, _) = open(&settings(), login(false), &["421 4.3.2 Busy\r\n"]).await;
    let error = refused.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server closed the connection during the greeting: 421 4.3.2 Busy"
    );
    assert_eq!(error.retry(), Retry::Later(None));

    let (refused, _) = open(&settings(), login(false), &["* OK IMAP4rev1\r\n"]).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_not_tried() {
    let lines = &["220 hi\r\n", "250-mail.test\r\n250-SIZE\r\n250 AUTH PLAIN LOGIN\r\n"];
    let (refused, heard) = open(&settings(), login(false), lines).await;
    let error = refused.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server does not offer AUTH XOAUTH2 (it offers: PLAIN, LOGIN)"
    );
    assert!(!error.connection_usable());
    assert_eq!(heard, "EHLO [127.0.0.1]\r\n");
}

#[tokio::test]
async fn the_response_is_inline_only_where_that_is_known_to_work_and_not_asked_otherwise() {
    let mut inline = settings();
    inline.endpoint = inline.endpoint.with_profile(Profile::generic().with_inline_auth(true));
    inline.ehlo_name = Some("robot.example".into());
    let lines =
        &["220 hi\r\n", EHLO_REPLY, "535 5.7.8 Error: Invalid base64 data in initial response\r\n"];
    let (refused, heard) = open(&inline, login(false), lines).await;
    assert_eq!(
        heard,
        "EHLO robot.example\r\nAUTH XOAUTH2 dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n"
    );
    assert_eq!(refused.unwrap_err().verdict(), crate::auth::Verdict::TwoStep);

    for (settings, login) in [(inline, login(true)), (settings(), login(false))] {
        let lines =
            &["220 hi\r\n", EHLO_REPLY, "334\r\n", "535 5.7.3 Authentication unsuccessful\r\n"];
        let (refused, heard) = open(&settings, login, lines).await;
        assert!(
            heard.ends_with("AUTH XOAUTH2\r\ndXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n"),
            "{heard}"
        );
        let error = refused.unwrap_err();
        let Error::Auth(auth) = &error else { panic!("{error}") };
        assert_eq!(auth.cause(), AuthCause::Credential);
        assert_eq!(error.retry(), Retry::RefreshToken);
    }
}

#[tokio::test]
async fn one_reply_too_many_is_not_the_answer_to_the_login() {
    for (surplus, inline) in
        [("250 one too many", true), ("250 one too many", false), ("334 ", false)]
    {
        let mut settings = settings();
        settings.endpoint =
            settings.endpoint.with_profile(Profile::generic().with_inline_auth(inline));
        let ehlo: &str = format!("{EHLO_REPLY}{surplus}\r\n").leak();
        let lines: &[&str] = vec!["220 hi\r\n", ehlo].leak();
        let (opened, heard) = open(&settings, login(false), lines).await;
        let error = opened.unwrap_err();
        assert!(matches!(error, Error::Protocol { stage: Stage::Auth, .. }), "{error}");
        assert_eq!(heard, "EHLO [127.0.0.1]\r\n");
    }
}

#[tokio::test]
async fn a_server_that_says_goodbye_before_the_login_is_not_told_the_token() {
    let farewell = "250-mail.test\r\n250 AUTH XOAUTH2\r\n421 4.3.2 Going down\r\n";
    let lines: &[&str] = vec!["220 hi\r\n", farewell].leak();
    let (opened, heard) = open(&settings(), login(false), lines).await;
    let error = opened.unwrap_err();
    assert!(matches!(error, Error::Closed { reply: Some(_), .. }), "{error}");
    assert_eq!(heard, "EHLO [127.0.0.1]\r\n");
}

#[tokio::test]
async fn a_server_that_hangs_up_on_the_token_is_told_with_its_length() {
    let (ours, theirs) = duplex(4096);
    let server = tokio::spawn(async move {
        let (read, mut write) = tokio::io::split(theirs);
        let mut read = BufReader::new(read);
        let mut heard = String::new();
        for line in ["220 hi\r\n", EHLO_REPLY, "334\r\n"] {
            write.write_all(line.as_bytes()).await.unwrap();
            read.read_line(&mut heard).await.unwrap();
        }
    });
    let protection = Protection { greeted: false, confidential: true };
    let opened = SmtpClient::open(Box::new(ours), protection, &settings(), login(false)).await;
    server.await.unwrap();
    assert_eq!(
        opened.unwrap_err().to_string(),
        "the server closed the connection during authentication, after a credential of 1 octets"
    );
}

#[tokio::test]
async fn octets_behind_the_answer_to_starttls_are_an_attack() {
    for (behind, octets) in [("", 0), ("2", 1), ("250 injected\r\n", 14)] {
        let (ours, mut theirs) = duplex(4096);
        let server = tokio::spawn(async move {
            let mut heard = [0; 64];
            theirs.write_all(b"220 hi\r\n").await.unwrap();
            let _ = theirs.read(&mut heard).await.unwrap();
            theirs.write_all(b"250-mail.test\r\n250 STARTTLS\r\n").await.unwrap();
            let _ = theirs.read(&mut heard).await.unwrap();
            theirs.write_all(format!("220 2.0.0 go\r\n{behind}").as_bytes()).await.unwrap();
            theirs
        });
        let stream = SmtpClient::start_tls(Box::new(ours), &settings()).await;
        match stream {
            Ok(_) => assert_eq!(octets, 0),
            Err(Error::Protocol { fault, .. }) => {
                assert_eq!(fault, Fault::BytesBeforeTls { octets });
            }
            Err(error) => panic!("{error}"),
        }
        drop(server);
    }
}

#[tokio::test]
async fn starttls_is_demanded_and_not_hoped_for() {
    for (ehlo, answer, told) in [
        ("250 mail.test\r\n", "", "the server does not offer STARTTLS (it offers: nothing)"),
        (
            "250-mail.test\r\n250 STARTTLS\r\n",
            "454 4.7.0 TLS not available\r\n",
            "STARTTLS refused: 454 4.7.0 TLS not available",
        ),
    ] {
        let (ours, mut theirs) = duplex(4096);
        let server = tokio::spawn(async move {
            let mut heard = [0; 64];
            theirs.write_all(b"220 hi\r\n").await.unwrap();
            for line in [ehlo, answer] {
                let _ = theirs.read(&mut heard).await;
                let _ = theirs.write_all(line.as_bytes()).await;
            }
            theirs
        });
        let refused = SmtpClient::start_tls(Box::new(ours), &settings()).await;
        assert_eq!(refused.err().unwrap().to_string(), told);
        drop(server);
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn every_future_can_be_spawned() {
    let (mut client, _server) = session(4096, &[], willing);
    let (envelope, body) = (envelope(), vec![b'x']);
    drop(assert_send(client.send(&envelope, &body)));
    drop(assert_send(client.send(&envelope, Body::from(body))));
    drop(assert_send(client.noop()));
    drop(assert_send(client.quit()));
}
