//! What to ask of each message: the items of FETCH (RFC 9051 section 6.4.5, RFC 3501 section 6.4.5,
//! RFC 3516 section 4.3).

use super::modifier::{Modifiers, Need};
use crate::Misuse;
#[cfg(doc)]
use crate::imap::Message;
use crate::imap::Section;
use crate::imap::proto::encode::{Line, check_atom, check_field_name};
use crate::imap::types::span::Kind;

const BINARY: Need = Need::offered_or_rev2(&["BINARY"]);

/// Where a list of things to fetch begins: `Fetch::envelope().flags().body()`.
///
/// The UID comes always.
#[derive(Debug, Clone, Copy)]
pub enum Fetch {}

impl Fetch {
    /// The UID alone.
    pub fn uid() -> FetchItems {
        FetchItems::default()
    }

    /// See [`FetchItems::flags`].
    pub fn flags() -> FetchItems {
        FetchItems::default().flags()
    }

    /// See [`FetchItems::internal_date`].
    pub fn internal_date() -> FetchItems {
        FetchItems::default().internal_date()
    }

    /// See [`FetchItems::size`].
    pub fn size() -> FetchItems {
        FetchItems::default().size()
    }

    /// See [`FetchItems::envelope`].
    pub fn envelope() -> FetchItems {
        FetchItems::default().envelope()
    }

    /// See [`FetchItems::body_structure`].
    pub fn body_structure() -> FetchItems {
        FetchItems::default().body_structure()
    }

    /// See [`FetchItems::body`].
    pub fn body() -> FetchItems {
        FetchItems::default().body()
    }

    /// See [`FetchItems::body_marking_seen`].
    pub fn body_marking_seen() -> FetchItems {
        FetchItems::default().body_marking_seen()
    }

    /// See [`FetchItems::header`].
    pub fn header() -> FetchItems {
        FetchItems::default().header()
    }

    /// See [`FetchItems::section`].
    pub fn section(section: Section) -> FetchItems {
        FetchItems::default().section(section)
    }

    /// See [`FetchItems::binary`].
    pub fn binary(part: Section) -> FetchItems {
        FetchItems::default().binary(part)
    }

    /// See [`FetchItems::item`].
    pub fn item(name: impl Into<String>) -> FetchItems {
        FetchItems::default().item(name)
    }
}

