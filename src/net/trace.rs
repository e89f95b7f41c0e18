//! Protocol lines as `tracing` events, and to the recorder if there is one.
//!
//! At level TRACE, target `mailbearer::wire`: one event a line, `C:` for the client and `S:` for
//! the server. Secrets of the client are left out because they were marked when they were written;
//! what the server echoes of them is taken out by comparison. Message content and literals appear
//! by their length.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::secret::Scrubber;
use crate::wire::{Input, Output, heard};
use crate::wirelog::Dialogue;

const TARGET: &str = "mailbearer::wire";

/// Tells the connections of a process apart in the trace. Nothing depends on its value.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// The trace of one connection.
pub(crate) struct Trace {
    /// Whether anybody wants lines.
    wanted: bool,
    /// Whether they become events.
    events: bool,
    dialogue: Option<Dialogue>,
    connection: u64,
    protocol: &'static str,
    scrubber: Scrubber,
}

impl Trace {
    /// Whether lines are wanted is asked once, when the connection opens.
    pub(crate) fn new(protocol: &'static str) -> Self {
        let events = tracing::enabled!(target: TARGET, tracing::Level::TRACE);
        let connection = if events { CONNECTIONS.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let scrubber = Scrubber::default();
        Self { wanted: events, events, dialogue: None, connection, protocol, scrubber }
    }

    /// Has it recorded as well.
    pub(crate) fn record(&mut self, dialogue: Option<Dialogue>) {
        self.wanted |= dialogue.is_some();
        self.dialogue = dialogue;
    }

    /// Secrets to be taken out of what the server says from now on.
    pub(crate) fn scrub(&mut self, scrubber: Scrubber) {
        self.scrubber = scrubber;
    }

    /// Tells the core's buffer whether its lines are wanted.
    pub(crate) fn attach(&self, input: &mut Input) {
        if self.wanted {
            input.keep_heard();
        }
    }

    /// What was written since the last call. Comes before the octets are handed to the socket.
    #[inline]
    pub(crate) fn client(&self, output: &mut Output) {
        if self.wanted {
            self.show(output);
        }
    }

    fn show(&self, output: &mut Output) {
        let said = output.take_said();
        if let Some(dialogue) = &self.dialogue {
            dialogue.client(&said);
        }
        if self.events {
            for line in heard::lines(&said) {
                self.emit("C", &line);
            }
        }
    }

    /// What was read since the last call.
    #[inline]
    pub(crate) fn server(&self, input: &mut Input) {
        if self.wanted {
            self.tell(input);
        }
    }

    fn tell(&self, input: &mut Input) {
        for heard in input.take_heard() {
            if let Some(dialogue) = &self.dialogue {
                dialogue.server(&heard, &self.scrubber);
            }
            if self.events {
                for line in self.scrubber.clean_str(&heard.shown()).lines() {
                    self.emit("S", line);
                }
            }
        }
    }

    /// The server says no more.
    pub(crate) fn end(&self) {
        if let Some(dialogue) = &self.dialogue {
            dialogue.end();
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
