//! Of which parts a message consists: BODYSTRUCTURE (RFC 9051 section 7.5.2).
//!
//! ```text
//! * 2 FETCH (BODYSTRUCTURE (("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 1152 23)
//!   ("APPLICATION" "PDF" NIL NIL NIL "BASE64" 4554 NIL ("ATTACHMENT" ("FILENAME" "a.pdf"))) "MIXED"))
//! ```

mod read;
#[cfg(test)]
mod tests;

use std::fmt;

use self::read::{Disposition as FoundDisposition, Form, Node};
use crate::imap::types::span::{Reader, Run, Source, Span};
use crate::imap::types::{Envelope, Section, Text};

pub(crate) use self::read::{Structure, read};

/// The parts of a message, as the server made them out.
///
/// It borrows from the [`Message`](crate::imap::Message) it belongs to. What the server left out,
/// and a number or string that makes no sense, is missing from its part; the parts are all there.
///
/// # Example: the attachments of a message
/// ```
/// # fn list(message: &mailbearer::imap::Message) -> Option<()> {
/// for part in message.body_structure()?.parts() {
///     if part.is_attachment() {
///         println!("{}: {:?}, fetch {}", part.number(), part.file_name(), part.section());
///     }
/// }
/// # Some(()) }
/// ```
#[derive(Clone, Copy)]
pub struct BodyStructure<'a> {
    source: Source<'a>,
    structure: &'a Structure,
    /// As on the wire.
    octets: &'a [u8],
}

impl<'a> BodyStructure<'a> {
    pub(crate) const fn new(
        source: Source<'a>,
        structure: &'a Structure,
        octets: &'a [u8],
    ) -> Self {
        Self { source, structure, octets }
    }

    /// The outermost part: a multipart with the others in it, or the only one.
    pub fn root(&self) -> BodyPart<'a> {
        let node = self.structure.nodes.first().unwrap_or(const { &Node::EMPTY });
        BodyPart { whole: *self, node, place: 0 }
    }

    /// Every part in the order of the message, each before those within it: the
    /// [`root`](Self::root) first, the parts of enclosed messages too.
    #[inline]
    pub fn parts(&self) -> BodyParts<'a> {
        BodyParts { whole: *self, at: 0, end: self.count(), flat: true }
    }

    /// The part with this number: `[1, 2]` is the second part of the first. Of parts that have the
    /// same, as an enclosed message and the multipart that is its body, the outer one.
    pub fn part(&self, number: impl IntoIterator<Item = u32>) -> Option<BodyPart<'a>> {
        let number: Vec<u32> = number.into_iter().collect();
        self.parts().find(|part| part.number().into_iter().eq(number.iter().copied()))
    }

    /// A copy that does not borrow from the response.
    pub fn into_owned(self) -> OwnedBodyStructure {
        OwnedBodyStructure::new(self.octets.into())
    }

    fn count(&self) -> u32 {
        self.structure.nodes.first().map_or(0, |root| root.end)
    }
}

impl fmt::Debug for BodyStructure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts()).finish()
    }
}

/// A [`BodyStructure`] with octets of its own.
#[derive(Clone)]
pub struct OwnedBodyStructure {
    octets: Box<[u8]>,
    spans: Vec<Span>,
    structure: Structure,
}

impl OwnedBodyStructure {
    /// Of a structure that could be read.
    fn new(octets: Box<[u8]>) -> Self {
        let Ok(mut reader) = Reader::new(&octets, 0) else {
            return Self { octets, spans: Vec::new(), structure: Structure::default() };
        };
        let structure = read(&mut reader).unwrap_or_default();
        let spans = reader.spans;
        Self { octets, spans, structure }
    }

    /// What it says.
    pub fn view(&self) -> BodyStructure<'_> {
        let source = Source { frame: &self.octets, spans: &self.spans };
        BodyStructure::new(source, &self.structure, &self.octets)
    }
}

