//! The envelope of a message: what the server made of its header (RFC 9051 section 7.5.2).

use std::fmt;

use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::types::Text;
use crate::imap::types::span::{Reader, Source, Span};

/// Date, subject and addresses of a message, as the server read them from its header.
///
/// It borrows from the [`Message`](crate::imap::Message) it belongs to, and visiting all of it
/// allocates nothing but what [`Text`] says. A field the server could not send in a form that can
/// be read is missing here, and so are those after it: [`is_complete`](Self::is_complete) tells.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    source: Source<'a>,
    /// Where its fields are, and the whole if it is not complete.
    fields: &'a [Span; Fields::COUNT + 1],
}

/// Where in an index the fields of an envelope are, one span each: strings, and runs of addresses,
/// which have four spans each. One more follows: the whole, if it is not complete.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields(u32);

impl Fields {
    const COUNT: usize = 10;

    /// Finds the fields of the envelope that comes next, and steps over it; over nothing if it has
    /// no end. Says as well why it is not complete.
    pub(crate) fn find(reader: &mut Reader<'_>) -> Parsed<(Self, Option<Malformed>)> {
        let mut fields = [Span::NONE; Self::COUNT + 1];
        let start = reader.cursor;
        let fault = Self::read(&mut fields, reader).err();
        if fault.is_some() {
            reader.cursor = start;
            reader.cursor.value()?;
            fields[Self::COUNT] = Span::between(start.at(), reader.at());
        }
        let first = reader.run_from(reader.spans.len()).first();
        reader.note_all(fields)?;
        Ok((Self(first), fault))
    }

    fn read(fields: &mut [Span; Self::COUNT + 1], reader: &mut Reader<'_>) -> Parsed<()> {
        let [date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id, _] =
            fields;
        reader.cursor.expect(b'(', "an envelope")?;
        reader.cursor.spaces();
        // Domino puts it in one pair of parentheses more (MailKit#943).
        let wrapped = reader.cursor.eat(b'(');
        // What had to be passed over, the first of it.
        let mut odd = None;
        for string in [date, subject] {
            *string = text(reader, &mut odd)?;
        }
        for list in [from, sender, reply_to, to, cc, bcc] {
            let first = reader.spans.len();
            let read = addresses(reader, &mut odd);
            *list = reader.run_from(first).into();
            read?;
        }
        for string in [in_reply_to, message_id] {
            *string = text(reader, &mut odd)?;
        }
        reader.cursor.end_list("the end of the envelope")?;
        if wrapped {
            reader.cursor.end_list("the end of the envelope")?;
        }
        odd.map_or(Ok(()), Err)
    }
}

/// A string. A list in its place is passed over and noted.
#[inline(always)]
fn text(reader: &mut Reader<'_>, odd: &mut Option<Malformed>) -> Parsed<Span> {
    match reader.strict_string() {
        Ok(span) => Ok(span),
        Err(why) => pass_over_list(reader, why, odd),
    }
}

#[cold]
fn pass_over_list(
    reader: &mut Reader<'_>,
    why: Malformed,
    odd: &mut Option<Malformed>,
) -> Parsed<Span> {
    if reader.next() != Some(b'(') {
        return Err(why);
    }
    reader.cursor.value()?;
    odd.get_or_insert(why);
    Ok(Span::NONE)
}

impl<'a> Envelope<'a> {
    pub(crate) fn new(source: Source<'a>, Fields(first): Fields) -> Self {
        let fields = source.spans.get(first as usize..).and_then(<[Span]>::first_chunk);
        Self { source, fields: fields.unwrap_or(const { &[Span::NONE; Fields::COUNT + 1] }) }
    }

