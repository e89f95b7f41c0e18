//! The access token itself.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::secret::Secret;

/// An OAuth 2.0 access token (RFC 6749 section 1.4) and, if known, when it expires.
///
/// Cloning is cheap: clones share the value, which is wiped from memory with the last of them.
/// `Debug` shows the length and the lifetime left, never the value.
///
/// The value is not looked at here. Before it is sent anywhere it must be visible ASCII, which is a
/// little wider than what RFC 6750 section 2.1 allows; anything else, such as the line end of the
/// file it was read from, ends in a [`MalformedToken`] before a byte is written.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use mailbearer::AccessToken;
///
/// let token = AccessToken::new("EwBAAl3BAAUF").with_lifetime(Duration::from_secs(3599));
/// assert!(token.remaining() > Some(Duration::from_secs(3000)));
/// assert!(!format!("{token:?}").contains("EwB"));
/// ```
#[derive(Clone)]
pub struct AccessToken {
    value: Arc<Secret<String>>,
    expiry: Option<Expiry>,
    renew_at: Option<SystemTime>,
}

/// One moment on two clocks. The wall clock may be set; the monotonic one may stand still while
/// the machine sleeps. The earlier of the two counts.
#[derive(Clone, Copy)]
struct Expiry {
    wall: SystemTime,
    monotonic: Instant,
}

impl AccessToken {
    /// What is left of a token that can be handed out again, if the request does not ask for more.
    pub(super) const SHORTEST: Duration = Duration::from_nanos(1);

    /// A token whose expiry is not known: it is good until a server refuses it.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: Arc::new(Secret::new(value.into())), expiry: None, renew_at: None }
    }

    /// The same token, expiring this long from now: the `expires_in` of RFC 6749 section 5.1.
    ///
    /// A lifetime beyond what the system's clocks can hold counts as unknown.
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        let wall = SystemTime::now().checked_add(lifetime);
        let monotonic = Instant::now().checked_add(lifetime);
        self.expiry = wall.zip(monotonic).map(|(wall, monotonic)| Expiry { wall, monotonic });
        self
    }

    /// The same token, expiring at this time: the `exp` claim of a JWT, or a stored time.
    pub fn with_expiry(mut self, at: SystemTime) -> Self {
        let left = at.duration_since(SystemTime::now()).unwrap_or_default();
        self.expiry =
            Instant::now().checked_add(left).map(|monotonic| Expiry { wall: at, monotonic });
        self
    }

    /// The same token, to be renewed from this long from now on, though it is good for longer.
    ///
    /// Microsoft Entra says so in the field `refresh_in` where it gives tokens of a long life:
    /// <https://learn.microsoft.com/entra/msal/dotnet/how-to/high-availability>. [`Cached`] goes by
    /// it, and by the lifetime where there is no such hint. One beyond what the system's clock can
    /// hold counts as none.
    ///
    /// [`Cached`]: crate::token::Cached
    pub fn with_refresh_in(mut self, wait: Duration) -> Self {
        self.renew_at = SystemTime::now().checked_add(wait);
        self
    }

    /// How long until the token should be renewed, zero if it should be by now; `None` if nothing
    /// was said about that.
    pub fn refresh_in(&self) -> Option<Duration> {
        let left = self.renew_at?.duration_since(SystemTime::now());
        Some(left.unwrap_or_default())
    }

    /// When the token expires by the wall clock, if that is known.
    pub fn expiry(&self) -> Option<SystemTime> {
        self.expiry.map(|expiry| expiry.wall)
    }

    /// How long the token still lives, zero if it has expired; `None` if that is not known.
    ///
    /// The wall clock and the monotonic clock are both asked and the lesser answer is given, so a
    /// clock set back does not revive a token.
    pub fn remaining(&self) -> Option<Duration> {
        let expiry = self.expiry?;
        let wall = expiry.wall.duration_since(SystemTime::now()).unwrap_or_default();
        Some(wall.min(expiry.monotonic.saturating_duration_since(Instant::now())))
    }

    /// Whether both are the same token, whatever is known of their expiry.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value) || *self.value == *other.value
    }

    /// The length of the value in octets. Long ones (over 4,096) are refused by some servers.
    pub fn len(&self) -> usize {
        self.value.expose().len()
    }

    /// Whether the value is empty, which no server accepts.
    pub fn is_empty(&self) -> bool {
        self.value.expose().is_empty()
    }

    /// The secret value. Whoever holds it can open the mailbox: do not log or store it in clear.
    pub fn expose(&self) -> &str {
        self.value.expose()
    }

    /// When to renew it, by the wall clock.
    #[cfg(feature = "oauth")]
    pub(super) const fn renew_at(&self) -> Option<SystemTime> {
        self.renew_at
    }

    /// The same token, to be renewed from this time on.
    #[cfg(feature = "oauth")]
    pub(super) const fn with_renew_at(mut self, at: SystemTime) -> Self {
        self.renew_at = Some(at);
        self
    }

    /// Whether the value can be sent: one or more octets of visible ASCII, 0x21 to 0x7E.
    ///
    /// RFC 6750 section 2.1 is narrower, but servers issue what they like; what matters is that no
    /// 0x01, which separates the fields of an XOAUTH2 or OAUTHBEARER response, and no line end can
    /// be smuggled in.
    pub(crate) fn check(&self) -> Result<(), MalformedToken> {
        let value = self.expose();
        if value.is_empty() {
            return Err(MalformedToken::Empty);
        }
        if value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
            return Err(MalformedToken::Scheme);
        }
        let Some(position) = value.bytes().position(|octet| !octet.is_ascii_graphic()) else {
            return Ok(());
        };
        if value.trim_end().len() == position {
            return Err(MalformedToken::TrailingSpace);
        }
        let octet = value.as_bytes().get(position).copied().unwrap_or_default();
        Err(MalformedToken::Octet { octet, position, length: value.len() })
    }
}

