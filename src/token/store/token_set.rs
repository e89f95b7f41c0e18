//! What one sign-in gave: the refresh token and the access tokens that came of it.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroize;

use super::StoreError;
use crate::secret::Secret;
use crate::token::AccessToken;

/// The tokens of one sign-in: a refresh token, and the last access token for each scope.
///
/// Everything in it is wiped from memory when it is dropped, and `Debug` shows none of it.
///
/// # Example
///
/// ```
/// use mailbearer::AccessToken;
/// use mailbearer::token::store::TokenSet;
///
/// let tokens = TokenSet::default()
///     .with_refresh_token("M.C507_BAY.0.U.-Cq1")
///     .with_access_token("IMAP.AccessAsUser.All", AccessToken::new("EwBAAl3BAAUF"));
/// let read = TokenSet::from_json(&tokens.to_json())?;
/// assert_eq!(read.refresh_token(), Some("M.C507_BAY.0.U.-Cq1"));
/// # Ok::<(), mailbearer::token::store::StoreError>(())
/// ```
#[derive(Clone, Default)]
pub struct TokenSet {
    refresh_token: Option<Secret<String>>,
    access_tokens: Vec<(String, AccessToken)>,
}

impl TokenSet {
    /// The same set with this refresh token.
    pub fn with_refresh_token(mut self, token: impl Into<String>) -> Self {
        self.refresh_token = Some(Secret::new(token.into()));
        self
    }

    /// The same set with this access token in place of any other for the same scope. Access tokens
    /// that have expired are left out.
    pub fn with_access_token(mut self, scope: impl Into<String>, token: AccessToken) -> Self {
        let scope = scope.into();
        self.access_tokens.retain(|(other, held)| {
            *other != scope && held.remaining().is_none_or(|left| !left.is_zero())
        });
        self.access_tokens.push((scope, token));
        self
    }

    /// The refresh token, if there is one. A set without one is what remains of a sign-in that is
    /// over. Whoever holds it can open the mailbox: do not log it or store it in clear.
    pub fn refresh_token(&self) -> Option<&str> {
        self.refresh_token.as_ref().map(|token| token.expose().as_str())
    }

    /// The last access token for exactly this scope, expired or not.
    pub fn access_token(&self, scope: &str) -> Option<&AccessToken> {
        self.access_tokens().find(|(held, _)| *held == scope).map(|(_, token)| token)
    }

    /// All access tokens with their scopes, expired or not.
    pub fn access_tokens(&self) -> impl Iterator<Item = (&str, &AccessToken)> {
        self.access_tokens.iter().map(|(scope, token)| (scope.as_str(), token))
    }

    /// The set as JSON, **with the secrets in clear**: for a store of one's own, which encrypts it
    /// or is itself kept secret. Later releases read what this one writes.
    pub fn to_json(&self) -> String {
        String::from_utf8(self.sized_json(&Written::of(self), 0)).unwrap_or_default()
    }

