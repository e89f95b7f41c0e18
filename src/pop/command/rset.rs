//! RSET, RFC 1939 section 5.
//!
//! ```text
//! C: RSET
//! S: +OK maildrop has 2 messages (320 octets)
//! ```

use super::Command;
use crate::pop::proto::Response;
use crate::pop::{Error, PopClient};

impl PopClient {
    /// Takes all marks of [`dele`](Self::dele) back.
    ///
    /// # Errors
    /// [`Error::Closed`] or [`Error::Net`] if the connection is gone.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn rset(&mut self) -> Result<(), Error> {
        self.run(Rset).await?;
        self.set_marked(0);
        Ok(())
    }
}

struct Rset;

impl Command for Rset {
    const NAME: &'static str = "RSET";

    type Output = ();

    fn encode(&self) -> Vec<u8> {
        b"RSET".to_vec()
    }

    fn finish(self, _: Response) -> Result<(), String> {
        Ok(())
    }
}
