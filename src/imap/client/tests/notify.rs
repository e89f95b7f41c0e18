//! What a server tells unasked: of other mailboxes, between commands and among their answers.

use tokio::time::Instant;

use super::*;
use crate::Limits;
use crate::imap::command::list::{Attribute, ListQuery};
use crate::imap::{Notify, NotifyEvent, Search, SeqSet, StatusItem};

const NOTIFIES: &str = "IMAP4rev1 IDLE MOVE NOTIFY LIST-EXTENDED LIST-STATUS ESEARCH";

fn messages() -> [NotifyEvent; 2] {
    [NotifyEvent::MessageNew, NotifyEvent::MessageExpunge]
}

/// A client that has asked to be told of its own mailboxes, which took A1.
async fn notified(script: &str) -> (ImapClient, JoinHandle<()>) {
    let asked = "
        C: A1 NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))
        S: A1 OK done
    ";
    let (mut client, server) = client_of(NOTIFIES, &format!("{asked}{script}")).await;
    let events = [NotifyEvent::MessageNew, NotifyEvent::MessageExpunge, NotifyEvent::MailboxName];
    client.notify(Notify::new().personal(events)).await.unwrap();
    (client, server)
}

async fn ended(client: ImapClient, server: JoinHandle<()>) {
    drop(client);
    server.await.unwrap();
}

/// The events that wait, in short.
fn told(client: &mut ImapClient) -> Vec<String> {
    std::iter::from_fn(|| client.take_event().map(|event| short(&event))).collect()
}

fn short(event: &Event) -> String {
    match event {
        Event::Exists(messages) => format!("exists {messages}"),
        Event::Expunge(number) => format!("expunge {number}"),
        Event::Fetch(message) => format!("fetch {:?}", message.uid().map(Uid::get)),
        Event::Status { mailbox, status } => format!("{mailbox} {:?}", status.messages()),
        Event::Listed(mailbox) => {
            let gone = mailbox.attributes().contains(&Attribute::NonExistent);
            let was = mailbox.old_name().map(|name| name.to_string()).unwrap_or_default();
            format!("{} {}{was}", mailbox.name(), if gone { "gone" } else { "" })
        }
        Event::NotificationOverflow(_) => "no more".to_owned(),
        Event::Overflow { lost } => format!("lost {lost}"),
        Event::Unparsed { .. } => "unparsed".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_example_of_rfc_5465_is_told_between_commands_without_any_being_sent() {
    let (mut client, server) = client_of(
        NOTIFIES,
        "
        C: A1 NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge)) (subtree (Lists) (MessageNew MessageExpunge))
        S: * STATUS Lists/Lemonade (UIDVALIDITY 4 UIDNEXT 9999 MESSAGES 500)
        S: A1 OK done
        C: A2 SELECT inbox
        S: * 126 EXISTS
        S: A2 OK INBOX selected
        PAUSE 60
        S: * STATUS Lists/Lemonade (UIDVALIDITY 4 UIDNEXT 10000 MESSAGES 501)
        PAUSE 60
        S: * 127 EXISTS
        S: * 127 FETCH (UID 127001 FLAGS ())
        S: * 5 EXPUNGE
        C: A3 STATUS misc (UIDVALIDITY UIDNEXT MESSAGES)
        S: * STATUS misc (UIDVALIDITY 1 UIDNEXT 999)
        S: A3 STATUS completed
        S: A3 OK STATUS completed
        ",
    )
    .await;
    let wanted = Notify::new().status().selected(messages()).fetch(Fetch::flags());
    let before = client.notify(wanted.subtree(["Lists"], messages())).await.unwrap();
    assert_eq!(before.statuses()[0].1.messages(), Some(500));
    // What SELECT says of its mailbox is no change.
    assert_eq!(client.select("inbox").await.unwrap().exists(), 126);
    let mut notifications = client.notifications();
    for expected in ["Lists/Lemonade Some(501)", "exists 127", "fetch Some(127001)", "expunge 5"] {
        assert_eq!(short(&notifications.next().await.unwrap()), expected);
    }
    assert_eq!(client.selected().unwrap().exists(), 126);
    let items = [StatusItem::UidValidity, StatusItem::UidNext, StatusItem::Messages];
    let misc = client.status("misc", items).await.unwrap();
    assert_eq!((misc.uid_next(), misc.messages()), (Uid::new(999), None));
    assert_eq!(told(&mut client), ["unparsed"]);
    ended(client, server).await;
}

