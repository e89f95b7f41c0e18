//! What tests of the public interface share: connections without sockets, a certificate, tokens.

pub mod dial;
pub mod tls;
