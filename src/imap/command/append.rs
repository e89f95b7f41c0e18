//! APPEND, RFC 9051 section 6.3.12, with APPENDUID (RFC 4315).
//!
//! ```text
//! C: A3 APPEND Sent (\Seen) {310}
//! S: + Ready for literal data
//! C: (the message)
//! S: A3 OK [APPENDUID 38505 3955] APPEND completed
//! ```
//!
//! APPENDUID may also come untagged, as COPYUID does.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::message_set::Which;
use super::modifier::Need;
use super::{Command, is_coded, untagged_code};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Effect};
use crate::imap::session::Session;
use crate::imap::{
    AppendUid, Capabilities, Code, DateTime, Error, Extension, Flag, ImapClient, MailboxName,
    Reply, Uid, Upload,
};
use crate::{Misuse, Stage};

/// How a message is stored. The default: without flags, received now.
#[derive(Debug, Clone, Default)]
pub struct AppendOptions {
    flags: Vec<Flag<'static>>,
    date: Option<DateTime>,
    utf8: bool,
}

const UTF8: Need = Need::enabled(Extension::Utf8Accept);

impl AppendOptions {
    /// No flags, received now.
    pub fn new() -> Self {
        Self::default()
    }

    /// The flags it is to have.
    pub fn flags(mut self, flags: impl IntoIterator<Item = Flag<'static>>) -> Self {
        self.flags = flags.into_iter().collect();
        self
    }

    /// When it is to count as received: its INTERNALDATE.
    pub const fn date(mut self, date: DateTime) -> Self {
        self.date = Some(date);
        self
    }

    /// There is UTF-8 in its header (RFC 6532): an address or a subject in other letters, not
    /// encoded. Without this servers refuse it; with it they must have been told
    /// [`ENABLE UTF8=ACCEPT`](crate::imap::Extension::Utf8Accept) (RFC 6855 section 4), or the call
    /// is [`Error::NotEnabled`], and [`Error::Unsupported`] where it is not offered.
    pub const fn utf8(mut self) -> Self {
        self.utf8 = true;
        self
    }
}

/// Where an appended message went, as far as the server tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppendResult {
    place: Option<AppendUid>,
}

impl AppendResult {
    /// The UIDVALIDITY of the mailbox, from servers with `UIDPLUS`.
    pub fn uid_validity(&self) -> Option<NonZeroU32> {
        self.place.as_ref().map(AppendUid::uid_validity)
    }

    /// The UIDs of the messages in their order, where several were stored, from servers with
    /// `UIDPLUS`. None at all if the server does not tell, or not as many as there are messages.
    pub fn uids(&self) -> impl Iterator<Item = Uid> + '_ {
        self.place
            .iter()
            .flat_map(|place| place.uids().ranges())
            .flat_map(|range| (range.start().get()..=range.end().get()).filter_map(Uid::new))
    }

    /// The UID of the message, from servers with `UIDPLUS`.
    pub fn uid(&self) -> Option<Uid> {
        self.place.as_ref()?.uids().ranges().next().map(|range| *range.start())
    }
}

impl ImapClient {
    /// Stores a message in a mailbox, octet for octet. It need not be the selected one. The message
    /// is anything that holds octets, or is read while it is sent: see [`Upload`].
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not take it; with [`Code::TryCreate`] if it would,
    /// were the mailbox created first. [`Error::Misuse`] if the message holds NUL and the server
    /// cannot take that, or is larger than the `APPENDLIMIT` it announces or has told of this mailbox
    /// ([`StatusItem::AppendLimit`](crate::imap::StatusItem), RFC 7889); nothing was sent then.
    /// [`Error::Unknown`] if the connection breaks, in whatever way, after all of the message was
    /// sent: it may have been stored, which is
    /// [`Retry::MayDuplicate`](crate::Retry::MayDuplicate). If it breaks before, it was not.
    /// [`Error::Upload`] if a reader fails or gives fewer or more octets than announced, or a NUL;
    /// the connection is closed and nothing was stored.
    ///
    /// # Cancel safety
    /// If the future is dropped while the message is on its way, the connection is closed; if all
    /// of it was sent, the server stores it all the same.
    pub async fn append(
        &mut self,
        mailbox: impl Into<MailboxName>,
        message: impl Into<Upload<'_>>,
        options: AppendOptions,
    ) -> Result<AppendResult, Error> {
        let message = message.into();
        let content = (options, Data::Message(Content::of(&message)));
        let command = Append::new(mailbox.into(), vec![content]);
        self.mailbox.session.store(command, vec![message]).await
    }
}

