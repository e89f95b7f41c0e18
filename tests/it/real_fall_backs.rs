//! What is done where a server lacks MOVE, IDLE or LITERAL+, or takes short lines only, at a real one
//! that is kept from offering them.

use std::time::Duration;

use mailbearer::Profile;
use mailbearer::imap::{
    AppendOptions, Event, Fetch, Flag, MoveWay, Search, StoreFlags, Uid, UidSet,
};
use tokio::time::timeout;

use crate::support::person::Person;
use crate::support::relay::Relay;

/// Longer than anything takes that comes at all.
const LONG: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_message_delivered_while_all_are_moved_without_move_stays_where_it_is() {
    let owner = Person::new("mover");
    owner.store(b"Subject: one\r\n\r\n").await;
    owner.store(b"Subject: two\r\n\r\n").await;
    let relay = Relay::holding("UID STORE", [(" MOVE", "")]);
    let mut imap = relay.imap(&owner).await;
    assert!(!imap.capabilities().has("MOVE") && imap.capabilities().has("UIDPLUS"));
    imap.create("Archive").await.expect("CREATE");

    let inbox = imap.select("INBOX").await.expect("SELECT");
    let meanwhile = async {
        relay.held().await;
        owner.store(b"Subject: three\r\n\r\n").await;
        relay.go_on();
    };
    let (moved, ()) = tokio::join!(inbox.uid_move(UidSet::all(), "Archive"), meanwhile);
    let moved = moved.expect("COPY, STORE and EXPUNGE");
    assert_eq!((moved.way(), moved.expunged().len()), (MoveWay::CopyAndExpunge, 2));
    assert_eq!(moved.pairs().count(), 2);
    inbox.noop().await.expect("NOOP");
    assert_eq!(inbox.exists(), 1, "what was delivered meanwhile");
    assert_eq!(imap.select("Archive").await.expect("SELECT").exists(), 2);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_server_without_idle_is_asked_again_and_again() {
    let owner = Person::new("watcher");
    let relay = Relay::telling([(" IDLE", "")]);
    let mut imap = relay.imap(&owner).await;
    assert!(!imap.capabilities().has("IDLE"));
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let mut idle = inbox.idle().poll_every(Duration::from_secs(1));
    let meanwhile = async {
        relay.heard(" NOOP", 2).await;
        owner.store(b"Subject: news\r\n\r\n").await;
    };
    let (heard, ()) = tokio::join!(timeout(LONG, idle.next()), meanwhile);
    let heard = heard.expect("in time").expect("NOOP");
    assert!(matches!(heard, Event::Exists(1)), "{heard:?}");
    idle.done().await.expect("nothing to end");
    assert_eq!(inbox.exists(), 1);
    imap.logout().await.expect("LOGOUT");
    assert!(relay.said(" IDLE").is_empty());
}

#[tokio::test]
async fn idle_is_ended_and_begun_anew_and_misses_nothing() {
    let owner = Person::new("watcher");
    let relay = Relay::telling([]);
    let mut imap = relay.imap(&owner).await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let mut idle = inbox.idle().renew_every(Duration::from_secs(1));
    let meanwhile = async {
        relay.heard(" IDLE", 3).await;
        assert!(relay.said("DONE").len() >= 2, "{:?}", relay.said(""));
        owner.store(b"Subject: news\r\n\r\n").await;
    };
    let (heard, ()) = tokio::join!(timeout(LONG, idle.next()), meanwhile);
    let heard = heard.expect("in time").expect("IDLE");
    assert!(matches!(heard, Event::Exists(1)), "{heard:?}");
    idle.done().await.expect("DONE");
    let new = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("UID FETCH");
    let new = new.collect().await.expect("UID FETCH");
    assert_eq!(new[0].body(), Some(&b"Subject: news\r\n\r\n"[..]));
    imap.logout().await.expect("LOGOUT");
    assert!(relay.said(" NOOP").is_empty());
}

#[tokio::test]
async fn literals_wait_where_the_server_does_not_take_them_at_once() {
    for (told, small, large, key) in [
        (("LITERAL+", "LITERAL+"), "{4096+}", "{4097+}", "{5+}"),
        (("LITERAL+", "LITERAL-"), "{4096+}", "{4097}", "{5+}"),
        ((" LITERAL+", ""), "{4096}", "{4097}", "{5}"),
    ] {
        let owner = Person::new("writer");
        let relay = Relay::telling([told]);
        let mut imap = relay.imap(&owner).await;
        let mut stored = Vec::new();
        for octets in [4096, 4097] {
            let mut message = "Subject: Gr\u{fc}n\r\n\r\n".to_owned().into_bytes();
            message.resize(octets, b'.');
            imap.append("INBOX", message.clone(), AppendOptions::new()).await.expect("APPEND");
            stored.push(message);
        }
        let inbox = imap.select("INBOX").await.expect("SELECT");
        let green = Search::all().subject("Gr\u{fc}n").smaller(4097);
        let found = inbox.uid_search(green).await.expect("UID SEARCH");
        assert_eq!(found.iter().map(Uid::get).collect::<Vec<_>>(), [1], "{told:?}");
        let all = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("UID FETCH");
        let all = all.collect().await.expect("UID FETCH");
        let bodies: Vec<_> = all.iter().filter_map(|message| message.body()).collect();
        assert_eq!(bodies, stored, "{told:?}");
        imap.logout().await.expect("LOGOUT");
        for (verb, literals) in [("APPEND", &[small, large][..]), ("SEARCH", &[key])] {
            let said = relay.said(verb);
            assert_eq!(said.len(), literals.len(), "{said:?}");
            for (line, literal) in said.iter().zip(literals) {
                assert!(line.ends_with(&format!("{literal}\r\n")), "{told:?}: {line}");
            }
        }
    }
}

#[tokio::test]
async fn sets_that_are_too_long_for_a_line_go_in_several_commands_and_give_one_answer() {
    const LINE: usize = 60;
    let owner = Person::new("mover");
    owner.store(b"Subject: one\r\n\r\n").await;
    let relay = Relay::telling([]);
    let mut imap = relay.imap_with(&owner, Profile::generic().with_command_line(LINE)).await;
    imap.create("Archive").await.expect("CREATE");
    let inbox = imap.select("INBOX").await.expect("SELECT");
    for _ in 0..6 {
        inbox.uid_copy(UidSet::all(), "INBOX").await.expect("UID COPY");
        inbox.noop().await.expect("NOOP");
    }
    assert_eq!(inbox.exists(), 64);
    let uids: Vec<Uid> = (1..64).step_by(2).filter_map(Uid::new).collect();
    let set: UidSet = uids.iter().copied().collect();
    assert!(set.to_string().len() > LINE);

    let fetched = inbox.uid_fetch(set.clone(), Fetch::flags()).await.expect("UID FETCH");
    let fetched = fetched.collect().await.expect("UID FETCH");
    assert_eq!(fetched.iter().filter_map(|one| one.uid()).collect::<Vec<_>>(), uids);
    let marked = inbox.uid_store(set.clone(), StoreFlags::add([Flag::Flagged])).await;
    let marked = marked.expect("UID STORE");
    assert_eq!(marked.iter().filter_map(|one| one.uid()).collect::<Vec<_>>(), uids);
    let copied = inbox.uid_copy(set.clone(), "Archive").await.expect("UID COPY");
    assert_eq!(copied.pairs().map(|(from, _)| from).collect::<Vec<_>>(), uids);
    let moved = inbox.uid_move(set.clone(), "Archive").await.expect("UID MOVE");
    assert_eq!(moved.pairs().map(|(from, _)| from).collect::<Vec<_>>(), uids);
    assert_eq!((moved.way(), moved.expunged().len()), (MoveWay::Move, 32));
    assert_eq!(inbox.exists(), 32);
    let left = inbox.uid_search(Search::all()).await.expect("UID SEARCH");
    assert!(left.iter().all(|uid| uid.get() % 2 == 0) && left.count() == 32, "{left:?}");
    assert_eq!(imap.select("Archive").await.expect("SELECT").exists(), 64);
    imap.logout().await.expect("LOGOUT");

    for verb in ["UID FETCH", "UID STORE", "UID MOVE"] {
        let lines = relay.said(verb);
        assert!(lines.len() > 1, "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= LINE), "{lines:?}");
    }
    // Nor does a token go on such a line.
    let login = relay.said("AUTHENTICATE");
    assert!(login[0].ends_with("AUTHENTICATE XOAUTH2\r\n"), "{login:?}");
}
