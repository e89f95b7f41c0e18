//! The envelope of a message: what the server made of its header (RFC 9051 section 7.5.2).

use std::fmt;

use crate::imap::proto::decode::{Cursor, Parsed};
use crate::imap::types::Text;

/// Date, subject and addresses of a message, as the server read them from its header.
///
/// It borrows from the [`Message`](crate::imap::Message) it belongs to, and visiting all of it
/// allocates nothing but what [`Text`] says. A field the server could not send in a form that can
/// be read is missing here, and so are those after it: [`is_complete`](Self::is_complete) tells.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    frame: &'a [u8],
    fields: Fields,
}

/// Where the fields of an envelope begin in a frame, found once, when the frame is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fields {
    /// Offsets into the frame, in the order of the wire; 0 for a field that is missing.
    starts: [u32; 10],
    complete: bool,
}

impl Fields {
    /// Finds the fields of the envelope at `cursor`, which lies in `frame`, and steps over it; over
    /// nothing if it has no end.
    pub(crate) fn find(frame: &[u8], cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let mut found = Self::default();
        let mut reader = *cursor;
        if found.read(frame, &mut reader).is_ok() {
            found.complete = true;
            *cursor = reader;
        } else {
            cursor.value()?;
        }
        Ok(found)
    }

    fn read(&mut self, frame: &[u8], cursor: &mut Cursor<'_>) -> Parsed<()> {
        cursor.expect(b'(', "an envelope")?;
        cursor.spaces();
        // Domino puts it in one pair of parentheses more (MailKit#943).
        let wrapped = cursor.eat(b'(');
        for start in &mut self.starts {
            cursor.spaces();
            if cursor.peek() == Some(b')') {
                break;
            }
            let at = frame.len() - cursor.rest().len();
            cursor.value()?;
            *start = u32::try_from(at).unwrap_or_default();
        }
        cursor.end_list("the end of the envelope")?;
        if wrapped {
            cursor.end_list("the end of the envelope")?;
        }
        Ok(())
    }
}

impl<'a> Envelope<'a> {
    pub(crate) const fn new(frame: &'a [u8], fields: Fields) -> Self {
        Self { frame, fields }
    }

    /// The frame from where this field begins.
    fn field(&self, number: usize) -> Option<Cursor<'a>> {
        let start = self.fields.starts.get(number).filter(|start| **start > 0)?;
        self.frame.get(*start as usize..).map(Cursor::new)
    }

    /// A string; a list in its place counts as none.
    fn string(&self, number: usize) -> Option<Text<'a>> {
        self.field(number)?.nstring().ok().flatten()
    }

    /// A list of addresses; none where there is `NIL`, `()` (hydroxide, rust-imap#166) or nothing.
    fn addresses(&self, number: usize) -> Addresses<'a> {
        Addresses { list: self.field(number).map_or(&[], |field| field.rest()) }
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
        self.addresses(2)
    }

    /// The `Sender` field; what `From` says if there is none.
    pub fn sender(&self) -> Addresses<'a> {
        self.addresses(3)
    }

    /// The `Reply-To` field; what `From` says if there is none.
    pub fn reply_to(&self) -> Addresses<'a> {
        self.addresses(4)
    }

    /// The `To` field.
    pub fn to(&self) -> Addresses<'a> {
        self.addresses(5)
    }

    /// The `Cc` field.
    pub fn cc(&self) -> Addresses<'a> {
        self.addresses(6)
    }

    /// The `Bcc` field.
    pub fn bcc(&self) -> Addresses<'a> {
        self.addresses(7)
    }

    /// The `In-Reply-To` field.
    pub fn in_reply_to(&self) -> Option<Text<'a>> {
        self.string(8)
    }

    /// The `Message-ID` field.
    pub fn message_id(&self) -> Option<Text<'a>> {
        self.string(9)
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
    /// Begins with the list, if there is one, and goes on behind it.
    list: &'a [u8],
}

impl<'a> Addresses<'a> {
    /// Whether the field is missing or names nobody.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The addresses, from the first.
    pub fn iter(&self) -> AddressIter<'a> {
        let mut list = Cursor::new(self.list);
        let list = if list.eat(b'(') { list } else { Cursor::new(&[]) };
        AddressIter { list }
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
    list: Cursor<'a>,
}

impl<'a> Iterator for AddressIter<'a> {
    type Item = Address<'a>;

