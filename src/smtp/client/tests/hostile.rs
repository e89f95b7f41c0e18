//! Servers that say what no server should.

use super::*;
use crate::smtp::Sent;

/// A client, and a server that reads everything and has said all of this from the start.
fn against(said: Vec<u8>, keywords: &[&str]) -> (SmtpClient, JoinHandle<Vec<u8>>) {
    let (ours, theirs) = duplex(1 << 16);
    let limits = Limits::default();
    let core = Core::after_greeting(true, &limits);
    let driver = Driver::new(Box::new(ours), core, "smtp", Timeouts::default(), &limits);
    let client = SmtpClient::new(driver, extensions(keywords));
    let server = tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(theirs);
        let mut heard = vec![0; 16];
        // Nothing is an answer that comes before the question.
        read.read_exact(&mut heard).await.unwrap();
        let say = async {
            let _ = write.write_all(&said).await;
        };
        let hear = async {
            let _ = read.read_to_end(&mut heard).await;
        };
        tokio::join!(say, hear);
        heard
    });
    (client, server)
}

const WAYS: [(&[&str], bool); 3] =
    [(&["PIPELINING"], false), (&["PIPELINING", "CHUNKING"], true), (&[], false)];

fn body(chunked: bool) -> Body<'static> {
    if chunked { Body::from("hi\r\n").chunked() } else { Body::from("hi\r\n") }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_reply_or_too_much_of_one_is_a_protocol_error_wherever_it_stands() {
    let nonsense: [Vec<u8>; 9] = [
        b"hello\r\n".to_vec(),
        b"25\r\n".to_vec(),
        b"\0\0\0\r\n".to_vec(),
        b"\xff\xfe 250 ok\r\n".to_vec(),
        b"250-one\r\n550 two\r\n".to_vec(),
        b"\r\n".to_vec(),
        [b"250 ", vec![b'x'; 1 << 20].as_slice(), b"\r\n"].concat(),
        b"250-x\r\n".repeat(100_000),
        b"250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(16_000),
    ];
    for nonsense in nonsense {
        for (keywords, chunked) in WAYS {
            for before in 0..4 {
                let said = [b"250 ok\r\n".repeat(before).as_slice(), &nonsense].concat();
                let (mut client, server) = against(said, keywords);
                let error = client.send(&envelope(), body(chunked)).await.unwrap_err();
                // What comes for DATA is 250, which is none either.
                assert!(matches!(error, Error::Protocol { .. }), "{before}: {error}");
                assert!(!error.connection_usable() && !client.is_open());
                assert!(client.driver.core_mut().input().unread().len() < 200_000);
                assert!(client.noop().await.is_err());
                drop(client);
                let heard = server.await.unwrap();
                assert!(!heard.ends_with(b"hi\r\n.\r\n"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn long_answers_to_many_recipients_take_no_more_memory_than_there_is_reason_for() {
    let recipients: Vec<String> = (0..100).map(|n| format!("u{n}@b.example")).collect();
    let envelope = Envelope::new("me@contoso.example", &recipients).unwrap();
    for (octets, bearable) in [(4000, true), (60_000, false)] {
        let answer = format!("250 {}\r\n", "x".repeat(octets - 6));
        let said = format!("250 ok\r\n{}354 go\r\n", answer.repeat(100));
        let (mut client, _server) = against(said.into_bytes(), &["PIPELINING"]);
        let error = client.send(&envelope, "hi").await.unwrap_err();
        if bearable {
            assert!(matches!(error, Error::Unknown { .. }), "{error}");
            assert_eq!(error.receipt().unwrap().accepted().count(), 100);
        } else {
            assert!(matches!(error, Error::Protocol { .. }), "{error}");
            assert!(client.driver.core_mut().input().received() < 1024 * 1024);
        }
    }
}

#[tokio::test]
async fn ten_thousand_recipients_are_asked_for_through_any_pipe() {
    let recipients: Vec<String> = (0..10_000).map(|n| format!("u{n}@b.example")).collect();
    let envelope = Envelope::new("me@contoso.example", &recipients).unwrap();
    for keywords in [&["PIPELINING"][..], &[]] {
        // The server takes nothing before its last answer was read.
        let (mut client, server) = session(7, keywords, willing);
        let receipt = client.send(&envelope, "hi").await.unwrap();
        assert_eq!(receipt.accepted().count(), 10_000);
        drop(client);
        assert_eq!(server.await.unwrap().messages, ["hi\r\n"]);
    }
}

#[tokio::test]
async fn octets_that_are_no_text_are_shown_as_such_and_harm_nothing() {
    let said = b"250 ok\r\n250 \0\xff\x1b[2J\r\n250-a\n250 b\n354\r\n";
    let (mut client, _server) = against(said.to_vec(), &["PIPELINING"]);
    let mut sending = client.send_all([(envelope(), "hi")]);
    // The message is on its way; its answer does not come.
    assert!(cut(sending.next(), 20).await.is_none());
    drop(sending);
    let core = client.driver.core_mut();
    assert!(matches!(core.wait(), Wait::Delivery(_)));
    let Some(crate::smtp::proto::sending::Lost::PerhapsDelivered(receipt)) = core.lost() else {
        panic!()
    };
    let told: Vec<_> = receipt.recipients().map(|to| to.reply().text().to_owned()).collect();
    assert_eq!(told, ["\u{fffd}\u{fffd}\u{fffd}[2J", "a\nb"]);
}

#[tokio::test(start_paused = true)]
async fn one_reply_too_many_makes_no_success() {
    for (keywords, chunked) in WAYS {
        for doubled in 0..3 {
            let mut replies = vec!["250 ok\r\n"; 3];
            replies.insert(doubled, "250 one too many\r\n");
            let said = replies.concat().into_bytes();
            let (mut client, server) = against(said, keywords);
            let sent = client.send_all([(envelope(), body(chunked)), (envelope(), body(chunked))]);
            let sent: Vec<Sent> = sent.collect().await;
            assert!(sent.iter().all(|sent| sent.outcome.is_err()), "{keywords:?} {sent:?}");
            drop(client);
            let heard = server.await.unwrap();
            assert!(!heard.windows(4).any(|octets| octets == b"hi\r\n"), "{keywords:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_reply_that_never_comes_is_unknown_for_that_message_and_no_other() {
    let said = b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n".to_vec();
    let (mut client, _server) = against(said, &["PIPELINING"]);
    let sent = client.send_all((0..3).map(|_| (envelope(), "hi"))).collect().await;
    let [first, second, third] = &sent[..] else { panic!() };
    let Err(Error::Unknown { cause, receipt }) = &first.outcome else { panic!("{first:?}") };
    assert!(matches!(**cause, Error::Net { source: net::Error::Deadline { .. }, .. }));
    assert_eq!(receipt.accepted().count(), 2);
    for sent in [second, third] {
        let Err(error) = &sent.outcome else { panic!() };
        let Error::Net { source: net::Error::ClosedByClient { after }, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!((after.as_str(), error.retry()), ("no answer within 600 s", Retry::Reconnect));
    }
}

/// The replies that stand behind a delivery come with it, so that nothing else is waited for
/// between two deliveries.
#[tokio::test(start_paused = true)]
async fn each_message_has_the_whole_time_for_its_delivery() {
    const ENVELOPE: &str = "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n";
    let (ours, theirs) = duplex(1 << 16);
    let limits = Limits::default();
    let core = Core::after_greeting(true, &limits);
    let driver = Driver::new(Box::new(ours), core, "smtp", Timeouts::default(), &limits);
    let mut client = SmtpClient::new(driver, extensions(&["PIPELINING"]));
    let (mut read, mut write) = tokio::io::split(theirs);
    tokio::spawn(async move { tokio::io::copy(&mut read, &mut tokio::io::sink()).await });
    let server = tokio::spawn(async move {
        write.write_all(ENVELOPE.as_bytes()).await.unwrap();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(4 * 60)).await;
            write.write_all(b"250 queued\r\n").await.unwrap();
            write.write_all(ENVELOPE.as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    let sent = client.send_all((0..4).map(|_| (envelope(), "hi"))).collect().await;
    server.abort();
    for sent in &sent[..3] {
        assert!(sent.outcome.is_ok(), "{sent:?}");
    }
    // That of the last never comes.
    let Err(Error::Unknown { cause, .. }) = &sent[3].outcome else { panic!("{sent:?}") };
    assert!(cause.to_string().contains("600 s"), "{cause}");
}

#[tokio::test]
async fn a_chunk_may_not_be_asked_for_by_more_replies_than_there_were_commands() {
    let said = b"250 ok\r\n250 ok\r\n250 ok\r\n250 early\r\n".to_vec();
    let (mut client, server) = against(said, &["PIPELINING", "CHUNKING"]);
    let error = client.send(&envelope(), body(true)).await.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
    drop(client);
    assert!(!String::from_utf8(server.await.unwrap()).unwrap().contains("BDAT"));
}
