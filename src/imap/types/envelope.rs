//! The envelope of a message: what the server made of its header (RFC 9051 section 7.5.2).

use std::fmt;

use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::types::Text;
use crate::imap::types::span::Span;

/// Date, subject and addresses of a message, as the server read them from its header.
///
/// It borrows from the [`Message`](crate::imap::Message) it belongs to, and visiting all of it
/// allocates nothing but what [`Text`] says. A field the server could not send in a form that can
/// be read is missing here, and so are those after it: [`is_complete`](Self::is_complete) tells.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    source: Source<'a>,
    fields: &'a Fields,
}

/// Where the fields of an envelope lie: found once, when the response is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    /// Date, Subject, In-Reply-To, Message-ID.
    strings: [Span; 4],
    /// From, Sender, Reply-To, To, Cc, Bcc: which spans of the index, four to an address.
    addresses: [(u32, u32); 6],
    complete: bool,
}

/// A frame and the index of its strings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) frame: &'a [u8],
    pub(crate) spans: &'a [Span],
}

impl Fields {
    const STRINGS: [Option<usize>; 10] =
        [Some(0), Some(1), None, None, None, None, None, None, Some(2), Some(3)];

    /// Finds the fields of the envelope at `cursor`, which lies in a frame of `octets`, and steps
    /// over it; over nothing if it has no end. The strings of addresses are added to `spans`.
    pub(crate) fn find(
        octets: usize,
        cursor: &mut Cursor<'_>,
        spans: &mut Vec<Span>,
    ) -> Parsed<Self> {
        let mut found = Self::default();
        let mut reader = *cursor;
        if found.read(octets, &mut reader, spans).is_ok() {
            found.complete = true;
            *cursor = reader;
        } else {
            cursor.value()?;
        }
        Ok(found)
    }

    fn read(
        &mut self,
        octets: usize,
        cursor: &mut Cursor<'_>,
        spans: &mut Vec<Span>,
    ) -> Parsed<()> {
        cursor.expect(b'(', "an envelope")?;
        cursor.spaces();
        // Domino puts it in one pair of parentheses more (MailKit#943).
        let wrapped = cursor.eat(b'(');
        for (field, string) in Self::STRINGS.into_iter().enumerate() {
            match string.and_then(|string| self.strings.get_mut(string)) {
                Some(string) => *string = Span::read(octets, cursor)?,
                None => {
                    let first = index(spans.len())?;
                    let read = addresses(octets, cursor, spans);
                    if let Some(range) = self.addresses.get_mut(field - 2) {
                        *range = (first, index(spans.len())?);
                    }
                    read?;
                }
            }
        }
        cursor.end_list("the end of the envelope")?;
        if wrapped {
            cursor.end_list("the end of the envelope")?;
        }
        Ok(())
    }
}

impl<'a> Envelope<'a> {
    pub(crate) const fn new(source: Source<'a>, fields: &'a Fields) -> Self {
        Self { source, fields }
    }

    fn string(&self, number: usize) -> Option<Text<'a>> {
        self.fields.strings.get(number)?.text(self.source.frame)
    }

    fn addresses(&self, number: usize) -> Addresses<'a> {
        let (first, last) = self.fields.addresses.get(number).copied().unwrap_or_default();
        let spans = self.source.spans.get(first as usize..last as usize).unwrap_or_default();
        Addresses { source: Source { frame: self.source.frame, spans } }
    }

    /// The `Date` field.
    pub fn date(&self) -> Option<Text<'a>> {
        self.string(0)
    }

    /// The `Subject` field.
    pub fn subject(&self) -> Option<Text<'a>> {
        self.string(1)
    }

    /// The `From` field.
    pub fn from(&self) -> Addresses<'a> {
        self.addresses(0)
    }

    /// The `Sender` field; what `From` says if there is none.
    pub fn sender(&self) -> Addresses<'a> {
        self.addresses(1)
    }

    /// The `Reply-To` field; what `From` says if there is none.
    pub fn reply_to(&self) -> Addresses<'a> {
        self.addresses(2)
    }

    /// The `To` field.
    pub fn to(&self) -> Addresses<'a> {
        self.addresses(3)
    }

    /// The `Cc` field.
    pub fn cc(&self) -> Addresses<'a> {
        self.addresses(4)
    }

    /// The `Bcc` field.
    pub fn bcc(&self) -> Addresses<'a> {
        self.addresses(5)
    }

    /// The `In-Reply-To` field.
    pub fn in_reply_to(&self) -> Option<Text<'a>> {
        self.string(2)
    }

    /// The `Message-ID` field.
    pub fn message_id(&self) -> Option<Text<'a>> {
        self.string(3)
    }

    /// Whether the whole envelope could be read. Fields that some servers leave out at its end
    /// are not a fault.
    pub const fn is_complete(&self) -> bool {
        self.fields.complete
    }
}

