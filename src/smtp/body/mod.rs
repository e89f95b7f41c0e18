//! The content of a message to be sent.

mod survey;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use super::headers::{self, WithoutBcc};
use crate::octets::from_octets;
use survey::LineMeter;
pub(crate) use survey::Survey;

/// Octets of content that are made ready for the wire at a time.
const PIECE: usize = 8 * 1024;

/// A message: header, empty line, text. Bytes in, bytes out; this crate reads none of it.
///
/// Made from byte slices, strings, vectors and [`Bytes`], so [`send`](crate::SmtpClient::send) takes
/// any of them as they are. Content that is not in memory comes from a [`reader`](Self::reader) or a
/// [`stream`](Self::stream); no more than some ten KiB of it are held at a time.
///
/// # Line ends
/// They become CRLF on the wire, and a final one is added if the message has none: SMTP knows
/// no other (RFC 5321 section 2.3.8). That includes a bare CR and a bare LF anywhere. A server that
/// took one for a line end could otherwise be made to see the end of this message, and another
/// one behind it, where somebody wrote `LF . LF` into a text. [`binary`](Self::binary) content is
/// left alone.
///
/// # Octets above 127
/// They are declared to a server with 8BITMIME (RFC 6152), and sent as they are to one
/// without: there are few of those, and they let them pass. Of a reader or stream nobody knows, so
/// that it is always declared.
///
/// # Lines of more than 998 octets
/// They are an error, [`BodyError::LongLine`], since servers cut or refuse them (RFC 5321 section
/// 4.5.3.1.6). At a server with CHUNKING the message goes by BDAT instead, which knows no lines.
/// [`allow_long_lines`](Self::allow_long_lines) sends them by DATA all the same.
///
/// # DATA or BDAT
/// By DATA, unless BDAT (RFC 3030) is offered and of use: for lines that are too long, for a reader
/// or stream, which may have such lines, for [`binary`](Self::binary) content, and where it was
/// asked for by [`chunked`](Self::chunked). Both take the same number of round trips.
pub struct Body<'a> {
    content: Content<'a>,
    /// Octets handed on so far.
    given: u64,
    exact_size: Option<u64>,
    hidden: Option<Box<Hidden>>,
    utf8_header: Option<bool>,
    binary: bool,
    chunked: Chunked,
    long_lines: bool,
    lines: LineMeter,
    progress: Option<Box<dyn FnMut(Progress) + Send + 'a>>,
}

enum Content<'a> {
    Lent(&'a [u8]),
    Owned(Vec<u8>),
    Shared(Bytes),
    Reader { reader: Pin<Box<dyn AsyncRead + Send + 'a>>, buffer: Vec<u8>, filled: usize },
    Stream { stream: Pin<Box<dyn Chunks + Send + 'a>>, chunk: Bytes, piece: Bytes },
}

/// When the message goes by BDAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// Where DATA will not do.
    IfNeeded,
    /// Where it is offered.
    IfOffered,
    /// Where it is offered, and all in one flight.
    InOneFlight,
}

/// How much of a message has left; see [`Body::on_progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Octets of the content that the connection has taken, before line ends and dots are seen to.
    pub sent: u64,
    /// Octets of the whole content, if that is known.
    pub total: Option<u64>,
}

impl<'a> Body<'a> {
    /// Content that is read while it is sent.
    ///
    /// If reading fails, the message cannot be ended without being delivered half: the connection
    /// is closed, and the error is [`BodyError::Read`]. Say by [`exact_size`](Self::exact_size) how
    /// much it is where that is known: the server then says at once if it is too much.
    ///
    /// ```no_run
    /// # async fn send(smtp: &mut mailbearer::SmtpClient, envelope: &mailbearer::smtp::Envelope)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use mailbearer::smtp::Body;
    ///
    /// // Any `tokio::io::AsyncRead`.
    /// let file: &[u8] = b"Subject: hello\r\n\r\n";
    /// let receipt = smtp.send(envelope, Body::reader(file).exact_size(18)).await?;
    /// # Ok(()) }
    /// ```
    pub fn reader(reader: impl AsyncRead + Send + 'a) -> Self {
        Self::of(Content::Reader { reader: Box::pin(reader), buffer: Vec::new(), filled: 0 })
    }

