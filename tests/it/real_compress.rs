//! COMPRESS=DEFLATE at a real server.

use mailbearer::Failure;
use mailbearer::imap::{AppendOptions, Fetch, Search, UidSet};

use crate::support::person::Person;

#[tokio::test]
async fn a_compressed_session_is_like_any_other() {
    let owner = Person::new("compress");
    let mut imap = owner.imap().await;
    imap.compress().await.expect("COMPRESS");
    assert!(imap.is_compressed());
    imap.compress().await.expect("it is active already");

    // One that compresses well and one that does not.
    let lines = "Subject: long\r\n\r\n".to_owned() + &"the same line again\r\n".repeat(20_000);
    let mut state = 1_u32;
    let mut noise = b"Subject: noise\r\n\r\n".to_vec();
    for at in 0..200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match at % 100 {
            99 => noise.extend_from_slice(b"\r\n"),
            _ => noise.push(b' ' + (state >> 24) as u8 % 95),
        }
    }
    let messages = [lines.into_bytes(), noise];
    for message in &messages {
        imap.append("INBOX", message.clone(), AppendOptions::new()).await.expect("APPEND");
    }
    let inbox = imap.select("INBOX").await.expect("SELECT");
    for round in 0..3 {
        let mut fetched = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("FETCH");
        for message in &messages {
            let found = fetched.next().await.expect("FETCH").expect("a message");
            assert!(found.body() == Some(&message[..]), "round {round}");
        }
        assert!(fetched.next().await.expect("FETCH").is_none());
    }
    // Dropped half way, and brought to rest.
    drop(inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("FETCH"));
    let found = inbox.uid_search(Search::all().subject("noise")).await.expect("SEARCH");
    assert_eq!(found.count(), 1);
    let error = imap.select("nowhere").await.expect_err("no mailbox");
    assert!(error.connection_usable());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn the_connector_has_every_connection_compressed() {
    let owner = Person::new("compress");
    let mut imap = owner.imap_connector().compress(true).connect().await.expect("IMAP opens");
    assert!(imap.is_compressed());
    imap.select("INBOX").await.expect("SELECT");
    imap.logout().await.expect("LOGOUT");
}
