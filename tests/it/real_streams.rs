//! Messages too large for memory through a real server, compared by octets.

use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use mailbearer::imap::{AppendOptions, Error, Fetch, Part, Section, UidSet, Upload};
use mailbearer::{Failure, ImapClient};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::support::person::Person;

const OCTETS: u64 = 100 << 20;

/// The octets of the message from this place on, as far as they lie side by side.
fn octets_from(at: u64) -> &'static [u8] {
    const HEADER: &[u8] = b"Subject: long\r\n\r\n";
    // No period that a buffer might have too.
    const PERIOD: u64 = 1021 * 251;
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..PERIOD).map(octet).collect());
    match usize::try_from(at).ok().and_then(|at| HEADER.get(at..)) {
        Some(rest @ [_, ..]) => rest,
        _ => &PATTERN[(at % PERIOD) as usize..],
    }
}

/// Dovecot makes CRLF of a lone LF, and takes no NUL.
fn octet(at: u64) -> u8 {
    match at % 1021 {
        1019 => b'\r',
        1020 => b'\n',
        _ => match ((at / 1021 + at) % 251) as u8 {
            0 | b'\r' | b'\n' => 0xff,
            octet => octet,
        },
    }
}

/// Compares octets with those of the message from this place on.
fn assert_octets(found: &[u8], mut at: u64) {
    let mut found = found;
    while !found.is_empty() {
        let expected = octets_from(at);
        let (these, rest) = found.split_at(found.len().min(expected.len()));
        assert!(these == &expected[..these.len()], "octets from {at} on differ");
        at += these.len() as u64;
        found = rest;
    }
}

/// Reads the message out of nothing, in pieces of odd lengths.
struct Source(u64);

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let octets = octets_from(self.0);
        let most = (OCTETS - self.0).min(buffer.remaining() as u64).min(40_009) as usize;
        let octets = &octets[..octets.len().min(most)];
        buffer.put_slice(octets);
        self.0 += octets.len() as u64;
        Poll::Ready(Ok(()))
    }
}

/// Compares what is written with the message, and keeps none of it.
struct Comparison(u64);

impl AsyncWrite for Comparison {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert_octets(octets, self.0);
        self.0 += octets.len() as u64;
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn what_a_reader_gives_is_stored_and_comes_back_in_pieces_exactly() {
    let mut imap = Person::new("streams").imap().await;
    let (mut last, mut ascends) = (0, true);
    let upload = Upload::reader(Source(0), OCTETS).progress(|sent| {
        ascends &= sent > last;
        last = sent;
    });
    let place = imap.append("INBOX", upload, AppendOptions::new()).await.expect("APPEND");
    assert_eq!((last, ascends), (OCTETS, true));
    let uid = place.uid().expect("Dovecot has UIDPLUS");

    let fetched = imap.select_fetch("INBOX", uid, Fetch::flags().size().body());
    let mut parts = fetched.await.expect("UID FETCH").parts();
    let mut whole = Comparison(0);
    let mut told = 0;
    let copied = parts.copy_body_with(&mut whole, |written, of| {
        assert_eq!(of, OCTETS);
        told = written;
    });
    let copied = copied.await.expect("UID FETCH").expect("the message");
    assert_eq!(
        (copied.uid, copied.octets, whole.0, told),
        (Some(uid), Some(OCTETS), OCTETS, OCTETS)
    );
    assert_eq!(copied.items.iter().find_map(|message| message.size()), Some(OCTETS));
    assert!(parts.next().await.expect("UID FETCH").is_none());

    // A range out of the middle, piece by piece.
    let (from, octets) = (OCTETS / 2 + 7, 3 << 20);
    let range = Section::full().partial(from, octets);
    let inbox = imap.selected().expect("a selected mailbox");
    let ranged = inbox.uid_fetch(uid, Fetch::section(range.clone())).await.expect("UID FETCH");
    let mut parts = ranged.parts();
    let mut at = from;
    while let Some(part) = parts.next().await.expect("UID FETCH") {
        match part {
            Part::Section(section) => assert!(section.is(&range), "{section:?}"),
            Part::Chunk(chunk) => {
                assert_octets(&chunk, at);
                at += chunk.len() as u64;
            }
            _ => {}
        }
    }
    assert_eq!(at, from + octets);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_reader_of_another_length_than_announced_stores_nothing() {
    let owner = Person::new("streams");
    for announced in [OCTETS / 16 - 1, OCTETS + 1] {
        let mut imap = owner.imap().await;
        let upload = Upload::reader(Source(0), announced);
        let error = imap.append("INBOX", upload, AppendOptions::new()).await.expect_err("a lie");
        assert!(matches!(error, Error::Upload { .. }), "{error:?}");
        assert!(!error.connection_usable() && !imap.is_open());
    }
    let mut imap = owner.imap().await;
    assert_eq!(exists(&mut imap).await, 0);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn what_is_left_of_a_message_is_passed_over_before_the_next_is_copied() {
    let mut imap = Person::new("streams").imap().await;
    let upload = Upload::reader(Source(0), OCTETS);
    imap.append("INBOX", upload, AppendOptions::new()).await.expect("APPEND");
    imap.append("INBOX", "Subject: short\r\n\r\nhello", AppendOptions::new())
        .await
        .expect("APPEND");
    imap.select("INBOX").await.expect("SELECT");
    let inbox = imap.selected().expect("a selected mailbox");
    let both = inbox.uid_fetch(UidSet::all(), Fetch::body());
    let mut parts = both.await.expect("UID FETCH").parts();
    // Some of the first, all of the second.
    while !matches!(parts.next().await.expect("UID FETCH"), Some(Part::Chunk(_))) {}
    let mut body = Vec::new();
    let copied = parts.copy_body(&mut body).await.expect("UID FETCH").expect("the second");
    assert_eq!((copied.seq, body), (2, b"Subject: short\r\n\r\nhello".to_vec()));
    assert!(parts.copy_body(&mut tokio::io::sink()).await.expect("UID FETCH").is_none());
    imap.logout().await.expect("LOGOUT");
}

async fn exists(imap: &mut ImapClient) -> u32 {
    imap.select("INBOX").await.expect("SELECT").exists()
}
