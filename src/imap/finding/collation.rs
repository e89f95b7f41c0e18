//! How strings are compared: without regard to case, by the numbers of their characters.
//!
//! RFC 5256 section 7 wants i;unicode-casemap (RFC 5051). This is that but for its last step:
//! characters are not taken apart, so that `é` comes behind `z` and not behind `e`. The tables for
//! it would be larger than all the rest.

/// What strings are compared by, in place of the strings: at most [`MOST`] octets.
pub(crate) fn key(text: &str) -> String {
    let mut key = String::with_capacity(text.len().min(MOST));
    for c in text.chars() {
        let mut upper = c.to_uppercase();
        // Only what maps to one character does so in this collation: `ß` stays what it is.
        let c = upper.next().filter(|_| upper.len() == 0).unwrap_or(c);
        if key.len() + c.len_utf8() > MOST {
            break;
        }
        key.push(c);
    }
    key
}

/// The length of a line in a header (RFC 5322 section 2.1.1). What is longer counts by its
/// beginning, so that a mailbox can be sorted whatever its messages hold.
const MOST: usize = 998;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_count() {
        assert_eq!(key("Straße Привет"), key("straße ПРИВЕТ"));
        assert_eq!(key("Straße"), "STRAßE");
        assert!(key("a") < key("B") && key("") < key("a"));
    }

    #[test]
    fn a_long_string_counts_by_its_beginning() {
        assert_eq!(key(&"ü".repeat(10_000)).len(), MOST);
    }
}
