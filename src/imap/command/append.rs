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

use super::{Command, is_coded, untagged_code};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Effect};
use crate::imap::{
    AppendUid, Capabilities, Code, DateTime, Error, Flag, ImapClient, MailboxName, Reply, Uid,
    Upload,
};
use crate::{Misuse, Stage};

/// How a message is stored. The default: without flags, received now.
#[derive(Debug, Clone, Default)]
pub struct AppendOptions {
    flags: Vec<Flag<'static>>,
    date: Option<DateTime>,
}

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
}

/// Where an appended message went, as far as the server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendResult {
    place: Option<AppendUid>,
}

impl AppendResult {
    /// The UIDVALIDITY of the mailbox, from servers with `UIDPLUS`.
    pub fn uid_validity(&self) -> Option<NonZeroU32> {
        self.place.as_ref().map(AppendUid::uid_validity)
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
    /// cannot take that, or is larger than the `APPENDLIMIT` it announces (RFC 7889); nothing was
    /// sent then. [`Error::Unknown`] if the connection breaks, in whatever way, after all of the
    /// message was sent: it may have been stored, which is
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
        let command = Append::new(mailbox.into(), &message, options);
        self.mailbox.session.run_upload(command, message, Stage::Command(Append::NAME)).await
    }
}

struct Append {
    mailbox: MailboxName,
    octets: u64,
    /// A NUL is known to be in it.
    holds_nul: bool,
    /// All of it, to be sent with the command.
    short: Option<Bytes>,
    options: AppendOptions,
    /// What was said of it before the tagged answer.
    place: Option<AppendUid>,
}

impl Append {
    fn new(mailbox: MailboxName, message: &Upload<'_>, options: AppendOptions) -> Self {
        let (octets, holds_nul) = (message.octets(), message.holds_nul());
        Self { mailbox, octets, holds_nul, short: message.short(), options, place: None }
    }
}

impl Command for Append {
    const NAME: &'static str = "APPEND";

    type Output = AppendResult;

    fn encode(&self, line: &mut Line, capabilities: &Capabilities) -> Result<(), Misuse> {
        let limit = capabilities.value("APPENDLIMIT").and_then(|limit| limit.parse::<u64>().ok());
        if let Some(limit) = limit.filter(|limit| self.octets > *limit) {
            let why = format!("{} octets, and the server takes {limit}", self.octets);
            return Err(Misuse::Argument { what: "message", why });
        }
        // RFC 9051 section 9: number64 is less than 2^63.
        if self.octets > i64::MAX as u64 {
            let why = format!("{} octets, which cannot be announced", self.octets);
            return Err(Misuse::Argument { what: "message", why });
        }
        line.raw("APPEND ").mailbox(&self.mailbox)?.raw(" ");
        if !self.options.flags.is_empty() {
            line.flags(&self.options.flags)?.raw(" ");
        }
        if let Some(date) = &self.options.date {
            line.raw(format_args!("\"{date}\" "));
        }
        if self.holds_nul {
            if !capabilities.has("BINARY") {
                let why = "a NUL is in it, and the server does not offer BINARY".to_owned();
                return Err(Misuse::Argument { what: "message", why });
            }
            // RFC 3516 section 4.4.
            line.raw("~");
        }
        match &self.short {
            Some(message) => line.literal(message.clone()),
            None => line.upload(self.octets),
        };
        Ok(())
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
        AppendResult { place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    fn append(message: &'static str, options: AppendOptions) -> Append {
        Append::new("Sent Items".into(), &message.into(), options)
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
    fn a_message_beyond_the_announced_limit_is_not_even_begun() {
        let capabilities = Capabilities::from("IMAP4rev1 APPENDLIMIT=4");
        let mut line = Line::new(Default::default());
        let refused = append("hello", AppendOptions::default()).encode(&mut line, &capabilities);
        assert_eq!(refused.unwrap_err().to_string(), "message: 5 octets, and the server takes 4");
    }
}
