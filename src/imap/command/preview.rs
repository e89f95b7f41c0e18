//! PREVIEW, RFC 8970: the first words of a message, as its server shows them.
//!
//! ```text
//! C: A4 UID FETCH 1:4 (ENVELOPE PREVIEW (LAZY))
//! S: * 1 FETCH (UID 1 ENVELOPE (…) PREVIEW "Preview text!")
//! S: * 2 FETCH (UID 2 ENVELOPE (…) PREVIEW NIL)
//! S: A4 OK FETCH completed.
//! ```

use super::modifier::Need;
use crate::imap::{FetchItems, Message, Text};

const PREVIEW: Need = Need::offered(&["PREVIEW"]);

impl FetchItems {
    /// `PREVIEW`: found by [`Message::preview`]. Ask for few at a time: servers may have to read
    /// each message for it.
    pub fn preview(self) -> Self {
        self.named("PREVIEW", PREVIEW)
    }

    /// `PREVIEW (LAZY)`: the same of those messages of which the server has it at hand.
    pub fn preview_if_ready(self) -> Self {
        self.named("PREVIEW (LAZY)", PREVIEW)
    }
}

impl Message {
    /// Its first words in UTF-8, some 200 characters at most; the same message may have others
    /// tomorrow. Empty if there is nothing to show, as of an encrypted message; `None` if the server
    /// did not have them [ready](FetchItems::preview_if_ready).
    pub fn preview(&self) -> Option<Text<'_>> {
        self.item("PREVIEW")?.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_8970_are_read() {
        let preview = |items: &'static str| {
            let message = Message::parse(1, items.into()).unwrap();
            message.preview().map(|text| text.to_str_lossy().into_owned())
        };
        assert_eq!(preview("(PREVIEW \"Preview text!\")").unwrap(), "Preview text!");
        assert_eq!(preview("(PREVIEW {6}\r\nLorem\n RFC822.SIZE 5647)").unwrap(), "Lorem\n");
        assert_eq!(preview("(PREVIEW \"\" UID 3)").unwrap(), "");
        assert_eq!(preview("(UID 23 PREVIEW NIL)"), None);
        assert_eq!(preview("(UID 23)"), None);
    }
}