impl Session {
    /// Stores messages, in the order in which they stand in the command.
    pub(super) async fn store(
        &mut self,
        mut command: Append,
        messages: Vec<Upload<'_>>,
    ) -> Result<AppendResult, Error> {
        command.limit = self.append_limits.of(&command.mailbox);
        let stage = Stage::Command(command.name());
        self.run_upload(command, messages, stage).await
    }
}

/// What is stored: messages, or one that the server puts together. The commands that store by other
/// verbs and of more parts are this one, written otherwise.
pub(super) struct Append {
    /// The message that goes for it (RFC 8508).
    replaced: Option<Which>,
    mailbox: MailboxName,
    messages: Vec<(AppendOptions, Data)>,
    needs: Vec<Need>,
    /// What was said of it before the tagged answer.
    place: Option<AppendUid>,
    /// What the mailbox was told to take at most.
    limit: Option<u64>,
}

/// Where the octets of a message come from.
pub(super) enum Data {
    /// They are sent.
    Message(Content),
    /// Put together by the server (RFC 4469).
    Catenated(Vec<CatPart>),
}

impl Data {
    /// The octets that are sent.
    fn octets(&self) -> u64 {
        match self {
            Self::Message(content) => content.octets,
            Self::Catenated(parts) => parts.iter().fold(0, |octets: u64, part| match part {
                CatPart::Text(content) => octets.saturating_add(content.octets),
                CatPart::Url(_) => octets,
            }),
        }
    }
}

/// A part of a message that the server puts together.
pub(super) enum CatPart {
    Text(Content),
    Url(String),
}

/// What is known of octets that are sent, before they are.
pub(super) struct Content {
    octets: u64,
    /// A NUL is known to be in it.
    holds_nul: bool,
    /// All of it, to be sent with the command.
    short: Option<Bytes>,
}

impl Content {
    pub(super) fn of(message: &Upload<'_>) -> Self {
        let (octets, holds_nul) = (message.octets(), message.holds_nul());
        Self { octets, holds_nul, short: message.short() }
    }

    /// Refuses what the server is known not to take, before anything is sent.
    fn check(&self, line: &Line, capabilities: &Capabilities) -> Result<(), Misuse> {
        check_limit(self.octets, capabilities)?;
        // RFC 9051 section 9 has numbers of 63 bits there, RFC 3501 of 32.
        if self.octets > line.most_octets() {
            let why = format!("{} octets, which cannot be announced", self.octets);
            return Err(Misuse::Argument { what: "message", why });
        }
        if self.holds_nul && !capabilities.has("BINARY") {
            let why = "a NUL is in it, and the server does not offer BINARY".to_owned();
            return Err(Misuse::Argument { what: "message", why });
        }
        Ok(())
    }

    /// Writes it as a literal, or in place of its octets that they are to come. With NUL in it, or
    /// if it `may_be_binary`, as a literal8 (RFC 3516 section 4.4).
    fn encode(
        &self,
        line: &mut Line,
        capabilities: &Capabilities,
        may_be_binary: bool,
    ) -> Result<(), Misuse> {
        self.check(line, capabilities)?;
        match (&self.short, self.holds_nul || may_be_binary) {
            (Some(message), false) => line.literal(message.clone()),
            (Some(message), true) => line.literal8(message.clone()),
            (None, false) => line.upload(self.octets),
            (None, true) => line.upload8(self.octets),
        };
        Ok(())
    }
}

