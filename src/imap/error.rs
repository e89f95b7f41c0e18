//! What an IMAP connection or command can end in.

use std::borrow::Cow;
use std::io;
use std::num::NonZeroU32;

use crate::auth::Verdict;
use crate::connector::{Judge, Obstacle};
use crate::failure::{closing_words, offers};
use crate::fault::Unwritable;
use crate::net::driver::Broken;
use crate::token::{Rejection, TokenError};
use crate::{AuthError, Failure, Fault, Misuse, Retry, Stage, net};

use super::proto::Core;
use super::{AppendResult, Capabilities, Code, CopyResult, Expunged, Extension, Reply, UidSet};

/// A failure of an [`ImapClient`](super::ImapClient) or a [`Mailbox`](super::Mailbox).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server said `NO` or `BAD` to a command, or turned the connection away with its
    /// greeting. After a command, the connection is good, unless the server refused a message that
    /// was on its way.
    #[error("{}: {reply}", .stage.refused())]
    Refused {
        /// What was refused.
        stage: Stage,
        /// The server's words.
        reply: Reply,
        /// Whether the connection can go on being used.
        usable: bool,
    },
    /// All of a message was sent, and the answer did not come: it may have been stored.
    #[error("it is not known whether the message was stored: {cause}")]
    Unknown {
        /// What happened to the answer.
        #[source]
        cause: Box<Self>,
    },
    /// A copy or a move failed after it had been carried out in part: a set too long for one line
    /// goes in several commands, a move without MOVE in three, and MOVE itself may stop on its way.
    /// Of what was not sent nothing was done.
    #[error("{cause}, after part of the messages had been copied or moved")]
    Halfway {
        /// The messages that the other mailbox has now, by the UIDs they had, as far as is known.
        done: UidSet,
        /// Those of them that are in this mailbox, too: all after COPY, none after MOVE, and after a
        /// move without MOVE those that the server has not said to be gone by their UIDs. Where it
        /// tells sequence numbers, as most do, it does not say which of them `expunged` counts. If
        /// the `cause` is [`Error::NotExpunged`], it was asked which are still there, and it is those.
        kept: UidSet,
        /// Where they went, as far as the server tells.
        copied: CopyResult,
        /// The messages that are gone from this mailbox, as far as the server tells. They are not
        /// among the events.
        expunged: Box<Expunged>,
        /// Why it went no further.
        #[source]
        cause: Box<Self>,
    },
    /// A message was stored in place of another, and that other was not removed: a server without
    /// REPLACE does it in three steps. To replace once more would store the new one twice; to remove
    /// the old one is all that is left to do.
    #[error("{cause}, after the message was stored that replaces another, which is still there")]
    NotRemoved {
        /// Where the new message is, as far as the server tells.
        stored: AppendResult,
        /// Whether the old message was marked `\Deleted`.
        marked: bool,
        /// Why it went no further. If the connection broke, what was asked last may have been done
        /// all the same.
        #[source]
        cause: Box<Self>,
    },
    /// The login was refused, or the server found later that the mailbox does not open for it.
    #[error(transparent)]
    Auth(Box<AuthError<Reply>>),
    /// The server closed the connection.
    #[error("the server closed the connection {}{}", .stage.when(), closing_words(.reply, .credential_octets))]
    Closed {
        /// What was going on.
        stage: Stage,
        /// What it said with BYE, if it did.
        reply: Option<Reply>,
        /// During authentication, the octets of the token or password: servers close on those
        /// that are too long for them, Dovecot when their base64 exceeds 8 KiB.
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
    #[error("the server does not offer {what}{} (it offers: {})", wanted_for(.what, *.stage), offers(.offered))]
    Unsupported {
        /// What it is needed for.
        stage: Stage,
        /// What is needed: a capability.
        what: String,
        /// What there is instead.
        offered: String,
    },
    /// The server offers it, and does it only once [`enable`](super::ImapClient::enable) has asked
    /// for it and the server has confirmed that, before a mailbox is opened in this session. Nothing
    /// was sent.
    #[error(
        "{stage} needs {}, which is not enabled: `enable` has to ask for it, and the server to \
         confirm it, before a mailbox is opened",
        .extension.as_str()
    )]
    NotEnabled {
        /// What it is needed for.
        stage: Stage,
        /// What is to be enabled.
        extension: Extension,
    },
    /// The mailbox has another UIDVALIDITY than expected: UIDs that were kept mean nothing now. It
    /// is open all the same. Where a command names UIDs, nothing was sent: the server has told of it
    /// while the mailbox was selected (see [`Event::UidValidity`](super::Event::UidValidity)).
    #[error("the UIDVALIDITY of the mailbox is {}, not {expected}: UIDs that were kept mean nothing now", shown(.found))]
    Changed {
        /// The command that opened the mailbox, or the one that was not sent.
        stage: Stage,
        /// The UIDVALIDITY under which UIDs were kept.
        expected: NonZeroU32,
        /// What the mailbox has now, if the server tells.
        found: Option<NonZeroU32>,
    },
    /// The command names messages by sequence number, and the server has told of others that are
    /// gone, so that the numbers may be those of other messages by now. Nothing was sent. Take the
    /// [events](super::Mailbox::take_event), which say what has gone, and name the messages anew: UIDs
    /// do not move. Sets that mean all messages, `1:*`, are not refused.
    #[error("{stage} was not sent: sequence numbers have moved since, as the events tell")]
    Renumbered {
        /// What was to be done.
        stage: Stage,
    },
    /// The message that was to be replaced is not in the mailbox. Nothing was stored.
    #[error("{stage} was not begun: the mailbox has no such message")]
    NotFound {
        /// What was to be done.
        stage: Stage,
    },
    /// The mailbox is open for reading only: by [`examine`](super::ImapClient::examine), or because
    /// this user may do no more. Nothing was sent of what takes several commands, and would have
    /// failed after the first.
    #[error("{stage} was not begun: the mailbox is open for reading only")]
    ReadOnly {
        /// What was to be done.
        stage: Stage,
    },
    /// The mailbox is open for reading and writing, and `\Deleted` is not among the flags that the
    /// server lets this user [change for good](super::Mailbox::permanent_flags), so that nothing could
    /// be expunged: it may take the mark with an `OK` and forget it (RFC 9051 section 7.1). Nothing was
    /// sent of what takes several commands.
    #[error("{stage} was not begun: the server does not let messages be marked \\Deleted here")]
    Undeletable {
        /// What was to be done.
        stage: Stage,
    },
    /// The server has granted that messages are removed, and they are still there: it has not kept the
    /// mark `\Deleted`, or another client has taken it off. It is always the cause of an
    /// [`Error::Halfway`] or [`Error::NotRemoved`].
    #[error("{stage} was granted, and what it was to remove is still there")]
    NotExpunged {
        /// What was granted.
        stage: Stage,
    },
    /// What the server has answered cannot be read, or cannot be true, and what was to follow from it
    /// was not done: nothing was changed. A line that cannot be read is found among the events.
    #[error("the answer to {stage} makes no sense, and nothing was done")]
    Illegible {
        /// What it answered.
        stage: Stage,
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
    /// A message to be stored could not be read to its end, or did not have the size that was
    /// announced for it. The connection was closed, and nothing was stored.
    #[error("the message to be stored could not be read: {source}")]
    Upload {
        /// The command that was to store it.
        stage: Stage,
        /// What its reader said, or how its size differs.
        source: io::Error,
    },
    /// A message could not be written where the caller wants to have it. The connection is good.
    #[error("the message could not be written: {source}")]
    Copy {
        /// The command that fetched it.
        stage: Stage,
        /// What its writer said.
        source: io::Error,
    },
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl Error {
    /// The server's answer, if there was one.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Refused { reply, .. } | Self::Closed { reply: Some(reply), .. } => Some(reply),
            Self::Auth(error) => Some(error.reply()),
            Self::Unknown { cause }
            | Self::Halfway { cause, .. }
            | Self::NotRemoved { cause, .. } => cause.reply(),
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

    /// The response code in the server's answer.
    pub fn code(&self) -> Option<&Code> {
        self.reply().and_then(Reply::code)
    }

    /// A command was refused.
    pub(crate) fn refused(core: &Core, stage: Stage, reply: Reply) -> Self {
        // Refused on the way to a client, it leaves none.
        let usable = matches!(stage, Stage::Command(_)) && core.takes_commands();
        Self::Refused { stage, reply, usable }
    }

    /// What a driver that broke means at `stage`.
    pub(crate) fn broken(core: &Core, stage: Stage, broken: Broken) -> Self {
        Self::before(core, stage, broken).or_unknown(core)
    }

    /// What a driver that broke means where nothing of the command was written.
    pub(crate) fn before(core: &Core, stage: Stage, broken: Broken) -> Self {
        match broken {
            Broken::Fault(fault) => Self::Protocol { stage, fault },
            Broken::Net(net::Error::Closed) => Self::closed(core, stage),
            Broken::Net(source) => Self::Net { stage, source },
        }
    }

    /// The same, or what it means for a message that was sent whole.
    pub(crate) fn or_unknown(self, core: &Core) -> Self {
        match core.may_have_stored() {
            true => Self::Unknown { cause: Box::new(self) },
            false => self,
        }
    }

    /// The server is gone, or listens no longer.
    pub(crate) fn closed(core: &Core, stage: Stage) -> Self {
        let reply = core.last_words().cloned();
        Self::Closed { stage, reply, credential_octets: core.credential_octets() }
    }

    pub(crate) fn lacks(offered: &Capabilities, stage: Stage, what: &str) -> Self {
        Self::Unsupported { stage, what: what.to_owned(), offered: offered.to_string() }
    }

    pub(crate) const fn unwritable(what: &'static str, error: Unwritable) -> Self {
        Self::Misuse(error.in_argument(what))
    }
}

impl Failure for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Refused { reply, stage: Stage::Greeting, .. } => match after_words(reply) {
                Retry::Never => Retry::Later(None),
                retry => retry,
            },
            Self::Refused { reply, .. } => after_words(reply),
            Self::Auth(error) => error.retry(),
            Self::Unknown { .. } => Retry::MayDuplicate,
            Self::Halfway { cause, .. } | Self::NotRemoved { cause, .. } => match cause.retry() {
                retry @ (Retry::Never | Retry::Administrator) => retry,
                _ => Retry::MayDuplicate,
            },
            Self::Closed { reply: Some(reply), .. } if reply.is_token_expired() => {
                Retry::RefreshToken
            }
            // A server that hangs up on a login will do so again at once.
            Self::Closed { stage: Stage::Auth | Stage::Greeting, .. } => Retry::Later(None),
            Self::Closed { reply: Some(reply), .. } => match after_words(reply) {
                retry @ Retry::Later(_) => retry,
                _ => Retry::Reconnect,
            },
            Self::Closed { .. } => Retry::Reconnect,
            Self::Protocol { fault, .. } => fault.retry(),
            Self::Unsupported { .. }
            | Self::NotEnabled { .. }
            | Self::Changed { .. }
            | Self::Renumbered { .. }
            | Self::NotFound { .. }
            | Self::ReadOnly { .. }
            | Self::Undeletable { .. }
            | Self::NotExpunged { .. }
            | Self::Illegible { .. }
            | Self::Misuse(_)
            | Self::Upload { .. }
            | Self::Copy { .. } => Retry::Never,
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
            | Self::NotEnabled { stage, .. }
            | Self::Renumbered { stage }
            | Self::Changed { stage, .. }
            | Self::Upload { stage, .. }
            | Self::Copy { stage, .. }
            | Self::NotFound { stage }
            | Self::ReadOnly { stage }
            | Self::Undeletable { stage }
            | Self::NotExpunged { stage }
            | Self::Illegible { stage }
            | Self::Net { stage, .. } => *stage,
            Self::Auth(_) => Stage::Auth,
            Self::Unknown { cause }
            | Self::Halfway { cause, .. }
            | Self::NotRemoved { cause, .. } => cause.stage(),
            Self::Misuse(_) => Stage::Command("the call"),
            Self::Token(_) => Stage::Token,
        }
    }

    fn connection_usable(&self) -> bool {
        match self {
            Self::Refused { usable, .. } => *usable,
            Self::Unsupported { stage, .. } => matches!(stage, Stage::Command(_)),
            Self::Halfway { cause, .. } | Self::NotRemoved { cause, .. } => {
                cause.connection_usable()
            }
            Self::NotEnabled { .. }
            | Self::Changed { .. }
            | Self::Renumbered { .. }
            | Self::NotFound { .. }
            | Self::ReadOnly { .. }
            | Self::Undeletable { .. }
            | Self::NotExpunged { .. }
            | Self::Illegible { .. }
            | Self::Misuse(_)
            | Self::Copy { .. } => true,
            _ => false,
        }
    }

    fn reply_text(&self) -> Option<Cow<'_, str>> {
        self.reply().map(|reply| Cow::Owned(reply.to_string()))
    }
}

