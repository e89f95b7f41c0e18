//! Messages too large for memory through a real server, compared by octets.

use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_core::Stream;
use mailbearer::imap::{AppendOptions, Error, Fetch, Part, Section, Uid, UidSet, Upload};
use mailbearer::{Failure, ImapClient};
use tokio::fs::{self, File};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

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

/// Gives the first octets of the message in chunks of odd lengths.
struct Chunks {
    at: u64,
    of: u64,
}

impl Stream for Chunks {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let octets = octets_from(self.at);
        let most = (self.of - self.at).min(1 + self.at % 100_003) as usize;
        let chunk = Bytes::from_static(&octets[..octets.len().min(most)]);
        self.at += chunk.len() as u64;
        Poll::Ready((!chunk.is_empty()).then_some(Ok(chunk)))
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
async fn what_a_stream_gives_is_stored_exactly() {
    const SOME: u64 = OCTETS / 8 + 5;
    let mut imap = Person::new("streams").imap().await;
    let upload = Upload::stream(Chunks { at: 0, of: SOME }, SOME);
    let place = imap.append("INBOX", upload, AppendOptions::new()).await.expect("APPEND");
    let uid = place.uid().expect("Dovecot has UIDPLUS");
    let fetched = imap.select_fetch("INBOX", uid, Fetch::body()).await.expect("UID FETCH");
    let mut whole = Comparison(0);
    let copied = fetched.parts().copy_body(&mut whole).await.expect("UID FETCH");
    assert_eq!((copied.expect("it was stored").octets, whole.0), (Some(SOME), SOME));

    for announced in [SOME - 1, SOME + 1] {
        let mut imap = Person::new("streams").imap().await;
        let upload = Upload::stream(Chunks { at: 0, of: SOME }, announced);
        let error = imap.append("INBOX", upload, AppendOptions::new()).await.expect_err("a lie");
        assert!(matches!(error, Error::Upload { .. }) && !imap.is_open(), "{error:?}");
    }
    imap.logout().await.expect("LOGOUT");
}

/// Takes base64 off what is written, and passes it on.
struct Decoding<W> {
    to: W,
    left: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> Decoding<W> {
    async fn write(&mut self, encoded: &[u8]) -> io::Result<()> {
        self.left.extend(encoded.iter().filter(|octet| !b"\r\n".contains(octet)));
        let whole = self.left.len() / 4 * 4;
        let decoded = BASE64_STANDARD.decode(&self.left[..whole]).map_err(io::Error::other)?;
        self.left.drain(..whole);
        self.to.write_all(&decoded).await
    }
}

#[tokio::test]
async fn an_attachment_goes_into_a_file_while_it_is_read() {
    let octets: Vec<u8> = (0..12 << 20).map(octet).collect();
    let lines: Vec<_> = octets.chunks(57).map(|line| BASE64_STANDARD.encode(line)).collect();
    let message = format!(
        "Subject: report\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--b\r\nContent-Type: application/pdf\r\n\
         Content-Disposition: attachment; filename=report.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        lines.join("\r\n")
    );
    let owner = Person::new("streams");
    owner.store(message.as_bytes()).await;
    let mut imap = owner.imap().await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let uid = Uid::new(1).expect("a UID");
    let told = inbox.uid_fetch(uid, Fetch::body_structure()).await.expect("UID FETCH");
    let told = told.collect().await.expect("UID FETCH");
    let structure = told[0].body_structure().expect("a structure");
    let attachment = structure.parts().find(|part| part.is_attachment()).expect("an attachment");
    let (name, section) = (attachment.file_name().expect("a name"), attachment.section());
    let folder = std::env::temp_dir().join(format!("mailbearer-it-{}", owner.mailbox));
    fs::create_dir_all(&folder).await.expect("a folder");

    // Decoded by the server.
    let mut file = File::create(folder.join("decoded")).await.expect("a file");
    let binary = inbox.uid_fetch(uid, Fetch::binary(section.clone())).await.expect("UID FETCH");
    let copied = binary.parts().copy_body(&mut file).await.expect("UID FETCH");
    assert_eq!(copied.expect("the part").octets, Some(octets.len() as u64));
    file.sync_all().await.expect("it is written");
    // Decoded here, chunk by chunk.
    let file = File::create(folder.join(name.to_str_lossy().as_ref())).await.expect("a file");
    let mut decoding = Decoding { to: file, left: Vec::new() };
    let encoded = inbox.uid_fetch(uid, Fetch::section(section)).await.expect("UID FETCH");
    let mut parts = encoded.parts();
    let mut longest = 0;
    while let Some(part) = parts.next().await.expect("UID FETCH") {
        if let Part::Chunk(chunk) = part {
            longest = longest.max(chunk.len());
            decoding.write(&chunk).await.expect("base64");
        }
    }
    assert!(longest < 1 << 20 && decoding.left.is_empty(), "{longest}");
    decoding.to.sync_all().await.expect("it is written");
    for name in ["decoded", "report.pdf"] {
        let kept = fs::read(folder.join(name)).await.expect("a file");
        assert!(kept == octets, "{name}: {} octets", kept.len());
    }
    fs::remove_dir_all(&folder).await.expect("the folder");
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