    /// `content`, which is this set and at most `more` octets, as JSON.
    pub(super) fn sized_json(&self, content: &impl Serialize, more: usize) -> Vec<u8> {
        // Sized so that writing does not move it and leave copies of the secrets behind. Characters
        // that JSON escapes with two octets are the worst that a token has.
        const FRAME: usize = 112;
        let scoped = self.access_tokens().map(|(scope, token)| scope.len() + token.len() + FRAME);
        let secrets = self.refresh_token().map_or(0, str::len) + scoped.sum::<usize>();
        let mut json = Vec::with_capacity(2 * (secrets + more) + FRAME);
        // Text and numbers written to memory: nothing in it can fail.
        if serde_json::to_writer(&mut json, content).is_err() {
            json.zeroize();
        }
        json
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotTokens`], if it is something else, or was written by a later release in a
    /// form that this one does not know.
    pub fn from_json(json: &str) -> Result<Self, StoreError> {
        let written: Written =
            serde_json::from_str(json).map_err(|error| StoreError::not_tokens(&error))?;
        Self::try_from(written)
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("refresh_token", &self.refresh_token)
            .field("access_tokens", &self.access_tokens)
            .finish()
    }
}

/// The set as it is written. Fields are only ever added; a change of meaning is another form.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    form: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Hidden>,
    #[serde(default)]
    access_tokens: Vec<WrittenToken>,
}

#[derive(Serialize, Deserialize)]
struct WrittenToken {
    scope: String,
    value: Hidden,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renew_at: Option<u64>,
}

impl Written {
    pub(super) const FORM: u32 = 1;

    pub(super) fn of(tokens: &TokenSet) -> Self {
        let access_tokens = tokens.access_tokens().map(|(scope, token)| WrittenToken {
            scope: scope.to_owned(),
            value: Hidden(Secret::new(token.expose().to_owned())),
            expires_at: token.expiry().and_then(milliseconds),
            renew_at: token.renew_at().and_then(milliseconds),
        });
        Self {
            form: Self::FORM,
            refresh_token: tokens.refresh_token.clone().map(Hidden),
            access_tokens: access_tokens.collect(),
        }
    }
}

impl TryFrom<Written> for TokenSet {
    type Error = StoreError;

    fn try_from(written: Written) -> Result<Self, StoreError> {
        if written.form != Written::FORM {
            return Err(StoreError::other_form(written.form));
        }
        let access_tokens = written.access_tokens.into_iter().map(|token| {
            let mut held = AccessToken::new(token.value.0.expose().clone());
            if let Some(at) = token.expires_at {
                held = held.with_expiry(time(at));
            }
            if let Some(at) = token.renew_at {
                held = held.with_renew_at(time(at));
            }
            (token.scope, held)
        });
        Ok(Self {
            access_tokens: access_tokens.collect(),
            refresh_token: written.refresh_token.map(|Hidden(token)| token),
        })
    }
}

/// A secret on its way through serde.
struct Hidden(Secret<String>);

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|value| Self(Secret::new(value)))
    }
}

/// None for a time before 1970 or too far off: the token is then one of unknown expiry.
fn milliseconds(at: SystemTime) -> Option<u64> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// What the clock cannot hold is as good as never, which is what its last moment stands for.
fn time(milliseconds: u64) -> SystemTime {
    const FAR: Duration = Duration::from_secs(1 << 33);
    let since = Duration::from_millis(milliseconds).min(FAR);
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_set_comes_back_from_json_with_its_times() {
        let token = AccessToken::new("EwB\"\\").with_lifetime(HOUR).with_refresh_in(HOUR / 2);
        let tokens = TokenSet::default()
            .with_refresh_token("0.AXoA\u{e9}")
            .with_access_token("imap", token)
            .with_access_token("smtp", AccessToken::new("endless"));
        let json = tokens.to_json();
        let read = TokenSet::from_json(&json).unwrap();

        assert_eq!(read.refresh_token(), Some("0.AXoA\u{e9}"));
        let imap = read.access_token("imap").unwrap();
        assert_eq!(imap.expose(), "EwB\"\\");
        assert!(imap.remaining().unwrap() > HOUR * 9 / 10);
        assert!(imap.refresh_in().unwrap() <= HOUR / 2);
        assert_eq!(read.access_token("smtp").unwrap().remaining(), None);
        assert_eq!(read.to_json(), json);
    }

    #[test]
    fn writing_does_not_move_the_secrets() {
        let all: String = (0x20..=0x7E_u8).map(char::from).cycle().take(4096).collect();
        let tokens = TokenSet::default()
            .with_refresh_token(all.clone())
            .with_access_token(all.clone(), AccessToken::new(all).with_lifetime(HOUR));
        let json = tokens.sized_json(&Written::of(&tokens), 0);
        let room = json.capacity();
        assert_eq!(tokens.sized_json(&Written::of(&tokens), 0).capacity(), room);
        assert!(json.len() > 3 * 4096 && room < 2 * 3 * 4096 + 512, "{} {room}", json.len());
    }

    #[test]
    fn an_empty_set_is_a_set() {
        let read = TokenSet::from_json(&TokenSet::default().to_json()).unwrap();
        assert_eq!(read.refresh_token(), None);
        assert_eq!(read.access_tokens().count(), 0);
    }

    #[test]
    fn a_new_access_token_replaces_that_of_its_scope_and_those_that_have_expired() {
        let tokens = TokenSet::default()
            .with_access_token("imap", AccessToken::new("old"))
            .with_access_token("pop", AccessToken::new("over").with_lifetime(Duration::ZERO))
            .with_access_token("imap", AccessToken::new("new"));
        let held: Vec<_> = tokens.access_tokens().map(|(scope, t)| (scope, t.expose())).collect();
        assert_eq!(held, [("imap", "new")]);
    }

    #[test]
    fn what_is_not_a_set_is_refused_without_being_quoted() {
        for json in ["", "{", "null", "[]", "{}", r#"{"form":"s3cret-token"}"#, r#""s3cret-token""#]
        {
            let error = TokenSet::from_json(json).unwrap_err();
            assert!(matches!(error, StoreError::NotTokens { .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn another_form_is_named() {
        let error = TokenSet::from_json(r#"{"form":2}"#).unwrap_err().to_string();
        assert!(error.contains("form 2"), "{error}");
    }

    #[test]
    fn unknown_fields_of_a_later_release_are_passed_over() {
        let json = r#"{"form":1,"refresh_token":"r","account":"a","access_tokens":[]}"#;
        assert_eq!(TokenSet::from_json(json).unwrap().refresh_token(), Some("r"));
    }

    #[test]
    fn times_beyond_the_clock_do_no_harm() {
        let json = format!(
            r#"{{"form":1,"access_tokens":[{{"scope":"s","value":"v","expires_at":{max},"renew_at":{max}}}]}}"#,
            max = u64::MAX
        );
        let read = TokenSet::from_json(&json).unwrap();
        assert!(read.access_token("s").unwrap().remaining() > Some(HOUR));
    }

    #[test]
    fn debug_shows_no_secret() {
        let tokens = TokenSet::default()
            .with_refresh_token("s3cret-refresh")
            .with_access_token("imap", AccessToken::new("s3cret-access"));
        let shown = format!("{tokens:?}");
        assert!(!shown.contains("s3cret") && shown.contains("imap"), "{shown}");
    }
}
