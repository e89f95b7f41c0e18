//! The client and how it runs a command.

use std::fmt;

use crate::connector::ways_in;
use crate::net::driver::Driver;
use crate::{Stage, net};

use super::command::{self, Command};
use super::proto::Core;
use super::{Capabilities, Error, Maildrop};

/// A POP3 session that is logged in.
///
/// Messages are numbered from 1; the numbers hold for the session. Nothing is deleted until
/// [`quit`](Self::quit).
///
/// # Cancel safety
/// The future of any command may be dropped: the next command reads the rest of the old answer and
/// throws it away, within the bounds of [`Limits::settle`](crate::Limits::settle) and
/// [`Timeouts::settle`](crate::Timeouts::settle). The server may still carry the old command out.
/// Dropping the future of `connect_…` or [`Connector::connect`](crate::Connector::connect) closes the connection.
///
/// # Example
/// ```no_run
/// # async fn read(tokens: mailbearer::token::StaticToken) -> Result<(), mailbearer::pop::Error> {
/// use mailbearer::{PopClient, provider::microsoft365};
///
/// let mut pop =
///     PopClient::connect_xoauth2(microsoft365::pop(), "billing@contoso.example", &tokens).await?;
/// for listed in pop.list().await? {
///     let message = pop.retr(listed.number()).await?;
///     println!("{} octets", message.len());
/// }
/// pop.quit().await
/// # }
/// ```
pub struct PopClient {
    driver: Driver<Core>,
    capabilities: Capabilities,
    maildrop: Maildrop,
}

ways_in!(PopClient, Error);

impl PopClient {
    pub(crate) const fn new(
        driver: Driver<Core>,
        capabilities: Capabilities,
        maildrop: Maildrop,
    ) -> Self {
        Self { driver, capabilities, maildrop }
    }

    /// What the server offered before the login.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether a command can still be sent, as far as is known without asking the server: for pools
    /// that hand out connections.
    pub fn is_open(&self) -> bool {
        self.driver.is_open() && self.driver.core().last_words().is_none()
    }

    /// The size of the maildrop at login.
    pub const fn maildrop(&self) -> Maildrop {
        self.maildrop
    }

    /// Runs a command: brings the connection to rest, writes it, reads its answer.
    pub(crate) async fn run<C: Command>(&mut self, command: C) -> Result<C::Output, Error> {
        let stage = Stage::Command(C::NAME);
        if let Err(broken) = self.driver.settle().await {
            return Err(Error::broken(&self.driver, stage, broken));
        }
        let core = self.driver.core_mut();
        // Half a line at rest would become the first half of the next answer.
        core.check_quiet().map_err(|fault| Error::Protocol { stage, fault })?;
        if let Err(broken) = self.driver.settle().await {
            return Err(Error::broken(&self.driver, stage, broken));
        }
        if self.driver.core().last_words().is_some() {
            return Err(Error::broken(&self.driver, stage, net::Error::Closed.into()));
        }
        let started = self.driver.core_mut().start(&command.encode(), command.shape());
        started.map_err(|error| Error::unwritable(C::NAME, error))?;
        match self.driver.event().await {
            Ok(response) => command::finish(command, response, stage, self.driver.core()),
            Err(broken) => Err(Error::broken(&self.driver, stage, broken)),
        }
    }
}

impl fmt::Debug for PopClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PopClient")
            .field("maildrop", &self.maildrop)
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}
