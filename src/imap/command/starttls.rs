//! STARTTLS, RFC 9051 section 6.2.1. Only on the way to a client; see `connect`.
//!
//! ```text
//! C: A2 STARTTLS
//! S: A2 OK Begin TLS negotiation now
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::Effect;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Reply};

pub(crate) struct StartTls;

impl Command for StartTls {
    type Output = ();

    fn name(&self) -> &'static str {
        "STARTTLS"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("STARTTLS");
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect::Layer
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn it_is_a_word_and_its_answer() {
        let script = "
            S: * OK hi
            C: A1 STARTTLS
            S: A1 OK Begin TLS negotiation now
        ";
        play(|| StartTls, script, |played| assert_eq!(played.output, Ok(())));
    }
}
