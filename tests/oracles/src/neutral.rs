//! What a server says of a message, in a form that belongs to none of those who are compared.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) type Octets = Vec<u8>;
pub(crate) type Parameters = Vec<(Octets, Octets)>;
/// Name, route, mailbox and host.
pub(crate) type Address = [Option<Octets>; 4];

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Envelope {
    /// Date, subject, In-Reply-To and Message-ID.
    pub(crate) texts: [Option<Octets>; 4],
    /// From, sender, Reply-To, To, Cc and Bcc.
    pub(crate) lists: [Vec<Address>; 6],
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    /// In small letters, for it is the same in capitals, which imap-codec writes. `multipart` has
    /// children.
    pub(crate) media_type: Octets,
    pub(crate) subtype: Octets,
    pub(crate) parameters: Parameters,
    pub(crate) id: Option<Octets>,
    pub(crate) description: Option<Octets>,
    pub(crate) encoding: Octets,
    pub(crate) size: u32,
    /// Of text, and of a message.
    pub(crate) lines: Option<u32>,
    /// Of a message, whose only child is its body.
    pub(crate) envelope: Option<Envelope>,
    pub(crate) children: Vec<Self>,
    pub(crate) md5: Option<Octets>,
    pub(crate) disposition: Option<(Octets, Parameters)>,
    pub(crate) languages: Vec<Octets>,
    pub(crate) location: Option<Octets>,
}

impl Part {
    pub(crate) fn is_multipart(&self) -> bool {
        self.media_type == b"multipart"
    }
}

/// An IMAP string: mostly what fits into quotes, else a literal of any octets but NUL.
pub(crate) fn octets() -> BoxedStrategy<Octets> {
    prop_oneof![
        6 => "[ -~&&[^\"\\\\]]{0,20}".prop_map(String::into_bytes),
        1 => "[ -~]{0,10}".prop_map(String::into_bytes),
        1 => vec(1..=255_u8, 0..40),
        1 => "\\PC{0,10}".prop_map(String::into_bytes),
        1 => Just(b") UID 7 FLAGS (\\Seen)\r\nA1 OK {3}\r\n".to_vec()),
    ]
    .boxed()
}

pub(crate) fn atom() -> impl Strategy<Value = String> {
    "[a-zA-Z$][a-zA-Z0-9$_.:/=-]{0,12}"
}

fn parameters() -> BoxedStrategy<Parameters> {
    vec((octets(), octets()), 0..3).boxed()
}

pub(crate) fn envelope() -> BoxedStrategy<Envelope> {
    let text = || option::weighted(0.8, octets());
    let address = || [text(), text(), text(), text()];
    let list = || vec(address(), 0..3);
    let texts = [text(), text(), text(), text()];
    let lists = [list(), list(), list(), list(), list(), list()];
    (texts, lists).prop_map(|(texts, lists)| Envelope { texts, lists }).boxed()
}

/// A body with all its extension data.
pub(crate) fn part() -> BoxedStrategy<Part> {
    let single = prop_oneof![
        (Just(&b"text"[..]), any::<u32>().prop_map(Some)),
        (Just(&b"image"[..]), Just(None)),
        (Just(&b"x-odd type"[..]), Just(None)),
    ];
    let leaf = (single, extended()).prop_map(|((media_type, lines), part)| Part {
        media_type: media_type.to_vec(),
        lines,
        ..part
    });
    leaf.prop_recursive(4, 12, 3, |part| {
        let multipart = (vec(part.clone(), 1..4), extended()).prop_map(|(children, part)| Part {
            media_type: b"multipart".to_vec(),
            children,
            id: None,
            description: None,
            encoding: Vec::new(),
            size: 0,
            md5: None,
            ..part
        });
        let message = (part, envelope(), any::<u32>(), extended()).prop_map(
            |(child, envelope, lines, part)| Part {
                media_type: b"message".to_vec(),
                subtype: b"RFC822".to_vec(),
                lines: Some(lines),
                envelope: Some(envelope),
                children: vec![child],
                ..part
            },
        );
        prop_oneof![multipart, message]
    })
    .boxed()
}

/// All but the type and what hangs on it.
fn extended() -> BoxedStrategy<Part> {
    let text = || option::of(octets());
    let basic = (octets(), parameters(), text(), text(), octets(), any::<u32>());
    let more = (text(), option::of((octets(), parameters())), vec(octets(), 0..3), text());
    (basic, more)
        .prop_map(|(basic, (md5, disposition, languages, location))| {
            let (subtype, parameters, id, description, encoding, size) = basic;
            Part {
                subtype,
                parameters,
                id,
                description,
                encoding,
                size,
                md5,
                disposition,
                languages,
                location,
                ..Part::default()
            }
        })
        .boxed()
}

mod codec {
    //! To imap-types.

    use imap_types::body::{
        BasicFields, Body, BodyStructure, Disposition, Language, Location, MultiPartExtensionData,
        SinglePartExtensionData, SpecificFields,
    };
    use imap_types::core::{IString, NString, Vec1};
    use imap_types::envelope::{Address, Envelope};

