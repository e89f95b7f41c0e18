//! Message IDs in header fields (RFC 5322 section 3.6.4), each in one form whatever its quoting
//! (RFC 5256 section 3, REFERENCES).

/// The valid Message IDs in a field, from the first, without their angle brackets.
pub(crate) fn message_ids(field: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut rest = field;
    std::iter::from_fn(move || {
        loop {
            let start = memchr::memchr(b'<', rest)?;
            let (id, after) = message_id(rest.get(start + 1..)?)?;
            rest = after;
            if id.is_some() {
                return id;
            }
        }
    })
}

/// Reads what is behind `<`: the Message ID if it is one, and what follows. Nothing if a string has
/// no end.
fn message_id(text: &[u8]) -> Option<(Option<Vec<u8>>, &[u8])> {
    let mut id = Vec::new();
    let mut at_sign = None;
    let mut rest = text;
    let mut quoted = false;
    loop {
        let Some((octet, after)) = rest.split_first() else {
            return (!quoted).then_some((None, rest));
        };
        match (octet, quoted) {
            (b'"', _) => quoted = !quoted,
            (b'\\', true) => {
                let (escaped, behind) = after.split_first()?;
                id.push(*escaped);
                rest = behind;
                continue;
            }
            (_, true) => id.push(*octet),
            (b'>', false) => {
                // Neither side of the `@` may be empty.
                let valid = at_sign.is_some_and(|at: usize| at > 0 && at + 1 < id.len());
                return Some((Some(id).filter(|_| valid), after));
            }
            // The one that was begun has no end.
            (b'<', false) => return Some((None, rest)),
            // Fields are folded, some in the middle of an ID.
            (b' ' | b'\t' | b'\r' | b'\n', false) => {}
            (octet, false) => {
                if *octet == b'@' {
                    at_sign = Some(id.len());
                }
                id.push(*octet);
            }
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(field: &str) -> Vec<String> {
        message_ids(field.as_bytes()).map(|id| String::from_utf8(id).unwrap()).collect()
    }

    #[test]
    fn quoting_makes_no_difference() {
        // RFC 5256 section 3.
        let quoted = "<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>";
        assert_eq!(ids(quoted), ids("<01KF8JCEOCBS0045PS@xxx.yyy.com>"));
        assert_eq!(ids("<\"a \\\"b\\\"\"@c>"), ["a \"b\"@c"]);
    }

    #[test]
    fn what_is_no_message_id_is_passed_over() {
        assert_eq!(ids("References: <a@b>\r\n\t<c@d>,<e@f>"), ["a@b", "c@d", "e@f"]);
        assert_eq!(ids("<> <a> <@b> <a@> <x@y> Ann's message of <Ann@z"), ["x@y"]);
        assert_eq!(ids("<a <b@c> <d@\r\n e>"), ["b@c", "d@e"]);
        assert_eq!(ids("<a@\"b> <c@d>"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(field in "[<>@\"\\\\a ]{0,40}") {
            let _ = ids(&field);
        }
    }

    #[test]
    fn a_hundred_thousand_beginnings_take_no_time() {
        assert!(ids(&"<".repeat(1_000_000)).is_empty());
        assert!(ids(&"<\"a".repeat(300_000)).len() <= 1);
    }
}
