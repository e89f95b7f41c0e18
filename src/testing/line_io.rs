//! One connection: lines in with a limit, octets in with a count, replies out, TLS in between.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::world::lock;

/// The longest line taken, in octets. Exchange takes SASL lines of more than 20,000 (its tokens are
/// long), and RFC 4954 section 4 calls 12,288 sufficient.
pub(super) const LINE_LIMIT: usize = 64 * 1024;

/// How many lines the transcript keeps; the oldest go first.
const TRANSCRIPT_LIMIT: usize = 10_000;

/// No tag or verb is longer, in octets.
pub(super) const WORD_LIMIT: usize = 32;

/// A TCP or TLS stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What went over the wires of one server, without secrets.
#[derive(Clone, Default)]
pub(super) struct Transcript(Arc<Mutex<VecDeque<String>>>);

impl Transcript {
    pub(super) fn lines(&self) -> Vec<String> {
        lock(&self.0).iter().cloned().collect()
    }

    fn push(&self, line: String) {
        let mut lines = lock(&self.0);
        if lines.len() >= TRANSCRIPT_LIMIT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// A connection as a protocol session sees it.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    input: BytesMut,
    label: String,
    transcript: Transcript,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>, label: String, transcript: Transcript) -> Self {
        Self { stream, input: BytesMut::new(), label, transcript }
    }

