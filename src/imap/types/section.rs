//! Which piece of a message to fetch: what stands between the brackets of `BODY[…]`.

use std::fmt;

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

    /// At most `length` octets of it, from the octet `offset` on.
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

    /// Whether a response item is this piece: `spec` is what it has between the brackets and
    /// `origin` the offset it states behind them. Servers differ in case and quotes.
    pub(crate) fn answers_to(&self, spec: &[u8], origin: Option<u64>) -> bool {
        if self.partial.map(|(offset, _)| offset) != origin {
            return false;
        }
        let ours = SpecOf(self).to_string();
        let theirs = spec.iter().filter(|octet| **octet != b'"').map(u8::to_ascii_lowercase);
        theirs.eq(ours.bytes().map(|octet| octet.to_ascii_lowercase()))
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
                write!(f, "{separator}HEADER.FIELDS ({})", names.join(" "))
            }
            SectionText::HeaderFieldsNot(names) => {
                write!(f, "{separator}HEADER.FIELDS.NOT ({})", names.join(" "))
            }
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
        assert_eq!(
            Section::header_fields_not(["A", "B"]).of_part([3]).to_string(),
            "BODY[3.HEADER.FIELDS.NOT (A B)]"
        );
    }

    #[test]
    fn an_answer_may_differ_in_case_and_quotes_but_not_in_origin() {
        let fields = Section::header_fields(["Date", "From"]);
        assert!(fields.answers_to(b"HEADER.FIELDS (\"DATE\" \"FROM\")", None));
        assert!(!fields.answers_to(b"HEADER.FIELDS (DATE)", None));
        assert!(!fields.answers_to(b"HEADER.FIELDS (DATE FROM)", Some(0)));
        assert!(Section::full().partial(0, 9).answers_to(b"", Some(0)));
        assert!(!Section::full().partial(0, 9).answers_to(b"", None));
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
