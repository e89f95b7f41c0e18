//! An IMAP mailbox at a real server.

use mailbearer::imap::{AppendOptions, Error, Fetch, Flag, NamespacePrefix, StoreFlags, UidSet};
use mailbearer::{Auth, Failure, ImapClient, Protocol, Retry, Security, tls};

use crate::support::person::Person;
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
