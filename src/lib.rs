//! An async SMTP, IMAP and POP3 client for mailboxes opened with OAuth 2.0 tokens.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod auth;
mod connector;
pub mod danger;
mod endpoint;
mod failure;
mod fault;
mod limits;
mod machine;
mod misuse;
pub mod net;
#[cfg(feature = "pop")]
pub mod pop;
pub mod provider;
mod sasl;
mod secret;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod token;
mod wire;

/// Whom to trust.
pub mod tls {
    pub use crate::net::tls::Config;
}

pub use auth::{Auth, AuthCause, AuthError};
pub use connector::{Client, Connector};
pub use endpoint::{Endpoint, Profile, Protocol, Security};
pub use failure::{Failure, Retry, Stage};
pub use fault::Fault;
pub use limits::{Limits, Timeouts};
pub use misuse::Misuse;
#[cfg(feature = "pop")]
pub use pop::PopClient;
pub use sasl::{Challenge, Input, InputError};
pub use token::{AccessToken, TokenProvider};

/// A boxed future, as the object-safe traits of this crate return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
