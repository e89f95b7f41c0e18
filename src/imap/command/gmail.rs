//! X-GM-EXT-1, what Gmail adds (Google for Developers, "IMAP Extensions", 2026): labels, identifiers
//! that are the same in every mailbox, and Gmail's own search.
//!
//! ```text
//! C: A4 UID FETCH 4 (X-GM-MSGID X-GM-THRID X-GM-LABELS)
//! S: * 1 FETCH (X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\Inbox \Sent "Muy Importante") UID 4)
//! S: A4 OK FETCH (Success)
//! C: A5 UID STORE 4 +X-GM-LABELS (foo \Starred)
//! S: * 1 FETCH (X-GM-LABELS (\Inbox \Sent \Starred foo "Muy Importante") UID 4)
//! S: A5 OK STORE (Success)
//! C: A6 UID SEARCH X-GM-RAW "has:attachment in:unread"
//! S: * SEARCH 123 12344 5992
//! S: A6 OK SEARCH (Success)
//! ```
//!
//! A mailbox other than `[Gmail]/All Mail` is a label: a message is in each of those it has. Labels
//! are spelt as the names of mailboxes are; Gmail's own begin with a backslash: `\Inbox`, `\Sent`,
//! `\Starred`, `\Important`.

use std::fmt;

use super::modifier::Need;
use super::store::StoreFlags;
use crate::imap::proto::decode::Cursor;
use crate::imap::{FetchItems, MailboxName, Message, Search};

const GMAIL: Need = Need::offered(&["X-GM-EXT-1"]);

/// The identifier of a message or a thread at Gmail: 64 bits that stay the same in whichever mailbox
/// the message is found, as EMAILID and THREADID (RFC 8474) do elsewhere.
///
/// It is shown as IMAP writes it, in decimal; `{:x}` gives it as Gmail's API and the addresses of its
/// pages do.
///
/// ```
/// use mailbearer::imap::GmailId;
///
/// let id = GmailId::from(1278455344230334865);
/// assert_eq!(id.to_string(), "1278455344230334865");
/// assert_eq!(format!("{id:x}"), "11bdfc5cae0c8191");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GmailId(u64);

impl GmailId {
    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for GmailId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl From<GmailId> for u64 {
    fn from(id: GmailId) -> Self {
        id.0
    }
}

impl fmt::Display for GmailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::LowerHex for GmailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

impl FetchItems {
    /// `X-GM-MSGID`: found by [`Message::gmail_message_id`].
    pub fn gmail_message_id(self) -> Self {
        self.named("X-GM-MSGID", GMAIL)
    }

    /// `X-GM-THRID`: found by [`Message::gmail_thread_id`].
    pub fn gmail_thread_id(self) -> Self {
        self.named("X-GM-THRID", GMAIL)
    }

    /// `X-GM-LABELS`: found by [`Message::gmail_labels`].
    pub fn gmail_labels(self) -> Self {
        self.named("X-GM-LABELS", GMAIL)
    }
}

impl Message {
    /// Its identifier at Gmail, the same in every mailbox.
    pub fn gmail_message_id(&self) -> Option<GmailId> {
        self.item("X-GM-MSGID")?.number().map(GmailId)
    }

    /// The identifier of its conversation at Gmail.
    pub fn gmail_thread_id(&self) -> Option<GmailId> {
        self.item("X-GM-THRID")?.number().map(GmailId)
    }

    /// The labels it has at Gmail, but for that of the selected mailbox, which Gmail leaves out.
    /// `None` if they were not fetched, or cannot be read.
    ///
    /// ```
    /// # use mailbearer::imap::{MailboxName, Message};
    /// # fn look(message: &Message) {
    /// let starred = MailboxName::from("\\Starred");
    /// let is_starred = message.gmail_labels().is_some_and(|labels| labels.contains(&starred));
    /// # }
    /// ```
    pub fn gmail_labels(&self) -> Option<Vec<MailboxName>> {
        /// No message has so many; each takes more room than its text.
        const MOST: usize = 10_000;
        let mut list = Cursor::new(self.item("X-GM-LABELS")?.value());
        let mut labels = Vec::new();
        list.expect(b'(', "a list of labels").ok()?;
        loop {
            list.spaces();
            if list.eat(b')') {
                return Some(labels);
            }
            if labels.len() == MOST {
                return None;
            }
            // By Google's page each is an `astring`, of which NIL is one (MailKit#244).
            let label = list.astring().ok()?.to_bytes().into_owned();
            // What is not as it should be in modified UTF-7 is taken for UTF-8.
            let utf8 = self.speaks_utf8()
                || !label.is_ascii()
                || MailboxName::from_wire(&label[..]).decoded().is_none();
            labels.push(MailboxName::heard(label, utf8));
        }
    }
}

impl StoreFlags<'_> {
    /// Gives messages these labels at Gmail, which puts them into the mailboxes of these names. A
    /// label that does not exist is made.
    pub fn add_gmail_labels<N: Into<MailboxName>>(labels: impl IntoIterator<Item = N>) -> Self {
        Self::labels("+X-GM-LABELS", names(labels), GMAIL)
    }

    /// Takes these labels away, and the messages out of the mailboxes of these names.
    pub fn remove_gmail_labels<N: Into<MailboxName>>(labels: impl IntoIterator<Item = N>) -> Self {
        Self::labels("-X-GM-LABELS", names(labels), GMAIL)
    }

