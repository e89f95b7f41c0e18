//! Reads the items of a FETCH response in one pass, into an index of where they lie.

use bytes::Bytes;

use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u64};
use crate::imap::proto::scan::{Row, either};
use crate::imap::types::Uid;
use crate::imap::types::body_structure::{self, Structure};
use crate::imap::types::envelope::Fields;
use crate::imap::types::item::{self, UnparsedReason, octets_of_line_end};
use crate::imap::types::span::{Kind, Reader, Span};

/// What a FETCH response holds, by where in its frame that lies.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Of each item its name, its value and where in this list they and the strings in it lie;
    /// behind that those strings, of an ENVELOPE and a structure.
    pub(super) spans: Vec<Span>,
    pub(super) uid: Option<Uid>,
    pub(super) size: Option<u64>,
    pub(super) flags: Span,
    pub(super) internal_date: Span,
    pub(super) envelope: Option<Fields>,
    pub(super) structure: Option<Found>,
    pub(super) odd: Option<Box<Odd>>,
}

/// A structure, where in the frame it lies, and whether BODYSTRUCTURE or BODY told it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) structure: Structure,
    pub(super) place: Span,
    kind: Kind,
}

/// What few messages have.
#[derive(Debug, Clone, Default)]
pub(super) struct Odd {
    /// Items that could not be read, and what is left of the response from where nothing could.
    pub(super) faults: Vec<(Span, UnparsedReason)>,
    /// Quoted strings with escapes in them, by their place, as they are without.
    pub(super) unescaped: Vec<(Span, Bytes)>,
}

impl Index {
    /// Reads what follows `* n FETCH`.
    ///
    /// # Errors
    /// Not even one item can be found.
    pub(super) fn read(frame: &[u8]) -> Parsed<Self> {
        // So many are enough for nearly all responses with an ENVELOPE and a BODYSTRUCTURE.
        let mut reader = Reader::new(frame, 16 + (frame.len() / 16).min(96))?;
        let mut index = Self::default();
        if let Err((at, reason)) = index.items(&mut reader) {
            match reason {
                UnparsedReason::Malformed { expected } if reader.spans.is_empty() => {
                    return Err(Malformed(expected));
                }
                _ => index.fault(Span::between(at, frame.len()), reason),
            }
        }
        index.spans = reader.spans;
        Ok(index)
    }

    /// Of a frame in which nothing can be read.
    pub(super) fn of_nothing(frame: &[u8], reason: UnparsedReason) -> Self {
        let mut index = Self::default();
        index.fault(Span::between(0, frame.len()), reason);
        index
    }

    /// Each takes more room than its text, and no request asks for so many.
    const MOST_ITEMS: usize = 10_000;
    /// To look for what is behind an item without an end may cost as much as the frame is long.
    const MOST_FAULTS: usize = 4;

    /// Reads the items, up to the place from which nothing can be found.
    fn items(&mut self, reader: &mut Reader<'_>) -> Result<(), (usize, UnparsedReason)> {
        reader.cursor.expect(b'(', "a list of items").map_err(|why| (0, why.into()))?;
        for _ in 0..Self::MOST_ITEMS {
            if reader.closes() {
                let why = Malformed("the end of the response");
                return if reader.cursor.at_end() {
                    Ok(())
                } else {
                    Err((reader.at(), why.into()))
                };
            }
            let (at, known) = (reader.at(), reader.spans.len());
            if let Err(why) = self.item(reader) {
                reader.spans.truncate(known);
                self.pass_over(at, why, reader)?;
            }
        }
        Err((reader.at(), UnparsedReason::TooMany { limit: Self::MOST_ITEMS }))
    }

    /// Steps over what cannot be read here, if it can be told what is behind it.
    #[cold]
    fn pass_over(
        &mut self,
        at: usize,
        why: Malformed,
        reader: &mut Reader<'_>,
    ) -> Result<(), (usize, UnparsedReason)> {
        let rest = reader.frame().get(at..).unwrap_or_default();
        if rest.trim_ascii().is_empty() {
            return Err((at, Malformed("the end of the list").into()));
        }
        let (behind, why) = match octets_of_line_end(rest) {
            // A server that does not count the last line end of a message (MailKit#954).
            octets @ 1.. => (Some(at + octets), Malformed("no line end behind a literal")),
            _ => (rough_end(rest).map(|end| at + end), why),
        };
        let known = self.odd.as_ref().map_or(0, |odd| odd.faults.len());
        match behind.filter(|_| known < Self::MOST_FAULTS) {
            Some(behind) => {
                self.fault(Span::between(at, behind), why.into());
                reader.cursor.go_to(behind);
                Ok(())
            }
            None => Err((at, why.into())),
        }
    }

    /// Reads one item.
    ///
    /// # Errors
    /// Its end cannot be found.
    fn item(&mut self, reader: &mut Reader<'_>) -> Parsed<()> {
        let (kind, name) = name(&mut reader.cursor)?;
        let name = Span::between(reader.at() - name.len(), reader.at());
        let is_list = reader.next() == Some(b'(');
        let (known, start) = (reader.spans.len(), reader.at());
        reader.note_all([name, Span::NONE, Span::NONE])?;
        match kind {
            Kind::Envelope | Kind::BodyStructure | Kind::Body if is_list => {
                self.list(kind, name, reader)?;
            }
            _ => self.value(kind, name, reader)?,
        }
        let value = Span::between(start, reader.at());
        let all = reader.run_from(known).into();
        if let Some([_, place, run]) = reader.spans.get_mut(known..known + 3) {
            (*place, *run) = (value, all);
        }
        Ok(())
    }

