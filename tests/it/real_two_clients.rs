//! Two clients at once on one mailbox of a real server.

use std::time::Duration;

use mailbearer::imap::{
    AppendOptions, Error, Event, Fetch, Flag, Mailbox, Message, StoreFlags, Uid, UidSet,
};
use mailbearer::{Failure, ImapClient, Retry};
use tokio::time::timeout;

use crate::support::person::Person;

/// Two sessions of one owner, the INBOX with so many messages, and their UIDs.
async fn two(messages: usize, kib: usize) -> (ImapClient, ImapClient, Vec<Uid>) {
    let owner = Person::new("shared");
    let (one, mut other) = (owner.imap().await, owner.imap().await);
    let mut uids = Vec::new();
    for number in 0..messages {
        let message = numbered(number, kib);
        let place = other.append("INBOX", message, AppendOptions::new()).await.expect("APPEND");
        uids.push(place.uid().expect("Dovecot has UIDPLUS"));
    }
    other.select("INBOX").await.expect("SELECT");
    (one, other, uids)
}

/// A message that tells its number everywhere.
fn numbered(number: usize, kib: usize) -> Vec<u8> {
    let line = format!("message {number}, and nothing but message {number}, line by line.\r\n");
    let mut message = format!("Subject: {number}\r\n\r\n").into_bytes();
    message.extend(line.as_bytes().iter().cycle().take(kib << 10));
    message
}

fn mailbox(client: &mut ImapClient) -> &mut Mailbox {
    client.selected().expect("a selected mailbox")
}

