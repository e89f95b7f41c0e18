//! The reason a server gives for refusing a token, before it refuses it.
//!
//! RFC 7628 section 3.2.2 has one JSON object of strings; Google's XOAUTH2 sends `status`,
//! `schemes` and `scope`, sometimes with a line end after it. The reader below takes what those
//! need and no more, so that logging in does not depend on a JSON crate.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::secret::Scrubber;

/// What a server said about a token it refused: its JSON error challenge (RFC 7628 section 3.2.2,
/// and the same in XOAUTH2). Not every server sends one; Exchange Online does not.
///
/// What was echoed of the token is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    text: String,
    fields: Fields,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Fields {
    status: Option<String>,
    scope: Option<String>,
    schemes: Option<String>,
    openid_configuration: Option<String>,
}

impl Challenge {
    /// `decoded` is the challenge without its base64.
    pub(super) fn new(decoded: &[u8], scrubber: &Scrubber) -> Self {
        let text = scrubber.clean_str(decoded);
        let mut fields = Fields::default();
        // Escapes may have hidden an echo of the token until now, hence the second look.
        let well_formed = read_object(&text, |key, value| {
            let value = Some(scrubber.clean_str(value.as_bytes()));
            match key {
                "status" => fields.status = value,
                "scope" => fields.scope = value,
                "schemes" => fields.schemes = value,
                "openid-configuration" => fields.openid_configuration = value,
                _ => {}
            }
        });
        if well_formed.is_none() {
            fields = Fields::default();
        }
        Self { text, fields }
    }

    /// An HTTP status such as `400` (Google), or an error of RFC 6750 such as `invalid_token`.
    pub fn status(&self) -> Option<&str> {
        self.fields.status.as_deref()
    }

    /// The scope that a token needs to be accepted, if the server tells.
    pub fn scope(&self) -> Option<&str> {
        self.fields.scope.as_deref()
    }

    /// The authentication schemes the server takes, such as `Bearer`. XOAUTH2 only.
    pub fn schemes(&self) -> Option<&str> {
        self.fields.schemes.as_deref()
    }

    /// Where the OAuth server describes itself: a URL of OpenID Connect Discovery.
    pub fn openid_configuration(&self) -> Option<&str> {
        self.fields.openid_configuration.as_deref()
    }

