//! Which requests share a token.

use std::sync::Arc;

use crate::Protocol;
use crate::token::TokenRequest;

pub(super) type KeyOf = dyn Fn(&TokenRequest) -> Key + Send + Sync;

/// Requests with the same key share a token. It is made for every request, so it shares what the
/// request holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Key {
    pub(super) service: Option<(Protocol, Arc<str>)>,
    pub(super) mailbox: Option<Arc<str>>,
    pub(super) name: String,
}

impl Key {
    pub(super) fn of_service(request: &TokenRequest) -> Self {
        let service = (request.protocol(), request.endpoint().shared_host());
        Self { service: Some(service), ..Self::default() }
    }
}