    #[inline]
    fn string(&self, field: usize) -> Option<Text<'a>> {
        self.fields[field].text(self.source.frame)
    }

    #[inline]
    fn addresses(&self, field: usize) -> Addresses<'a> {
        Addresses { source: self.source.run(self.fields[field].into()) }
    }

    /// The `Date` field.
    #[inline]
    pub fn date(&self) -> Option<Text<'a>> {
        self.string(0)
    }

    /// The `Subject` field.
    #[inline]
    pub fn subject(&self) -> Option<Text<'a>> {
        self.string(1)
    }

    /// The `From` field.
    #[inline]
    pub fn from(&self) -> Addresses<'a> {
        self.addresses(2)
    }

    /// The `Sender` field; what `From` says if there is none.
    #[inline]
    pub fn sender(&self) -> Addresses<'a> {
        self.addresses(3)
    }

    /// The `Reply-To` field; what `From` says if there is none.
    #[inline]
    pub fn reply_to(&self) -> Addresses<'a> {
        self.addresses(4)
    }

    /// The `To` field.
    #[inline]
    pub fn to(&self) -> Addresses<'a> {
        self.addresses(5)
    }

    /// The `Cc` field.
    #[inline]
    pub fn cc(&self) -> Addresses<'a> {
        self.addresses(6)
    }

    /// The `Bcc` field.
    #[inline]
    pub fn bcc(&self) -> Addresses<'a> {
        self.addresses(7)
    }

    /// The `In-Reply-To` field.
    #[inline]
    pub fn in_reply_to(&self) -> Option<Text<'a>> {
        self.string(8)
    }

    /// The `Message-ID` field.
    #[inline]
    pub fn message_id(&self) -> Option<Text<'a>> {
        self.string(9)
    }

    /// Whether the whole envelope could be read. Fields that some servers leave out at its end
    /// are not a fault.
    pub fn is_complete(&self) -> bool {
        self.fields[Fields::COUNT] == Span::NONE
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
    #[inline]
    pub fn iter(&self) -> AddressIter<'a> {
        let (addresses, _) = self.source.spans.as_chunks();
        AddressIter { frame: self.source.frame, addresses: addresses.iter() }
    }
}

impl<'a> IntoIterator for Addresses<'a> {
    type Item = Address<'a>;
    type IntoIter = AddressIter<'a>;

    #[inline]
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

    #[inline]
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
    #[inline]
    pub fn name(&self) -> Option<Text<'a>> {
        self.spans[0].text(self.frame)
    }

    /// The source route of old, nearly always missing.
    #[inline]
    pub fn route(&self) -> Option<Text<'a>> {
        self.spans[1].text(self.frame)
    }

    /// The part before the `@`. Without a [`host`](Self::host), the name of the group that begins
    /// here; missing where a group ends.
    #[inline]
    pub fn mailbox(&self) -> Option<Text<'a>> {
        self.spans[2].text(self.frame)
    }

    /// The part after the `@`; missing where a group begins or ends. Exchange puts
    /// `.MISSING-HOST-NAME.` there if it knows none, and Dovecot `MISSING_DOMAIN`.
    #[inline]
    pub fn host(&self) -> Option<Text<'a>> {
        self.spans[3].text(self.frame)
    }

    /// `mailbox@host`, if it is an address and not a mark of a group. Gmail swaps names and addresses
    /// that it cannot read, and knows no host then: the address is found in the name. None where the
    /// server says that it knows no host or no mailbox.
    pub fn to_addr_spec(&self) -> Option<String> {
        let mailbox = self.mailbox()?;
        match self.host() {
            Some(host) if is_placeholder(&host) || is_placeholder(&mailbox) => None,
            Some(host) => Some(format!("{}@{}", mailbox.to_str_lossy(), host.to_str_lossy())),
            None => swapped(&self.name()?.to_str_lossy()).map(str::to_owned),
        }
    }
}

/// What servers put in the place of a host or a mailbox that they do not know: Exchange (MailKit#1451,
/// MailKit#846) and Dovecot.
fn is_placeholder(text: &Text<'_>) -> bool {
    const KNOWN: [&str; 3] = [".MISSING-HOST-NAME.", "MISSING_DOMAIN", "MISSING_MAILBOX"];
    KNOWN.iter().any(|known| text.eq_ignore_ascii_case(known))
}

