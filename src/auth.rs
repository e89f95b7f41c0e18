//! Who logs in and with what, and what a refusal means.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "diagnosis")]
use crate::diagnosis::Context;
use crate::sasl::{self, Challenge, InputError};
use crate::secret::Secret;
use crate::token::{AccessToken, Rejection, TokenProvider};
use crate::{Endpoint, Retry};

/// Credentials for a [`Connector`](crate::Connector). A cheap clone.
///
/// There is never a fall-back from one mechanism to another, least of all from a token to a
/// password.
#[derive(Clone)]
pub struct Auth(Kind);

#[derive(Clone)]
enum Kind {
    Token {
        mechanism: TokenMechanism,
        mailbox: Arc<str>,
        vendor: Option<Arc<str>>,
        provider: Arc<dyn TokenProvider>,
    },
    Password {
        mechanism: PasswordMechanism,
        user: Arc<str>,
        password: Arc<Secret<String>>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenMechanism {
    Xoauth2,
    OauthBearer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PasswordMechanism {
    Plain,
    Login,
    UserPass,
}

impl Auth {
    /// XOAUTH2, the mechanism of Microsoft and Google. `mailbox` is the address that is opened; a
    /// shared mailbox is named here, while the token stays that of the user or application that
    /// has access to it.
    pub fn xoauth2(mailbox: impl Into<String>, tokens: impl TokenProvider + 'static) -> Self {
        Self::token(TokenMechanism::Xoauth2, mailbox.into(), Arc::new(tokens))
    }

    /// OAUTHBEARER (RFC 7628), the standard's mechanism. Microsoft does not offer it.
    pub fn oauthbearer(mailbox: impl Into<String>, tokens: impl TokenProvider + 'static) -> Self {
        Self::token(TokenMechanism::OauthBearer, mailbox.into(), Arc::new(tokens))
    }

    /// PLAIN (RFC 4616), for servers that still take passwords.
    pub fn plain(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::password(PasswordMechanism::Plain, user.into(), password.into())
    }

    /// LOGIN, for servers that take a password in no other way.
    pub fn login(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::password(PasswordMechanism::Login, user.into(), password.into())
    }

    /// The login of the protocol itself, which is no SASL: USER and PASS of POP3 (RFC 1939 section
    /// 7), LOGIN of IMAP (RFC 9051 section 6.2.3). SMTP has none. LOGIN is never sent where the
    /// server says `LOGINDISABLED`.
    pub fn user_pass(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::password(PasswordMechanism::UserPass, user.into(), password.into())
    }

    /// The `vendor` field of XOAUTH2, which Yahoo has asked some applications for. The other
    /// mechanisms have none.
    pub fn vendor(mut self, name: &str) -> Self {
        if let Kind::Token { vendor, .. } = &mut self.0 {
            *vendor = Some(name.into());
        }
        self
    }

    fn token(mechanism: TokenMechanism, mailbox: String, provider: Arc<dyn TokenProvider>) -> Self {
        Self(Kind::Token { mechanism, mailbox: mailbox.into(), vendor: None, provider })
    }

    fn password(mechanism: PasswordMechanism, user: String, password: String) -> Self {
        let password = Arc::new(Secret::new(password));
        Self(Kind::Password { mechanism, user: user.into(), password })
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        match &self.0 {
            Kind::Token { mechanism, mailbox, vendor, provider } => Credentials::Token {
                mechanism: *mechanism,
                mailbox,
                vendor: vendor.as_deref(),
                provider: &**provider,
            },
            Kind::Password { mechanism, user, password } => {
                Credentials::Password(Password { mechanism: *mechanism, user, password })
            }
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Token { mechanism, mailbox, .. } => {
                f.debug_tuple("Auth").field(mechanism).field(mailbox).finish()
            }
            Kind::Password { mechanism, user, .. } => {
                f.debug_tuple("Auth").field(mechanism).field(user).finish()
            }
        }
    }
}

/// Borrowed credentials, from an [`Auth`] or from the arguments of `connect_xoauth2`.
#[derive(Clone, Copy)]
pub(crate) enum Credentials<'a> {
    Token {
        mechanism: TokenMechanism,
        mailbox: &'a str,
        vendor: Option<&'a str>,
        provider: &'a dyn TokenProvider,
    },
    Password(Password<'a>),
}

impl Credentials<'_> {
    /// The mechanism, as transcripts call it.
    pub(crate) const fn mechanism(&self) -> &'static str {
        match self {
            Self::Token { mechanism: TokenMechanism::Xoauth2, .. } => "xoauth2",
            Self::Token { mechanism: TokenMechanism::OauthBearer, .. } => "oauthbearer",
            Self::Password(password) => match password.mechanism {
                PasswordMechanism::Plain => "plain",
                PasswordMechanism::Login => "login",
                PasswordMechanism::UserPass => "user_pass",
            },
        }
    }

    /// Whose mailbox is opened.
    pub(crate) const fn user(&self) -> &str {
        match self {
            Self::Token { mailbox, .. } => mailbox,
            Self::Password(password) => password.user,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Password<'a> {
    mechanism: PasswordMechanism,
    user: &'a str,
    password: &'a Secret<String>,
}

impl<'a> Password<'a> {
    pub(crate) fn octets(self) -> usize {
        self.password.expose().len()
    }

    #[cfg(feature = "diagnosis")]
    pub(crate) const fn user(self) -> &'a str {
        self.user
    }

    pub(crate) fn session(self) -> Result<sasl::Session, InputError> {
        match self.mechanism {
            PasswordMechanism::Plain => sasl::Session::plain(self.user, self.password.expose()),
            PasswordMechanism::Login => sasl::Session::login(self.user, self.password.expose()),
            PasswordMechanism::UserPass => {
                sasl::Session::user_pass(self.user, self.password.expose())
            }
        }
    }
}

impl TokenMechanism {
    pub(crate) fn session(
        self,
        endpoint: &Endpoint,
        mailbox: &str,
        vendor: Option<&str>,
        token: &AccessToken,
    ) -> Result<sasl::Session, InputError> {
        match self {
            Self::Xoauth2 => {
                let vendor = vendor.map(|vendor| ("vendor", vendor));
                sasl::Session::xoauth2(mailbox, token.expose(), vendor.as_slice())
            }
            // RFC 7628 section 3.1: the host and port that were connected to.
            Self::OauthBearer => sasl::Session::oauthbearer(
                mailbox,
                endpoint.host(),
                endpoint.port(),
                token.expose(),
            ),
        }
    }
}

/// One login, ready to be carried out by a protocol.
#[expect(unnameable_types, reason = "it seals `Client`")]
pub struct Login {
    pub(crate) session: sasl::Session,
    /// Never send the initial response on the command line, whatever the profile says.
    pub(crate) two_step: bool,
}

/// Why a login failed, as far as the server lets it be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthCause {
    /// The token or password itself was refused.
    Credential,
    /// The credential is good, but the mailbox did not open: the user or application has no right
    /// to it, or the mailbox does not exist.
    NotConnected,
    /// A switch, a policy or a missing permission forbids this login.
    Policy,
    /// The server cannot tell at the moment, or throttles; after this long, if it said.
    Temporary(Option<Duration>),
    /// The server could not read what was sent.
    Malformed,
    /// The server refused without a reason that can be told apart.
    Other,
}

/// The server refused the login. `R` is the protocol's reply.
#[derive(Debug, Clone)]
pub struct AuthError<R> {
    mechanism: &'static str,
    cause: AuthCause,
    reply: R,
    challenge: Option<Challenge>,
    credential_octets: usize,
    refreshed: bool,
    /// The initial response stood on the command line, and the refusal may be about its length.
    pub(crate) try_two_step: bool,
    /// What is known of such a refusal, for people.
    pub(crate) explanation: Option<&'static str>,
    /// What the connector knew.
    #[cfg(feature = "diagnosis")]
    context: Option<Box<Context>>,
}

impl<R> AuthError<R> {
    pub(crate) fn new(session: &sasl::Session, cause: AuthCause, reply: R) -> Self {
        Self {
            mechanism: session.mechanism(),
            cause,
            reply,
            challenge: session.challenge().cloned(),
            credential_octets: session.credential_len(),
            refreshed: false,
            try_two_step: false,
            explanation: None,
            #[cfg(feature = "diagnosis")]
            context: None,
        }
    }

