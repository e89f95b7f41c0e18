//! The seam between the protocol cores and the driver.
//!
//! A core is a value that takes octets and gives octets and events. It knows no socket, no task
//! and no clock, so every behaviour of a protocol can be shown by a transcript. The
//! driver (`net::driver`) is the only code that moves octets: it fills [`input`](Machine::input),
//! empties [`output`](Machine::output), and [`poll`](Machine::poll)s.
//!
//! ```text
//!            socket ──► input ──► poll ──► event ──► command ──► user
//!            socket ◄── output ◄────────── start a command ◄──── user
//! ```
//!
//! What is in flight is known to the core, never to a future. A dropped future therefore costs
//! nothing but the [`abandon`](Machine::abandon) of the next command.

use crate::fault::Fault;
use crate::wire::{Input, Output};

/// A protocol core as the driver sees it.
pub(crate) trait Machine {
    /// What the core reports: a finished command, a piece of data, the server's last words.
    type Event;

    /// Where received octets go.
    fn input(&mut self) -> &mut Input;

    /// What is to be sent.
    fn output(&mut self) -> &mut Output;

    /// The next event, or nothing until more octets come.
    ///
    /// # Errors
    /// The peer broke the protocol. The core must not be polled again.
    fn poll(&mut self) -> Result<Option<Self::Event>, Fault>;

    /// The peer will send no more. What is buffered may still give events; a half line may be the
    /// peer's last words.
    fn eof(&mut self);

    /// What is being waited for, which decides the deadline.
    fn wait(&self) -> Wait;

    /// Whether an answer is outstanding.
    fn in_flight(&self) -> bool;

    /// Nobody waits any longer for what is in flight: says how the connection gets back to rest.
    /// Called once before each command; where nothing is in flight it does nothing.
    fn abandon(&mut self) -> Abandon;
}

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing: no deadline runs.
    Rest,
    /// The server's first line.
    Greeting,
    /// The answer to a command, as a whole. The number differs from command to command, so that
    /// each gets the whole time.
    Reply(u32),
    /// The SASL exchange, all its steps together.
    Sasl,
    /// The answer to a message that was handed over whole. The number is as that of a reply: with
    /// PIPELINING nothing else may be waited for between two deliveries.
    Delivery(u32),
    /// A transfer in either direction, which may last as long as it moves.
    Transfer,
}

/// How an abandoned command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abandon {
    /// Read on until nothing is in flight, throwing away what comes.
    Drain,
    /// The connection cannot be brought back to rest, or must not be: close it.
    Close,
}