    /// Content that comes in chunks while it is sent; otherwise like a [`reader`](Self::reader).
    pub fn stream<E>(stream: impl Stream<Item = Result<Bytes, E>> + Send + 'a) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::of(Content::Stream {
            stream: Box::pin(stream),
            chunk: Bytes::new(),
            piece: Bytes::new(),
        })
    }

    /// Says how many octets the content has, as it is given. They are declared to a server with
    /// SIZE (RFC 1870) and compared with its limit before anything is sent.
    ///
    /// If it turns out to have more or fewer, the message is not delivered; see
    /// [`BodyError::Size`]. Slices, strings and the like know their size without this.
    #[must_use]
    pub const fn exact_size(mut self, octets: u64) -> Self {
        self.exact_size = Some(octets);
        self
    }

    /// Leaves the names of hidden recipients out of what is sent: the fields `Bcc` and `Resent-Bcc`
    /// of the header (RFC 5322 section 3.6.3). All else stays as it is.
    ///
    /// A message in memory that has such fields is copied; a reader or stream is read as before,
    /// and its [`exact_size`](Self::exact_size) is that with the fields.
    ///
    /// ```no_run
    /// # async fn send(smtp: &mut mailbearer::SmtpClient, message: Vec<u8>)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use mailbearer::smtp::{Body, Envelope};
    ///
    /// let envelope = Envelope::from_headers(&message)?;
    /// let receipt = smtp.send(&envelope, Body::from(message).without_bcc()).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn without_bcc(mut self) -> Self {
        let mut hidden = Hidden::default();
        if let Some(octets) = self.octets() {
            let Some(kept) = headers::without_bcc(octets) else { return self };
            hidden.octets = (octets.len() - kept.len()) as u64;
            self.content = Content::Owned(kept);
        }
        self.hidden = Some(Box::new(hidden));
        self
    }

    /// Says whether the header is UTF-8 beyond ASCII (RFC 6532), which is declared to the server by
    /// SMTPUTF8 and needs one that offers it. The header of a message in memory is looked at; that
    /// of a reader or stream is taken not to be, unless this says so.
    #[must_use]
    pub const fn utf8_header(mut self, utf8: bool) -> Self {
        self.utf8_header = Some(utf8);
        self
    }

    /// The content is to arrive as it is, to the octet, bare CR, LF and NUL included.
    ///
    /// It goes by BDAT and is declared as `BODY=BINARYMIME` (RFC 3030 section 3). A server without
    /// CHUNKING and BINARYMIME cannot have it: that is
    /// [`Error::Unsupported`](crate::smtp::Error::Unsupported) before anything is sent. The header
    /// has to have CRLF line ends even so.
    #[must_use]
    pub const fn binary(mut self) -> Self {
        self.binary = true;
        self
    }

    /// Sends by BDAT where the server has CHUNKING, though DATA would do.
    #[must_use]
    pub const fn chunked(mut self) -> Self {
        self.chunked = Chunked::IfOffered;
        self
    }

    /// Sends MAIL, RCPT, and the whole content by BDAT in one flight, where the server has CHUNKING
    /// and PIPELINING. It saves a round trip, and with [`send_all`](crate::SmtpClient::send_all)
    /// almost all of them.
    ///
    /// This goes beyond RFC 3030: in section 2 it has the client wait for the answer to RCPT before
    /// it sends content, so that none is sent for nobody. Here a message that is refused has been
    /// sent in vain; and what a server does that does not read the content of a message it has
    /// refused cannot be undone: it would take it for commands. Use it with servers that are known
    /// to bear it. Without CHUNKING or PIPELINING it changes nothing.
    #[must_use]
    pub const fn chunked_in_one_flight(mut self) -> Self {
        self.chunked = Chunked::InOneFlight;
        self
    }

    /// Sends lines of more than 998 octets by DATA, too. Servers may cut, fold or refuse them.
    #[must_use]
    pub const fn allow_long_lines(mut self) -> Self {
        self.long_lines = true;
        self
    }

    /// Has `report` called now and then while the content is sent, and once when all of it has left.
    ///
    /// It is called between two writes and must not block. To give up, drop the future of
    /// [`send`](crate::SmtpClient::send): what then becomes of the message is said there.
    ///
    /// ```no_run
    /// # async fn send(smtp: &mut mailbearer::SmtpClient, envelope: &mailbearer::smtp::Envelope)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use mailbearer::smtp::Body;
    ///
    /// let message = vec![b'x'; 25 * 1024 * 1024];
    /// let body = Body::from(&message).on_progress(|progress| println!("{}", progress.sent));
    /// let receipt = smtp.send(envelope, body).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn on_progress(mut self, report: impl FnMut(Progress) + Send + 'a) -> Self {
        self.progress = Some(Box::new(report));
        self
    }

    const fn of(content: Content<'a>) -> Self {
        Self {
            content,
            given: 0,
            exact_size: None,
            hidden: None,
            utf8_header: None,
            binary: false,
            chunked: Chunked::IfNeeded,
            long_lines: false,
            lines: LineMeter::new(),
            progress: None,
        }
    }

    /// The whole content, if it is in memory.
    pub(crate) fn octets(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Lent(octets) => Some(octets),
            Content::Owned(octets) => Some(octets),
            Content::Shared(octets) => Some(octets),
            Content::Reader { .. } | Content::Stream { .. } => None,
        }
    }

    /// Octets of the content, if that is known.
    pub(crate) fn known_size(&self) -> Option<u64> {
        self.octets().map(|octets| octets.len() as u64).or(self.exact_size)
    }

    /// Whether the header is UTF-8, which one without an octet above 127 is not said to be.
    pub(crate) fn has_utf8_header(&self, eight_bit: bool) -> bool {
        let seen = || eight_bit && self.octets().is_some_and(headers::is_utf8);
        self.utf8_header.unwrap_or_else(seen)
    }

    /// Octets that were left out so far.
    fn left_out(&self) -> u64 {
        self.hidden.as_ref().map_or(0, |hidden| hidden.octets)
    }

    /// What can be known before it is sent.
    pub(crate) fn survey(&self) -> Option<Survey> {
        self.octets().map(Survey::of)
    }

    /// Whether the size that was said is that of content in memory.
    pub(crate) fn check_size(&self) -> Result<(), BodyError> {
        let given = self.octets().map(|octets| octets.len() as u64 + self.left_out());
        match (self.exact_size, given) {
            (Some(declared), Some(given)) if declared != given => {
                Err(BodyError::Size { declared, given })
            }
            _ => Ok(()),
        }
    }

    pub(crate) const fn is_binary(&self) -> bool {
        self.binary
    }

    pub(crate) const fn chunking(&self) -> Chunked {
        self.chunked
    }

    pub(crate) const fn allows_long_lines(&self) -> bool {
        self.long_lines
    }

    /// Gets the next piece of the content, for [`piece`](Self::piece). `any_line`: lines may be of
    /// any length.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        any_line: bool,
    ) -> Poll<Result<(), BodyError>> {
        loop {
            if self.hidden.as_ref().is_some_and(|hidden| hidden.ended) {
                // A stream that has ended must not be asked again.
                self.content.put(Vec::new());
                break;
            }
            ready!(self.content.poll_fill(cx)).map_err(BodyError::Read)?;
            // A piece of which nothing is left is not the end.
            if self.hidden.as_mut().is_none_or(|hidden| hidden.filter(&mut self.content)) {
                break;
            }
        }
        let piece = self.content.piece(0);
        let given = self.given + self.left_out() + piece.len() as u64;
        if let Some(declared) = self.exact_size
            && (given > declared || piece.is_empty() && given < declared)
        {
            return Poll::Ready(Err(BodyError::Size { declared, given }));
        }
        if !any_line && let Some(line) = self.lines.read(piece) {
            return Poll::Ready(Err(BodyError::LongLine { line }));
        }
        Poll::Ready(Ok(()))
    }

    /// Content in memory that is not among the last `kept` octets, at most as much as those.
    pub(crate) fn ahead(&self, kept: usize) -> Option<&[u8]> {
        let given = usize::try_from(self.given).ok()?;
        let rest = self.octets()?.get(given..)?;
        let ahead = rest.len().checked_sub(kept).filter(|ahead| *ahead > 0)?;
        rest.get(..ahead.min(kept))
    }

    /// So many octets of that were sent.
    pub(crate) const fn sent_ahead(&mut self, octets: usize) {
        self.given += octets as u64;
    }

    /// The next piece of the content; empty at its end.
    pub(crate) fn piece(&mut self) -> &[u8] {
        let piece = self.content.piece(self.given);
        self.given += piece.len() as u64;
        piece
    }

    /// Tells whoever wants to know that all octets handed on so far have left.
    pub(crate) fn report(&mut self) {
        let total = self.known_size().map(|total| match self.octets() {
            Some(_) => total,
            None => total.saturating_sub(self.left_out()),
        });
        if let Some(report) = &mut self.progress {
            report(Progress { sent: self.given, total });
        }
    }

    pub(crate) const fn wants_progress(&self) -> bool {
        self.progress.is_some()
    }
}

