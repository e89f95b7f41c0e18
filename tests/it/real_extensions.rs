//! What servers add to IMAP for storing and for administration, at a real server.

use mailbearer::imap::{
    AppendOptions, Attribute, CatenatePart, Code, Error, Fetch, Flag, GetMetadata, ListQuery,
    MetadataDepth, QuotaResource, ReplaceWay, Right, Rights, Role, Search, Section, SetRights,
    StatusItem, StoreFlags, UidSet, Upload,
};
use mailbearer::{Failure, ImapClient};

use crate::support::person::Person;

fn message(subject: &str) -> Vec<u8> {
    format!("From: ann@example.test\r\nSubject: {subject}\r\n\r\nhello {subject}\r\n").into_bytes()
}

async fn bodies(imap: &mut ImapClient, mailbox: &str) -> Vec<Vec<u8>> {
    let selected = imap.select(mailbox).await.expect("SELECT");
    let mut messages = selected.uid_fetch(UidSet::all(), Fetch::body()).await.expect("FETCH");
    let mut bodies = Vec::new();
    while let Some(message) = messages.next().await.expect("FETCH") {
        bodies.push(message.body().expect("a body").to_vec());
    }
    bodies
}

#[tokio::test]
async fn several_messages_are_stored_by_one_command_or_none_of_them() {
    let owner = Person::new("extensions");
    let mut imap = owner.imap().await;
    // One that goes with the command, one from memory in pieces, one that is read.
    let long = [message("long"), b"0123456789\r\n".repeat(20_000)].concat();
    let read = [message("read"), b"abcdefghij\r\n".repeat(10_000)].concat();
    let sent = [message("short"), long, read, message("last")];
    let mut reported = 0;
    let reader = Upload::reader(&sent[2][..], sent[2].len() as u64).progress(|n| reported = n);
    let uploads =
        [Upload::from(&sent[0][..]), (&sent[1][..]).into(), reader, (&sent[3][..]).into()];
    let options = || AppendOptions::new().flags([Flag::Flagged]);
    let stored = imap.append_all("INBOX", uploads.map(|upload| (upload, options()))).await;
    let stored = stored.expect("APPEND");
    assert_eq!((stored.uids().count(), reported), (4, sent[2].len() as u64));
    assert!(stored.uid_validity().is_some());
    assert!(bodies(&mut imap, "INBOX").await == sent);

    let none: [(&str, AppendOptions); 0] = [];
    assert_eq!(imap.append_all("INBOX", none).await.expect("nothing").uids().count(), 0);
    let with_empty = [(&sent[0][..], options()), (&b""[..], options())];
    let error = imap.append_all("INBOX", with_empty).await.expect_err("an empty message");
    assert!(matches!(error, Error::Misuse(_)), "{error:?}");
    let error = imap.append_all("nowhere", [(&sent[0][..], options())]).await.expect_err("gone");
    assert_eq!(error.code(), Some(&Code::TryCreate));
    assert_eq!(bodies(&mut imap, "INBOX").await.len(), 4);

    // Cut in the second: neither is there.
    let short = Upload::reader(&sent[2][..100], 200_000);
    let cut = [(Upload::from(&sent[1][..]), options()), (short, options())];
    let error = imap.append_all("INBOX", cut).await.expect_err("it ends too early");
    assert!(matches!(error, Error::Upload { .. }), "{error:?}");
    assert_eq!(bodies(&mut owner.imap().await, "INBOX").await.len(), 4);
}