#[tokio::test]
async fn what_is_told_of_another_mailbox_is_no_answer_to_status() {
    let (mut client, server) = notified(
        "
        C: A2 STATUS a (UNSEEN)
        S: * STATUS b (MESSAGES 7)
        S: * STATUS A (MESSAGES 8)
        S: * STATUS a (UNSEEN 1)
        S: * STATUS c (MESSAGES 9)
        S: * STATUS a (MESSAGES 10)
        S: A2 OK done
        C: A3 STATUS a (MESSAGES)
        C: A4 STATUS b (MESSAGES)
        S: * STATUS c (MESSAGES 11)
        S: * STATUS b (MESSAGES 12)
        S: * STATUS B (MESSAGES 13)
        S: * STATUS a (MESSAGES 14)
        S: A3 OK done
        S: A4 OK done
        ",
    )
    .await;
    let a = client.status("a", [StatusItem::Unseen]).await.unwrap();
    // What is told of the mailbox itself is as true, and does not displace what was asked.
    assert_eq!((a.unseen(), a.messages()), (Some(1), Some(10)));
    assert_eq!(told(&mut client), ["b Some(7)", "A Some(8)", "c Some(9)"]);
    let both = client.status_all(["a", "b"], [StatusItem::Messages]).await.unwrap();
    let both: Vec<_> = both.into_iter().map(|status| status.unwrap().messages()).collect();
    assert_eq!(both, [Some(14), Some(12)]);
    assert_eq!(told(&mut client), ["c Some(11)", "B Some(13)"]);
    ended(client, server).await;
}

#[tokio::test]
async fn a_list_gets_the_rows_that_it_asks_for_and_no_others() {
    let (mut client, server) = notified(
        r#"
        C: A2 LIST "" "Archive/%"
        S: * LIST () "/" Drafts/New
        S: * LIST (\HasNoChildren) "/" Archive/2025
        S: * LIST (\NonExistent) "/" Archive/2025
        S: * LIST (\NonExistent) "/" Archive/2024
        S: * LIST () "/" Archive/Later ("OLDNAME" ("Archive/Before"))
        S: * LIST () "/"
        S: * LIST () "/" Archive/2026
        S: A2 OK done
        C: A3 LIST "" "*" RETURN (STATUS (UNSEEN))
        S: * LIST () "/" a
        S: * STATUS a (UNSEEN 3)
        S: * STATUS a (MESSAGES 30)
        S: * STATUS gone (MESSAGES 1)
        S: A3 OK done
        C: A4 LSUB "" "*"
        S: * LIST (\Subscribed) "/" b
        S: * LSUB () "/" a
        S: A4 OK done
        "#,
    )
    .await;
    let found = client.list("", "Archive/%").await.unwrap();
    let names: Vec<_> = found.iter().map(|mailbox| mailbox.name().to_string()).collect();
    assert_eq!(names, ["Archive/2025", "Archive/Later", "Archive/2026"]);
    assert_eq!(found.unread(), 1);
    assert!(found.get("Archive/2025").unwrap().is_selectable());
    assert_eq!(
        told(&mut client),
        [
            "Drafts/New ",
            "Archive/2025 gone",
            "Archive/2024 gone",
            "unparsed",
            "Archive/Later Archive/Before"
        ]
    );
    let query = ListQuery::new("*").with_status([StatusItem::Unseen]);
    let found = client.list_query(query).await.unwrap();
    let a = found.get("a").unwrap().status().unwrap();
    assert_eq!((a.unseen(), a.messages(), found.len()), (Some(3), Some(30), 1));
    assert_eq!(told(&mut client), ["gone Some(1)"]);
    assert_eq!(client.lsub("", "*").await.unwrap().len(), 1);
    assert_eq!(told(&mut client), ["b "]);
    ended(client, server).await;
}

#[tokio::test]
async fn without_notify_a_name_that_cannot_be_decoded_still_answers() {
    let (mut client, server) = client_of(
        NOTIFIES,
        "
        C: A1 STATUS a (MESSAGES)
        S: * STATUS odd&a (MESSAGES 7)
        S: A1 OK done
        ",
    )
    .await;
    let status = client.status("a", [StatusItem::Messages]).await.unwrap();
    assert_eq!(status.messages(), Some(7));
    ended(client, server).await;
}