impl Content<'_> {
    /// Gets the next piece of what is not in memory.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Reader { reader, buffer, filled } => {
                buffer.resize(PIECE, 0);
                let mut room = ReadBuf::new(buffer);
                ready!(reader.as_mut().poll_read(cx, &mut room))?;
                *filled = room.filled().len();
            }
            Self::Stream { stream, chunk, piece } => {
                while chunk.is_empty() {
                    match ready!(stream.as_mut().poll_chunk(cx)) {
                        Some(next) => *chunk = next?,
                        None => break,
                    }
                }
                *piece = chunk.split_to(chunk.len().min(PIECE));
            }
            Self::Lent(_) | Self::Owned(_) | Self::Shared(_) => {}
        }
        Poll::Ready(Ok(()))
    }

    /// Puts another piece in the place of the one that was got last.
    fn put(&mut self, other: Vec<u8>) {
        match self {
            Self::Reader { buffer, filled, .. } => {
                *filled = other.len();
                *buffer = other;
            }
            Self::Stream { piece, .. } => *piece = Bytes::from(other),
            Self::Lent(_) | Self::Owned(_) | Self::Shared(_) => {}
        }
    }

    /// The piece behind `given` octets of what is in memory; what was got last of the rest.
    fn piece(&self, given: u64) -> &[u8] {
        let octets = match self {
            Self::Lent(octets) => octets,
            Self::Owned(octets) => octets.as_slice(),
            Self::Shared(octets) => octets,
            Self::Reader { buffer, filled, .. } => {
                return buffer.get(..*filled).unwrap_or_default();
            }
            Self::Stream { piece, .. } => return piece,
        };
        let given = usize::try_from(given).unwrap_or(usize::MAX);
        let rest = octets.get(given..).unwrap_or_default();
        rest.get(..PIECE).unwrap_or(rest)
    }
}

