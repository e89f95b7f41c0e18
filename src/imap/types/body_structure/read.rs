//! Reads a BODYSTRUCTURE in one pass, without recursion, into a list of its parts.
//!
//! ```text
//! part      = "(" 1*part subtype [parameters [tail]] ")"
//!           / "(" type subtype parameters id description encoding octets
//!                 [envelope part lines / lines] [md5 [tail]] ")"
//! tail      = disposition [language [location [whatever comes with some later standard]]]
//! ```
//!
//! A field that makes no sense is missing. Only a list without its end, or one that is deeper or
//! larger than any message is, makes the whole unreadable.

use crate::imap::proto::decode::{Cursor, Parsed};
use crate::imap::types::UnparsedReason;
use crate::imap::types::envelope::Fields;
use crate::imap::types::span::{Reader, Run, Span};

/// Parts within parts go no deeper than this.
pub(super) const MOST_LEVELS: u32 = 128;

/// A part takes more room than `()`, which may stand for one.
pub(super) const MOST_PARTS: usize = 10_000;

/// The parts of a message in the order of the wire, each before those within it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Structure {
    pub(super) nodes: Vec<Node>,
}

/// One part: where its fields lie.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) form: Form,
    /// The part it lies in, and which of its parts it is, from 1.
    pub(super) parent: Option<u32>,
    pub(super) ordinal: u32,
    /// The next part that is not within this one.
    pub(super) end: u32,
    level: u32,
    /// How many parts it has so far.
    children: u32,
    pub(super) media_type: Span,
    pub(super) subtype: Span,
    pub(super) parameters: Run,
    pub(super) id: Span,
    pub(super) description: Span,
    pub(super) encoding: Span,
    pub(super) octets: Option<u64>,
    pub(super) lines: Option<u64>,
    /// Of the message it is.
    pub(super) envelope: Option<Fields>,
    pub(super) md5: Span,
    pub(super) disposition: Option<Disposition>,
    pub(super) languages: Run,
    pub(super) location: Span,
    pub(super) extension: Span,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Disposition {
    pub(super) kind: Span,
    pub(super) parameters: Run,
}

/// What a part has of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// None.
    Basic,
    /// One: the body of the message that it is.
    Message,
    /// Any number.
    Multipart,
}

/// Reads the structure that comes next, and steps over it.
///
/// # Errors
/// It cannot be read; `reader` may be anywhere in it.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Structure, UnparsedReason> {
    // Few parts have less than 64 octets. What follows may be a whole message; and more than a
    // thousand octets cost an allocator more than a few.
    let parts = (reader.cursor.rest().len() / 64).clamp(1, 1000 / size_of::<Node>());
    let mut found = Structure { nodes: Vec::with_capacity(parts) };
    // The innermost part whose parts are still to come.
    let mut open = None;
    loop {
        let (part, holds_parts) = found.begin(open, reader)?;
        if holds_parts {
            open = Some(part);
            continue;
        }
        while let Some(part) = open {
            if found.goes_on(part, reader) {
                break;
            }
            open = found.finish(part, reader)?;
        }
        if open.is_none() {
            return Ok(found);
        }
    }
}

impl Structure {
    /// Gives back what memory it does not need.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.nodes.shrink_to_fit();
    }

    /// Octets of memory it takes.
    pub(crate) fn octets(&self) -> usize {
        self.nodes.len() * size_of::<Node>()
    }

    /// Reads a part up to the first part in it, if it holds parts, or else to its end.
    fn begin(
        &mut self,
        outer: Option<u32>,
        reader: &mut Reader<'_>,
    ) -> Result<(u32, bool), UnparsedReason> {
        if self.nodes.len() >= MOST_PARTS {
            return Err(UnparsedReason::TooMany { limit: MOST_PARTS });
        }
        let part = place(self.nodes.len());
        let (mut ordinal, mut level) = (1, 0);
        if let Some(outer) = outer.and_then(|outer| self.nodes.get_mut(outer as usize)) {
            outer.children += 1;
            (ordinal, level) = (outer.children, outer.level + 1);
        }
        if level >= MOST_LEVELS {
            return Err(UnparsedReason::TooDeep { limit: MOST_LEVELS });
        }
        reader.cursor.spaces();
        reader.cursor.expect(b'(', "a part")?;
        self.nodes.push(Node { parent: outer, ordinal, level, end: part + 1, ..Node::EMPTY });
        let Some(node) = self.nodes.last_mut() else { return Ok((part, false)) };
        if reader.next() == Some(b'(') {
            node.form = Form::Multipart;
            return Ok((part, true));
        }
        Ok((part, node.leaf(reader)?))
    }

    /// Whether another part of this part comes next.
    fn goes_on(&self, part: u32, reader: &mut Reader<'_>) -> bool {
        let multipart =
            self.nodes.get(part as usize).is_some_and(|node| node.form == Form::Multipart);
        multipart && reader.next() == Some(b'(')
    }

    /// Reads what is behind the parts of a part, and says in which it lies.
    fn finish(&mut self, part: u32, reader: &mut Reader<'_>) -> Parsed<Option<u32>> {
        let end = place(self.nodes.len());
        let Some(node) = self.nodes.get_mut(part as usize) else { return Ok(None) };
        node.end = end;
        if node.form == Form::Multipart {
            node.subtype = reader.string()?;
            node.parameters = parameters(reader)?;
            node.tail(reader)?;
        } else {
            node.lines = reader.number()?;
            node.md5_and_tail(reader)?;
        }
        Ok(node.parent)
    }
}