#[tokio::test]
async fn idle_gives_the_same_events() {
    let (mut client, server) = notified(
        r#"
        C: A2 SELECT INBOX
        S: A2 OK done
        C: A3 IDLE
        S: + idling
        S: * STATUS Sent (MESSAGES 4)
        S: * LIST (\NonExistent) "." Old
        S: * METADATA "" /shared/comment
        S: * METADATA INBOX (/shared/a "x" /shared/b NIL)
        S: * METADATA INBOX (/shared/a
        S: * 4 EXISTS
        C: DONE
        S: A3 OK done
        "#,
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let mut idle = inbox.idle();
    assert_eq!(short(&idle.next().await.unwrap()), "Sent Some(4)");
    assert_eq!(short(&idle.next().await.unwrap()), "Old gone");
    let mut notes = Vec::new();
    for _ in 0..2 {
        let Event::Metadata { mailbox, entries } = idle.next().await.unwrap() else { panic!() };
        notes.push(format!("{mailbox}: {}", entries.join(" ")));
    }
    assert_eq!(notes, [": /shared/comment", "INBOX: /shared/a /shared/b"]);
    assert_eq!(short(&idle.next().await.unwrap()), "unparsed");
    assert_eq!(short(&idle.next().await.unwrap()), "exists 4");
    idle.done().await.unwrap();
    ended(client, server).await;
}

#[tokio::test]
async fn sequence_numbers_are_refused_while_they_may_move_at_any_time() {
    let (mut client, server) = client_of(
        NOTIFIES,
        "
        C: A1 NOTIFY SET (selected (MessageNew MessageExpunge))
        S: A1 OK done
        C: A2 SELECT INBOX
        S: A2 OK done
        C: A3 NOTIFY SET (selected-delayed (MessageNew MessageExpunge))
        S: A3 OK done
        C: A4 STORE 1 +FLAGS.SILENT (\\Seen)
        S: A4 OK done
        C: A5 NOTIFY SET (selected (MessageNew MessageExpunge))
        S: A5 NO [NOTIFICATIONOVERFLOW] too much
        C: A6 SEARCH 1
        S: * SEARCH 1
        S: A6 OK done
        ",
    )
    .await;
    let at_once = || Notify::new().selected(messages());
    client.notify(at_once()).await.unwrap();
    let inbox = client.select("INBOX").await.unwrap();
    let first = || SeqSet::parse("1").unwrap();
    let seen = || StoreFlags::add([Flag::Seen]).silent();
    let refusals = [
        inbox.store(first(), seen()).await.unwrap_err(),
        inbox.copy(first(), "x").await.unwrap_err(),
        inbox.move_numbers(first(), "x").await.unwrap_err(),
        inbox.uid_search(Search::all().numbers(first())).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Error::Misuse(_)), "{refusal}");
        assert!(refusal.to_string().contains("NOTIFY"), "{refusal}");
    }
    client.notify(Notify::new().selected_delayed(messages())).await.unwrap();
    client.selected().unwrap().store(first(), seen()).await.unwrap();
    // A refusal leaves it as it was.
    assert!(client.notify(at_once()).await.is_err());
    let inbox = client.selected().unwrap();
    assert_eq!(inbox.search(Search::all().numbers(first())).await.unwrap().count(), 1);
    ended(client, server).await;
}

#[tokio::test]
async fn that_nothing_more_is_told_is_an_event_and_ends_what_was_asked_for() {
    let (mut client, server) = notified(
        "
        C: A2 NOOP
        S: * STATUS a (MESSAGES 1)
        S: * OK [NOTIFICATIONOVERFLOW] I am tired
        S: A2 OK done
        C: A3 STATUS a (MESSAGES)
        S: * STATUS odd&a (MESSAGES 7)
        S: A3 OK done
        ",
    )
    .await;
    client.noop().await.unwrap();
    assert_eq!(told(&mut client), ["a Some(1)", "no more"]);
    assert!(!client.mailbox.session.core().notifying().tells);
    assert_eq!(client.status("a", [StatusItem::Messages]).await.unwrap().messages(), Some(7));
    ended(client, server).await;
}

#[tokio::test(start_paused = true)]
async fn noop_is_sent_when_no_command_was_for_nine_minutes() {
    let (mut client, server) = notified(
        "
        C: A2 NOOP
        S: A2 OK done
        C: A3 NOOP
        S: * STATUS a (MESSAGES 1)
        S: A3 OK done
        C: A4 NOOP
        S: A4 OK done
        PAUSE 1
        S: * STATUS a (MESSAGES 2)
        ",
    )
    .await;
    let began = Instant::now();
    tokio::time::advance(Duration::from_secs(5 * 60)).await;
    client.noop().await.unwrap();
    // It makes no difference how often somebody begins to wait.
    while tokio::time::timeout(Duration::from_secs(50), client.notifications().next())
        .await
        .is_err()
    {}
    assert_eq!(began.elapsed().as_secs() / 60, 14);
    let mut notifications = client.notifications().renew_every(Duration::from_secs(60));
    assert_eq!(short(&notifications.next().await.unwrap()), "a Some(2)");
    assert_eq!(began.elapsed().as_secs(), 15 * 60 + 1);
    ended(client, server).await;
}