/// The addresses of one header field, in order.
#[derive(Clone, Copy)]
pub struct Addresses<'a> {
    source: Source<'a>,
}

impl<'a> Addresses<'a> {
    /// Whether the field is missing or names nobody.
    pub const fn is_empty(&self) -> bool {
        self.source.spans.is_empty()
    }

    /// How many there are, the marks of groups counted too.
    pub const fn len(&self) -> usize {
        self.source.spans.len() / SPANS
    }

    /// The addresses, from the first.
    pub fn iter(&self) -> AddressIter<'a> {
        let (addresses, _) = self.source.spans.as_chunks();
        AddressIter { frame: self.source.frame, addresses: addresses.iter() }
    }
}

impl<'a> IntoIterator for Addresses<'a> {
    type Item = Address<'a>;
    type IntoIter = AddressIter<'a>;

    fn into_iter(self) -> AddressIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// See [`Addresses::iter`].
#[derive(Debug, Clone)]
pub struct AddressIter<'a> {
    frame: &'a [u8],
    addresses: std::slice::Iter<'a, [Span; SPANS]>,
}

impl<'a> Iterator for AddressIter<'a> {
    type Item = Address<'a>;

    fn next(&mut self) -> Option<Address<'a>> {
        self.addresses.next().map(|spans| Address { frame: self.frame, spans })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.addresses.size_hint()
    }
}

impl ExactSizeIterator for AddressIter<'_> {}

/// Name, route, mailbox, host.
const SPANS: usize = 4;

/// One address of a header field, or the beginning or end of a group (RFC 5322 section 3.4).
#[derive(Clone, Copy)]
pub struct Address<'a> {
    frame: &'a [u8],
    spans: &'a [Span; SPANS],
}

impl<'a> Address<'a> {
    /// The display name, with the encoded words of RFC 2047 still in it.
    pub fn name(&self) -> Option<Text<'a>> {
        self.spans[0].text(self.frame)
    }

    /// The source route of old, nearly always missing.
    pub fn route(&self) -> Option<Text<'a>> {
        self.spans[1].text(self.frame)
    }

    /// The part before the `@`. Without a [`host`](Self::host), the name of the group that begins
    /// here; missing where a group ends.
    pub fn mailbox(&self) -> Option<Text<'a>> {
        self.spans[2].text(self.frame)
    }

    /// The part after the `@`; missing where a group begins or ends. Exchange puts
    /// `.MISSING-HOST-NAME.` there if it knows none.
    pub fn host(&self) -> Option<Text<'a>> {
        self.spans[3].text(self.frame)
    }

    /// `mailbox@host`, if it is an address and not a mark of a group.
    pub fn to_addr_spec(&self) -> Option<String> {
        Some(format!("{}@{}", self.mailbox()?.to_str_lossy(), self.host()?.to_str_lossy()))
    }
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("name", &self.name())
            .field("mailbox", &self.mailbox())
            .field("host", &self.host())
            .finish_non_exhaustive()
    }
}