    /// Gives messages these labels, and takes all others away.
    pub fn replace_gmail_labels<N: Into<MailboxName>>(labels: impl IntoIterator<Item = N>) -> Self {
        Self::labels("X-GM-LABELS", names(labels), GMAIL)
    }
}

fn names<N: Into<MailboxName>>(labels: impl IntoIterator<Item = N>) -> Vec<MailboxName> {
    labels.into_iter().map(Into::into).collect()
}

impl Search {
    /// `X-GM-RAW`: those that Gmail's own search finds for these words, as in the box on its page:
    /// `has:attachment older_than:1y`.
    pub fn gmail_raw(self, words: impl Into<String>) -> Self {
        self.extension("X-GM-RAW", GMAIL).sought_text(words.into())
    }

    /// `X-GM-MSGID`: the message of this identifier.
    pub fn gmail_message_id(self, id: impl Into<GmailId>) -> Self {
        self.extension("X-GM-MSGID", GMAIL).number(id.into().get())
    }

    /// `X-GM-THRID`: those of this conversation.
    pub fn gmail_thread_id(self, id: impl Into<GmailId>) -> Self {
        self.extension("X-GM-THRID", GMAIL).number(id.into().get())
    }

    /// `X-GM-LABELS`: those that have this label.
    pub fn gmail_label(self, label: impl Into<MailboxName>) -> Self {
        self.extension("X-GM-LABELS", GMAIL).name(label.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Capabilities;
    use crate::imap::proto::encode::{Line, Piece};

    fn message(items: &str) -> Message {
        Message::parse(1, items.as_bytes().to_vec().into()).unwrap()
    }

    fn labels(list: &str) -> Option<Vec<String>> {
        let labels = message(&format!("(UID 1 X-GM-LABELS {list})")).gmail_labels()?;
        Some(labels.iter().map(ToString::to_string).collect())
    }

    fn searched(search: Search) -> String {
        let mut line = Line::new(Default::default());
        search.encode(&mut line, &Capabilities::default()).unwrap();
        match &line.finish()[..] {
            [Piece::Line(line)] => String::from_utf8_lossy(line).into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_examples_of_google_are_read() {
        let told = message(
            "(X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\\Inbox \
             \\Sent Important \"Muy Importante\") UID 4)",
        );
        assert_eq!(told.gmail_thread_id().map(GmailId::get), Some(1_266_894_439_832_287_888));
        assert_eq!(told.gmail_message_id().map(GmailId::get), Some(1_278_455_344_230_334_865));
        let labels = told.gmail_labels().unwrap();
        assert_eq!(
            labels,
            ["\\Inbox", "\\Sent", "Important", "Muy Importante"].map(MailboxName::from)
        );
    }

    #[test]
    fn labels_are_read_in_every_form_of_a_string() {
        assert_eq!(labels("()").unwrap(), [""; 0]);
        assert_eq!(
            labels("(\"\\\\Inbox\" {3}\r\na b &AOQ-)").unwrap(),
            ["\\Inbox", "a b", "\u{e4}"]
        );
        // After ENABLE UTF8=ACCEPT.
        assert_eq!(labels("(\"\u{e4}\" R&D)").unwrap(), ["\u{e4}", "R&D"]);
        let told = message("(X-GM-LABELS (\"\u{e4}\"))").gmail_labels().unwrap();
        assert_eq!(told, [MailboxName::from("\u{e4}")]);
        let mut told = message("(X-GM-LABELS (&AOQ- \"\u{e4}\"))");
        told.heard(true);
        let names: Vec<_> = told.gmail_labels().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["&AOQ-", "\u{e4}"]);
        assert_eq!(labels("(NIL a \"NIL\")").unwrap(), ["NIL", "a", "NIL"]);
        assert_eq!(labels("NIL"), None);
        assert_eq!(message("(UID 1)").gmail_labels(), None);
        assert_eq!(labels(&format!("({})", "a ".repeat(10_001))), None);
    }

    #[test]
    fn an_identifier_beyond_64_bits_is_none() {
        assert_eq!(
            message("(X-GM-MSGID 18446744073709551615)").gmail_message_id(),
            Some(u64::MAX.into())
        );
        for odd in ["18446744073709551616", "-1", "NIL", "x"] {
            assert_eq!(message(&format!("(X-GM-MSGID {odd})")).gmail_message_id(), None, "{odd}");
        }
    }

    #[test]
    fn searches_are_written_as_google_shows_them() {
        let raw = Search::all().gmail_raw("has:attachment in:unread");
        assert_eq!(searched(raw), "X-GM-RAW \"has:attachment in:unread\"");
        let ids = Search::all().gmail_thread_id(1_266_894_439_832_287_888);
        assert_eq!(searched(ids), "X-GM-THRID 1266894439832287888");
        let id = Search::all().gmail_message_id(1_278_455_344_230_334_865);
        assert_eq!(searched(id), "X-GM-MSGID 1278455344230334865");
        let label = Search::all().gmail_label("foo").not(Search::all().gmail_label("\u{e4}"));
        assert_eq!(searched(label), "X-GM-LABELS foo NOT X-GM-LABELS &AOQ-");
        assert_eq!(searched(Search::all().gmail_label("\\Inbox")), "X-GM-LABELS \"\\\\Inbox\"");
    }

    #[test]
    fn gmails_own_search_in_other_letters_names_its_charset() {
        assert!(!Search::all().gmail_raw("subject:\u{e4}").is_ascii());
        assert!(Search::all().gmail_label("\u{e4}").is_ascii());
    }
}
