//! Futures dropped half way at real servers: what comes next gets its own answer, and no message is
//! delivered half.

use mailbearer::imap::{Fetch, UidSet};
use mailbearer::smtp::Envelope;
use mailbearer::{Failure, Retry};

use crate::support::cut::cut;
use crate::support::letter::header;
use crate::support::person::Person;
use crate::support::servers::Server;

#[tokio::test]
async fn a_dropped_fetch_leaves_nothing_behind_in_the_next_one() {
    let owner = Person::new("dropper");
    for number in 0..8 {
        owner.store(&numbered(number, 64)).await;
    }
    let mut imap = owner.imap().await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let listed = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.expect("UID FETCH");
    let listed = listed.collect().await.expect("UID FETCH");
    for polls in 1..30 {
        let all = async { inbox.uid_fetch(UidSet::all(), Fetch::body()).await?.collect().await };
        let _ = cut(all, polls).await;
        let number = polls % listed.len();
        let uid = listed[number].uid().expect("a UID");
        let one = inbox.uid_fetch(uid, Fetch::body()).await.expect("UID FETCH");
        let one = one.collect().await.expect("UID FETCH");
        assert_eq!(one.len(), 1, "after {polls} polls");
        assert_eq!(one[0].body(), Some(&numbered(number, 64)[..]), "after {polls} polls");
    }
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_dropped_retr_leaves_nothing_behind_in_the_next_one() {
    let owner = Person::new("dropper");
    owner.store(&numbered(0, 512)).await;
    owner.store(&numbered(1, 512)).await;
    let mut pop = owner.pop().await;
    for polls in 1..10 {
        let _ = cut(pop.retr(1), polls).await;
        assert_eq!(pop.retr(2).await.expect("RETR"), numbered(1, 512), "after {polls} polls");
    }
    pop.quit().await.expect("QUIT");
}

#[tokio::test]
async fn a_dropped_send_delivers_the_whole_message_or_nothing() {
    let (from, to) = (Person::new("dropper"), Person::new("reader"));
    let envelope = Envelope::new(&from.mailbox, [&to.mailbox]).expect("an envelope");
    let message = [header(&from.mailbox, &to.mailbox), numbered(0, 4096)].concat();
    let mut delivered = 0;
    for polls in 1..8 {
        let mut smtp = from.smtp(Server::Postfix).await;
        if let Some(outcome) = cut(smtp.send(&envelope, &message), polls).await {
            delivered += outcome.expect("sent").accepted().count();
            smtp.quit().await.expect("QUIT");
            continue;
        }
        match smtp.noop().await {
            // The message was taken back, or it had gone out as a whole.
            Ok(()) => {
                let outcome = smtp.take_outcome();
                delivered += outcome.map_or(0, |it| it.expect("sent").accepted().count());
                smtp.quit().await.expect("QUIT");
            }
            // It had gone out in part: nothing but closing takes that back.
            Err(error) => assert_eq!(error.retry(), Retry::Reconnect, "{polls} polls: {error}"),
        }
    }
    let mut smtp = from.smtp(Server::Postfix).await;
    delivered += smtp.send(&envelope, &message).await.expect("sent").accepted().count();
    smtp.quit().await.expect("QUIT");

    let mut imap = to.imap_once("INBOX", u32::try_from(delivered).expect("a small number")).await;
    let inbox = imap.selected().expect("selected");
    let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("UID FETCH");
    let mut seen = 0;
    while let Some(whole) = messages.next().await.expect("UID FETCH") {
        assert!(whole.body().expect("a body").ends_with(&message), "half a message");
        seen += 1;
    }
    assert_eq!(seen, delivered);
    imap.logout().await.expect("LOGOUT");
}

/// So many KiB that tell which message they belong to.
fn numbered(number: usize, kib: usize) -> Vec<u8> {
    let line = format!("this is message number {number}, and no other\r\n");
    format!("Subject: {number}\r\n\r\n{}", line.repeat(kib * 1024 / line.len())).into_bytes()
}