impl From<String> for AccessToken {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for AccessToken {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("len", &self.len())
            .field("remaining", &self.remaining())
            .finish()
    }
}

/// Why an access token cannot be sent to any server. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedToken {
    /// There is no token in it.
    #[error("the access token is empty")]
    Empty,
    /// It begins with `Bearer `, which is the scheme and not part of the token.
    #[error("the access token begins with the word Bearer: give the token alone")]
    Scheme,
    /// It ends in white space or a line end.
    #[error("the access token ends in white space or a line end: trim it where it was read")]
    TrailingSpace,
    /// It contains a control character, a space, or something that is not ASCII.
    #[error(
        "octet {position} (from 0) of the {length} of the access token is 0x{octet:02X}, \
         but tokens are made of visible ASCII"
    )]
    Octet {
        /// The offending octet.
        octet: u8,
        /// Its offset from the start of the token.
        position: usize,
        /// The length of the token.
        length: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn debug_shows_length_and_lifetime_but_not_the_value() {
        let shown =
            format!("{:?}", AccessToken::new("EwBAAl3BAAUF").with_expiry(SystemTime::now()));
        assert_eq!(shown, "AccessToken { len: 12, remaining: Some(0ns) }");
    }

    #[test]
    fn the_earlier_of_the_two_clocks_counts() {
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        let token = AccessToken::new("t");
        let set_back = AccessToken {
            expiry: Some(Expiry { wall: wall + 9 * HOUR, monotonic: monotonic + HOUR }),
            ..token.clone()
        };
        let slept = AccessToken {
            expiry: Some(Expiry { wall: wall + HOUR, monotonic: monotonic + 9 * HOUR }),
            ..token
        };
        assert!(set_back.remaining().is_some_and(|left| left <= HOUR));
        assert!(slept.remaining().is_some_and(|left| left <= HOUR));
    }

    #[test]
    fn a_lifetime_beyond_the_clocks_counts_as_unknown() {
        assert_eq!(AccessToken::new("t").with_lifetime(Duration::MAX).remaining(), None);
    }

    #[test]
    fn a_time_in_the_past_leaves_nothing() {
        let token = AccessToken::new("t").with_expiry(SystemTime::UNIX_EPOCH);
        assert_eq!(token.remaining(), Some(Duration::ZERO));
        assert_eq!(token.expiry(), Some(SystemTime::UNIX_EPOCH));
    }

    #[test]
    fn a_hint_to_renew_runs_down_to_zero() {
        let token = AccessToken::new("t");
        assert_eq!(token.refresh_in(), None);
        assert!(token.clone().with_refresh_in(HOUR).refresh_in() > Some(HOUR / 2));
        assert_eq!(
            token.clone().with_refresh_in(Duration::ZERO).refresh_in(),
            Some(Duration::ZERO)
        );
        assert_eq!(token.with_refresh_in(Duration::MAX).refresh_in(), None);
    }

    #[test]
    fn tokens_are_the_same_by_value_not_by_expiry() {
        let token = AccessToken::new("one");
        assert!(token.same(&token.clone().with_lifetime(HOUR)));
        assert!(token.same(&AccessToken::new("one")));
        assert!(!token.same(&AccessToken::new("two")));
    }

    #[test]
    fn every_octet_of_visible_ascii_may_be_sent() {
        let all: String = (0x21..=0x7E_u8).map(char::from).collect();
        assert_eq!(AccessToken::new(all).check(), Ok(()));
    }

    #[test]
    fn every_octet_outside_visible_ascii_is_refused_with_its_place() {
        for octet in (0..=0x20_u8).chain([0x7F]) {
            let token = AccessToken::new(format!("ab{}cd", char::from(octet)));
            assert_eq!(
                token.check(),
                Err(MalformedToken::Octet { octet, position: 2, length: 5 }),
                "{octet:02X}"
            );
        }
        assert!(matches!(
            AccessToken::new("abé").check(),
            Err(MalformedToken::Octet { octet: 0xC3, position: 2, .. })
        ));
    }

    #[test]
    fn common_mistakes_are_named() {
        assert_eq!(AccessToken::new("").check(), Err(MalformedToken::Empty));
        assert_eq!(AccessToken::new("Bearer EwB").check(), Err(MalformedToken::Scheme));
        assert_eq!(AccessToken::new("EwB\r\n").check(), Err(MalformedToken::TrailingSpace));
        assert_eq!(AccessToken::new(" ").check(), Err(MalformedToken::TrailingSpace));
        assert!(matches!(
            AccessToken::new("EwB\r\nA1 LOGOUT\r\n").check(),
            Err(MalformedToken::Octet { octet: b'\r', position: 3, .. })
        ));
    }
}
