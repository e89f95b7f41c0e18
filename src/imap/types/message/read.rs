//! Reads the items of a FETCH response in one pass, into an index of where they lie.

use bytes::Bytes;

use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u64};
use crate::imap::proto::scan::{Row, either};
use crate::imap::types::Uid;
use crate::imap::types::body_structure::{self, Structure};
use crate::imap::types::envelope::Fields;
use crate::imap::types::item::{self, UnparsedReason};
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

    /// Each takes more room than its text, and no request asks for so many.
    const MOST_ITEMS: usize = 10_000;

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
                return Err((at, why.into()));
            }
        }
        Err((reader.at(), UnparsedReason::TooMany { limit: Self::MOST_ITEMS }))
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
            _ => self.value(kind, reader)?,
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

    fn value(&mut self, kind: Kind, reader: &mut Reader<'_>) -> Parsed<()> {
        let start = reader.at();
        if let Kind::Uid | Kind::Size = kind {
            let number = match reader.cursor.plain_number() {
                None => parse_u64(reader.cursor.value()?),
                number => number,
            };
            match kind {
                Kind::Uid if self.uid.is_none() => {
                    self.uid = number.and_then(|number| Uid::new(number.try_into().ok()?));
                }
                Kind::Size => self.size = self.size.or(number),
                _ => {}
            }
            return Ok(());
        }
        let value = reader.cursor.value()?;
        let place = Span::between(start, reader.at());
        match kind {
            Kind::Flags if self.flags.is_none() => self.flags = place,
            Kind::InternalDate if self.internal_date.is_none() => self.internal_date = place,
            Kind::Section | Kind::Binary | Kind::Rfc822 | Kind::Rfc822Header | Kind::Rfc822Text
                if value.starts_with(b"\"") =>
            {
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

    fn fault(&mut self, place: Span, reason: UnparsedReason) {
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
