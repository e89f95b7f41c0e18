//! A connection that passes from one user to another. Cyrus offers that to administrators only.

use mailbearer::Auth;
use mailbearer::imap::{AppendOptions, Error, Extension};

use crate::support::servers::{ADMIN, Cyrus};

#[tokio::test]
async fn the_next_user_finds_nothing_of_the_session_before() {
    let cyrus = Cyrus::start();
    let ann = cyrus.mailbox("ann");
    let mut imap = cyrus.imap(ADMIN).await;
    imap.enable([Extension::CondStore, Extension::QResync]).await.expect("ENABLE");
    let left = imap.unauthenticate().await.expect("UNAUTHENTICATE");
    let mut imap = left.authenticate(&Auth::plain(&*ann, "any")).await.expect("the second login");
    assert!(imap.selected().is_none() && imap.enabled().is_empty());
    imap.append("INBOX", "Subject: hers\r\n\r\n", AppendOptions::new()).await.expect("APPEND");
    assert_eq!(imap.select("INBOX").await.expect("SELECT").exists(), 1);
    let error = imap.unauthenticate().await.expect_err("she is nobody special");
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
}

#[cfg(feature = "compress")]
#[tokio::test]
async fn compression_ends_with_a_session_and_begins_with_the_next() {
    let cyrus = Cyrus::start();
    let endpoint = cyrus.endpoint(mailbearer::Security::ImplicitTls);
    let mut imap = cyrus.connector(endpoint, ADMIN).compress(true).connect().await.expect("opens");
    let ann = cyrus.mailbox("compressed");
    for user in [ADMIN, &ann] {
        assert!(imap.is_compressed());
        imap.list("", "*").await.expect("LIST");
        let left = imap.unauthenticate().await.expect("UNAUTHENTICATE");
        imap = left.authenticate(&Auth::plain(user, "any")).await.expect("the next login");
    }
    assert!(imap.is_compressed());
    let long = "Subject: long\r\n\r\n".to_owned() + &"x\r\n".repeat(10_000);
    imap.append("INBOX", long.as_bytes(), AppendOptions::new()).await.expect("APPEND");
    assert_eq!(imap.select("INBOX").await.expect("SELECT").exists(), 1);
    imap.logout().await.expect("LOGOUT");
}
