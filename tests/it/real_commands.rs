//! Every IMAP command on mailboxes, messages and searches, at a real server.

use std::num::NonZeroU32;

use mailbearer::imap::{
    AppendOptions, Attribute, Code, Date, Error, Event, Extension, Fetch, Flag, MoveWay,
    RawCommand, Role, Search, SearchReturn, SeqSet, StatusItem, StoreFlags, Uid, UidSet,
};
use mailbearer::{Failure, ImapClient, Retry};

use crate::support::person::Person;

/// A mailbox with messages of these subjects, read if they say so.
async fn filled(subjects: &[&str]) -> (ImapClient, Vec<Uid>) {
    let owner = Person::new("commands");
    let mut imap = owner.imap().await;
    let mut uids = Vec::new();
    for subject in subjects {
        let message = format!(
            "From: Ann <ann@example.test>\r\nTo: bob@example.test\r\n\
             Date: Mon, 16 Nov 2026 08:00:00 +0000\r\nSubject: {subject}\r\n\r\nhello {subject}\r\n"
        );
        let read = subject.contains("read").then_some(Flag::Seen);
        let options = AppendOptions::new().flags(read);
        let place = imap.append("INBOX", message, options).await.expect("APPEND");
        uids.push(place.uid().expect("Dovecot has UIDPLUS"));
    }
    (imap, uids)
}

fn set(uids: &[Uid]) -> UidSet {
    uids.iter().copied().collect()
}

