//! Modification sequences and what is built on them, through the client.

use std::num::NonZeroU32;

use super::*;
use crate::imap::{Date, QResync, Search, SelectOptions, StatusItem};

const BOTH: &str = "IMAP4rev1 ENABLE CONDSTORE QRESYNC ESEARCH";

fn known(mod_seq: u64) -> QResync {
    QResync::new(NonZeroU32::new(7).unwrap(), mod_seq)
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_is_opened_with_its_changes_in_one_round_trip_once_that_is_enabled() {
    let (mut client, server) = client_of(
        BOTH,
        r"
        C: A1 ENABLE QRESYNC
        S: * ENABLED CONDSTORE QRESYNC
        S: A1 OK done
        C: A2 SELECT INBOX (QRESYNC (7 100))
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [HIGHESTMODSEQ 120] ok
        S: * VANISHED (EARLIER) 4,9:12
        S: * 2 FETCH (UID 5 FLAGS (\Seen) MODSEQ (110))
        S: A2 OK [READ-WRITE] done
        C: A3 SELECT Other (QRESYNC (7 50))
        S: * 1 FETCH (UID 1 FLAGS (\Answered) MODSEQ (121))
        S: * OK [CLOSED] bye
        S: * 0 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [HIGHESTMODSEQ 60] ok
        S: A3 OK done
        ",
    )
    .await;
    let (inbox, changes) = client.resync("INBOX", known(100)).await.unwrap();
    assert_eq!(changes.vanished().to_string(), "4,9:12");
    let changed: Vec<_> = changes.changed().iter().map(|m| (m.uid(), m.mod_seq())).collect();
    assert_eq!(changed, [(Uid::new(5), Some(110))]);
    assert_eq!((inbox.exists(), inbox.highest_mod_seq()), (3, Some(120)));
    // The next one is not asked whether it may.
    let (_, changes) = client.resync("Other", known(50)).await.unwrap();
    assert!(changes.vanished().is_empty() && changes.changed().is_empty());
    assert!(client.take_event().is_none());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_not_read_to_its_end_or_not_recognised_is_not_taken_for_none() {
    for line in [
        r"* 49 FETCH (UID 117 FLAGS (\Seen",
        "* FETCH (UID 117 FLAGS ())",
        "* 49 FETC (UID 117 FLAGS ())",
        "* 4x9 FETCH (UID 117 FLAGS ())",
        "49 FETCH (UID 117 FLAGS ())",
    ] {
        let script = format!(
            "
            C: A1 ENABLE QRESYNC
            S: * ENABLED QRESYNC
            S: A1 OK done
            C: A2 SELECT INBOX (QRESYNC (7 100))
            S: * OK [UIDVALIDITY 7] ok
            S: * OK [HIGHESTMODSEQ 200] ok
            S: * 48 FETCH (UID 116 FLAGS ())
            S: {line}
            S: A2 OK done
            C: A3 SELECT INBOX (QRESYNC (7 100))
            S: stray
            S: * OK [CLOSED] that was about the other
            S: * OK [UIDVALIDITY 7] ok
            S: * OK [HIGHESTMODSEQ 200] ok
            S: A3 OK done
            "
        );
        let (mut client, server) = client_of(BOTH, &script).await;
        let (inbox, changes) = client.resync("INBOX", known(100)).await.unwrap();
        let changed: Vec<_> = changes.changed().iter().map(|message| message.uid()).collect();
        assert_eq!((&changed[..], changes.unread()), (&[Uid::new(116)][..], 1), "{line}");
        assert!(matches!(inbox.take_event(), Some(Event::Unparsed { .. })), "{line}");
        let (_, changes) = client.resync("INBOX", known(100)).await.unwrap();
        assert_eq!(changes.unread(), 0);
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn changes_that_mean_nothing_or_are_not_told_are_errors() {
    let (mut client, server) = client_of(
        BOTH,
        "
        C: A1 ENABLE QRESYNC
        S: * ENABLED QRESYNC
        S: A1 OK done
        C: A2 SELECT INBOX (QRESYNC (7 100))
        S: * OK [UIDVALIDITY 8] ok
        S: * OK [HIGHESTMODSEQ 120] ok
        S: A2 OK [READ-WRITE] Sorry, UIDVALIDITY mismatch
        C: A3 SELECT INBOX (QRESYNC (7 100))
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [NOMODSEQ] not here
        S: A3 OK done
        C: A4 SELECT INBOX (QRESYNC (7 100))
        S: A4 NO no such mailbox
        ",
    )
    .await;
    let error = client.resync("INBOX", known(100)).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }) && error.connection_usable(), "{error}");
    let error = client.resync("INBOX", known(100)).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }) && error.connection_usable(), "{error}");
    assert!(client.selected().unwrap().has_no_mod_seqs());
    let error = client.resync("INBOX", known(100)).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_history_has_gone_back_has_not_told_all() {
    let (mut client, server) = client_of(
        BOTH,
        "
        C: A1 ENABLE QRESYNC
        S: * ENABLED QRESYNC
        S: A1 OK done
        C: A2 SELECT INBOX (QRESYNC (7 100))
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [HIGHESTMODSEQ 99] restored
        S: A2 OK done
        C: A3 SELECT INBOX (QRESYNC (7 99))
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [HIGHESTMODSEQ 99] ok
        S: A3 OK done
        ",
    )
    .await;
    let (inbox, changes) = client.resync("INBOX", known(100)).await.unwrap();
    assert!(changes.went_back());
    let next_time = inbox.highest_mod_seq().unwrap();
    let (_, changes) = client.resync("INBOX", known(next_time)).await.unwrap();
    assert!(!changes.went_back());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_mailbox_follows_the_sequences_that_are_told() {
    let (mut client, server) = client_of(
        BOTH,
        r"
        C: A1 SELECT INBOX
        S: * 3 EXISTS
        S: * OK [HIGHESTMODSEQ 96] ok
        S: * 1 FETCH (UID 6 MODSEQ (97) FLAGS ())
        S: A1 OK done
        C: A2 UID STORE 6:7 (UNCHANGEDSINCE 96) +FLAGS.SILENT (\Seen)
        S: * 1 FETCH (UID 6 MODSEQ (103))
        S: * 2 FETCH (UID 7 MODSEQ (101))
        S: * OK [HIGHESTMODSEQ 99] VANISHED reply with MODSEQ 100 is delayed
        S: A2 OK [MODIFIED 8] done
        C: A3 UID STORE 8 +FLAGS.SILENT (\Seen)
        S: * 3 FETCH (UID 8 MODSEQ (104))
        S: A3 OK [HIGHESTMODSEQ 99] Still delaying VANISHED
        C: A4 NOOP
        S: A4 OK nothing
        C: A5 NOOP
        S: * 2 FETCH (UID 7 FLAGS () MODSEQ (107))
        S: * 1 FETCH (UID 6 FLAGS () MODSEQ (106))
        S: A5 NO but that
        C: A6 NOOP
        S: * 2 FETCH (UID 7 FLAGS (\Seen) MODSEQ (105))
        S: A6 OK done
        C: A7 UID FETCH 6 (BODY.PEEK[] MODSEQ)
        S: * 1 FETCH (UID 6 BODY[] {2}
        S: ab MODSEQ (110))
        S: A7 OK done
        C: A8 NOOP
        S: * OK [HIGHESTMODSEQ 108] after all
        S: A8 OK done
        ",
    )
    .await;
    let seen = || StoreFlags::add([Flag::Seen]).silent();
    let inbox = client.select("INBOX").await.unwrap();
    // RFC 7162 section 6, and its example.
    assert_eq!(inbox.highest_mod_seq(), Some(96));
    let two = UidSet::parse("6:7").unwrap();
    let _ = inbox.uid_store_unchanged_since(two, 96, seen()).await.unwrap();
    assert_eq!(inbox.highest_mod_seq(), Some(99));
    inbox.uid_store(Uid::new(8).unwrap(), seen()).await.unwrap();
    assert_eq!(inbox.highest_mod_seq(), Some(99));
    inbox.noop().await.unwrap();
    assert_eq!(inbox.highest_mod_seq(), Some(99));
    inbox.noop().await.unwrap_err();
    assert_eq!(inbox.highest_mod_seq(), Some(107));
    inbox.noop().await.unwrap();
    assert_eq!(inbox.highest_mod_seq(), Some(107));
    let messages = inbox.uid_fetch(Uid::new(6).unwrap(), Fetch::body().mod_seq()).await.unwrap();
    assert_eq!(messages.collect().await.unwrap().len(), 1);
    assert_eq!(inbox.highest_mod_seq(), Some(110));
    inbox.noop().await.unwrap();
    assert_eq!(inbox.highest_mod_seq(), Some(108));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_offered_or_not_confirmed_is_not_sent() {
    let (mut client, server) = client_of(
        "IMAP4rev1 ENABLE QRESYNC",
        "
        C: A1 ENABLE QRESYNC
        S: A1 OK done
        C: A2 SELECT INBOX
        S: A2 OK done
        ",
    )
    .await;
    let error = client.resync("INBOX", known(1)).await.unwrap_err();
    let shown = "SELECT needs QRESYNC, which is not enabled: `enable` has to ask for it, and the \
                 server to confirm it, before a mailbox is opened";
    assert_eq!(error.to_string(), shown);
    assert!(error.connection_usable() && error.retry() == Retry::Never);
    let inbox = client.select("INBOX").await.unwrap();
    let items = Fetch::flags().changed_since(5).vanished();
    let error = inbox.uid_fetch(UidSet::all(), items).await.unwrap_err();
    assert!(matches!(error, Error::NotEnabled { .. }), "{error}");
    drop(client);
    server.await.unwrap();

    let (mut client, server) = client_of("IMAP4rev1", "C: A1 SELECT INBOX\nS: A1 OK done").await;
    assert!(matches!(client.resync("INBOX", known(1)).await, Err(Error::Unsupported { .. })));
    let condstore = SelectOptions::new().condstore();
    assert!(matches!(client.select_with("INBOX", condstore).await, Err(Error::Unsupported { .. })));
    let inbox = client.select("INBOX").await.unwrap();
    let one = Uid::new(1).unwrap();
    let seen = StoreFlags::add([Flag::Seen]);
    assert!(matches!(
        inbox.uid_store_unchanged_since(one, 5, seen).await,
        Err(Error::Unsupported { .. })
    ));
    let keys = Search::all().not(Search::all().or(Search::all().mod_seq(5), Search::all()));
    assert!(matches!(inbox.uid_search(keys).await, Err(Error::Unsupported { .. })));
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn once_a_mailbox_was_opened_nothing_is_enabled_until_nobody_is_logged_in() {
    for opened in ["SELECT", "EXAMINE"] {
        let script = format!(
            "
            C: A1 {opened} INBOX
            S: A1 NO no such
            C: A2 UNAUTHENTICATE
            S: A2 OK done
            "
        );
        let offered = "IMAP4rev1 ENABLE QRESYNC UNSELECT UNAUTHENTICATE";
        let (mut client, server) = client_of(offered, &script).await;
        // Whatever came of it, and whoever waits for it.
        match opened {
            "SELECT" => cut(client.select("INBOX")).await,
            _ => drop(client.examine("INBOX").await.unwrap_err()),
        }
        let error = client.enable([Extension::QResync]).await.unwrap_err();
        assert!(matches!(error, Error::Misuse(_)), "{error:?}");
        assert_eq!(
            error.to_string(),
            "ENABLE: not once a mailbox was opened, even if it was left again"
        );
        assert!(client.enable([]).await.unwrap().is_empty());
        let error = client.resync("INBOX", known(1)).await.unwrap_err();
        assert!(
            matches!(error, Error::NotEnabled { extension: Extension::QResync, .. }),
            "{error:?}"
        );
        // The next user has opened none.
        let left = client.unauthenticate().await.unwrap();
        drop(left);
        server.await.unwrap();
    }

    let (mut client, server) = client_of(
        "IMAP4rev1 ENABLE QRESYNC UNSELECT",
        "
        C: A1 ENABLE QRESYNC
        S: * ENABLED QRESYNC
        S: A1 OK done
        C: A2 SELECT INBOX
        S: A2 OK done
        C: A3 UNSELECT
        S: A3 OK done
        C: A4 SELECT INBOX (QRESYNC (7 1))
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [HIGHESTMODSEQ 1] ok
        S: A4 OK done
        ",
    )
    .await;
    client.enable([Extension::QResync]).await.unwrap();
    client.select("INBOX").await.unwrap();
    client.unselect().await.unwrap();
    assert!(client.resync("INBOX", known(1)).await.unwrap().1.changed().is_empty());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_vanishes_is_told_where_it_happened_and_counted() {
    let (mut client, server) = client_of(
        BOTH,
        r"
        C: A1 ENABLE QRESYNC
        S: * ENABLED QRESYNC
        S: A1 OK done
        C: A2 SELECT INBOX
        S: * 9 EXISTS
        S: A2 OK done
        C: A3 UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)
        S: * VANISHED (EARLIER) 300:310,405,411
        S: * 1 FETCH (UID 404 MODSEQ (65402) FLAGS (\Seen))
        S: * VANISHED 404,406
        S: * 1 FETCH (UID 408 MODSEQ (29738) FLAGS ($NoJunk))
        S: A3 OK FETCH completed
        C: A4 EXPUNGE
        S: * VANISHED 505,507,510,625
        S: A4 OK [HIGHESTMODSEQ 20010715194045319] expunged
        C: A5 NOOP
        S: * VANISHED 1:4294967295
        S: * VANISHED 0
        S: A5 OK done
        ",
    )
    .await;
    client.enable([Extension::QResync]).await.unwrap();
    let inbox = client.select("INBOX").await.unwrap();
    let items = Fetch::flags().changed_since(12345).vanished();
    let range = UidSet::parse("300:500").unwrap();
    let mut messages = inbox.uid_fetch(range, items).await.unwrap();
    let mut told = Vec::new();
    while let Some(message) = messages.next().await.unwrap() {
        while let Some(event) = messages.take_event() {
            let Event::Vanished { uids, earlier } = event else { panic!("{event:?}") };
            told.push(format!("{uids} {earlier}"));
        }
        told.push(message.uid().unwrap().to_string());
    }
    assert_eq!(told, ["300:310,405,411 true", "404", "404,406 false", "408"]);
    assert_eq!(inbox.exists(), 7);
    let expunged = inbox.expunge().await.unwrap();
    assert_eq!((expunged.uids().to_string().as_str(), expunged.len()), ("505,507,510,625", 4));
    assert_eq!((inbox.exists(), inbox.highest_mod_seq()), (3, Some(20_010_715_194_045_319)));
    assert!(inbox.take_event().is_none());
    inbox.noop().await.unwrap();
    assert_eq!(inbox.exists(), 0);
    assert!(matches!(inbox.take_event(), Some(Event::Vanished { .. })));
    assert!(matches!(inbox.take_event(), Some(Event::Unparsed { .. })));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_search_by_sequence_tells_the_highest_that_it_has_found() {
    let (mut client, server) = client_of(
        "IMAP4rev1 CONDSTORE",
        r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH MODSEQ "/flags/\\Draft" all 620162338
        S: * SEARCH 2 5 6 7 11 12 18 19 20 23 (MODSEQ 917162500)
        S: A2 OK Search complete
        C: A3 UID SEARCH OR NOT MODSEQ 720162338 LARGER 50000
        S: * SEARCH
        S: A3 OK Search complete, nothing found
        C: A4 UID SEARCH MODSEQ 0
        S: * SEARCH 1 (MODSEQ 9223372036854775808)
        S: * SEARCH 2 (MODSEQ x)
        S: A4 OK done
        "#,
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let all = Search::all;
    let draft = all().mod_seq_of(Flag::Draft, 620_162_338);
    let found = inbox.uid_search(draft).await.unwrap();
    assert_eq!((found.count(), found.mod_seq()), (10, Some(917_162_500)));
    let either = all().or(all().not(all().mod_seq(720_162_338)), all().larger(50_000));
    let found = inbox.uid_search(either).await.unwrap();
    assert_eq!((found.count(), found.mod_seq()), (0, None));
    let found = inbox.uid_search(all().mod_seq(0)).await.unwrap();
    assert_eq!((found.count(), found.mod_seq()), (2, Some(1 << 63)));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_long_conditional_change_is_joined_from_its_pieces() {
    let uids: UidSet = (1..6000).step_by(2).filter_map(Uid::new).collect();
    let text = uids.to_string();
    // The line limit is 8,000 octets.
    let store = "C: A2 UID STORE  (UNCHANGEDSINCE 5) +FLAGS.SILENT ($Done)";
    let room = 8000 - store.len() + "C: A2 ".len() - "A4294967295 \r\n".len();
    let cut = text[..=room].rfind(',').unwrap();
    let script = format!(
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID STORE {} (UNCHANGEDSINCE 5) +FLAGS.SILENT ($Done)
        S: * 1 FETCH (UID 1 MODSEQ (8))
        S: A2 OK [MODIFIED 3,5] done
        C: A3 UID STORE {} (UNCHANGEDSINCE 5) +FLAGS.SILENT ($Done)
        S: A3 OK [MODIFIED 5999] done
        ",
        &text[..cut],
        &text[cut + 1..],
    );
    let (mut client, server) = client_of("IMAP4rev1 CONDSTORE", &script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let done = StoreFlags::add([Flag::from("$Done")]).silent();
    let stored = inbox.uid_store_unchanged_since(uids, 5, done).await.unwrap();
    assert_eq!(stored.modified().to_string(), "3,5,5999");
    assert_eq!(stored.messages().len(), 1);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_extensions_ask_for_is_written_as_their_rfcs_say() {
    let (mut client, server) = client_of(
        "IMAP4rev1 OBJECTID SAVEDATE PREVIEW WITHIN",
        r"
        C: A1 SELECT foo
        S: * OK [MAILBOXID (F2212ea87-6097-4256-9d51-71338625)] Ok
        S: A1 OK done
        C: A2 CREATE bar
        S: A2 OK [MAILBOXID (F6352ae03-b7f5-463c-896f-d8b48ee3)] Completed
        C: A3 STATUS bar (MAILBOXID)
        S: * STATUS bar (MAILBOXID (F6352ae03-b7f5-463c-896f-d8b48ee3))
        S: A3 OK Completed
        C: A4 UID FETCH 1:* (EMAILID THREADID SAVEDATE PREVIEW (LAZY) PREVIEW)
        S: A4 OK Completed
        C: A5 UID SEARCH EMAILID M6d99ac3275bb4e OR THREADID T64b478a75b7ea9 SAVEDATESUPPORTED
        S: * SEARCH 1
        S: A5 OK Completed
        C: A6 UID SEARCH SAVEDBEFORE 28-Dec-2014 SAVEDON 28-Dec-2014 NOT SAVEDSINCE 28-Dec-2014
        S: * SEARCH
        S: A6 OK Completed
        C: A7 UID SEARCH UNSEEN YOUNGER 259200 OLDER 60
        S: * SEARCH 4 8
        S: A7 OK Completed
        ",
    )
    .await;
    client.select("foo").await.unwrap();
    client.create("bar").await.unwrap();
    let foo = "F2212ea87-6097-4256-9d51-71338625";
    assert_eq!(client.selected().unwrap().mailbox_id(), Some(foo));
    let status = client.status("bar", [StatusItem::MailboxId]).await.unwrap();
    assert_eq!(status.mailbox_id(), Some("F6352ae03-b7f5-463c-896f-d8b48ee3"));
    let inbox = client.selected().unwrap();
    let items = Fetch::uid().email_id().thread_id().save_date().preview_if_ready().preview();
    let messages = inbox.uid_fetch(UidSet::all(), items).await.unwrap();
    assert!(messages.collect().await.unwrap().is_empty());
    let all = Search::all;
    let either = (all().thread_id("T64b478a75b7ea9"), all().save_date_supported());
    let ids = all().email_id("M6d99ac3275bb4e").or(either.0, either.1);
    assert_eq!(inbox.uid_search(ids).await.unwrap().count(), 1);
    let day = Date::new(2014, 12, 28).unwrap();
    let saved = all().saved_before(day).saved_on(day).not(all().saved_since(day));
    assert!(inbox.uid_search(saved).await.unwrap().is_empty());
    let (young, old) = (Duration::from_secs(259_200), Duration::from_secs(60));
    let ages = all().unseen().younger(young).older(old);
    assert_eq!(inbox.uid_search(ages).await.unwrap().count(), 2);
    for bad in ["", "a b", "a\r\nA9 LOGOUT"] {
        assert!(matches!(inbox.uid_search(all().email_id(bad)).await, Err(Error::Misuse(_))));
    }
    drop(client);
    server.await.unwrap();
}
