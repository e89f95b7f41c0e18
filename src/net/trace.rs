//! Protocol lines as `tracing` events.
//!
//! At level TRACE, target `mailbearer::wire`: one event a line, `C:` for the client and `S:` for
//! the server. Secrets of the client are left out because they were marked when they were written;
//! what the server echoes of them is taken out by comparison. Message content and literals appear
//! by their length.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::secret::Scrubber;
use crate::wire::{Input, Output};

const TARGET: &str = "mailbearer::wire";

/// Tells the connections of a process apart in the trace. Nothing depends on its value.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// The trace of one connection.
pub(crate) struct Trace {
    on: bool,
    connection: u64,
    protocol: &'static str,
    scrubber: Scrubber,
}

impl Trace {
    /// Whether lines are wanted is asked once, when the connection opens.
    pub(crate) fn new(protocol: &'static str) -> Self {
        let on = tracing::enabled!(target: TARGET, tracing::Level::TRACE);
        let connection = if on { CONNECTIONS.fetch_add(1, Ordering::Relaxed) } else { 0 };
        Self { on, connection, protocol, scrubber: Scrubber::default() }
    }

    /// Secrets to be taken out of what the server says from now on.
    pub(crate) fn scrub(&mut self, scrubber: Scrubber) {
        self.scrubber = scrubber;
    }

    /// Tells the core's buffer whether its lines are wanted.
    pub(crate) fn attach(&self, input: &mut Input) {
        if self.on {
            input.keep_heard();
        }
    }

    /// What was written since the last call. Comes before the octets are handed to the socket.
    pub(crate) fn client(&self, output: &mut Output) {
        if self.on {
            self.show(output);
        }
    }

    fn show(&self, output: &mut Output) {
        for line in output.show() {
            self.emit("C", &line);
        }
    }

    /// What was read since the last call.
    pub(crate) fn server(&self, input: &mut Input) {
        if self.on {
            self.tell(input);
        }
    }

    fn tell(&self, input: &mut Input) {
        for heard in input.take_heard() {
            for line in self.scrubber.clean_str(heard.as_bytes()).lines() {
                self.emit("S", line);
            }
        }
    }

    fn emit(&self, who: &str, line: &str) {
        tracing::trace!(
            target: TARGET,
            protocol = self.protocol,
            connection = self.connection,
            "{who}: {line}"
        );
    }
}