#[tokio::test]
async fn a_message_is_put_together_of_parts_that_the_server_has() {
    let owner = Person::new("extensions");
    let mut imap = owner.imap().await;
    imap.create("Entwürfe & mehr").await.expect("CREATE");
    let options = AppendOptions::new;
    let source = imap.append("Entwürfe & mehr", message("parts"), options()).await.expect("APPEND");
    let (validity, uid) = (source.uid_validity().expect("UIDPLUS"), source.uid().expect("UIDPLUS"));
    let part = |section: Section| CatenatePart::message("Entwürfe & mehr", validity, uid, &section);
    let long = b"0123456789\r\n".repeat(20_000);
    let parts = [
        CatenatePart::text("X-New: yes\r\n"),
        part(Section::header()),
        CatenatePart::text(&long[..]),
        part(Section::text()),
    ];
    let stored = imap.append_catenated("INBOX", parts, options()).await.expect("APPEND");
    assert!(stored.uid().is_some());
    let expected = [
        b"X-New: yes\r\nFrom: ann@example.test\r\nSubject: parts\r\n\r\n",
        &long[..],
        b"hello parts\r\n",
    ];
    assert!(bodies(&mut imap, "INBOX").await == [expected.concat()]);

    let gone = [CatenatePart::url("/INBOX;UIDVALIDITY=1/;UID=999")];
    let error = imap.append_catenated("INBOX", gone, options()).await.expect_err("no such part");
    assert!(matches!(error.code(), Some(Code::BadUrl(_))), "{error:?}");
    assert!(error.connection_usable());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn binary_content_is_stored_octet_for_octet() {
    let owner = Person::new("extensions");
    let mut imap = owner.imap().await;
    let mut long = b"Content-Transfer-Encoding: binary\r\n\r\n".to_vec();
    long.extend((0..200_000_u32).map(|n| if n % 7 == 0 { 0 } else { b'x' }));
    let error = imap.append("INBOX", &long[..], AppendOptions::new()).await;
    match error {
        // What Dovecot makes of NUL is its own affair; the session is as good as before.
        Ok(_) => {}
        Err(error) => assert!(error.connection_usable(), "{error:?}"),
    }
    let reader = Upload::reader(&long[..], long.len() as u64).binary();
    if let Err(error) = imap.append("INBOX", reader, AppendOptions::new()).await {
        assert!(error.connection_usable(), "{error:?}");
    }
    imap.noop().await.expect("NOOP");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn quotas_are_told() {
    let owner = Person::new("extensions");
    let mut imap = owner.imap().await;
    imap.append("INBOX", b"x\r\n".repeat(10_000), AppendOptions::new()).await.expect("APPEND");
    let quotas = imap.quota_root("INBOX").await.expect("GETQUOTAROOT");
    assert_eq!(
        (quotas.roots().collect::<Vec<_>>(), quotas.unread()),
        (vec!["User quota".into()], 0)
    );
    let storage = quotas.usage(&QuotaResource::Storage).expect("a limit");
    assert_eq!(storage.limit(), 1 << 20);
    assert!((29..100).contains(&storage.usage()), "{storage:?}");
    let quota = imap.quota("User quota").await.expect("GETQUOTA").expect("it is told");
    assert_eq!(quota.usage(&QuotaResource::Storage), Some(storage));
    let error = imap.quota("no such root").await.expect_err("no such root");
    assert!(error.connection_usable());
    let limits = [(QuotaResource::Storage, 5)];
    let error = imap.set_quota("User quota", limits).await.expect_err("only administrators may");
    assert!(matches!(error, Error::Refused { usable: true, .. }), "{error:?}");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_is_lent_to_somebody_else() {
    let (owner, other) = (Person::new("lender"), Person::new("borrower"));
    let mut imap = owner.imap().await;
    imap.create("Lent").await.expect("CREATE");
    imap.append("Lent", message("lent"), AppendOptions::new()).await.expect("APPEND");
    assert!(imap.my_rights("Lent").await.expect("MYRIGHTS").expect("told").has(Right::ADMINISTER));
    let reading = [Right::LOOKUP, Right::READ, Right::INSERT];
    imap.set_acl("Lent", &other.mailbox, SetRights::replace(reading)).await.expect("SETACL");
    let more = SetRights::add([Right::SEEN]);
    imap.set_acl("Lent", &other.mailbox, more).await.expect("SETACL");
    let less = SetRights::remove([Right::INSERT]);
    imap.set_acl("Lent", &other.mailbox, less).await.expect("SETACL");
    let expected = Rights::from_iter([Right::LOOKUP, Right::READ, Right::SEEN]);
    let list = imap.acl("Lent").await.expect("GETACL").expect("it is told");
    assert_eq!(list.get(&other.mailbox), Some(expected));
    let listed = imap.list_rights("Lent", &other.mailbox).await.expect("LISTRIGHTS");
    let listed = listed.expect("it is told");
    assert!(listed.optional().iter().any(|rights| rights.has(Right::EXPUNGE)), "{listed:?}");

    let lent = format!("shared/{}/Lent", owner.mailbox);
    let mut borrowed = other.imap().await;
    assert_eq!(borrowed.my_rights(&*lent).await.expect("MYRIGHTS"), Some(expected));
    assert_eq!(bodies(&mut borrowed, &lent).await.len(), 1);
    let error = borrowed.acl(&*lent).await.expect_err("only the owner may");
    assert!(matches!(error, Error::Refused { usable: true, .. }), "{error:?}");

    imap.delete_acl("Lent", &other.mailbox).await.expect("DELETEACL");
    let list = imap.acl("Lent").await.expect("GETACL").expect("it is told");
    assert_eq!(list.get(&other.mailbox), None);
    imap.logout().await.expect("LOGOUT");
    borrowed.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn notes_are_kept_at_a_mailbox_and_at_the_server() {
    let owner = Person::new("extensions");
    let mut imap = owner.imap().await;
    let odd = "line one\r\nline \"two\" \\ ü";
    for mailbox in ["INBOX", ""] {
        let entries = [("/private/comment", Some("short")), ("/private/vendor/x/odd", Some(odd))];
        imap.set_metadata(mailbox, entries).await.expect("SETMETADATA");
        let wanted = GetMetadata::new(["/private/comment", "/private/vendor/x/odd", "/private/no"]);
        let told = imap.metadata(mailbox, wanted).await.expect("GETMETADATA");
        assert_eq!(told.get("/private/comment").expect("it is there"), "short");
        assert_eq!(told.get("/private/vendor/x/odd").expect("it is there"), odd);
        assert_eq!((told.get("/private/no"), told.unread()), (None, 0));

        let wanted = GetMetadata::new(["/private/vendor"]).depth(MetadataDepth::Infinity);
        let told = imap.metadata(mailbox, wanted).await.expect("GETMETADATA");
        assert_eq!(told.get("/private/vendor/x/odd").expect("it is there"), odd);
        let wanted = GetMetadata::new(["/private/comment", "/private/vendor/x/odd"]).max_size(10);
        let told = imap.metadata(mailbox, wanted).await.expect("GETMETADATA");
        assert_eq!((told.iter().count(), told.longest()), (1, Some(odd.len() as u64)));

        imap.set_metadata(mailbox, [("/private/comment", None::<&str>)]).await.expect("taken away");
        let told = imap.metadata(mailbox, GetMetadata::new(["/private/comment"])).await;
        assert_eq!(told.expect("GETMETADATA").get("/private/comment"), None);
    }
    let error = imap.metadata("nowhere", GetMetadata::new(["/shared/a"])).await.expect_err("gone");
    assert!(error.connection_usable());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_list_tells_what_is_asked_for_in_one_round_trip() {
    let owner = Person::new("extensions");
    let mut imap = owner.imap().await;
    for name in ["Top", "Top/Below", "Top/Below/Löschen", "Other"] {
        imap.create(name).await.expect("CREATE");
    }
    imap.subscribe("Top/Below/Löschen").await.expect("SUBSCRIBE");
    imap.append("Top/Below/Löschen", message("x"), AppendOptions::new()).await.expect("APPEND");
    let items = || [StatusItem::Messages, StatusItem::Unseen, StatusItem::UidNext];
    let query = ListQuery::new("Top/*").or("Oth%").with_status(items()).with_subscribed();
    let found = imap.list_query(query.with_children()).await.expect("LIST");
    assert_eq!((found.len(), found.unread()), (3, 0));
    let row = found.get("Top/Below/Löschen").expect("it was made");
    assert_eq!(row.status().expect("its status").messages(), Some(1));
    assert!(row.attributes().contains(&Attribute::Subscribed));
    let other = found.get("Other").expect("it was made");
    assert_eq!(
        (other.status().and_then(|s| s.unseen()), other.has_children()),
        (Some(0), Some(false))
    );
    assert!(imap.take_event().is_none());

    let query = ListQuery::new("%").subscribed().recursive_match();
    let found = imap.list_query(query).await.expect("LIST");
    let top = found.get("Top").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(top.child_info(), ["SUBSCRIBED"]);
    let query = ListQuery::new("*").special_use().with_special_use();
    let found = imap.list_query(query).await.expect("LIST");
    assert!(found.role(Role::Sent).is_some() && found.get("Top").is_none());
    // Dovecot has ACL and no LIST-MYRIGHTS.
    let found = imap.list_query(ListQuery::new("Top/*").with_my_rights()).await.expect("LIST");
    let row = found.get("Top/Below/Löschen").expect("it was made");
    assert!(row.my_rights().is_some_and(|rights| rights.has(Right::READ)), "{row:?}");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_message_is_replaced_by_a_server_that_has_no_command_for_it() {
    let owner = Person::new("replaced");
    let mut imap = owner.imap().await;
    let other = imap.append("INBOX", message("other"), AppendOptions::new()).await.expect("APPEND");
    let old = imap.append("INBOX", message("old"), AppendOptions::new()).await.expect("APPEND");
    let (other, old) = (other.uid().expect("UIDPLUS"), old.uid().expect("UIDPLUS"));
    let inbox = imap.select("INBOX").await.expect("SELECT");
    // Marked by somebody else, and none of our business.
    inbox.uid_store(other, StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    let new = inbox.uid_replace(old, "INBOX", message("new"), AppendOptions::new()).await;
    let new = new.expect("it is replaced");
    assert_eq!(new.way(), ReplaceWay::AppendAndExpunge);
    let new = new.uid().expect("UIDPLUS");
    let found = inbox.uid_search(Search::all()).await.expect("UID SEARCH");
    assert_eq!(found.iter().collect::<Vec<_>>(), [other, new]);
    let error = inbox.uid_replace(old, "INBOX", "x", AppendOptions::new()).await;
    assert!(matches!(error, Err(Error::NotFound { .. })), "{error:?}");
    assert_eq!(inbox.exists(), 2);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn what_the_server_does_not_offer_is_said_before_anything_is_sent() {
    let owner = Person::new("extensions");
    let mut imap = owner.imap().await;
    let error = imap.languages().await.expect_err("Dovecot has no LANGUAGE");
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "LANGUAGE"), "{error:?}");
    let options = AppendOptions::new().utf8();
    let error = imap.append("INBOX", "Subject: ü\r\n\r\n", options).await.expect_err("no UTF8");
    assert!(matches!(error, Error::Unsupported { .. }) && error.connection_usable());
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let error = inbox.uid_fetch(UidSet::all(), Fetch::uid().gmail_labels()).await;
    assert!(matches!(error, Err(Error::Unsupported { .. })));
    imap.logout().await.expect("LOGOUT");
}