/// A list of things to fetch of each message, begun by [`Fetch`].
#[derive(Debug, Clone, Default)]
pub struct FetchItems {
    items: Vec<FetchItem>,
    modifiers: Modifiers,
    needs: Vec<Need>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FetchItem {
    Named(&'static str),
    Section { section: Section, peek: bool },
    Binary { part: Section, peek: bool },
    BinarySize(Section),
    Other(String),
}

impl FetchItems {
    /// The flags.
    pub fn flags(self) -> Self {
        self.with(FetchItem::Named("FLAGS"))
    }

    /// When the server received it.
    pub fn internal_date(self) -> Self {
        self.with(FetchItem::Named("INTERNALDATE"))
    }

    /// Its size in octets.
    pub fn size(self) -> Self {
        self.with(FetchItem::Named("RFC822.SIZE"))
    }

    /// Date, subject and addresses.
    pub fn envelope(self) -> Self {
        self.with(FetchItem::Named("ENVELOPE"))
    }

    /// Of which parts it consists, with all that the server knows of them:
    /// [`Message::body_structure`].
    pub fn body_structure(self) -> Self {
        self.with(FetchItem::Named("BODYSTRUCTURE"))
    }

    /// Of which parts it consists, without what RFC 9051 calls extension data: disposition, language,
    /// location. Found by [`Message::body_structure`], too.
    pub fn basic_body_structure(self) -> Self {
        self.with(FetchItem::Named("BODY"))
    }

    /// The whole message; it is not marked as read.
    pub fn body(self) -> Self {
        self.section(Section::full())
    }

    /// The whole message, and it is marked `\Seen`.
    pub fn body_marking_seen(self) -> Self {
        self.section_marking_seen(Section::full())
    }

    /// Its header; it is not marked as read.
    pub fn header(self) -> Self {
        self.section(Section::header())
    }

    /// A piece of it; it is not marked as read.
    pub fn section(self, section: Section) -> Self {
        self.with(FetchItem::Section { section, peek: true })
    }

    /// A piece of it, and it is marked `\Seen`.
    pub fn section_marking_seen(self, section: Section) -> Self {
        self.with(FetchItem::Section { section, peek: false })
    }

    /// The whole message by the item `RFC822` of RFC 3501, and it is marked `\Seen`. iCloud does
    /// not answer it: [`body_marking_seen`](Self::body_marking_seen) is the same everywhere. Where
    /// IMAP4rev2 is spoken, this and the next two are
    /// [`Error::Unsupported`](crate::imap::Error::Unsupported).
    pub fn rfc822(self) -> Self {
        self.named("RFC822", Need::rev1("RFC822"))
    }

    /// The header by the item `RFC822.HEADER` of RFC 3501, found as [`Section::header`].
    pub fn rfc822_header(self) -> Self {
        self.named("RFC822.HEADER", Need::rev1("RFC822.HEADER"))
    }

    /// The text by the item `RFC822.TEXT` of RFC 3501, found as [`Section::text`]; the message is
    /// marked `\Seen`.
    pub fn rfc822_text(self) -> Self {
        self.named("RFC822.TEXT", Need::rev1("RFC822.TEXT"))
    }

    /// The content of a part without its transfer encoding, found by [`Message::binary`]: of
    /// `Section::part([2])`, or with [`partial`](Section::partial) some of it. Only servers with
    /// the capability BINARY (RFC 3516), and with IMAP4rev2, know it; one that cannot undo the
    /// encoding refuses with the response code UNKNOWN-CTE. It is not marked as read.
    pub fn binary(mut self, part: Section) -> Self {
        self.needs.push(BINARY);
        self.with(FetchItem::Binary { part, peek: true })
    }

    /// [`binary`](Self::binary), and the message is marked `\Seen`.
    pub fn binary_marking_seen(mut self, part: Section) -> Self {
        self.needs.push(BINARY);
        self.with(FetchItem::Binary { part, peek: false })
    }

    /// The size of that content, found by [`Message::binary_size`]. Servers may have to decode the
    /// part to know.
    pub fn binary_size(mut self, part: impl IntoIterator<Item = u32>) -> Self {
        self.needs.push(BINARY);
        self.with(FetchItem::BinarySize(Section::part(part)))
    }

    /// An item by the name it has on the wire, such as `X-GM-MSGID`. Found in the answer by
    /// [`Message::item`].
    pub fn item(self, name: impl Into<String>) -> Self {
        self.with(FetchItem::Other(name.into()))
    }

    /// An item of an extension, for which the server must offer something.
    pub(super) fn named(mut self, name: &'static str, need: Need) -> Self {
        self.needs.push(need);
        self.with(FetchItem::Named(name))
    }

    /// A modifier of an extension: which messages are meant, or how they are told.
    pub(super) fn modifier(
        mut self,
        name: &'static str,
        value: Option<String>,
        need: Need,
    ) -> Self {
        self.modifiers.set(name, value);
        self.needs.push(need);
        self
    }

    pub(super) fn has_modifier(&self, name: &str) -> bool {
        self.modifiers.has(name)
    }

    /// What was asked for cannot be sent.
    pub(super) fn refused(mut self, what: &'static str, why: &str) -> Self {
        self.modifiers.refuse(what, why);
        self
    }

    /// What the server must offer.
    pub(super) fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn with(mut self, item: FetchItem) -> Self {
        if !self.items.contains(&item) {
            self.items.push(item);
        }
        self
    }

    /// Whether messages are marked `\Seen` by it (RFC 9051 section 6.4.5, RFC 3501 section 6.4.5,
    /// RFC 3516 section 4.3).
    pub(super) fn mark_seen(&self) -> bool {
        let marks = |name: &str| {
            let name = name.to_ascii_uppercase();
            let sections = ["BODY[", "BINARY["];
            name == "RFC822"
                || name == "RFC822.TEXT"
                || sections.iter().any(|section| name.starts_with(section))
        };
        self.items.iter().any(|item| match item {
            FetchItem::Named(name) => marks(name),
            FetchItem::Section { peek, .. } | FetchItem::Binary { peek, .. } => !peek,
            FetchItem::BinarySize(_) => false,
            FetchItem::Other(name) => marks(name),
        })
    }

    /// Whether there is nothing among them but what servers tell unasked as well, such as the flags.
    pub(super) fn are_told_unasked(&self) -> bool {
        let asked_for = |item: &FetchItem| match item {
            FetchItem::Named(name) => Kind::of(name.as_bytes()).is_asked_for(),
            FetchItem::Other(name) => Kind::of(name.as_bytes()).is_asked_for(),
            FetchItem::Section { .. } | FetchItem::Binary { .. } | FetchItem::BinarySize(_) => true,
        };
        !self.items.iter().any(asked_for)
    }

    /// The same and the UID, for a command that does not bring it by itself.
    pub(super) fn and_uid(mut self) -> Self {
        self.items.insert(0, FetchItem::Named("UID"));
        self
    }

    pub(super) fn encode(&self, line: &mut Line) -> Result<(), Misuse> {
        // RFC 7162 section 3.2.6.
        if self.has_modifier("VANISHED") && !self.has_modifier("CHANGEDSINCE") {
            let why = "it says something only beside CHANGEDSINCE".to_owned();
            return Err(Misuse::Argument { what: "VANISHED", why });
        }
        // RFC 9051 section 6.4.9: the UID comes even if it is not asked for.
        if self.items.is_empty() {
            return self.modifiers.encode(line.raw("(UID)"));
        }
        self.encode_items(line, "(")?;
        self.modifiers.encode(line.raw(")"))
    }

    /// Writes what is to be told unasked (RFC 5465), where the UID comes only if it is named.
    pub(super) fn encode_unasked(&self, line: &mut Line) -> Result<(), Misuse> {
        let refused = |why: &str| {
            Err(Misuse::Argument { what: "what to tell of new messages", why: why.to_owned() })
        };
        if self.mark_seen() {
            return refused("it marks messages as read");
        }
        if !self.modifiers.is_empty() {
            return refused("it has modifiers");
        }
        self.encode_items(line.raw("(UID"), " ")?;
        line.raw(")");
        Ok(())
    }

    fn encode_items(&self, line: &mut Line, mut separator: &'static str) -> Result<(), Misuse> {
        for item in &self.items {
            line.raw(separator);
            match item {
                FetchItem::Named(name) => line.raw(name),
                FetchItem::Other(name) => {
                    check_atom("the name of an item", &name.replace(['[', ']'], ""))?;
                    line.raw(name)
                }
                FetchItem::Section { section, peek } => {
                    check("section", section.fault())?;
                    check_partial(section, line)?;
                    for name in section.field_names() {
                        check_field_name(name)?;
                    }
                    line.raw(if *peek { "BODY.PEEK" } else { "BODY" }).raw(section.bracketed())
                }
                FetchItem::Binary { part, peek } => {
                    check("part", part.binary_fault())?;
                    check_partial(part, line)?;
                    line.raw(if *peek { "BINARY.PEEK" } else { "BINARY" }).raw(part.bracketed())
                }
                FetchItem::BinarySize(part) => {
                    check("part", part.binary_fault())?;
                    line.raw("BINARY.SIZE").raw(part.bracketed())
                }
            };
            separator = " ";
        }
        Ok(())
    }
}

/// RFC 9051 section 9 has numbers of 63 bits there, RFC 3501 of 32.
fn check_partial(section: &Section, line: &Line) -> Result<(), Misuse> {
    let (largest, most) = (section.largest_number(), line.most_octets());
    if largest > most {
        let why = format!("{largest} octets, and the server takes numbers up to {most}");
        return Err(Misuse::Argument { what: "a partial fetch", why });
    }
    Ok(())
}

fn check(what: &'static str, fault: Option<&'static str>) -> Result<(), Misuse> {
    fault.map_or(Ok(()), |why| Err(Misuse::Argument { what, why: why.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::proto::encode::Piece;

    fn wire(items: FetchItems) -> Result<String, Misuse> {
        let mut line = Line::new(Default::default());
        items.encode(&mut line)?;
        match &line.finish()[..] {
            [Piece::Line(line)] => Ok(String::from_utf8_lossy(line).into_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_partial_fetch_beyond_the_numbers_of_the_server_is_refused() {
        let (rev1, rev2) = (u64::from(u32::MAX), i64::MAX as u64);
        for (offset, length, wide, taken) in [
            (rev1, rev1, false, true),
            (rev1 + 1, 1, false, false),
            (0, rev1 + 1, false, false),
            (rev2, rev2, true, true),
            (rev2 + 1, 1, true, false),
            (0, u64::MAX, true, false),
        ] {
            let section = Section::full().partial(offset, length);
            let mut line = Line::new(Default::default()).wide(wide);
            let encoded = Fetch::section(section).encode(&mut line);
            assert_eq!(encoded.is_ok(), taken, "{offset}.{length}");
        }
    }

    #[test]
    fn items_are_asked_for_once_and_in_order() {
        assert_eq!(
            wire(Fetch::envelope().flags().body().flags()).unwrap(),
            "(ENVELOPE FLAGS BODY.PEEK[])"
        );
        assert_eq!(wire(Fetch::uid()).unwrap(), "(UID)");
        assert_eq!(
            wire(Fetch::internal_date().size().header().item("X-GM-LABELS")).unwrap(),
            "(INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER] X-GM-LABELS)"
        );
        assert_eq!(
            wire(
                Fetch::section(Section::header_fields(["Date", "From"]))
                    .section(Section::part([1, 2]).partial(0, 100))
                    .body_marking_seen()
            )
            .unwrap(),
            "(BODY.PEEK[HEADER.FIELDS (Date From)] BODY.PEEK[1.2]<0.100> BODY[])"
        );
    }

    #[test]
    fn every_item_of_both_standards_can_be_asked_for() {
        assert_eq!(
            wire(
                Fetch::body_structure()
                    .basic_body_structure()
                    .rfc822()
                    .rfc822_header()
                    .rfc822_text()
                    .binary(Section::part([1, 2]).partial(0, 10))
                    .binary_marking_seen(Section::part([2]))
                    .binary_size([2])
                    .section_marking_seen(Section::text().of_part([3]))
            )
            .unwrap(),
            "(BODYSTRUCTURE BODY RFC822 RFC822.HEADER RFC822.TEXT BINARY.PEEK[1.2]<0.10> BINARY[2] \
             BINARY.SIZE[2] BODY[3.TEXT])"
        );
    }

    #[test]
    fn what_only_some_servers_know_is_asked_of_no_other() {
        for items in [
            Fetch::binary(Section::part([1])),
            Fetch::uid().binary_marking_seen(Section::part([1])),
            Fetch::uid().binary_size([1]),
        ] {
            let [need] = items.needs() else { panic!("{items:?}") };
            for (offered, enabled, met) in [
                ("IMAP4rev1", "", false),
                ("IMAP4rev1 BINARY", "", true),
                ("IMAP4rev2", "", true),
                ("IMAP4rev1 IMAP4rev2", "", false),
                ("IMAP4rev1 IMAP4rev2", "IMAP4rev2", true),
            ] {
                assert_eq!(
                    need.is_met(&offered.into(), &enabled.into()),
                    met,
                    "{offered} {enabled}"
                );
            }
            assert_eq!(need.what, "BINARY");
        }
    }

    #[test]
    fn only_parts_have_a_binary_form() {
        assert_eq!(wire(Fetch::binary(Section::full())).unwrap(), "(BINARY.PEEK[])");
        for bad in [Section::header(), Section::mime([1]), Section::part([0])] {
            assert!(wire(Fetch::binary(bad.clone())).is_err(), "{bad}");
        }
        assert!(wire(Fetch::uid().binary_size([1, 0])).is_err());
    }

    #[test]
    fn nothing_but_the_name_of_an_item_can_be_asked_for() {
        for bad in ["", "a b", "a)", "FLAGS\r\nA2 EXPUNGE", "x\0", "\u{fc}", "(UID"] {
            assert!(wire(Fetch::item(bad)).is_err(), "{bad:?}");
            assert!(wire(Fetch::section(Section::header_fields([bad]))).is_err(), "{bad:?}");
        }
        for bad in ["Subject:", "a]", "a\"b"] {
            assert!(wire(Fetch::section(Section::header_fields([bad]))).is_err(), "{bad:?}");
        }
        assert_eq!(
            wire(Fetch::section(Section::header_fields(["Nil", "To"]))).unwrap(),
            "(BODY.PEEK[HEADER.FIELDS (\"Nil\" To)])"
        );
        assert_eq!(wire(Fetch::item("BINARY.PEEK[1]")).unwrap(), "(BINARY.PEEK[1])");
        assert!(wire(Fetch::section(Section::mime([]))).is_err());
    }
}
