//! What Dovecot tells unasked, of the selected mailbox and of others, and searches that it keeps up to
//! date.

use std::time::Duration;

use mailbearer::imap::NotifyEvent::{
    AnnotationChange, FlagChange, MailboxName, MessageExpunge, MessageNew, SubscriptionChange,
};
use mailbearer::imap::{
    AppendOptions, Attribute, Code, Error, Event, Fetch, Flag, Notify, Search, SeqSet, StatusItem,
    StoreFlags, Uid, UpdateOptions,
};
use mailbearer::{Failure, ImapClient};
use tokio::time::timeout;

use crate::support::person::Person;

/// So long nobody waits for what a server on this machine has to tell.
const LONG: Duration = Duration::from_secs(90);

/// One who is told, and another session of the same person who does what there is to tell.
async fn two() -> (ImapClient, ImapClient) {
    let owner = Person::new("notify");
    (owner.imap().await, owner.imap().await)
}

async fn put(client: &mut ImapClient, mailbox: &str, subject: &str) -> Uid {
    let message = format!("Subject: {subject}\r\n\r\nhello\r\n");
    let place = client.append(mailbox, message, AppendOptions::new()).await.expect("APPEND");
    place.uid().expect("Dovecot has UIDPLUS")
}

/// Waits for the first event of which this says something, without a command.
async fn told<T>(client: &mut ImapClient, what: impl Fn(&Event) -> Option<T>) -> T {
    let mut notifications = client.notifications();
    let waiting = async {
        loop {
            if let Some(found) = what(&notifications.next().await.expect("an event")) {
                return found;
            }
        }
    };
    timeout(LONG, waiting).await.expect("it is told")
}

/// The same of the selected mailbox, of which Dovecot 2.3 tells with commands only.
async fn told_by_noop<T>(client: &mut ImapClient, what: impl Fn(&Event) -> Option<T>) -> T {
    for _ in 0..100 {
        client.noop().await.expect("NOOP");
        while let Some(event) = client.take_event() {
            if let Some(found) = what(&event) {
                return found;
            }
        }
    }
    panic!("it was not told")
}

/// The number of messages in a mailbox, once it is this.
fn has<'a>(name: &'a str, messages: u32) -> impl Fn(&Event) -> Option<()> + 'a {
    move |event| match event {
        Event::Status { mailbox, status } => {
            (mailbox.to_string() == name && status.messages() == Some(messages)).then_some(())
        }
        _ => None,
    }
}

