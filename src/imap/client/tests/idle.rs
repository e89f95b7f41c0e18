//! Watching a mailbox.

use tokio::time::{Instant, timeout};

use super::*;

const IDLES: &str = "IMAP4rev1 IDLE";

const SELECTED: &str = "
    C: A1 SELECT INBOX
    S: * 3 EXISTS
    S: A1 OK done
";

async fn idling(script: &str) -> (ImapClient, JoinHandle<()>) {
    let (mut client, server) = client_of(IDLES, &format!("{SELECTED}{script}")).await;
    client.select("INBOX").await.unwrap();
    (client, server)
}

fn minutes(since: Instant) -> u64 {
    since.elapsed().as_secs() / 60
}

#[tokio::test(start_paused = true)]
async fn events_come_in_the_order_of_the_wire_and_done_ends_it() {
    let (mut client, server) = idling(
        r"
        C: A2 IDLE
        S: + idling
        S: * 2 EXPUNGE\r\n* 3 EXISTS\r\n* 1 RECENT\r\n* 4 EXISTS\r\n* 1 FETCH (FLAGS (\Seen))
        S: * OK Still here
        C: DONE
        S: * 5 EXISTS
        S: A2 OK IDLE terminated
        C: A3 NOOP
        S: * 6 EXISTS
        S: A3 OK done
        ",
    )
    .await;
    let inbox = client.selected().unwrap();
    let mut idle = inbox.idle();
    assert!(matches!(idle.next().await.unwrap(), Event::Expunge(2)));
    // What came together and says the same thing anew is one event.
    let Event::Exists(exists) = idle.next().await.unwrap() else { panic!() };
    let last = match exists {
        3 => idle.next().await.unwrap(),
        _ => Event::Exists(exists),
    };
    assert!(matches!(last, Event::Exists(4)), "{last:?}");
    assert!(matches!(idle.next().await.unwrap(), Event::Fetch(_)));
    assert!(matches!(idle.next().await.unwrap(), Event::Notice(_)));
    assert_eq!(idle.mailbox().exists(), 4);
    idle.done().await.unwrap();
    assert!(matches!(inbox.take_event(), Some(Event::Exists(5))));
    inbox.noop().await.unwrap();
    // Nobody watches any longer.
    assert!(inbox.take_event().is_none());
    assert_eq!(inbox.exists(), 6);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_begins_anew_before_the_half_hour_is_over_and_forgets_nothing() {
    let (mut client, server) = idling(
        "
        C: A2 IDLE
        S: + idling
        C: DONE
        S: * 4 EXISTS
        S: A2 OK done
        C: A3 IDLE
        S: + idling
        C: DONE
        S: A3 OK done
        C: A4 IDLE
        S: + idling
        S: * 1 EXPUNGE
        ",
    )
    .await;
    let inbox = client.selected().unwrap();
    let began = Instant::now();
    let mut idle = inbox.idle();
    assert!(matches!(idle.next().await.unwrap(), Event::Exists(4)));
    assert_eq!(minutes(began), 9);
    assert!(matches!(idle.next().await.unwrap(), Event::Expunge(1)));
    assert_eq!(minutes(began), 18);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_time_is_the_users_choice_up_to_28_minutes() {
    for (every, after) in [(3 * 60, 3), (29 * 60, 28), (60 * 60, 28)] {
        let (mut client, server) = idling(
            "
            C: A2 IDLE
            S: + idling
            C: DONE
            S: * 4 EXISTS
            S: A2 OK done
            ",
        )
        .await;
        let began = Instant::now();
        let inbox = client.selected().unwrap();
        let mut idle = inbox.idle().renew_every(Duration::from_secs(every));
        assert!(matches!(idle.next().await.unwrap(), Event::Exists(4)));
        assert_eq!(minutes(began), after);
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn futures_that_are_dropped_do_not_put_off_the_time() {
    let (mut client, server) = idling(
        "
        C: A2 IDLE
        S: + idling
        C: DONE
        S: * 4 EXISTS
        S: A2 OK done
        ",
    )
    .await;
    let began = Instant::now();
    let inbox = client.selected().unwrap();
    let mut idle = inbox.idle();
    while timeout(Duration::from_secs(7), idle.next()).await.is_err() {}
    assert_eq!(minutes(began), 9);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_told_from_a_quiet_one() {
    let (mut client, server) = idling("C: A2 IDLE\nS: + idling\nC: DONE\nPAUSE 9999").await;
    let began = Instant::now();
    let inbox = client.selected().unwrap();
    let error = inbox.idle().next().await.unwrap_err();
    assert!(matches!(error, Error::Net { source: net::Error::Deadline { .. }, .. }), "{error}");
    assert_eq!((minutes(began), error.retry()), (9 + 5, Retry::Reconnect));
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn last_words_are_the_error_whether_or_not_the_server_closes() {
    for end in ["EOF", "PAUSE 9999"] {
        let words = "S: * BYE Session invalidated - AccessTokenExpired";
        let script = format!("C: A2 IDLE\nS: + idling\nS: * 4 EXISTS\nPAUSE 60\n{words}\n{end}");
        let (mut client, server) = idling(&script).await;
        let inbox = client.selected().unwrap();
        let mut idle = inbox.idle();
        assert!(matches!(idle.next().await.unwrap(), Event::Exists(4)));
        let error = idle.next().await.unwrap_err();
        assert_eq!(error.retry(), Retry::RefreshToken, "{error}");
        assert!(!error.connection_usable());
        assert!(idle.next().await.is_err());
        server.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_anywhere_without_a_word_when_the_connection_does() {
    let whole = "+ idling\r\n* 4 EXISTS\r\n* 1 EXPUNGE\r\n";
    for end in 0..=whole.len() {
        let (stream, mut far) = duplex(4096);
        let settings = Settings::new(Endpoint::imap("mail.example"));
        let mut session = Session::new(Box::new(stream), &settings, true);
        session.core_mut().expect_greeting();
        far.write_all(b"* PREAUTH [CAPABILITY IDLE] hi\r\n").await.unwrap();
        session.step(crate::Stage::Greeting).await.unwrap();
        let mut client = ImapClient::new(session);
        let said = whole[..end].to_owned();
        let server = tokio::spawn(async move {
            far.read_exact(&mut [0; "A1 IDLE\r\n".len()]).await.unwrap();
            far.write_all(said.as_bytes()).await.unwrap();
        });
        let mut idle = client.mailbox.idle();
        let mut events = 0;
        let error = loop {
            match idle.next().await {
                Ok(_) => events += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Closed { .. }), "{error}");
        let lines = whole[..end].matches('\n').count();
        assert_eq!(events, lines.saturating_sub(1), "{end}");
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_idle_is_ended_by_the_next_command_whether_or_not_it_was_taken_up() {
    for taken_up in [true, false] {
        let script = match taken_up {
            true => {
                "C: A2 IDLE\nS: + idling\nC: DONE\nS: * 4 EXISTS\nS: A2 OK done\nC: A3 NOOP\nS: A3 OK done"
            }
            false => {
                "C: A2 IDLE\nPAUSE 3\nS: + idling\nC: DONE\nS: * 4 EXISTS\nS: A2 OK done\nC: A3 NOOP\nS: A3 OK done"
            }
        };
        let (mut client, server) = idling(script).await;
        let inbox = client.selected().unwrap();
        let mut idle = inbox.idle();
        assert!(timeout(Duration::from_secs(1), idle.next()).await.is_err());
        inbox.noop().await.unwrap();
        assert_eq!(inbox.exists(), 4);
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn done_waits_for_the_invitation_which_it_would_else_precede() {
    let (mut client, server) = idling(
        "
        C: A2 IDLE
        PAUSE 20
        S: * 1 EXPUNGE
        S: + idling
        C: DONE
        S: A2 OK done
        ",
    )
    .await;
    let inbox = client.selected().unwrap();
    let mut idle = inbox.idle();
    assert!(timeout(Duration::from_secs(1), idle.next()).await.is_err());
    idle.done().await.unwrap();
    assert!(matches!(inbox.take_event(), Some(Event::Expunge(1))));
    // One that was never begun sends nothing.
    inbox.idle().done().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_error_and_the_connection_is_good() {
    let (mut client, server) =
        idling("C: A2 IDLE\nS: A2 NO not in this mailbox\nC: A3 NOOP\nS: A3 OK done").await;
    let inbox = client.selected().unwrap();
    let error = inbox.idle().next().await.unwrap_err();
    assert_eq!(error.to_string(), "IDLE refused: NO not in this mailbox");
    assert!(error.connection_usable());
    inbox.noop().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_it_after_a_while_is_asked_again() {
    let (mut client, server) = idling(
        "
        C: A2 IDLE
        S: + idling
        PAUSE 240
        S: A2 OK that was long enough
        C: A3 IDLE
        S: + idling
        S: * 4 EXISTS
        ",
    )
    .await;
    let inbox = client.selected().unwrap();
    assert!(matches!(inbox.idle().next().await.unwrap(), Event::Exists(4)));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_it_at_once_is_polled_and_not_flooded() {
    for first in ["S: + idling\nS: A2 OK done", "S: A2 OK done"] {
        let script = format!(
            "C: A2 IDLE\n{first}\nC: A3 NOOP\nS: A3 OK done\nC: A4 NOOP\nS: * 4 EXISTS\nS: A4 OK done"
        );
        let (mut client, server) = idling(&script).await;
        let began = Instant::now();
        let inbox = client.selected().unwrap();
        assert!(matches!(inbox.idle().next().await.unwrap(), Event::Exists(4)));
        assert_eq!(began.elapsed().as_secs(), 60);
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_idle_the_server_is_asked_once_a_minute_or_as_often_as_one_likes() {
    for (every, seconds) in [(None, 60), (Some(5), 5)] {
        let script = format!(
            "{SELECTED}
            C: A2 NOOP
            S: * 1 EXPUNGE
            S: A2 OK done
            C: A3 NOOP
            S: A3 OK done
            C: A4 NOOP
            S: * 4 EXISTS
            S: A4 OK done
            PAUSE 1
            S: * BYE bye
            EOF"
        );
        let (mut client, server) = client_of("IMAP4rev1", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let began = Instant::now();
        let mut idle = inbox.idle();
        if let Some(every) = every {
            idle = idle.poll_every(Duration::from_secs(every));
        }
        assert!(matches!(idle.next().await.unwrap(), Event::Expunge(1)));
        assert_eq!(began.elapsed().as_secs(), 0);
        assert!(matches!(idle.next().await.unwrap(), Event::Exists(4)));
        assert_eq!(began.elapsed().as_secs(), 2 * seconds);
        // A farewell between two questions is heard when it comes.
        assert!(matches!(idle.next().await, Err(Error::Closed { reply: Some(_), .. })));
        assert_eq!(began.elapsed().as_secs(), 2 * seconds + 1);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_events_is_bounded_and_said_to_be() {
    let flood = (0..3000).map(|n| format!(r"* {} EXPUNGE\r\n", n + 1)).collect::<String>();
    let script = format!("C: A2 IDLE\nS: + idling\nS: {flood}* OK hi\nC: DONE\nS: A2 OK done");
    let (mut client, server) = idling(&script).await;
    let inbox = client.selected().unwrap();
    let mut idle = inbox.idle();
    // Whoever listens hears all of it.
    for _ in 0..10 {
        assert!(matches!(idle.next().await.unwrap(), Event::Expunge(_)));
    }
    // Whoever ends it without listening is told what is lost.
    idle.done().await.unwrap();
    let Some(Event::Overflow { lost }) = inbox.take_event() else { panic!() };
    assert!(lost > 1000, "{lost}");
    drop(client);
    server.await.unwrap();
}
