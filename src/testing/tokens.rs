//! The tokens that were issued, whom they belong to, and which mailboxes they open.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::date;
use super::jwt::{Jwt, TENANT};
use crate::endpoint::Protocol;

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
    /// Its claims are wrong: the audience, the tenant, its beginning.
    WrongClaims,
    /// It lacks the permission for the protocol.
    NoPermission,
    /// Of an application whose service principal is not registered under that object id.
    NotRegistered,
}

/// Where a token is presented.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion {
    pub(super) protocol: Protocol,
    /// At High Volume Email, which wants `Mail.Send`.
    pub(super) high_volume: bool,
    /// Whether the service looks at claims; Google's tokens have none.
    pub(super) reads_claims: bool,
}

struct Issued {
    owner: String,
    /// `None` if it outlives the clock.
    expires: Option<Instant>,
    rejected: bool,
    claims: Option<Jwt>,
}

/// The authorization side of the server.
#[derive(Default)]
pub(super) struct Tokens {
    issued: HashMap<String, Issued>,
    rights: BTreeSet<(String, String)>,
    /// Application and object id, in lower case.
    principals: BTreeSet<(String, String)>,
}

impl Tokens {
    /// A new opaque token of `length` characters for `owner`.
    pub(super) fn issue(&mut self, owner: &str, lifetime: Duration, length: usize) -> String {
        let value = opaque(ISSUED.fetch_add(1, Ordering::Relaxed), length);
        let issued = Issued {
            owner: owner.to_lowercase(),
            expires: Instant::now().checked_add(lifetime),
            rejected: false,
            claims: None,
        };
        self.issued.insert(value.clone(), issued);
        value
    }

    /// A new token with claims. Its owner is the user, or the service principal.
    pub(super) fn issue_jwt(&mut self, jwt: Jwt) -> String {
        let value = jwt.encode(ISSUED.fetch_add(1, Ordering::Relaxed));
        let remaining = u64::try_from(jwt.expiry().saturating_sub(date::now())).unwrap_or(0);
        let issued = Issued {
            owner: jwt.user.as_ref().unwrap_or(&jwt.object).to_lowercase(),
            expires: Instant::now().checked_add(Duration::from_secs(remaining)),
            rejected: false,
            claims: Some(jwt),
        };
        self.issued.insert(value.clone(), issued);
        value
    }

    pub(super) fn register(&mut self, application_id: &str, object_id: &str) {
        self.principals.insert((application_id.to_lowercase(), object_id.to_lowercase()));
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

    /// Whether any mailbox was opened to `user`.
    fn has_rights(&self, user: &str) -> bool {
        self.rights.iter().any(|(whose, _)| whose == user)
    }

    /// What the claims of a token are worth, beside its time.
    pub(super) fn claims(&self, token: &str, occasion: Occasion) -> Option<Standing> {
        let issued = self.issued.get(token)?;
        let jwt = issued.claims.as_ref().filter(|_| occasion.reads_claims)?;
        let begins_later = jwt.not_before.is_some_and(|begin| begin > date::now());
        if !known_audience(&jwt.audience)
            || !jwt.tenant.eq_ignore_ascii_case(TENANT)
            || begins_later
        {
            return Some(Standing::WrongClaims);
        }
        let application = jwt.user.is_none();
        let names = if application { &jwt.roles } else { &jwt.scopes };
        let permitted = names.iter().any(|name| name == permission(occasion, application));
        // RBAC for Applications lets an application send without any permission in its token.
        let by_rights = application && !occasion.high_volume && occasion.protocol == Protocol::Smtp;
        if !(permitted || by_rights && self.has_rights(&issued.owner)) {
            return Some(Standing::NoPermission);
        }
        let principal = (jwt.application.to_lowercase(), jwt.object.to_lowercase());
        (application && !self.principals.contains(&principal)).then_some(Standing::NotRegistered)
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

/// Exchange under the names it has in tokens.
fn known_audience(audience: &str) -> bool {
    const NAMES: [&str; 4] = [
        "https://outlook.office.com",
        "https://outlook.office365.com",
        "https://ps.outlook.com",
        "00000002-0000-0ff1-ce00-000000000000",
    ];
    let audience = audience.strip_suffix('/').unwrap_or(audience);
    NAMES.iter().any(|name| audience.eq_ignore_ascii_case(name))
}

const fn permission(occasion: Occasion, application: bool) -> &'static str {
    match (occasion.protocol, application) {
        (Protocol::Smtp, _) if occasion.high_volume => "Mail.Send",
        (Protocol::Smtp, true) => "SMTP.SendAsApp",
        (Protocol::Smtp, false) => "SMTP.Send",
        (Protocol::Imap, true) => "IMAP.AccessAsApp",
        (Protocol::Imap, false) => "IMAP.AccessAsUser.All",
        (Protocol::Pop, true) => "POP.AccessAsApp",
        (Protocol::Pop, false) => "POP.AccessAsUser.All",
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
