//! What tests of the public interface share: connections without sockets, a certificate, tokens.

pub(crate) mod dial;
pub(crate) mod tls;