    /// The SASL mechanism: `XOAUTH2`, `OAUTHBEARER`, `PLAIN` or `LOGIN`; `USER` for USER and PASS.
    pub const fn mechanism(&self) -> &'static str {
        self.mechanism
    }

    /// What is known of the reason.
    pub const fn cause(&self) -> AuthCause {
        self.cause
    }

    /// The server's final answer, without secrets that it may have echoed.
    pub const fn reply(&self) -> &R {
        &self.reply
    }

    /// What the server said about the token before its final answer, if it did.
    pub const fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// Octets of the token or password. Some servers refuse long tokens: Exchange Online over
    /// 4,096 octets on POP3, Dovecot when its base64 exceeds 8 KiB, Postfix 12 KiB.
    pub const fn credential_octets(&self) -> usize {
        self.credential_octets
    }

    /// Whether a second token was obtained and refused too.
    pub const fn token_refreshed(&self) -> bool {
        self.refreshed
    }

    /// What the connector knew of the login that was refused: endpoint, mailbox, and what the token
    /// said of itself. Never the token or the password.
    #[cfg(feature = "diagnosis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "diagnosis")))]
    pub fn context(&self) -> Option<&Context> {
        self.context.as_deref()
    }

    #[cfg(feature = "diagnosis")]
    pub(crate) fn know(&mut self, context: Context) {
        self.context = Some(Box::new(context));
    }

