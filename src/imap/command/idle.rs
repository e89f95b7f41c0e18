//! IDLE, RFC 2177 (RFC 9051 section 6.3.13): its wire form, and that of NOOP where there is no IDLE.
//!
//! ```text
//! C: A2 IDLE
//! S: + idling
//! S: * 2 EXPUNGE
//! S: * 3 EXISTS
//! C: DONE
//! S: A2 OK IDLE terminated
//! ```
//!
//! When to end it and begin anew is decided in `imap/idle.rs`.

use super::Command;
use crate::Misuse;
use crate::imap::proto::Effect;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Reply};

pub(crate) struct WireIdle;

impl Command for WireIdle {
    type Output = ();

    fn name(&self) -> &'static str {
        "IDLE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("IDLE").hold().raw("DONE");
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect::Idle
    }

    fn finish(self, _: Reply) {}
}

/// A NOOP sent to hear what is new.
pub(crate) struct Poll;

impl Command for Poll {
    type Output = ();

    fn name(&self) -> &'static str {
        "NOOP"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("NOOP");
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect::Poll
    }

    fn finish(self, _: Reply) {}
}
