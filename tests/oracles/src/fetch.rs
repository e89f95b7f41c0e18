//! FETCH: flags, dates, sizes, envelopes, body structures and sections.

use std::cell::RefCell;
use std::collections::HashSet;
use std::num::NonZeroU32;

use chrono::{DateTime, FixedOffset};
use imap_proto::{AttributeValue, MessageSection, Response as ProtoResponse, SectionPath};
use imap_types::core::{AString, Vec1};
use imap_types::fetch::{MessageDataItem, Part as PartNumber, Section as CodecSection};
use imap_types::flag::{Flag, FlagFetch};
use imap_types::response::Data;
use mailbearer::imap::{Fetch, Message, Section, UidSet};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::neutral::{
    Envelope, Octets, Part, as_text, atom, envelope, envelope_of_ours, envelope_of_proto,
    envelope_to_codec, nstring, octets, part, part_of_ours, part_of_proto, part_to_codec,
};
use crate::server::{Fed, check, encoded};

#[derive(Debug, Clone)]
enum Item {
    Flags(Vec<String>),
    /// Seconds since 1970, and minutes east of Greenwich.
    InternalDate(i64, i32),
    Size(u32),
    Envelope(Envelope),
    Structure(Box<Part>),
    Section(Vec<u32>, What, Option<u32>, Option<Octets>),
}

#[derive(Debug, Clone)]
enum What {
    Content,
    Header,
    Fields(Vec<String>),
    FieldsNot(Vec<String>),
    Text,
    Mime,
}

fn item() -> impl Strategy<Value = Item> {
    let flag = prop_oneof![
        Just("\\Seen".to_owned()),
        Just("\\Answered".to_owned()),
        Just("\\Flagged".to_owned()),
        Just("\\Deleted".to_owned()),
        Just("\\Draft".to_owned()),
        Just("\\Recent".to_owned()),
        atom(),
        atom().prop_map(|atom| format!("\\X{atom}")),
    ];
    // From the year 1 to 9998, whatever the zone.
    let date = (-62_100_000_000_i64..253_300_000_000, -12 * 60..=14 * 60_i32);
    let fields = || vec("[A-Za-z][A-Za-z-]{0,10}", 1..4);
    let what = prop_oneof![
        Just(What::Content),
        Just(What::Header),
        fields().prop_map(What::Fields),
        fields().prop_map(What::FieldsNot),
        Just(What::Text),
    ];
    let number = || vec(1..=u32::MAX, 1..4);
    let section = prop_oneof![
        4 => (option::of(number()).prop_map(Option::unwrap_or_default), what),
        1 => (number(), Just(What::Mime)),
    ];
    let section = (section, option::of(any::<u32>()), option::weighted(0.9, octets()));
    prop_oneof![
        vec(flag, 0..5).prop_map(Item::Flags),
        date.prop_map(|(seconds, zone)| Item::InternalDate(seconds, zone)),
        any::<u32>().prop_map(Item::Size),
        envelope().prop_map(Item::Envelope),
        part().prop_map(|part| Item::Structure(Box::new(part))),
        section.prop_map(|((part, what), origin, data)| Item::Section(part, what, origin, data)),
    ]
}

impl Item {
    fn kind(&self) -> String {
        match self {
            Self::Flags(_) => "FLAGS".into(),
            Self::InternalDate(..) => "INTERNALDATE".into(),
            Self::Size(_) => "RFC822.SIZE".into(),
            Self::Envelope(_) => "ENVELOPE".into(),
            Self::Structure(_) => "BODYSTRUCTURE".into(),
            Self::Section(part, what, ..) => format!("{part:?} {what:?}"),
        }
    }

