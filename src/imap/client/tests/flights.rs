//! Several commands in one flight.

use tokio::time::timeout;

use super::*;
use crate::imap::command::fetch::STAGE;
use crate::imap::command::noop::Noop;
use crate::imap::{Code, Message, Partial, Search, SearchReturn, SeqSet, StatusItem};
use crate::{Profile, Stage};

#[tokio::test(start_paused = true)]
async fn select_and_fetch_go_out_together() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        C: A2 UID FETCH 1:* (FLAGS)
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: A1 OK [READ-WRITE] done
        S: * 1 FETCH (UID 11 FLAGS (\Seen))
        S: * 2 FETCH (UID 12 FLAGS ())
        S: A2 OK done
        C: A3 NOOP
        S: A3 OK done
        ",
    )
    .await;
    let messages = client.select_fetch("INBOX", UidSet::all(), Fetch::flags()).await.unwrap();
    assert_eq!(messages.mailbox().uid_validity().unwrap().get(), 7);
    let messages = messages.collect().await.unwrap();
    assert_eq!(
        messages.iter().filter_map(Message::uid).map(Uid::get).collect::<Vec<_>>(),
        [11, 12]
    );
    assert_eq!(client.selected().unwrap().exists(), 2);
    client.noop().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_is_answered_before_the_select_ahead_of_it_is_over() {
    for (answer, refused) in [("BAD what is that?", true), ("OK nothing to fetch", false)] {
        let script = format!(
            "
            C: A1 SELECT INBOX
            C: A2 UID FETCH 1:* (FLAGS)
            S: A2 {answer}
            S: * 2 EXISTS
            S: A1 OK [READ-WRITE] done
            C: A3 NOOP
            S: A3 OK done
            "
        );
        let (mut client, server) = client(&script).await;
        match client.select_fetch("INBOX", UidSet::all(), Fetch::flags()).await {
            Ok(messages) => {
                let messages = timeout(Duration::from_secs(3600), messages.collect());
                assert!(messages.await.unwrap().unwrap().is_empty() && !refused);
            }
            Err(error) => {
                assert!(matches!(error, Error::Refused { stage: STAGE, .. }) && refused);
                assert!(error.connection_usable());
            }
        }
        assert_eq!(client.selected().unwrap().exists(), 2);
        client.noop().await.unwrap();
        drop(client);
        server.await.unwrap();
    }
}

/// Counts how often it is asked whether a response is its own.
struct Counted(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Command for Counted {
    type Output = ();

    fn name(&self) -> &'static str {
        "X"
    }

    fn encode(
        &self,
        line: &mut crate::imap::proto::encode::Line,
        _: &Capabilities,
    ) -> Result<(), crate::Misuse> {
        line.raw("X");
        Ok(())
    }

    fn claims(&self) -> crate::imap::proto::Claims {
        crate::imap::proto::Claims::Data(|_| true)
    }

    fn fit(&self, _: &crate::imap::proto::response::Response<'_>) -> crate::imap::command::Fit {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        crate::imap::command::Fit::Exact
    }

    fn finish(self, _: crate::imap::Reply) {}
}