/// Refuses a message of more octets than the server says it takes (RFC 7889).
fn check_limit(octets: u64, capabilities: &Capabilities) -> Result<(), Misuse> {
    let limit = capabilities.value("APPENDLIMIT").and_then(|limit| limit.parse::<u64>().ok());
    match limit.filter(|limit| octets > *limit) {
        Some(limit) => Err(too_long(octets, limit)),
        None => Ok(()),
    }
}

fn too_long(octets: u64, limit: u64) -> Misuse {
    let why = format!("{octets} octets, and the server takes {limit}");
    Misuse::Argument { what: "message", why }
}

impl Append {
    pub(super) fn new(mailbox: MailboxName, messages: Vec<(AppendOptions, Data)>) -> Self {
        let utf8 = messages.iter().any(|(options, _)| options.utf8);
        let needs = if utf8 { vec![UTF8] } else { Vec::new() };
        Self { replaced: None, mailbox, messages, needs, place: None, limit: None }
    }

    /// The server must offer something for it.
    pub(super) fn needing(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// It is REPLACE.
    pub(super) fn replacing(mut self, old: Which) -> Self {
        self.replaced = Some(old);
        self
    }
}

impl Command for Append {
    type Output = AppendResult;

    fn name(&self) -> &'static str {
        match &self.replaced {
            Some(old) => old.name("UID REPLACE", "REPLACE"),
            None => "APPEND",
        }
    }

    fn encode(&self, line: &mut Line, capabilities: &Capabilities) -> Result<(), Misuse> {
        // A limit that is not told is found out before the octets leave (RFC 7889 section 4).
        if capabilities.has("APPENDLIMIT") {
            line.wait_with_literals();
        }
        match &self.replaced {
            Some(old) => old.encode(line, "REPLACE")?,
            None => line.raw("APPEND"),
        };
        line.raw(" ").mailbox(&self.mailbox)?;
        for (options, data) in &self.messages {
            if let Some(limit) = self.limit.filter(|limit| data.octets() > *limit) {
                return Err(too_long(data.octets(), limit));
            }
            if !options.flags.is_empty() {
                line.raw(" ").flags(&options.flags)?;
            }
            if let Some(date) = &options.date {
                // RFC 9051 section 9: the year has four digits, all else two.
                let why = match date {
                    _ if date.year() > 9999 => "has a year of more than four digits",
                    _ if date.to_unix().is_none() => "is no moment",
                    _ => "",
                };
                if !why.is_empty() {
                    let why = format!("{date} {why}");
                    return Err(Misuse::Argument { what: "the date of a message", why });
                }
                line.raw(format_args!(" \"{date}\""));
            }
            match data {
                Data::Message(content) if options.utf8 => {
                    // RFC 6855 section 4.
                    line.raw(" UTF8 (");
                    content.encode(line, capabilities, true)?;
                    line.raw(")");
                }
                Data::Message(content) => content.encode(line.raw(" "), capabilities, false)?,
                Data::Catenated(parts) => catenated(parts, options.utf8, line, capabilities)?,
            }
        }
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn effect(&self) -> Effect {
        Effect::Upload
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_coded(response, "APPENDUID"))
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        if let Some(Code::AppendUid(place)) = untagged_code(response) {
            self.place = Some(place);
        }
        Ok(())
    }

    fn finish(self, reply: Reply) -> AppendResult {
        let place = match reply.code() {
            Some(Code::AppendUid(place)) => Some(place.clone()),
            _ => self.place,
        };
        AppendResult { place: place.map(|place| place.of(self.messages.len())) }
    }
}

