//! What an SMTP connection or command can end in.

use std::borrow::Cow;
use std::fmt;

use crate::auth::Verdict;
use crate::connector::{Judge, Obstacle};
use crate::failure::{closing_words, offers};
use crate::fault::Unwritable;
use crate::net::driver::{Broken, Driver};
use crate::token::TokenError;
use crate::{AuthError, Failure, Fault, Misuse, Retry, Stage, net};

use super::meaning;
use super::proto::sending::Lost;
use super::proto::{Core, Ended};
use super::{BodyError, Receipt, Reply};

/// A failure of an [`SmtpClient`](super::SmtpClient).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server said no: to a command, to every recipient, or to the message. Nothing was
    /// delivered.
    #[error("{}: {reply}", .stage.refused())]
    Refused {
        /// What was refused.
        stage: Stage,
        /// The server's words. Of several refused recipients, those to the first.
        reply: Reply<'static>,
        /// What was answered to each recipient; empty if it was not a message that was refused.
        receipt: Box<Receipt>,
        /// Whether another command can follow on this connection.
        usable: bool,
    },
    /// The login was refused.
    #[error(transparent)]
    Auth(Box<AuthError<Reply<'static>>>),
    /// The message was handed over whole, and the answer to it was lost. It may have been
    /// delivered.
    #[error("it is not known whether the message was accepted: {cause}")]
    Unknown {
        /// What was answered to each recipient before.
        receipt: Box<Receipt>,
        /// What happened to the answer.
        #[source]
        cause: Box<Self>,
    },
    /// The server closed the connection.
    #[error("the server closed the connection {}{}", .stage.when(), closing_words(.reply, .credential_octets))]
    Closed {
        /// What was going on.
        stage: Stage,
        /// Its last words, if it said any: a 421, or any reply that nobody had asked for.
        reply: Option<Reply<'static>>,
        /// During authentication, the octets of the token or password: servers close on those
        /// that are too long for them.
        credential_octets: Option<usize>,
    },
    /// The server broke the protocol; the connection is useless.
    #[error("protocol error {}: {fault}", .stage.when())]
    Protocol {
        /// What was going on.
        stage: Stage,
        /// What it did.
        fault: Fault,
    },
    /// The server does not offer what is needed.
    #[error("the server does not offer {what} (it offers: {})", offers(.offered))]
    Unsupported {
        /// What could not be done without it: a login, or a message.
        stage: Stage,
        /// What is needed.
        what: String,
        /// What there is instead.
        offered: String,
    },
    /// The message is larger than the server said it would take. Nothing was sent.
    #[error("the message has {size} octets, and the server takes at most {limit}")]
    TooLarge {
        /// Octets of the message as it would have been sent.
        size: u64,
        /// The limit the server announced (RFC 1870).
        limit: u64,
    },
    /// More than the server said it would take (LIMITS, RFC 9422). Nothing was sent.
    #[error("the server takes at most {limit} {what}, not {count}")]
    TooMany {
        /// What there is too much of.
        what: Counted,
        /// How many there would have been.
        count: usize,
        /// The limit that the server announced.
        limit: u32,
    },
    /// The content of the message cannot be sent, or turned out to be other than was said. The
    /// message was not delivered.
    #[error("the message was not delivered because of its content: {source}")]
    Body {
        /// What is wrong with it.
        source: BodyError,
        /// Whether that was seen before any content was sent, so that another message can follow.
        /// Otherwise the connection was closed, since that is the only way to take a half message
        /// back.
        usable: bool,
    },
    /// The call cannot work as it was made.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The network failed.
    #[error("{source} ({})", .stage.when())]
    Net {
        /// What was going on.
        stage: Stage,
        /// What happened.
        source: net::Error,
    },
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// What a server may set limits to (RFC 9422), and how to keep within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Counted {
    /// RCPTMAX: [`Envelope::split_within`](crate::smtp::Envelope::split_within) makes smaller
    /// envelopes.
    Recipients,
    /// RCPTDOMAINMAX: the same helps.
    Domains,
    /// MAILMAX: another connection begins anew.
    Messages,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recipients => "recipients of one message",
            Self::Domains => "domains among the recipients of one message",
            Self::Messages => "messages over one connection",
        })
    }
}

