//! What the tests stand on: real servers, connections without sockets, tokens, letters.

pub(crate) mod cut;
pub(crate) mod dial;
#[cfg(feature = "oauth")]
pub(crate) mod entra;
pub(crate) mod errand;
pub(crate) mod fragile;
pub(crate) mod letter;
pub(crate) mod minter;
#[cfg(feature = "oauth")]
pub(crate) mod oidc;
pub(crate) mod opened;
pub(crate) mod person;
#[cfg(feature = "proxy")]
pub(crate) mod proxies;
pub(crate) mod relay;
pub(crate) mod servers;
pub(crate) mod tls;