    fn next(&mut self) -> Option<Address<'a>> {
        loop {
            self.list.spaces();
            if self.list.peek() == Some(b'(') {
                let mut direct = self.list;
                if let Ok(address) = Address::read(&mut direct) {
                    self.list = direct;
                    return Some(address);
                }
            }
            // SmarterMail sends NIL among addresses (MailKit#991).
            self.list.value().ok()?;
        }
    }
}

/// One address of a header field, or the beginning or end of a group (RFC 5322 section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    name: Option<Text<'a>>,
    route: Option<Text<'a>>,
    mailbox: Option<Text<'a>>,
    host: Option<Text<'a>>,
}

impl<'a> Address<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Parsed<Self> {
        cursor.expect(b'(', "an address")?;
        let name = string(cursor)?;
        let route = string(cursor)?;
        let mailbox = string(cursor)?;
        let host = string(cursor)?;
        cursor.spaces();
        cursor.expect(b')', "the end of an address")?;
        Ok(Self { name, route, mailbox, host })
    }

    /// The display name, with the encoded words of RFC 2047 still in it.
    pub const fn name(&self) -> Option<Text<'a>> {
        self.name
    }

    /// The source route of old, nearly always missing.
    pub const fn route(&self) -> Option<Text<'a>> {
        self.route
    }

    /// The part before the `@`. Without a [`host`](Self::host), the name of the group that begins
    /// here; missing where a group ends.
    pub const fn mailbox(&self) -> Option<Text<'a>> {
        self.mailbox
    }

    /// The part after the `@`; missing where a group begins or ends. Exchange puts
    /// `.MISSING-HOST-NAME.` there if it knows none.
    pub const fn host(&self) -> Option<Text<'a>> {
        self.host
    }

    /// `mailbox@host`, if it is an address and not a mark of a group.
    pub fn to_addr_spec(&self) -> Option<String> {
        Some(format!("{}@{}", self.mailbox?.to_str_lossy(), self.host?.to_str_lossy()))
    }
}

/// A string, NIL, or nothing where the list is over; a list in its place is passed over.
fn string<'a>(cursor: &mut Cursor<'a>) -> Parsed<Option<Text<'a>>> {
    cursor.spaces();
    match cursor.peek() {
        Some(b')') => Ok(None),
        Some(b'(') => cursor.value().map(|_| None),
        _ => cursor.nstring(),
    }
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

    /// An envelope in a frame of its own. No envelope begins at the first octet of a frame.
    fn parse(envelope: &[u8]) -> Envelope<'static> {
        let frame: &'static [u8] = [b" ", envelope].concat().leak();
        let mut cursor = Cursor::new(&frame[1..]);
        let fields = Fields::find(frame, &mut cursor);
        Envelope::new(frame, fields.unwrap_or_default())
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
        let frame = b" (\"d\" \"s\" ((NIL NIL \"a\" \"x\")) \t NIL NIL NIL NIL NIL NIL) rest";
        let mut cursor = Cursor::new(&frame[1..]);
        let fields = Fields::find(frame, &mut cursor).unwrap();
        assert_eq!(cursor.rest(), b" rest");
        let envelope = Envelope::new(frame, fields);
        assert!(!envelope.is_complete());
        assert_eq!(envelope.subject().unwrap(), "s");
        assert_eq!(specs(envelope.from()), ["a@x"]);
        assert!(envelope.to().is_empty());
    }

    #[test]
    fn an_envelope_without_an_end_is_none() {
        let mut cursor = Cursor::new(b"(\"d\" \"no end");
        assert!(Fields::find(b" (\"d\" \"no end", &mut cursor).is_err());
    }

    #[test]
    fn fields_of_some_later_standard_are_passed_over() {
        let envelope = parse(b"(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL \"<1>\" (\"new\") 7)");
        assert!(envelope.is_complete());
        assert_eq!(envelope.message_id().unwrap(), "<1>");
    }

    #[test]
    fn a_group_shows_as_marks_around_its_members() {
        let list = b"((NIL NIL \"staff\" NIL)(NIL NIL \"a\" \"x\")(NIL NIL NIL NIL))";
        let addresses: Vec<_> = Addresses { list }.iter().collect();
        assert_eq!(addresses.len(), 3);
        assert_eq!(addresses[0].mailbox().unwrap(), "staff");
        assert_eq!(addresses[0].to_addr_spec(), None);
        assert_eq!(addresses[1].to_addr_spec().unwrap(), "a@x");
        assert!(addresses[2].mailbox().is_none());
    }
}
