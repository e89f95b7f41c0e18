//! Where the name of a mailbox ends that stands in a LIST response without quotes.
//!
//! ```text
//! Tables (tablecloth (("edge" "lacy")) Sample "text")   a name and its items (RFC 9051 section 6.3.9.8)
//! Rechnungen (alt) {2024}                               a name without its quotes (MailKit#945)
//! ```
//!
//! The grammar tells them apart: a word and a list of pairs that ends the line are a name and its
//! extended items; all else is a name. Where a server leaves out the quotes of `Rechnungen (Stand
//! 2024)`, that is cut short.
//!
//! The same rule says whether braces at the end of a line announce a literal: they do in a list that
//! reads as items so far, where a string can stand. To take the octets of a literal for responses
//! would let whoever has named a mailbox answer for the server. To wait for a literal that is none
//! costs no more than a deadline.

/// The length of the name that this text, which follows the delimiter, begins with.
pub(crate) fn name_end(text: &[u8]) -> usize {
    match items(text) {
        Some((at, End::Line | End::Cut)) => at,
        _ => text.len(),
    }
}

/// Whether at the end of this text, in which a name begins, a literal can stand.
pub(super) fn takes_literal(text: &[u8]) -> bool {
    matches!(items(text), Some((_, End::Literal)))
}

/// What stands at the end of a list of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The end of the line.
    Line,
    /// The announcement of a literal that is still to come.
    Literal,
    /// Nothing: it has no end.
    Cut,
}

/// Where a list of items begins behind a name, and how it ends.
fn items(text: &[u8]) -> Option<(usize, End)> {
    // Dovecot writes the names of these without quotes.
    const KNOWN: [&[u8]; 2] = [b"CHILDINFO (", b"OLDNAME ("];
    let begins_items = |at: &usize| {
        let items = text.get(at + 2..).unwrap_or_default();
        let named = |name: &&[u8]| {
            items.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        };
        items.first() == Some(&b'"') || KNOWN.iter().any(named)
    };
    // By the grammar a name without quotes is one word. With spaces in it, it is of a server that
    // leaves out quotes, and what is behind it may be part of it.
    let word = word(text);
    let by_grammar = || {
        let rest = text.get(word..)?.strip_prefix(b" ")?;
        let end = list_end(rest.get(spaces(rest)..)?)?;
        (end != End::Cut).then_some((word, end))
    };
    by_grammar().or_else(|| {
        let at = memchr::memmem::find_iter(text, b" (").find(begins_items)?;
        Some((at, list_end(text.get(at + 1..)?)?))
    })
}

/// How a list of pairs ends: nothing if it is none, or the line does not end with it.
///
/// ```text
/// "(" [tag SP value *(SP tag SP value)] ")"
/// value = string / number / set of numbers / "(" *(string / word / list) ")"
/// ```
fn list_end(list: &[u8]) -> Option<End> {
    let (mut at, mut depth, mut is_tag) = (0, 0_usize, true);
    loop {
        let rest = list.get(at..)?;
        let within = depth > 1;
        let Some(next) = rest.first() else { return Some(End::Cut) };
        match next {
            b' ' => at += 1,
            b'(' if within || !is_tag || at == 0 => {
                depth += 1;
                at += 1;
            }
            _ if depth == 0 => return None,
            b')' if within => {
                depth -= 1;
                at += 1;
                is_tag |= depth == 1;
            }
            b')' => {
                let ends = is_tag && rest.get(1..)?.iter().all(|octet| b" \r\n".contains(octet));
                return ends.then_some(End::Line);
            }
            b'"' => {
                let Some(string) = quoted(rest) else { return Some(End::Cut) };
                at += string;
                is_tag ^= !within;
            }
            // The grammar has no literal in the place of a value, but within one.
            b'{' | b'~' if (within || is_tag) && literal(rest).is_some() => {
                let (announcement, octets) = literal(rest)?;
                at += announcement;
                if at == list.len() {
                    return Some(End::Literal);
                }
                at = at.checked_add(octets).filter(|at| *at <= list.len())?;
                is_tag ^= !within;
            }
            _ => {
                let end = word(rest);
                let is_value = || rest.iter().take(end).all(|c| b"0123456789:,*".contains(c));
                if end == 0 || !within && !is_tag && !is_value() {
                    return None;
                }
                at += end;
                is_tag ^= !within;
            }
        }
    }
}

/// How many octets of a word come.
fn word(text: &[u8]) -> usize {
    let ends = |octet: &u8| matches!(octet, 0..=b' ' | b'(' | b')' | b'"' | 0x7f);
    text.iter().position(ends).unwrap_or(text.len())
}

