//! The answer to FETCH and UID FETCH, piece by piece.

use std::fmt;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::flight::Flight;
use super::proto::asides::Aside;
use super::proto::parts::names_section;
use super::{Error, Event, Mailbox, Message, Part, Uid};

/// What [`Messages::parts`](super::Messages::parts) gives: messages in pieces as they arrive, of
/// which no more is in memory than came by the last read.
///
/// It may be dropped at any time, as [`Messages`](super::Messages) may.
///
/// # Example
/// ```no_run
/// # async fn read(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), mailbearer::imap::Error> {
/// use mailbearer::imap::{Fetch, Part, UidSet};
///
/// let mut parts = inbox.uid_fetch(UidSet::all(), Fetch::flags().body()).await?.parts();
/// while let Some(part) = parts.next().await? {
///     match part {
///         // The UID may come before the body or behind it.
///         Part::Items(message) => println!("{:?}", message.uid()),
///         Part::Section(section) => println!("{} octets follow", section.octets()),
///         Part::Chunk(octets) => println!("{} of them", octets.len()),
///         Part::End { seq } => println!("that was message {seq}"),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
// Nothing in it may need dropping, or the borrow of the mailbox would last to the end of its scope.
#[must_use = "the parts come from `next`"]
pub struct Parts<'a> {
    mailbox: &'a mut Mailbox,
    flight: Flight,
    /// Part of a message was given, and its end was not.
    within: bool,
}

/// What [`Parts::copy_body`] has written, and what else the server said of the message.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Copied {
    /// The sequence number of the message; 0 if messages have gone since the server told it, so that
    /// it may have another one now, or if it told none.
    pub seq: u32,
    /// Its UID, if the server told it.
    pub uid: Option<Uid>,
    /// How many octets were written; `None` if the server sent nothing to be written, which some
    /// do with messages that they cannot read themselves.
    pub octets: Option<u64>,
    /// Whether all that the server said of the message could be read. If not, it may have miscounted
    /// the octets of the message: what was written may lack some, or have some too many. What could
    /// not be read is found among the events. It may be all of it, and then not even the UID is known.
    /// False as well if the server left out the UID that it must tell.
    pub whole: bool,
    /// All items but the sections, such as the flags: those that came in responses of their own
    /// before the message, those before the first section, those behind it, and so on.
    pub items: Vec<Message>,
}

impl Copied {
    fn new(seq: u32, octets: Option<u64>, whole: bool, items: Vec<Message>) -> Self {
        Self { seq, uid: items.iter().find_map(Message::uid), octets, whole, items }
    }
}

impl<'a> Parts<'a> {
    pub(crate) const fn new(mailbox: &'a mut Mailbox, flight: Flight) -> Self {
        Self { mailbox, flight, within: false }
    }

    /// The mailbox they are in.
    pub const fn mailbox(&self) -> &Mailbox {
        self.mailbox
    }

    /// The oldest event that nobody has taken yet, as
    /// [`Messages::take_event`](super::Messages::take_event).
    pub fn take_event(&mut self) -> Option<Event> {
        self.mailbox.take_event()
    }

    /// How many lines made no sense at all, as [`Messages::unread`](super::Messages::unread). Unless
    /// this is 0, messages may be missing.
    pub const fn unread(&self) -> usize {
        self.mailbox.session.core().missed()
    }

    /// The next piece; `None` when the server has sent all. What cannot be read of a message is a
    /// [`Part::Unreadable`], even if that is all of it, and its UID is not known.
    ///
    /// # Errors
    /// As for [`Messages::next`](super::Messages::next). A message whose [`Part::End`] did not come
    /// is not whole.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped: the next call goes on where this one stopped.
    pub async fn next(&mut self) -> Result<Option<Part>, Error> {
        loop {
            if let Some(part) = self.mailbox.session.core_mut().take_part() {
                self.within = !matches!(part, Part::End { .. });
                return Ok(Some(part));
            }
            if self.flight.is_over() {
                return Ok(None);
            }
            let event = self.mailbox.session.driver_mut().event().await;
            self.mailbox.heed(&mut self.flight, event)?;
        }
    }

