//! ENABLE, RFC 9051 section 6.3.1 (RFC 5161).
//!
//! ```text
//! C: A3 ENABLE CONDSTORE UTF8=ACCEPT
//! S: * ENABLED CONDSTORE UTF8=ACCEPT
//! S: A3 OK ENABLE completed
//! ```
//!
//! What a server says it has enabled holds from that line on, so the core takes it. What was not
//! asked for is not believed: names and strings would be read otherwise from then on.

use bytes::Bytes;

use super::{Command, is_data};
use crate::imap::proto::decode::{Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Effect};
use crate::imap::{Capabilities, Error, ImapClient, Reply};
use crate::{Misuse, Stage};

/// What a client must ask for before a server does it.
///
/// Others change the session in ways that this crate does not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension {
    /// `CONDSTORE`: every change of flags is told with its modification sequence (RFC 7162).
    CondStore,
    /// `QRESYNC`: a mailbox can be opened with all its changes by
    /// [`resync`](ImapClient::resync), and what is gone is told by UID, as
    /// [`Event::Vanished`](crate::imap::Event::Vanished) (RFC 7162). It brings `CONDSTORE` with it.
    QResync,
    /// `UTF8=ACCEPT`: the server may send UTF-8 in strings and names (RFC 6855). Gmail then refuses
    /// searches for anything but ASCII.
    Utf8Accept,
    /// `IMAP4rev2` (RFC 9051) in place of IMAP4rev1. At Exchange Online it is reported to be
    /// faulty.
    Imap4rev2,
}

impl Extension {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CondStore => "CONDSTORE",
            Self::QResync => "QRESYNC",
            Self::Utf8Accept => "UTF8=ACCEPT",
            Self::Imap4rev2 => "IMAP4rev2",
        }
    }

    /// Capabilities of which any announces it.
    pub(crate) const fn announced_by(self) -> &'static [&'static str] {
        match self {
            Self::CondStore => &["CONDSTORE", "QRESYNC"],
            Self::QResync => &["QRESYNC"],
            Self::Utf8Accept => &["UTF8=ACCEPT", "UTF8=ONLY"],
            Self::Imap4rev2 => &["IMAP4rev2"],
        }
    }
}

impl ImapClient {
    /// Asks the server to do what it does on demand only, and gives what it says it now does.
    ///
    /// That may be less than was asked for, with no error: look. iCloud never says, and what is not
    /// confirmed is taken not to be.
    ///
    /// Only before a mailbox is opened: once SELECT or EXAMINE was sent, it must not be, even if that
    /// mailbox was left again (RFC 9051 section 6.3.1). After [`unauthenticate`](Self::unauthenticate)
    /// it may.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not announce `ENABLE` or one of these: some accept
    /// what they do not announce and answer wrongly from then on. [`Error::Misuse`] if a mailbox was
    /// opened before. With either, nothing was sent. [`Error::Refused`] if the server does not want
    /// to.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server enables all the same.
    pub async fn enable(
        &mut self,
        extensions: impl IntoIterator<Item = Extension>,
    ) -> Result<Capabilities, Error> {
        const STAGE: Stage = Stage::Command("ENABLE");
        let extensions: Vec<_> = extensions.into_iter().collect();
        self.mailbox.session.rest(STAGE).await?;
        let offered = self.capabilities();
        let lacks = |what| Err(Error::lacks(offered, STAGE, what));
        // RFC 9051 has it without announcing it, to begin with it.
        if !offered.has("ENABLE") && !offered.has("IMAP4rev2") {
            return lacks("ENABLE");
        }
        for extension in &extensions {
            if !extension.announced_by().iter().any(|word| offered.has(word)) {
                return lacks(extension.as_str());
            }
        }
        if extensions.is_empty() {
            return Ok(Capabilities::default());
        }
        if !self.mailbox.session.core().may_enable() {
            let why = "not once a mailbox was opened, even if it was left again".to_owned();
            return Err(Misuse::Argument { what: "ENABLE", why }.into());
        }
        self.run(Enable { extensions, enabled: Capabilities::default() }).await
    }

