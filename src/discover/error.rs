//! What can go wrong.

use std::io;
use std::time::Duration;

use super::ResolvConfError;

/// Nothing could be found out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing was asked: the domain is none. Internationalised domains are asked for as A-labels.
    #[error("`{given}` is not a domain: labels of letters, digits and hyphens, with dots between")]
    NotADomain {
        /// What was given.
        given: String,
    },
    /// Nothing was asked: this system names no resolver.
    #[error(transparent)]
    NoResolver(#[from] ResolvConfError),
    /// None of the lookups was answered; this is the first of them.
    #[error("the servers of {domain} could not be looked up")]
    Lookup {
        /// The domain.
        domain: String,
        /// What happened.
        source: LookupError,
    },
}

/// One lookup that brought no answer. A name that does not exist is an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No resolver answered in time.
    #[error("no resolver answered within {0:?}")]
    TimedOut(Duration),
    /// No resolver could be reached.
    #[error("no resolver could be reached")]
    Io(#[from] io::Error),
    /// The resolver refused, or could not find out: SERVFAIL is 2, REFUSED is 5 (RFC 1035 section
    /// 4.1.1).
    #[error("the resolver answered with code {0}")]
    Refused(u16),
    /// The answer could not be read.
    #[error("the answer of the resolver could not be read")]
    Malformed,
    /// What a resolver of one's own says.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}