#[tokio::test]
async fn mailboxes_are_made_listed_renamed_and_removed() {
    let owner = Person::new("commands");
    let mut imap = owner.imap().await;
    for name in ["Projekte/Entwürfe & mehr", "a \"quoted\" \\ name", "Löschen"] {
        imap.create(name).await.expect("CREATE");
    }
    let error = imap.create("Löschen").await.expect_err("it exists");
    assert_eq!((error.code(), error.retry()), (Some(&Code::AlreadyExists), Retry::Never));

    let mailboxes = imap.list("", "*").await.expect("LIST");
    assert_eq!(mailboxes.unread(), 0);
    let quoted = mailboxes.get("a \"quoted\" \\ name").expect("it was made");
    assert_eq!(quoted.delimiter(), Some('/'));
    let parent = mailboxes.get("Projekte").expect("the level above");
    assert_eq!(parent.has_children(), Some(true));
    let below = mailboxes.get("Projekte/Entwürfe & mehr").expect("it was made");
    assert_eq!(below.has_children(), Some(false));
    // The name as the server told it opens the mailbox.
    let name = below.name().clone();
    imap.select(&name).await.expect("SELECT");
    let top = imap.list("", "%").await.expect("LIST");
    assert!(top.get("Projekte/Entwürfe & mehr").is_none() && top.get("Projekte").is_some());

    imap.rename("Löschen", "Gelöscht").await.expect("RENAME");
    imap.delete("Gelöscht").await.expect("DELETE");
    let error = imap.delete("Gelöscht").await.expect_err("it is gone");
    assert_eq!(error.code(), Some(&Code::NonExistent));
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn roles_are_known_by_the_marks_of_the_server() {
    let owner = Person::new("commands");
    let mut imap = owner.imap().await;
    for name in ["Sent", "Drafts", "Trash"] {
        // They may have been made with the account.
        let _ = imap.create(name).await;
    }
    let mailboxes = imap.list("", "*").await.expect("LIST");
    for (role, name) in [(Role::Sent, "Sent"), (Role::Drafts, "Drafts"), (Role::Trash, "Trash")] {
        let mailbox = mailboxes.role(role).expect(name);
        assert_eq!(mailbox.name().to_string(), name);
        assert!(mailbox.attributes().contains(&Attribute::Role(role)), "{mailbox:?}");
    }
    assert!(mailboxes.role(Role::Inbox).is_some());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn subscriptions_are_kept_and_listed() {
    let owner = Person::new("commands");
    let mut imap = owner.imap().await;
    imap.create("Listen/Rust").await.expect("CREATE");
    imap.subscribe("Listen/Rust").await.expect("SUBSCRIBE");
    let found = imap.lsub("", "Listen/*").await.expect("LSUB");
    assert_eq!(found.iter().map(|m| m.name().to_string()).collect::<Vec<_>>(), ["Listen/Rust"]);
    imap.unsubscribe("Listen/Rust").await.expect("UNSUBSCRIBE");
    assert!(imap.lsub("", "Listen/*").await.expect("LSUB").is_empty());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn status_tells_of_a_mailbox_that_is_not_selected() {
    let (mut imap, uids) = filled(&["one", "read two"]).await;
    let items = [
        StatusItem::Messages,
        StatusItem::Recent,
        StatusItem::UidNext,
        StatusItem::UidValidity,
        StatusItem::Unseen,
        "HIGHESTMODSEQ".into(),
    ];
    let status = imap.status("INBOX", items).await.expect("STATUS");
    assert_eq!((status.messages(), status.unseen()), (Some(2), Some(1)));
    assert!(status.uid_next() > uids.last().copied());
    assert!(status.uid_validity().is_some() && status.number("HIGHESTMODSEQ").is_some());
    let error = imap.status("nowhere", [StatusItem::Messages]).await.expect_err("no mailbox");
    assert!(matches!(error, Error::Refused { .. }) && error.connection_usable());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn status_of_many_mailboxes_is_asked_at_once_and_each_has_its_own_answer() {
    let (mut imap, _) = filled(&["one", "read two"]).await;
    imap.create("Empty").await.expect("CREATE");
    let items = [StatusItem::Messages, StatusItem::Unseen];
    let names = ["Empty", "nowhere", "INBOX"];
    let all = imap.status_all(names, items).await.expect("STATUS");
    let [Ok(empty), Err(nowhere), Ok(inbox)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((empty.messages(), empty.unseen()), (Some(0), Some(0)));
    assert_eq!((inbox.messages(), inbox.unseen()), (Some(2), Some(1)));
    assert!(matches!(nowhere, Error::Refused { .. }) && nowhere.connection_usable());
    // More than may lie at a server at once.
    let all = imap.status_all(["INBOX"; 150], [StatusItem::Messages]).await.expect("STATUS");
    let told = all.iter().filter_map(|one| one.as_ref().ok()?.messages());
    assert_eq!(told.collect::<Vec<_>>(), [2; 150]);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn messages_are_found_by_every_kind_of_key() {
    let subjects = ["invoice 7", "read report", "Grüße aus Köln", "read invoice 8"];
    let (mut imap, uids) = filled(&subjects).await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let flags = StoreFlags::add([Flag::Flagged, Flag::from("$Work")]);
    inbox.uid_store(uids[3], flags).await.expect("UID STORE");
    let day = Date::new(2026, 11, 16).expect("a day");
    let all = Search::all;
    let long_ago = Date::new(1999, 1, 1).expect("a day");
    for (search, expected) in [
        (all(), vec![0, 1, 2, 3]),
        (all().seen(), vec![1, 3]),
        (all().unseen().subject("INVOICE"), vec![0]),
        (all().flagged().keyword("$Work"), vec![3]),
        (all().unkeyword("$Work").unflagged().unanswered().undraft().undeleted(), vec![0, 1, 2]),
        (all().subject("Köln"), vec![2]),
        (all().text("grüße"), vec![2]),
        (all().or(all().subject("report"), all().flagged()), vec![1, 3]),
        (Search::any_of(["7", "8", "report"].map(|word| all().body(word))), vec![0, 1, 3]),
        (all().not(all().seen().subject("invoice")), vec![0, 1, 2]),
        (all().from("ann@").to("bob").header("To", "example.test"), vec![0, 1, 2, 3]),
        (all().cc("x").bcc("y"), vec![]),
        (all().header("List-Id", ""), vec![]),
        (all().sent_on(day), vec![0, 1, 2, 3]),
        (all().sent_since(day).sent_before(day), vec![]),
        (all().since(long_ago), vec![0, 1, 2, 3]),
        (all().before(long_ago), vec![]),
        (all().on(long_ago), vec![]),
        (all().larger(10).smaller(100_000), vec![0, 1, 2, 3]),
        (all().larger(1 << 31), vec![]),
        (all().uids(set(&uids[1..3])), vec![1, 2]),
        (all().uids(UidSet::default()), vec![]),
        (all().numbers(SeqSet::parse("2:*").expect("a set")), vec![1, 2, 3]),
        (all().answered(), vec![]),
        (all().draft(), vec![]),
        (all().deleted(), vec![]),
        (all().old().recent_and_unseen(), vec![]),
    ] {
        let found =
            inbox.uid_search(search.clone()).await.unwrap_or_else(|e| panic!("{search:?}: {e}"));
        let expected: Vec<_> = expected.into_iter().map(|at: usize| uids[at]).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{search:?}");
    }
    let found = inbox.search(all().seen()).await.expect("SEARCH");
    assert_eq!(found.iter().map(NonZeroU32::get).collect::<Vec<_>>(), [2, 4]);
    let wanted = [SearchReturn::Min, SearchReturn::Max, SearchReturn::Count];
    let found = inbox.uid_search_returning(all().seen(), wanted).await.expect("ESEARCH");
    assert_eq!((found.min(), found.max(), found.count()), (Some(uids[1]), Some(uids[3]), 2));
    let found = inbox.search_returning(all(), [SearchReturn::All]).await.expect("ESEARCH");
    assert_eq!(found.into_set().to_string(), "1:4");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn messages_are_copied_and_moved_and_the_server_tells_where() {
    let (mut imap, uids) = filled(&["one", "two", "three"]).await;
    imap.create("Archive").await.expect("CREATE");
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let error = inbox.uid_copy(uids[0], "nowhere").await.expect_err("no mailbox");
    assert_eq!(error.code(), Some(&Code::TryCreate));
    let copied = inbox.uid_copy(set(&uids[..2]), "Archive").await.expect("UID COPY");
    let from: Vec<_> = copied.pairs().map(|(from, _)| from).collect();
    assert_eq!(from, uids[..2]);
    let copied = inbox.copy(SeqSet::parse("3").expect("a set"), "Archive").await.expect("COPY");
    assert_eq!(copied.pairs().count(), 1);
    let moved = inbox.uid_move(uids[1], "Archive").await.expect("UID MOVE");
    assert_eq!((moved.way(), moved.expunged().numbers()), (MoveWay::Move, &[2][..]));
    assert_eq!(moved.pairs().map(|(from, _)| from).collect::<Vec<_>>(), [uids[1]]);
    let moved = inbox.move_numbers(SeqSet::parse("1:2").expect("a set"), "Archive").await;
    assert_eq!(moved.expect("MOVE").pairs().count(), 2);
    assert_eq!(inbox.exists(), 0);
    assert!(inbox.take_event().is_none());
    let archive = imap.select("Archive").await.expect("SELECT");
    assert_eq!(archive.exists(), 6);
    let numbers = SeqSet::parse("1:2").expect("a set");
    let changed = archive.store(numbers, StoreFlags::add([Flag::Deleted])).await.expect("STORE");
    assert_eq!(changed.len(), 2);
    assert_eq!(archive.expunge().await.expect("EXPUNGE").len(), 2);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn messages_are_fetched_by_number_whole_and_in_parts() {
    let (mut imap, uids) = filled(&["one", "two", "three"]).await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let numbers = |set: &str| SeqSet::parse(set).expect("a set");
    let items = Fetch::uid().flags().body();
    let messages = inbox.fetch(numbers("2:*"), items.clone()).await.expect("FETCH");
    let messages = messages.collect().await.expect("FETCH");
    let told: Vec<_> = messages.iter().map(|message| (message.seq(), message.uid())).collect();
    assert_eq!(told, [(2, Some(uids[1])), (3, Some(uids[2]))]);
    assert!(messages.iter().all(|message| message.body().is_some()));

    let mut parts = inbox.fetch(numbers("1,3"), items).await.expect("FETCH").parts();
    let mut copied = Vec::new();
    while let Some(message) = parts.copy_body(&mut tokio::io::sink()).await.expect("FETCH") {
        copied.push((message.seq, message.uid, message.octets.is_some(), message.whole));
    }
    assert_eq!(copied, [(1, Some(uids[0]), true, true), (3, Some(uids[2]), true, true)]);
    assert!(inbox.take_event().is_none());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_made_anew_is_not_taken_for_the_old_one() {
    let owner = Person::new("commands");
    let mut imap = owner.imap().await;
    imap.create("Kept").await.expect("CREATE");
    let kept = imap.select("Kept").await.expect("SELECT").uid_validity().expect("Dovecot has one");
    imap.select_if("Kept", kept).await.expect("the same");
    imap.unselect().await.expect("UNSELECT");
    let mut other = owner.imap().await;
    other.delete("Kept").await.expect("DELETE");
    other.create("Kept").await.expect("CREATE");
    let error = imap.select_if("Kept", kept).await.expect_err("it is another one");
    assert!(matches!(error, Error::Changed { expected, .. } if expected == kept), "{error}");
    assert!(imap.selected().is_some(), "it is open all the same");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn what_is_enabled_is_what_the_server_confirms() {
    let owner = Person::new("commands");
    let mut imap = owner.imap().await;
    let enabled = imap.enable([Extension::CondStore]).await.expect("ENABLE");
    assert!(enabled.has("CONDSTORE") && imap.enabled().has("CONDSTORE"));
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_mailbox_that_is_removed_while_it_is_selected_ends_no_more_than_itself() {
    let owner = Person::new("commands");
    let mut imap = owner.imap().await;
    imap.create("Gone").await.expect("CREATE");
    imap.append("Gone", "Subject: x\r\n\r\n", AppendOptions::new()).await.expect("APPEND");
    imap.select("Gone").await.expect("SELECT");
    owner.imap().await.delete("Gone").await.expect("DELETE");
    // Dovecot says so and hangs up, with the first command or the second.
    let gone = imap.selected().expect("it was selected");
    let mut ended = None;
    for _ in 0..2 {
        ended = match gone.uid_fetch(UidSet::all(), Fetch::body()).await {
            Ok(messages) => messages.collect().await.err(),
            Err(error) => Some(error),
        };
        if ended.is_some() {
            break;
        }
    }
    let error = ended.expect("what is gone cannot be read");
    assert!(matches!(error, Error::Closed { .. } | Error::Refused { .. }), "{error:?}");
    assert!(error.reply_text().is_some(), "it says why: {error:?}");
    let mut fresh = owner.imap().await;
    let error = fresh.select("Gone").await.expect_err("it is gone");
    assert!(matches!(error, Error::Refused { .. }) && error.connection_usable(), "{error:?}");
    fresh.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_raw_command_is_answered_and_what_it_removes_is_told() {
    let (mut imap, uids) = filled(&["one", "two", "three"]).await;
    imap.select("INBOX").await.expect("SELECT");
    let search = RawCommand::new("UID").atom("SEARCH").atom("CHARSET").atom("UTF-8");
    let found = imap.raw(search.atom("SUBJECT").astring("\u{20ac}")).await.expect("UID SEARCH");
    assert_eq!(found.untagged, ["* SEARCH\r\n"]);
    let flags = RawCommand::new("").atom("\\Deleted");
    let store = RawCommand::new("UID").atom("STORE").uids(uids[0]).atom("+FLAGS.SILENT");
    imap.raw(store.list(flags)).await.expect("UID STORE");
    let gone = imap.raw(RawCommand::new("EXPUNGE")).await.expect("EXPUNGE");
    assert!(gone.untagged.is_empty() && gone.tagged.text().contains("completed"), "{gone:?}");
    let inbox = imap.selected().expect("it is open");
    assert_eq!(inbox.exists(), 2);
    let second = SeqSet::parse("2").expect("a set");
    let error = inbox.store(second.clone(), StoreFlags::add([Flag::Seen])).await;
    assert!(matches!(error, Err(Error::Renumbered { .. })), "{error:?}");
    assert!(matches!(inbox.take_event(), Some(Event::Expunge(1))));
    inbox.store(second, StoreFlags::add([Flag::Seen])).await.expect("STORE");
    let error = imap.raw(RawCommand::new("XNOSUCH")).await.expect_err("no such command");
    assert!(matches!(error, Error::Refused { .. }) && error.connection_usable(), "{error:?}");
    imap.logout().await.expect("LOGOUT");
}