impl Node {
    /// A part of which nothing is known.
    pub(super) const EMPTY: Self = Self {
        form: Form::Basic,
        parent: None,
        ordinal: 1,
        end: 1,
        level: 0,
        children: 0,
        media_type: Span::NONE,
        subtype: Span::NONE,
        parameters: Run::NONE,
        id: Span::NONE,
        description: Span::NONE,
        encoding: Span::NONE,
        octets: None,
        lines: None,
        envelope: None,
        md5: Span::NONE,
        disposition: None,
        languages: Run::NONE,
        location: Span::NONE,
        extension: Span::NONE,
    };

    /// A part that does not begin with another part; true if it is a message whose body comes next.
    fn leaf(&mut self, reader: &mut Reader<'_>) -> Parsed<bool> {
        self.media_type = reader.string()?;
        if matches!(reader.next(), Some(b'(' | b'N' | b'n')) && self.is_childless(reader) {
            return self.childless(reader).map(|()| false);
        }
        self.subtype = reader.string()?;
        self.parameters = parameters(reader)?;
        for string in [&mut self.id, &mut self.description, &mut self.encoding] {
            *string = reader.string()?;
        }
        self.octets = reader.number()?;
        match reader.next() {
            Some(b'0'..=b'9' | b'-') => self.lines = reader.number()?,
            Some(b'(' | b'N' | b'n') if self.is_message(reader) => {
                self.form = Form::Message;
                if let Some(holds_body) = self.message(reader)? {
                    return Ok(holds_body);
                }
            }
            // Of a text, the place of the lines.
            Some(b'N' | b'n') if is_text(self.media_type, reader) => {
                self.lines = reader.number()?
            }
            _ => {}
        }
        self.md5_and_tail(reader)?;
        Ok(false)
    }

    /// A multipart without parts, as Gmail, QQ and Yandex send it (MailKit#371, MailKit#1861):
    /// `("RELATED" NIL ("ATTACHMENT" NIL) NIL)`. The first string is the subtype, not the type.
    fn is_childless(&self, reader: &Reader<'_>) -> bool {
        const TYPES: [&str; 8] =
            ["text", "image", "audio", "video", "application", "message", "model", "font"];
        let Some(word) = self.media_type.text(reader.frame()) else { return false };
        !TYPES.iter().any(|name| word.eq_ignore_ascii_case(name))
    }

    fn childless(&mut self, reader: &mut Reader<'_>) -> Parsed<()> {
        self.form = Form::Multipart;
        self.subtype = std::mem::take(&mut self.media_type);
        self.parameters = parameters(reader)?;
        self.tail(reader)
    }

