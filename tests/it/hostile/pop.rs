//! What a POP3 server can do.

use std::time::Duration;

use mailbearer::{Failure, Limits, PopClient, Protocol, pop};
use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::{Far, TOKEN, connector, logged_in_pop};

#[tokio::test(start_paused = true)]
async fn the_token_is_taken_out_of_what_cannot_be_parsed() {
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
async fn what_came_before_a_command_is_not_its_answer() {
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

/// Half a farewell before the command: no answer that follows may go to another command.
#[tokio::test(start_paused = true)]
async fn half_a_farewell_before_a_command_is_waited_for_and_nothing_is_sent() {
    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say("+OK\r\n-E").await;
        let line = tokio::time::timeout(Duration::from_secs(1), far.line()).await;
        far.say("RR idle\r\n").await;
        line
    };
    let client = async {
        client.noop().await.unwrap();
        client.stat().await
    };
    let (stat, line) = tokio::join!(client, server);
    assert!(line.is_err(), "sent: {line:?}");
    assert!(stat.unwrap_err().to_string().contains("-ERR idle"));
}

/// Answers each line that the client says with the next of `answers`.
async fn answering(mut far: Far, answers: Vec<Vec<u8>>, chunk: usize) {
    for answer in answers {
        far.line().await;
        for piece in answer.chunks(chunk) {
            far.say(piece).await;
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_none_is_an_error_and_the_session_goes_on() {
    for numbers in
        ["", "-1 5", "1 -5", "+1 5", "1", "one two", "1 99999999999999999999999", "\u{661} 5"]
    {
        let (mut client, far) = logged_in_pop().await;
        let listing = format!("+OK\r\n1 1\r\n{numbers} \r\n2 2\r\n.\r\n").into_bytes();
        let line = format!("+OK {numbers}\r\n").into_bytes();
        let last = b"+OK 3 30\r\n".to_vec();
        let answers = vec![line.clone(), listing.clone(), line.clone(), listing, line, last];
        let client = async {
            let usable = |error: &pop::Error| {
                matches!(error, pop::Error::Unparsed { .. }) && error.connection_usable()
            };
            assert!(client.stat().await.is_err_and(|error| usable(&error)), "STAT {numbers}");
            let listed = client.list().await;
            match numbers {
                // No row at all.
                "" => assert_eq!(listed.unwrap().len(), 2),
                _ => assert!(listed.is_err_and(|error| usable(&error)), "LIST {numbers}"),
            }
            assert!(client.list_one(1).await.is_err_and(|error| usable(&error)), "{numbers}");
            let named = client.uidl().await;
            // Whatever stands behind a number may be an identifier.
            let no_number = !matches!(numbers, "" | "1 -5" | "1 99999999999999999999999");
            assert_eq!(named.is_err_and(|error| usable(&error)), no_number, "UIDL {numbers}");
            let named = client.uidl_one(7).await;
            assert!(named.is_err_and(|error| usable(&error)), "UIDL 7: {numbers}");
            assert_eq!(client.stat().await.unwrap().messages(), 3);
        };
        tokio::join!(client, answering(far, answers, 7));
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_without_end_comes_to_its_limit() {
    let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
    let connector = connector.limits(Limits::default().response(10_000));
    let server = async {
        far.pop_login().await;
        far.line().await;
        far.say("+OK\r\n").await;
        for number in 1..5000 {
            far.say(format!("{number} 120\r\n")).await;
        }
    };
    let client = async {
        let mut client = connector.connect().await.unwrap();
        let error = client.list().await.unwrap_err();
        assert!(error.to_string().contains("more than 10000 octets"), "{error}");
        assert!(!client.is_open() && !error.connection_usable());
    };
    tokio::join!(client, server);
}

#[tokio::test(start_paused = true)]
async fn a_server_of_bare_line_feeds_is_understood_throughout() {
    let (mut client, far) = logged_in_pop().await;
    let message = b"+OK 9\none\n..two\n.\n".to_vec();
    let answers = vec![
        b"+OK\n1 abc\n2 def\n.\n".to_vec(),
        message.clone(),
        message.clone(),
        message,
        b"+OK 2 18\n".to_vec(),
    ];
    let client = async {
        assert_eq!(client.uidl().await.unwrap().len(), 2);
        assert_eq!(client.retr(1).await.unwrap(), "one\n.two\n");
        let mut reader = client.retr_reader(1).await.unwrap();
        assert_eq!(reader.size_hint(), Some(9));
        let mut text = String::new();
        reader.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "one\n.two\n");
        let retrieved = client.retr_all([1]).next().await.unwrap().unwrap();
        assert_eq!(retrieved.into_message().unwrap(), "one\n.two\n");
        assert_eq!(client.stat().await.unwrap().octets(), 18);
    };
    tokio::join!(client, answering(far, answers, 3));
}

/// The number behind +OK decides nothing.
#[tokio::test(start_paused = true)]
async fn a_size_that_is_wrong_changes_no_octet() {
    for size in ["0", "1", "18446744073709551615", "99999999999999999999", "-1", "octets"] {
        let (mut client, far) = logged_in_pop().await;
        let message = format!("+OK {size} octets\r\nhello\r\n.\r\n").into_bytes();
        let answers = vec![message.clone(), message, b"+OK 1 7\r\n".to_vec()];
        let client = async {
            assert_eq!(client.retr(1).await.unwrap(), "hello\r\n");
            let mut reader = client.retr_reader(1).await.unwrap();
            assert_eq!(reader.chunk().await.unwrap().unwrap(), "hello\r\n");
            assert!(reader.chunk().await.unwrap().is_none());
            assert_eq!(client.stat().await.unwrap().octets(), 7);
        };
        tokio::join!(client, answering(far, answers, 64));
    }
}

fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut answer = b"+OK\r\n".to_vec();
    let mut start = true;
    for (at, octet) in message.iter().enumerate() {
        answer.extend((start && *octet == b'.').then_some(b'.'));
        answer.push(*octet);
        start = message[..=at].ends_with(b"\r\n");
    }
    answer.extend_from_slice(b".\r\n");
    answer
}

fn in_time<T>(work: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        // All deadlines of the crate, several times over.
        let done = tokio::time::timeout(Duration::from_secs(24 * 3600), work).await;
        done.expect("it hangs")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_message_is_the_same_in_every_way_it_is_read(
        lines in proptest::collection::vec("[.\n\ra\u{e9}]{0,6}", 0..30),
        chunk in 1usize..40,
    ) {
        let message = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
        let message = message.into_bytes();
        in_time(async {
            let (mut client, far) = logged_in_pop().await;
            let client = async {
                assert_eq!(client.retr(1).await.unwrap(), message);
                let mut read = Vec::new();
                client.retr_reader(1).await.unwrap().read_to_end(&mut read).await.unwrap();
                assert_eq!(read, message);
                let retrieved = client.retr_all([1]).next().await.unwrap().unwrap();
                assert_eq!(retrieved.into_message().unwrap(), message);
            };
            tokio::join!(client, answering(far, vec![stuffed(&message); 3], chunk))
        });
    }

    #[test]
    fn nonsense_neither_panics_nor_hangs(
        answers in proptest::collection::vec(
            "(\\+OK|-ERR|\\+)?[ -~]{0,9}\r?\n([0-9 .a-z]{0,9}\r?\n){0,3}(\\.\r?\n)?",
            1..8,
        ),
        chunk in 1usize..9,
    ) {
        let answers: Vec<Vec<u8>> = answers.into_iter().map(String::into_bytes).collect();
        in_time(async {
            let (mut client, far) = logged_in_pop().await;
            let client = async {
                let mut messages = client.retr_all(1..=3);
                while let Ok(Some(_)) = messages.next().await {}
                if let Ok(mut reader) = client.retr_reader(1).await {
                    let _ = reader.read_to_end(&mut Vec::new()).await;
                }
                if let Ok(mut new) = client.sync(["x"]).await {
                    while let Ok(Some(message)) = new.next().await {
                        new.delete(&message);
                    }
                    let _ = new.finish().await;
                }
            };
            tokio::join!(client, answering(far, answers, chunk))
        });
    }
}
