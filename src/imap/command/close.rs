//! CLOSE and UNSELECT, RFC 9051 sections 6.4.1 and 6.4.2 (RFC 3691).
//!
//! ```text
//! C: A7 CLOSE
//! S: A7 OK CLOSE completed
//! ```

use super::Command;
use crate::imap::proto::Effect;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, Reply};
use crate::{Misuse, Stage};

impl ImapClient {
    /// Leaves the selected mailbox and expunges what is marked `\Deleted` in it, without telling
    /// what. From a mailbox opened by [`examine`](Self::examine) nothing is expunged.
    ///
    /// # Errors
    /// [`Error::Refused`] if no mailbox is selected.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. A dropped one has most likely closed and expunged.
    pub async fn close(&mut self) -> Result<(), Error> {
        self.run(Leave("CLOSE")).await
    }

    /// Leaves the selected mailbox as it is; nothing is expunged.
    ///
    /// Where the server does not offer `UNSELECT`, the mailbox is opened once more by EXAMINE and
    /// left by CLOSE, which then expunges nothing; where none is selected, nothing is done.
    ///
    /// # Errors
    /// [`Error::Refused`] if no mailbox is selected, or the mailbox cannot be opened once more.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn unselect(&mut self) -> Result<(), Error> {
        const STAGE: Stage = Stage::Command("UNSELECT");
        let session = &mut self.mailbox.session;
        session.rest(STAGE).await?;
        if session.core().offer().has("UNSELECT") {
            return session.run(Leave("UNSELECT"), STAGE).await;
        }
        // What a dropped SELECT has selected is known afterwards.
        session.settle(STAGE).await?;
        let Some(selected) = session.core().selected() else { return Ok(()) };
        if !selected.examined {
            let name = selected.name.clone();
            self.examine(name).await?;
        }
        self.run(Leave("CLOSE")).await
    }
}

struct Leave(&'static str);

impl Command for Leave {
    type Output = ();

    fn name(&self) -> &'static str {
        self.0
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw(self.0);
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect::Unselect
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
            S: * PREAUTH hi
            C: A1 CLOSE
            S: A1 OK CLOSE completed
        ";
        play(|| Leave("CLOSE"), script, |played| assert_eq!(played.output, Ok(())));
    }
}
