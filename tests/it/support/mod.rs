//! What the tests stand on.

pub(crate) mod cut;
pub(crate) mod dial;
pub(crate) mod letter;
pub(crate) mod minter;
pub(crate) mod opened;
pub(crate) mod person;
pub(crate) mod servers;
pub(crate) mod tls;
