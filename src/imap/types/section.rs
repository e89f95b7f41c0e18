//! Which piece of a message to fetch: what stands between the brackets of `BODY[…]`.

use std::fmt;

use crate::imap::proto::decode::Cursor;

/// A piece of a message (RFC 9051 section 6.4.5.1): all of it, a part, a header, some fields.
///
/// ```
/// use mailbearer::imap::Section;
///
/// assert_eq!(Section::full().to_string(), "BODY[]");
/// assert_eq!(Section::part([1, 2]).to_string(), "BODY[1.2]");
/// assert_eq!(Section::header().of_part([3]).to_string(), "BODY[3.HEADER]");
/// let fields = Section::header_fields(["From", "List-Id"]).partial(0, 2048);
/// assert_eq!(fields.to_string(), "BODY[HEADER.FIELDS (From List-Id)]<0.2048>");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Section {
    part: Vec<u32>,
    text: SectionText,
    partial: Option<(u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum SectionText {
    Content,
    Header,
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    Mime,
}

impl Section {
    const fn new(text: SectionText) -> Self {
        Self { part: Vec::new(), text, partial: None }
    }

    /// The whole message.
    pub const fn full() -> Self {
        Self::new(SectionText::Content)
    }

    /// The header, with the empty line after it.
    pub const fn header() -> Self {
        Self::new(SectionText::Header)
    }

    /// The fields of the header that have one of these names.
    pub fn header_fields<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::new(SectionText::HeaderFields(names.into_iter().map(N::into).collect()))
    }

    /// The fields of the header that have none of these names.
    pub fn header_fields_not<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::new(SectionText::HeaderFieldsNot(names.into_iter().map(N::into).collect()))
    }

    /// The body without the header.
    pub const fn text() -> Self {
        Self::new(SectionText::Text)
    }

    /// The content of a MIME part, still in its transfer encoding. Parts count from 1; `[3, 2]` is
    /// the second part of the third.
    pub fn part(path: impl IntoIterator<Item = u32>) -> Self {
        Self::full().of_part(path)
    }

    /// The MIME header of a part.
    pub fn mime(path: impl IntoIterator<Item = u32>) -> Self {
        Self::new(SectionText::Mime).of_part(path)
    }

    /// The same piece of the message that is enclosed as this part.
    pub fn of_part(mut self, path: impl IntoIterator<Item = u32>) -> Self {
        self.part = path.into_iter().collect();
        self
    }

    /// At most `length` octets of it, from the octet `offset` on. Both are at most 4,294,967,295, and
    /// where `IMAP4rev2` is spoken at most 2^63 - 1; larger ones are refused when the command is
    /// made.
    pub const fn partial(mut self, offset: u64, length: u64) -> Self {
        self.partial = Some((offset, length));
        self
    }

    /// The names of header fields in it, which a command has to check.
    pub(crate) fn field_names(&self) -> &[String] {
        match &self.text {
            SectionText::HeaderFields(names) | SectionText::HeaderFieldsNot(names) => names,
            _ => &[],
        }
    }

    /// What no server can answer, if it is that.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match &self.text {
            _ if self.part.contains(&0) => Some("parts are numbered from 1"),
            _ if matches!(self.partial, Some((_, 0))) => Some("a partial fetch of no octets"),
            SectionText::Mime if self.part.is_empty() => Some("a MIME header without a part"),
            SectionText::HeaderFields(names) | SectionText::HeaderFieldsNot(names)
                if names.is_empty() =>
            {
                Some("a list of no header fields")
            }
            _ => None,
        }
    }

    /// The larger of the two numbers of a partial fetch.
    pub(crate) fn largest_number(&self) -> u64 {
        self.partial.map_or(0, |(offset, length)| offset.max(length))
    }

    /// What BINARY cannot bring (RFC 3516), if it is that: it knows only parts.
    pub(crate) fn binary_fault(&self) -> Option<&'static str> {
        match &self.text {
            SectionText::Content => self.fault(),
            _ => Some("something of a part that has no transfer encoding"),
        }
    }

    /// Whether the item with this name is this piece: `BODY[TEXT]<0>`. Servers differ in case and
    /// quotes, and in the order of header fields; instead of the length they name only the first
    /// octet.
    pub(crate) fn answers_to(&self, name: &[u8]) -> bool {
        let Some((spec, origin)) = split(name) else { return false };
        if self.partial.map(|(offset, _)| offset) != origin {
            return false;
        }
        let mut spec = Cursor::new(spec);
        for (at, number) in self.part.iter().enumerate() {
            if at > 0 && !spec.eat(b'.') || spec.digits() != Some(u64::from(*number)) {
                return false;
            }
        }
        if !self.part.is_empty() && self.text != SectionText::Content && !spec.eat(b'.') {
            return false;
        }
        let (word, names) = match &self.text {
            SectionText::Content => ("", None),
            SectionText::Header => ("HEADER", None),
            SectionText::Text => ("TEXT", None),
            SectionText::Mime => ("MIME", None),
            SectionText::HeaderFields(names) => ("HEADER.FIELDS", Some(names)),
            SectionText::HeaderFieldsNot(names) => ("HEADER.FIELDS.NOT", Some(names)),
        };
        let is_word = spec
            .take(word.len())
            .is_some_and(|octets| octets.eq_ignore_ascii_case(word.as_bytes()));
        is_word
            && match names {
                Some(names) => same_names(names, spec),
                None => spec.at_end(),
            }
    }

    /// What stands in the brackets and behind them, for a command.
    pub(crate) fn bracketed(&self) -> impl fmt::Display + '_ {
        Bracketed(self)
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BODY{}", Bracketed(self))
    }
}