impl fmt::Debug for OwnedBodyStructure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

/// One part of a message.
#[derive(Clone, Copy)]
pub struct BodyPart<'a> {
    whole: BodyStructure<'a>,
    node: &'a Node,
    place: u32,
}

impl<'a> BodyPart<'a> {
    #[inline]
    fn text(&self, span: Span) -> Option<Text<'a>> {
        span.text(self.whole.source.frame)
    }

    #[inline]
    fn parameters_of(&self, run: Run) -> Parameters<'a> {
        Parameters { source: self.whole.source.run(run) }
    }

    /// Its number: `1.2` is the second part of the first. The outermost multipart has none.
    pub const fn number(&self) -> PartNumber<'a> {
        PartNumber { part: *self }
    }

    /// What to fetch to get its content, still in its transfer encoding. Of a multipart that is
    /// the text with all parts in it; of an enclosed message, the message.
    pub fn section(&self) -> Section {
        match self.node.form {
            Form::Multipart if self.shares_number() => Section::text().of_part(self.number()),
            _ => Section::part(self.number()),
        }
    }

    /// Whether it has the number of what it lies in, or none: a multipart that is the body of a
    /// message.
    fn shares_number(&self) -> bool {
        let outer = self.parent();
        self.node.form == Form::Multipart
            && outer.is_none_or(|outer| outer.node.form == Form::Message)
    }

    /// Its media type: `TEXT`, `application`. `multipart` is not on the wire, and missing here.
    #[inline]
    pub fn media_type(&self) -> Option<Text<'a>> {
        self.text(self.node.media_type)
    }

    /// Its media subtype: `PLAIN`, `pdf`, and of a multipart `mixed`, `ALTERNATIVE`.
    #[inline]
    pub fn subtype(&self) -> Option<Text<'a>> {
        self.text(self.node.subtype)
    }

    /// Whether it is of this type, such as `is("text", "html")` or `is("multipart", "mixed")`.
    pub fn is(&self, media_type: &str, subtype: &str) -> bool {
        let same = |text: Option<Text<'_>>, wanted| {
            text.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
        };
        let typed = match self.node.form {
            Form::Multipart => media_type.eq_ignore_ascii_case("multipart"),
            _ => same(self.media_type(), media_type),
        };
        typed && same(self.subtype(), subtype)
    }

    /// Whether it is there to hold other parts.
    #[inline]
    pub fn is_multipart(&self) -> bool {
        self.node.form == Form::Multipart
    }

    /// Whether its disposition says `attachment`.
    pub fn is_attachment(&self) -> bool {
        self.disposition()
            .is_some_and(|disposition| disposition.kind().eq_ignore_ascii_case("attachment"))
    }

    /// The parameters of its media type, such as `charset`.
    #[inline]
    pub fn parameters(&self) -> Parameters<'a> {
        self.parameters_of(self.node.parameters)
    }

    /// Its `Content-ID`.
    #[inline]
    pub fn id(&self) -> Option<Text<'a>> {
        self.text(self.node.id)
    }

    /// Its `Content-Description`.
    #[inline]
    pub fn description(&self) -> Option<Text<'a>> {
        self.text(self.node.description)
    }

    /// Its transfer encoding: `7BIT`, `base64`.
    #[inline]
    pub fn encoding(&self) -> Option<Text<'a>> {
        self.text(self.node.encoding)
    }

    /// Its size in octets, in its transfer encoding. A multipart has none.
    pub const fn size(&self) -> Option<u64> {
        self.node.octets
    }

    /// How many lines a text or an enclosed message has.
    pub const fn lines(&self) -> Option<u64> {
        self.node.lines
    }

    /// The envelope of an enclosed message (`message/rfc822`). Some servers leave it out.
    pub fn envelope(&self) -> Option<Envelope<'a>> {
        self.node.envelope.map(|fields| Envelope::new(self.whole.source, fields))
    }

    /// The parts directly within it: those of a multipart, or the body of an enclosed message.
    pub const fn children(&self) -> BodyParts<'a> {
        BodyParts { whole: self.whole, at: self.place + 1, end: self.node.end, flat: false }
    }

    /// The part it lies in.
    pub fn parent(&self) -> Option<Self> {
        let place = self.node.parent?;
        let node = self.whole.structure.nodes.get(place as usize)?;
        Some(Self { whole: self.whole, node, place })
    }

    /// Its `Content-MD5`.
    #[inline]
    pub fn md5(&self) -> Option<Text<'a>> {
        self.text(self.node.md5)
    }

    /// Its `Content-Disposition`.
    #[inline]
    pub fn disposition(&self) -> Option<Disposition<'a>> {
        let found = self.node.disposition.as_ref()?;
        Some(Disposition { part: *self, found })
    }

    /// The name it is to have as a file: the parameter `filename` of its disposition, or else
    /// `name` of its type. It is as on the wire, possibly with the encoded words of RFC 2047. Names
    /// in the form of RFC 2231 (`filename*`, `filename*0`) are found among the parameters only.
    pub fn file_name(&self) -> Option<Text<'a>> {
        let disposed = self.disposition().and_then(|found| found.parameters().get("filename"));
        disposed.or_else(|| self.parameters().get("name"))
    }

    /// Its languages (RFC 3282).
    #[inline]
    pub fn languages(&self) -> Languages<'a> {
        let source = self.whole.source.run(self.node.languages);
        Languages { frame: source.frame, spans: source.spans.iter() }
    }

    /// Its `Content-Location`.
    #[inline]
    pub fn location(&self) -> Option<Text<'a>> {
        self.text(self.node.location)
    }

    /// What the server says beyond all this, as on the wire.
    #[inline]
    pub fn extension(&self) -> Option<&'a [u8]> {
        let octets = self.node.extension.octets(self.whole.source.frame);
        (!octets.is_empty()).then_some(octets)
    }
}