/// RFC 4469 section 5.
fn catenated(
    parts: &[CatPart],
    utf8: bool,
    line: &mut Line,
    capabilities: &Capabilities,
) -> Result<(), Misuse> {
    if parts.is_empty() {
        let why = "there are none".to_owned();
        return Err(Misuse::Argument { what: "parts of the message", why });
    }
    let octets = parts.iter().map(|part| match part {
        CatPart::Text(content) => content.octets,
        CatPart::Url(_) => 0,
    });
    check_limit(octets.fold(0, u64::saturating_add), capabilities)?;
    let mut separator = " CATENATE (";
    for part in parts {
        line.raw(separator);
        match part {
            CatPart::Text(content) if utf8 => {
                // RFC 6855 section 4.
                content.encode(line.raw("UTF8 ("), capabilities, true)?;
                line.raw(")");
            }
            CatPart::Text(content) if content.holds_nul => {
                let why = "a NUL is in it, which CATENATE cannot carry".to_owned();
                return Err(Misuse::Argument { what: "part of the message", why });
            }
            CatPart::Text(content) => content.encode(line.raw("TEXT "), capabilities, false)?,
            CatPart::Url(url) => drop(line.raw("URL ").string("URL", url.as_bytes())?),
        }
        separator = " ";
    }
    line.raw(")");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Status;
    use crate::imap::command::script::play;

    fn append(message: &'static str, options: AppendOptions) -> Append {
        let content = Data::Message(Content::of(&message.into()));
        Append::new("Sent Items".into(), vec![(options, content)])
    }

    #[test]
    fn the_message_waits_for_the_server_and_its_uid_comes_back() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 UIDPLUS] hi
            C: A1 APPEND \"Sent Items\" (\\Seen) \" 7-Feb-1994 21:52:25 -0800\" {12}
            S: + Ready for literal data
            C: Subject: x
            C:
            S: A1 OK [APPENDUID 38505 3955] APPEND completed
        ";
        let date = DateTime::parse(b"7-Feb-1994 21:52:25 -0800").unwrap();
        let options = || AppendOptions::new().flags([Flag::Seen]).date(date);
        // The CRLF behind the literal ends the command.
        play(
            || append("Subject: x\r\n", options()),
            script,
            |played| {
                let result = played.output.unwrap();
                assert_eq!(result.uid(), Uid::new(3955));
                assert_eq!(result.uid_validity().map(NonZeroU32::get), Some(38505));
            },
        );
    }

    #[test]
    fn a_date_that_is_none_is_refused_before_anything_is_written() {
        for (date, taken) in [
            ("17-Feb-9999 21:52:25 -0800", true),
            ("17-Feb-10000 21:52:25 -0800", false),
            ("29-Feb-2024 23:59:60 +0000", true),
            ("29-Feb-2023 23:59:60 +0000", false),
            ("255-Feb-2024 1:02:03 +0000", false),
            ("1-Feb-2024 1:200:03 +0000", false),
            // Domino.
            ("00-Jan-0000 00:00:00 +0000", false),
        ] {
            let date = DateTime::parse(date.as_bytes()).unwrap();
            let append = append("x", AppendOptions::new().date(date));
            let mut line = Line::new(Default::default());
            let encoded = append.encode(&mut line, &Capabilities::default());
            assert_eq!(encoded.is_ok(), taken, "{date}");
        }
    }

    #[test]
    fn more_octets_than_the_server_has_a_number_for_are_refused_before_anything_is_written() {
        for (octets, wide, taken) in [
            (u64::from(u32::MAX), false, true),
            (1 << 32, false, false),
            (1 << 32, true, true),
            (1 << 63, true, false),
        ] {
            let content = Content { octets, holds_nul: false, short: None };
            let message = vec![(AppendOptions::new(), Data::Message(content))];
            let append = Append::new("Sent".into(), message);
            let mut line = Line::new(Default::default()).wide(wide);
            let encoded = append.encode(&mut line, &Capabilities::default());
            assert_eq!(encoded.is_ok(), taken, "{octets}");
        }
    }

    #[test]
    fn a_uid_that_comes_untagged_counts_too() {
        for untagged in ["* OK [APPENDUID 38505 3955] stored", "[appenduid 38505 3955]"] {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi
                C: A1 APPEND \"Sent Items\" {{5+}}
                C: hello
                S: * OK [APPENDUIDS 1 2] no such code
                S: {untagged}
                S: A1 OK APPEND completed
                "
            );
            let hello = || append("hello", AppendOptions::default());
            play(hello, &script, |mut played| {
                let result = played.output.unwrap();
                let (validity, uid) = (result.uid_validity().map(NonZeroU32::get), result.uid());
                assert_eq!((validity, uid), (Some(38505), Uid::new(3955)));
                assert!(matches!(played.core.take_event(), Some(crate::imap::Event::Notice(_))));
                assert!(played.core.take_event().is_none());
            });
        }
    }

    #[test]
    fn with_literal_plus_all_goes_at_once() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi
            C: A1 APPEND \"Sent Items\" {5+}
            C: hello
            S: A1 OK APPEND completed
        ";
        play(
            || append("hello", AppendOptions::default()),
            script,
            |played| {
                assert_eq!(played.output.unwrap().uid(), None);
            },
        );
    }

    #[test]
    fn a_message_refused_before_it_was_sent_is_not_sent() {
        let script = "
            S: * PREAUTH hi
            C: A1 APPEND \"Sent Items\" {5}
            S: A1 NO [TRYCREATE] Mailbox doesn't exist: Sent Items
        ";
        play(
            || append("hello", AppendOptions::default()),
            script,
            |played| {
                assert_eq!(played.refusal().code(), Some(&Code::TryCreate));
            },
        );
    }

    #[test]
    fn a_message_with_nul_needs_a_server_with_binary() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ BINARY] hi
            C: A1 APPEND \"Sent Items\" ~{3+}
            C: a\0b
            S: A1 OK APPEND completed
        ";
        let message = || append("a\0b", AppendOptions::default());
        play(message, script, |played| assert!(played.output.is_ok()));
        let mut line = Line::new(Default::default());
        assert_eq!(
            message().encode(&mut line, &Capabilities::default()).unwrap_err().to_string(),
            "message: a NUL is in it, and the server does not offer BINARY"
        );
    }

    #[test]
    fn where_a_limit_is_kept_secret_the_octets_wait() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ APPENDLIMIT] hi
            C: A1 APPEND \"Sent Items\" {5}
            S: A1 NO [TOOBIG] more than 4
        ";
        let hello = || append("hello", AppendOptions::default());
        play(hello, script, |played| {
            assert!(played.core.takes_commands());
            assert_eq!(played.refusal().code(), Some(&Code::TooBig));
        });
    }

    #[test]
    fn a_header_in_utf_8_has_a_form_of_its_own() {
        // RFC 6855 section 4.
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ BINARY UTF8=ACCEPT] hi
            C: A1 APPEND \"Sent Items\" (\\Seen) UTF8 (~{13+}
            C: Subject: \u{e4}
            C: )
            S: A1 OK APPEND completed
        ";
        let message =
            || append("Subject: \u{e4}\r\n", AppendOptions::new().flags([Flag::Seen]).utf8());
        assert_eq!(message().needs(), [UTF8]);
        play(message, script, |played| assert!(played.output.is_ok()));
    }

    #[test]
    fn a_header_in_utf_8_waits_for_a_server_that_does_not_know_such_literals_with_a_plus() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ UTF8=ACCEPT] hi
            C: A1 APPEND \"Sent Items\" UTF8 (~{22}
            S: A1 BAD no such literal
        ";
        let message = || append("\r\nA2 DELETE \u{e4}rchive\r\n", AppendOptions::new().utf8());
        play(message, script, |played| {
            assert!(played.core.takes_commands());
            assert_eq!(played.refusal().status(), Status::Bad);
        });
    }

    #[test]
    fn a_message_beyond_the_announced_limit_is_not_even_begun() {
        let capabilities = Capabilities::from("IMAP4rev1 APPENDLIMIT=4");
        let mut line = Line::new(Default::default());
        let refused = append("hello", AppendOptions::default()).encode(&mut line, &capabilities);
        assert_eq!(refused.unwrap_err().to_string(), "message: 5 octets, and the server takes 4");
    }
}