fn shown(uid_validity: &Option<NonZeroU32>) -> String {
    uid_validity.map_or_else(|| "unknown".to_owned(), |validity| validity.to_string())
}

/// The command that needs it, unless its name says so.
fn wanted_for(what: &str, stage: Stage) -> String {
    let command = stage.to_string();
    let verb = command.rsplit(' ').next().unwrap_or_default();
    match what.split([' ', '=']).any(|word| word == verb) {
        true => String::new(),
        false => format!(" for {command}"),
    }
}

/// What a refusal's own words call for (RFC 5530).
fn after_words(reply: &Reply) -> Retry {
    if let Some(after) = reply.throttled() {
        return Retry::Later(after);
    }
    match reply.code() {
        // What was refused for an EXPUNGE by somebody else goes through once that has been told.
        Some(Code::Unavailable | Code::InUse | Code::ServerBug | Code::ExpungeIssued) => {
            Retry::Later(None)
        }
        None if reply.says_unavailable() => Retry::Later(None),
        _ if reply.is_token_expired() => Retry::RefreshToken,
        Some(Code::AuthenticationFailed) => Retry::RefreshToken,
        Some(
            Code::AuthorizationFailed
            | Code::ContactAdmin
            | Code::Corruption
            | Code::NoPerm
            | Code::OverQuota
            | Code::PrivacyRequired,
        ) => Retry::Administrator,
        _ => Retry::Never,
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
            Self::Closed { reply: Some(reply), .. } if reply.is_token_expired() => {
                Verdict::TokenRefused(Rejection::Expired)
            }
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
    use crate::imap::reply::tests::reply;

    fn refused(line: &str) -> Error {
        Error::Refused { stage: Stage::Command("SELECT"), reply: reply(line), usable: true }
    }

    fn closed(stage: Stage, line: &str) -> Error {
        Error::Closed { stage, reply: Some(reply(line)), credential_octets: None }
    }

    #[test]
    fn messages_say_what_failed_when_and_in_the_servers_words() {
        let lacks = |stage, what: &str, offered: &str| Error::Unsupported {
            stage,
            what: what.into(),
            offered: offered.into(),
        };
        let net = |stage, source| Error::Net { stage, source };
        let noop = Stage::Command("NOOP");
        let bye = || closed(noop, "* BYE going down");
        let missed = || net::Error::Deadline { after: Duration::from_secs(60) };
        for (error, message) in [
            (refused("A1 NO [NONEXISTENT] no such"), "SELECT refused: NO [NONEXISTENT] no such"),
            (
                Error::Refused {
                    stage: Stage::Greeting,
                    reply: reply("* BYE full"),
                    usable: false,
                },
                "the server turned the connection away: BYE full",
            ),
            (bye(), "the server closed the connection during NOOP: BYE going down"),
            (
                Error::Closed { stage: Stage::Greeting, reply: None, credential_octets: None },
                "the server closed the connection during the greeting",
            ),
            (
                Error::Unknown { cause: Box::new(bye()) },
                "it is not known whether the message was stored: the server closed the connection \
                 during NOOP: BYE going down",
            ),
            (
                Error::Protocol { stage: Stage::StartTls, fault: Fault::EndlessChallenge },
                "protocol error during STARTTLS: the server keeps sending SASL challenges after \
                 the exchange has ended",
            ),
            (net(Stage::Greeting, missed()), "no answer within 60 s (during the greeting)"),
            (net(Stage::Dial, missed()), "no answer within 60 s (while dialling)"),
            (net(Stage::Tls, missed()), "no answer within 60 s (during the TLS handshake)"),
            (
                net(Stage::Capabilities, missed()),
                "no answer within 60 s (while asking for capabilities)",
            ),
            (
                net(Stage::Probe, missed()),
                "no answer within 60 s (during the first command after login)",
            ),
            (net(noop, missed()), "no answer within 60 s (during NOOP)"),
            (
                lacks(Stage::StartTls, "STARTTLS", ""),
                "the server does not offer STARTTLS (it offers: nothing)",
            ),
            (
                lacks(Stage::Command("MOVE"), "MOVE or UIDPLUS", "IMAP4rev1"),
                "the server does not offer MOVE or UIDPLUS (it offers: IMAP4rev1)",
            ),
            (
                lacks(Stage::Command("SORT"), "SORT=DISPLAY", "SORT"),
                "the server does not offer SORT=DISPLAY (it offers: SORT)",
            ),
            (
                lacks(Stage::Command("UID EXPUNGE"), "UIDPLUS", "IDLE"),
                "the server does not offer UIDPLUS for UID EXPUNGE (it offers: IDLE)",
            ),
            (
                Error::NotEnabled { stage: noop, extension: Extension::QResync },
                "NOOP needs QRESYNC, which is not enabled: `enable` has to ask for it, and the \
                 server to confirm it, before a mailbox is opened",
            ),
            (
                Error::Changed {
                    stage: Stage::Command("SELECT"),
                    expected: NonZeroU32::MIN,
                    found: None,
                },
                "the UIDVALIDITY of the mailbox is unknown, not 1: UIDs that were kept mean \
                 nothing now",
            ),
        ] {
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn what_to_do_follows_from_the_response_code() {
        for (line, retry) in [
            ("A1 NO [UNAVAILABLE] down", Retry::Later(None)),
            ("A1 NO [INUSE] locked", Retry::Later(None)),
            ("A1 NO [SERVERBUG] oops", Retry::Later(None)),
            ("A1 NO [EXPUNGEISSUED] Some messages were already expunged", Retry::Later(None)),
            ("A1 NO Server Unavailable. 15", Retry::Later(None)),
            ("A1 NO [THROTTLED] Rate limit hit.", Retry::Later(None)),
            ("A1 NO [OVERQUOTA] Account exceeded command or bandwidth limits.", Retry::Later(None)),
            ("A1 NO [ALERT] Too many simultaneous connections. (Failure)", Retry::Later(None)),
            ("A1 NO [LIMIT] too many keywords", Retry::Never),
            ("A1 NO [CANNOT] invalid name", Retry::Never),
            ("A1 NO [ALREADYEXISTS] there is one", Retry::Never),
            ("A1 NO [HASCHILDREN] not empty", Retry::Never),
            ("A1 NO [TRYCREATE] no such mailbox", Retry::Never),
            ("A1 BAD [CLIENTBUG] that was wrong", Retry::Never),
            ("A1 NO [EXPIRED] sign in again", Retry::RefreshToken),
            ("A1 NO [AUTHORIZATIONFAILED] not yours", Retry::Administrator),
            ("A1 NO [PRIVACYREQUIRED] TLS first", Retry::Administrator),
            ("A1 NO [CONTACTADMIN] call us", Retry::Administrator),
            ("A1 NO [CORRUPTION] the index is broken", Retry::Administrator),
            ("A1 NO [NOPERM] no", Retry::Administrator),
            ("A1 NO [OVERQUOTA] full", Retry::Administrator),
            ("A1 NO [NONEXISTENT] no such mailbox", Retry::Never),
            ("A1 NO Mailbox does not exist", Retry::Never),
            ("A1 BAD Command Argument Error. 11", Retry::Never),
        ] {
            let error = refused(line);
            assert_eq!(error.retry(), retry, "{line}");
            assert!(error.connection_usable());
        }
    }

    #[test]
    fn a_throttle_says_how_long_to_wait() {
        let line = "A1 BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds";
        assert_eq!(refused(line).retry(), Retry::Later(Some(Duration::from_millis(92_415))));
    }

    #[test]
    fn a_throttle_and_the_end_of_a_token_are_told_from_other_refusals() {
        let bye = |line| closed(Stage::Command("NOOP"), line);
        let gone = || Error::Closed { stage: Stage::Auth, reply: None, credential_octets: None };
        let (later, refresh) = (Retry::Later(None), Retry::RefreshToken);
        for (error, throttled, expired, retry) in [
            (refused("A1 BAD Request is throttled."), true, false, later),
            (refused("A1 NO [THROTTLED] slower"), true, false, later),
            (bye("* BYE [ALERT] Too many simultaneous connections."), true, false, later),
            (refused("A1 NO [EXPIRED] sign in again"), false, true, refresh),
            (refused("A1 NO Session invalidated - AccessTokenExpired"), false, true, refresh),
            (bye("* BYE Session invalidated - AccessTokenExpired"), false, true, refresh),
            (refused("A1 NO [UNAVAILABLE] down"), false, false, later),
            (refused("A1 NO [AUTHENTICATIONFAILED] no"), false, false, refresh),
            (gone(), false, false, later),
        ] {
            let told = (error.is_throttled(), error.is_token_expired());
            assert_eq!((told, error.retry()), ((throttled, expired), retry), "{error}");
            let unknown = Error::Unknown { cause: Box::new(error) };
            assert_eq!((unknown.is_throttled(), unknown.is_token_expired()), told);
        }
    }

    #[test]
    fn an_expired_token_is_known_by_the_last_words() {
        let line = "* BYE Session invalidated - AccessTokenExpired";
        let error = closed(Stage::Command("UID FETCH"), line);
        assert_eq!(error.retry(), Retry::RefreshToken);
        assert_eq!(error.verdict(), Verdict::TokenRefused(Rejection::Expired));
        assert!(!error.connection_usable());
    }

    #[test]
    fn a_message_whose_answer_is_lost_may_have_been_stored_whatever_the_last_words() {
        for words in ["* BYE bye", "* BYE Session invalidated - AccessTokenExpired"] {
            let cause = closed(Stage::Command("APPEND"), words);
            assert_ne!(cause.retry(), Retry::MayDuplicate);
            let error = Error::Unknown { cause: Box::new(cause) };
            assert_eq!((error.retry(), error.verdict()), (Retry::MayDuplicate, Verdict::Final));
            assert!(!error.connection_usable() && error.reply().is_some());
        }
        assert_eq!(closed(Stage::Command("NOOP"), "* BYE bye").retry(), Retry::Reconnect);
        assert_eq!(closed(Stage::Auth, "* BYE bye").retry(), Retry::Later(None));
    }

    #[test]
    fn a_close_at_login_names_the_length_of_the_credential() {
        let error =
            Error::Closed { stage: Stage::Auth, reply: None, credential_octets: Some(8500) };
        assert_eq!(
            error.to_string(),
            "the server closed the connection during authentication, after a credential of 8500 \
             octets"
        );
    }
}
