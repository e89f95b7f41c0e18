//! Commands that this crate has no method for.
//!
//! ```text
//! C: A5 XAPPLEPUSHSERVICE aps-version 2 aps-topic com.apple.mobilemail
//! S: * XAPPLEPUSHSERVICE aps-version "2" aps-topic "com.apple.mail.XServer…"
//! S: A5 OK XAPPLEPUSHSERVICE completed.
//! ```

use bytes::Bytes;

use super::{Command, is_data, is_numbered};
use crate::Misuse;
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::faulty::read_late;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core, Effect};
use crate::imap::{Capabilities, Error, Event, ImapClient, MailboxName, Reply, SeqSet, UidSet};

/// A command to be written as it is: a verb and its arguments, parted by single spaces.
///
/// ```
/// use mailbearer::imap::RawCommand;
///
/// let quota = RawCommand::new("GETQUOTAROOT").mailbox("INBOX");
/// let search = RawCommand::new("UID").atom("SEARCH").atom("SUBJECT").astring("two words");
/// ```
#[derive(Debug, Clone)]
pub struct RawCommand {
    verb: String,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone)]
enum Argument {
    Atom(String),
    AString(Vec<u8>),
    Mailbox(MailboxName),
    Uids(UidSet),
    Numbers(SeqSet),
    List(Vec<Self>),
}

impl RawCommand {
    /// A command without arguments.
    pub fn new(verb: impl Into<String>) -> Self {
        Self { verb: verb.into(), arguments: Vec::new() }
    }

    /// A word that is written as it is: a number, a keyword. It cannot hold what would make it more
    /// than one word. Nobody knows that it names messages, if it does: sets are better written by
    /// [`uids`](Self::uids) and [`numbers`](Self::numbers).
    pub fn atom(mut self, word: impl Into<String>) -> Self {
        self.arguments.push(Argument::Atom(word.into()));
        self
    }

    /// A string, quoted or sent as a literal where it must be.
    pub fn astring(mut self, string: impl Into<Vec<u8>>) -> Self {
        self.arguments.push(Argument::AString(string.into()));
        self
    }

    /// The name of a mailbox.
    pub fn mailbox(mut self, name: impl Into<MailboxName>) -> Self {
        self.arguments.push(Argument::Mailbox(name.into()));
        self
    }

    /// A set of UIDs. It is not sent while an event waits that tells of another UIDVALIDITY
    /// ([`Error::Changed`]).
    pub fn uids(mut self, set: impl Into<UidSet>) -> Self {
        self.arguments.push(Argument::Uids(set.into()));
        self
    }

    /// A set of sequence numbers. It is not sent while an event waits that tells of removed messages
    /// ([`Error::Renumbered`]).
    pub fn numbers(mut self, set: impl Into<SeqSet>) -> Self {
        self.arguments.push(Argument::Numbers(set.into()));
        self
    }

    /// The arguments of another command, as a list in parentheses; its verb is left out.
    pub fn list(mut self, of: Self) -> Self {
        self.arguments.push(Argument::List(of.arguments));
        self
    }
}

/// What a server said to a [`RawCommand`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RawOutcome {
    /// The untagged responses that came meanwhile, whole, with their literals and line ends. What
    /// the client keeps track of itself is not among them: CAPABILITY, FLAGS, EXISTS, RECENT and
    /// status responses; and EXPUNGE and VANISHED, which move sequence numbers and are
    /// [events](Event) here, too.
    pub untagged: Vec<Bytes>,
    /// The tagged answer, an `OK`.
    pub tagged: Reply,
}

/// These change what the client has to know, or what octets mean from there on.
const NOT_RAW: [&str; 13] = [
    "AUTHENTICATE",
    "CLOSE",
    "COMPRESS",
    "ENABLE",
    "EXAMINE",
    "IDLE",
    "LOGIN",
    "LOGOUT",
    "NOTIFY",
    "SELECT",
    "STARTTLS",
    "UNAUTHENTICATE",
    "UNSELECT",
];

impl ImapClient {
    /// Sends a command that this crate has no method for, and gives all that the server says to it,
    /// unread and in memory at once.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server says `NO` or `BAD`; what it said before is found among the
    /// events. [`Error::Misuse`] for an argument that
    /// cannot be sent, and for the verbs that change the state of the session, which have methods
    /// of their own or none: SELECT, IDLE, COMPRESS and their like.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn raw(&mut self, command: RawCommand) -> Result<RawOutcome, Error> {
        let session = &mut self.mailbox.session;
        // It may be a search.
        session.core_mut().forget_saved();
        if ["CREATE", "DELETE", "RENAME"].iter().any(|verb| command.verb.eq_ignore_ascii_case(verb))
        {
            session.displace(&MailboxName::NONE);
        }
        self.run(Raw { command, untagged: Vec::new() }).await
    }
}

