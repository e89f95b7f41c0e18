//! What the grants have in common: who asks whom, with which credential, for which scope, and what
//! the answers mean.

pub(crate) mod certificate;
pub(crate) mod client;
pub(crate) mod consent;
pub(crate) mod credential;
pub(crate) mod event;
pub(crate) mod form;
pub(crate) mod hint;
pub(crate) mod http_date;
pub(crate) mod jwt;
#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
pub(crate) mod openssl;
pub(crate) mod refusal;
pub(crate) mod scope;
pub(crate) mod settings;