    use super::{Octets, Parameters, Part};

    pub(crate) fn string(octets: &Octets) -> IString<'static> {
        octets.clone().try_into().expect("no NUL in it")
    }

    pub(crate) fn nstring(octets: &Option<Octets>) -> NString<'static> {
        NString(octets.as_ref().map(string))
    }

    fn pairs(parameters: &Parameters) -> Vec<(IString<'static>, IString<'static>)> {
        parameters.iter().map(|(name, value)| (string(name), string(value))).collect()
    }

    pub(crate) fn envelope(envelope: &super::Envelope) -> Envelope<'static> {
        let [date, subject, in_reply_to, message_id] = envelope.texts.each_ref().map(nstring);
        let [from, sender, reply_to, to, cc, bcc] = envelope.lists.each_ref().map(|list| {
            let address = |address: &super::Address| {
                let [name, adl, mailbox, host] = address.each_ref().map(nstring);
                Address { name, adl, mailbox, host }
            };
            list.iter().map(address).collect()
        });
        Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id }
    }

    pub(crate) fn part(part: &Part) -> BodyStructure<'static> {
        let location = Location { location: nstring(&part.location), extensions: Vec::new() };
        let language = Language {
            language: part.languages.iter().map(string).collect(),
            tail: Some(location),
        };
        let disposition =
            part.disposition.as_ref().map(|(kind, parameters)| (string(kind), pairs(parameters)));
        let tail = Some(Disposition { disposition, tail: Some(language) });
        if part.is_multipart() {
            let bodies: Vec<_> = part.children.iter().map(self::part).collect();
            return BodyStructure::Multi {
                bodies: Vec1::try_from(bodies).expect("children"),
                subtype: string(&part.subtype),
                extension_data: Some(MultiPartExtensionData {
                    parameter_list: pairs(&part.parameters),
                    tail,
                }),
            };
        }
        let basic = BasicFields {
            parameter_list: pairs(&part.parameters),
            id: nstring(&part.id),
            description: nstring(&part.description),
            content_transfer_encoding: string(&part.encoding),
            size: part.size,
        };
        let specific = match (&part.envelope, part.lines) {
            (Some(envelope), Some(number_of_lines)) => SpecificFields::Message {
                envelope: Box::new(self::envelope(envelope)),
                body_structure: Box::new(self::part(&part.children[0])),
                number_of_lines,
            },
            (None, Some(number_of_lines)) => {
                SpecificFields::Text { subtype: string(&part.subtype), number_of_lines }
            }
            _ => SpecificFields::Basic {
                r#type: string(&part.media_type),
                subtype: string(&part.subtype),
            },
        };
        let md5 = nstring(&part.md5);
        let extension_data = Some(SinglePartExtensionData { md5, tail });
        BodyStructure::Single { body: Body { basic, specific }, extension_data }
    }
}

mod ours {
    //! From the client under test.

    use mailbearer::imap::{Address, Addresses, BodyPart, Envelope, Parameters, Text};

    use super::{Octets, Part};

    fn octets(text: Option<Text<'_>>) -> Option<Octets> {
        text.map(|text| text.to_bytes().into_owned())
    }

    pub(crate) fn envelope(envelope: Envelope<'_>) -> super::Envelope {
        let address = |a: Address<'_>| [a.name(), a.route(), a.mailbox(), a.host()].map(octets);
        let list = |list: Addresses<'_>| list.iter().map(address).collect();
        let e = envelope;
        super::Envelope {
            texts: [e.date(), e.subject(), e.in_reply_to(), e.message_id()].map(octets),
            lists: [e.from(), e.sender(), e.reply_to(), e.to(), e.cc(), e.bcc()].map(list),
        }
    }

    fn pairs(parameters: Parameters<'_>) -> super::Parameters {
        let value = |text| octets(text).expect("a value");
        parameters.iter().map(|it| (it.name().to_bytes().into_owned(), value(it.value()))).collect()
    }

    pub(crate) fn part(part: BodyPart<'_>) -> Part {
        let multipart = part.is_multipart();
        let lossless = |number: Option<u64>| number.map(|n| u32::try_from(n).expect("32 bits"));
        Part {
            media_type: if multipart {
                b"multipart".to_vec()
            } else {
                octets(part.media_type()).expect("a type").to_ascii_lowercase()
            },
            subtype: octets(part.subtype()).expect("a subtype"),
            parameters: pairs(part.parameters()),
            id: octets(part.id()),
            description: octets(part.description()),
            encoding: octets(part.encoding()).unwrap_or_default(),
            size: lossless(part.size()).unwrap_or_default(),
            lines: lossless(part.lines()),
            envelope: part.envelope().map(envelope),
            children: part.children().map(self::part).collect(),
            md5: octets(part.md5()),
            disposition: part
                .disposition()
                .map(|it| (it.kind().to_bytes().into_owned(), pairs(it.parameters()))),
            languages: part.languages().map(|text| text.to_bytes().into_owned()).collect(),
            location: octets(part.location()),
        }
    }
}

