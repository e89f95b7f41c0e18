//! Everything that touches the network: the only user of tokio but for the thin clients above.

mod deadline;
#[cfg(feature = "compress")]
pub(crate) mod deflate;
pub(crate) mod dial;
pub(crate) mod driver;
pub(crate) mod error;
#[cfg(feature = "proxy")]
#[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
pub mod proxy;
pub(crate) mod tls;
pub(crate) mod trace;

pub use dial::{Connection, Dial, Stream, Tcp};
pub use error::Error;
