//! RETR of a message of any size, read as it comes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::command::Command as _;
use super::command::retr::RetrStream;
use super::{Error, PopClient};
use crate::net;

impl PopClient {
    /// A message of any size, to be read as it comes: it passes through some 64 KiB of memory.
    ///
    /// The octets are those of [`retr`](Self::retr). No limit on size holds; the transfer may last
    /// as long as it moves ([`Timeouts::progress`](crate::Timeouts::progress)).
    ///
    /// # Example: to a file
    /// ```no_run
    /// # async fn save(pop: &mut mailbearer::PopClient) -> std::io::Result<()> {
    /// let mut message = pop.retr_reader(1).await.map_err(std::io::Error::other)?;
    /// let mut file = tokio::fs::File::create("message.eml").await?;
    /// tokio::io::copy_buf(&mut message, &mut file).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such message or it is marked as deleted.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn retr_reader(&mut self, number: u32) -> Result<MessageReader<'_>, Error> {
        let size = self.run(RetrStream { number }).await?;
        Ok(MessageReader { client: self, octets: 0, size, done: false })
    }
}

/// A message that is read as it comes, from [`retr_reader`](PopClient::retr_reader).
///
/// It reads to the end of the message and no further. A connection that ends before is an error and
/// never the end of the message. An [`io::Error`] from here holds an [`Error`], which
/// [`get_ref`](io::Error::get_ref) gives.
///
/// It may be dropped at any time; the next command then reads and throws away the rest. Beyond
/// [`Limits::settle`](crate::Limits::settle) that costs the connection.
// Nothing in it may need dropping, or the borrow of the client would last to the end of its scope.
#[derive(Debug)]
#[must_use = "the message comes from reading"]
pub struct MessageReader<'a> {
    client: &'a mut PopClient,
    octets: u64,
    size: Option<u64>,
    done: bool,
}

impl MessageReader<'_> {
    /// Octets read so far.
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// The size that the server announced with the message, if it did. Good for a progress bar;
    /// servers are known to be wrong by the line ends.
    pub const fn size_hint(&self) -> Option<u64> {
        self.size
    }

    /// The next octets as they came, without a copy; `None` at the end of the message.
    ///
    /// # Errors
    /// [`Error::Closed`] or [`Error::Net`] if the connection ends before the message does.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await?;
        let chunk = std::mem::take(self.client.piece_mut());
        self.octets += chunk.len() as u64;
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }

    /// Ready when there is a piece, or none to come.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.done && self.client.piece_mut().is_empty() {
            match ready!(self.client.poll_piece(RetrStream::NAME, cx))? {
                Some(piece) => *self.client.piece_mut() = piece,
                None => self.done = true,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for MessageReader<'_> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_piece(cx)).map_err(into_io)?;
        Poll::Ready(Ok(this.client.piece_mut()))
    }

    fn consume(self: Pin<&mut Self>, octets: usize) {
        let this = self.get_mut();
        let piece = this.client.piece_mut();
        let octets = octets.min(piece.len());
        piece.advance(octets);
        this.octets += octets as u64;
    }
}

impl AsyncRead for MessageReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.as_mut().poll_fill_buf(cx))?;
        let octets = piece.len().min(buffer.remaining());
        buffer.put_slice(&piece[..octets]);
        self.consume(octets);
        Poll::Ready(Ok(()))
    }
}

fn into_io(error: Error) -> io::Error {
    let kind = match &error {
        Error::Closed { .. } => io::ErrorKind::UnexpectedEof,
        Error::Net { source: net::Error::Deadline { .. }, .. } => io::ErrorKind::TimedOut,
        Error::Net { .. } => io::ErrorKind::ConnectionAborted,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}