/// How many spaces come.
fn spaces(text: &[u8]) -> usize {
    text.iter().position(|octet| *octet != b' ').unwrap_or(text.len())
}

/// How long a quoted string is with its quotes.
fn quoted(text: &[u8]) -> Option<usize> {
    let mut escaped = true;
    let end = text.iter().position(|octet| {
        let ends = *octet == b'"' && !escaped;
        escaped = *octet == b'\\' && !escaped;
        ends
    })?;
    Some(end + 1)
}

/// How long `{5}` is with its line end, which may be still to come, and how much it announces.
fn literal(text: &[u8]) -> Option<(usize, usize)> {
    let inside = text.strip_prefix(b"~").unwrap_or(text).strip_prefix(b"{")?;
    let digits = inside.iter().position(|octet| !octet.is_ascii_digit())?;
    let octets = std::str::from_utf8(inside.get(..digits)?).ok()?.parse().ok()?;
    let behind = inside.get(digits..)?;
    let behind = behind.strip_prefix(b"+").unwrap_or(behind).strip_prefix(b"}")?;
    let behind = behind.strip_prefix(b"\r").unwrap_or(behind);
    let behind = match behind {
        [] => behind,
        _ => behind.strip_prefix(b"\n")?,
    };
    Some((text.len() - behind.len(), octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> &str {
        text[..name_end(text.as_bytes())].trim_end_matches(' ')
    }

    #[test]
    fn what_the_grammar_allows_is_a_name_and_its_items() {
        for (items, of) in [
            // RFC 9051 section 6.3.9.8, example 10.
            (r#"(tablecloth (("edge" "lacy") ("color" "red")) Sample "text")"#, "Tables"),
            (r#"(tablecloth ("edge" "lacy") Sample ("text" "more text"))"#, "Tables:new"),
            (r#"("CHILDINFO" ("SUBSCRIBED"))"#, "Foo"),
            ("()", "foo"),
            ("( )", "foo{5}"),
            ("(X 5 Y 1:3,7)", "a]"),
            ("(X () Y (a (b c)))", "a"),
            ("(OLDNAME ({3}\r\na)()) ", "a"),
            ("({1}\r\nX (b))", "a"),
            (r#"("CHILDINFO" ("SUBSCRIBED"))"#, "a b (c)"),
            ("(oldname (x))", "a\tb"),
            // A line that is broken off.
            ("(\"OLDNAME\" ", "a"),
            ("(OLDNAME (\"b", "a b"),
        ] {
            for between in [" ", "  "] {
                let text = format!("{of}{between}{items}");
                assert_eq!(name(&text), of, "{text}");
            }
        }
    }

    #[test]
    fn parentheses_that_are_no_items_belong_to_the_name() {
        for text in [
            "Rechnungen (alt)",
            "Rechnungen (von Ann)",
            "Rechnungen (von Ann an Bob)",
            "Rechnungen (2024) (neu)",
            "Rechnungen (Stand 2024) {5}",
            "Alte Rechnungen (Stand 2024)",
            "a ((b) c)",
            "a (b",
            "a (b (c)",
            "a (b (c)) d",
            "a(b (c))",
            "a (b) {5}",
            "a (b {5}",
            "a (b \"c)",
            "a (b {2}\r\nab)",
            "a (b ({2}\r\na))",
            "a \"b\" ()",
            "a (\"OLDNAME\" (\"b\")) {5}",
            "a (\"OLDNAME\" b)",
            "()",
            "",
        ] {
            assert_eq!(name(text), text);
        }
    }

    #[test]
    fn a_literal_stands_where_a_string_can_in_items_that_have_not_ended() {
        for text in [
            "x (OLDNAME ({8}",
            "x (OLDNAME ({8+}\r",
            "x ({8}",
            "x (a (b c ~{8}\r",
            "x (OLDNAME ({1}\r\n) {8}",
            "5\" disk (\"OLDNAME\" ({8}",
            "5\" disk (OLDNAME (\"a)\\\"b)\" {8}",
        ] {
            assert!(takes_literal(text.as_bytes()), "{text}");
        }
        for text in [
            "x {8}",
            "x (y {200000000}",
            "x (y z{8}",
            "x (y) {8}",
            "x(y ({8}",
            "x z (y ({8}",
            "x (y (\"{8}",
            "x (y z (a {8}",
            "x ()",
        ] {
            assert!(!takes_literal(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_list_is_never_both_over_and_open(text in "[a \\(\\)\"{}0-9\r\n\\\\]{0,30}") {
            let text = text.as_bytes();
            prop_assert!(name_end(text) <= text.len());
            prop_assert!(!takes_literal(text) || name_end(text) == text.len());
        }
    }
}