mod proto {
    //! From imap-proto, which makes text of what is not UTF-8.

    use std::borrow::Cow;

    use imap_proto::{
        Address, BodyContentCommon, BodyContentSinglePart, BodyParams, BodyStructure,
        ContentEncoding, Envelope,
    };

    use super::{Octets, Part};

    fn octets(octets: &Option<Cow<'_, [u8]>>) -> Option<Octets> {
        octets.as_ref().map(|octets| octets.to_vec())
    }

    fn text(text: &Option<Cow<'_, str>>) -> Option<Octets> {
        text.as_ref().map(|text| text.as_bytes().to_vec())
    }

    pub(crate) fn envelope(envelope: &Envelope<'_>) -> super::Envelope {
        let address = |a: &Address<'_>| [&a.name, &a.adl, &a.mailbox, &a.host].map(octets);
        let list = |list: &Option<Vec<Address<'_>>>| list.iter().flatten().map(address).collect();
        let e = envelope;
        super::Envelope {
            texts: [&e.date, &e.subject, &e.in_reply_to, &e.message_id].map(octets),
            lists: [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc].map(list),
        }
    }

    fn pairs(parameters: &BodyParams<'_>) -> super::Parameters {
        let octets = |text: &Cow<'_, str>| text.as_bytes().to_vec();
        parameters.iter().flatten().map(|(name, value)| (octets(name), octets(value))).collect()
    }

    pub(crate) fn part(structure: &BodyStructure<'_>) -> Part {
        match structure {
            BodyStructure::Basic { common, other, .. } => single(common, other),
            BodyStructure::Text { common, other, lines, .. } => {
                Part { lines: Some(*lines), ..single(common, other) }
            }
            BodyStructure::Message { common, other, envelope, body, lines, .. } => Part {
                lines: Some(*lines),
                envelope: Some(self::envelope(envelope)),
                children: vec![part(body)],
                ..single(common, other)
            },
            BodyStructure::Multipart { common, bodies, .. } => Part {
                media_type: b"multipart".to_vec(),
                children: bodies.iter().map(part).collect(),
                ..whole(common)
            },
        }
    }

    fn single(common: &BodyContentCommon<'_>, other: &BodyContentSinglePart<'_>) -> Part {
        let encoding = match &other.transfer_encoding {
            ContentEncoding::SevenBit => "7BIT",
            ContentEncoding::EightBit => "8BIT",
            ContentEncoding::Binary => "BINARY",
            ContentEncoding::Base64 => "BASE64",
            ContentEncoding::QuotedPrintable => "QUOTED-PRINTABLE",
            ContentEncoding::Other(encoding) => encoding,
        };
        Part {
            id: text(&other.id),
            description: text(&other.description),
            encoding: encoding.as_bytes().to_vec(),
            size: other.octets,
            md5: text(&other.md5),
            ..whole(common)
        }
    }

    fn whole(common: &BodyContentCommon<'_>) -> Part {
        let disposition = common.disposition.as_ref();
        let languages = common.language.iter().flatten();
        Part {
            media_type: common.ty.ty.to_ascii_lowercase().into_bytes(),
            subtype: common.ty.subtype.as_bytes().to_vec(),
            parameters: pairs(&common.ty.params),
            disposition: disposition.map(|it| (it.ty.as_bytes().to_vec(), pairs(&it.params))),
            languages: languages.map(|language| language.as_bytes().to_vec()).collect(),
            location: text(&common.location),
            ..Part::default()
        }
    }
}

pub(crate) use codec::{envelope as envelope_to_codec, nstring, part as part_to_codec};
pub(crate) use ours::{envelope as envelope_of_ours, part as part_of_ours};
pub(crate) use proto::{envelope as envelope_of_proto, part as part_of_proto};

/// What imap-proto can say of a part: its strings are text.
pub(crate) fn as_text(part: &Part) -> Part {
    let text = |octets: &Octets| String::from_utf8_lossy(octets).into_owned().into_bytes();
    let some = |octets: &Option<Octets>| octets.as_ref().map(text);
    let pairs = |all: &Parameters| all.iter().map(|(n, v)| (text(n), text(v))).collect::<Vec<_>>();
    Part {
        media_type: part.media_type.clone(),
        subtype: text(&part.subtype),
        parameters: pairs(&part.parameters),
        id: some(&part.id),
        description: some(&part.description),
        encoding: text(&part.encoding),
        size: part.size,
        lines: part.lines,
        envelope: part.envelope.clone(),
        children: part.children.iter().map(as_text).collect(),
        md5: some(&part.md5),
        disposition: part.disposition.as_ref().map(|(kind, all)| (text(kind), pairs(all))),
        languages: part.languages.iter().map(text).collect(),
        location: some(&part.location),
    }
}