struct Raw {
    command: RawCommand,
    untagged: Vec<Bytes>,
}

/// What it is called in errors, whatever its verb.
pub(super) const NAME: &str = "raw command";

impl Command for Raw {
    type Output = RawOutcome;

    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        let RawCommand { verb, arguments } = &self.command;
        if NOT_RAW.iter().any(|stateful| verb.eq_ignore_ascii_case(stateful)) {
            let why = format!("{verb} changes the state of the session");
            return Err(Misuse::Argument { what: NAME, why });
        }
        line.atom("the verb", verb)?;
        arguments.iter().try_for_each(|argument| {
            line.raw(" ");
            encode(argument, line)
        })
    }

    fn claims(&self) -> Claims {
        let untagged = |response: &Response<'_>| match response {
            Response::Fetch { .. } => true,
            Response::Data { .. } => !is_data(response, "VANISHED"),
            Response::Numbered { .. } => !is_numbered(response, "EXPUNGE"),
            _ => false,
        };
        Claims::Data(untagged)
    }

    fn effect(&self) -> Effect {
        Effect::Stream
    }

    fn accept(&mut self, _: &Response<'_>, frame: &Bytes) -> Parsed<()> {
        self.untagged.push(frame.clone());
        Ok(())
    }

    fn finish(self, reply: Reply) -> RawOutcome {
        RawOutcome { untagged: self.untagged, tagged: reply }
    }

    fn failed(self, error: Error, core: &mut Core) -> Error {
        for frame in self.untagged {
            let response = Response::parse(&frame);
            match response {
                Response::Fetch { seq, items } => {
                    match read_late(seq, items, &frame, core.takes_utf8()) {
                        Ok(message) => core.keep(Event::Fetch(message)),
                        Err(why) => core.keep_unparsed(frame.clone(), why),
                    }
                }
                _ => core.unclaimed(&response, &frame),
            }
        }
        error
    }
}

fn encode(argument: &Argument, line: &mut Line) -> Result<(), Misuse> {
    match argument {
        Argument::Atom(word) => line.word("an argument", word)?,
        Argument::AString(string) => line.astring("an argument", string)?,
        Argument::Mailbox(name) => line.mailbox(name)?,
        Argument::Uids(set) => line.uids(set)?,
        Argument::Numbers(set) => line.numbers(set),
        Argument::List(list) => {
            line.raw("(");
            for (at, argument) in list.iter().enumerate() {
                line.raw(if at > 0 { " " } else { "" });
                encode(argument, line)?;
            }
            line.raw(")")
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    fn raw(command: RawCommand) -> Raw {
        Raw { command, untagged: Vec::new() }
    }

    #[test]
    fn arguments_go_out_in_order_and_untagged_data_come_back_whole() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi
            C: A1 GETMETADATA (DEPTH 1) \"a b\" {3+}
            C: \u{20ac} /shared/*
            S: * 7 EXISTS
            S: * METADATA \"a b\" (/shared/comment {3}
            S: a)b)
            S: * 1 FETCH (FLAGS ())
            S: A1 OK [LONGENTRIES 9] done
        ";
        let command = || {
            RawCommand::new("GETMETADATA")
                .list(RawCommand::new("").atom("DEPTH").atom("1"))
                .astring("a b")
                .astring("\u{20ac}")
                .atom("/shared/*")
        };
        play(
            || raw(command()),
            script,
            |played| {
                let outcome = played.output.unwrap();
                let untagged: Vec<&[u8]> =
                    outcome.untagged.iter().map(|frame| &frame[..]).collect();
                let metadata = b"* METADATA \"a b\" (/shared/comment {3}\r\na)b)\r\n";
                assert_eq!(untagged, [&metadata[..], b"* 1 FETCH (FLAGS ())\r\n"]);
                assert_eq!(outcome.tagged.to_string(), "OK [LONGENTRIES 9] done");
            },
        );
    }

    #[test]
    fn no_argument_can_become_more_than_one_and_no_verb_can_change_the_session() {
        let refused = |command| {
            let mut line = Line::new(Default::default());
            raw(command).encode(&mut line, &Capabilities::default()).unwrap_err().to_string()
        };
        assert_eq!(
            refused(RawCommand::new("select").mailbox("INBOX")),
            "raw command: select changes the state of the session"
        );
        for bad in ["a b", "a)", "\"", "x{3}", "", "a\u{fc}"] {
            refused(RawCommand::new("X").atom(bad));
        }
        assert_eq!(refused(RawCommand::new("X").atom("a\r\nb")), "a CR, LF or NUL in an argument");
        refused(RawCommand::new("X Y"));
        refused(RawCommand::new(""));
    }
}