    /// What the server has said it does on demand in this session.
    pub const fn enabled(&self) -> &Capabilities {
        self.mailbox.session.core().enabled()
    }
}

struct Enable {
    extensions: Vec<Extension>,
    enabled: Capabilities,
}

impl Enable {
    /// What may be confirmed.
    fn words(&self) -> Vec<&'static str> {
        let mut words: Vec<_> =
            self.extensions.iter().map(|extension| extension.as_str()).collect();
        if self.extensions.contains(&Extension::QResync) {
            // RFC 7162 section 3.2.3: the one enables the other.
            words.push(Extension::CondStore.as_str());
        }
        words
    }
}

impl Command for Enable {
    type Output = Capabilities;

    fn name(&self) -> &'static str {
        "ENABLE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("ENABLE");
        for extension in &self.extensions {
            line.raw(" ").raw(extension.as_str());
        }
        Ok(())
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "ENABLED"))
    }

    fn effect(&self) -> Effect {
        Effect::Enable(self.words())
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        if let Response::Data { rest, .. } = response {
            // The core has done the same.
            if !self.enabled.add_asked(rest, &self.words()) {
                return Err(Malformed("nothing but what ENABLE has asked for"));
            }
        }
        Ok(())
    }

    fn finish(self, _: Reply) -> Capabilities {
        self.enabled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Event;
    use crate::imap::command::script::play;

    fn enable() -> Enable {
        let extensions = vec![Extension::CondStore, Extension::Utf8Accept];
        Enable { extensions, enabled: Capabilities::default() }
    }

    #[test]
    fn only_what_the_server_confirms_is_enabled() {
        // RFC 5161 section 3.1, in which one of two is not.
        let script = "
            S: * PREAUTH hi
            C: A1 ENABLE CONDSTORE UTF8=ACCEPT
            S: * ENABLED CONDSTORE
            S: A1 OK foo
        ";
        play(enable, script, |played| {
            assert_eq!(played.output.unwrap().to_string(), "CONDSTORE");
            assert!(played.core.enabled().has("CONDSTORE"));
            assert!(!played.core.takes_utf8());
        });
    }

    #[test]
    fn an_answer_that_says_nothing_confirms_nothing() {
        for (line, enabled) in
            [("S: * ENABLED", false), ("", false), ("S: * ENABLED UTF8=ACCEPT", true)]
        {
            let script = format!(
                "
                S: * PREAUTH hi
                C: A1 ENABLE CONDSTORE UTF8=ACCEPT
                {line}
                S: A1 OK done
                "
            );
            play(enable, &script, |played| assert_eq!(played.core.takes_utf8(), enabled));
        }
    }

    #[test]
    fn what_was_not_asked_for_is_not_believed() {
        let script = "
            S: * PREAUTH hi
            C: A1 ENABLE CONDSTORE
            S: * ENABLED UTF8=ACCEPT condstore IMAP4rev2
            S: A1 OK done
        ";
        let enable =
            || Enable { extensions: vec![Extension::CondStore], enabled: Capabilities::default() };
        play(enable, script, |mut played| {
            assert_eq!(played.output.unwrap().to_string(), "condstore");
            assert_eq!(played.core.enabled().to_string(), "condstore");
            assert!(!played.core.takes_utf8());
            let Some(Event::Unparsed { expected, .. }) = played.core.take_event() else { panic!() };
            assert_eq!(expected, "nothing but what ENABLE has asked for");
        });
    }

    #[test]
    fn what_is_said_when_nobody_asked_enables_nothing() {
        let script = "
            S: * PREAUTH hi
            S: * ENABLED UTF8=ACCEPT
            C: A1 ENABLE CONDSTORE UTF8=ACCEPT
            S: A1 NO not now
        ";
        play(enable, script, |mut played| {
            assert!(!played.core.takes_utf8());
            assert!(matches!(played.core.take_event(), Some(Event::Data(_))));
        });
    }
}
