//! What weakens protection, under a name that shows in a review.

use crate::Security;

/// The permit for clear text to a loopback address. Cannot be made elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoopbackOnly {
    _private: (),
}

/// Speaks without TLS, for a server or a tunnel on this very machine.
///
/// The address is checked after dialling: if the peer is not a loopback address, connecting fails
/// with [`Misuse::ClearTextToRemote`](crate::Misuse::ClearTextToRemote) before an octet is written.
///
/// ```
/// use mailbearer::{Endpoint, Protocol, danger};
///
/// let local = Endpoint::new(Protocol::Pop, "127.0.0.1", 1110, danger::plaintext_on_loopback());
/// ```
pub const fn plaintext_on_loopback() -> Security {
    Security::ClearText(LoopbackOnly { _private: () })
}
