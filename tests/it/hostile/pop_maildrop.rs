//! What a POP3 server can do to a program that fetches what is new.

use std::time::Duration;

use mailbearer::{Failure, Limits, PopClient, Protocol, Retry, pop};
use tokio::io::AsyncReadExt;

use super::{Far, connector, logged_in_pop};
use crate::support::cut::cut;

/// A server that is asked again behind the login, and pipelines.
const OFFERED: &str = "+OK\r\nUIDL\r\nTOP\r\nPIPELINING\r\n.\r\n";

/// Answers what comes by what it is, in pieces of `chunk` octets, until the client closes; what
/// was asked.
async fn serve(far: &mut Far, chunk: usize, answer: impl Fn(&str) -> String) -> Vec<String> {
    let mut asked = Vec::new();
    loop {
        let line = far.line().await;
        if line.is_empty() {
            return asked;
        }
        let answer = answer(&line);
        for piece in answer.as_bytes().chunks(chunk) {
            far.say(piece).await;
            tokio::task::yield_now().await;
        }
        asked.push(line);
    }
}

/// A maildrop in which message n has the identifier `id-n` and says so.
fn maildrop(messages: u32, line: &str) -> String {
    let listing = |row: fn(u32) -> String| {
        (1..=messages).fold("+OK\r\n".to_owned(), |all, n| all + &row(n) + "\r\n") + ".\r\n"
    };
    let number = line.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0);
    match line.split(' ').next().unwrap_or_default() {
        "CAPA" => OFFERED.to_owned(),
        "UIDL" => listing(|n| format!("{n} id-{n}")),
        "LIST" => listing(|n| format!("{n} 20")),
        "RETR" if (1..=messages).contains(&number) => {
            format!("+OK\r\n..message {number}\r\n\r\n..\r\n.\r\n")
        }
        "STAT" => format!("+OK {messages} 20\r\n"),
        "DELE" | "QUIT" | "NOOP" => format!("+OK {line}\r\n"),
        _ => format!("-ERR no {line}\r\n"),
    }
}

fn message(number: u32) -> String {
    format!(".message {number}\r\n\r\n.\r\n")
}

