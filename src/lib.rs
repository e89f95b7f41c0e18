//! An async SMTP, IMAP and POP3 client for mailboxes opened with OAuth 2.0 tokens.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod endpoint;
mod failure;
mod secret;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use endpoint::{Endpoint, Profile, Protocol, Security};
pub use failure::{Failure, Retry, Stage};

/// A boxed future, as the object-safe traits of this crate return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
