//! UTF8, RFC 6856 section 2.
//!
//! ```text
//! C: UTF8
//! S: +OK
//! ```

use super::Command;
use crate::pop::proto::Response;
use crate::pop::{Error, PopClient};

impl PopClient {
    /// Asks the server to give messages with UTF-8 in their headers as they are.
    ///
    /// RFC 6856 has this command before the login, and connecting sends it there to a server that
    /// offers it: otherwise the server must replace such messages by something in ASCII, or refuse
    /// them with [`ResponseCode::Utf8`](crate::pop::ResponseCode::Utf8). This is for servers that
    /// offer it only behind the login.
    ///
    /// # Errors
    /// [`Error::Refused`] by a server that does not know it, or not at this time.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn utf8(&mut self) -> Result<(), Error> {
        self.run(Utf8).await
    }
}

pub(crate) struct Utf8;

impl Command for Utf8 {
    const NAME: &'static str = "UTF8";

    type Output = ();

    fn encode(&self) -> Vec<u8> {
        b"UTF8".to_vec()
    }

    fn finish(self, _: Response) -> Result<(), String> {
        Ok(())
    }
}