    /// All the server said, whether it could be read or not. Invalid UTF-8 is replaced.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// How deep values of no interest may nest.
const MAX_DEPTH: usize = 16;

/// Calls `field` for every member of one JSON object whose value is a string or a number, the
/// latter as written. `None` if the text is not one object, or nests too deep.
fn read_object(text: &str, mut field: impl FnMut(&str, &str)) -> Option<()> {
    let mut reader = Reader { text, chars: text.char_indices().peekable() };
    reader.skip_space();
    reader.expect('{')?;
    reader.members(|reader| {
        let key = reader.member_key()?;
        match reader.peek()? {
            '"' => field(&key, &reader.string()?),
            c if c == '-' || c.is_ascii_digit() => field(&key, reader.scalar()?),
            _ => reader.skip_value(1)?,
        }
        Some(())
    })?;
    reader.skip_space();
    reader.peek().is_none().then_some(())
}

/// A cursor over JSON text (RFC 8259). Every method leaves it behind what it read.
struct Reader<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, c)| *c)
    }

    fn next(&mut self) -> Option<char> {
        self.chars.next().map(|(_, c)| c)
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    fn skip_space(&mut self) {
        while self.chars.next_if(|(_, c)| matches!(c, ' ' | '\t' | '\r' | '\n')).is_some() {}
    }

    /// The comma-separated items of an object, after its opening brace.
    fn members(&mut self, member: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.items('}', member)
    }

    fn items(&mut self, end: char, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.skip_space();
        if self.peek()? == end {
            self.next();
            return Some(());
        }
        loop {
            item(self)?;
            self.skip_space();
            match self.next()? {
                ',' => self.skip_space(),
                c => return (c == end).then_some(()),
            }
        }
    }

    /// A key with its colon; the cursor is then at the value.
    fn member_key(&mut self) -> Option<String> {
        self.skip_space();
        let key = self.string()?;
        self.skip_space();
        self.expect(':')?;
        self.skip_space();
        Some(key)
    }

    fn string(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut value = String::new();
        loop {
            match self.next()? {
                '"' => return Some(value),
                '\\' => value.push(self.escape()?),
                // RFC 8259 section 7: control characters must be escaped.
                c if c < ' ' => return None,
                c => value.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(),
            c @ ('"' | '\\' | '/') => c,
            _ => return None,
        })
    }

    fn unicode_escape(&mut self) -> Option<char> {
        let first = self.hex4()?;
        if !(0xD800..0xDC00).contains(&first) {
            // A low surrogate on its own means nothing.
            return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.expect('\\')?;
        self.expect('u')?;
        let second = self.hex4()?;
        if !(0xDC00..0xE000).contains(&second) {
            return None;
        }
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    fn hex4(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |value, _| Some(value * 16 + self.next()?.to_digit(16)?))
    }

    /// A number, `true`, `false` or `null`, as written.
    fn scalar(&mut self) -> Option<&'a str> {
        let start = self.chars.peek()?.0;
        let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        while self.chars.next_if(|(_, c)| in_word(*c)).is_some() {}
        let end = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        self.text.get(start..end).filter(|word| !word.is_empty())
    }

    fn skip_value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            '"' => drop(self.string()?),
            '{' => {
                self.next();
                self.members(|reader| {
                    reader.member_key()?;
                    reader.skip_value(depth + 1)
                })?;
            }
            '[' => {
                self.next();
                self.items(']', |reader| reader.skip_value(depth + 1))?;
            }
            _ => drop(self.scalar()?),
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Challenge {
        Challenge::new(text.as_bytes(), &Scrubber::default())
    }

    #[test]
    fn gmails_challenge_gives_its_fields() {
        let decoded = STANDARD
            .decode(
                "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29v\
                 Z2xlLmNvbS8ifQ==",
            )
            .unwrap();
        let challenge = Challenge::new(&decoded, &Scrubber::default());
        assert_eq!(challenge.status(), Some("400"));
        assert_eq!(challenge.schemes(), Some("Bearer"));
        assert_eq!(challenge.scope(), Some("https://mail.google.com/"));
        assert_eq!(challenge.openid_configuration(), None);
    }

    #[test]
    fn googles_documented_challenge_ends_in_a_line_feed() {
        let decoded = STANDARD
            .decode(
                "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWls\
                 Lmdvb2dsZS5jb20vIn0K",
            )
            .unwrap();
        assert_eq!(decoded.last(), Some(&b'\n'));
        let challenge = Challenge::new(&decoded, &Scrubber::default());
        assert_eq!(challenge.status(), Some("401"));
        assert_eq!(challenge.schemes(), Some("bearer mac"));
        assert_eq!(challenge.scope(), Some("https://mail.google.com/"));
    }

    #[test]
    fn the_rfcs_challenge_gives_its_fields() {
        let challenge = read(
            r#"{"status":"invalid_token","scope":"example_scope",
                "openid-configuration":"https://example.com/.well-known/openid-configuration"}"#,
        );
        assert_eq!(challenge.status(), Some("invalid_token"));
        assert_eq!(challenge.scope(), Some("example_scope"));
        assert_eq!(
            challenge.openid_configuration(),
            Some("https://example.com/.well-known/openid-configuration")
        );
    }

    #[test]
    fn a_status_written_as_a_number_is_read_too() {
        assert_eq!(read(r#"{"status":401}"#).status(), Some("401"));
    }

    #[test]
    fn values_of_no_interest_are_passed_over() {
        let challenge = read(
            r#" { "a" : [1, -2.5e3, true, null, {"status": "inner"}, []], "b":{}, "scope":["x"],
                  "status" : "x" } "#,
        );
        assert_eq!(challenge.status(), Some("x"));
        assert_eq!(challenge.scope(), None);
    }

    #[test]
    fn escapes_and_surrogates_are_decoded() {
        let challenge = read(r#"{"status":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00","scope":"\udc00"}"#);
        assert_eq!(challenge.status(), Some("\"\\/\u{8}\u{c}\n\r\té😀"));
        assert_eq!(challenge.scope(), Some("\u{fffd}"));
    }

    #[test]
    fn text_that_is_not_one_object_keeps_its_text_and_has_no_fields() {
        for text in [
            "",
            "{",
            "[]",
            "\"status\"",
            "invalid_token",
            r#"{"status":"401""#,
            r#"{"status":"401"} trailing"#,
            r#"{"status":"401",}"#,
            r#"{"status" "401"}"#,
            r#"{"status":"401"]"#,
            r#"{"status":"\uD83Dx"}"#,
            r#"{"status":"\x"}"#,
            "{\"status\":\"a\nb\"}",
        ] {
            let challenge = read(text);
            assert_eq!(challenge.text(), text);
            assert_eq!(challenge.status(), None, "{text}");
        }
    }

    #[test]
    fn nesting_is_followed_sixteen_deep_and_no_further() {
        let nested = |depth: usize| {
            format!(r#"{{"x":{}1{},"status":"401"}}"#, "[".repeat(depth), "]".repeat(depth))
        };
        assert_eq!(read(&nested(15)).status(), Some("401"));
        assert_eq!(read(&nested(16)).status(), None);
        assert_eq!(read(&nested(100_000)).status(), None);
    }

    #[test]
    fn an_echo_hidden_by_escapes_is_taken_out_as_well() {
        let mut scrubber = Scrubber::default();
        scrubber.learn(b"abcd/efgh/ijkl/mnop");
        let challenge = Challenge::new(br#"{"status":"abcd\/efgh\/ijkl\/mnop"}"#, &scrubber);
        assert_eq!(challenge.status(), Some("[secret]"));
    }

    #[test]
    fn invalid_utf_8_is_replaced() {
        let challenge = Challenge::new(b"{\"status\":\"\xff\"}", &Scrubber::default());
        assert_eq!(challenge.status(), Some("\u{fffd}"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in any::<Vec<u8>>()) {
            Challenge::new(&text, &Scrubber::default());
        }

        #[test]
        fn nothing_near_to_json_makes_the_reader_panic(text in "[{}\\[\\]\",:u\\\\0-9a-f \n-]{0,64}") {
            read(&text);
        }
    }
}
