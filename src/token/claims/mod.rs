//! What an access token says of itself.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::AccessToken;

/// What an access token says of itself, **unverified**: the claims of a JWT (RFC 7519) by which a
/// mailbox server decides, for people who want to know why one was refused.
///
/// Nobody checked the signature, and only the server that the token is for may rely on what it
/// says. Microsoft asks clients not to depend on it: nothing in this crate is decided by claims but
/// the words of a [`Diagnosis`](crate::Diagnosis). Neither the token nor its signature is kept, and
/// no claim beyond those below. Values that no genuine token has (control characters, invisible
/// ones, more than 512 octets) count as absent. A cheap clone.
///
/// # Example
/// ```
/// use mailbearer::{AccessToken, token::Claims};
///
/// fn explain(token: &AccessToken) -> String {
///     match Claims::read(token) {
///         Some(claims) => format!("a token for {:?}", claims.audience()),
///         // Those of Outlook.com and Google are opaque.
///         None => "no claims to read".into(),
///     }
/// }
/// assert_eq!(explain(&"EwBAAl3BAAUF".into()), "no claims to read");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Claims(Arc<Read>);

#[derive(Clone, Default, PartialEq, Eq)]
struct Read {
    audiences: Vec<String>,
    issuer: Option<String>,
    tenant: Option<String>,
    app_id: Option<String>,
    object_id: Option<String>,
    user: Option<String>,
    scopes: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    subject_kind: Option<String>,
    expires_at: Option<SystemTime>,
    not_before: Option<SystemTime>,
    issued_at: Option<SystemTime>,
    graph_nonce: bool,
    octets: usize,
}

/// No server takes a token as long as this.
const LONGEST_TOKEN: usize = 256 * 1024;
/// Longer than an address (RFC 5321 section 4.5.3.1.3), a GUID or a URL of an issuer.
const LONGEST_VALUE: usize = 512;
/// An application has tens of roles.
const MOST_VALUES: usize = 256;

/// Base64 for URLs, without padding (RFC 7515 section 2); with it, too, since some issuers add it.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Claims {
    /// Reads the claims of a token. `None` if it is opaque, as those of Outlook.com and Google are,
    /// encrypted, malformed in any way, or longer than 256 KiB.
    pub fn read(token: &AccessToken) -> Option<Self> {
        let token = token.expose();
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        // RFC 7515 section 7.1; an encrypted token has five parts.
        let mut parts = token.split('.');
        let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (header, claims) = (object(header)?, object(payload)?);
        let text = |name: &str| text(claims.get(name)?);
        let first = |names: &[&str]| names.iter().find_map(|name| text(name));
        let time = |name: &str| time(claims.get(name)?);
        Some(Self(Arc::new(Read {
            audiences: claims.get("aud").map(texts).unwrap_or_default(),
            issuer: text("iss"),
            tenant: text("tid"),
            // Version 1.0 and 2.0 of Entra's tokens.
            app_id: first(&["appid", "azp"]),
            object_id: text("oid"),
            user: first(&["upn", "preferred_username", "unique_name"]),
            scopes: claims.get("scp").map(words),
            roles: claims.get("roles").map(texts),
            subject_kind: text("idtyp"),
            expires_at: time("exp"),
            not_before: time("nbf"),
            issued_at: time("iat"),
            graph_nonce: header.contains_key("nonce"),
            octets: token.len(),
        })))
    }

    /// `aud`: the resource the token is for, a URL or an id. The first, if there are several.
    pub fn audience(&self) -> Option<&str> {
        self.0.audiences.first().map(String::as_str)
    }

    /// All of `aud`.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.0.audiences.iter().map(String::as_str)
    }

    /// `iss`: who issued it.
    pub fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// `tid`: the tenant that issued it.
    pub fn tenant(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// `appid`, or `azp`: the application (client) id.
    pub fn app_id(&self) -> Option<&str> {
        self.0.app_id.as_deref()
    }

    /// `oid`: the object id of the user; in an application's own token that of its service principal,
    /// the one that Exchange must know it by.
    pub fn object_id(&self) -> Option<&str> {
        self.0.object_id.as_deref()
    }

    /// `upn`, `preferred_username` or `unique_name`: the user who signed in.
    pub fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// `scp`: what the application may do for its user. `None` if the claim is absent.
    pub fn scopes(&self) -> Option<&[String]> {
        self.0.scopes.as_deref()
    }

    /// `roles`: what the application may do by itself. `None` if the claim is absent.
    pub fn roles(&self) -> Option<&[String]> {
        self.0.roles.as_deref()
    }

    /// Whether the token is the application's own, without a user: by `idtyp` where it is there, else
    /// for want of scopes and a user.
    pub fn app_only(&self) -> bool {
        match self.0.subject_kind.as_deref() {
            Some(kind) => kind.eq_ignore_ascii_case("app"),
            None => self.0.scopes.is_none() && self.0.user.is_none(),
        }
    }

    /// `exp`: when it ends.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }

    /// `nbf`: when it begins to be good.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.0.not_before
    }

    /// `iat`: when it was issued.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.0.issued_at
    }

    /// Whether the header has a `nonce`, as tokens for Microsoft Graph do and those for Exchange do
    /// not.
    pub fn has_graph_nonce(&self) -> bool {
        self.0.graph_nonce
    }

    /// The length of the whole token in octets.
    pub fn token_octets(&self) -> usize {
        self.0.octets
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = &self.0;
        f.debug_struct("Claims")
            .field("audiences", &read.audiences)
            .field("issuer", &read.issuer)
            .field("tenant", &read.tenant)
            .field("app_id", &read.app_id)
            .field("object_id", &read.object_id)
            .field("user", &read.user)
            .field("scopes", &read.scopes)
            .field("roles", &read.roles)
            .field("app_only", &self.app_only())
            .field("expires_at", &read.expires_at)
            .field("not_before", &read.not_before)
            .field("issued_at", &read.issued_at)
            .field("graph_nonce", &read.graph_nonce)
            .field("token_octets", &read.octets)
            .finish()
    }
}

/// One part of a token.
fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()
}

fn text(value: &Value) -> Option<String> {
    plain(value.as_str()?).map(str::to_owned)
}

/// A string, or an array of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().filter_map(text).take(MOST_VALUES).collect(),
        value => text(value).into_iter().collect(),
    }
}

/// Strings between spaces (RFC 8693 section 4.2), or an array of them.
fn words(value: &Value) -> Vec<String> {
    match value.as_str() {
        Some(list) => {
            let words = list.split_ascii_whitespace().filter_map(plain);
            words.map(str::to_owned).take(MOST_VALUES).collect()
        }
        None => texts(value),
    }
}

/// What a genuine value may look like.
fn plain(value: &str) -> Option<&str> {
    let genuine = !value.is_empty()
        && value.len() <= LONGEST_VALUE
        && !value.chars().any(crate::fault::is_unseen);
    genuine.then_some(value)
}

/// Seconds since 1970 (RFC 7519 section 2); some issuers write them as a string.
fn time(value: &Value) -> Option<SystemTime> {
    let seconds = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds.floor()).ok()?)
}