impl Error {
    /// The server's answer, if there was one.
    pub fn reply(&self) -> Option<&Reply<'static>> {
        match self {
            Self::Refused { reply, .. } | Self::Closed { reply: Some(reply), .. } => Some(reply),
            Self::Auth(error) => Some(error.reply()),
            Self::Unknown { cause, .. } => cause.reply(),
            _ => None,
        }
    }

    /// Whether the server refuses, or has closed, because this client asks too often or for too
    /// much, as its reply says: see [`Reply::is_throttled`].
    pub fn is_throttled(&self) -> bool {
        self.reply().is_some_and(Reply::is_throttled)
    }

    /// Whether the server says that the access token has come to its end: see
    /// [`Reply::is_token_expired`].
    pub fn is_token_expired(&self) -> bool {
        self.reply().is_some_and(Reply::is_token_expired)
    }

    /// What was answered to each recipient, if it came so far.
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Refused { receipt, .. } | Self::Unknown { receipt, .. } => Some(receipt),
            _ => None,
        }
    }

    /// A command was refused.
    pub(crate) fn refused(stage: Stage, reply: Reply<'static>) -> Self {
        // Refused on the way to a client, it leaves none.
        let usable = matches!(stage, Stage::Command(_));
        Self::Refused { stage, reply, receipt: Box::default(), usable }
    }

    /// A transaction that ended without delivering.
    pub(crate) fn not_sent(what: &'static str, sent: Ended, open: bool) -> Self {
        let stage = Stage::Command(what);
        let usable = sent.at_rest && open;
        match sent.receipt.reply().map(Reply::into_owned) {
            Some(reply) => Self::Refused { stage, reply, receipt: Box::new(sent.receipt), usable },
            None => Self::Closed { stage, reply: None, credential_octets: None },
        }
    }

    /// What a driver that broke means at `stage`.
    pub(crate) fn broken(driver: &mut Driver<Core>, stage: Stage, broken: Broken) -> Self {
        let error = Self::of(driver.core(), stage, broken);
        let lost = driver.core_mut().lost();
        error.about(lost)
    }

    /// What it means at `stage` that the connection has been lost, whatever was told of it.
    pub(crate) fn gone(driver: &Driver<Core>, stage: Stage) -> Self {
        Self::of(driver.core(), stage, driver.gone())
    }

    fn of(core: &Core, stage: Stage, broken: Broken) -> Self {
        match broken {
            Broken::Fault(fault) => Self::Protocol { stage, fault },
            Broken::Net(net::Error::Closed) => Self::closed(core, stage),
            Broken::Net(source) => Self::Net { stage, source },
        }
    }

    /// The connection was lost for this reason: what that means for a message that was in flight.
    pub(crate) fn about(self, lost: Option<Lost>) -> Self {
        match lost {
            Some(Lost::PerhapsDelivered(receipt)) => {
                Self::Unknown { receipt: Box::new(receipt), cause: Box::new(self) }
            }
            Some(Lost::NotDelivered) | None => self,
        }
    }

    /// What became of a message behind the one of which it is known why the connection was lost.
    pub(crate) fn lost_with_others(driver: &Driver<Core>, lost: Lost) -> Self {
        use super::proto::transaction::{MAIL, MESSAGE};
        let step = match lost {
            Lost::PerhapsDelivered(_) => MESSAGE,
            Lost::NotDelivered => MAIL,
        };
        Self::gone(driver, Stage::Command(step)).about(Some(lost))
    }

    /// The server closed, or has said that it will.
    pub(crate) fn closed(core: &Core, stage: Stage) -> Self {
        Self::Closed {
            stage,
            reply: core.last_words().cloned(),
            credential_octets: core.credential_octets(),
        }
    }

    pub(crate) const fn unwritable(what: &'static str, error: Unwritable) -> Self {
        Self::Misuse(error.in_argument(what))
    }
}

