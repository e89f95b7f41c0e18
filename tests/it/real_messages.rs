//! Messages through real servers and back, compared by octets.

use mailbearer::ImapClient;
use mailbearer::imap::{Fetch, UidSet};
use mailbearer::smtp::Envelope;

use crate::support::letter::header;
use crate::support::person::Person;
use crate::support::servers::Server;

#[tokio::test]
async fn ten_mebibytes_go_out_by_smtp_and_come_back_by_imap_and_pop() {
    let (from, to) = (Person::new("writer"), Person::new("reader"));
    let message = long_message(&from.mailbox, &to.mailbox);
    assert!(message.len() >= 10 << 20);

    let mut smtp = from.smtp(Server::Postfix).await;
    let envelope = Envelope::new(&from.mailbox, [&to.mailbox]).expect("an envelope");
    let receipt = smtp.send(&envelope, &message).await.expect("sent");
    assert_eq!(receipt.refused().count(), 0);
    smtp.quit().await.expect("QUIT");

    let mut imap = to.imap_once("INBOX", 1).await;
    assert_same_but_for_trace(&only_body(&mut imap).await, &message);
    imap.logout().await.expect("LOGOUT");

    let mut pop = to.pop().await;
    assert_same_but_for_trace(&pop.retr(1).await.expect("RETR"), &message);
    pop.quit().await.expect("QUIT");
}

#[tokio::test]
async fn every_server_delivers_what_it_was_sent() {
    let from = Person::new("writer");
    let message = message_of_odd_lines(&from.mailbox);
    for server in [Server::Postfix, Server::Jwt, Server::Introspection] {
        let to = Person::new("reader");
        let mut smtp = from.smtp(server).await;
        let envelope = Envelope::new(&from.mailbox, [&to.mailbox]).expect("an envelope");
        let receipt = smtp.send(&envelope, &message).await.expect("sent");
        assert_eq!(receipt.accepted().count(), 1);
        smtp.quit().await.expect("QUIT");
        let mut imap = to.imap_once("INBOX", 1).await;
        assert_same_but_for_trace(&only_body(&mut imap).await, &message);
    }
}

#[tokio::test]
async fn what_is_appended_comes_back_exactly() {
    let owner = Person::new("archivist");
    let message = stored_message();
    assert!(!message.ends_with(b"\n"));
    owner.store(&message).await;

    let mut imap = owner.imap_once("INBOX", 1).await;
    assert_same(&only_body(&mut imap).await, &message);
    imap.logout().await.expect("LOGOUT");

    // RFC 1939 section 3 ends every answer of many lines by CRLF, dot, CRLF: whether the message
    // itself ended in CRLF cannot be told.
    let mut pop = owner.pop().await;
    let retrieved = pop.retr(1).await.expect("RETR");
    assert_same(retrieved.strip_suffix(b"\r\n").expect("a last line end"), &message);
    pop.quit().await.expect("QUIT");
}

#[tokio::test]
async fn a_mailbox_lent_by_its_owner_opens_for_the_borrower() {
    let (owner, borrower) = (Person::new("owner"), Person::new("borrower"));
    let message = b"Subject: lent\r\n\r\nyours too\r\n";
    owner.store(message).await;
    owner.bed.lend_inbox(&owner.mailbox, &borrower.mailbox);

    let lent = format!("shared/{}/INBOX", owner.mailbox);
    let mut imap = borrower.imap_once(&lent, 1).await;
    assert_same(&only_body(&mut imap).await, message);
    imap.logout().await.expect("LOGOUT");
}

/// The body of the one message in the selected mailbox.
async fn only_body(imap: &mut ImapClient) -> Vec<u8> {
    let mailbox = imap.selected().expect("a selected mailbox");
    let fetched = mailbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("UID FETCH");
    let messages = fetched.collect().await.expect("UID FETCH");
    let [message] = &messages[..] else { panic!("{} messages", messages.len()) };
    message.body().expect("a body").to_vec()
}

/// 10 MiB and a little: lines of every length up to the 998 octets of RFC 5322 section 2.1.1, two
/// thirds of them with dots in front, and every octet that RFC 6152 allows.
fn long_message(from: &str, to: &str) -> Vec<u8> {
    let mut message = header(from, to);
    let mut octets = octets();
    for length in (0..=998).cycle() {
        if message.len() >= 10 << 20 {
            return message;
        }
        let dots = (length % 3).min(length);
        message.extend(std::iter::repeat_n(b'.', dots));
        message.extend(octets.by_ref().take(length - dots));
        message.extend(b"\r\n");
    }
    unreachable!("the lengths never end")
}

/// The lines that a careless client garbles.
fn message_of_odd_lines(from: &str) -> Vec<u8> {
    let mut message = header(from, "undisclosed@example.test");
    message.extend(b".\r\n..\r\n...\r\n.leading\r\n\r\n.\r\n\r\n\xe4\xf6\xfc \xff\r\n \r\n.\r\n");
    message
}

/// What can be stored but not sent: lines of 100 KB, and no last line end; with lone dots.
fn stored_message() -> Vec<u8> {
    let mut message = b"Subject: stored\r\n\r\n".to_vec();
    let mut octets = octets();
    for _ in 0..20 {
        message.extend(octets.by_ref().take(100_000));
        message.extend(b"\r\n.\r\n..\r\n\r\n.");
        message.extend(octets.by_ref().take(100_000));
        message.extend(b"\r\n");
    }
    message.extend(b".\r\nthe end.");
    message
}

/// Every octet but NUL, CR and LF, again and again.
fn octets() -> impl Iterator<Item = u8> {
    (1..=255u8).cycle().filter(|octet| !matches!(octet, b'\r' | b'\n'))
}

/// Servers put their trace in front (RFC 5321 section 4.4) and leave the rest alone.
fn assert_same_but_for_trace(received: &[u8], sent: &[u8]) {
    let trace = received.len().saturating_sub(sent.len());
    assert_same(&received[trace..], sent);
    assert!(received[..trace].starts_with(b"Return-Path: <"), "no trace");
}

/// Without printing megabytes when it fails.
fn assert_same(received: &[u8], sent: &[u8]) {
    if let Some(at) = received.iter().zip(sent).position(|(one, other)| one != other) {
        let around =
            |octets: &[u8]| octets[at.saturating_sub(30)..].escape_ascii().take(80).collect();
        let [got, wanted]: [Vec<u8>; 2] = [around(received), around(sent)];
        let [got, wanted] = [got, wanted].map(|text| String::from_utf8_lossy(&text).into_owned());
        panic!("octet {at} differs: `{got}`, sent `{wanted}`");
    }
    assert_eq!(received.len(), sent.len(), "cut short or too long");
}
