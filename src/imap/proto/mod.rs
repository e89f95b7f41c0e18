//! The protocol without IO: frames to responses, commands to octets.

pub(crate) mod code;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod response;
