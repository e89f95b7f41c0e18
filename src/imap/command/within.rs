//! WITHIN, RFC 5032: search by age in seconds, where other keys know days only.
//!
//! ```text
//! C: A4 UID SEARCH UNSEEN YOUNGER 259200
//! S: * SEARCH 4 8 15 16 23 42
//! S: A4 OK SEARCH completed
//! ```

use std::time::Duration;

use super::modifier::Need;
use crate::imap::Search;

const WITHIN: Need = Need::offered(&["WITHIN"]);

impl Search {
    /// `YOUNGER`: those received within this time. It is counted by the server, in whole seconds: at
    /// least one, and at most 2^32 - 1, which are 136 years.
    pub fn younger(self, than: Duration) -> Self {
        self.extension("YOUNGER", WITHIN).number(seconds(than))
    }

    /// `OLDER`: those received at least this time ago; as for [`younger`](Self::younger).
    pub fn older(self, than: Duration) -> Self {
        self.extension("OLDER", WITHIN).number(seconds(than))
    }
}

/// A begun second counts.
fn seconds(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    seconds.clamp(1, u32::MAX.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begun_seconds_count_and_what_the_grammar_cannot_say_is_the_next_that_it_can() {
        assert_eq!(seconds(Duration::from_secs(259_200)), 259_200);
        assert_eq!(seconds(Duration::from_millis(1001)), 2);
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::MAX), 4_294_967_295);
    }
}
