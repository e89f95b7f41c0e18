//! What a malicious or broken IMAP server can do.

use std::time::Duration;

use mailbearer::imap::{AppendOptions, Error, Event, Fetch, Message, Uid, UnparsedReason};
use mailbearer::{Failure, ImapClient, Limits, Protocol, Retry, Timeouts, net};
use tokio::io::AsyncWriteExt;

use super::{Far, TOKEN, connector};

/// By AUTHENTICATE, so that the session knows a token.
pub(super) async fn logged_in_imap(timeouts: Timeouts) -> (ImapClient, Far) {
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

/// OK to APPEND although nothing of the literal was invited or sent.
#[tokio::test(start_paused = true)]
async fn a_message_that_was_not_written_is_not_reported_as_stored() {
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
async fn an_append_that_ends_in_a_protocol_error_may_have_been_done() {
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
async fn an_append_on_a_connection_that_was_closed_before_can_be_repeated() {
    let (mut client, far) = logged_in_imap(Timeouts::default()).await;
    drop(far);
    let error = client.append("Sent", "hello\r\n", AppendOptions::new()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Reconnect, "{error}");
}
/// EXPUNGE of the old mailbox, before CLOSED.
#[tokio::test(start_paused = true)]
async fn what_came_before_closed_is_about_the_old_mailbox() {
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
/// Another message's flags change meanwhile. Dovecot, Cyrus and Exchange name the UID there, too.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_in_the_set_is_an_event() {
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
        let uid = Uid::new(5).unwrap();
        let messages = inbox.uid_fetch(uid, Fetch::flags()).await.unwrap();
        messages.collect().await.unwrap()
    };
    let (messages, ()) = tokio::join!(client, server);
    let uids: Vec<_> = messages.iter().map(|message| message.uid().unwrap().get()).collect();
    assert_eq!(uids, [5]);
}
#[tokio::test(start_paused = true)]
async fn an_append_whose_answer_was_lost_to_an_expired_token_may_have_been_done() {
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
#[tokio::test(start_paused = true)]
async fn the_largest_literal_is_an_error_under_the_largest_limit() {
    let limits = Limits::default().message(u64::MAX);
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

/// OK while a message that needed no invitation is on its way: what is left of it must not be read
/// as commands.
#[tokio::test(start_paused = true)]
async fn an_answer_in_the_midst_of_a_message_costs_the_connection() {
    for answer in ["A2 OK [APPENDUID 1 7] done", "A2 NO [TOOBIG] no"] {
        let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
        let message = "A3 DELETE INBOX\r\n".repeat(100_000);
        let octets = message.len();
        let server = async {
            far.line().await;
            far.say("* CAPABILITY IMAP4rev1 LITERAL+\r\nA2 OK\r\n").await;
            let command = far.line().await;
            far.say(format!("{}\r\n", answer.replace("A2", "A3"))).await;
            // The client hears it while the pipe is full.
            tokio::task::yield_now().await;
            let mut read = 0;
            loop {
                match far.line().await.len() {
                    0 => return (command, read),
                    line => read += line + 2,
                }
            }
        };
        let client = async {
            client.noop().await.unwrap();
            let error = client.append("Sent", message, AppendOptions::new()).await.unwrap_err();
            assert!(!error.connection_usable(), "{error:?}");
            assert_ne!(error.retry(), Retry::MayDuplicate);
            let next = client.noop().await.unwrap_err();
            assert_eq!(next.retry(), Retry::Reconnect, "{next}");
            drop(client);
        };
        let ((), (command, read)) = tokio::join!(client, server);
        assert_eq!(command, format!("A3 APPEND Sent {{{octets}+}}"));
        assert!(read < octets);
    }
}

/// The server said goodbye while nobody asked, and does not close.
#[tokio::test(start_paused = true)]
async fn after_a_goodbye_nothing_is_sent() {
    for goodbyes in ["* BYE one\r\n", "* BYE one\r\n* BYE two\r\n"] {
        let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
        let server = async {
            far.line().await;
            far.say(format!("A2 OK\r\n{goodbyes}")).await;
            far.line().await
        };
        let client = async {
            client.noop().await.unwrap();
            let error = client.noop().await.unwrap_err();
            assert!(matches!(error, Error::Closed { reply: Some(_), .. }), "{error:?}");
            assert_eq!(error.retry(), Retry::Reconnect);
            assert!(format!("{client:?}").contains("open: false"));
            drop(client);
        };
        let ((), sent) = tokio::join!(client, server);
        assert_eq!(sent, "");
    }
}

/// A flood of untagged data in place of the answer.
#[tokio::test(start_paused = true)]
async fn a_flood_does_not_outlast_the_deadline() {
    let timeouts = Timeouts::default().reply(Duration::from_secs(10));
    let (mut client, mut far) = logged_in_imap(timeouts).await;
    let flood = tokio::spawn(async move {
        let mut seconds = 0;
        while seconds < 1000 && far.stream.write_all(b"* OK hi\r\n* 1 BOGUS\r\n").await.is_ok() {
            tokio::time::advance(Duration::from_secs(1)).await;
            seconds += 1;
        }
        seconds
    });
    let error = client.noop().await.unwrap_err();
    drop(client);
    assert!(matches!(error, Error::Net { source: net::Error::Deadline { .. }, .. }), "{error:?}");
    let seconds = flood.await.unwrap();
    assert!(seconds < 20, "{seconds} seconds");
}

/// The figure `imap/flood_1_000_000_heap` says what ten times as many take.
#[tokio::test(start_paused = true)]
async fn of_a_flood_before_an_answer_a_thousand_are_kept_and_the_others_counted() {
    const LINES: [&str; 8] = [
        "* 1 EXPUNGE\r\n",
        "* XFOO bar\r\n",
        "* OK hi\r\n",
        "* 1 BOGUS (\r\n",
        "* 1 FETCH (FLAGS ())\r\n",
        "A9 OK of no command\r\n",
        "garbage\r\n",
        "* STATUS x (MESSAGES 1)\r\n",
    ];
    const TIMES: usize = 12_500;
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("* 20000 EXISTS\r\nA2 OK\r\n").await;
        far.line().await;
        for _ in 0..TIMES {
            far.say(LINES.concat()).await;
        }
        far.say("A3 OK at last\r\n").await;
        far.line().await;
        far.say("A4 OK\r\n").await;
    };
    let client = async {
        let inbox = client.select("INBOX").await.unwrap();
        inbox.noop().await.unwrap();
        let events: Vec<_> = std::iter::from_fn(|| inbox.take_event()).collect();
        let [Event::Overflow { lost }, kept @ ..] = &events[..] else { panic!("{events:?}") };
        assert!(kept.len() <= 1000, "{}", kept.len());
        assert_eq!(*lost as usize + kept.len(), TIMES * LINES.len());
        assert_eq!(inbox.exists() as usize, 20_000 - TIMES);
        inbox.noop().await.unwrap();
        assert!(inbox.take_event().is_none());
    };
    tokio::join!(client, server);
}

/// A megabyte that is not understood, with the token in it.
#[tokio::test(start_paused = true)]
async fn of_a_large_response_that_is_not_understood_the_beginning_is_kept() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let octets = 1_000_000;
    let response = format!("* 1 BOGUS {{{octets}}}\r\n");
    let server = async {
        far.line().await;
        far.say(&response).await;
        far.say(&format!("{TOKEN} ").repeat(octets / 64)[..octets]).await;
        far.say("\r\nA2 OK\r\n").await;
    };
    let (answer, ()) = tokio::join!(client.noop(), server);
    answer.unwrap();
    let Some(Event::Unparsed { frame, octets: all, .. }) = client.take_event() else { panic!() };
    assert_eq!(all, response.len() + octets + 2);
    assert!(frame.starts_with(response.as_bytes()) && frame.len() <= 4096);
    assert!(!String::from_utf8_lossy(&frame).contains(&TOKEN[..16]));
}

#[tokio::test(start_paused = true)]
async fn of_flags_without_end_a_thousand_are_kept() {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say(format!("* FLAGS ({})\r\nA2 OK\r\n", "a ".repeat(20_000))).await;
    };
    let (mailbox, ()) = tokio::join!(client.select("INBOX"), server);
    assert_eq!(mailbox.unwrap().flags().len(), 1000);
}

/// What a session makes of this answer to UID FETCH 5: the UIDs and their flags, or the error, then
/// whether the next command is answered.
async fn fetched(answer: &[u8]) -> (Result<Vec<Message>, Error>, Vec<Event>, bool) {
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("* 9 EXISTS\r\nA2 OK\r\n").await;
        far.line().await;
        far.say(answer).await;
        far.say("* 5 FETCH (UID 5 FLAGS (\\Seen))\r\nA3 OK\r\n").await;
        if far.line().await.starts_with("A4 NOOP") {
            far.say("A4 OK\r\n").await;
        }
    };
    let client = async {
        let inbox = client.select("INBOX").await.unwrap();
        let uid = Uid::new(5).unwrap();
        let messages = inbox.uid_fetch(uid, Fetch::flags()).await.unwrap().collect().await;
        let events = std::iter::from_fn(|| inbox.take_event()).collect();
        let lives = inbox.noop().await.is_ok();
        drop(client);
        (messages, events, lives)
    };
    tokio::join!(client, server).0
}

