//! Mailboxes at Cyrus: their use, rights and notes.

use mailbearer::imap::{
    AppendOptions, Attribute, Code, Error, Fetch, GetMetadata, ListQuery, MetadataDepth, Right,
    Rights, Role, SetRights, StatusItem, UidSet,
};
use mailbearer::{Failure, Retry};

use super::message;
use crate::support::servers::{ADMIN, Cyrus};

#[tokio::test]
async fn a_mailbox_is_made_for_something_and_known_by_it() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("roles")).await;
    imap.create_for("Früher", [Role::Archive]).await.expect("CREATE (USE)");
    let error = imap.create_for("Everything", [Role::All]).await.expect_err("no such role");
    assert_eq!((error.code(), error.retry()), (Some(&Code::UseAttr), Retry::Never), "{error:?}");
    assert!(error.connection_usable());

    let mailboxes = imap.list("", "*").await.expect("LIST");
    assert_eq!(mailboxes.unread(), 0);
    assert!(mailboxes.get("Everything").is_none());
    for (role, name) in [
        (Role::Archive, "Früher"),
        (Role::Drafts, "Drafts"),
        (Role::Sent, "Sent"),
        (Role::Trash, "Trash"),
        (Role::Inbox, "INBOX"),
    ] {
        let mailbox = mailboxes.role(role).unwrap_or_else(|| panic!("{name}: {mailboxes:?}"));
        assert_eq!(mailbox.name().to_string(), name);
    }
    let query = ListQuery::new("*").special_use();
    assert_eq!(imap.list_query(query).await.expect("LIST (SPECIAL-USE)").len(), 4);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_list_tells_rights_and_status_of_every_mailbox() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("listed")).await;
    imap.create("Top/Löschen & mehr").await.expect("CREATE");
    imap.subscribe("Top/Löschen & mehr").await.expect("SUBSCRIBE");
    imap.append("Top/Löschen & mehr", message("x"), AppendOptions::new()).await.expect("APPEND");
    let items = [StatusItem::Messages, StatusItem::Size, StatusItem::HighestModSeq];
    let query = ListQuery::new("*").with_my_rights().with_status(items).with_subscribed();
    let query = query.with_children().with_special_use();
    let found = imap.list_query(query).await.expect("LIST");
    assert_eq!((found.len(), found.unread()), (6, 0), "{found:?}");
    for mailbox in &found {
        let rights = mailbox.my_rights().unwrap_or_else(|| panic!("{mailbox:?}"));
        assert!(rights.has(Right::ADMINISTER) && rights.has(Right::READ), "{mailbox:?}");
        assert!(mailbox.status().is_some_and(|it| it.highest_mod_seq().is_some()), "{mailbox:?}");
    }
    let row = found.get("Top/Löschen & mehr").expect("it was made");
    let status = row.status().expect("its status");
    assert_eq!((status.messages(), status.size()), (Some(1), Some(message("x").len() as u64)));
    assert!(row.attributes().contains(&Attribute::Subscribed));
    assert_eq!(row.has_children(), Some(false));
    assert_eq!(found.get("Top").and_then(|top| top.has_children()), Some(true));
    assert!(imap.take_event().is_none());

    let query = ListQuery::new("%").subscribed().recursive_match();
    let found = imap.list_query(query).await.expect("LIST");
    let top = found.get("Top").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(top.child_info(), ["SUBSCRIBED"]);
    let found = imap.lsub("", "Top/*").await.expect("LSUB");
    assert_eq!(found.len(), 1);
    imap.unsubscribe("Top/Löschen & mehr").await.expect("UNSUBSCRIBE");
    imap.rename("Top/Löschen & mehr", "Gelöscht").await.expect("RENAME");
    imap.delete("Gelöscht").await.expect("DELETE");
    let error = imap.delete("Gelöscht").await.expect_err("it is gone");
    assert!(matches!(error, Error::Refused { usable: true, .. }), "{error:?}");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_is_lent_to_somebody_else() {
    let cyrus = Cyrus::start();
    let (owner, other) = (cyrus.mailbox("lender"), cyrus.mailbox("borrower"));
    let (mut imap, mut borrowed) = (cyrus.imap(&owner).await, cyrus.imap(&other).await);
    imap.create("Lent").await.expect("CREATE");
    imap.append("Lent", message("lent"), AppendOptions::new()).await.expect("APPEND");
    assert!(imap.my_rights("Lent").await.expect("MYRIGHTS").expect("told").has(Right::ADMINISTER));
    let reading = [Right::LOOKUP, Right::READ, Right::INSERT];
    imap.set_acl("Lent", &other, SetRights::replace(reading)).await.expect("SETACL");
    imap.set_acl("Lent", &other, SetRights::add([Right::SEEN])).await.expect("SETACL");
    imap.set_acl("Lent", &other, SetRights::remove([Right::INSERT])).await.expect("SETACL");
    let expected = Rights::from_iter([Right::LOOKUP, Right::READ, Right::SEEN]);
    let list = imap.acl("Lent").await.expect("GETACL").expect("it is told");
    assert_eq!(list.get(&other), Some(expected), "{list:?}");
    let listed = imap.list_rights("Lent", &other).await.expect("LISTRIGHTS").expect("told");
    assert!(listed.optional().iter().any(|rights| rights.has(Right::EXPUNGE)), "{listed:?}");

    // Who is of the same domain is called without it.
    let lent = format!("Other Users/{}/Lent", owner.trim_end_matches("@example.test"));
    let spaces = borrowed.namespace().await.expect("NAMESPACE");
    let others: Vec<_> = spaces.others().iter().map(|it| it.prefix().to_string()).collect();
    assert_eq!(others, ["Other Users/"]);
    let found = borrowed.list("", "Other Users/*").await.expect("LIST");
    assert!(found.get(&*lent).is_some(), "{found:?}");
    assert_eq!(borrowed.my_rights(&*lent).await.expect("MYRIGHTS"), Some(expected));
    let inside = borrowed.select(&*lent).await.expect("SELECT");
    let told = inside.uid_fetch(UidSet::all(), Fetch::body()).await.expect("FETCH").collect().await;
    assert_eq!(told.expect("FETCH")[0].body(), Some(&message("lent")[..]));
    let error = borrowed.append(&*lent, message("x"), AppendOptions::new()).await;
    let error = error.expect_err("the right is not given");
    assert!(error.connection_usable(), "{error:?}");

    imap.delete_acl("Lent", &other).await.expect("DELETEACL");
    let list = imap.acl("Lent").await.expect("GETACL").expect("it is told");
    assert_eq!(list.get(&other), None);
    imap.logout().await.expect("LOGOUT");
    borrowed.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn notes_are_kept_at_a_mailbox_and_at_the_server() {
    let cyrus = Cyrus::start();
    let user = cyrus.mailbox("notes");
    let mut imap = cyrus.imap(&user).await;
    let odd = "line one\r\nline \"two\" \\ ü";
    let comment = || GetMetadata::new(["/private/comment", "/shared/comment"]);
    let entries = [("/private/comment", Some(odd)), ("/shared/comment", Some("short"))];
    imap.set_metadata("INBOX", entries).await.expect("SETMETADATA");
    let told = imap.metadata("INBOX", comment()).await.expect("GETMETADATA");
    assert_eq!(told.get("/private/comment").expect("it is there"), odd);
    assert_eq!(told.get("/shared/comment").expect("it is there"), "short");
    assert_eq!(told.unread(), 0);
    let told = imap.metadata("INBOX", comment().max_size(10)).await.expect("GETMETADATA");
    assert_eq!(told.get("/shared/comment").expect("it is short"), "short");
    assert_eq!((told.get("/private/comment"), told.longest()), (None, Some(odd.len() as u64)));
    let deep = GetMetadata::new(["/private"]).depth(MetadataDepth::Infinity);
    let told = imap.metadata("INBOX", deep).await.expect("GETMETADATA");
    assert_eq!(told.get("/private/comment").expect("it is there"), odd);
    imap.set_metadata("INBOX", [("/private/comment", None::<&str>)]).await.expect("taken away");
    let told = imap.metadata("INBOX", comment()).await.expect("GETMETADATA");
    assert_eq!(told.get("/private/comment"), None);

    let error = imap.set_metadata("", [("/shared/comment", Some("x"))]).await;
    assert!(error.expect_err("only administrators may").connection_usable());
    let mut admin = cyrus.imap(ADMIN).await;
    let note = [("/shared/comment", Some("all is well"))];
    admin.set_metadata("", note).await.expect("SETMETADATA");
    admin.logout().await.expect("LOGOUT");
    let told = imap.metadata("", GetMetadata::new(["/shared/comment"])).await.expect("GETMETADATA");
    assert_eq!(told.get("/shared/comment").expect("it is there"), "all is well");
    imap.logout().await.expect("LOGOUT");
}
