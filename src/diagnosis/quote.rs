//! Values in PowerShell lines and URLs, so that none can become more than a value.

use std::fmt::Write as _;

/// The longest value that is put anywhere: an address has at most 254 octets.
const LONGEST: usize = 320;

/// An argument of a PowerShell command; `placeholder` if there is none that could be shown.
///
/// A GUID stands as it is. All else goes between single quotes, where PowerShell knows one special
/// character, and takes four others for it ("about_Quoting_Rules"; its tokenizer's IsSingleQuote).
pub(super) fn powershell(value: Option<&str>, placeholder: &str) -> String {
    let Some(value) = shown(value) else { return placeholder.to_owned() };
    if is_guid(value) {
        return value.to_owned();
    }
    let mut quoted = String::from("'");
    for c in value.chars() {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// A part of a URL: all but the unreserved characters of RFC 3986 section 2.3 by their octets.
pub(super) fn url(value: Option<&str>, placeholder: &str) -> String {
    // Dots alone would lead elsewhere in a path.
    let value = shown(value).filter(|value| value.chars().any(|c| c != '.'));
    let Some(value) = value else { return placeholder.to_owned() };
    let mut quoted = String::new();
    for octet in value.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                quoted.push(char::from(octet));
            }
            _ => drop(write!(quoted, "%{octet:02X}")),
        }
    }
    quoted
}

/// What a terminal or a browser would show as something else is not shown at all.
fn shown(value: Option<&str>) -> Option<&str> {
    value.filter(|value| {
        !value.is_empty() && value.len() <= LONGEST && !value.chars().any(crate::fault::is_unseen)
    })
}

/// Somebody else's words on one line: nothing unseen, and not endless.
pub(super) fn one_line(words: &str) -> String {
    const LONGEST: usize = 500;
    let mut line = String::new();
    let (mut space, mut count) = (false, 0);
    for c in words.chars() {
        if c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}') {
            space = !line.is_empty();
            continue;
        }
        if count >= LONGEST {
            line.push('…');
            break;
        }
        if std::mem::take(&mut space) {
            line.push(' ');
        }
        line.push(if crate::fault::is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c });
        count += 1;
    }
    line
}

pub(super) fn is_guid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, octet)| match at {
            8 | 13 | 18 | 23 => octet == b'-',
            _ => octet.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_guid_stands_as_it_is_and_all_else_in_quotes() {
        let guid = "11112222-3333-4444-aaaa-66667777888F";
        assert_eq!(powershell(Some(guid), "<X>"), guid);
        assert_eq!(powershell(Some("erin@contoso.example"), "<X>"), "'erin@contoso.example'");
        assert_eq!(
            powershell(Some("o'brien@x; Remove-Mailbox"), "<X>"),
            "'o''brien@x; Remove-Mailbox'"
        );
        assert_eq!(powershell(Some("a’; iex"), "<X>"), "'a’’; iex'");
        assert_eq!(powershell(Some("$(calc)`n"), "<X>"), "'$(calc)`n'");
    }

    #[test]
    fn what_cannot_be_shown_is_a_placeholder() {
        let long = "x".repeat(1 << 20);
        for value in [None, Some(""), Some("a\nb"), Some("a\u{202E}b"), Some(long.as_str())] {
            assert_eq!(powershell(value, "<MAILBOX>"), "<MAILBOX>");
            assert_eq!(url(value, "<TENANT>"), "<TENANT>");
        }
    }

    #[test]
    fn a_url_gets_nothing_but_octets() {
        assert_eq!(url(Some(".."), "<TENANT>"), "<TENANT>");
        assert_eq!(url(Some("a/../?b=c&d#é"), "<X>"), "a%2F..%2F%3Fb%3Dc%26d%23%C3%A9");
    }

    #[test]
    fn words_become_one_line() {
        assert_eq!(one_line(" a\r\n\tb\u{2028}c\u{202E}d\u{7} "), "a b c\u{FFFD}d\u{FFFD}");
        assert_eq!(one_line(&"x".repeat(10_000)).chars().count(), 501);
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_quotes(value in "['’‘‚‛;$`a\\n]{0,40}") {
            let quoted = powershell(Some(&value), "<X>");
            if quoted != "<X>" {
                let inner = quoted.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
                let mut chars = inner.chars();
                while let Some(c) = chars.next() {
                    if "'’‘‚‛".contains(c) {
                        // The second of a pair, which PowerShell takes for a character.
                        prop_assert!(chars.next().is_some_and(|next| "'’‘‚‛".contains(next)));
                    }
                }
            }
        }
    }
}