impl fmt::Debug for BodyPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyPart")
            .field("number", &format_args!("{}", self.number()))
            .field("media_type", &self.media_type())
            .field("subtype", &self.subtype())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

/// See [`BodyStructure::parts`] and [`BodyPart::children`].
#[derive(Debug, Clone)]
pub struct BodyParts<'a> {
    whole: BodyStructure<'a>,
    at: u32,
    end: u32,
    /// With the parts within parts.
    flat: bool,
}

impl<'a> Iterator for BodyParts<'a> {
    type Item = BodyPart<'a>;

    #[inline]
    fn next(&mut self) -> Option<BodyPart<'a>> {
        if self.at >= self.end {
            return None;
        }
        let (whole, place) = (self.whole, self.at);
        let node = whole.structure.nodes.get(place as usize)?;
        self.at = if self.flat { place + 1 } else { node.end };
        Some(BodyPart { whole, node, place })
    }
}

/// The number of a part: shown as `1.2`, and iterated from the outside in.
///
/// ```
/// # fn fetch(part: mailbearer::imap::BodyPart<'_>) {
/// use mailbearer::imap::Section;
///
/// let header = Section::mime(part.number());
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct PartNumber<'a> {
    part: BodyPart<'a>,
}

impl<'a> PartNumber<'a> {
    /// Whether there is none: the whole message is meant.
    pub fn is_empty(&self) -> bool {
        self.into_iter().next().is_none()
    }

    /// From the part outwards. RFC 9051 section 6.4.5.1: the body of a message is its part 1, or,
    /// if it is a multipart, shares the number of the message.
    fn outwards(self) -> impl Iterator<Item = u32> + use<'a> {
        let outwards = std::iter::successors(Some(self.part), BodyPart::parent);
        outwards.filter(|part| !part.shares_number()).map(|part| part.node.ordinal)
    }
}