impl Failure for Error {
    fn retry(&self) -> Retry {
        match self {
            // If one recipient may be accepted later, the attempt is worth repeating.
            Self::Refused {
                stage: Stage::Command(super::proto::transaction::RCPT),
                receipt,
                ..
            } if worth_repeating(receipt) => {
                let transient = receipt.refused().filter(|refused| refused.is_transient());
                Retry::Later(transient.filter_map(|refused| meaning::wait(&refused.reply())).max())
            }
            // Nobody had asked: it came before the command, of which nothing was done.
            Self::Closed { reply: Some(reply), .. } if reply.code() != 421 => Retry::Reconnect,
            Self::Refused { reply, .. } | Self::Closed { reply: Some(reply), .. } => {
                meaning::retry(reply)
            }
            Self::Auth(error) => error.retry(),
            Self::Unknown { .. } => Retry::MayDuplicate,
            // A server that hangs up on a login will do so again at once.
            Self::Closed { stage: Stage::Auth | Stage::Greeting, .. } => Retry::Later(None),
            Self::Closed { .. } => Retry::Reconnect,
            Self::Protocol { fault, .. } => fault.retry(),
            Self::TooMany { what: Counted::Messages, .. } => Retry::Reconnect,
            Self::Unsupported { .. }
            | Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::Body { .. }
            | Self::Misuse(_) => Retry::Never,
            Self::Net { source, .. } => source.retry(),
            Self::Token(error) => error.retry(),
        }
    }

    fn stage(&self) -> Stage {
        match self {
            Self::Refused { stage, .. }
            | Self::Closed { stage, .. }
            | Self::Protocol { stage, .. }
            | Self::Unsupported { stage, .. }
            | Self::Net { stage, .. } => *stage,
            Self::Unknown { cause, .. } => cause.stage(),
            Self::Auth(_) => Stage::Auth,
            Self::TooLarge { .. } | Self::TooMany { .. } => {
                Stage::Command(super::proto::transaction::MAIL)
            }
            Self::Body { .. } => Stage::Command(super::proto::transaction::MESSAGE),
            Self::Misuse(_) => Stage::Command("the call"),
            Self::Token(_) => Stage::Token,
        }
    }

    fn connection_usable(&self) -> bool {
        match self {
            Self::Refused { usable, .. } | Self::Body { usable, .. } => *usable,
            Self::Unsupported { stage, .. } => matches!(stage, Stage::Command(_)),
            // Nothing but another message could be sent over it, and that it does not take.
            Self::TooMany { what, .. } => *what != Counted::Messages,
            Self::TooLarge { .. } | Self::Misuse(_) => true,
            _ => false,
        }
    }

    fn reply_text(&self) -> Option<Cow<'_, str>> {
        self.reply().map(|reply| Cow::Owned(reply.to_string()))
    }
}

/// Whether another attempt may reach somebody, though no recipient was reached by this one. Where
/// some were accepted and it was to be all or nobody, it takes all of the refused.
fn worth_repeating(receipt: &Receipt) -> bool {
    let mut refused = receipt.refused();
    match receipt.accepted().next() {
        None => refused.any(|refused| refused.is_transient()),
        Some(_) => refused.all(|refused| refused.is_transient()),
    }
}

impl From<Obstacle> for Error {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Net(stage, source) => Self::Net { stage, source },
            Obstacle::Token(error) => Self::Token(error),
            Obstacle::Misuse(misuse) => Self::Misuse(misuse),
        }
    }
}

