//! Searches that the server keeps up to date.

use super::*;
use crate::imap::{Search, SearchContext, Sort, SortKey, UpdateOptions, Updating};

const CONTEXTS: &str = "IMAP4rev1 IDLE UNSELECT ESEARCH SORT CONTEXT=SEARCH CONTEXT=SORT";

/// A client that has searched, which took A1 and A2.
async fn searched(script: &str) -> (ImapClient, JoinHandle<()>, SearchContext) {
    let begin = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (ALL UPDATE) FLAGGED
        S: * ESEARCH (TAG "A2") UID ALL 2734:2735
        S: A2 OK will notify
    "#;
    let (mut client, server) = client_of(CONTEXTS, &format!("{begin}{script}")).await;
    let inbox = client.select("INBOX").await.unwrap();
    let found = flagged(inbox).await;
    assert_eq!(found.found().count(), 2);
    let context = found.context().unwrap();
    (client, server, context)
}

async fn flagged(inbox: &mut Mailbox) -> Updating<crate::imap::SearchResult<Uid>> {
    inbox.uid_search_updating(Search::all().flagged(), UpdateOptions::new()).await.unwrap()
}

async fn ended(client: ImapClient, server: JoinHandle<()>) {
    drop(client);
    server.await.unwrap();
}

fn short(event: Option<Event>) -> String {
    match event {
        Some(Event::Search(update)) => {
            let changes = update.changes().iter();
            let sign = |added| if added { '+' } else { '-' };
            changes.map(|change| format!("{}{} ", sign(change.is_added()), change.set())).collect()
        }
        Some(Event::Fetch(message)) => format!("fetch {:?}", message.uid().map(Uid::get)),
        Some(Event::Exists(messages)) => format!("exists {messages}"),
        Some(Event::Expunge(number)) => format!("expunge {number}"),
        Some(Event::Unparsed { .. }) => "unparsed".to_owned(),
        Some(Event::SearchOutdated(_)) => "outdated".to_owned(),
        Some(Event::Notice(_)) => "notice".to_owned(),
        None => "nothing".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn updates_come_in_order_whatever_else_is_going_on() {
    let (mut client, server, context) = searched(
        r#"
        C: A3 UID SEARCH RETURN (ALL) SEEN
        S: * 5 FETCH (UID 2731 FLAGS (\Flagged))
        S: * ESEARCH (TAG "A2") UID ADDTO (1 2733 1 2732 1 2731)
        S: * ESEARCH (TAG "A3") UID ALL 1
        S: * ESEARCH (TAG "A3") UID ADDTO (0 9)
        S: * ESEARCH (TAG "A2") UID REMOVEFROM (0 2732) COUNT 4
        S: A3 OK done
        C: A4 IDLE
        S: + idling
        S: * ESEARCH (TAG "A2") UID REMOVEFROM (0 2735)
        S: * 7 EXPUNGE
        C: DONE
        S: A4 OK done
        "#,
    )
    .await;
    let inbox = client.selected().unwrap();
    let seen = inbox.uid_search_returning(Search::all().seen(), [crate::imap::SearchReturn::All]);
    assert_eq!(seen.await.unwrap().count(), 1);
    assert_eq!(short(inbox.take_event()), "fetch Some(2731)");
    let Some(Event::Search(update)) = inbox.take_event() else { panic!() };
    assert_eq!((update.context(), update.changes().len()), (context, 3));
    // A search that was not to be kept up to date, and what answers none.
    assert_eq!(short(inbox.take_event()), "unparsed");
    assert_eq!(short(inbox.take_event()), "-2732 ");
    assert_eq!(short(inbox.take_event()), "unparsed");
    let mut idle = inbox.idle();
    assert_eq!(short(Some(idle.next().await.unwrap())), "-2735 ");
    assert_eq!(short(Some(idle.next().await.unwrap())), "expunge 7");
    idle.done().await.unwrap();
    ended(client, server).await;
}

#[tokio::test]
async fn bad_updates_are_events_with_their_octets() {
    let (mut client, server, _) = searched(
        r#"
        C: A3 NOOP
        S: * ESEARCH (TAG "A77") UID ADDTO (0 9)
        S: * ESEARCH (TAG "A1") UID ADDTO (0 9)
        S: * ESEARCH UID ADDTO (0 9)
        S: * ESEARCH (TAG "A2") ADDTO (0 9)
        S: * ESEARCH (TAG "A2") UID ADDTO (9223372036854775808 9)
        S: * ESEARCH (TAG "A2") UID ADDTO (0 0)
        S: * ESEARCH (TAG "A2") UID ADDTO (0 1:*)
        S: * ESEARCH (TAG "A2") UID ADDTO (0
        S: A3 OK done
        "#,
    )
    .await;
    client.noop().await.unwrap();
    for _ in 0..3 {
        assert_eq!(short(client.take_event()), "unparsed");
    }
    for _ in 0..5 {
        assert_eq!(short(client.take_event()), "outdated");
        assert_eq!(short(client.take_event()), "unparsed");
    }
    assert_eq!(short(client.take_event()), "nothing");
    ended(client, server).await;
}

#[tokio::test]
async fn cancelling_ends_it_and_what_has_ended_is_not_cancelled() {
    let (mut client, server, context) = searched(
        r#"
        C: A3 CANCELUPDATE "A2"
        S: * ESEARCH (TAG "A2") UID ADDTO (0 9)
        S: A3 OK No further updates.
        C: A4 UID SORT RETURN (ALL UPDATE) (ARRIVAL) UTF-8 ALL
        S: * ESEARCH (TAG "A4") UID ALL 3,1
        S: A4 OK done
        C: A5 CANCELUPDATE "A4"
        S: A5 BAD what
        C: A6 CANCELUPDATE "A4"
        S: A6 OK done
        C: A7 UID SEARCH RETURN (ALL UPDATE) FLAGGED
        S: A7 OK done
        C: A8 SELECT INBOX
        S: * ESEARCH (TAG "A7") UID ADDTO (0 9)
        S: A8 OK done
        "#,
    )
    .await;
    let inbox = client.selected().unwrap();
    inbox.cancel_update([context]).await.unwrap();
    assert_eq!(short(inbox.take_event()), "+9 ");
    inbox.cancel_update([context]).await.unwrap();
    inbox.cancel_update([]).await.unwrap();
    let sort = Sort::by(SortKey::Arrival);
    let sorted = inbox.uid_sort_updating(sort, Search::all(), UpdateOptions::new()).await.unwrap();
    let context = sorted.context().unwrap();
    assert_eq!(sorted.into_found().first(), Uid::new(3));
    assert!(inbox.cancel_update([context]).await.is_err());
    // It is still kept up to date.
    inbox.cancel_update([context]).await.unwrap();
    let context = flagged(inbox).await.context().unwrap();
    let inbox = client.select("INBOX").await.unwrap();
    assert_eq!(short(inbox.take_event()), "nothing");
    inbox.cancel_update([context]).await.unwrap();
    ended(client, server).await;
}

#[tokio::test]
async fn what_a_dropped_search_would_be_told_is_thrown_away_and_cancelled_with_the_next() {
    let (mut client, server, context) = searched(
        r#"
        C: A3 UID SEARCH RETURN (ALL UPDATE) FLAGGED
        S: * ESEARCH (TAG "A3") UID ALL 9
        S: * ESEARCH (TAG "A3") UID ADDTO (0 10)
        S: A3 OK done
        C: A4 NOOP
        S: * ESEARCH (TAG "A3") UID REMOVEFROM (0 10)
        S: * ESEARCH (TAG "A2") UID REMOVEFROM (0 10)
        S: A4 OK done
        C: A5 CANCELUPDATE "A2"
        S: A5 OK done
        C: A6 CANCELUPDATE "A3"
        S: A6 BAD no such update
        "#,
    )
    .await;
    let inbox = client.selected().unwrap();
    cut(flagged(inbox)).await;
    inbox.noop().await.unwrap();
    assert_eq!(short(inbox.take_event()), "-10 ");
    assert_eq!(short(inbox.take_event()), "nothing");
    inbox.cancel_update([context]).await.unwrap();
    ended(client, server).await;
}

#[tokio::test]
async fn without_the_capability_nothing_is_sent() {
    let (mut client, server) = client("C: A1 SELECT INBOX\nS: A1 OK done\n").await;
    let inbox = client.select("INBOX").await.unwrap();
    let options = || UpdateOptions::new();
    let search = inbox.uid_search_updating(Search::all(), options()).await.unwrap_err();
    assert!(matches!(search, Error::Unsupported { .. }), "{search}");
    let sort = Sort::by(SortKey::Arrival);
    let sort = inbox.uid_sort_updating(sort, Search::all(), options()).await.unwrap_err();
    assert!(matches!(sort, Error::Unsupported { .. }), "{sort}");
    ended(client, server).await;
}

#[tokio::test]
async fn what_the_server_gives_up_to_keep_up_to_date_is_told_and_not_cancelled() {
    let (mut client, server, context) = searched(
        r#"
        C: A3 UID SEARCH RETURN (ALL UPDATE) FLAGGED
        S: * ESEARCH (TAG "A3") UID ALL 9 ADDTO (x
        S: A3 OK [NOUPDATE "A3"] too many
        C: A4 NOOP
        S: * NO [NOUPDATE "A2"] too many
        S: A4 OK done
        "#,
    )
    .await;
    let inbox = client.selected().unwrap();
    let found = flagged(inbox).await;
    assert_eq!((found.context(), found.found().unread()), (None, 1));
    while inbox.take_event().is_some() {}
    inbox.noop().await.unwrap();
    assert_eq!(short(inbox.take_event()), "outdated");
    assert_eq!(short(inbox.take_event()), "notice");
    inbox.cancel_update([context]).await.unwrap();
    ended(client, server).await;
}

#[tokio::test]
async fn a_search_that_a_dropped_command_was_told_to_have_ended_is_not_cancelled() {
    let (mut client, server, context) = searched(
        r#"
        C: A3 NOOP
        S: * NO [NOUPDATE "A2"] too many
        S: A3 OK done
        "#,
    )
    .await;
    cut(client.noop()).await;
    client.selected().unwrap().cancel_update([context]).await.unwrap();
    ended(client, server).await;
}

#[tokio::test]
async fn a_tagged_answer_ends_the_search_that_it_names() {
    let (mut client, server, context) = searched(
        r#"
        C: A3 UID SEARCH RETURN (ALL UPDATE) FLAGGED
        S: A3 OK [NOUPDATE "A2"] that is one too many
        C: A4 CANCELUPDATE "A3"
        S: A4 OK done
        C: A5 UID SEARCH RETURN (ALL UPDATE) FLAGGED
        S: A5 OK done
        C: A6 NOOP
        S: A6 OK [NOUPDATE "A5"] enough
        C: A7 UID SEARCH RETURN (ALL UPDATE) FLAGGED
        S: A7 OK [NOUPDATE "x"] whose
        "#,
    )
    .await;
    let inbox = client.selected().unwrap();
    let second = flagged(inbox).await.context().unwrap();
    let Some(Event::SearchOutdated(first)) = inbox.take_event() else { panic!() };
    assert_eq!(first, context);
    inbox.cancel_update([first, second]).await.unwrap();
    let third = flagged(inbox).await.context().unwrap();
    inbox.noop().await.unwrap();
    let Some(Event::SearchOutdated(ended_by_noop)) = inbox.take_event() else { panic!() };
    assert_eq!(ended_by_noop, third);
    assert_eq!(flagged(inbox).await.context(), None);
    assert_eq!(short(inbox.take_event()), "nothing");
    ended(client, server).await;
}
