//! Sending at a real server: who was refused and why, and what the connection is good for then.

use mailbearer::smtp::{Envelope, Error};
use mailbearer::{Failure, Retry};

use crate::support::person::Person;
use crate::support::servers::Server;

const MESSAGE: &str = "Subject: test\r\n\r\n.a short one.\r\n";

#[tokio::test]
async fn the_receipt_says_who_was_refused_and_why() {
    let (from, to) = (Person::new("writer"), Person::new("reader"));
    let recipients = [&to.mailbox, "unknown@example.test", "busy@example.test"];
    let envelope = Envelope::new(&from.mailbox, recipients).expect("an envelope");
    for server in [Server::Postfix, Server::Jwt] {
        let mut smtp = from.smtp(server).await;
        let receipt = smtp.send(&envelope, MESSAGE).await.expect("one recipient is accepted");
        let accepted: Vec<_> = receipt.accepted().map(|r| r.recipient().to_owned()).collect();
        assert_eq!(accepted, [&*to.mailbox], "{server:?}");
        let refused: Vec<_> =
            receipt.refused().map(|r| (r.recipient().to_owned(), r.reply().to_string())).collect();
        let [(unknown, final_no), (busy, passing_no)] = &refused[..] else {
            panic!("{server:?}: {refused:?}");
        };
        assert_eq!((&**unknown, &**busy), ("unknown@example.test", "busy@example.test"));
        assert!(final_no.starts_with("550 5.1.1 "), "{server:?}: {final_no}");
        assert!(passing_no.starts_with("450 4.2.1 "), "{server:?}: {passing_no}");
        smtp.quit().await.expect("QUIT");
    }
    to.imap_once("INBOX", 2).await.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_message_that_nobody_may_have_is_refused_and_the_next_one_goes() {
    let (from, to) = (Person::new("writer"), Person::new("reader"));
    let mut smtp = from.smtp(Server::Postfix).await;
    for (nobody, retry) in
        [("unknown@example.test", Retry::Never), ("busy@example.test", Retry::Later(None))]
    {
        let envelope = Envelope::new(&from.mailbox, [nobody]).expect("an envelope");
        let error = smtp.send(&envelope, MESSAGE).await.expect_err("nobody is left");
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        assert_eq!(error.retry(), retry, "{error}");
        assert!(error.connection_usable(), "{error}");
    }
    let envelope = Envelope::new(&from.mailbox, [&to.mailbox]).expect("an envelope");
    let receipt = smtp.send(&envelope, MESSAGE).await.expect("sent");
    assert!(receipt.queue_id().is_some(), "{receipt:?}");
    smtp.quit().await.expect("QUIT");
    to.imap_once("INBOX", 1).await.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn many_messages_go_over_one_connection() {
    let (from, to) = (Person::new("writer"), Person::new("reader"));
    let envelope = Envelope::new(&from.mailbox, [&to.mailbox]).expect("an envelope");
    let mut smtp = from.smtp(Server::Postfix).await;
    for _ in 0..20 {
        let receipt = smtp.send(&envelope, MESSAGE).await.expect("sent");
        assert_eq!(receipt.refused().count(), 0);
    }
    smtp.quit().await.expect("QUIT");
    to.imap_once("INBOX", 20).await.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_message_above_the_announced_size_is_not_begun() {
    let from = Person::new("writer");
    let mut smtp = from.smtp(Server::Postfix).await;
    let envelope = Envelope::new(&from.mailbox, [&from.mailbox]).expect("an envelope");
    // Postfix is configured to take 25 MiB.
    let error = smtp.send(&envelope, vec![b'x'; 26 << 20]).await.expect_err("too large");
    assert!(matches!(error, Error::TooLarge { limit: 26_214_400, .. }), "{error:?}");
    assert!(error.connection_usable());
    smtp.noop().await.expect("NOOP");
    smtp.quit().await.expect("QUIT");
}
