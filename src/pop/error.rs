//! What a POP3 connection or command can end in.

use std::borrow::Cow;

use crate::auth::Verdict;
use crate::connector::{Judge, Obstacle};
use crate::failure::{closing_words, offers};
use crate::fault::Unwritable;
use crate::net::driver::{Broken, Driver};
use crate::token::TokenError;
use crate::{AuthError, Failure, Fault, Misuse, Retry, Stage, net};

use super::proto::Core;
use super::{Reply, ResponseCode};

/// A failure of a [`PopClient`](super::PopClient).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server said `-ERR`. The connection is good, but behind QUIT, where it means that not
    /// all that was marked is deleted.
    #[error("{}: {reply}", .stage.refused())]
    Refused {
        /// What was refused.
        stage: Stage,
        /// The server's words.
        reply: Reply,
    },
    /// The login was refused.
    #[error(transparent)]
    Auth(Box<AuthError<Reply>>),
    /// The server closed the connection.
    #[error("the server closed the connection {}{}{}", .stage.when(), closing_words(.reply, .credential_octets), about(*.credential_octets))]
    Closed {
        /// What was going on.
        stage: Stage,
        /// Its last words, if it said any.
        reply: Option<Reply>,
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
    /// An answer that means nothing. The connection is good: the answer's end was found.
    #[error("cannot make sense of the answer to {stage}: `{answer}`")]
    Unparsed {
        /// The command.
        stage: Stage,
        /// The line in question.
        answer: String,
    },
    /// A message that is larger than [`Limits::message`](crate::Limits::message). The connection
    /// is good: it was not asked for, as LIST says its size, or its end was found within
    /// [`Limits::settle`](crate::Limits::settle) more.
    /// [`retr_reader`](super::PopClient::retr_reader) takes any size.
    #[error("a message of {octets} octets exceeds the limit of {limit}")]
    TooLarge {
        /// Its size.
        octets: u64,
        /// The limit.
        limit: u64,
    },
    /// QUIT went out and its answer is lost: it is not known whether the server deleted what was
    /// marked. The next session lists what it did not.
    #[error("it is not known whether what was marked was deleted (messages: {marked}): {source}")]
    Unknown {
        /// Messages that were marked.
        marked: u32,
        /// What happened to the answer.
        source: Box<Self>,
    },
    /// The caller ended a [`sync`](super::PopClient::sync) with messages read and not stored, at a
    /// server that deletes what was read when the session ends by QUIT (EXPIRE 0). The session
    /// was ended without it: nothing was deleted.
    #[error(
        "{messages} messages were read and not stored, and QUIT would delete them at this server \
         (EXPIRE 0): nothing was deleted"
    )]
    Unstored {
        /// Messages that QUIT would have lost.
        messages: u32,
    },
    /// The server does not offer what is needed.
    #[error("the server does not offer {what} (it offers: {})", offers(.offered))]
    Unsupported {
        /// What is needed.
        what: String,
        /// What there is instead.
        offered: String,
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

const QUIT: Stage = Stage::Command("QUIT");

/// The longest token that Exchange Online's POP3 service is known to take (observed since 2025-07).
pub(super) const EXCHANGE_TOKEN: usize = 4096;

/// What the length of a credential explains.
fn about(credential_octets: Option<usize>) -> &'static str {
    match credential_octets {
        Some(octets) if octets > EXCHANGE_TOKEN => {
            " (Exchange Online's POP3 service takes no tokens over 4,096 octets; fewer claims, such \
             as groups, make them shorter)"
        }
        _ => "",
    }
}

impl Error {
    /// The server's answer, if there was one.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Refused { reply, .. } | Self::Closed { reply: Some(reply), .. } => Some(reply),
            Self::Auth(error) => Some(error.reply()),
            Self::Unknown { source, .. } => source.reply(),
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

    /// What a driver that broke means at `stage`.
    pub(crate) fn broken(driver: &Driver<Core>, stage: Stage, broken: Broken) -> Self {
        match broken {
            Broken::Fault(fault) => Self::Protocol { stage, fault },
            Broken::Net(net::Error::Closed) => Self::Closed {
                stage,
                reply: driver.core().last_words().cloned(),
                credential_octets: driver.core().credential_octets(),
            },
            Broken::Net(source) => Self::Net { stage, source },
        }
    }

    pub(crate) const fn unwritable(what: &'static str, error: Unwritable) -> Self {
        Self::Misuse(error.in_argument(what))
    }
}

