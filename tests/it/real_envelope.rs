//! What an envelope asks of real servers: reports, addresses beyond ASCII, sizes, many recipients,
//! and recipients that are not accepted at once.

use std::time::Duration;

use mailbearer::imap::{Fetch, UidSet};
use mailbearer::smtp::{Dsn, Envelope, Error, Extension, Notify, Receipt, Ret};
use mailbearer::{Failure, Retry};

use crate::support::person::Person;
use crate::support::servers::Server;

const MESSAGE: &str = "Subject: test\r\n\r\na short one\r\n";

#[tokio::test]
async fn reports_come_back_as_they_were_asked_for() {
    let (from, to, quiet) = (Person::new("writer"), Person::new("reader"), Person::new("quiet"));
    let dsn = Dsn::new()
        .ret(Ret::Hdrs)
        .envid("invoice 47+11")
        .expect("an identifier")
        .notify(Notify::SUCCESS | Notify::FAILURE)
        .notify_for(&quiet.mailbox, Notify::NEVER)
        .orcpt();
    let envelope = Envelope::new(&from.mailbox, [&to.mailbox, &quiet.mailbox]);
    let envelope = envelope.expect("an envelope").with_dsn(dsn).expect("recipients");
    let mut smtp = from.smtp(Server::Postfix).await;
    let receipt = smtp.send(&envelope, MESSAGE).await.expect("sent");
    assert_eq!(receipt.refused().count(), 0, "{receipt:?}");
    smtp.quit().await.expect("QUIT");

    let report = only_message(&from).await;
    assert!(report.contains("Original-Envelope-Id: invoice 47+11"), "{report}");
    assert!(report.contains(&format!("Original-Recipient: rfc822;{}", to.mailbox)), "{report}");
    assert!(!report.contains(&quiet.mailbox), "{report}");
    quiet.imap_once("INBOX", 1).await.logout().await.expect("LOGOUT");
}

/// Dovecot's submission service has no DSN.
#[tokio::test]
async fn where_no_reports_can_be_had_a_message_goes_without_only_by_wish() {
    let (from, to) = (Person::new("writer"), Person::new("reader"));
    let envelope = Envelope::new(&from.mailbox, [&to.mailbox]).expect("an envelope");
    let dsn = Dsn::new().notify(Notify::SUCCESS);
    let mut smtp = from.smtp(Server::Jwt).await;

    let asks = envelope.clone().with_dsn(dsn.clone()).expect("recipients");
    let error = smtp.send(&asks, MESSAGE).await.expect_err("there will be no report");
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    let wishes = envelope.with_dsn(dsn.if_offered()).expect("recipients");
    assert_eq!(smtp.send(&wishes, MESSAGE).await.expect("sent").accepted().count(), 1);
    smtp.quit().await.expect("QUIT");
    to.imap_once("INBOX", 1).await.logout().await.expect("LOGOUT");
}

/// Postfix is configured to take an address beyond ASCII only if SMTPUTF8 was declared.
#[tokio::test]
async fn an_address_beyond_ascii_is_declared() {
    let from = Person::new("writer");
    let mut smtp = from.smtp(Server::Postfix).await;
    let recipients = ["grün@example.test", "plain@example.test"];
    let envelope = Envelope::new(&from.mailbox, recipients).expect("an envelope");
    let receipt = smtp.send(&envelope, "Subject: grün\r\n\r\nhi\r\n").await.expect("sent");
    assert_eq!(receipt.accepted().count(), 2, "{receipt:?}");
    assert!(receipt.queue_id().is_some(), "{receipt:?}");
    smtp.quit().await.expect("QUIT");
}

#[tokio::test]
async fn a_server_without_smtputf8_is_not_tried() {
    let from = Person::new("writer");
    let mut smtp = from.smtp_without(Server::Postfix, Extension::SmtpUtf8).await;
    let envelope = Envelope::new(&from.mailbox, ["grün@example.test"]).expect("an envelope");
    let error = smtp.send(&envelope, MESSAGE).await.expect_err("it has no other form");
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert!(error.connection_usable());
    smtp.quit().await.expect("QUIT");
}