/// Reads a list of addresses; none where there is `NIL`, `()` (hydroxide, rust-imap#166) or
/// nothing.
fn addresses(octets: usize, cursor: &mut Cursor<'_>, spans: &mut Vec<Span>) -> Parsed<()> {
    cursor.spaces();
    match cursor.peek() {
        Some(b')') => return Ok(()),
        Some(b'(') => cursor.eat(b'('),
        _ => return cursor.nstring().map(|_| ()),
    };
    loop {
        cursor.spaces();
        match cursor.peek() {
            Some(b')') => {
                cursor.eat(b')');
                return Ok(());
            }
            Some(b'(') => {
                let (whole, known) = (*cursor, spans.len());
                if address(octets, cursor, spans).is_err() {
                    spans.truncate(known);
                    *cursor = whole;
                    cursor.value()?;
                }
            }
            // SmarterMail sends NIL among addresses (MailKit#991).
            _ => drop(cursor.nstring()?),
        }
    }
}

fn address(octets: usize, cursor: &mut Cursor<'_>, spans: &mut Vec<Span>) -> Parsed<()> {
    cursor.expect(b'(', "an address")?;
    for _ in 0..SPANS {
        spans.push(Span::read(octets, cursor)?);
    }
    cursor.spaces();
    cursor.expect(b')', "the end of an address")
}

