//! An IMAP mailbox at a real server.

use std::future::poll_fn;

use futures_core::Stream;
use mailbearer::imap::{
    AppendOptions, Error, Fetch, Flag, NamespacePrefix, Section, StoreFlags, Uid, UidSet,
};
use mailbearer::{Auth, Failure, ImapClient, Protocol, Retry, Security, tls};

use crate::support::person::Person;
use crate::support::relay::Relay;
use crate::support::servers::{PASSWORD, Server};

#[tokio::test]
async fn passwords_open_it_where_they_are_asked_for() {
    let owner = Person::new("password");
    let roots = tls::Config::with_root_pem(owner.bed.ca_pem().as_bytes()).expect("the bed's root");
    let endpoint = owner.bed.endpoint(Server::Jwt, Protocol::Imap, Security::ImplicitTls);
    let connector = ImapClient::builder(endpoint).tls(roots);
    for auth in [
        Auth::plain(&owner.mailbox, PASSWORD),
        Auth::login(&owner.mailbox, PASSWORD),
        Auth::user_pass(&owner.mailbox, PASSWORD),
    ] {
        let imap = connector.clone().auth(auth).connect().await;
        imap.expect("IMAP opens").logout().await.expect("LOGOUT");
    }
    let wrong = Auth::user_pass(&owner.mailbox, "not the password");
    let error = connector.auth(wrong).connect().await.expect_err("a wrong password");
    assert!(matches!(error, Error::Auth(_)), "{error}");
    assert_eq!(error.retry(), Retry::RefreshToken);
}