    /// Reads a list that has an index of its own. Of one that cannot be read the octets are kept,
    /// if it has an end.
    fn list(&mut self, kind: Kind, name: Span, reader: &mut Reader<'_>) -> Parsed<()> {
        let (known, whole) = (reader.spans.len(), reader.cursor);
        let read = match kind {
            Kind::Envelope => self.envelope(reader),
            _ => self.structure(kind, reader).map(|()| None),
        };
        if read.is_err() {
            reader.spans.truncate(known);
            reader.cursor = whole;
            reader.cursor.value()?;
        }
        if let Err(reason) | Ok(Some(reason)) = read {
            self.fault(Span::between(name.start(), reader.at()), reason);
        }
        Ok(())
    }

    /// Reads an envelope, and says why that was not possible to its end.
    fn envelope(
        &mut self,
        reader: &mut Reader<'_>,
    ) -> Result<Option<UnparsedReason>, UnparsedReason> {
        let (fields, fault) = Fields::find(reader)?;
        self.envelope.get_or_insert(fields);
        Ok(fault.map(UnparsedReason::from))
    }

    /// Reads a structure. BODYSTRUCTURE counts more than BODY.
    fn structure(&mut self, kind: Kind, reader: &mut Reader<'_>) -> Result<(), UnparsedReason> {
        let start = reader.at();
        let structure = body_structure::read(reader)?;
        if self
            .structure
            .as_ref()
            .is_none_or(|found| found.kind == Kind::Body && found.kind != kind)
        {
            let place = Span::between(start, reader.at());
            self.structure = Some(Found { structure, place, kind });
        }
        Ok(())
    }

    fn value(&mut self, kind: Kind, name: Span, reader: &mut Reader<'_>) -> Parsed<()> {
        let start = reader.at();
        if let Kind::Uid | Kind::Size = kind {
            let number = match reader.cursor.plain_number() {
                None => parse_u64(reader.cursor.value()?),
                number => number,
            };
            match kind {
                Kind::Uid if self.uid.is_none() => {
                    self.uid = number.and_then(|number| Uid::new(number.try_into().ok()?));
                    if self.uid.is_none() {
                        let place = Span::between(name.start(), reader.at());
                        self.fault(place, Malformed("a number of 32 bits, at least 1").into());
                    }
                }
                Kind::Size => self.size = self.size.or(number),
                _ => {}
            }
            return Ok(());
        }
        let value = match reader.cursor.value() {
            Ok(value) => value,
            // Yandex leaves out what is empty (MailKit#1708).
            Err(_) if kind.is_section() && reader.cursor.peek() == Some(b')') => return Ok(()),
            Err(why) => return Err(why),
        };
        let place = Span::between(start, reader.at());
        match kind {
            Kind::Flags if self.flags.is_none() => self.flags = place,
            Kind::InternalDate if self.internal_date.is_none() => self.internal_date = place,
            _ if kind.is_section() && value.starts_with(b"\"") => {
                let text = Cursor::new(value).quoted()?;
                if text.borrowed().is_none() {
                    let octets = text.to_bytes().into_owned().into();
                    self.odd.get_or_insert_default().unescaped.push((place, octets));
                }
            }
            _ => {}
        }
        Ok(())
    }

    #[cold]
    pub(super) fn fault(&mut self, place: Span, reason: UnparsedReason) {
        self.odd.get_or_insert_default().faults.push((place, reason));
    }

    /// Gives back what memory it does not need.
    pub(super) fn shrink_to_fit(&mut self) {
        self.spans.shrink_to_fit();
        if let Some(found) = &mut self.structure {
            found.structure.shrink_to_fit();
        }
    }

    /// Octets of memory it takes.
    pub(super) fn octets(&self) -> usize {
        let structure = self.structure.as_ref().map_or(0, |found| found.structure.octets());
        self.spans.len() * size_of::<Span>() + structure
    }
}

/// Where the item ends that begins here and has a list in which a quotation mark is without its other:
/// parentheses are counted as if there were no quotes. Only if all that is behind it can be read, up
/// to the end of the response; elsewhere it is a guess.
fn rough_end(text: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(text);
    item::name(&mut cursor).ok()?;
    cursor.spaces();
    if cursor.peek() != Some(b'(') {
        return None;
    }
    let mut depth = 0_usize;
    loop {
        match cursor.peek()? {
            b'{' if cursor.literal().is_ok() => continue,
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        cursor.take(1)?;
        if depth == 0 {
            break;
        }
    }
    let end = cursor.at();
    loop {
        cursor.spaces();
        if cursor.eat(b')') {
            return cursor.at_end().then_some(end);
        }
        item::name(&mut cursor).ok()?;
        cursor.spaces();
        cursor.value().ok()?;
    }
}

/// The name of an item, and what is known by it.
fn name<'f>(cursor: &mut Cursor<'f>) -> Parsed<(Kind, &'f [u8])> {
    // Nearly all that are asked for, in the spelling of the RFC.
    let row: Option<&Row> = cursor.rest().first_chunk();
    if let Some(end) = row.and_then(|row| either(row, b' ', b'('))
        && let Some(name) = cursor.rest().get(..end)
        && let Some(kind) = Kind::plain(name)
    {
        cursor.take(end);
        return Ok((kind, name));
    }
    let name = item::name(cursor)?;
    Ok((Kind::of(name), name))
}