fn index(at: usize) -> Parsed<u32> {
    u32::try_from(at).map_err(|_| Malformed("fewer addresses"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3501 section 8.
    const EXAMPLE: &[u8] = b"(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \
        \"IMAP4rev1 WG mtg summary and minutes\" \
        ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
        ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
        ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
        ((NIL NIL \"imap\" \"cac.washington.edu\")) \
        ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")\
        (\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
        \"<B27397-0100000@cac.washington.edu>\")";

    /// Reads an envelope at the start of a frame, and what is left of the frame.
    fn find(frame: &'static [u8]) -> Parsed<(Envelope<'static>, &'static [u8])> {
        let mut cursor = Cursor::new(frame);
        let mut spans = Vec::new();
        let fields = Fields::find(frame.len(), &mut cursor, &mut spans)?;
        let source = Source { frame, spans: spans.leak() };
        Ok((Envelope::new(source, Box::leak(Box::new(fields))), cursor.rest()))
    }

    fn parse(envelope: &'static [u8]) -> Envelope<'static> {
        let (envelope, rest) = find(envelope).unwrap();
        assert_eq!(rest, b"");
        envelope
    }

    fn specs(addresses: Addresses<'_>) -> Vec<String> {
        addresses.iter().map(|address| address.to_addr_spec().unwrap()).collect()
    }

    #[test]
    fn the_example_of_rfc_3501_is_read_in_full() {
        let envelope = parse(EXAMPLE);
        assert!(envelope.is_complete());
        assert_eq!(envelope.date().unwrap(), "Wed, 17 Jul 1996 02:23:25 -0700 (PDT)");
        assert_eq!(envelope.subject().unwrap(), "IMAP4rev1 WG mtg summary and minutes");
        assert_eq!(specs(envelope.from()), ["gray@cac.washington.edu"]);
        assert_eq!(envelope.from().iter().next().unwrap().name().unwrap(), "Terry Gray");
        assert_eq!(specs(envelope.to()), ["imap@cac.washington.edu"]);
        assert_eq!(specs(envelope.cc()), ["minutes@CNRI.Reston.VA.US", "KLENSIN@MIT.EDU"]);
        assert!(envelope.bcc().is_empty() && envelope.in_reply_to().is_none());
        assert_eq!(envelope.message_id().unwrap(), "<B27397-0100000@cac.washington.edu>");
    }

    #[test]
    fn empty_lists_and_spaces_between_addresses_are_taken() {
        let envelope = parse(
            b"(NIL \"s\" ((NIL NIL \"a\" \"x\") (NIL NIL \"b\" \"x\")) () () () NIL NIL NIL NIL)",
        );
        assert!(envelope.is_complete());
        assert_eq!(specs(envelope.from()), ["a@x", "b@x"]);
        assert!(envelope.sender().is_empty());
    }

    #[test]
    fn nil_among_addresses_and_extra_parentheses_are_passed_over() {
        let envelope =
            parse(b"((NIL NIL (NIL (NIL NIL \"a\" \"x\") NIL) NIL NIL NIL NIL NIL NIL \"<1>\"))");
        assert!(envelope.is_complete());
        assert_eq!(specs(envelope.from()), ["a@x"]);
        assert_eq!(envelope.message_id().unwrap(), "<1>");
    }

    #[test]
    fn fields_left_out_at_the_end_are_just_missing() {
        let envelope = parse(b"(\"d\" \"s\" NIL NIL NIL NIL NIL NIL)");
        assert!(envelope.is_complete() && envelope.message_id().is_none());
        let nothing = parse(b"()");
        assert!(nothing.is_complete() && nothing.subject().is_none());
    }

    #[test]
    fn what_comes_before_a_fault_is_kept() {
        let (envelope, rest) =
            find(b"(\"d\" \"s\" ((NIL NIL \"a\" \"x\")) \t NIL NIL NIL NIL NIL NIL) rest").unwrap();
        assert_eq!(rest, b" rest");
        assert!(!envelope.is_complete());
        assert_eq!(envelope.subject().unwrap(), "s");
        assert_eq!(specs(envelope.from()), ["a@x"]);
        assert!(envelope.to().is_empty());
    }

    #[test]
    fn an_envelope_without_an_end_is_none() {
        assert!(find(b"(\"d\" \"no end").is_err());
    }

    #[test]
    fn strings_may_be_literals_and_hold_escaped_quotes() {
        let envelope = parse(
            b"({1}\r\nd \"a \\\"b\\\"\" ((\"The \\\"Team\\\"\" NIL {1}\r\n( x)) NIL NIL NIL NIL NIL NIL m)",
        );
        assert!(envelope.is_complete());
        assert_eq!(envelope.date().unwrap(), "d");
        assert_eq!(envelope.subject().unwrap(), "a \"b\"");
        let from = envelope.from().iter().next().unwrap();
        assert_eq!(from.name().unwrap(), "The \"Team\"");
        assert_eq!(from.to_addr_spec().unwrap(), "(@x");
        assert_eq!(envelope.message_id().unwrap(), "m");
    }

    #[test]
    fn an_address_that_makes_no_sense_is_left_out() {
        let envelope = parse(
            b"(NIL NIL ((NIL NIL \"a\" \"x\")(1 2 3 4 5)(NIL NIL \"b\" \"x\")) NIL NIL NIL NIL NIL NIL NIL)",
        );
        assert!(envelope.is_complete());
        assert_eq!(specs(envelope.from()), ["a@x", "b@x"]);
        assert_eq!(envelope.from().len(), 2);
    }

    #[test]
    fn fields_of_some_later_standard_are_passed_over() {
        let envelope = parse(b"(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL \"<1>\" (\"new\") 7)");
        assert!(envelope.is_complete());
        assert_eq!(envelope.message_id().unwrap(), "<1>");
    }

    #[test]
    fn a_group_shows_as_marks_around_its_members() {
        let envelope = parse(
            b"(NIL NIL ((NIL NIL \"staff\" NIL)(NIL NIL \"a\" \"x\")(NIL NIL NIL NIL)) NIL NIL NIL NIL NIL NIL NIL)",
        );
        let addresses: Vec<_> = envelope.from().iter().collect();
        assert_eq!(addresses.len(), 3);
        assert_eq!(addresses[0].mailbox().unwrap(), "staff");
        assert_eq!(addresses[0].to_addr_spec(), None);
        assert_eq!(addresses[1].to_addr_spec().unwrap(), "a@x");
        assert!(addresses[2].mailbox().is_none());
    }
}