#[tokio::test]
async fn a_message_of_unsaid_size_is_refused_when_it_is_too_large_and_the_next_one_goes() {
    let (from, to) = (Person::new("writer"), Person::new("reader"));
    let envelope = Envelope::new(&from.mailbox, [&to.mailbox]).expect("an envelope");
    let mut smtp = from.smtp_without(Server::Postfix, Extension::Size).await;
    // Postfix is configured to take 25 MiB.
    let line = [b'x'; 1022].iter().chain(b"\r\n").copied().collect::<Vec<u8>>();
    let error = smtp.send(&envelope, line.repeat(26 << 10)).await.expect_err("too large");
    assert!(matches!(&error, Error::Refused { reply, .. } if reply.code() == 552), "{error:?}");
    assert_eq!(error.retry(), Retry::Never);
    assert!(error.connection_usable(), "{error:?}");
    smtp.send(&envelope, MESSAGE).await.expect("sent").queue_id().expect("a name");
    smtp.quit().await.expect("QUIT");
    to.imap_once("INBOX", 1).await.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn recipients_beyond_the_servers_limit_are_sent_to_next() {
    let from = Person::new("writer");
    let everybody: Vec<Person> = (0..25).map(|_| Person::new("many")).collect();
    let addresses = everybody.iter().map(|person| &person.mailbox);
    let envelope = Envelope::new(&from.mailbox, addresses).expect("an envelope");
    let mut smtp = from.smtp(Server::Postfix).await;

    // Postfix is configured to take 20.
    let receipt = smtp.send(&envelope, MESSAGE).await.expect("sent");
    assert_eq!((receipt.accepted().count(), receipt.refused().count()), (20, 5), "{receipt:?}");
    assert!(receipt.refused().all(|refused| refused.reply().code() == 452), "{receipt:?}");
    assert!(receipt.refused().all(|refused| refused.is_transient()), "{receipt:?}");
    let rest = envelope.to_only(receipt.refused()).expect("five are left");
    assert_eq!(smtp.send(&rest, MESSAGE).await.expect("sent").accepted().count(), 5);

    for part in envelope.split(20) {
        assert_eq!(smtp.send(&part, MESSAGE).await.expect("sent").refused().count(), 0);
    }
    smtp.quit().await.expect("QUIT");
    let last = everybody.last().expect("somebody");
    last.imap_once("INBOX", 2).await.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_greylisted_recipient_is_accepted_when_asked_for_again() {
    for server in [Server::Postfix, Server::Jwt] {
        let (from, to) = (Person::new("writer"), Person::new("grey"));
        let envelope = Envelope::new(&from.mailbox, [&to.mailbox]).expect("an envelope");
        let mut smtp = from.smtp(server).await;
        let error = smtp.send(&envelope, MESSAGE).await.expect_err("not yet");
        let wait = Retry::Later(Some(Duration::from_secs(300)));
        assert_eq!(error.retry(), wait, "{server:?}: {error}");
        assert!(error.connection_usable(), "{server:?}: {error:?}");
        let again = error.receipt().and_then(|receipt| envelope.to_only(receipt.refused()));
        let again = again.expect("the recipient was refused");
        let accepted = |receipt: Receipt| receipt.accepted().count();
        assert_eq!(smtp.send(&again, MESSAGE).await.map(accepted).expect("sent"), 1, "{server:?}");
        smtp.quit().await.expect("QUIT");
        to.imap_once("INBOX", 1).await.logout().await.expect("LOGOUT");
    }
}

#[tokio::test]
async fn a_server_that_closes_in_the_middle_has_delivered_nothing() {
    let (from, to) = (Person::new("writer"), Person::new("reader"));
    let both = [to.mailbox.as_str(), "closing@example.test"];
    let envelope = Envelope::new(&from.mailbox, both).expect("an envelope");
    let mut smtp = from.smtp(Server::Postfix).await;
    let error = smtp.send(&envelope, MESSAGE).await.expect_err("it closed");
    let Error::Closed { reply: Some(words), .. } = &error else { panic!("{error:?}") };
    assert_eq!((words.code(), words.text().ends_with("the bed closes")), (421, true), "{words}");
    assert_eq!(error.retry(), Retry::Later(None));
    assert!(!error.connection_usable() && !smtp.is_open());

    let mut smtp = from.smtp(Server::Postfix).await;
    let envelope = envelope.to_only([&to.mailbox]).expect("one is left");
    assert_eq!(smtp.send(&envelope, MESSAGE).await.expect("sent").accepted().count(), 1);
    smtp.quit().await.expect("QUIT");
    let mut imap = to.imap_once("INBOX", 1).await;
    assert_eq!(imap.select("INBOX").await.expect("SELECT").exists(), 1);
    imap.logout().await.expect("LOGOUT");
}

/// The one message in somebody's INBOX, once it is there.
async fn only_message(person: &Person) -> String {
    let mut imap = person.imap_once("INBOX", 1).await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let messages = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("FETCH");
    let messages = messages.collect().await.expect("FETCH");
    let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    let body = message.body().expect("it was fetched");
    let text = String::from_utf8_lossy(body).into_owned();
    imap.logout().await.expect("LOGOUT");
    text
}
