//! What the tests stand on.

pub(crate) mod minter;
#[cfg(feature = "oauth")]
pub(crate) mod oidc;
pub(crate) mod opened;
pub(crate) mod person;
pub(crate) mod servers;
