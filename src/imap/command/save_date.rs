//! SAVEDATE, RFC 8514: when a message came into the mailbox it is in now.
//!
//! ```text
//! C: A4 UID FETCH 998 (SAVEDATE)
//! S: * 5 FETCH (UID 998 SAVEDATE "01-Jan-2015 18:50:53 +0100")
//! S: A4 OK Fetch completed.
//! C: A5 UID SEARCH SAVEDSINCE 28-Dec-2014
//! S: * SEARCH 993 994
//! S: A5 OK Search completed.
//! ```

use super::modifier::Need;
use crate::imap::{Date, DateTime, FetchItems, Message, Search};

const SAVEDATE: Need = Need::offered(&["SAVEDATE"]);

impl FetchItems {
    /// `SAVEDATE`: found by [`Message::save_date`].
    pub fn save_date(self) -> Self {
        self.named("SAVEDATE", SAVEDATE)
    }
}

impl Message {
    /// When it came into this mailbox, by delivery, copying or moving. `None` as well if the server
    /// does not keep that for this mailbox.
    pub fn save_date(&self) -> Option<DateTime> {
        DateTime::parse(&self.item("SAVEDATE")?.text()?.to_bytes())
    }
}

impl Search {
    /// `SAVEDBEFORE`: those that came into this mailbox before this day. Where the server does not
    /// keep that, those received before it; so with the next two.
    pub fn saved_before(self, day: Date) -> Self {
        self.extension("SAVEDBEFORE", SAVEDATE).day(day)
    }

    /// `SAVEDON`: those that came into this mailbox on this day.
    pub fn saved_on(self, day: Date) -> Self {
        self.extension("SAVEDON", SAVEDATE).day(day)
    }

    /// `SAVEDSINCE`: those that came into this mailbox on this day or later.
    pub fn saved_since(self, day: Date) -> Self {
        self.extension("SAVEDSINCE", SAVEDATE).day(day)
    }

    /// `SAVEDATESUPPORTED`: all, if the server keeps the save date in this mailbox, else none.
    pub fn save_date_supported(self) -> Self {
        self.extension("SAVEDATESUPPORTED", SAVEDATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_8514_is_read() {
        let saved = |items: &'static str| Message::parse(1, items.into()).unwrap().save_date();
        let date = saved("(SAVEDATE \"01-Jan-2015 18:50:53 +0100\")").unwrap();
        assert_eq!(date.to_string(), " 1-Jan-2015 18:50:53 +0100");
        for none in ["(SAVEDATE NIL)", "(SAVEDATE \"yesterday\")", "(SAVEDATE ())", "(UID 1)"] {
            assert_eq!(saved(none), None, "{none}");
        }
    }
}
