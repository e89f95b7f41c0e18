//! Tokens with claims, as Microsoft Entra issues them.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{LIFETIME, date};

/// The tenant to which the mailboxes of a [`Server`](super::Server) belong, as it stands in `tid`.
pub(super) const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";

/// The application in tokens that name no other, as it stands in `appid`.
pub(super) const APPLICATION: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";

/// An access token that is a JWT with claims of one's choice, to be issued by
/// [`Server::issue_jwt`](super::Server::issue_jwt).
///
/// The claims are in the form of version 1.0, in which Exchange gets its tokens, unless
/// [`version`](Self::version) says otherwise. The signature is a dummy. The server judges the token
/// as Exchange does: by its audience, its time, its tenant and its permissions.
///
/// ```
/// use mailbearer::testing::{Jwt, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::start().await?;
/// server.add_mailbox("billing@contoso.example");
///
/// // A user's token, good for all three protocols.
/// let good = server.issue_jwt(Jwt::of_user("billing@contoso.example"));
/// // The classic mistake: a token for Microsoft Graph.
/// let graph = Jwt::of_user("billing@contoso.example").audience("https://graph.microsoft.com");
/// let refused = server.issue_jwt(graph.scopes(["Mail.Send"]));
/// // An application's, whose service principal Exchange knows and which may open the mailbox.
/// let object_id = "22223333-cccc-4444-dddd-5555eeee6666";
/// let application = server.issue_jwt(Jwt::of_application(object_id));
/// server.register_service_principal(Jwt::APPLICATION, object_id);
/// server.allow(object_id, "billing@contoso.example");
/// # drop((good, refused, application));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Jwt {
    pub(super) audience: String,
    pub(super) scopes: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) tenant: String,
    pub(super) application: String,
    pub(super) object: String,
    pub(super) user: Option<String>,
    lifetime: Duration,
    pub(super) expires_at: Option<i64>,
    pub(super) not_before: Option<i64>,
    issued_at: Option<i64>,
    version: &'static str,
    nonce: Option<String>,
    length: usize,
    /// Name, and value as JSON.
    more: Vec<(String, String)>,
}

impl Jwt {
    /// The application (`appid`) of tokens that name no other.
    pub const APPLICATION: &'static str = APPLICATION;

    /// The tenant (`tid`) of the server's mailboxes.
    pub const TENANT: &'static str = TENANT;

    /// A token of an application for a user who signed in, with the permissions for all three
    /// protocols and for High Volume Email.
    pub fn of_user(user: impl Into<String>) -> Self {
        let scopes = ["IMAP.AccessAsUser.All", "POP.AccessAsUser.All", "SMTP.Send", "Mail.Send"];
        Self {
            audience: "https://outlook.office.com".into(),
            scopes: scopes.map(Into::into).into(),
            roles: Vec::new(),
            tenant: TENANT.into(),
            application: APPLICATION.into(),
            object: "33334444-dddd-5555-eeee-6666ffff7777".into(),
            user: Some(user.into()),
            lifetime: LIFETIME,
            expires_at: None,
            not_before: None,
            issued_at: None,
            version: "1.0",
            nonce: None,
            length: 0,
            more: Vec::new(),
        }
    }

    /// A token of an application for itself, with the permissions for all three protocols and for
    /// High Volume Email. `object_id` is that of its service principal (`oid`).
    ///
    /// It opens a mailbox once that service principal is
    /// [registered](super::Server::register_service_principal) and
    /// [allowed](super::Server::allow).
    pub fn of_application(object_id: impl Into<String>) -> Self {
        let roles = ["IMAP.AccessAsApp", "POP.AccessAsApp", "SMTP.SendAsApp", "Mail.Send"];
        Self {
            audience: "https://outlook.office365.com".into(),
            scopes: Vec::new(),
            roles: roles.map(Into::into).into(),
            object: object_id.into(),
            user: None,
            ..Self::of_user("")
        }
    }