impl<'a> IntoIterator for PartNumber<'a> {
    type Item = u32;
    type IntoIter = std::iter::Rev<std::vec::IntoIter<u32>>;

    fn into_iter(self) -> Self::IntoIter {
        self.outwards().collect::<Vec<_>>().into_iter().rev()
    }
}

impl fmt::Display for PartNumber<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for number in *self {
            write!(f, "{separator}{number}")?;
            separator = ".";
        }
        Ok(())
    }
}

impl fmt::Debug for PartNumber<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The parameters of a media type or a disposition, in order.
#[derive(Clone, Copy)]
pub struct Parameters<'a> {
    /// Of each its name and its value.
    source: Source<'a>,
}

impl<'a> Parameters<'a> {
    /// The value of the first parameter with this name, in any case.
    pub fn get(&self, name: &str) -> Option<Text<'a>> {
        self.iter().find(|parameter| parameter.name().eq_ignore_ascii_case(name))?.value()
    }

    /// The parameters, from the first.
    #[inline]
    pub fn iter(&self) -> ParameterIter<'a> {
        let (pairs, _) = self.source.spans.as_chunks();
        ParameterIter { frame: self.source.frame, pairs: pairs.iter() }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.source.spans.is_empty()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.source.spans.len() / 2
    }
}

impl<'a> IntoIterator for Parameters<'a> {
    type Item = Parameter<'a>;
    type IntoIter = ParameterIter<'a>;

    #[inline]
    fn into_iter(self) -> ParameterIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|p| (p.name(), p.value()))).finish()
    }
}

/// See [`Parameters::iter`].
#[derive(Debug, Clone)]
pub struct ParameterIter<'a> {
    frame: &'a [u8],
    pairs: std::slice::Iter<'a, [Span; 2]>,
}

impl<'a> Iterator for ParameterIter<'a> {
    type Item = Parameter<'a>;

    #[inline]
    fn next(&mut self) -> Option<Parameter<'a>> {
        let [name, value] = self.pairs.next()?;
        // Only parameters with a name are kept.
        let name = name.text(self.frame)?;
        Some(Parameter { name, value: value.text(self.frame) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.pairs.size_hint()
    }
}

impl ExactSizeIterator for ParameterIter<'_> {}

/// One parameter of a media type or a disposition, as on the wire: with RFC 2231, `filename*` or
/// `filename*0*`.
#[derive(Debug, Clone, Copy)]
pub struct Parameter<'a> {
    name: Text<'a>,
    value: Option<Text<'a>>,
}

impl<'a> Parameter<'a> {
    /// Its name.
    pub const fn name(&self) -> Text<'a> {
        self.name
    }

    /// Its value; `None` where the server says `NIL`, as Mail.ru does.
    pub const fn value(&self) -> Option<Text<'a>> {
        self.value
    }
}

/// How a part is to be shown (RFC 2183).
#[derive(Clone, Copy)]
pub struct Disposition<'a> {
    part: BodyPart<'a>,
    found: &'a FoundDisposition,
}

impl<'a> Disposition<'a> {
    /// `inline`, `attachment`.
    #[inline]
    pub fn kind(&self) -> Text<'a> {
        self.part.text(self.found.kind).unwrap_or(Text::plain(b""))
    }

    /// Its parameters, such as `filename`.
    #[inline]
    pub fn parameters(&self) -> Parameters<'a> {
        self.part.parameters_of(self.found.parameters)
    }
}

impl fmt::Debug for Disposition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disposition")
            .field("kind", &self.kind())
            .field("parameters", &self.parameters())
            .finish()
    }
}

/// See [`BodyPart::languages`].
#[derive(Debug, Clone)]
pub struct Languages<'a> {
    frame: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for Languages<'a> {
    type Item = Text<'a>;

    #[inline]
    fn next(&mut self) -> Option<Text<'a>> {
        self.spans.next()?.text(self.frame)
    }
}