    fn to_codec(&self) -> MessageDataItem<'static> {
        match self {
            Self::Flags(flags) => {
                MessageDataItem::Flags(flags.iter().map(|flag| codec_flag(flag)).collect())
            }
            Self::InternalDate(seconds, zone) => {
                let date = moment(*seconds, *zone);
                MessageDataItem::InternalDate(date.try_into().expect("a date"))
            }
            Self::Size(size) => MessageDataItem::Rfc822Size(*size),
            Self::Envelope(envelope) => MessageDataItem::Envelope(envelope_to_codec(envelope)),
            Self::Structure(part) => MessageDataItem::BodyStructure(part_to_codec(part)),
            Self::Section(part, what, origin, data) => MessageDataItem::BodyExt {
                section: codec_section(part, what),
                origin: *origin,
                data: nstring(data),
            },
        }
    }

    fn check_ours(&self, message: &Message) -> Result<(), TestCaseError> {
        match self {
            Self::Flags(flags) => {
                let found: Vec<_> = message.flags().map(|it| it.as_str().to_owned()).collect();
                prop_assert_eq!(&found, flags);
            }
            Self::InternalDate(seconds, zone) => {
                let date = message.internal_date().expect("a date");
                let time = DateTime::parse_from_str(date.to_string().trim(), FORMAT);
                prop_assert_eq!(time.expect("a date"), moment(*seconds, *zone));
                prop_assert_eq!(i32::from(date.offset_minutes()), *zone);
            }
            Self::Size(size) => prop_assert_eq!(message.size(), Some(u64::from(*size))),
            Self::Envelope(envelope) => {
                let found = message.envelope().expect("an envelope");
                prop_assert!(found.is_complete());
                prop_assert_eq!(&envelope_of_ours(found), envelope);
            }
            Self::Structure(part) => {
                let found = message.body_structure().expect("a structure");
                prop_assert_eq!(&part_of_ours(found.root()), &**part);
            }
            Self::Section(part, what, origin, data) => {
                let section = our_section(part, what);
                let section = match origin {
                    Some(origin) => section.partial((*origin).into(), 1),
                    None => section,
                };
                prop_assert_eq!(message.section(&section), data.as_deref());
            }
        }
        Ok(())
    }

    fn check_proto(&self, items: &[AttributeValue<'_>]) -> Result<(), TestCaseError> {
        let found = |wanted: fn(&AttributeValue<'_>) -> bool| {
            items.iter().find(|item| wanted(item)).expect("the item")
        };
        match self {
            Self::Flags(flags) => {
                let AttributeValue::Flags(found) =
                    found(|item| matches!(item, AttributeValue::Flags(_)))
                else {
                    unreachable!()
                };
                prop_assert_eq!(found, flags);
            }
            Self::InternalDate(seconds, zone) => {
                let AttributeValue::InternalDate(found) =
                    found(|item| matches!(item, AttributeValue::InternalDate(_)))
                else {
                    unreachable!()
                };
                let time = DateTime::parse_from_str(found.trim(), FORMAT).expect("a date");
                prop_assert_eq!(time, moment(*seconds, *zone));
            }
            Self::Size(size) => {
                prop_assert!(items.contains(&AttributeValue::Rfc822Size(*size)));
            }
            Self::Envelope(envelope) => {
                let AttributeValue::Envelope(found) =
                    found(|item| matches!(item, AttributeValue::Envelope(_)))
                else {
                    unreachable!()
                };
                prop_assert_eq!(&envelope_of_proto(found), envelope);
            }
            Self::Structure(part) => {
                let AttributeValue::BodyStructure(found) =
                    found(|item| matches!(item, AttributeValue::BodyStructure(_)))
                else {
                    unreachable!()
                };
                prop_assert_eq!(part_of_proto(found), as_text(part));
            }
            Self::Section(part, what, origin, data) => {
                let section = match (proto_section(what), part.is_empty()) {
                    (None, true) => None,
                    (Some(what), true) => Some(SectionPath::Full(what)),
                    (what, false) => Some(SectionPath::Part(part.clone(), what)),
                };
                let data = data.clone().map(Into::into);
                let wanted = AttributeValue::BodySection { section, index: *origin, data };
                prop_assert!(items.contains(&wanted), "{:?} in {:?}", wanted, items);
            }
        }
        Ok(())
    }
}

const FORMAT: &str = "%d-%b-%Y %H:%M:%S %z";

fn moment(seconds: i64, zone: i32) -> DateTime<FixedOffset> {
    let zone = FixedOffset::east_opt(zone * 60).expect("a zone");
    DateTime::from_timestamp(seconds, 0).expect("a time").with_timezone(&zone)
}

fn codec_flag(flag: &str) -> FlagFetch<'static> {
    match flag {
        "\\Recent" => FlagFetch::Recent,
        "\\Seen" => FlagFetch::Flag(Flag::Seen),
        "\\Answered" => FlagFetch::Flag(Flag::Answered),
        "\\Flagged" => FlagFetch::Flag(Flag::Flagged),
        "\\Deleted" => FlagFetch::Flag(Flag::Deleted),
        "\\Draft" => FlagFetch::Flag(Flag::Draft),
        other => {
            let atom = |name: &str| name.to_owned().try_into().expect("an atom");
            FlagFetch::Flag(match other.strip_prefix('\\') {
                Some(name) => Flag::system(atom(name)),
                None => Flag::keyword(atom(other)),
            })
        }
    }
}

