//! What has changed at Cyrus, and what changes while somebody looks.

use std::time::Duration;

use mailbearer::imap::{
    Error, Event, Extension, Fetch, Flag, Message, QResync, Search, SelectOptions, StoreFlags, Uid,
    UidSet,
};
use tokio::time::timeout;

use super::{message, store};
use crate::support::servers::Cyrus;

fn uids(messages: &[Message]) -> Vec<Uid> {
    messages.iter().filter_map(Message::uid).collect()
}

#[tokio::test]
async fn what_has_changed_is_asked_for_and_changed_only_where_it_has_not() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("condstore")).await;
    let all = store(&mut imap, "INBOX", &["one", "two", "three"].map(message)).await;
    let inbox = imap.select_with("INBOX", SelectOptions::new().condstore()).await.expect("SELECT");
    let before = inbox.highest_mod_seq().expect("it keeps sequences");
    let flagged = StoreFlags::add([Flag::Flagged]);
    let changed = inbox.uid_store(all[1], flagged).await.expect("UID STORE");
    let since = changed.iter().find_map(Message::mod_seq).expect("a new sequence");
    assert!(since > before);
    let items = Fetch::flags().changed_since(before);
    let told = inbox.uid_fetch(UidSet::all(), items).await.expect("UID FETCH").collect().await;
    assert_eq!(uids(&told.expect("UID FETCH")), [all[1]]);
    let found = inbox.uid_search(Search::all().mod_seq(since)).await.expect("UID SEARCH");
    assert_eq!((found.iter().collect::<Vec<_>>(), found.mod_seq()), (vec![all[1]], Some(since)));
    let seen = StoreFlags::add([Flag::Seen]).silent();
    let stored = inbox.uid_store_unchanged_since(&all[..], before, seen).await;
    let stored = stored.expect("UID STORE (UNCHANGEDSINCE)");
    assert_eq!(stored.modified(), &UidSet::from(all[1]));
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_sequence_that_is_asked_for_without_condstore_switches_it_on() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("switched")).await;
    store(&mut imap, "INBOX", &[message("one")]).await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let highest = inbox.highest_mod_seq();
    while inbox.take_event().is_some() {}
    let told = inbox.uid_fetch(UidSet::all(), Fetch::uid().mod_seq()).await.expect("UID FETCH");
    let told = told.collect().await.expect("UID FETCH");
    // `* OK [HIGHESTMODSEQ n] CONDSTORE enabled by MODSEQ fetch` comes before it.
    assert!(told[0].mod_seq() <= highest && told[0].mod_seq().is_some());
    assert!(inbox.take_event().is_none());
    assert_eq!(inbox.highest_mod_seq(), highest);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_is_opened_with_all_that_has_changed_since_it_was_last_seen() {
    let cyrus = Cyrus::start();
    let user = cyrus.mailbox("qresync");
    let mut imap = cyrus.imap(&user).await;
    let all = store(&mut imap, "INBOX", &["one", "two", "three", "four"].map(message)).await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let highest = inbox.highest_mod_seq().expect("it keeps sequences");
    let known = QResync::new(inbox.uid_validity().expect("UIDVALIDITY"), highest);
    let known = known.known_uids(&all[..]);
    imap.logout().await.expect("LOGOUT");

    let mut other = cyrus.imap(&user).await;
    let there = other.select("INBOX").await.expect("SELECT");
    there.uid_store(&all[1..3], StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    there.uid_expunge(&all[1..3]).await.expect("UID EXPUNGE");
    there.uid_store(all[3], StoreFlags::add([Flag::Seen])).await.expect("UID STORE");

    let mut imap = cyrus.imap(&user).await;
    let (inbox, changes) = imap.resync("INBOX", known).await.expect("SELECT (QRESYNC)");
    assert_eq!(changes.vanished(), &UidSet::from(&all[1..3]));
    assert_eq!((uids(changes.changed()), changes.unread()), (vec![all[3]], 0));
    assert!(changes.changed()[0].flags().contains(&Flag::Seen));
    assert_eq!(inbox.exists(), 2);

    // What is gone is told by UID from here on.
    there.uid_store(all[0], StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    there.expunge().await.expect("EXPUNGE");
    inbox.noop().await.expect("NOOP");
    let mut vanished = None;
    while let Some(event) = inbox.take_event() {
        if let Event::Vanished { uids, earlier: false } = event {
            vanished = Some(uids);
        }
    }
    assert_eq!((vanished, inbox.exists()), (Some(UidSet::from(all[0])), 1));
    let items = Fetch::flags().changed_since(1).vanished();
    let mut messages = inbox.uid_fetch(&all[..], items).await.expect("UID FETCH (VANISHED)");
    let first = messages.next().await.expect("UID FETCH").expect("a message");
    let Some(Event::Vanished { uids: gone, earlier: true }) = messages.take_event() else {
        panic!("nothing has vanished")
    };
    assert_eq!((first.uid(), gone), (Some(all[3]), UidSet::from(&all[..3])));
    drop(messages);
    imap.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn extensions_are_enabled_and_those_it_lacks_are_not() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("enabled")).await;
    let enabled = imap.enable([Extension::QResync]).await.expect("ENABLE");
    assert!(enabled.has("QRESYNC"));
    for missing in [Extension::Utf8Accept, Extension::Imap4rev2] {
        let error = imap.enable([missing]).await.expect_err("it is not offered");
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn one_who_watches_hears_of_mail_flags_and_messages_that_go() {
    const LONG: Duration = Duration::from_secs(90);
    let cyrus = Cyrus::start();
    let user = cyrus.mailbox("watched");
    let (mut one, mut other) = (cyrus.imap(&user).await, cyrus.imap(&user).await);
    let uids = store(&mut other, "INBOX", &["one", "two"].map(message)).await;
    let there = other.select("INBOX").await.expect("SELECT");
    let inbox = one.select("INBOX").await.expect("SELECT");
    while inbox.take_event().is_some() {}
    let mut idle = inbox.idle();
    let early = timeout(Duration::from_millis(200), idle.next()).await;
    assert!(early.is_err(), "nothing has happened: {early:?}");

    let marks = StoreFlags::add([Flag::Flagged, Flag::Deleted]).silent();
    there.uid_store(uids[1], marks).await.expect("UID STORE");
    loop {
        match timeout(LONG, idle.next()).await.expect("in time").expect("IDLE") {
            Event::Fetch(message) if message.seq() == 2 => {
                assert!(message.flags().contains(&Flag::Flagged), "{message:?}");
                break;
            }
            Event::Fetch(_) | Event::Notice(_) => {}
            other => panic!("{other:?}"),
        }
    }
    there.uid_expunge(uids[1]).await.expect("UID EXPUNGE");
    loop {
        match timeout(LONG, idle.next()).await.expect("in time").expect("IDLE") {
            Event::Expunge(number) => break assert_eq!(number, 2),
            Event::Fetch(_) | Event::Notice(_) | Event::Exists(_) => {}
            other => panic!("{other:?}"),
        }
    }
    store(&mut other, "INBOX", &[message("three")]).await;
    loop {
        match timeout(LONG, idle.next()).await.expect("in time").expect("IDLE") {
            Event::Exists(2) => break,
            Event::Fetch(_) | Event::Notice(_) | Event::Exists(_) => {}
            other => panic!("{other:?}"),
        }
    }
    idle.done().await.expect("DONE");
    assert_eq!(inbox.exists(), 2);
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[cfg(feature = "compress")]
#[tokio::test]
async fn a_compressed_session_is_like_any_other() {
    let cyrus = Cyrus::start();
    let user = cyrus.mailbox("compressed");
    let endpoint = cyrus.endpoint(mailbearer::Security::ImplicitTls);
    let connector = cyrus.connector(endpoint, &user).compress(true);
    let mut imap = connector.connect().await.expect("IMAP opens");
    assert!(imap.is_compressed());
    let long = [message("long"), b"the same line again\r\n".repeat(50_000)].concat();
    store(&mut imap, "INBOX", std::slice::from_ref(&long)).await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let told = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("UID FETCH");
    assert!(told.collect().await.expect("UID FETCH")[0].body() == Some(&long[..]));
    imap.logout().await.expect("LOGOUT");
}
