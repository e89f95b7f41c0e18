//! STLS, RFC 2595 section 4. Only on the way to a client; see `connect`.
//!
//! ```text
//! C: STLS
//! S: +OK Begin TLS negotiation now.
//! ```

use super::Command;
use crate::pop::proto::Response;

pub(crate) struct Stls;

impl Command for Stls {
    const NAME: &'static str = "STLS";

    type Output = ();

    fn encode(&self) -> Vec<u8> {
        b"STLS".to_vec()
    }

    fn finish(self, _: Response) -> Result<(), String> {
        Ok(())
    }
}