fn codec_section(part: &[u32], what: &What) -> Option<CodecSection<'static>> {
    let numbers: Vec<_> = part.iter().filter_map(|number| NonZeroU32::new(*number)).collect();
    let part = Vec1::try_from(numbers).ok().map(PartNumber);
    let fields = |names: &[String]| {
        let names: Vec<_> =
            names.iter().map(|name| AString::try_from(name.clone()).expect("a name")).collect();
        Vec1::try_from(names).expect("names")
    };
    Some(match what {
        What::Content => CodecSection::Part(part?),
        What::Header => CodecSection::Header(part),
        What::Fields(names) => CodecSection::HeaderFields(part, fields(names)),
        What::FieldsNot(names) => CodecSection::HeaderFieldsNot(part, fields(names)),
        What::Text => CodecSection::Text(part),
        What::Mime => CodecSection::Mime(part?),
    })
}

fn our_section(part: &[u32], what: &What) -> Section {
    let part = part.iter().copied();
    let of = |section: Section| {
        if part.len() == 0 { section } else { section.of_part(part.clone()) }
    };
    match what {
        What::Content if part.len() == 0 => Section::full(),
        What::Content => Section::part(part),
        What::Header => of(Section::header()),
        What::Fields(names) => of(Section::header_fields(names.clone())),
        What::FieldsNot(names) => of(Section::header_fields_not(names.clone())),
        What::Text => of(Section::text()),
        What::Mime => Section::mime(part),
    }
}

/// imap-proto drops the names of fields.
const fn proto_section(what: &What) -> Option<MessageSection> {
    match what {
        What::Content => None,
        What::Header | What::Fields(_) | What::FieldsNot(_) => Some(MessageSection::Header),
        What::Text => Some(MessageSection::Text),
        What::Mime => Some(MessageSection::Mime),
    }
}

/// imap-proto leaves the backslashes of quoted strings where they are, though RFC 9051 section 9
/// (`QUOTED-CHAR`) has them stand for the character behind them.
fn proto_reads(wire: &[u8]) -> bool {
    !wire.windows(2).any(|pair| pair == b"\\\\" || pair == b"\\\"")
}

#[test]
fn a_message_is_what_the_server_has_said_of_it() {
    let fed = RefCell::new(Fed::new());
    let message = (1..=u32::MAX, 1..u32::MAX, vec(item(), 1..5), any::<prop::sample::Index>());
    check(message, |(seq, uid, mut items, place)| {
        let mut kinds = HashSet::new();
        items.retain(|item| kinds.insert(item.kind()));
        let mut wire: Vec<_> = items.iter().map(Item::to_codec).collect();
        let uid = NonZeroU32::new(uid).expect("not 0");
        wire.insert(place.index(wire.len() + 1), MessageDataItem::Uid(uid));
        let seq = NonZeroU32::new(seq).expect("not 0");
        let data = Data::Fetch { seq, items: wire.try_into().expect("items") };
        let wire = encoded(data);

        let mut fed = fed.borrow_mut();
        fed.answer(&wire, "OK done");
        let (messages, event) = fed.run(async |client| {
            let inbox = client.selected().expect("selected");
            let messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await;
            let messages = messages.expect("UID FETCH").collect().await.expect("UID FETCH");
            (messages, inbox.take_event())
        });
        prop_assert!(event.is_none(), "{event:?}");
        let [message] = &messages[..] else { panic!("{messages:?}") };
        prop_assert_eq!(message.seq(), seq.get());
        prop_assert_eq!(message.uid().map(|uid| uid.get()), Some(uid.get()));
        prop_assert_eq!(message.unparsed().count(), 0);
        prop_assert_eq!(message.items().count(), items.len() + 1);
        items.iter().try_for_each(|item| item.check_ours(message))?;

        if proto_reads(&wire) {
            let (rest, response) = ProtoResponse::parse(&wire).expect("a response");
            prop_assert!(rest.is_empty());
            let ProtoResponse::Fetch(found, found_items) = response else { panic!("no FETCH") };
            prop_assert_eq!(found, seq.get());
            prop_assert!(found_items.contains(&AttributeValue::Uid(uid.get())));
            items.iter().try_for_each(|item| item.check_proto(&found_items))?;
        }
        Ok(())
    });
}