#[tokio::test(start_paused = true)]
async fn whatever_is_dropped_at_any_poll_the_next_answer_is_that_to_the_next_command() {
    for chunk in [1, 2, 5, 1000] {
        for most in (1..120).step_by(if chunk < 5 { 1 } else { 7 }) {
            let (mut client, mut far) = logged_in_pop().await;
            let client = async {
                let mut messages = client.retr_all(1..=4);
                let mut number = 0;
                while let Some(Some(next)) = cut(messages.next(), most).await.map(Result::unwrap) {
                    number += 1;
                    assert_eq!(next.into_message().unwrap(), message(number));
                }
                assert_eq!(client.stat().await.unwrap().messages(), 4);
                if let Some(reader) = cut(client.retr_reader(2), most).await {
                    let mut read = [0; 3];
                    cut(reader.unwrap().read(&mut read), most).await;
                }
                assert_eq!(client.retr(3).await.unwrap(), message(3));
                assert!(client.retr(5).await.unwrap_err().to_string().contains("RETR 5"));
                cut(client.uidl(), most).await;
                assert_eq!(client.list().await.unwrap().len(), 4);
                drop(client);
            };
            let server = serve(&mut far, chunk, |line| maildrop(4, line));
            tokio::join!(client, server);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_goes_on_wherever_next_was_dropped() {
    for chunk in [1, 3, 1000] {
        let (client, mut far) = logged_in_pop().await;
        let client = async {
            let mut new = client.sync(["id-2"]).await.unwrap();
            let mut given = Vec::new();
            for most in (0..).map(|n| n % 6 + 1) {
                match cut(new.next(), most).await.map(Result::unwrap) {
                    Some(Some(one)) => {
                        assert_eq!(one.message().unwrap(), &message(one.number()));
                        new.delete(&one);
                        given.push(one.number());
                    }
                    Some(None) => break,
                    None => {}
                }
            }
            assert_eq!(given, [1, 3, 4, 5]);
            new.finish().await.unwrap().deleted()
        };
        let server = serve(&mut far, chunk, |line| maildrop(5, line));
        let (deleted, asked) = tokio::join!(client, server);
        assert_eq!(deleted, 4);
        let deleted: Vec<_> = asked.iter().filter(|line| line.starts_with("DELE")).collect();
        assert_eq!(deleted, ["DELE 1", "DELE 3", "DELE 4", "DELE 5"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_answered_out_of_turn_is_not_open() {
    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say("+OK\r\n+OK 9").await;
    };
    let (noop, ()) = tokio::join!(client.noop(), server);
    noop.unwrap();
    let error = client.stat().await.unwrap_err();
    assert!(matches!(error, pop::Error::Protocol { .. }), "{error:?}");
    assert!(!client.is_open() && !error.connection_usable());
}

const CLOSED: &str = "-ERR Protocol error. Connection is closed. 10\r\n";

/// Exchange says so, and closes a moment later.
#[tokio::test(start_paused = true)]
async fn a_sync_that_the_server_ends_has_not_given_all_however_often_it_is_asked() {
    let (client, mut far) = logged_in_pop().await;
    let client = async {
        let mut new = client.sync(["id-1"]).await.unwrap();
        for _ in 0..3 {
            let error = new.next().await.unwrap_err();
            assert!(matches!(error, pop::Error::Closed { .. }), "{error:?}");
        }
        assert!(new.finish().await.is_err());
    };
    let answer = |line: &str| match line {
        "RETR 2" => CLOSED.to_owned(),
        _ => maildrop(3, line),
    };
    let ((), asked) = tokio::join!(client, serve(&mut far, 99, answer));
    assert_eq!(asked.last().unwrap(), "RETR 3");
}

#[tokio::test(start_paused = true)]
async fn a_quit_that_is_answered_by_a_closed_connection_leaves_it_unknown_what_is_deleted() {
    for (answer, marked) in [(CLOSED, 1), (CLOSED, 0), ("", 1), ("nonsense\r\n", 1)] {
        let (mut client, mut far) = logged_in_pop().await;
        let client = async {
            for _ in 0..marked {
                client.dele(1).await.unwrap();
            }
            client.quit().await.unwrap_err()
        };
        let server = async {
            for _ in 0..marked {
                far.line().await;
                far.say("+OK\r\n").await;
            }
            assert_eq!(far.line().await, "QUIT");
            far.say(answer).await;
            drop(far);
        };
        let (error, ()) = tokio::join!(client, server);
        match marked {
            0 => assert!(matches!(error, pop::Error::Closed { .. }), "{error:?}"),
            _ => assert!(matches!(error, pop::Error::Unknown { marked: 1, .. }), "{error:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_uidl_is_a_missing_one_only_if_it_is_not_offered() {
    for (offered, refused) in [("+OK\r\nUIDL\r\n.\r\n", true), ("+OK\r\nTOP\r\n.\r\n", false)] {
        let (client, mut far) = logged_in_pop().await;
        let answer = |line: &str| match line {
            "CAPA" => offered.to_owned(),
            "UIDL" => "-ERR mailbox is being rebuilt\r\n".to_owned(),
            _ => maildrop(1, line),
        };
        let (new, _) = tokio::join!(client.sync(["x"]), serve(&mut far, 99, answer));
        let error = new.unwrap_err();
        assert_eq!(matches!(error, pop::Error::Refused { .. }), refused, "{error:?}");
        assert_eq!(matches!(error, pop::Error::Unsupported { .. }), !refused, "{error:?}");
    }
}

/// RFC 1939 section 7 lets identical copies share an identifier, and others do it, too.
#[tokio::test(start_paused = true)]
async fn messages_of_different_sizes_are_not_known_by_one_identifier() {
    let (client, mut far) = logged_in_pop().await;
    let answer = |line: &str| match line {
        "UIDL" => "+OK\r\n1 same\r\n2 same\r\n3 twin\r\n4 twin\r\n.\r\n".to_owned(),
        "LIST" => "+OK\r\n1 20\r\n2 21\r\n3 30\r\n4 30\r\n.\r\n".to_owned(),
        _ => maildrop(4, line),
    };
    let client = async {
        let mut new = client.sync(["same", "twin"]).await.unwrap();
        let mut given = Vec::new();
        while let Some(one) = new.next().await.unwrap() {
            given.push((one.number(), one.id().map(str::to_owned)));
        }
        assert_eq!(given, [(1, None), (2, None)]);
        assert_eq!(new.known().collect::<Vec<_>>(), ["twin", "twin"]);
        // Whichever of the two the caller has, it is not to be known by this.
        assert_eq!(new.gone().collect::<Vec<_>>(), ["same"]);
    };
    tokio::join!(client, serve(&mut far, 99, answer));
}

/// Exchange lists sizes that it only estimates.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_larger_than_listed_does_not_end_the_others() {
    let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
    let connector = connector.limits(Limits::default().message(1000));
    let answer = |line: &str| match line {
        "RETR 2" => format!("+OK\r\n{}.\r\n", "a line\r\n".repeat(200)),
        "CAPA" => "+OK\r\nUIDL\r\nPIPELINING\r\nEXPIRE 0\r\n.\r\n".to_owned(),
        _ => maildrop(3, line),
    };
    let client = async {
        let mut client = connector.connect().await.unwrap();
        let error = client.retr(2).await.unwrap_err();
        assert!(matches!(error, pop::Error::TooLarge { octets: 1600, limit: 1000 }), "{error:?}");
        assert!(error.connection_usable() && client.is_open());
        let mut new = client.sync(["x"]).await.unwrap();
        let mut given = Vec::new();
        while let Some(one) = new.next().await.unwrap() {
            given.push((one.number(), one.message().is_ok()));
            new.delete(&one);
        }
        assert_eq!(given, [(1, true), (2, false), (3, true)]);
        // It was read, and QUIT would delete it.
        let error = new.finish().await.unwrap_err();
        assert!(matches!(error, pop::Error::Unstored { messages: 1 }), "{error:?}");
    };
    let server = async {
        far.pop_login().await;
        serve(&mut far, 99, answer).await
    };
    tokio::join!(client, server);
}

#[tokio::test(start_paused = true)]
async fn a_message_without_end_costs_the_connection_and_no_memory() {
    let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
    let connector = connector.limits(Limits::default().message(1000).settle(50_000));
    let server = async {
        far.pop_login().await;
        far.line().await;
        far.say("+OK\r\n").await;
        for _ in 0..20 {
            far.say("a line of a message without end\r\n".repeat(1000)).await;
        }
    };
    let client = async {
        let mut client = connector.connect().await.unwrap();
        let error = client.retr(1).await.unwrap_err();
        assert!(error.to_string().contains("more than 1000 octets"), "{error}");
        assert!(!client.is_open() && !error.connection_usable());
    };
    tokio::join!(client, server);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_capabilities_and_a_row_of_a_listing_come_to_their_limits() {
    let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
    let server = async {
        far.say("+OK\r\n").await;
        far.line().await;
        far.say(format!("+OK\r\n{}.\r\n", "X\r\n".repeat(1001))).await;
    };
    let (client, ()) = tokio::join!(connector.connect(), server);
    let error = client.unwrap_err();
    assert!(error.to_string().contains("more than 1000 lines"), "{error}");

    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say(format!("+OK\r\n1 {}\r\n.\r\n", "x".repeat(70_000))).await;
    };
    let (named, ()) = tokio::join!(client.uidl(), server);
    let error = named.unwrap_err();
    assert!(matches!(error, pop::Error::Protocol { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_at_the_greeting_may_be_tried_later() {
    let (connector, mut far) = connector(Protocol::Pop, PopClient::builder);
    let (client, ()) = tokio::join!(connector.connect(), far.say("-ERR too many connections\r\n"));
    assert_eq!(client.unwrap_err().retry(), Retry::Later(None));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_rows_are_read_in_time() {
    let (client, mut far) = logged_in_pop().await;
    let rows = |row: fn(u32) -> String| {
        (1..=100_000).fold("+OK\r\n".to_owned(), |all, n| all + &row(n)) + ".\r\n"
    };
    let answer = |line: &str| match line {
        "UIDL" => rows(|n| format!("{n} {n:010}\r\n")),
        "LIST" => rows(|n| format!("{n} 2000\r\n")),
        _ => maildrop(1, line),
    };
    let (new, _) = tokio::join!(
        async { client.sync(["0000000007"]).await.unwrap().left() },
        serve(&mut far, 1 << 19, answer)
    );
    assert_eq!(new, 99_999);
}

/// Some 10 octets a second are less than the least that must move.
#[tokio::test(start_paused = true)]
async fn a_listing_that_drips_comes_to_the_deadline() {
    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say("+OK\r\n").await;
        for number in 1..100_000 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            far.say(format!("{number} 12\r\n")).await;
        }
    };
    let began = tokio::time::Instant::now();
    let error = tokio::select! {
        listed = client.list() => listed.unwrap_err(),
        () = server => panic!("it waits for ever"),
    };
    assert!(matches!(error, pop::Error::Net { .. }), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), 60);
    assert!(!client.is_open());
}
