//! The client and how it runs a command.

use std::fmt;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::connector::ways_in;
use crate::fault::Fault;
use crate::machine::Machine;
use crate::net::driver::{Broken, Driver};
use crate::{Limits, Stage, net};

use super::command::flight::Flight;
use super::command::{self, Command};
use super::proto::{Core, Event, Response, Shape};
use super::{Capabilities, Error, Maildrop};

/// A POP3 session that is logged in.
///
/// Messages are numbered from 1; the numbers hold for the session. Nothing is deleted until
/// [`quit`](Self::quit). Which call serves which need is said in the [module](crate::pop).
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
    offered: Offered,
    limits: Limits,
    maildrop: Maildrop,
    /// DELEs that the server may have carried out.
    marked: u32,
    /// What [`retr_all`](Self::retr_all) has still to fetch. Here and not in what it lends, so
    /// that dropping that needs no code.
    flight: Flight,
    /// What came of a streamed message and was not taken yet.
    piece: Bytes,
}

/// Capabilities, and when they were told.
pub(crate) struct Offered {
    pub(crate) capabilities: Capabilities,
    /// Behind the login, where they may be others (RFC 2449 section 4).
    pub(crate) behind_login: bool,
}

ways_in!(PopClient, Error);

impl PopClient {
    pub(crate) const fn new(
        driver: Driver<Core>,
        offered: Offered,
        limits: Limits,
        maildrop: Maildrop,
    ) -> Self {
        Self {
            driver,
            offered,
            limits,
            maildrop,
            marked: 0,
            flight: Flight::none(),
            piece: Bytes::new(),
        }
    }

    /// What the server offers, as it said last.
    ///
    /// A server that pipelines is asked again in one flight with the first command behind the
    /// login; of others the answer from before the login is kept until something depends on it
    /// or [`capa`](Self::capa) asks. Empty if the server does not know CAPA.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.offered.capabilities
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

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) const fn flight_mut(&mut self) -> &mut Flight {
        &mut self.flight
    }

    pub(crate) const fn flight(&self) -> &Flight {
        &self.flight
    }

    pub(crate) const fn piece_mut(&mut self) -> &mut Bytes {
        &mut self.piece
    }

    pub(crate) const fn marked(&self) -> u32 {
        self.marked
    }

    pub(crate) const fn set_marked(&mut self, marked: u32) {
        self.marked = marked;
    }

    pub(crate) fn set_capabilities(&mut self, capabilities: Capabilities) {
        self.offered = Offered { capabilities, behind_login: true };
    }

    /// Whether the next command may be sent before the last is answered. Costs a round trip if
    /// that was not known.
    pub(crate) async fn may_pipeline(&mut self) -> Result<bool, Error> {
        if !self.capabilities().has("PIPELINING") {
            self.ask_behind_login().await?;
        }
        Ok(self.capabilities().has("PIPELINING"))
    }

    /// Asks for the capabilities behind the login, unless they are known.
    pub(crate) async fn ask_behind_login(&mut self) -> Result<(), Error> {
        if !self.offered.behind_login {
            match self.exchange(command::capa::Capa).await {
                Ok(capabilities) => self.set_capabilities(capabilities),
                // A server without CAPA; it is not asked a third time.
                Err(Error::Refused { .. }) => self.offered.behind_login = true,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Runs a command: brings the connection to rest, writes it, reads its answer.
    pub(crate) async fn run<C: Command>(&mut self, command: C) -> Result<C::Output, Error> {
        self.flight = Flight::none();
        self.exchange(command).await
    }

    /// The same in the midst of something greater.
    pub(crate) async fn exchange<C: Command>(&mut self, command: C) -> Result<C::Output, Error> {
        self.rest(C::NAME).await?;
        self.start(C::NAME, &command.encode(), command.shape())?;
        let response = self.response(C::NAME).await?;
        command::finish(command, response, Stage::Command(C::NAME), self.driver.core())
    }

    /// Makes sure that what comes next is the answer to what is written next.
    pub(crate) async fn rest(&mut self, name: &'static str) -> Result<(), Error> {
        self.piece = Bytes::new();
        rest(&mut self.driver, Stage::Command(name)).await
    }

    /// Writes a command.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        line: &[u8],
        shape: Shape,
    ) -> Result<(), Error> {
        let started = self.driver.core_mut().start(line, shape);
        started.map_err(|error| Error::unwritable(name, error))
    }

    /// The next answer, or the status line of a streamed one.
    pub(crate) async fn response(&mut self, name: &'static str) -> Result<Response, Error> {
        match self.driver.event().await {
            Ok(Event::Response(response)) => {
                // It closes a moment later; until then it would look open.
                if response.reply.announces_close() {
                    self.driver.close_with_server();
                }
                Ok(response)
            }
            Ok(Event::Piece(_) | Event::End) => Err(self.broken(name, nonsense())),
            Err(broken) => Err(self.broken(name, broken)),
        }
    }

    /// The next piece of a streamed message; `None` at its end.
    pub(crate) fn poll_piece(
        &mut self,
        name: &'static str,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        self.driver.poll_next(cx).map(|event| match event {
            Ok(Event::Piece(piece)) => Ok(Some(piece)),
            Ok(Event::End) => Ok(None),
            Ok(Event::Response(_)) => Err(self.broken(name, nonsense())),
            Err(broken) => Err(self.broken(name, broken)),
        })
    }

    /// Whether all that was said has left for the server, as far as can be told from here.
    pub(crate) fn all_sent(&mut self) -> bool {
        self.driver.core_mut().output().is_empty()
    }

    pub(crate) const fn core(&self) -> &Core {
        self.driver.core()
    }

    fn broken(&self, name: &'static str, broken: Broken) -> Error {
        Error::broken(&self.driver, Stage::Command(name), broken)
    }
}

/// See [`PopClient::rest`]; on the way to a client, too.
pub(super) async fn rest(driver: &mut Driver<Core>, stage: Stage) -> Result<(), Error> {
    let settled = driver.settle().await;
    settled.map_err(|broken| Error::broken(driver, stage, broken))?;
    // Half a line at rest would become the first half of the next answer.
    if let Err(fault) = driver.core_mut().check_quiet() {
        driver.close_after(&fault);
        return Err(Error::Protocol { stage, fault });
    }
    let settled = driver.settle().await;
    settled.map_err(|broken| Error::broken(driver, stage, broken))?;
    match driver.core().last_words() {
        Some(_) => Err(Error::broken(driver, stage, net::Error::Closed.into())),
        None => Ok(()),
    }
}

/// The core gives the events of a shape only for commands of that shape.
fn nonsense() -> Broken {
    Broken::Fault(Fault::unexpected("the answer to the command", b"that to another"))
}

impl fmt::Debug for PopClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PopClient")
            .field("maildrop", &self.maildrop)
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}
