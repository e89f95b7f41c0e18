//! CAPA, RFC 2449 section 5.
//!
//! ```text
//! C: CAPA
//! S: +OK
//! S: TOP
//! S: SASL PLAIN XOAUTH2
//! S: .
//! ```

use super::Command;
use crate::pop::proto::{Response, Shape};
use crate::pop::{Capabilities, Error, PopClient};

impl PopClient {
    /// Asks again what the server offers; it may differ after the login (Gmail adds PIPELINING).
    ///
    /// # Errors
    /// [`Error::Refused`] by a server that does not know CAPA.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn capa(&mut self) -> Result<Capabilities, Error> {
        let capabilities = self.run(Capa).await?;
        self.set_capabilities(capabilities.clone());
        Ok(capabilities)
    }
}

pub(crate) struct Capa;

impl Command for Capa {
    const NAME: &'static str = "CAPA";

    type Output = Capabilities;

    fn encode(&self) -> Vec<u8> {
        b"CAPA".to_vec()
    }

    fn shape(&self) -> Shape {
        Shape::Capabilities
    }

    fn finish(self, response: Response) -> Result<Capabilities, String> {
        Ok(Capabilities::parse(&response.text))
    }
}