impl Judge for Error {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Auth(error) => error.verdict(),
            _ => Verdict::Final,
        }
    }

    fn mark_refreshed(&mut self) {
        if let Self::Auth(error) = self {
            error.mark_refreshed();
        }
    }

    #[cfg(feature = "diagnosis")]
    fn know(&mut self, context: impl FnOnce() -> crate::diagnosis::Context) {
        if let Self::Auth(error) = self {
            error.know(context());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::smtp::Envelope;
    use crate::smtp::reply::{Arrival, ReplyParser};
    use crate::smtp::words::Words;

    fn reply(line: &str) -> Reply<'static> {
        let mut words = Words::default();
        let head = ReplyParser::default().line(line.as_bytes(), &mut words).unwrap().unwrap();
        Reply::new(head, words.take_since(0))
    }

    /// All recipients refused with these replies.
    fn all_refused(lines: &[&str]) -> Error {
        let addresses: Vec<String> = (0..lines.len()).map(|n| format!("u{n}@b.example")).collect();
        let envelope = Envelope::new("a@b.example", &addresses).unwrap();
        let mut receipt = Receipt::for_envelope(&envelope);
        for line in lines {
            let mark = receipt.words().len();
            let head = ReplyParser::default().line(line.as_bytes(), receipt.words()).unwrap();
            receipt.answered(Arrival { head: head.unwrap(), mark, times: 1 });
        }
        receipt.decided_by_first_refusal();
        let sent = Ended { receipt, refused: Some("RCPT TO"), at_rest: true };
        Error::not_sent("RCPT TO", sent, true)
    }

    #[test]
    fn messages_say_what_failed_when_and_in_the_servers_words() {
        let no = |stage, line| Error::refused(stage, reply(line));
        let body = |source| Error::Body { source, usable: true };
        for (error, message) in [
            (
                no(Stage::Greeting, "554 5.7.1 Not you"),
                "the server turned the connection away: 554 5.7.1 Not you",
            ),
            (
                no(Stage::Capabilities, "502 What?"),
                "asking for capabilities was refused: 502 What?",
            ),
            (no(Stage::StartTls, "454 Not now"), "STARTTLS refused: 454 Not now"),
            (no(Stage::Command("the message"), "552 Too big"), "the message refused: 552 Too big"),
            (
                Error::TooLarge { size: 12, limit: 10 },
                "the message has 12 octets, and the server takes at most 10",
            ),
            (
                body(BodyError::Size { declared: 9, given: 10 }),
                "the message was not delivered because of its content: 9 octets were announced, \
                 and there are at least 10",
            ),
            (
                body(BodyError::Read("disk on fire".into())),
                "the message was not delivered because of its content: it could not be read: \
                 disk on fire",
            ),
        ] {
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn a_refusal_names_the_step_and_quotes_the_server() {
        let error = Error::refused(Stage::Command("RSET"), reply("502 5.5.1 No RSET here"));
        assert_eq!(error.to_string(), "RSET refused: 502 5.5.1 No RSET here");
        assert!(error.connection_usable());
        let error = all_refused(&["550 5.1.1 User unknown", "550 No"]);
        assert_eq!(error.to_string(), "RCPT TO refused: 550 5.1.1 User unknown");
        assert_eq!(error.receipt().unwrap().refused().count(), 2);
    }

    #[test]
    fn one_recipient_that_may_be_accepted_later_makes_the_attempt_worth_repeating() {
        assert_eq!(all_refused(&["550 No", "451 4.7.1 Later"]).retry(), Retry::Later(None));
        assert_eq!(all_refused(&["550 No", "552 Too many"]).retry(), Retry::Later(None));
        assert_eq!(all_refused(&["550 No", "551 No"]).retry(), Retry::Never);
        let hints =
            ["450 4.7.1 try again in 2 minutes", "450 Greylisted, retry in 300 s", "451 No"];
        assert_eq!(all_refused(&hints).retry(), Retry::Later(Some(Duration::from_secs(300))));
    }

    #[test]
    fn a_lost_answer_may_duplicate_and_keeps_its_cause() {
        let receipt = Box::<Receipt>::default();
        let stage = Stage::Command("the message");
        let cause = Box::new(Error::Closed { stage, reply: None, credential_octets: None });
        let error = Error::Unknown { receipt, cause };
        assert_eq!(error.retry(), Retry::MayDuplicate);
        assert!(!error.connection_usable());
        assert_eq!(
            error.to_string(),
            "it is not known whether the message was accepted: the server closed the connection \
             during the message"
        );
    }

    #[test]
    fn a_server_that_closes_is_tried_again_as_its_words_suggest() {
        let closed = |stage, line: Option<&str>| Error::Closed {
            stage,
            reply: line.map(reply),
            credential_octets: None,
        };
        let noop = Stage::Command("NOOP");
        for (error, retry) in [
            (closed(noop, Some("421 4.4.2 Timeout exceeded")), Retry::Reconnect),
            (closed(noop, Some("421 4.3.2 Service not active")), Retry::Later(None)),
            (closed(noop, Some("554 5.0.0 Idle for too long")), Retry::Reconnect),
            (closed(noop, Some("451 4.7.0 Timeout waiting for client input")), Retry::Reconnect),
            (closed(noop, None), Retry::Reconnect),
            (closed(Stage::Greeting, None), Retry::Later(None)),
            (closed(Stage::Auth, None), Retry::Later(None)),
        ] {
            assert_eq!(error.retry(), retry, "{error}");
            assert!(!error.connection_usable());
        }
    }

    #[test]
    fn closing_on_a_login_tells_how_long_the_credential_was() {
        let error =
            Error::Closed { stage: Stage::Auth, reply: None, credential_octets: Some(9000) };
        assert_eq!(
            error.to_string(),
            "the server closed the connection during authentication, after a credential of 9000 \
             octets"
        );
    }
}