#[tokio::test]
async fn messages_expunged_during_a_fetch_take_nothing_from_the_others() {
    const MESSAGES: usize = 12;
    let (mut one, mut other, uids) = two(MESSAGES, 512).await;
    let inbox = one.select("INBOX").await.expect("SELECT");
    let mut messages =
        inbox.uid_fetch(UidSet::all(), Fetch::uid().body()).await.expect("UID FETCH");
    let mut seen = Vec::new();
    while let Some(message) = messages.next().await.expect("UID FETCH") {
        if seen.is_empty() {
            // More is on its way than any buffer holds: the server is in the middle of it.
            let gone: UidSet = [uids[0], uids[4], uids[MESSAGES - 1]].into_iter().collect();
            let marks = StoreFlags::add([Flag::Deleted]).silent();
            mailbox(&mut other).uid_store(gone.clone(), marks).await.expect("UID STORE");
            let expunged = mailbox(&mut other).uid_expunge(gone).await.expect("UID EXPUNGE");
            // From the end, so that no number moves before its turn.
            assert_eq!(expunged.numbers(), [12, 5, 1]);
        }
        // News of flags come in between, without a body.
        if let Some(body) = message.body() {
            let number = uids.iter().position(|uid| message.uid() == Some(*uid)).expect("a UID");
            assert_eq!(body, numbered(number, 512), "message {number}");
            assert!(!seen.contains(&number), "message {number} came twice");
            seen.push(number);
        }
    }
    for number in (0..MESSAGES).filter(|number| ![4, MESSAGES - 1].contains(number)) {
        assert!(seen.contains(&number), "message {number} is missing: {seen:?}");
    }

    inbox.noop().await.expect("NOOP");
    let mut expunged = 0;
    while let Some(event) = inbox.take_event() {
        expunged += usize::from(matches!(event, Event::Expunge(_)));
    }
    assert_eq!((expunged, inbox.exists()), (3, MESSAGES as u32 - 3));
    let left = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.expect("UID FETCH");
    let left: Vec<_> = left.collect().await.expect("UID FETCH");
    let numbers: Vec<_> = left.iter().map(Message::seq).collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn one_who_watches_hears_of_mail_flags_and_messages_that_go() {
    const LONG: Duration = Duration::from_secs(90);
    let (mut one, mut other, uids) = two(2, 1).await;
    let inbox = one.select("INBOX").await.expect("SELECT");
    let mut idle = inbox.idle();
    // Nothing is sent before the first `next`, and what happens before is no news of IDLE's.
    assert!(
        timeout(Duration::from_millis(200), idle.next()).await.is_err(),
        "nothing has happened"
    );

    other.append("INBOX", numbered(2, 1), AppendOptions::new()).await.expect("APPEND");
    let heard = timeout(LONG, idle.next()).await.expect("in time").expect("IDLE");
    assert!(matches!(heard, Event::Exists(3)), "{heard:?}");
    assert_eq!(idle.mailbox().exists(), 3);

    let marks = StoreFlags::add([Flag::Flagged, Flag::Deleted]).silent();
    mailbox(&mut other).uid_store(uids[1], marks).await.expect("UID STORE");
    loop {
        match timeout(LONG, idle.next()).await.expect("in time").expect("IDLE") {
            // The new message is not `\Recent` to two sessions.
            Event::Fetch(message) if message.seq() == 2 => {
                for flag in [Flag::Flagged, Flag::Deleted] {
                    assert!(message.flags().contains(&flag), "{message:?}");
                }
                break;
            }
            Event::Fetch(_) | Event::Notice(_) => {}
            other => panic!("{other:?}"),
        }
    }

    mailbox(&mut other).uid_expunge(uids[1]).await.expect("UID EXPUNGE");
    loop {
        match timeout(LONG, idle.next()).await.expect("in time").expect("IDLE") {
            Event::Expunge(number) => break assert_eq!(number, 2),
            Event::Fetch(_) | Event::Notice(_) => {}
            other => panic!("{other:?}"),
        }
    }
    idle.done().await.expect("DONE");
    assert_eq!(inbox.exists(), 2);
    let new = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("UID FETCH");
    let new = new.collect().await.expect("UID FETCH");
    assert_eq!(new[1].body(), Some(&numbered(2, 1)[..]));
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_deleted_while_it_is_open_is_an_error_and_no_empty_mailbox() {
    let owner = Person::new("shared");
    let (mut one, mut other) = (owner.imap().await, owner.imap().await);
    other.create("Short-lived").await.expect("CREATE");
    for number in 0..3 {
        let message = numbered(number, 1);
        other.append("Short-lived", message, AppendOptions::new()).await.expect("APPEND");
    }
    one.select("Short-lived").await.expect("SELECT");
    other.delete("Short-lived").await.expect("DELETE");

    let inside = mailbox(&mut one);
    // Dovecot serves from what it has open until it looks, and then ends the session.
    let error = loop {
        match inside.noop().await {
            Ok(()) => assert_eq!(inside.exists(), 3, "nobody has said that they are gone"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Closed { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Reconnect, "{error}");
    assert!(error.reply_text().is_some_and(|said| said.contains("relogin")), "{error}");
    assert!(!one.is_open());

    let mut again = owner.imap().await;
    let error = again.select("Short-lived").await.expect_err("it is gone");
    assert!(matches!(error, Error::Refused { .. }) && error.connection_usable(), "{error:?}");
    again.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

/// UIDs begin anew, so that the new message has the UID that the old one had.
#[tokio::test]
async fn a_mailbox_made_anew_while_it_is_open_is_never_reached_under_the_old_uids() {
    let owner = Person::new("shared");
    let (mut one, mut other) = (owner.imap().await, owner.imap().await);
    other.create("Projects").await.expect("CREATE");
    other.append("Projects", numbered(0, 1), AppendOptions::new()).await.expect("APPEND");
    let inside = one.select("Projects").await.expect("SELECT");
    let kept = inside.uid_validity().expect("UIDVALIDITY");
    let uid = Uid::new(1).expect("a UID");

    other.delete("Projects").await.expect("DELETE");
    other.create("Projects").await.expect("CREATE");
    let place = other.append("Projects", numbered(1, 1), AppendOptions::new()).await;
    assert_eq!(place.expect("APPEND").uid(), Some(uid));

    let error = loop {
        match inside.uid_fetch(uid, Fetch::body()).await.expect("a flight").collect().await {
            // What it has open still is the old one.
            Ok(messages) => {
                for message in messages.iter().filter_map(Message::body) {
                    assert_eq!(message, numbered(0, 1));
                }
            }
            Err(error) => break error,
        }
        let marked = inside.uid_store(uid, StoreFlags::add([Flag::Deleted])).await;
        if let Err(error) = marked {
            break error;
        }
        if let Err(error) = inside.uid_expunge(uid).await {
            break error;
        }
    };
    assert!(matches!(error, Error::Closed { .. } | Error::Changed { .. }), "{error:?}");
    assert_ne!(error.retry(), Retry::Never, "{error}");

    let mut again = owner.imap().await;
    let error = again.select_if("Projects", kept).await.expect_err("it is another");
    assert!(matches!(error, Error::Changed { expected, .. } if expected == kept), "{error:?}");
    let anew = again.select("Projects").await.expect("SELECT");
    let messages = anew.uid_fetch(UidSet::all(), Fetch::flags().body()).await.expect("UID FETCH");
    let messages = messages.collect().await.expect("UID FETCH");
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!((message.uid(), message.body()), (Some(uid), Some(&numbered(1, 1)[..])));
    assert!(!message.flags().contains(&Flag::Deleted), "{message:?}");
    again.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_made_anew_under_its_name_is_not_the_one_whose_uids_were_kept() {
    let owner = Person::new("shared");
    let (mut one, mut other) = (owner.imap().await, owner.imap().await);
    other.create("Projects").await.expect("CREATE");
    let kept = one.select("Projects").await.expect("SELECT").uid_validity().expect("UIDVALIDITY");
    one.select("INBOX").await.expect("SELECT");
    one.select_if("Projects", kept).await.expect("it is the same");
    one.close().await.expect("CLOSE");

    other.delete("Projects").await.expect("DELETE");
    other.create("Projects").await.expect("CREATE");
    other.append("Projects", numbered(0, 1), AppendOptions::new()).await.expect("APPEND");
    let error = one.select_if("Projects", kept).await.expect_err("it is another");
    let Error::Changed { expected, found, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*expected, kept);
    assert!(found.is_some_and(|found| found != kept), "{error}");
    assert!(error.connection_usable());
    // Nor are the messages that are fetched in the same flight.
    let fetched = one.select_fetch_if("Projects", kept, UidSet::all(), Fetch::flags()).await;
    assert!(matches!(fetched, Err(Error::Changed { .. })));
    let fresh = found.expect("it told one");
    let fetched = one.select_fetch_if("Projects", fresh, UidSet::all(), Fetch::flags()).await;
    let fetched = fetched.expect("it is this one").collect().await.expect("UID FETCH");
    assert_eq!(fetched.len(), 1);
    // It is open, for one who begins anew.
    let anew = mailbox(&mut one);
    assert_eq!((anew.exists(), anew.uid_validity()), (1, *found));
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}