#[tokio::test(start_paused = true)]
async fn a_farewell_ends_the_wait_and_a_connection_lost_without_a_word_does_so_in_time() {
    let (mut client, server) = notified("S: * BYE tired\nPAUSE 9999").await;
    let began = Instant::now();
    let error = client.notifications().next().await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert_eq!(began.elapsed().as_secs(), 0);
    server.abort();
    let (mut client, server) = notified("C: A2 NOOP\nPAUSE 9999").await;
    let began = Instant::now();
    let error = client.notifications().next().await.unwrap_err();
    assert!(matches!(error, Error::Net { source: net::Error::Deadline { .. }, .. }), "{error}");
    assert_eq!(began.elapsed().as_secs() / 60, 9 + 5);
    server.abort();
}

#[tokio::test]
async fn what_is_told_among_the_answer_to_a_dropped_command_is_not_lost() {
    let (mut client, server) = notified(
        r#"
        C: A2 STATUS a (MESSAGES)
        S: * STATUS b (MESSAGES 7)
        S: * STATUS a (MESSAGES 8)
        S: A2 OK done
        C: A3 NOOP
        S: A3 OK done
        C: A4 LIST "" "*"
        S: * LIST () "/" a
        S: * LIST () "/" b
        S: A4 OK done
        C: A5 NOOP
        S: A5 OK done
        C: A6 SELECT INBOX
        S: A6 OK done
        C: A7 NOTIFY SET (selected (MessageNew MessageExpunge))
        S: * STATUS c (MESSAGES 9)
        S: A7 OK done
        "#,
    )
    .await;
    cut(client.status("a", [StatusItem::Messages])).await;
    client.noop().await.unwrap();
    assert_eq!(told(&mut client), ["b Some(7)", "a Some(8)"]);
    // What could be rows of the answer would be taken for changes.
    cut(client.list("", "*")).await;
    client.noop().await.unwrap();
    assert_eq!(told(&mut client), ["lost 2"]);
    client.select("INBOX").await.unwrap();
    cut(client.notify(Notify::new().selected(messages()))).await;
    // The server may carry it out.
    let refused = client.selected().unwrap().copy(SeqSet::parse("1").unwrap(), "x").await;
    assert!(matches!(refused, Err(Error::Misuse(_))));
    client.mailbox.session.settle(crate::Stage::Greeting).await.unwrap();
    assert_eq!(told(&mut client), ["c Some(9)"]);
    ended(client, server).await;
}

#[tokio::test]
async fn a_flood_takes_no_more_memory_than_it_may_and_is_told() {
    let flood: String = (0..3500).map(|n| format!("S: * STATUS box{n} (MESSAGES {n})\n")).collect();
    let script = format!("C: A2 NOOP\n{flood}S: * STATUS last (MESSAGES 1)\nS: A2 OK done\n");
    let (mut client, server) = notified(&script).await;
    client.noop().await.unwrap();
    let kept = told(&mut client);
    let lost: u64 = kept[0].strip_prefix("lost ").unwrap().parse().unwrap();
    assert_eq!(lost as usize + kept.len() - 1, 3501);
    assert!(kept.len() <= Limits::default().events);
    assert_eq!(kept.last().unwrap(), "last Some(1)");
    ended(client, server).await;
}

#[tokio::test]
async fn without_the_capability_nothing_is_sent() {
    let (mut client, server) = client("").await;
    let error = client.notify(Notify::new().personal(messages())).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(matches!(client.notify_none().await, Err(Error::Unsupported { .. })));
    assert!(matches!(client.notify(Notify::new()).await, Err(Error::Unsupported { .. })));
    let long = Notify::new().mailboxes((0..2000).map(|n| format!("mailbox {n}")), messages());
    assert!(client.notify(long).await.is_err());
    ended(client, server).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_refused_notify_has_told_is_not_lost() {
    let script = r"
        C: A1 NOTIFY SET (personal (MessageNew MessageExpunge))
        S: * LIST (\NoAccess) NIL Secret
        S: A1 NO [NOTIFICATIONOVERFLOW] too much
    ";
    let (mut client, server) = client_of("IMAP4rev1 NOTIFY", script).await;
    client.notify(Notify::new().personal(messages())).await.unwrap_err();
    let Some(Event::Listed(secret)) = client.take_event() else { panic!() };
    assert_eq!(secret.name().to_string(), "Secret");
    ended(client, server).await;
}