#[tokio::test(start_paused = true)]
async fn a_literal_that_is_none_or_too_short_costs_its_response_only() {
    for literal in ["{-1}", "{+5}", "{}", "{1x}", "{99999999999999999999999}", "{3}\r\nabcdef"] {
        let answer = format!("* 5 FETCH (UID 5 BODY[] {literal})\r\n");
        let (messages, events, lives) = fetched(answer.as_bytes()).await;
        let messages = messages.unwrap_or_else(|error| panic!("{literal}: {error}"));
        assert!(messages.iter().any(|message| message.flags().count() == 1), "{literal}");
        let told = !events.is_empty()
            || messages.iter().any(|message| message.unparsed().next().is_some());
        assert!(told && lives, "{literal}: {messages:?} {events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_literal_that_never_ends_is_an_error_and_not_a_hang() {
    for literal in ["{9223372036854775808}", "{9223372036854775807}", "{300}"] {
        let answer = format!("* 5 FETCH (UID 5 BODY[] {literal}\r\nabc)\r\n");
        let (messages, _, lives) = fetched(answer.as_bytes()).await;
        let error = messages.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. } | Error::Net { .. }), "{literal}: {error}");
        assert!(!error.connection_usable() && !lives, "{literal}: {error}");
    }
}

#[test]
fn a_million_parentheses_are_an_unparsed_item_and_the_session_lives() {
    let play = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (open, close) = ("(".repeat(1_000_000), ")".repeat(1_000_000));
            for item in ["BODYSTRUCTURE", "ENVELOPE", "X-NEW", "FLAGS"] {
                let answer = format!("* 5 FETCH (UID 5 {item} {open}{close})\r\n");
                let (messages, events, lives) = fetched(answer.as_bytes()).await;
                let messages = messages.unwrap_or_else(|error| panic!("{item}: {error}"));
                assert!(lives && events.is_empty(), "{item}: {events:?}");
                let [deep, next] = &messages[..] else { panic!("{item}: {messages:?}") };
                let reasons: Vec<_> = deep.unparsed().map(|unparsed| unparsed.reason()).collect();
                match item {
                    "BODYSTRUCTURE" => {
                        assert!(
                            matches!(reasons[..], [UnparsedReason::TooDeep { .. }]),
                            "{reasons:?}"
                        );
                    }
                    // No string begins with a parenthesis.
                    "ENVELOPE" => {
                        let expected = "a string or NIL";
                        assert_eq!(reasons, [UnparsedReason::Malformed { expected }]);
                        assert!(!deep.envelope().unwrap().is_complete());
                    }
                    // A value is a value, however deep, and read when somebody asks.
                    _ => {
                        assert!(reasons.is_empty(), "{item}: {reasons:?}");
                        let kept = deep.items().find(|kept| kept.name() == item.as_bytes());
                        assert_eq!(kept.map(|kept| kept.value().len()), Some(2_000_000), "{item}");
                    }
                }
                assert_eq!((deep.uid(), next.flags().count()), (Uid::new(5), 1), "{item}");
            }
        });
    };
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(play).unwrap();
    thread.join().unwrap();
}