/// What [`Body::without_bcc`] leaves out of content as it comes.
#[derive(Debug, Default)]
struct Hidden {
    filter: WithoutBcc,
    octets: u64,
    /// The content has come to its end.
    ended: bool,
}

impl Hidden {
    /// Takes the hidden recipients out of what was got last. False if nothing is left of it.
    fn filter(&mut self, content: &mut Content<'_>) -> bool {
        if !matches!(content, Content::Reader { .. } | Content::Stream { .. }) {
            return true;
        }
        let piece = content.piece(0);
        if !piece.is_empty() && self.filter.is_over() {
            return true;
        }
        let mut kept = Vec::new();
        let at_end = piece.is_empty();
        if at_end {
            self.ended = true;
            self.filter.finish(&mut kept);
        } else {
            let taken = self.filter.pass(piece, &mut kept);
            kept.extend_from_slice(piece.get(taken..).unwrap_or_default());
        }
        let left = !kept.is_empty();
        content.put(kept);
        self.octets = self.filter.dropped();
        left || at_end
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A stream whose errors are all of one type.
trait Chunks {
    fn poll_chunk(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>>;
}

impl<S: Stream<Item = Result<Bytes, E>>, E: Into<BoxError>> Chunks for S {
    fn poll_chunk(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>> {
        self.poll_next(cx).map(|next| next.map(|chunk| chunk.map_err(Into::into)))
    }
}

/// What is wrong with the content of a message. It was not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The reader or stream failed.
    #[error("it could not be read: {0}")]
    Read(#[source] BoxError),
    /// It has not the size that [`Body::exact_size`] said.
    #[error("{declared} octets were announced, and there are {}{given}", if given > declared { "at least " } else { "" })]
    Size {
        /// What was said.
        declared: u64,
        /// What came.
        given: u64,
    },
    /// A line has more than 998 octets, and the server has no CHUNKING; see [`Body`].
    #[error("line {line} has more than 998 octets")]
    LongLine {
        /// Which line, counted from one.
        line: u64,
    },
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("octets", &self.known_size())
            .field("binary", &self.binary)
            .finish_non_exhaustive()
    }
}

from_octets!(Body);

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::of(Content::Lent(octets))
    }
}

impl From<Vec<u8>> for Body<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Self::of(Content::Owned(octets))
    }
}

