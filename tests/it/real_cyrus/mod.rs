//! What the client says to Cyrus IMAP, which offers much that Dovecot does not.

mod finding;
mod mailboxes;
mod messages;
mod passed_on;
mod synchronise;

use mailbearer::imap::{AppendOptions, Error, QuotaResource, QuotaUsage, Uid};
use mailbearer::{Failure, ImapClient, Security};

use crate::support::servers::{ADMIN, APPEND_LIMIT, Cyrus};

/// A message with this subject and some more words.
fn message(subject: &str) -> Vec<u8> {
    format!("From: ann@example.test\r\nSubject: {subject}\r\n\r\nhello {subject}\r\n").into_bytes()
}

/// Stores messages and tells their UIDs.
async fn store(imap: &mut ImapClient, mailbox: &str, messages: &[Vec<u8>]) -> Vec<Uid> {
    let mut uids = Vec::new();
    for message in messages {
        let place = imap.append(mailbox, &message[..], AppendOptions::new()).await.expect("APPEND");
        uids.push(place.uid().expect("Cyrus has UIDPLUS"));
    }
    uids
}

#[tokio::test]
async fn a_password_opens_it_over_both_kinds_of_tls() {
    let cyrus = Cyrus::start();
    let user = cyrus.mailbox("opened");
    for security in [Security::ImplicitTls, Security::StartTls] {
        let connector = cyrus.connector(cyrus.endpoint(security), &user);
        let mut imap = connector.connect().await.expect("IMAP opens");
        assert!(imap.capabilities().has("OBJECTID"), "{security:?}");
        assert_eq!(imap.select("INBOX").await.expect("SELECT").exists(), 0);
        imap.logout().await.expect("LOGOUT");
    }
}

#[tokio::test]
async fn a_message_over_the_announced_limit_is_not_even_begun() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("limit")).await;
    assert_eq!(imap.capabilities().value("APPENDLIMIT"), Some(&*APPEND_LIMIT.to_string()));
    let too_long = vec![b'x'; usize::try_from(APPEND_LIMIT).expect("it fits") + 1];
    let error = imap.append("INBOX", too_long, AppendOptions::new()).await.expect_err("too long");
    assert!(error.connection_usable(), "{error:?}");
    assert!(matches!(error, Error::Misuse(_)), "{error:?}");
    assert_eq!(imap.select("INBOX").await.expect("SELECT").exists(), 0);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn an_administrator_gives_somebody_less_room() {
    let cyrus = Cyrus::start();
    let user = cyrus.mailbox("quota");
    let mut imap = cyrus.imap(&user).await;
    let quotas = imap.quota_root("INBOX").await.expect("GETQUOTAROOT");
    let storage = quotas.usage(&QuotaResource::Storage).expect("a limit");
    assert_eq!((storage.usage(), storage.limit()), (0, 1 << 20));
    assert_eq!(quotas.roots().collect::<Vec<_>>(), ["INBOX"]);

    // Cyrus says OK to SETQUOTA and tells no quota, though it should.
    let mut admin = cyrus.imap(ADMIN).await;
    let root = format!("user/{user}");
    let limits = [(QuotaResource::Storage, 1), (QuotaResource::Message, 2)];
    assert_eq!(admin.set_quota(&root, limits).await.expect("SETQUOTA"), None);
    let quota = admin.quota(&root).await.expect("GETQUOTA").expect("it is told");
    assert_eq!(quota.usage(&QuotaResource::Message).map(QuotaUsage::limit), Some(2));
    admin.logout().await.expect("LOGOUT");

    let long = [&b"Subject: long\r\n\r\n"[..], &b"x\r\n".repeat(1000)].concat();
    let error = imap.append("INBOX", long, AppendOptions::new()).await.expect_err("no room");
    assert_eq!(error.reply_text().as_deref(), Some("NO Over quota"), "{error:?}");
    imap.logout().await.expect("LOGOUT");
}
