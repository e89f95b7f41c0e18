//! Modification sequences, resynchronising and searching by them, at a real server.

use std::time::Duration;

use mailbearer::imap::{
    AppendOptions, Date, Error, Event, Extension, Fetch, Flag, Mailbox, Message, QResync, Search,
    SelectOptions, StatusItem, StoreFlags, Uid, UidSet,
};
use mailbearer::{Failure, ImapClient};

use crate::support::person::Person;

async fn fill(imap: &mut ImapClient, subjects: &[&str]) -> Vec<Uid> {
    let mut uids = Vec::new();
    for subject in subjects {
        let message = format!("Subject: {subject}\r\n\r\nhello {subject}\r\n");
        let place = imap.append("INBOX", message, AppendOptions::new()).await.expect("APPEND");
        uids.push(place.uid().expect("Dovecot has UIDPLUS"));
    }
    uids
}

fn highest(inbox: &Mailbox) -> u64 {
    inbox.highest_mod_seq().expect("Dovecot keeps sequences")
}

fn uids(messages: &[Message]) -> Vec<Uid> {
    messages.iter().filter_map(Message::uid).collect()
}

#[tokio::test]
async fn what_has_changed_is_asked_for_and_changed_only_where_it_has_not() {
    let mut imap = Person::new("synchronise").imap().await;
    let all = fill(&mut imap, &["one", "two", "three"]).await;
    let options = SelectOptions::new().condstore();
    let inbox = imap.select_with("INBOX", options).await.expect("SELECT (CONDSTORE)");
    assert!(!inbox.has_no_mod_seqs());
    let before = highest(inbox);

    let flagged = StoreFlags::add([Flag::Flagged]);
    let changed = inbox.uid_store(all[1], flagged).await.expect("UID STORE");
    let since = changed.iter().find_map(Message::mod_seq).expect("a new sequence");
    assert!(since > before);
    let items = Fetch::flags().changed_since(before);
    let messages = inbox.uid_fetch(UidSet::all(), items).await.expect("UID FETCH");
    let messages = messages.collect().await.expect("UID FETCH");
    assert_eq!(uids(&messages), [all[1]]);
    assert_eq!(messages[0].mod_seq(), Some(since));

    let found = inbox.uid_search(Search::all().mod_seq(since)).await.expect("UID SEARCH");
    assert_eq!((found.iter().collect::<Vec<_>>(), found.mod_seq()), (vec![all[1]], Some(since)));
    let found = inbox.uid_search(Search::all().mod_seq_of(Flag::Flagged, since)).await;
    assert_eq!(found.expect("UID SEARCH").count(), 1);
    let none = inbox.uid_search(Search::all().mod_seq(since + 1)).await.expect("UID SEARCH");
    assert_eq!((none.count(), none.mod_seq()), (0, None));

    let seen = StoreFlags::add([Flag::Seen]).silent();
    let stored = inbox.uid_store_unchanged_since(&all[..], before, seen.clone()).await;
    let stored = stored.expect("UID STORE (UNCHANGEDSINCE)");
    assert_eq!(stored.modified(), &UidSet::from(all[1]));
    assert_eq!(uids(stored.messages()).iter().filter(|uid| **uid != all[1]).count(), 2);
    let stored = inbox.uid_store_unchanged_since(all[1], since, seen).await.expect("UID STORE");
    assert!(stored.modified().is_empty());
    let status = imap.status("INBOX", [StatusItem::HighestModSeq, StatusItem::Size]).await;
    let status = status.expect("STATUS");
    assert!(status.highest_mod_seq() > Some(since));
    assert!(status.size() > Some(60));
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_is_opened_with_all_that_has_changed_since_it_was_last_seen() {
    let owner = Person::new("synchronise");
    let mut imap = owner.imap().await;
    let all = fill(&mut imap, &["one", "two", "three", "four", "five"]).await;
    // Dovecot keeps none before somebody wants them.
    let options = SelectOptions::new().condstore();
    let inbox = imap.select_with("INBOX", options).await.expect("SELECT (CONDSTORE)");
    let known = QResync::new(inbox.uid_validity().expect("UIDVALIDITY"), highest(inbox));
    let known = known.known_uids(&all[..]);

    // Meanwhile somebody else is at work.
    let mut other = owner.imap().await;
    let there = other.select("INBOX").await.expect("SELECT");
    let deleted = StoreFlags::add([Flag::Deleted]);
    there.uid_store(&all[1..3], deleted).await.expect("UID STORE");
    there.uid_expunge(&all[1..3]).await.expect("UID EXPUNGE");
    there.uid_store(all[4], StoreFlags::add([Flag::Seen])).await.expect("UID STORE");

    let error = imap.resync("INBOX", known.clone()).await.expect_err("a mailbox is open");
    assert!(matches!(error, Error::NotEnabled { .. }) && error.connection_usable(), "{error}");
    imap.logout().await.expect("LOGOUT");

    let mut imap = owner.imap().await;
    let (inbox, changes) = imap.resync("INBOX", known.clone()).await.expect("SELECT (QRESYNC)");
    assert_eq!(changes.vanished(), &UidSet::from(&all[1..3]));
    assert_eq!((uids(changes.changed()), changes.unread()), (vec![all[4]], 0));
    assert!(changes.changed()[0].flags().contains(&Flag::Seen));
    assert_eq!(inbox.exists(), 3);

    // Again, from where the mailbox is now: nothing.
    let now = QResync::new(inbox.uid_validity().expect("UIDVALIDITY"), highest(inbox));
    let again = imap.resync("INBOX", now.clone().read_only()).await;
    let (inbox, changes) = again.expect("EXAMINE (QRESYNC)");
    assert!(changes.vanished().is_empty() && changes.changed().is_empty(), "{changes:?}");
    assert!(inbox.is_read_only());

    // What is gone is told by UID from here on.
    let inbox = imap.select("INBOX").await.expect("SELECT");
    there.uid_store(all[0], StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    there.expunge().await.expect("EXPUNGE");
    inbox.noop().await.expect("NOOP");
    let mut vanished = None;
    while let Some(event) = inbox.take_event() {
        match event {
            Event::Vanished { uids, earlier: false } => vanished = Some(uids),
            Event::Fetch(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((vanished, inbox.exists()), (Some(UidSet::from(all[0])), 2));
    let items = Fetch::flags().changed_since(1).vanished();
    let mut messages = inbox.uid_fetch(&all[..], items).await.expect("UID FETCH (VANISHED)");
    let first = messages.next().await.expect("UID FETCH").expect("a message");
    let Some(Event::Vanished { uids: gone, earlier: true }) = messages.take_event() else {
        panic!("nothing has vanished")
    };
    assert_eq!((first.uid(), gone), (Some(all[3]), UidSet::from(&all[..3])));
    drop(messages);

    // Under another UIDVALIDITY nothing that is known means anything.
    let validity = inbox.uid_validity().expect("UIDVALIDITY").checked_add(1).expect("another");
    let error = imap.resync("INBOX", QResync::new(validity, 1)).await.expect_err("it is another");
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn what_is_expunged_and_moved_after_qresync_is_told_by_uid() {
    let mut imap = Person::new("synchronise").imap().await;
    let all = fill(&mut imap, &["one", "two", "three"]).await;
    imap.create("Archive").await.expect("CREATE");
    let enabled = imap.enable([Extension::QResync]).await.expect("ENABLE");
    assert!(enabled.has("QRESYNC"));
    let inbox = imap.select("INBOX").await.expect("SELECT");
    inbox.uid_store(all[0], StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    let expunged = inbox.expunge().await.expect("EXPUNGE");
    assert_eq!((expunged.uids(), expunged.numbers()), (&UidSet::from(all[0]), &[][..]));
    let moved = inbox.uid_move(all[1], "Archive").await.expect("UID MOVE");
    assert_eq!((moved.pairs().count(), moved.expunged().uids()), (1, &UidSet::from(all[1])));
    inbox.uid_store(all[2], StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    let expunged = inbox.uid_expunge(&all[1..]).await.expect("UID EXPUNGE");
    assert_eq!((expunged.uids(), expunged.len()), (&UidSet::from(all[2]), 1));
    while let Some(event) = inbox.take_event() {
        assert!(!matches!(event, Event::Vanished { .. } | Event::Expunge(_)), "{event:?}");
    }
    assert_eq!(inbox.exists(), 0);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn save_dates_previews_and_ages_are_told_and_searched() {
    let mut imap = Person::new("synchronise").imap().await;
    let all = fill(&mut imap, &["one", "two"]).await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let items = Fetch::internal_date().save_date().preview();
    let messages = inbox.uid_fetch(UidSet::all(), items).await.expect("UID FETCH");
    let messages = messages.collect().await.expect("UID FETCH");
    assert_eq!(uids(&messages), all);
    for (message, word) in messages.iter().zip(["one", "two"]) {
        let preview = message.preview().expect("a preview").to_str_lossy().into_owned();
        assert_eq!(preview, format!("hello {word}"));
        let saved = message.save_date().and_then(|date| date.to_system_time());
        let received = message.internal_date().and_then(|date| date.to_system_time());
        let since = saved.expect("a save date").duration_since(received.expect("a date"));
        assert!(since.expect("it was saved once it was here").as_secs() < 3600);
    }
    let items = Fetch::uid().preview_if_ready();
    let lazy = inbox.uid_fetch(all[0], items).await.expect("UID FETCH").collect().await;
    assert_eq!(lazy.expect("UID FETCH").len(), 1);

    let every = Search::all;
    let hour = Duration::from_secs(3600);
    let long_ago = Date::new(1999, 1, 1).expect("a day");
    for (search, found) in [
        (every().younger(hour), 2),
        (every().older(hour), 0),
        (every().not(every().older(hour)).unseen(), 2),
        (every().saved_since(long_ago), 2),
        (every().saved_before(long_ago), 0),
        (every().saved_on(long_ago), 0),
        (every().save_date_supported(), 2),
    ] {
        let result = inbox.uid_search(search.clone()).await;
        assert_eq!(result.expect("UID SEARCH").count(), found, "{search:?}");
    }
    // Dovecot 2.3 has no OBJECTID.
    let items = Fetch::uid().email_id();
    let error = inbox.uid_fetch(UidSet::all(), items).await.expect_err("it is not offered");
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    imap.logout().await.expect("LOGOUT");
}