    /// The next line without its end. A bare LF ends a line too, as it does at Exchange.
    ///
    /// The line is not yet in the transcript: only the session knows whether it holds a secret.
    /// Dropping the future loses nothing. The end of the stream is `UnexpectedEof`, a line over
    /// [`LINE_LIMIT`] is `InvalidData`.
    pub(super) async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let unseen = self.input.get(searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unseen) {
                let mut line = self.input.split_to(searched + at).to_vec();
                self.input.advance(1);
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            searched = self.input.len();
            if searched > LINE_LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "line too long"));
            }
            self.fill().await?;
        }
    }

    /// Exactly `count` octets. The caller has checked that it wants to hold that many.
    pub(super) async fn octets(&mut self, count: usize) -> io::Result<Bytes> {
        while self.input.len() < count {
            self.fill().await?;
        }
        self.note("C", &format!("[{count} octets]"));
        Ok(self.input.split_to(count).freeze())
    }

    /// Reads and drops `count` octets.
    pub(super) async fn skip(&mut self, mut count: usize) -> io::Result<()> {
        while count > 0 {
            if self.input.is_empty() {
                self.fill().await?;
            }
            let step = count.min(self.input.len());
            self.input.advance(step);
            count -= step;
        }
        Ok(())
    }

    /// A message up to its final dot, without the stuffing (RFC 5321 section 4.5.2). `None` if it
    /// was longer than `limit`; it has then been read to its end all the same.
    ///
    /// Only CRLF begins a new line: a server that takes `LF . LF` for the end lets a sender smuggle
    /// a second message through.
    pub(super) async fn dotted(&mut self, limit: usize) -> io::Result<Option<Bytes>> {
        let mut message = BytesMut::new();
        let mut fits = true;
        let mut at_line_start = true;
        loop {
            if at_line_start && self.input.first() == Some(&b'.') {
                while self.input.len() < 3 && b".\r\n".starts_with(&self.input) {
                    self.fill().await?;
                }
                if self.input.starts_with(b".\r\n") {
                    self.input.advance(3);
                    self.note("C", &format!("[{} octets]\r\n.", message.len()));
                    return Ok(fits.then(|| message.freeze()));
                }
                self.input.advance(1);
            }
            let Some(length) = memchr::memchr(b'\n', &self.input).map(|at| at + 1).or_else(|| {
                // Keep a CR back: whether it begins a CRLF shows only with the next octet.
                let whole = self.input.len() - usize::from(self.input.ends_with(b"\r"));
                (whole > 0).then_some(whole)
            }) else {
                self.fill().await?;
                continue;
            };
            let piece = self.input.split_to(length);
            at_line_start = piece.ends_with(b"\r\n");
            fits = fits && message.len() + piece.len() <= limit;
            if fits {
                message.extend_from_slice(&piece);
            }
        }
    }

    /// Writes a whole reply and flushes it.
    pub(super) async fn send(&mut self, reply: &[u8]) -> io::Result<()> {
        if reply.len() <= 4096 {
            self.note("S", &String::from_utf8_lossy(reply));
        } else {
            self.note("S", &format!("[{} octets]", reply.len()));
        }
        self.stream.write_all(reply).await?;
        self.stream.flush().await
    }

    /// Writes one line and its CRLF.
    pub(super) async fn reply(&mut self, line: &str) -> io::Result<()> {
        self.send(format!("{line}\r\n").as_bytes()).await
    }

    /// Serves TLS on this connection. What the client sent in the clear ahead of the handshake is
    /// dropped, as RFC 3207 section 4.2 wants.
    pub(super) async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        self.input.clear();
        let clear = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = Box::new(acceptor.accept(clear).await?);
        Ok(())
    }

    /// Ends the connection in order: TLS close_notify, then FIN.
    pub(super) async fn close(&mut self) {
        // The peer may have gone already; then there is nobody left to tell.
        let _ = self.stream.shutdown().await;
    }

    /// Puts what the client sent into the transcript. What begins with so long a word is no
    /// command but SASL at the wrong moment.
    pub(super) fn heard(&self, line: &[u8]) {
        if line.split(|octet| *octet == b' ').next().is_some_and(|word| word.len() > WORD_LIMIT) {
            return self.heard_secret(line);
        }
        self.note("C", &String::from_utf8_lossy(line));
    }

    /// Puts a line that is a secret into the transcript, by its length only.
    pub(super) fn heard_secret(&self, line: &[u8]) {
        self.note("C", &format!("[secret, {} octets]", line.len()));
    }

    fn note(&self, side: &str, text: &str) {
        for line in text.trim_end_matches("\r\n").split("\r\n") {
            self.transcript.push(format!("{} {side}: {line}", self.label));
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.input.reserve(16 * 1024);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> (Wire, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 20);
        (Wire::new(Box::new(near), "test".into(), Transcript::default()), far)
    }

    /// What `dotted` makes of `sent`, however it is cut.
    async fn undotted(sent: &[u8]) -> Option<Bytes> {
        let mut result = None;
        for cut in 1..=sent.len() {
            let (mut wire, mut far) = wire();
            let sent = sent.to_vec();
            let writer = tokio::spawn(async move {
                for piece in sent.chunks(cut) {
                    far.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
                far
            });
            let got = wire.dotted(1000).await.unwrap();
            assert!(cut == 1 || got == result, "cut {cut}: {got:?} is not {result:?}");
            result = got;
            writer.await.unwrap();
        }
        result
    }

    #[tokio::test]
    async fn dots_are_unstuffed_at_line_starts_only() {
        let got = undotted(b"..\r\na.b\r\n...c\r\n\x80\xff\r\n.\r\n").await.unwrap();
        assert_eq!(got, &b".\r\na.b\r\n..c\r\n\x80\xff\r\n"[..]);
    }

    #[tokio::test]
    async fn a_dot_between_bare_line_feeds_does_not_end_a_message() {
        let got = undotted(b"a\n.\nb\n.\r\nc\r\n.\r\n").await.unwrap();
        assert_eq!(got, &b"a\n.\nb\n.\r\nc\r\n"[..]);
        let got = undotted(b"a\r.\r\r\n.\r\n").await.unwrap();
        assert_eq!(got, &b"a\r.\r\r\n"[..]);
    }

    #[tokio::test]
    async fn an_empty_message_is_empty() {
        assert_eq!(undotted(b".\r\n").await.unwrap(), Bytes::new());
    }

    #[tokio::test]
    async fn a_message_over_the_limit_is_read_to_its_end() {
        let (mut wire, mut far) = wire();
        far.write_all(&[b'x'; 2000]).await.unwrap();
        far.write_all(b"\r\n.\r\nQUIT\r\n").await.unwrap();
        assert_eq!(wire.dotted(1000).await.unwrap(), None);
        assert_eq!(wire.line().await.unwrap(), b"QUIT");
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_an_error() {
        let (mut wire, mut far) = wire();
        far.write_all(&vec![b'x'; LINE_LIMIT + 2]).await.unwrap();
        assert_eq!(wire.line().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