#[tokio::test]
async fn messages_are_appended_described_marked_and_expunged() {
    let owner = Person::new("mailbox");
    let mut imap = owner.imap().await;
    let (mut uids, mut lengths) = (Vec::new(), Vec::new());
    for (subject, flags) in [("one", vec![]), ("two", vec![Flag::Flagged]), ("three", vec![])] {
        let message = format!(
            "From: Ann <ann@example.test>\r\nSubject: {subject}\r\n\r\nthe text of {subject}\r\n"
        );
        lengths.push(message.len() as u64);
        let options = AppendOptions::new().flags(flags);
        let place = imap.append("INBOX", message, options).await.expect("APPEND");
        uids.push(place.uid().expect("Dovecot has UIDPLUS"));
    }

    let inbox = imap.select("INBOX").await.expect("SELECT");
    assert_eq!(inbox.exists(), 3);
    let items = Fetch::envelope().flags().size().internal_date();
    let messages = inbox.uid_fetch(UidSet::all(), items).await.expect("UID FETCH");
    let messages = messages.collect().await.expect("UID FETCH");
    assert_eq!(messages.iter().filter_map(|one| one.uid()).collect::<Vec<_>>(), uids);
    let two = &messages[1];
    let subject = two.envelope().and_then(|envelope| Some(envelope.subject()?.to_bytes().to_vec()));
    assert_eq!(subject.as_deref(), Some(&b"two"[..]));
    assert!(two.flags().contains(&Flag::Flagged));
    assert!(two.internal_date().is_some());
    assert_eq!(two.size(), Some(lengths[1]));

    // Marked by us and marked by somebody else: UID EXPUNGE takes only what it was told to.
    let marked = inbox.uid_store(UidSet::all(), StoreFlags::add([Flag::Deleted])).await;
    assert_eq!(marked.expect("UID STORE").len(), 3);
    assert_eq!(inbox.uid_expunge(uids[1]).await.expect("UID EXPUNGE").numbers(), [2]);
    assert_eq!(inbox.exists(), 2);
    let unmarked = StoreFlags::remove([Flag::Deleted]).silent();
    inbox.uid_store(uids[2], unmarked).await.expect("UID STORE");
    assert_eq!(inbox.expunge().await.expect("EXPUNGE").numbers(), [1]);
    let left = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.expect("UID FETCH");
    let left: Vec<_> = left.collect().await.expect("UID FETCH").iter().map(|m| m.uid()).collect();
    assert_eq!(left, [Some(uids[2])]);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn what_another_session_does_reaches_the_one_that_asks() {
    let owner = Person::new("mailbox");
    let mut imap = owner.imap().await;
    imap.select("INBOX").await.expect("SELECT");
    owner.store(b"Subject: meanwhile\r\n\r\n").await;
    let inbox = imap.selected().expect("still selected");
    inbox.noop().await.expect("NOOP");
    assert_eq!(inbox.exists(), 1);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_that_is_open_is_opened_again_only_if_it_has_to_be() {
    let owner = Person::new("mailbox");
    owner.store(b"Subject: one\r\n\r\n").await;
    let relay = Relay::telling([]);
    let mut imap = relay.imap(&owner).await;
    imap.create("Other").await.expect("CREATE");
    for _ in 0..3 {
        assert_eq!(imap.ensure_selected("INBOX").await.expect("SELECT").exists(), 1);
    }
    assert_eq!(relay.said(" SELECT ").len(), 1);
    assert_eq!(imap.ensure_selected("Other").await.expect("SELECT").exists(), 0);
    assert_eq!(relay.said(" SELECT ").len(), 2);
    // What is open for reading only will not do.
    imap.examine("Other").await.expect("EXAMINE");
    assert!(!imap.ensure_selected("Other").await.expect("SELECT").is_read_only());
    assert_eq!(relay.said(" SELECT ").len(), 3);
    // Nor will another that has its name by now.
    imap.rename("Other", "Moved").await.expect("RENAME");
    imap.create("Other").await.expect("CREATE");
    imap.ensure_selected("Other").await.expect("SELECT");
    assert_eq!(relay.said(" SELECT ").len(), 4);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn reading_marks_a_message_as_read_only_if_it_is_asked_to() {
    let owner = Person::new("mailbox");
    let mut imap = owner.imap().await;
    for _ in 1..=4 {
        let message = "Subject: one\r\n\r\ntext\r\n";
        imap.append("INBOX", message, AppendOptions::new()).await.expect("APPEND");
    }
    let inbox = imap.select("INBOX").await.expect("SELECT");
    for (uid, items, section, seen) in [
        (1, Fetch::body(), Section::full(), false),
        (2, Fetch::section(Section::text()), Section::text(), false),
        (3, Fetch::body_marking_seen(), Section::full(), true),
        (4, Fetch::uid().section_marking_seen(Section::text()), Section::text(), true),
    ] {
        let uid = Uid::new(uid).expect("a UID");
        let read = inbox.uid_fetch(uid, items).await.expect("UID FETCH");
        let read = read.collect().await.expect("UID FETCH");
        assert!(read.iter().any(|message| message.section(&section).is_some()), "{read:?}");
        let flags = inbox.uid_fetch(uid, Fetch::flags()).await.expect("UID FETCH");
        let flags = flags.collect().await.expect("UID FETCH");
        assert_eq!(flags[0].flags().contains(&Flag::Seen), seen, "{uid}");
    }
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn items_of_the_servers_own_are_asked_for_by_name() {
    let owner = Person::new("mailbox");
    let mut imap = owner.imap().await;
    imap.append("INBOX", "Subject: one\r\n\r\n", AppendOptions::new()).await.expect("APPEND");
    let inbox = imap.select("INBOX").await.expect("SELECT");
    inbox.uid_copy(UidSet::all(), "INBOX").await.expect("UID COPY");
    inbox.noop().await.expect("NOOP");
    let items = Fetch::item("X-GUID").item("X-MAILBOX").basic_body_structure();
    let messages = inbox.uid_fetch(UidSet::all(), items).await.expect("UID FETCH");
    let mut told = Vec::new();
    let mut stream = Box::pin(messages.into_stream());
    while let Some(message) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        let message = message.expect("UID FETCH");
        let item = |name| message.item(name).map(|item| item.value().to_vec());
        assert_eq!(item("x-mailbox").as_deref(), Some(&b"INBOX"[..]), "{message:?}");
        let structure = message.body_structure().expect("BODY");
        assert_eq!(structure.root().media_type().expect("a type"), "text");
        told.push((message.uid().map(Uid::get), item("x-guid").expect("X-GUID")));
    }
    drop(stream);
    assert_eq!(told.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(told[0].1.len() >= 16, "{told:?}");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_is_refused_and_the_session_goes_on() {
    let owner = Person::new("mailbox");
    let mut imap = owner.imap().await;
    let error = imap.select("no such mailbox").await.expect_err("it does not exist");
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Never, "{error}");
    assert!(error.connection_usable());
    assert!(imap.selected().is_none());
    imap.examine("INBOX").await.expect("EXAMINE");
    assert!(imap.selected().expect("selected").is_read_only());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn the_server_says_what_it_is_and_where_mailboxes_live() {
    let owner = Person::new("mailbox");
    let mut imap = owner.imap().await;
    let told = imap.id([("name", "test")]).await.expect("ID");
    assert!(told.contains(&("name".into(), Some("Dovecot".into()))), "{told:?}");
    let namespaces = imap.namespace().await.expect("NAMESPACE");
    let prefixes = |of: &[NamespacePrefix]| -> Vec<_> {
        of.iter().map(|one| (one.prefix().to_str_lossy().into_owned(), one.delimiter())).collect()
    };
    assert_eq!(prefixes(namespaces.personal()), [(String::new(), Some('/'))]);
    assert_eq!(prefixes(namespaces.others()), [("shared/".to_owned(), Some('/'))]);
    imap.logout().await.expect("LOGOUT");
}