struct Bracketed<'a>(&'a Section);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", SpecOf(self.0))?;
        match self.0.partial {
            Some((offset, length)) => write!(f, "<{offset}.{length}>"),
            None => Ok(()),
        }
    }
}

struct SpecOf<'a>(&'a Section);

impl fmt::Display for SpecOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for number in &self.0.part {
            write!(f, "{separator}{number}")?;
            separator = ".";
        }
        match &self.0.text {
            SectionText::Content => Ok(()),
            SectionText::Header => write!(f, "{separator}HEADER"),
            SectionText::Text => write!(f, "{separator}TEXT"),
            SectionText::Mime => write!(f, "{separator}MIME"),
            SectionText::HeaderFields(names) => {
                write!(f, "{separator}HEADER.FIELDS ({})", listed(names))
            }
            SectionText::HeaderFieldsNot(names) => {
                write!(f, "{separator}HEADER.FIELDS.NOT ({})", listed(names))
            }
        }
    }
}

/// Names of header fields, one behind the other. `NIL` is one only in quotes.
fn listed(names: &[String]) -> String {
    let spelt = |name: &String| match name.eq_ignore_ascii_case("NIL") {
        true => format!("\"{name}\""),
        false => name.clone(),
    };
    names.iter().map(spelt).collect::<Vec<_>>().join(" ")
}

/// `BODY[spec]<origin>` in its pieces.
fn split(name: &[u8]) -> Option<(&[u8], Option<u64>)> {
    let start = memchr::memchr(b'[', name)? + 1;
    let end = memchr::memrchr(b']', name)?;
    let origin = name.get(end + 1..)?.strip_prefix(b"<");
    Some((name.get(start..end)?, origin.and_then(|origin| Cursor::new(origin).digits())))
}

/// Whether a list in parentheses has these names and no others.
fn same_names(ours: &[String], mut list: Cursor<'_>) -> bool {
    list.spaces();
    let mut found = vec![false; ours.len()];
    if !list.eat(b'(') {
        return false;
    }
    loop {
        list.spaces();
        if list.eat(b')') {
            return list.at_end() && found.iter().all(|found| *found);
        }
        let Ok(name) = list.astring() else { return false };
        let mut known = false;
        for (ours, found) in ours.iter().zip(&mut found) {
            if name.eq_ignore_ascii_case(ours) {
                (known, *found) = (true, true);
            }
        }
        if !known {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_section_is_spelt_as_in_the_grammar() {
        assert_eq!(Section::text().to_string(), "BODY[TEXT]");
        assert_eq!(Section::mime([4, 1]).to_string(), "BODY[4.1.MIME]");
        assert_eq!(Section::text().of_part([4, 2]).to_string(), "BODY[4.2.TEXT]");
        assert_eq!(Section::full().partial(10, 20).to_string(), "BODY[]<10.20>");
        assert_eq!(Section::header_fields(["nil"]).to_string(), "BODY[HEADER.FIELDS (\"nil\")]");
        assert_eq!(
            Section::header_fields_not(["A", "B"]).of_part([3]).to_string(),
            "BODY[3.HEADER.FIELDS.NOT (A B)]"
        );
    }

    #[test]
    fn an_answer_may_differ_in_case_quotes_and_order_but_not_in_origin() {
        let fields = Section::header_fields(["Date", "From"]);
        for same in [
            "BODY[HEADER.FIELDS (\"DATE\" \"FROM\")]",
            "BODY[HEADER.FIELDS (FROM DATE)]",
            "body[header.fields ( Date from )]",
            "BODY[HEADER.FIELDS (DATE FROM DATE)]",
        ] {
            assert!(fields.answers_to(same.as_bytes()), "{same}");
        }
        for other in [
            "BODY[HEADER.FIELDS (DATE)]",
            "BODY[HEADER.FIELDS (DATE FROM TO)]",
            "BODY[HEADER.FIELDS (DATE FROM)]<0>",
            "BODY[HEADER.FIELDS.NOT (DATE FROM)]",
            "BODY[1.HEADER.FIELDS (DATE FROM)]",
            "BODY[HEADER.FIELDS (DATE FROM",
            "BODY[HEADER.FIELDS DATE FROM]",
        ] {
            assert!(!fields.answers_to(other.as_bytes()), "{other}");
        }
        assert!(Section::full().partial(0, 9).answers_to(b"BODY[]<0>"));
        assert!(!Section::full().partial(0, 9).answers_to(b"BODY[]"));
        assert!(!Section::full().answers_to(b"BODY[]<0>"));
    }

    #[test]
    fn every_kind_of_section_answers_to_its_own_name_only() {
        let all = [
            Section::full(),
            Section::part([1]),
            Section::part([1, 2]),
            Section::part([12]),
            Section::header(),
            Section::text(),
            Section::text().of_part([1, 2]),
            Section::mime([1, 2]),
            Section::header_fields(["A", "B"]),
            Section::header_fields_not(["A", "B"]),
            Section::header_fields_not(["A", "B"]).of_part([1]),
        ];
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                assert_eq!(one.answers_to(other.to_string().as_bytes()), at == other_at, "{other}");
            }
        }
    }

    #[test]
    fn what_no_server_can_answer_is_recognised() {
        assert!(Section::mime([]).fault().is_some());
        assert!(Section::part([1, 0]).fault().is_some());
        assert!(Section::full().partial(0, 0).fault().is_some());
        assert!(Section::header_fields([""; 0]).fault().is_some());
        assert!(Section::part([1]).fault().is_none());
    }
}
