//! The recipients of an envelope, ready to be asked for.

use std::fmt;

use super::address::{AddressFlaw, check};
use crate::wire::Lines;

/// Addresses, in the order in which they were given.
///
/// They are kept as the lines that ask for them where nothing is said besides: an envelope is
/// often used again, and then ten recipients cost one copy.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Recipients {
    lines: Lines,
    beyond_ascii: bool,
}

/// What stands before and behind the address in its line.
const BEFORE: &str = "RCPT TO:<";
const BEHIND: &str = ">";

impl Recipients {
    /// Adds an address.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn push(&mut self, address: &str) -> Result<(), AddressFlaw> {
        check(address)?;
        // No address has one.
        let line = self.lines.push(&[BEFORE, address, BEHIND]);
        line.map_err(|_| AddressFlaw::Control('\n'))?;
        self.beyond_ascii |= !address.is_ascii();
        Ok(())
    }

    /// Adds the n-th of others.
    pub(crate) fn push_from(&mut self, others: &Self, n: usize) {
        self.lines.push_from(&others.lines, n);
        self.beyond_ascii |= !others.lines.get(n).is_ascii();
    }

    pub(crate) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether an address has characters outside ASCII.
    pub(crate) const fn are_beyond_ascii(&self) -> bool {
        self.beyond_ascii
    }

    /// The addresses.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|n| {
            let address = self.lines.get(n).strip_prefix(BEFORE);
            address.and_then(|address| address.strip_suffix(BEHIND)).unwrap_or_default()
        })
    }

    /// A RCPT line for each.
    pub(crate) const fn lines(&self) -> &Lines {
        &self.lines
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_addresses_and_lines() {
        let mut recipients = Recipients::default();
        recipients.push("ann@a.example").unwrap();
        recipients.push("grå@b.example").unwrap();
        assert_eq!(recipients.push("a@b.example>\r\nRSET"), Err(AddressFlaw::Control('\r')));
        assert_eq!(recipients.iter().collect::<Vec<_>>(), ["ann@a.example", "grå@b.example"]);
        assert_eq!(recipients.lines().get(1), "RCPT TO:<grå@b.example>");
        assert_eq!(format!("{recipients:?}"), r#"["ann@a.example", "grå@b.example"]"#);
    }

    #[test]
    fn some_of_the_recipients_are_asked_for_alike() {
        let mut recipients = Recipients::default();
        recipients.push("ann@a.example").unwrap();
        recipients.push("grå@b.example").unwrap();
        let mut ann = Recipients::default();
        ann.push_from(&recipients, 0);
        assert_eq!((ann.len(), ann.lines().get(0)), (1, "RCPT TO:<ann@a.example>"));
        assert!(recipients.are_beyond_ascii() && !ann.are_beyond_ascii());
    }
}
