//! The tokens that were issued, whom they belong to, and which mailboxes they open.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Counts the tokens of all servers in the process, so that no two are equal.
static ISSUED: AtomicU64 = AtomicU64::new(1);

/// What a server makes of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Good for so much longer.
    Valid { owner: String, remaining: Duration },
    /// Its time is over.
    Expired,
    /// Never issued here, or taken back.
    Refused,
}

struct Issued {
    owner: String,
    /// `None` if it outlives the clock.
    expires: Option<Instant>,
    rejected: bool,
}

/// The authorization side of the server.
#[derive(Default)]
pub(super) struct Tokens {
    issued: HashMap<String, Issued>,
    rights: BTreeSet<(String, String)>,
}

impl Tokens {
    /// A new opaque token of `length` characters for `owner`.
    pub(super) fn issue(&mut self, owner: &str, lifetime: Duration, length: usize) -> String {
        let value = opaque(ISSUED.fetch_add(1, Ordering::Relaxed), length);
        let issued = Issued {
            owner: owner.to_lowercase(),
            expires: Instant::now().checked_add(lifetime),
            rejected: false,
        };
        self.issued.insert(value.clone(), issued);
        value
    }

    pub(super) fn expire(&mut self, token: &str) {
        if let Some(issued) = self.issued.get_mut(token) {
            issued.expires = Some(Instant::now());
        }
    }

    pub(super) fn reject(&mut self, token: &str) {
        if let Some(issued) = self.issued.get_mut(token) {
            issued.rejected = true;
        }
    }

    pub(super) fn allow(&mut self, user: &str, mailbox: &str) {
        self.rights.insert((user.to_lowercase(), mailbox.to_lowercase()));
    }

    /// Whether `user` may open and send as `mailbox`.
    pub(super) fn may_open(&self, user: &str, mailbox: &str) -> bool {
        let (user, mailbox) = (user.to_lowercase(), mailbox.to_lowercase());
        user == mailbox || self.rights.contains(&(user, mailbox))
    }

    pub(super) fn standing(&self, token: &str) -> Standing {
        let Some(issued) = self.issued.get(token) else { return Standing::Refused };
        if issued.rejected {
            return Standing::Refused;
        }
        let remaining = issued.expires.map_or(Duration::MAX, |at| at - Instant::now());
        if remaining.is_zero() {
            return Standing::Expired;
        }
        Standing::Valid { owner: issued.owner.clone(), remaining }
    }

    /// When `token` expires, if it does.
    pub(super) fn expiry(&self, token: &str) -> Option<Instant> {
        self.issued.get(token).and_then(|issued| issued.expires)
    }
}

/// `EwB`, as the opaque tokens of Outlook.com begin, the number, and filling up to `length`.
fn opaque(number: u64, length: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut token = format!("EwB{number:08x}");
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while token.len() < length {
        // Marsaglia's xorshift: the letters must differ between tokens, not be hard to guess.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        token.push(char::from(LETTERS[(state >> 58) as usize]));
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_expires_by_the_tokio_clock() {
        let mut tokens = Tokens::default();
        let token = tokens.issue("A@b.example", Duration::from_secs(60), 40);
        assert!(
            matches!(tokens.standing(&token), Standing::Valid { owner, .. } if owner == "a@b.example")
        );
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(tokens.standing(&token), Standing::Expired);
    }

    #[test]
    fn tokens_differ_and_have_the_length_asked_for() {
        let mut tokens = Tokens::default();
        let first = tokens.issue("a@b.example", Duration::MAX, 1500);
        let second = tokens.issue("a@b.example", Duration::MAX, 1500);
        assert_ne!(first, second);
        assert_eq!((first.len(), second.len()), (1500, 1500));
    }

    #[test]
    fn a_rejected_token_is_as_one_never_issued() {
        let mut tokens = Tokens::default();
        let token = tokens.issue("a@b.example", Duration::MAX, 40);
        tokens.reject(&token);
        assert_eq!(tokens.standing(&token), Standing::Refused);
        assert_eq!(tokens.standing("guess"), Standing::Refused);
    }

    #[test]
    fn rights_are_given_one_way() {
        let mut tokens = Tokens::default();
        tokens.allow("User@contoso.example", "shared@contoso.example");
        assert!(tokens.may_open("user@contoso.example", "Shared@contoso.example"));
        assert!(!tokens.may_open("shared@contoso.example", "user@contoso.example"));
    }
}
