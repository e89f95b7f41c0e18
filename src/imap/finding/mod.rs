//! What SORT and THREAD do, done here for servers without them: RFC 5256, step by step. No IO and
//! no commands.
//!
//! ```text
//! encoded_word ─► base_subject ─┐
//!                 sent_date ────┼─► order          SORT
//!                 collation ────┤
//!                 message_id ───┴─► references     THREAD, over a forest
//!                                   ordered_subject
//! ```

pub(crate) mod base_subject;
pub(crate) mod collation;
pub(crate) mod encoded_word;
mod forest;
pub(crate) mod message_id;
pub(crate) mod order;
pub(crate) mod ordered_subject;
pub(crate) mod references;
pub(crate) mod sent_date;

/// Who has sorted messages, or found their threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DoneBy {
    /// The server, by SORT or THREAD.
    Server,
    /// The client, from what it fetched of the messages.
    Client,
}

/// A message as threads want it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) uid: u32,
    /// Its Message-ID and those of the messages that it refers to, the last being its parent, by
    /// numbers that stand for them.
    pub(crate) id: Option<u32>,
    pub(crate) references: Vec<u32>,
    /// Its base subject as it is compared, and whether it says that this is a reply or forward.
    pub(crate) subject: String,
    pub(crate) is_reply: bool,
    /// Seconds since 1970.
    pub(crate) sent: i64,
}

/// A message and how many replies it is away from the first of its thread. With 0 for a message
/// that is not there.
pub(crate) type Placed = (u32, u32);
