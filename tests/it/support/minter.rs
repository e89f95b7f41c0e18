//! A token provider that mints at the test bed and remembers what was asked of it.

use std::sync::{Arc, Mutex};

use mailbearer::token::{Purpose, Rejection, TokenError, TokenRequest};
use mailbearer::{AccessToken, Auth, BoxFuture, TokenProvider};

use super::servers::{Bed, Kind};

/// Gives a token of the first kind, then of the second and so on; the last kind again and again.
/// Each is a new token for the mailbox of the request.
pub(crate) struct Minter {
    bed: &'static Bed,
    kinds: Vec<Kind>,
    asked: Mutex<Vec<Purpose>>,
    rejected: Mutex<Vec<Rejection>>,
}

impl Minter {
    pub(crate) fn new(bed: &'static Bed, kinds: impl Into<Vec<Kind>>) -> Arc<Self> {
        let (asked, rejected) = Default::default();
        Arc::new(Self { bed, kinds: kinds.into(), asked, rejected })
    }

    /// How often a token was asked for, and what for.
    pub(crate) fn asked(&self) -> Vec<Purpose> {
        self.asked.lock().expect("no panic in between").clone()
    }

    /// The refusals that were reported.
    pub(crate) fn rejected(&self) -> Vec<Rejection> {
        self.rejected.lock().expect("no panic in between").clone()
    }
}

impl TokenProvider for Minter {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async {
            let mut asked = self.asked.lock().expect("no panic in between");
            let last = self.kinds.len() - 1;
            let kind = self.kinds[asked.len().min(last)];
            asked.push(request.purpose());
            Ok(AccessToken::new(self.bed.mint(request.mailbox(), kind)))
        })
    }

    fn rejected<'a>(&'a self, _: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        Box::pin(async { self.rejected.lock().expect("no panic in between").push(why) })
    }
}

/// Both token mechanisms, by name.
pub(crate) fn both_mechanisms(
    mailbox: &str,
    minter: impl Fn() -> Arc<Minter>,
) -> [(Arc<Minter>, Auth); 2] {
    let (one, other) = (minter(), minter());
    [
        (Arc::clone(&one), Auth::xoauth2(mailbox, one)),
        (Arc::clone(&other), Auth::oauthbearer(mailbox, other)),
    ]
}
