//! The grants: the ways in which an authorization server is asked for tokens, one in each file.

pub(crate) mod authorization_code;
pub(crate) mod client_credentials;
pub(crate) mod device_code;
mod loopback;
pub(crate) mod managed_identity;
pub(crate) mod on_behalf_of;
pub(crate) mod password;
pub(crate) mod refresh_token;
#[cfg(test)]
pub(crate) mod script;
pub(crate) mod service_account;
pub(crate) mod signed_in;