    /// Whether the envelope of a message comes next. Gmail sends enclosed messages without it, if
    /// they are encoded (MailKit#32) or are reports (bichon#318); then the MD5 and the disposition
    /// come next.
    fn is_message(&self, reader: &Reader<'_>) -> bool {
        let is = |span: Span, word| {
            span.text(reader.frame()).is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        if !is(self.media_type, "message")
            || !(is(self.subtype, "rfc822") || is(self.subtype, "global"))
        {
            return false;
        }
        let mut ahead = reader.cursor;
        if !ahead.eat_nil() {
            return true;
        }
        ahead.spaces();
        match ahead.peek() {
            Some(b'(') => !begins_disposition(ahead),
            // Two times NIL: envelope and body if the lines are behind them.
            _ => {
                ahead.eat_nil();
                ahead.spaces();
                ahead.peek().is_some_and(|octet| octet.is_ascii_digit() || octet == b'-')
            }
        }
    }

    /// The envelope of a message, and what is behind it up to the lines if there is no body; true
    /// if the body comes next.
    fn message(&mut self, reader: &mut Reader<'_>) -> Parsed<Option<bool>> {
        if reader.cursor.peek() == Some(b'(') {
            self.envelope = Some(Fields::find(reader)?.0);
        } else {
            reader.cursor.value()?;
        }
        match reader.next() {
            // An empty list is none (MailKit#944).
            Some(b'(') if !is_empty_list(reader.cursor) => return Ok(Some(true)),
            Some(b'(' | b'N' | b'n') => drop(reader.cursor.value()?),
            _ => {}
        }
        self.lines = reader.number()?;
        Ok(None)
    }

    /// What a part without parts has behind its size: the MD5 and the rest.
    fn md5_and_tail(&mut self, reader: &mut Reader<'_>) -> Parsed<()> {
        // Nearly all parts but attachments.
        if reader.cursor.eat_all(b"NIL NIL NIL NIL)") {
            return Ok(());
        }
        // A list is the disposition: the MD5 was left out.
        if reader.next() != Some(b'(') {
            self.md5 = reader.string()?;
        }
        self.tail(reader)
    }

    /// Disposition, language, location, what some later standard has behind them, and the end.
    fn tail(&mut self, reader: &mut Reader<'_>) -> Parsed<()> {
        if reader.cursor.eat_all(b"NIL NIL NIL)") {
            return Ok(());
        }
        match reader.next() {
            Some(b')') => {
                reader.cursor.eat(b')');
                return Ok(());
            }
            Some(b'(') => self.disposition = disposition(reader)?,
            _ => {
                // Exchange sends a bare "inline" (MailKit#919).
                let kind = reader.string()?;
                self.disposition =
                    (!kind.is_none()).then_some(Disposition { kind, parameters: Run::NONE });
            }
        }
        match reader.next() {
            // Exchange at times has disposition and language in each other's place.
            Some(b'(') if self.disposition.is_none() && begins_disposition(reader.cursor) => {
                self.disposition = disposition(reader)?;
            }
            _ => self.languages = languages(reader)?,
        }
        self.location = reader.string()?;
        if reader.next() != Some(b')') {
            let start = reader.at();
            while reader.next() != Some(b')') {
                reader.cursor.value()?;
            }
            self.extension = Span::between(start, reader.at());
        }
        reader.cursor.expect(b')', "the end of a part")
    }
}

/// `(name value …)`: of each its name and its value, which may be `NIL` (Mail.ru). Exchange sends
/// `(NIL NIL)`.
fn parameters(reader: &mut Reader<'_>) -> Parsed<Run> {
    let first = reader.spans.len();
    if reader.next() != Some(b'(') {
        reader.string()?;
        return Ok(Run::NONE);
    }
    reader.cursor.eat(b'(');
    while !reader.closes() {
        let (name, value) = (reader.string()?, reader.string()?);
        if !name.is_none() {
            reader.note_all([name, value])?;
        }
    }
    Ok(reader.run_from(first))
}

/// `("attachment" ("filename" "x"))`; none where it is `(NIL NIL)` (Exchange) or `()`.
fn disposition(reader: &mut Reader<'_>) -> Parsed<Option<Disposition>> {
    reader.cursor.expect(b'(', "a disposition")?;
    let kind = reader.string()?;
    let parameters = parameters(reader)?;
    reader.cursor.end_list("the end of a disposition")?;
    Ok((!kind.is_none()).then_some(Disposition { kind, parameters }))
}

fn is_empty_list(mut ahead: Cursor<'_>) -> bool {
    ahead.eat(b'(');
    ahead.spaces();
    ahead.peek() == Some(b')')
}

/// Whether a list begins like a disposition: a string, and its parameters or `NIL`.
fn begins_disposition(mut ahead: Cursor<'_>) -> bool {
    ahead.eat(b'(');
    ahead.spaces();
    if ahead.peek() == Some(b'(') || ahead.nstring().is_err() {
        return false;
    }
    ahead.spaces();
    ahead.peek() == Some(b'(') || ahead.eat_nil()
}

/// One language, or a list of them.
fn languages(reader: &mut Reader<'_>) -> Parsed<Run> {
    let first = reader.spans.len();
    let listed = reader.next() == Some(b'(') && reader.cursor.eat(b'(');
    loop {
        let language = reader.string()?;
        if !language.is_none() {
            reader.note_all([language])?;
        }
        if !listed {
            break;
        }
        if reader.next() == Some(b')') {
            reader.cursor.eat(b')');
            break;
        }
    }
    Ok(reader.run_from(first))
}

fn is_text(media_type: Span, reader: &Reader<'_>) -> bool {
    media_type.text(reader.frame()).is_some_and(|text| text.eq_ignore_ascii_case("text"))
}

/// A place in the list of parts, which has at most [`MOST_PARTS`].
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