    /// Writes the next message to `writer`, or what was fetched of it: the octets of every section
    /// in the order of the wire. `None` when the server has sent all. What is left of a message
    /// that [`next`](Self::next) has begun is passed over.
    ///
    /// Servers also tell of flags that have changed meanwhile, in responses without any section.
    /// Those are kept until the message itself comes. Messages of which none has come when the
    /// server has sent all are given at the end, with [`Copied::octets`] of `None`. What is said of a
    /// message behind it becomes an [`Event::Fetch`], and so does what is said of more than 1,000
    /// messages ahead of them, or in more octets than one response may have
    /// ([`Limits::response`](crate::Limits::response)), or by number alone before a message goes.
    ///
    /// Nothing is flushed.
    ///
    /// # Example
    /// ```no_run
    /// # async fn save(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), Box<dyn std::error::Error>> {
    /// use mailbearer::imap::{Fetch, Section, Uid};
    ///
    /// let uid = Uid::new(87).ok_or("no UID")?;
    /// let attachment = Fetch::section(Section::part([2]));
    /// let mut parts = inbox.uid_fetch(uid, attachment).await?.parts();
    /// let mut file = tokio::fs::File::create("attachment.b64").await?;
    /// let copied = parts.copy_body(&mut file).await?;
    /// file.sync_all().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`next`](Self::next), and [`Error::Copy`] if the writer fails. Part of the message may
    /// have been written. That a server has miscounted its octets is no error, and told by
    /// [`Copied::whole`].
    ///
    /// # Cancel safety
    /// If the future is dropped, part of the message may have been written; the next call goes on
    /// with the next message.
    pub async fn copy_body<W>(&mut self, writer: &mut W) -> Result<Option<Copied>, Error>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        self.copy_body_with(writer, |_, _| {}).await
    }

    /// [`copy_body`](Self::copy_body), and calls `progress` as it goes on: with the octets written
    /// so far of the current section, and those that it has by the server's word.
    ///
    /// # Errors
    /// As for [`copy_body`](Self::copy_body).
    ///
    /// # Cancel safety
    /// As for [`copy_body`](Self::copy_body).
    pub async fn copy_body_with<W>(
        &mut self,
        writer: &mut W,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Option<Copied>, Error>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        while self.within {
            if self.next().await?.is_none() {
                break;
            }
        }
        let (mut items, mut octets, mut whole) = (Vec::new(), None, true);
        let (mut written, mut of) = (0, 0);
        while let Some(part) = self.next().await? {
            match part {
                Part::Items(message) => items.push(message),
                Part::Section(section) => {
                    (written, of) = (0, section.octets());
                    octets.get_or_insert(0);
                    self.mailbox.session.core_mut().give(section.seq(), &items);
                    progress(written, of);
                }
                Part::Chunk(chunk) => {
                    let stage = self.flight.stage();
                    let written_whole = writer.write_all(&chunk).await;
                    written_whole.map_err(|source| Error::Copy { stage, source })?;
                    written += chunk.len() as u64;
                    *octets.get_or_insert(0) += chunk.len() as u64;
                    progress(written, of);
                }
                Part::Unreadable { .. } => whole = false,
                Part::End { seq } => {
                    let core = self.mailbox.session.core_mut();
                    let items = std::mem::take(&mut items);
                    if octets.is_none() && whole && !items.iter().any(names_section) {
                        core.put_aside(seq, items);
                        continue;
                    }
                    core.give(seq, &items);
                    let mut all = core.take_aside(seq, &items);
                    all.extend(items);
                    return Ok(Some(Copied::new(seq, octets, whole, all)));
                }
            }
        }
        let left = self.mailbox.session.core_mut().next_aside();
        Ok(left.map(|Aside { seq, items, .. }| Copied::new(seq, None, true, items)))
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}