impl From<Bytes> for Body<'_> {
    fn from(octets: Bytes) -> Self {
        Self::of(Content::Shared(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_holds_octets_is_a_body() {
        let (vector, string) = (b"a\r\n".to_vec(), String::from("a\r\n"));
        let bodies: [Body<'_>; 8] = [
            b"a\r\n".into(),
            b"a\r\n".as_slice().into(),
            (&vector).into(),
            "a\r\n".into(),
            (&string).into(),
            string.clone().into(),
            vector.clone().into(),
            Bytes::from_static(b"a\r\n").into(),
        ];
        for body in bodies {
            assert_eq!(body.octets(), Some(&b"a\r\n"[..]));
        }
    }

    #[test]
    fn a_size_that_was_said_must_be_that_of_what_is_there() {
        assert!(Body::from("abc").exact_size(3).check_size().is_ok());
        let error = Body::from("abc").exact_size(4).check_size().unwrap_err();
        assert_eq!(error.to_string(), "4 octets were announced, and there are 3");
        assert!(Body::reader(&b"abc"[..]).exact_size(4).check_size().is_ok());
    }

    /// All that is sent of a body.
    fn sent(mut body: Body<'_>) -> Result<String, BodyError> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut sent = Vec::new();
        loop {
            let Poll::Ready(filled) = body.poll_fill(&mut cx, false) else { panic!("it waits") };
            filled?;
            match body.piece() {
                [] => return Ok(String::from_utf8(sent).unwrap()),
                piece => sent.extend_from_slice(piece),
            }
        }
    }

    /// A stream of chunks that may be asked once for its end.
    struct Once<'a>(Option<std::slice::Chunks<'a, u8>>);

    impl Stream for Once<'_> {
        type Item = Result<Bytes, std::io::Error>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let next = self.0.as_mut().expect("it has ended").next();
            if next.is_none() {
                self.0 = None;
            }
            Poll::Ready(next.map(|chunk| Ok(Bytes::copy_from_slice(chunk))))
        }
    }

    #[test]
    fn hidden_recipients_stay_hidden_whatever_the_message_comes_from() {
        let long = format!("Bcc: {}x@y.example\r\n", "a@b.example,\r\n ".repeat(2000));
        for (message, kept) in [
            (
                format!("To: a@b.example\r\n{long}Cc: c@d.example\r\n\r\nBcc: text\r\n"),
                "To: a@b.example\r\nCc: c@d.example\r\n\r\nBcc: text\r\n",
            ),
            (format!("{long}{long}\r\n"), "\r\n"),
            (long.clone(), ""),
            ("To: a@b.example\r\nBcc".to_owned(), "To: a@b.example\r\nBcc"),
            ("To: a\rBcc: b\n\ntext".to_owned(), "To: a\r\n\ntext"),
            ("\r\nBcc: text\r\n".to_owned(), "\r\nBcc: text\r\n"),
        ] {
            let (octets, size) = (message.as_bytes(), message.len() as u64);
            let whole = Body::from(octets).exact_size(size).without_bcc();
            assert_eq!(whole.known_size(), Some(kept.len() as u64));
            assert!(whole.check_size().is_ok());
            assert_eq!(whole.octets(), Some(kept.as_bytes()));
            let read = Body::reader(octets).without_bcc().exact_size(size);
            assert_eq!(sent(read).unwrap(), kept);
            for chunk in [1, 5, 4096] {
                let stream = Body::stream(Once(Some(octets.chunks(chunk)))).exact_size(size);
                assert_eq!(sent(stream.without_bcc()).unwrap(), kept, "in chunks of {chunk}");
            }
            let short = Body::reader(octets).without_bcc().exact_size(size + 1);
            assert!(matches!(sent(short), Err(BodyError::Size { .. })));
        }
    }

    #[test]
    fn a_header_is_utf_8_if_it_is_seen_or_said_to_be() {
        let plain = || Body::from("Subject: plain\r\n\r\ngrün\r\n");
        let utf8 = || Body::from("Subject: grün\r\n\r\n");
        let read = || Body::reader("Subject: grün\r\n\r\n".as_bytes());
        assert!(!plain().has_utf8_header(true));
        assert!(utf8().has_utf8_header(true));
        assert!(!utf8().utf8_header(false).has_utf8_header(true));
        assert!(!read().has_utf8_header(true));
        assert!(read().utf8_header(true).has_utf8_header(true));
    }
}