impl Failure for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Refused { stage, reply } => match reply.code() {
                // No word about the caller, of whom it knows nothing yet.
                None if *stage == Stage::Greeting => Retry::Later(None),
                Some(ResponseCode::SysPerm) => Retry::Administrator,
                Some(ResponseCode::Auth) => Retry::RefreshToken,
                Some(code) if code.is_temporary() => Retry::Later(None),
                _ if reply.is_throttled() => Retry::Later(None),
                _ if reply.is_token_expired() => Retry::RefreshToken,
                // What is left can be marked again.
                _ if *stage == QUIT => Retry::Reconnect,
                _ => Retry::Never,
            },
            Self::Unknown { .. } => Retry::MayDuplicate,
            Self::Unstored { .. } => Retry::Reconnect,
            Self::Auth(error) => error.retry(),
            Self::Closed { reply: Some(reply), .. } if reply.is_token_expired() => {
                Retry::RefreshToken
            }
            Self::Closed { reply: Some(reply), .. } if reply.is_throttled() => Retry::Later(None),
            // A server that hangs up on a login will do so again at once.
            Self::Closed { stage: Stage::Auth | Stage::Greeting, .. } => Retry::Later(None),
            Self::Closed { .. } => Retry::Reconnect,
            Self::Protocol { fault, .. } => fault.retry(),
            Self::Unparsed { .. }
            | Self::TooLarge { .. }
            | Self::Unsupported { .. }
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
            | Self::Unparsed { stage, .. }
            | Self::Net { stage, .. } => *stage,
            Self::Auth(_) => Stage::Auth,
            Self::TooLarge { .. } => Stage::Command("RETR"),
            Self::Unknown { .. } | Self::Unstored { .. } => QUIT,
            Self::Unsupported { .. } => Stage::Capabilities,
            Self::Misuse(_) => Stage::Command("the call"),
            Self::Token(_) => Stage::Token,
        }
    }

    fn connection_usable(&self) -> bool {
        match self {
            Self::Refused { stage, .. } => *stage != QUIT && matches!(stage, Stage::Command(_)),
            Self::Unparsed { .. } | Self::TooLarge { .. } | Self::Misuse(_) => true,
            _ => false,
        }
    }

    fn reply_text(&self) -> Option<Cow<'_, str>> {
        self.reply().map(|reply| Cow::Owned(reply.to_string()))
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
    use super::*;

    #[test]
    fn a_throttle_and_the_end_of_a_token_are_told_from_other_refusals() {
        let later = Retry::Later(None);
        for (line, throttled, expired, retry) in [
            ("-ERR [LOGIN-DELAY] too soon", true, false, later),
            ("-ERR Account exceeded command or bandwidth limits", true, false, later),
            ("-ERR Session invalidated - AccessTokenExpired", false, true, Retry::RefreshToken),
            ("-ERR [SYS/TEMP] down", false, false, later),
            ("-ERR [AUTH] no", false, false, Retry::RefreshToken),
            ("-ERR no such message", false, false, Retry::Never),
        ] {
            let (reply, stage) = (Reply::parse(line).unwrap(), Stage::Command("RETR"));
            let error = Error::Refused { stage, reply };
            assert_eq!((error.is_throttled(), error.is_token_expired()), (throttled, expired));
            assert_eq!(error.retry(), retry, "{line}");
        }
    }

    #[test]
    fn messages_say_what_failed_when_and_in_the_servers_words() {
        let gone = || Error::Closed { stage: QUIT, reply: None, credential_octets: None };
        let large = Error::Closed {
            stage: Stage::Auth,
            reply: None,
            credential_octets: Some(EXCHANGE_TOKEN + 1),
        };
        for (error, message) in [
            (gone(), "the server closed the connection during QUIT"),
            (
                Error::Unknown { marked: 1, source: Box::new(gone()) },
                "it is not known whether what was marked was deleted (messages: 1): the server \
                 closed the connection during QUIT",
            ),
            (
                large,
                "the server closed the connection during authentication, after a credential of \
                 4097 octets (Exchange Online's POP3 service takes no tokens over 4,096 octets; \
                 fewer claims, such as groups, make them shorter)",
            ),
            (
                Error::Unsupported { what: "STLS".into(), offered: String::new() },
                "the server does not offer STLS (it offers: nothing)",
            ),
            (
                Error::Unparsed { stage: Stage::Command("STAT"), answer: "+OK lots".into() },
                "cannot make sense of the answer to STAT: `+OK lots`",
            ),
        ] {
            assert_eq!(error.to_string(), message);
        }
    }
}