#[tokio::test(start_paused = true)]
async fn of_many_commands_only_those_that_were_sent_are_asked_whether_an_answer_is_theirs() {
    let mut script = String::new();
    (1..=64).for_each(|n| script += &format!("C: A{n} X\n"));
    for n in 1..=500 {
        script += &format!("S: * X {n}\nS: A{n} OK done\n");
        if n + 64 <= 500 {
            script += &format!("C: A{} X\n", n + 64);
        }
    }
    let (mut client, server) = client(&script).await;
    let asked = std::sync::Arc::default();
    let commands = (0..500).map(|_| Counted(std::sync::Arc::clone(&asked))).collect();
    let results = client.mailbox.session.run_all(commands, Stage::Command("X")).await.unwrap();
    assert!(results.len() == 500 && results.iter().all(Result::is_ok));
    let asked = asked.load(std::sync::atomic::Ordering::Relaxed);
    assert!((500..=500 * 64).contains(&asked), "{asked}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_a_mailbox_with_another_uidvalidity_no_messages_are_given() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        C: A2 UID FETCH 5 (FLAGS)
        S: * 1 EXISTS
        S: * OK [UIDVALIDITY 8] ok
        S: A1 OK done
        S: * 1 FETCH (UID 5 FLAGS ())
        S: A2 OK done
        C: A3 SELECT INBOX
        C: A4 UID FETCH 5 (FLAGS)
        S: * 1 EXISTS
        S: * OK [UIDVALIDITY 8] ok
        S: A3 OK done
        S: * 1 FETCH (UID 5 FLAGS (\Seen))
        S: A4 OK done
        ",
    )
    .await;
    let validity = |number| std::num::NonZeroU32::new(number).unwrap();
    let uid = Uid::new(5).unwrap();
    let fetched = client.select_fetch_if("INBOX", validity(7), uid, Fetch::flags()).await;
    let Err(Error::Changed { expected, found, .. }) = fetched else { panic!() };
    assert_eq!((expected, found), (validity(7), Some(validity(8))));
    assert_eq!(client.selected().unwrap().exists(), 1);
    // What was said to the fetch is nobody's.
    let fetched = client.select_fetch_if("INBOX", validity(8), uid, Fetch::flags()).await.unwrap();
    let fetched = fetched.collect().await.unwrap();
    assert_eq!(fetched.iter().map(|message| message.flags().count()).collect::<Vec<_>>(), [1]);
    assert!(client.take_event().is_none());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_are_fetched_by_number_and_news_of_others_are_events() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: A1 OK done
        C: A2 FETCH 2,8:* (UID FLAGS)
        S: * 2 FETCH (FLAGS (\Seen))
        S: * 3 FETCH (FLAGS ())
        S: * 9 FETCH (FLAGS ())
        S: A2 OK done
        C: A3 FETCH 2 (UID BODY.PEEK[])
        S: * 2 FETCH (FLAGS (\Seen))
        S: * 2 FETCH (BODY[] {1}
        S: x)
        S: A3 OK done
        C: A4 FETCH 7 (UID FLAGS)
        S: A4 NO [CLIENTBUG] what
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let numbers = |set: &str| SeqSet::parse(set).unwrap();
    let messages = inbox.fetch(numbers("2,8:*"), Fetch::flags()).await.unwrap();
    let messages = messages.collect().await.unwrap();
    assert_eq!(messages.iter().map(Message::seq).collect::<Vec<_>>(), [2, 9]);
    assert!(matches!(inbox.take_event(), Some(Event::Fetch(message)) if message.seq() == 3));
    let mut file = Vec::new();
    let mut parts = inbox.fetch(numbers("2"), Fetch::body()).await.unwrap().parts();
    let copied = parts.copy_body(&mut file).await.unwrap().unwrap();
    assert_eq!((copied.seq, copied.octets, copied.items.len()), (2, Some(1), 1));
    assert!(parts.copy_body(&mut file).await.unwrap().is_none());
    let messages = inbox.fetch(numbers("7"), Fetch::flags()).await.unwrap();
    let error = messages.collect().await.unwrap_err();
    assert_eq!(error.to_string(), "FETCH refused: NO [CLIENTBUG] what");
    assert!(
        inbox
            .fetch(SeqSet::default(), Fetch::flags())
            .await
            .unwrap()
            .next()
            .await
            .unwrap()
            .is_none()
    );
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn if_select_fails_the_answer_to_the_fetch_is_read_and_the_error_is_that_of_select() {
    for fetch in ["A3 BAD No mailbox selected", "A3 NO what", "A3 OK nothing"] {
        let script = format!(
            "
            C: A1 SELECT A
            S: A1 OK done
            C: A2 SELECT B
            C: A3 UID FETCH 5 (FLAGS)
            S: * 1 FETCH (UID 5 FLAGS ())
            S: A2 NO [NONEXISTENT] no such mailbox
            S: * 1 FETCH (UID 5 FLAGS ())
            S: {fetch}
            C: A4 NOOP
            S: A4 OK done
            "
        );
        let (mut client, server) = client(&script).await;
        client.select("A").await.unwrap();
        let set = Uid::new(5).unwrap();
        let error = client.select_fetch("B", set, Fetch::flags()).await.unwrap_err();
        assert_eq!(error.to_string(), "SELECT refused: NO [NONEXISTENT] no such mailbox");
        assert!(error.connection_usable());
        assert!(client.selected().is_none());
        client.noop().await.unwrap();
        // Said before the server came to SELECT, it was about the mailbox that was left.
        assert!(client.take_event().is_none());
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_select_that_fails_on_a_connection_that_ends_is_not_usable() {
    let (mut client, server) = client(
        "
        C: A1 SELECT B
        C: A2 UID FETCH 1:* (FLAGS)
        S: A1 NO no such mailbox
        EOF
        ",
    )
    .await;
    let error = client.select_fetch("B", UidSet::all(), Fetch::flags()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }) && !error.connection_usable(), "{error}");
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_marks_messages_as_read_is_not_sent_behind_a_select() {
    let (mut client, server) = client("").await;
    for items in [
        Fetch::body_marking_seen(),
        Fetch::flags().item("rfc822"),
        Fetch::item("BODY[TEXT]"),
        Fetch::item("BINARY[1]"),
    ] {
        let error = client.select_fetch("INBOX", UidSet::all(), items).await.unwrap_err();
        assert!(matches!(error, Error::Misuse(_)), "{error}");
    }
    drop(client);
    server.await.unwrap();
}

/// A client that writes lines of so many octets at most.
async fn narrow(octets: usize, script: &str) -> (ImapClient, JoinHandle<()>) {
    narrow_of("IMAP4rev1", octets, script).await
}

/// The same at a server of these capabilities.
pub(super) async fn narrow_of(
    capabilities: &str,
    octets: usize,
    script: &str,
) -> (ImapClient, JoinHandle<()>) {
    let (stream, server) =
        scripted(&format!("S: * PREAUTH [CAPABILITY {capabilities}] hi\n{script}"));
    let profile = Profile::generic().with_command_line(octets);
    let settings = Settings::new(Endpoint::imap("mail.example").with_profile(profile));
    let mut session = Session::new(Box::new(stream), &settings, true);
    session.core_mut().expect_greeting();
    session.step(Stage::Greeting).await.unwrap();
    (ImapClient::new(session), server)
}

fn uids(from: u32, to: u32) -> UidSet {
    (from..=to).step_by(2).filter_map(Uid::new).collect()
}

#[tokio::test(start_paused = true)]
async fn a_set_too_long_for_a_line_is_fetched_in_pieces_and_the_messages_are_joined() {
    let (mut client, server) = narrow(
        35,
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID FETCH 1,3 (FLAGS)
        C: A3 UID FETCH 5,7 (FLAGS)
        S: * 1 FETCH (UID 1 FLAGS ())
        S: * 2 FETCH (UID 3 FLAGS ())
        S: A2 OK done
        C: A4 UID FETCH 9 (FLAGS)
        S: * 3 FETCH (UID 7 FLAGS ())
        S: A3 OK done
        S: * 4 FETCH (UID 9 FLAGS ())
        S: A4 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let messages = inbox.uid_fetch(uids(1, 9), Fetch::flags()).await.unwrap();
    let messages = messages.collect().await.unwrap();
    let got: Vec<_> = messages.iter().filter_map(Message::uid).map(Uid::get).collect();
    assert_eq!(got, [1, 3, 7, 9]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn when_a_piece_is_refused_those_that_were_not_sent_are_not() {
    let (mut client, server) = narrow(
        35,
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID FETCH 1,3 (FLAGS)
        C: A3 UID FETCH 5,7 (FLAGS)
        S: * 1 FETCH (UID 1 FLAGS ())
        S: A2 NO Some of the requested messages no longer exist
        C: A4 UID FETCH 9 (FLAGS)
        S: * 2 FETCH (UID 5 FLAGS ())
        S: A3 OK done
        S: A4 OK done
        C: A7 UID FETCH 2 (FLAGS)
        S: * 2 FETCH (UID 2 FLAGS ())
        S: A7 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let mut messages = inbox.uid_fetch(uids(1, 13), Fetch::flags()).await.unwrap();
    assert_eq!(messages.next().await.unwrap().unwrap().uid(), Uid::new(1));
    let error = messages.next().await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }) && error.connection_usable(), "{error}");
    assert!(messages.next().await.unwrap().is_none());
    let messages = inbox.uid_fetch(Uid::new(2).unwrap(), Fetch::flags()).await.unwrap();
    assert_eq!(messages.collect().await.unwrap()[0].uid(), Uid::new(2));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_changes_messages_goes_out_piece_by_piece_and_stops_at_a_refusal() {
    let (mut client, server) = narrow(
        42,
        r"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID STORE 1,3 +FLAGS ($Done)
        S: * 1 FETCH (UID 1 FLAGS ($Done))
        S: A2 OK done
        C: A3 UID STORE 5 +FLAGS ($Done)
        S: * 2 FETCH (UID 5 FLAGS ($Done))
        S: A3 OK done
        C: A4 UID STORE 1,3 +FLAGS ($Done)
        S: A4 NO read-only
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let done = || StoreFlags::add([Flag::from("$Done")]);
    let changed = inbox.uid_store(uids(1, 5), done()).await.unwrap();
    assert_eq!(changed.iter().filter_map(Message::uid).map(Uid::get).collect::<Vec<_>>(), [1, 5]);
    assert!(inbox.uid_store(uids(1, 5), done()).await.is_err());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_set_too_long_for_a_line_is_refused_and_nothing_is_sent() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID FETCH 1,3 (FLAGS) (PARTIAL -1:-2)
        S: A2 OK done
    ";
    let (mut client, server) = narrow_of("IMAP4rev1 PARTIAL", 54, script).await;
    let page = || Fetch::flags().partial(Partial::from_end(1..=2));
    let inbox = client.select("INBOX").await.unwrap();
    let shown = "set of UIDs: the set is too long for a page of it";
    let error = inbox.uid_fetch(uids(1, 9), page()).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.connection_usable()), (shown, true));
    assert!(inbox.uid_fetch(uids(1, 3), page()).await.unwrap().collect().await.unwrap().is_empty());
    let error = client.select_fetch("INBOX", uids(1, 9), page()).await.unwrap_err();
    assert_eq!(error.to_string(), shown);
    assert!(client.selected().is_some());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_left_as_it_was_is_not_lost_when_a_later_piece_fails() {
    let piece = |tag, uids| format!("C: {tag} UID STORE {uids} (UNCHANGEDSINCE 9) +FLAGS ($Done)");
    for failure in ["S: A4 NO [MODIFIED 9] some are gone", "EOF"] {
        let script = [
            "C: A1 SELECT INBOX\nS: A1 OK done".to_owned(),
            piece("A2", "1,3"),
            "S: * 1 FETCH (UID 1 MODSEQ (12) FLAGS ($Done))".to_owned(),
            "S: A2 OK [MODIFIED 3] Conditional STORE failed".to_owned(),
            piece("A3", "5,7"),
            "S: A3 OK done".to_owned(),
            piece("A4", "9"),
            failure.to_owned(),
        ];
        let (mut client, server) = narrow_of("IMAP4rev1 CONDSTORE", 61, &script.join("\n")).await;
        let inbox = client.select("INBOX").await.unwrap();
        let done = StoreFlags::add([Flag::from("$Done")]);
        assert!(inbox.uid_store_unchanged_since(uids(1, 9), 9, done).await.is_err());
        let Some(Event::Fetch(changed)) = client.take_event() else { panic!() };
        assert_eq!(changed.uid(), Uid::new(1));
        let Some(Event::Notice(reply)) = client.take_event() else { panic!() };
        let Some(Code::Modified(left)) = reply.code() else { panic!("{reply:?}") };
        assert_eq!(left.uids().to_string(), "3");
        assert!(client.take_event().is_none());
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_long_set_are_joined_and_a_refusal_on_the_way_says_what_was_copied() {
    let (mut client, server) = narrow(
        32,
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID COPY 1,3 Kept
        S: A2 OK [COPYUID 7 1,3 11:12] done
        C: A3 UID COPY 5 Kept
        S: * OK [COPYUID 7 5 13] copied
        S: A3 OK done
        C: A4 UID COPY 1,3 Kept
        S: A4 OK [COPYUID 7 1,3 14:15] done
        C: A5 UID COPY 5,7 Kept
        S: A5 NO [OVERQUOTA] full
        C: A6 UID COPY 1,3 Kept
        S: A6 NO [OVERQUOTA] full
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let copied = inbox.uid_copy(uids(1, 5), "Kept").await.unwrap();
    let pairs: Vec<_> = copied.pairs().map(|(from, to)| (from.get(), to.get())).collect();
    assert_eq!(pairs, [(1, 11), (3, 12), (5, 13)]);
    let error = inbox.uid_copy(uids(1, 9), "Kept").await.unwrap_err();
    let Error::Halfway { done, kept, copied, cause, .. } = &error else { panic!("{error:?}") };
    assert_eq!((done.to_string().as_str(), copied.pairs().count()), ("1,3", 2));
    assert_eq!(kept, done);
    assert_eq!(cause.to_string(), "UID COPY refused: NO [OVERQUOTA] full");
    assert!(error.connection_usable());
    // Where nothing was done yet, it is a refusal like any other.
    let error = inbox.uid_copy(uids(1, 5), "Kept").await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_move_that_stops_on_its_way_says_what_was_moved() {
    let script = "
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: A1 OK done
        C: A2 UID MOVE 1,3 Kept
        S: * OK [COPYUID 7 1 11] moved
        S: * 1 EXPUNGE
        S: A2 NO [OVERQUOTA] full
        C: A3 UID MOVE 3,5 Kept
        S: * OK [COPYUID 7 3 12] moved
        S: * 2 EXPUNGE
        EOF
    ";
    let (mut client, server) = client_of("IMAP4rev1 MOVE UIDPLUS", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let error = inbox.uid_move(uids(1, 3), "Kept").await.unwrap_err();
    let Error::Halfway { done, kept, copied, expunged, .. } = &error else { panic!("{error:?}") };
    assert_eq!((done.to_string().as_str(), expunged.numbers()), ("1", &[1][..]));
    assert!(kept.is_empty());
    assert!(copied.pairs().eq(Uid::new(1).zip(Uid::new(11))));
    assert_eq!((inbox.exists(), error.connection_usable()), (8, true));
    let error = inbox.uid_move(uids(3, 5), "Kept").await.unwrap_err();
    let Error::Halfway { done, cause, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(**cause, Error::Closed { .. }));
    assert_eq!((done.to_string().as_str(), error.retry()), ("3", Retry::MayDuplicate));
    assert!(!error.connection_usable());
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_search_among_many_uids_is_the_union_of_searches_among_few() {
    let (mut client, server) = narrow(
        40,
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH UNSEEN UID 1,3
        S: * SEARCH 3
        S: A2 OK done
        C: A3 UID SEARCH UNSEEN UID 5,7
        S: * SEARCH 7 5
        S: A3 OK done
        C: A4 UID SEARCH NOT UID 1,3,5,7
        S: * SEARCH 2 9 11
        S: A4 OK done
        C: A5 UID SEARCH NOT UID 9
        S: * SEARCH 1 2 3 5 7 11
        S: A5 OK done
        C: A6 UID SEARCH OR SEEN UID 1,3
        S: * SEARCH 1 3 8
        S: A6 OK done
        C: A7 UID SEARCH OR SEEN UID 5
        S: * SEARCH 8 5
        S: A7 OK done
        C: A8 UID SEARCH UNSEEN UID 1,3
        S: * SEARCH 1
        S: A8 OK done
        C: A9 UID SEARCH UNSEEN UID 5
        S: A9 NO not now
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let unseen = |set| Search::all().unseen().uids(set);
    let returns = [SearchReturn::Max, SearchReturn::Count];
    let found = inbox.uid_search_returning(unseen(uids(1, 7)), returns).await.unwrap();
    assert_eq!((found.count(), found.max()), (3, Uid::new(7)));
    assert_eq!(found.into_set().to_string(), "3,5,7");
    // Those that are not in a set are those that are in no piece of it.
    let others = Search::all().not(Search::all().uids(uids(1, 9)));
    assert_eq!(inbox.uid_search(others).await.unwrap().into_set().to_string(), "2,11");
    let either = Search::all().or(Search::all().seen(), Search::all().uids(uids(1, 5)));
    assert_eq!(inbox.uid_search(either).await.unwrap().into_set().to_string(), "1,3,5,8");
    // Two sets, and one of sequence numbers, which may move between two commands.
    let numbers = SeqSet::parse("1,3,5,7,9,11,13,15,17").unwrap();
    let two = Search::all().uids(uids(1, 19)).not(Search::all().uids(uids(1, 17)));
    for search in [Search::all().numbers(numbers), two] {
        let error = inbox.uid_search(search).await.unwrap_err();
        assert!(matches!(error, Error::Misuse(_)) && error.connection_usable(), "{error}");
    }
    // Half of what there is, is no answer.
    assert!(inbox.uid_search(unseen(uids(1, 5))).await.is_err());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_a_piece_is_refused_is_told_by_events() {
    let (mut client, server) = narrow(
        42,
        r"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID STORE 1,3 +FLAGS ($Done)
        S: * 1 FETCH (UID 1 FLAGS ($Done))
        S: A2 OK done
        C: A3 UID STORE 5 +FLAGS ($Done)
        S: A3 NO read-only
        C: A4 EXPUNGE
        S: * 1 EXPUNGE
        S: * VANISHED 9
        S: A4 NO [EXPUNGEISSUED] half of it
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let done = StoreFlags::add([Flag::from("$Done")]);
    assert!(inbox.uid_store(uids(1, 5), done).await.is_err());
    assert!(matches!(inbox.take_event(), Some(Event::Fetch(told)) if told.uid() == Uid::new(1)));
    assert!(inbox.expunge().await.is_err());
    assert!(matches!(inbox.take_event(), Some(Event::Expunge(1))));
    assert!(
        matches!(inbox.take_event(), Some(Event::Vanished { uids, .. }) if uids.to_string() == "9")
    );
    assert!(inbox.take_event().is_none());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn yahoo_is_known_by_its_capabilities_and_gets_lines_of_a_thousand_octets() {
    let (client, _server) = client_of("IMAP4rev1 XYMHIGHESTMODSEQ", "").await;
    let (other, _server) = client_of("IMAP4rev1", "").await;
    let set = uids(1_000_001, 1_001_001);
    let longest = |client: &ImapClient| {
        let session = &client.mailbox.session;
        let make = |uids| crate::imap::command::store::tests::silent(uids);
        let commands = session.split(&set, make).unwrap();
        let lines = commands.iter().map(|command| session.encode(command).unwrap().longest());
        lines.max().unwrap()
    };
    assert!((900..=1000 - 14).contains(&longest(&client)), "{}", longest(&client));
    assert!(longest(&other) > 4000);
}

#[tokio::test(start_paused = true)]
async fn results_come_in_the_order_of_the_commands_and_one_refusal_is_one_result() {
    let (mut client, server) = client(
        "
        C: A1 NOOP
        C: A2 NOOP
        C: A3 NOOP
        S: A2 NO not now
        S: A3 OK done
        S: A1 OK done
        ",
    )
    .await;
    let session = &mut client.mailbox.session;
    let results = session.run_all(vec![Noop, Noop, Noop], STAGE).await.unwrap();
    let results: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(results, [true, false, true]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_commands_lie_at_a_server_than_it_has_to_remember() {
    let mut script = String::new();
    (1..=64).for_each(|n| script += &format!("C: A{n} NOOP\n"));
    script += "S: A1 OK done\nC: A65 NOOP\nS: A2 OK done\nC: A66 NOOP\n";
    (3..=66).for_each(|n| script += &format!("S: A{n} OK done\n"));
    let (mut client, server) = client(&script).await;
    let commands = (0..66).map(|_| Noop).collect();
    let stage = Stage::Command("NOOP");
    let results = client.mailbox.session.run_all(commands, stage).await.unwrap();
    assert!(results.len() == 66 && results.iter().all(Result::is_ok));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_mailboxes_are_asked_about_at_once_in_whatever_order_the_server_answers() {
    let (mut client, server) = client(
        "
        C: A1 STATUS A (MESSAGES)
        C: A2 STATUS B (MESSAGES)
        C: A3 STATUS \"C d\" (MESSAGES)
        S: * STATUS \"C d\" (MESSAGES 3)
        S: * STATUS A (MESSAGES 1)
        S: A1 OK done
        S: A2 NO [NONEXISTENT] no such mailbox
        S: A3 OK done
        ",
    )
    .await;
    let all = client.status_all(["A", "B", "C d"], [StatusItem::Messages]).await.unwrap();
    let counts: Vec<_> = all.iter().map(|status| status.as_ref().ok()?.messages()).collect();
    assert_eq!(counts, [Some(1), None, Some(3)]);
    assert!(client.take_event().is_none());
    assert!(client.status_all(["A"; 0], [StatusItem::Messages]).await.unwrap().is_empty());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn names_are_known_however_the_server_spells_them_and_others_are_no_answer() {
    let (mut client, server) = client(
        "
        C: A1 STATUS a (MESSAGES)
        C: A2 STATUS A (MESSAGES)
        C: A3 STATUS Entw&APw-rfe (MESSAGES)
        C: A4 STATUS INBOX/b&-c (MESSAGES)
        C: A5 STATUS D (MESSAGES)
        S: * STATUS \"else where\" (MESSAGES 9)
        S: * STATUS \"Inbox/B&C\" (MESSAGES 4)
        S: * STATUS \"Entw\u{fc}rfe\" (MESSAGES 3)
        S: * STATUS A (MESSAGES 2)
        S: * STATUS a (MESSAGES 1)
        S: A1 OK done
        S: A2 OK done
        S: A3 OK done
        S: A4 OK done
        S: A5 OK done
        ",
    )
    .await;
    let names = ["a", "A", "Entw\u{fc}rfe", "INBOX/b&c", "D"];
    let all = client.status_all(names, [StatusItem::Messages]).await.unwrap();
    let counts: Vec<_> = all.iter().map(|status| status.as_ref().unwrap().messages()).collect();
    assert_eq!(counts, [Some(1), Some(2), Some(3), Some(4), None]);
    let Some(Event::Status { mailbox, status }) = client.take_event() else { panic!() };
    assert_eq!((mailbox.to_string().as_str(), status.messages()), ("else where", Some(9)));
    assert!(client.take_event().is_none());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_is_asked_about_twice_is_answered_twice() {
    let (mut client, server) = client(
        "
        C: A1 STATUS A (MESSAGES)
        C: A2 STATUS inbox (MESSAGES)
        C: A3 STATUS A (MESSAGES)
        S: * STATUS A (MESSAGES 1)
        S: * STATUS A (MESSAGES 2)
        S: * STATUS INBOX (MESSAGES 3)
        S: A3 OK done
        S: A1 OK done
        S: A2 OK done
        ",
    )
    .await;
    let all = client.status_all(["A", "inbox", "A"], [StatusItem::Messages]).await.unwrap();
    let counts: Vec<_> = all.iter().map(|status| status.as_ref().ok()?.messages()).collect();
    assert_eq!(counts, [Some(1), Some(3), Some(2)]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_was_dropped_anywhere_leaves_the_next_command_its_own_answer() {
    for second in 0..5 {
        let within = Duration::from_millis(500 + 1000 * second);
        let (mut client, server) = client(
            r"
            C: A1 SELECT INBOX
            C: A2 UID FETCH 1:* (FLAGS)
            PAUSE 1
            S: * 1 EXISTS
            PAUSE 1
            S: A1 OK done
            PAUSE 1
            S: * 1 FETCH (UID 11 FLAGS (\Seen))
            PAUSE 1
            S: A2 OK done
            C: A3 UID FETCH 1:* (FLAGS)
            S: * 1 FETCH (UID 11 FLAGS ())
            S: A3 OK done
            C: A4 STATUS A (MESSAGES)
            C: A5 STATUS B (MESSAGES)
            PAUSE 1
            S: * STATUS B (MESSAGES 2)
            PAUSE 1
            S: A4 NO no such mailbox
            PAUSE 1
            S: * STATUS B (MESSAGES 2)
            PAUSE 1
            S: A5 OK done
            C: A6 STATUS B (MESSAGES)
            S: * STATUS B (MESSAGES 3)
            S: A6 OK done
            ",
        )
        .await;
        let fetch = client.select_fetch("INBOX", UidSet::all(), Fetch::flags());
        drop(timeout(within, fetch).await);
        // Whatever came of it, the server has the mailbox selected by now.
        client.mailbox.session.settle(Stage::Command("NOOP")).await.unwrap();
        let inbox = client.selected().unwrap();
        assert_eq!(inbox.exists(), 1);
        let messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap();
        let messages = messages.collect().await.unwrap();
        assert!(messages.len() == 1 && messages[0].flags().next().is_none(), "{second}");

        let status = client.status_all(["A", "B"], [StatusItem::Messages]);
        drop(timeout(within, status).await);
        let status = client.status("B", [StatusItem::Messages]).await.unwrap();
        assert_eq!(status.messages(), Some(3), "{second}");
        drop(client);
        server.await.unwrap();
    }
}