/// The address that stands in the place of a name: `("Calendar <calendar@example.com>" NIL "Google"
/// NIL)` (Gmail, MailKit#263 and #1319). The marks of groups have no name.
fn swapped(name: &str) -> Option<&str> {
    let address = match name.rsplit_once('<') {
        Some((_, behind)) => behind.trim_end().strip_suffix('>')?,
        None => name.trim(),
    };
    let (mailbox, host) = address.rsplit_once('@')?;
    let is_address = !mailbox.is_empty() && !host.is_empty() && !address.contains(' ');
    is_address.then_some(address)
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
fn addresses(reader: &mut Reader<'_>, odd: &mut Option<Malformed>) -> Parsed<()> {
    match reader.next() {
        Some(b')') => return Ok(()),
        Some(b'N') if reader.cursor.eat_plain_nil() => return Ok(()),
        Some(b'(') => reader.cursor.eat(b'('),
        _ => return reader.cursor.nstring().map(|_| ()),
    };
    while !reader.closes() {
        if reader.cursor.peek() == Some(b'(') {
            let (start, known) = (reader.cursor, reader.spans.len());
            if let Err(why) = address(reader) {
                reader.spans.truncate(known);
                reader.cursor = start;
                odd_address(reader, why, odd)?;
            }
        } else {
            // SmarterMail sends NIL among addresses (MailKit#991).
            reader.cursor.nstring()?;
        }
    }
    Ok(())
}

fn address(reader: &mut Reader<'_>) -> Parsed<()> {
    reader.cursor.expect(b'(', "an address")?;
    let address: [Span; SPANS] = [
        reader.strict_string()?,
        reader.strict_string()?,
        reader.strict_string()?,
        reader.strict_string()?,
    ];
    reader.note_all(address)?;
    // Mostly it ends without a space, and so does the list.
    let closes = reader.cursor.eat(b')') || reader.closes();
    if closes { Ok(()) } else { Err(Malformed("the end of an address")) }
}

/// Reads an address that is none, or passes over it and notes that.
#[cold]
fn odd_address(reader: &mut Reader<'_>, why: Malformed, odd: &mut Option<Malformed>) -> Parsed<()> {
    let mut ahead = reader.cursor;
    reader.cursor.value()?;
    match miscounted(&mut ahead) {
        Some(address) => reader.note_all(address)?,
        None => drop(odd.get_or_insert(why)),
    }
    reader.cursor.eat(b' ');
    Ok(())
}

/// An address whose name is a literal that the server has counted in characters, so that the end of
/// it stands behind it as if it were words: `({3}\r\nАнна NIL "anna" "x.com")` (DavMail,
/// MailKit#1369). The last two strings are mailbox and host, and the one before them is the route.
fn miscounted(cursor: &mut Cursor<'_>) -> Option<[Span; SPANS]> {
    cursor.eat(b'(');
    cursor.spaces();
    let octets = cursor.literal().ok()?.len();
    let start = cursor.at() - octets;
    let (mut name_ends, mut strings) = (cursor.at(), Vec::new());
    loop {
        cursor.spaces();
        if cursor.eat(b')') {
            break;
        }
        let quote = usize::from(cursor.peek() == Some(b'"'));
        let string = cursor.nstring().ok()?.map_or(Span::NONE, |text| {
            let end = cursor.at() - quote;
            Span::between(end.saturating_sub(text.raw().len()), end)
        });
        strings.push((string, cursor.at()));
        // What is more than three is the name.
        if strings.len() > 3 {
            name_ends = strings.remove(0).1;
        }
    }
    let [(route, _), (mailbox, _), (host, _)] = strings[..] else { return None };
    Some([Span::between(start, name_ends), route, mailbox, host])
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
        let mut reader = Reader::new(frame, 0)?;
        let (fields, _) = Fields::find(&mut reader)?;
        let rest = reader.cursor.rest();
        let source = Source { frame, spans: reader.spans.leak() };
        Ok((Envelope::new(source, fields), rest))
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
    fn gmail_puts_an_address_that_it_cannot_read_where_the_name_belongs() {
        let envelope = parse(
            b"(NIL NIL ((\"Calendar <calendar@example.com>\" NIL \"Google\" NIL)) \
            ((\"<ann@example.com>\" NIL \"=?UTF-8?Q?Ann?=\" NIL)(\"bob@example.com\" NIL \"Bob\" NIL)) \
            NIL ((NIL NIL \"friends@home\" NIL)(\"Ann\" NIL \"x\" NIL)(NIL NIL NIL NIL)) \
            NIL NIL NIL NIL)",
        );
        assert_eq!(specs(envelope.from()), ["calendar@example.com"]);
        assert_eq!(specs(envelope.sender()), ["ann@example.com", "bob@example.com"]);
        // The marks of a group are none.
        assert!(envelope.to().iter().all(|mark| mark.to_addr_spec().is_none()));
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
        assert!(!envelope.is_complete());
        assert_eq!(specs(envelope.from()), ["a@x", "b@x"]);
        assert_eq!(envelope.from().len(), 2);
    }

    #[test]
    fn a_list_in_the_place_of_a_string_is_a_fault_and_what_is_behind_it_is_read() {
        let envelope = parse(
            b"(\"d\" ((\"s\")) ((NIL NIL \"a\" (x))(NIL NIL \"b\" \"x\")) NIL NIL NIL NIL NIL (y) \"<1>\")",
        );
        assert!(!envelope.is_complete() && envelope.subject().is_none());
        assert_eq!(envelope.date().unwrap(), "d");
        assert_eq!(specs(envelope.from()), ["b@x"]);
        assert_eq!(envelope.message_id().unwrap(), "<1>");
        let nothing = parse(b"(NIL (NIL) () () () () () () () ())");
        assert!(nothing.is_complete() && nothing.subject().is_none());
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