    /// Whom the token is for (`aud`).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// The delegated permissions (`scp`).
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The application permissions (`roles`).
    pub fn roles<S: Into<String>>(mut self, roles: impl IntoIterator<Item = S>) -> Self {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// The tenant (`tid`); [`TENANT`](Self::TENANT) unless said otherwise. Tokens of others are
    /// refused.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// The application (`appid`, in version 2.0 `azp`).
    pub fn application(mut self, application_id: impl Into<String>) -> Self {
        self.application = application_id.into();
        self
    }

    /// The object in the directory (`oid`): of the user, or of the service principal.
    pub fn object(mut self, object_id: impl Into<String>) -> Self {
        self.object = object_id.into();
        self
    }

    /// How long it lives, counted from its issue; an hour unless said otherwise.
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// When it ends (`exp`), in seconds since 1970, whatever [`lifetime`](Self::lifetime) says.
    pub const fn expires_at(mut self, seconds: i64) -> Self {
        self.expires_at = Some(seconds);
        self
    }

    /// When it begins (`nbf`), in seconds since 1970. A clock that is wrong makes such tokens.
    pub const fn not_before(mut self, seconds: i64) -> Self {
        self.not_before = Some(seconds);
        self
    }

    /// When it was issued (`iat`), in seconds since 1970; now unless said otherwise.
    pub const fn issued_at(mut self, seconds: i64) -> Self {
        self.issued_at = Some(seconds);
        self
    }

    /// The version (`ver`), `1.0` or `2.0`, which decides how some claims are called.
    pub const fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// A `nonce` in the header, as tokens for Microsoft Graph have it.
    pub fn header_nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// At least so many characters, filled up by a claim that means nothing.
    pub const fn length(mut self, characters: usize) -> Self {
        self.length = characters;
        self
    }

    /// One more claim, whose value is JSON: `"\"app\""`, `"1"`. It stands behind the others, also
    /// where there is one of that name already.
    pub fn claim(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.more.push((name.into(), json.into()));
        self
    }

    /// When it ends, in seconds since 1970.
    pub(super) fn expiry(&self) -> i64 {
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        self.expires_at.unwrap_or_else(|| date::now().saturating_add(lifetime))
    }

    /// The token; `number` makes it unlike any other.
    pub(super) fn encode(&self, number: u64) -> String {
        let header = match &self.nonce {
            None => r#"{"typ":"JWT","alg":"RS256","kid":"dummy"}"#.to_owned(),
            Some(nonce) => {
                format!(r#"{{"typ":"JWT","nonce":{},"alg":"RS256","kid":"dummy"}}"#, string(nonce))
            }
        };
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signature = URL_SAFE_NO_PAD.encode([0x5a; 256]);
        let build = |filling: usize| {
            let payload = self.payload(number, filling);
            format!("{}.{}.{signature}", part(&header), part(&payload))
        };
        let token = build(0);
        let lacking = self.length.saturating_sub(token.len());
        if lacking == 0 { token } else { build(lacking) }
    }

    fn payload(&self, number: u64, filling: usize) -> String {
        let now = date::now();
        let second = self.version.starts_with('2');
        let mut claims = Claims(String::from("{"));
        claims.text("aud", &self.audience);
        let issuer = if second {
            format!("https://login.microsoftonline.com/{}/v2.0", self.tenant)
        } else {
            format!("https://sts.windows.net/{}/", self.tenant)
        };
        claims.text("iss", &issuer);
        claims.json("iat", self.issued_at.unwrap_or(now));
        claims.json("nbf", self.not_before.unwrap_or(now));
        claims.json("exp", self.expiry());
        claims.text(if second { "azp" } else { "appid" }, &self.application);
        claims.text("oid", &self.object);
        if let Some(user) = &self.user {
            claims.text(if second { "preferred_username" } else { "upn" }, user);
            if !second {
                claims.text("unique_name", user);
            }
        }
        if self.user.is_none() {
            claims.text("idtyp", "app");
        }
        if !self.scopes.is_empty() {
            claims.text("scp", &self.scopes.join(" "));
        }
        if !self.roles.is_empty() {
            let roles: Vec<String> = self.roles.iter().map(|role| string(role)).collect();
            claims.json("roles", format_args!("[{}]", roles.join(",")));
        }
        claims.text("tid", &self.tenant);
        claims.text("uti", &format!("{number:016x}"));
        claims.text("ver", self.version);
        for (name, value) in &self.more {
            claims.json(name, value);
        }
        if filling > 0 {
            claims.text("xms_filling", &"x".repeat(filling));
        }
        claims.0.push('}');
        claims.0
    }
}

/// The claims so far, behind an opening brace.
struct Claims(String);

impl Claims {
    fn json(&mut self, name: &str, value: impl std::fmt::Display) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a string does not fail.
        let _ = write!(self.0, "{}:{value}", string(name));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.json(name, string(value));
    }
}

/// A string of JSON (RFC 8259 section 7).
fn string(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(jwt: &Jwt) -> String {
        let token = jwt.encode(1);
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3, "{token}");
        String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap()
    }

    #[test]
    fn claims_are_those_of_the_version() {
        let user = Jwt::of_user("a@b.example").expires_at(5).issued_at(3).not_before(4);
        assert_eq!(
            payload(&user.clone().scopes(["SMTP.Send"])),
            r#"{"aud":"https://outlook.office.com","iss":"https://sts.windows.net/aaaabbbb-0000-cccc-1111-dddd2222eeee/","iat":3,"nbf":4,"exp":5,"appid":"00001111-aaaa-2222-bbbb-3333cccc4444","oid":"33334444-dddd-5555-eeee-6666ffff7777","upn":"a@b.example","unique_name":"a@b.example","scp":"SMTP.Send","tid":"aaaabbbb-0000-cccc-1111-dddd2222eeee","uti":"0000000000000001","ver":"1.0"}"#
        );
        let second = payload(&user.version("2.0"));
        assert!(second.contains(r#""azp":"#) && second.contains(r#""preferred_username":"#));
        assert!(!second.contains("appid") && !second.contains("upn"), "{second}");
    }

    #[test]
    fn an_application_has_roles_and_no_user() {
        let claims = payload(&Jwt::of_application("o").roles(["IMAP.AccessAsApp"]));
        assert!(claims.contains(r#""roles":["IMAP.AccessAsApp"]"#), "{claims}");
        assert!(!claims.contains("upn") && !claims.contains("scp"), "{claims}");
        assert!(!payload(&Jwt::of_application("o").roles([""; 0])).contains("roles"));
    }

    #[test]
    fn what_a_claim_says_stays_inside_it() {
        let claims = payload(&Jwt::of_user("a\"\\\r\n@b").claim("x", "[1]"));
        assert!(claims.contains(r#""upn":"a\"\\\u000d\u000a@b""#), "{claims}");
        assert!(claims.ends_with(r#","x":[1]}"#), "{claims}");
    }

    #[test]
    fn a_token_can_be_made_as_long_as_wanted() {
        let short = Jwt::of_user("a@b.example");
        assert!(short.encode(1).len() < 2000);
        let long = short.length(4097).encode(1);
        assert!((4097..6000).contains(&long.len()), "{}", long.len());
        assert!(long.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet)));
    }
}