#[tokio::test]
async fn other_mailboxes_are_told_of_without_idle_and_without_selecting_any() {
    let (mut one, mut other) = two().await;
    other.create("Lists").await.expect("CREATE");
    put(&mut other, "Lists", "first").await;
    let wanted = Notify::new().status().personal([
        MessageNew,
        MessageExpunge,
        MailboxName,
        SubscriptionChange,
    ]);
    let before = one.notify(wanted).await.expect("NOTIFY");
    let lists = before.statuses().iter().find(|(name, _)| name.to_string() == "Lists");
    assert_eq!(lists.expect("the mailbox is there").1.messages(), Some(1));
    assert_eq!((before.unread(), before.no_access().len()), (0, 0));

    put(&mut other, "Lists", "second").await;
    told(&mut one, has("Lists", 2)).await;
    put(&mut other, "Sent", "third").await;
    told(&mut one, has("Sent", 1)).await;
    // An answer is its own whatever is told besides.
    put(&mut other, "Sent", "fourth").await;
    let lists = one.status("Lists", [StatusItem::Messages, StatusItem::Unseen]).await;
    assert_eq!(lists.expect("STATUS").messages(), Some(2));
    told(&mut one, has("Sent", 2)).await;

    let listed = |name: &'static str| {
        move |event: &Event| match event {
            Event::Listed(mailbox) if mailbox.name().to_string() == name => Some(mailbox.clone()),
            _ => None,
        }
    };
    other.create("Lists/New").await.expect("CREATE");
    let new = told(&mut one, listed("Lists/New")).await;
    assert!(new.is_selectable());
    let all = one.list("", "*").await.expect("LIST");
    assert!(all.get("Lists/New").is_some() && all.unread() == 0);
    other.rename("Lists/New", "Lists/Newer").await.expect("RENAME");
    let newer = told(&mut one, listed("Lists/Newer")).await;
    assert_eq!(newer.old_name().map(|name| name.to_string()).as_deref(), Some("Lists/New"));
    other.subscribe("Lists/Newer").await.expect("SUBSCRIBE");
    let subscribed = told(&mut one, listed("Lists/Newer")).await;
    assert!(subscribed.attributes().contains(&Attribute::Subscribed), "{subscribed:?}");
    other.delete("Lists/Newer").await.expect("DELETE");
    let gone = told(&mut one, |event: &Event| match event {
        Event::Listed(mailbox) if !mailbox.is_selectable() => Some(mailbox.name().to_string()),
        _ => None,
    });
    assert_eq!(gone.await, "Lists/Newer");
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn the_selected_mailbox_is_told_of_with_what_was_wished_and_numbers_are_refused() {
    let (mut one, mut other) = two().await;
    let first = put(&mut other, "INBOX", "first").await;
    let events = [MessageNew, MessageExpunge, FlagChange];
    let wanted = Notify::new().selected(events).fetch(Fetch::envelope().flags());
    one.notify(wanted).await.expect("NOTIFY");
    assert_eq!(one.select("INBOX").await.expect("SELECT").exists(), 1);

    let second = put(&mut other, "INBOX", "second").await;
    let subject = told_by_noop(&mut one, |event: &Event| match event {
        Event::Fetch(message) if message.uid() == Some(second) => {
            Some(message.envelope()?.subject()?.to_str_lossy().into_owned())
        }
        _ => None,
    });
    assert_eq!(subject.await, "second");
    let there = other.select("INBOX").await.expect("SELECT");
    there.uid_store(first, StoreFlags::add([Flag::Flagged])).await.expect("UID STORE");
    told_by_noop(&mut one, |event: &Event| match event {
        // Dovecot leaves the UID out.
        Event::Fetch(message) if message.seq() == 1 => {
            message.flags().any(|flag| flag == Flag::Flagged).then_some(())
        }
        _ => None,
    })
    .await;
    let there = other.selected().expect("it is selected");
    there.uid_store(first, StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    there.uid_expunge(first).await.expect("UID EXPUNGE");
    let gone = |event: &Event| matches!(event, Event::Expunge(1)).then_some(());
    told_by_noop(&mut one, gone).await;
    let inbox = one.selected().expect("it is selected");
    let numbers = SeqSet::parse("1").expect("a set");
    let refused = inbox.copy(numbers, "Sent").await.expect_err("numbers move");
    assert!(matches!(refused, Error::Misuse(_)), "{refused}");
    inbox.uid_copy(second, "Sent").await.expect("UID COPY");
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn who_needs_numbers_is_told_of_what_went_when_it_asks() {
    let (mut one, mut other) = two().await;
    let first = put(&mut other, "INBOX", "first").await;
    put(&mut other, "INBOX", "second").await;
    let wanted = Notify::new()
        .selected_delayed([MessageNew, MessageExpunge])
        .mailboxes(["Sent"], [MessageNew, MessageExpunge]);
    one.notify(wanted).await.expect("NOTIFY");
    one.select("INBOX").await.expect("SELECT");
    let there = other.select("INBOX").await.expect("SELECT");
    there.uid_store(first, StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    there.uid_expunge(first).await.expect("UID EXPUNGE");
    // What comes later is told, and the removal is not.
    put(&mut other, "Sent", "third").await;
    let removed = told(&mut one, |event: &Event| match event {
        Event::Expunge(_) => Some(true),
        event => has("Sent", 1)(event).map(|()| false),
    });
    assert!(!removed.await);
    let inbox = one.selected().expect("it is selected");
    inbox.noop().await.expect("NOOP");
    assert!(matches!(inbox.take_event(), Some(Event::Expunge(1))));
    let flagged = StoreFlags::add([Flag::Flagged]);
    let numbers = SeqSet::parse("1").expect("a set");
    // Dovecot tells of flags only who has asked for FlagChange, even who sets them.
    inbox.store(numbers, flagged).await.expect("STORE");

    // IDLE tells of other mailboxes, too.
    let mut idle = inbox.idle();
    let waiting = async {
        let hears = async { while has("Sent", 2)(&idle.next().await.expect("IDLE")).is_none() {} };
        tokio::join!(hears, put(&mut other, "Sent", "fourth")).0;
    };
    timeout(LONG, waiting).await.expect("it is told");
    idle.done().await.expect("DONE");
    one.notify_none().await.expect("NOTIFY NONE");
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn an_event_that_the_server_does_not_know_is_refused() {
    let (mut one, other) = two().await;
    let events = [MessageNew, MessageExpunge, AnnotationChange];
    let error = one.notify(Notify::new().personal(events)).await.expect_err("it has none");
    let Some(Code::BadEvent(named)) = error.code() else { panic!("{error}") };
    // By RFC 5465 these would be all others.
    assert_eq!(named, &["AnnotationChange"]);
    assert!(error.connection_usable());
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_search_is_kept_up_to_date_until_that_is_cancelled() {
    let (mut one, mut other) = two().await;
    let first = put(&mut other, "INBOX", "first").await;
    let second = put(&mut other, "INBOX", "second").await;
    let inbox = one.select("INBOX").await.expect("SELECT");
    let flagged = || Search::all().flagged();
    let mut found =
        inbox.uid_search_updating(flagged(), UpdateOptions::new()).await.expect("UID SEARCH");
    assert!(found.found().is_empty());
    let context = found.context().expect("Dovecot keeps it up to date");

    let there = other.select("INBOX").await.expect("SELECT");
    there.uid_store(&[first, second][..], StoreFlags::add([Flag::Flagged])).await.expect("STORE");
    there.uid_store(first, StoreFlags::remove([Flag::Flagged])).await.expect("STORE");
    inbox.noop().await.expect("NOOP");
    let take_in = |inbox: &mut mailbearer::imap::Mailbox,
                   found: &mut mailbearer::imap::Updating<_>| {
        let mut updates = 0;
        while let Some(event) = inbox.take_event() {
            if let Event::Search(update) = event {
                assert_eq!(update.context(), context);
                mailbearer::imap::SearchResult::update(found.found_mut(), &update);
                updates += 1;
            }
        }
        updates
    };
    assert!(take_in(inbox, &mut found) > 0);
    assert_eq!(found.found().iter().collect::<Vec<_>>(), [second]);
    there.uid_store(second, StoreFlags::add([Flag::Deleted])).await.expect("UID STORE");
    there.uid_expunge(second).await.expect("UID EXPUNGE");
    inbox.noop().await.expect("NOOP");
    assert!(take_in(inbox, &mut found) > 0);
    assert!(found.found().is_empty());

    inbox.cancel_update([context]).await.expect("CANCELUPDATE");
    there.uid_store(first, StoreFlags::add([Flag::Flagged])).await.expect("UID STORE");
    inbox.noop().await.expect("NOOP");
    assert_eq!(take_in(inbox, &mut found), 0);

    // What is new comes with what was wished of it.
    let options = UpdateOptions::new().fetch(Fetch::envelope());
    let mut found = inbox.uid_search_updating(flagged(), options).await.expect("UID SEARCH");
    assert_eq!(found.found().count(), 1);
    let context = found.context().expect("it is kept up to date");
    let third = AppendOptions::new().flags([Flag::Flagged]);
    let message = "Subject: third\r\n\r\nhello\r\n";
    let third = other.append("INBOX", message, third).await.expect("APPEND").uid();
    inbox.noop().await.expect("NOOP");
    let mut subject = None;
    while let Some(event) = inbox.take_event() {
        match event {
            Event::Fetch(message) if message.uid() == third => {
                let envelope = message.envelope();
                subject = envelope
                    .and_then(|envelope| Some(envelope.subject()?.to_str_lossy().into_owned()));
            }
            Event::Search(update) if update.context() == context => {
                found.found_mut().update(&update);
            }
            other => drop(other),
        }
    }
    assert_eq!((subject.as_deref(), found.found().max()), (Some("third"), third));
    one.logout().await.expect("LOGOUT");
    other.logout().await.expect("LOGOUT");
}
