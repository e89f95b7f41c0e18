//! FETCH (RFC 3501 section 6.4.5).

use std::io;

use super::super::date;
use super::super::header::{self, Address};
use super::super::mime::Part;
use super::super::store::Message;
use super::command::Command;
use super::selected::flag_list;
use super::set::Set;
use super::structure;
use super::{ARGUMENT_ERROR, INVALID_STATE, Imap, Reply};

/// How much is gathered before it is written.
const FLIGHT: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
enum Item {
    Uid,
    Flags,
    InternalDate,
    Size,
    Envelope,
    /// BODYSTRUCTURE, or BODY, which has no extension data.
    Structure {
        extended: bool,
    },
    Body(Body),
}

#[derive(Debug, PartialEq, Eq)]
struct Body {
    /// What stands before the size in the answer: `BODY[TEXT]<0>`.
    label: String,
    part: Vec<usize>,
    section: Section,
    marks_seen: bool,
    /// Offset and length.
    partial: Option<(usize, usize)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Section {
    Whole,
    Header,
    Text,
    Mime,
    Fields(Vec<String>),
    FieldsNot(Vec<String>),
}

impl Imap {
    pub(super) async fn fetch(&mut self, command: &Command) -> io::Result<Reply> {
        let (named, items) = match self.prepare(command) {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let marks_seen =
            items.iter().any(|item| matches!(item, Item::Body(Body { marks_seen: true, .. })));
        let mut out = Vec::new();
        for (number, uid) in named {
            let message = self.in_folder(|selected, folder| {
                let marks = marks_seen
                    && !selected.read_only
                    && folder.message(uid).is_some_and(|message| !message.has("\\Seen"));
                if marks && let Some(message) = folder.message_mut(uid) {
                    message.flags.insert("\\Seen".to_owned());
                    selected.told(number, &message.flags);
                }
                folder.message(uid).cloned().map(|message| (message, marks))
            });
            let Some((message, marked)) = message.flatten() else { continue };
            render(&mut out, number, &message, &items, marked);
            if out.len() >= FLIGHT {
                self.wire.send(&out).await?;
                out.clear();
            }
        }
        if !out.is_empty() {
            self.wire.send(&out).await?;
        }
        if marks_seen {
            self.world.ring();
        }
        Ok(Ok("OK FETCH completed.".to_owned()))
    }

    #[expect(clippy::type_complexity, reason = "two things a FETCH is made of, used once")]
    fn prepare(&self, command: &Command) -> Result<(Vec<(usize, u32)>, Vec<Item>), &'static str> {
        let selected = self.selected.as_ref().ok_or(INVALID_STATE)?;
        let set = command.text(0).and_then(Set::parse).ok_or(ARGUMENT_ERROR)?;
        let mut items = Vec::new();
        if command.by_uid {
            items.push(Item::Uid);
        }
        for name in command.arg(1).ok_or(ARGUMENT_ERROR)?.members() {
            let name = name.text().ok_or(ARGUMENT_ERROR)?;
            for item in parse_items(name).ok_or(ARGUMENT_ERROR)? {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        if command.args.len() != 2 || items.is_empty() {
            return Err(ARGUMENT_ERROR);
        }
        Ok((selected.resolve(&set, command.by_uid)?, items))
    }
}

/// One item, or those a macro stands for.
fn parse_items(name: &str) -> Option<Vec<Item>> {
    let upper = name.to_ascii_uppercase();
    let fast = || vec![Item::Flags, Item::InternalDate, Item::Size];
    let whole = |section, marks_seen| {
        let (label, part) = (upper.clone(), Vec::new());
        vec![Item::Body(Body { label, part, section, marks_seen, partial: None })]
    };
    Some(match upper.as_str() {
        "UID" => vec![Item::Uid],
        "FLAGS" => vec![Item::Flags],
        "INTERNALDATE" => vec![Item::InternalDate],
        "RFC822.SIZE" => vec![Item::Size],
        "ENVELOPE" => vec![Item::Envelope],
        "BODYSTRUCTURE" => vec![Item::Structure { extended: true }],
        "BODY" => vec![Item::Structure { extended: false }],
        "FAST" => fast(),
        "ALL" => fast().into_iter().chain([Item::Envelope]).collect(),
        "FULL" => {
            let structure = Item::Structure { extended: false };
            fast().into_iter().chain([Item::Envelope, structure]).collect()
        }
        "RFC822" => whole(Section::Whole, true),
        "RFC822.HEADER" => whole(Section::Header, false),
        "RFC822.TEXT" => whole(Section::Text, true),
        _ => vec![Item::Body(parse_body(&upper)?)],
    })
}

fn parse_body(item: &str) -> Option<Body> {
    let (rest, marks_seen) = match item.strip_prefix("BODY.PEEK[") {
        Some(rest) => (rest, false),
        None => (item.strip_prefix("BODY[")?, true),
    };
    let (section, partial) = rest.rsplit_once(']')?;
    let partial = match partial {
        "" => None,
        range => {
            let (offset, length) = range.strip_prefix('<')?.strip_suffix('>')?.split_once('.')?;
            Some((offset.parse().ok()?, length.parse().ok().filter(|length| *length > 0)?))
        }
    };
    let origin =
        partial.map_or_else(String::new, |(offset, _): (usize, usize)| format!("<{offset}>"));
    let label = format!("BODY[{section}]{origin}");
    let names = |list: &str| -> Option<Vec<String>> {
        let list = list.strip_prefix(" (")?.strip_suffix(')')?;
        Some(list.split_ascii_whitespace().map(|name| name.trim_matches('"').to_owned()).collect())
    };
    let (part, section) = part_number(section);
    let section = match section {
        "" => Section::Whole,
        "HEADER" => Section::Header,
        "TEXT" => Section::Text,
        "MIME" if !part.is_empty() => Section::Mime,
        other => match other.strip_prefix("HEADER.FIELDS.NOT") {
            Some(list) => Section::FieldsNot(names(list)?),
            None => Section::Fields(names(other.strip_prefix("HEADER.FIELDS")?)?),
        },
    };
    Some(Body { label, part, section, marks_seen, partial })
}

/// The numbers at the beginning of a section, and what follows them.
fn part_number(section: &str) -> (Vec<usize>, &str) {
    let (mut part, mut rest) = (Vec::new(), section);
    loop {
        let (word, behind) = rest.split_once('.').unwrap_or((rest, ""));
        match word.parse() {
            Ok(number) => part.push(number),
            Err(_) => return (part, rest),
        }
        rest = behind;
    }
}

fn render(out: &mut Vec<u8>, number: usize, message: &Message, items: &[Item], marked: bool) {
    out.extend(format!("* {number} FETCH (").into_bytes());
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        match item {
            Item::Uid => out.extend(format!("UID {}", message.uid).into_bytes()),
            Item::Flags => out.extend(format!("FLAGS {}", flag_list(&message.flags)).into_bytes()),
            Item::InternalDate => {
                let date = date::internal_date(message.internal_date);
                out.extend(format!("INTERNALDATE \"{date}\"").into_bytes());
            }
            Item::Size => out.extend(format!("RFC822.SIZE {}", message.bytes.len()).into_bytes()),
            Item::Envelope => {
                out.extend(b"ENVELOPE ");
                envelope(out, &message.bytes);
            }
            Item::Structure { extended } => {
                out.extend_from_slice(if *extended { b"BODYSTRUCTURE " } else { b"BODY " });
                structure::render(out, &message.bytes, *extended);
            }
            Item::Body(body) => match section(&message.bytes, body) {
                Some(text) => {
                    out.extend(format!("{} {{{}}}\r\n", body.label, text.len()).into_bytes());
                    out.extend(text);
                }
                None => out.extend(format!("{} NIL", body.label).into_bytes()),
            },
        }
    }
    if marked && !items.contains(&Item::Flags) {
        out.extend(format!(" FLAGS {}", flag_list(&message.flags)).into_bytes());
    }
    out.extend(b")\r\n");
}

/// What a section names; nothing if the message has no such part.
fn section(message: &[u8], body: &Body) -> Option<Vec<u8>> {
    let root = Part::parse(message);
    let part = root.part(&body.part)?;
    // Within a part, these are about the message that it encloses.
    let about = if body.part.is_empty() { Some(&root) } else { part.parts.first() };
    let about = about.filter(|_| body.part.is_empty() || part.is_message());
    let picked = |names: &[String], wanted: bool| {
        let mut picked = Vec::new();
        for (name, field) in header::fields(about?.head) {
            if names.iter().any(|sought| name.eq_ignore_ascii_case(sought.as_bytes())) == wanted {
                picked.extend_from_slice(field);
            }
        }
        picked.extend(b"\r\n");
        Some(picked)
    };
    let whole = match &body.section {
        Section::Whole if body.part.is_empty() => message.to_vec(),
        Section::Whole => part.body.to_vec(),
        Section::Mime => part.head.to_vec(),
        Section::Header => about?.head.to_vec(),
        Section::Text => about?.body.to_vec(),
        Section::Fields(names) => picked(names, true)?,
        Section::FieldsNot(names) => picked(names, false)?,
    };
    let Some((offset, length)) = body.partial else { return Some(whole) };
    let rest = whole.get(offset..).unwrap_or_default();
    Some(rest.get(..length).unwrap_or(rest).to_vec())
}

pub(super) fn envelope(out: &mut Vec<u8>, message: &[u8]) {
    let value = |name| header::value(message, name);
    let from = value("From");
    out.push(b'(');
    nstring(out, value("Date").as_deref());
    out.push(b' ');
    nstring(out, value("Subject").as_deref());
    // RFC 3501 section 7.4.2: sender and reply-to default to from.
    for name in ["From", "Sender", "Reply-To", "To", "Cc", "Bcc"] {
        let default = from.clone().filter(|_| matches!(name, "Sender" | "Reply-To"));
        out.push(b' ');
        address_list(out, value(name).or(default).as_deref());
    }
    out.push(b' ');
    nstring(out, value("In-Reply-To").as_deref());
    out.push(b' ');
    nstring(out, value("Message-ID").as_deref());
    out.push(b')');
}

fn address_list(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let addresses = value.map(header::addresses).unwrap_or_default();
    if addresses.is_empty() {
        out.extend(b"NIL");
        return;
    }
    out.push(b'(');
    for Address { name, local, host } in &addresses {
        out.push(b'(');
        nstring(out, name.as_deref());
        out.extend(b" NIL ");
        nstring(out, Some(local));
        out.push(b' ');
        nstring(out, Some(host));
        out.push(b')');
    }
    out.push(b')');
}

/// NIL, a quoted string, or a literal where quoting does not do.
pub(super) fn nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    let Some(text) = text else {
        out.extend(b"NIL");
        return;
    };
    let plain = |octet: &u8| (b' '..=b'~').contains(octet) && !b"\"\\".contains(octet);
    if text.iter().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    } else {
        out.extend(format!("{{{}}}\r\n", text.len()).into_bytes());
        out.extend_from_slice(text);
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_section_is_cut_out_and_cut_short() {
        let message = b"A: 1\r\nB: 2\r\n\r\nbody\r\n";
        let cut = |item: &str| section(message, &parse_body(item).unwrap()).unwrap();
        assert_eq!(cut("BODY[]"), message);
        assert_eq!(cut("BODY[HEADER]"), b"A: 1\r\nB: 2\r\n\r\n");
        assert_eq!(cut("BODY[TEXT]<1.2>"), b"od");
        assert_eq!(cut("BODY[TEXT]<90.2>"), b"");
        assert_eq!(cut("BODY.PEEK[HEADER.FIELDS (B X)]"), b"B: 2\r\n\r\n");
        assert_eq!(cut("BODY.PEEK[HEADER.FIELDS.NOT (B)]"), b"A: 1\r\n\r\n");
    }

    #[test]
    fn parts_have_sections_of_their_own() {
        let message =
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: 1\r\n\r\none\r\n\
            --b\r\nContent-Type: message/rfc822\r\n\r\nA: 1\r\nB: 2\r\n\r\ntwo\r\n--b--\r\n";
        let cut = |item: &str| section(message, &parse_body(item).unwrap());
        let found = |octets: &[u8]| Some(octets.to_vec());
        assert_eq!(cut("BODY[1]"), found(b"one"));
        assert_eq!(cut("BODY[1.MIME]"), found(b"X: 1\r\n\r\n"));
        assert_eq!(cut("BODY[2]"), found(b"A: 1\r\nB: 2\r\n\r\ntwo"));
        assert_eq!(cut("BODY[2.HEADER]"), found(b"A: 1\r\nB: 2\r\n\r\n"));
        assert_eq!(cut("BODY[2.TEXT]"), found(b"two"));
        assert_eq!(cut("BODY[2.1]<1.9>"), found(b"wo"));
        assert_eq!(cut("BODY[2.HEADER.FIELDS (B)]"), found(b"B: 2\r\n\r\n"));
        for none in ["BODY[3]", "BODY[1.TEXT]", "BODY[1.1]"] {
            assert_eq!(cut(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_item_is_refused() {
        for name in ["BODY[", "BODY[]<1>", "BODY[]<1.0>", "BODY[X]", "BODY[MIME]", "X"] {
            assert_eq!(parse_items(name), None, "{name}");
        }
    }

    #[test]
    fn an_envelope_has_ten_members() {
        let mut out = Vec::new();
        envelope(&mut out, b"Subject: say \"hi\"\r\nFrom: Doe <a@b.c>\r\n\r\n");
        let from = r#"(("Doe" NIL "a" "b.c"))"#;
        let expected =
            format!("(NIL {{8}}\r\nsay \"hi\" {from} {from} {from} NIL NIL NIL NIL NIL)");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