    pub(crate) const fn mark_refreshed(&mut self) {
        self.refreshed = true;
    }

    /// What to do next.
    pub const fn retry(&self) -> Retry {
        match self.cause {
            AuthCause::Credential => Retry::RefreshToken,
            AuthCause::NotConnected | AuthCause::Policy => Retry::Administrator,
            AuthCause::Temporary(after) => Retry::Later(after),
            AuthCause::Malformed | AuthCause::Other => Retry::Never,
        }
    }
}

impl<R: fmt::Display> AuthError<R> {
    /// What the connector does about it.
    pub(crate) fn verdict(&self) -> Verdict {
        if self.try_two_step {
            Verdict::TwoStep
        } else if self.cause == AuthCause::Credential {
            Verdict::TokenRefused(Rejection::Refused { reply: self.reply.to_string() })
        } else {
            Verdict::Final
        }
    }
}

impl<R: fmt::Display> fmt::Display for AuthError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} authentication refused: {}", self.mechanism, self.reply)?;
        if let Some(challenge) = &self.challenge {
            write!(f, " (the server's reason: {})", challenge.text().trim())?;
        }
        match self.cause {
            AuthCause::NotConnected => {
                f.write_str("; the credential was accepted, but the mailbox did not open for it")?
            }
            // Most often a token too long for the server, which says only that it cannot read it.
            AuthCause::Malformed => {
                write!(f, "; the credential has {} octets", self.credential_octets)?;
            }
            AuthCause::Credential if self.refreshed => {
                f.write_str("; a newly obtained token was refused too")?;
            }
            _ => {}
        }
        self.explanation.map_or(Ok(()), |known| write!(f, "; {known}"))
    }
}

impl<R: fmt::Display + fmt::Debug> std::error::Error for AuthError<R> {}

/// What the connector does about a failed attempt.
#[expect(unnameable_types, reason = "it seals `Client`")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Get another token and try again, once.
    TokenRefused(Rejection),
    /// Try again with the initial response on a line of its own.
    TwoStep,
    /// Give up.
    Final,
}
