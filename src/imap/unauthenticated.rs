//! A connection on which nobody is logged in any longer.

use std::fmt;

use crate::auth::{Auth, Credentials, TokenMechanism};
use crate::connector::Attempts;
use crate::{Stage, TokenProvider};

use super::connect::{capabilities, log_in};
use super::session::Session;
use super::{Capabilities, Error, Event, ImapClient};

/// A connection that a session has left by [`ImapClient::unauthenticate`], for another login.
///
/// It has the settings of the connector that made it. Dropping it closes the connection; so does a
/// login that fails, as it does when a connection is opened.
#[must_use = "nobody is logged in any longer"]
pub struct Unauthenticated {
    session: Session,
}

impl Unauthenticated {
    pub(super) const fn new(session: Session) -> Self {
        Self { session }
    }

    /// Whether the server can still be spoken to, as far as is known without asking it.
    pub const fn is_open(&self) -> bool {
        self.session.is_open()
    }

    /// What the session has left that nobody has taken, but for what it said of messages. It is
    /// forgotten at the next login: it is of no concern to another user.
    pub fn take_event(&mut self) -> Option<Event> {
        self.session.core_mut().take_event()
    }

    /// What the server has said that it can do now; nothing, if it is still to be asked.
    pub const fn capabilities(&self) -> &Capabilities {
        self.session.core().capabilities()
    }

    /// Logs in.
    ///
    /// If the server refuses the token itself, the provider's
    /// [`rejected`](TokenProvider::rejected) is called, it is asked for another token, and the login
    /// is tried once more on this connection, if the server has not closed it.
    ///
    /// # Errors
    /// As for [`Connector::connect`](crate::Connector::connect) behind the greeting. The connection
    /// is closed.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the server may have seen the login.
    pub async fn authenticate(self, auth: &Auth) -> Result<ImapClient, Error> {
        self.log_in(auth.credentials()).await
    }

    /// Logs in to `mailbox` by XOAUTH2 with a token of `tokens`.
    ///
    /// # Errors
    /// As for [`authenticate`](Self::authenticate).
    ///
    /// # Cancel safety
    /// As for [`authenticate`](Self::authenticate).
    pub async fn authenticate_xoauth2(
        self,
        mailbox: impl Into<String>,
        tokens: &dyn TokenProvider,
    ) -> Result<ImapClient, Error> {
        self.by_token(TokenMechanism::Xoauth2, &mailbox.into(), tokens).await
    }

    /// The same by OAUTHBEARER (RFC 7628).
    ///
    /// # Errors
    /// As for [`authenticate`](Self::authenticate).
    ///
    /// # Cancel safety
    /// As for [`authenticate`](Self::authenticate).
    pub async fn authenticate_oauthbearer(
        self,
        mailbox: impl Into<String>,
        tokens: &dyn TokenProvider,
    ) -> Result<ImapClient, Error> {
        self.by_token(TokenMechanism::OauthBearer, &mailbox.into(), tokens).await
    }

    /// Closes the connection with a goodbye: see [`ImapClient::logout`].
    ///
    /// # Errors
    /// As for [`ImapClient::logout`].
    ///
    /// # Cancel safety
    /// As for [`ImapClient::logout`].
    pub async fn logout(self) -> Result<(), Error> {
        ImapClient::new(self.session).logout().await
    }

    async fn by_token(
        self,
        mechanism: TokenMechanism,
        mailbox: &str,
        provider: &dyn TokenProvider,
    ) -> Result<ImapClient, Error> {
        self.log_in(Credentials::Token { mechanism, mailbox, vendor: None, provider }).await
    }

    async fn log_in(self, credentials: Credentials<'_>) -> Result<ImapClient, Error> {
        let mut session = self.session;
        session.core_mut().forget_events();
        let settings = session.settings.clone();
        if let Some(dialogue) = &settings.dialogue {
            dialogue.login(credentials.user());
        }
        let mut attempts = Attempts::begin(&settings, credentials).await?;
        loop {
            // What was said while a token was fetched is no answer to what follows.
            session.settle(Stage::Auth).await?;
            capabilities(&mut session).await?;
            let login = attempts.login()?;
            let mut error = match log_in(&mut session, &settings, login).await {
                Ok(()) => return Ok(ImapClient::new(session)),
                Err(error) => error,
            };
            let usable = session.settle(Stage::Auth).await.is_ok() && session.is_open();
            if !attempts.again(&mut error, usable).await {
                return Err(error);
            }
        }
    }
}

impl fmt::Debug for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unauthenticated").field("open", &self.is_open()).finish_non_exhaustive()
    }
}
