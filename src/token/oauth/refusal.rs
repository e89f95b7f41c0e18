//! A server that refuses: its answer read, kept and understood.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::hint::hint;
use super::http_date::retry_after;
use crate::Retry;
use crate::secret::Scrubber;
use crate::token::http::HttpResponse;
use crate::token::{ErrorKind, SignInReason, TokenError};

/// A token endpoint refused to give a token (RFC 6749 section 5.2).
///
/// Found as the [`cause`](TokenError::cause) of a [`TokenError`]. The numbers and ids are those of
/// Microsoft Entra; they are empty elsewhere. Every text is the server's, on one line, at most
/// 2,000 characters long, and without the credentials of the request.
///
/// # Example
///
/// ```
/// use mailbearer::token::{TokenEndpointError, TokenError};
///
/// fn explain(error: &TokenError) -> String {
///     match error.cause().downcast_ref::<TokenEndpointError>() {
///         Some(refusal) => match refusal.hint() {
///             Some(hint) => hint.into(),
///             None => format!("ask for request {:?}", refusal.correlation_id()),
///         },
///         None => error.to_string(),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEndpointError {
    url: String,
    status: u16,
    /// Whether a user took part, so that signing in again can help.
    of_user: bool,
    error: Option<String>,
    suberror: Option<String>,
    description: Option<String>,
    codes: Vec<u32>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
    claims: Option<String>,
    retry_after: Option<Duration>,
}

impl TokenEndpointError {
    /// The URL of the endpoint, without a query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The `error` field, such as `invalid_client`. Program logic should go by this.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The `suberror` field, by which Microsoft Entra says more about an `invalid_grant` or
    /// `interaction_required`: `consent_required`, `bad_token`, `basic_action` and others.
    pub fn suberror(&self) -> Option<&str> {
        self.suberror.as_deref()
    }

    /// The `error_description` field; the start of the body if it was not JSON.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The numbers of the `AADSTS…` errors, from `error_codes` and from the description. Microsoft
    /// may change their meaning: take them as hints.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The `trace_id` field, which Microsoft's support asks for.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// The `correlation_id` field, under which the sign-in log of the tenant lists the request.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// The `claims` field: what a Conditional Access policy wants of the next sign-in, as JSON to
    /// be handed back in the `claims` parameter of the authorization request.
    pub fn claims(&self) -> Option<&str> {
        self.claims.as_deref()
    }

    /// How long the server asked to wait: `Retry-After`, in seconds or as a date.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What to do about it, in one sentence, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        hint(&self.codes, self.error())
    }

    /// Whether a user took part, so that signing in again can help.
    #[cfg(feature = "diagnosis")]
    pub(crate) const fn of_user(&self) -> bool {
        self.of_user
    }

    /// What kind of failure it is.
    ///
    /// Decided by `error` and `suberror` where they are clear, and by Microsoft's numbers where
    /// `error` only says `invalid_grant` or less.
    pub fn kind(&self) -> ErrorKind {
        self.passing()
            .or_else(|| self.about_a_code())
            .or_else(|| self.about_the_user())
            .unwrap_or_else(|| self.about_the_client())
    }

    /// What to do next: wait after a throttle or a fault of the server, have somebody sign in, ask
    /// the administrator where consent, a policy or a renewed secret is missing, otherwise change
    /// the request.
    pub fn retry(&self) -> Retry {
        // An expired or disabled credential, missing consent or permission.
        const ADMINISTRATOR: &[u32] =
            &[7_000_222, 7_000_112, 70001, 65001, 65005, 650_056, 650_057];
        match self.kind() {
            ErrorKind::Throttled { .. } | ErrorKind::ServerBusy => Retry::Later(self.retry_after),
            ErrorKind::SignInNeeded(_) | ErrorKind::Denied => Retry::Administrator,
            _ if self.has(ADMINISTRATOR) || self.says(&["unauthorized_client"]) => {
                Retry::Administrator
            }
            _ => Retry::Never,
        }
    }

    /// Temporary by the HTTP status (410 is that of a virtual machine's identity service while it
    /// is updated), by RFC 6749 section 4.1.2.1, or by Microsoft's own list.
    fn passing(&self) -> Option<ErrorKind> {
        const THROTTLED: &[u32] = &[90055, 50196];
        const BUSY: &[u32] = &[90006, 90024, 90033];
        if self.status == 429 || self.says(&["slow_down"]) || self.has(THROTTLED) {
            Some(ErrorKind::Throttled { retry_after: self.retry_after })
        } else if matches!(self.status, 408 | 410 | 500..)
            || self.says(&["temporarily_unavailable", "server_error"])
            || self.has(BUSY)
        {
            Some(ErrorKind::ServerBusy)
        } else {
            None
        }
    }

    /// Of the device and authorization code grants (RFC 8628 section 3.5), with Microsoft's words.
    fn about_a_code(&self) -> Option<ErrorKind> {
        if self.says(&["expired_token", "bad_verification_code", "code_expired"])
            || self.has(&[70018, 70019, 54005, 501_481, 700_005])
        {
            Some(ErrorKind::CodeExpired)
        } else if self.says(&["access_denied", "authorization_declined"]) || self.has(&[65004]) {
            Some(ErrorKind::Denied)
        } else {
            None
        }
    }

    fn about_the_user(&self) -> Option<ErrorKind> {
        // An unverified number alone does not make a refused client a matter of the user's.
        let asks = ["invalid_grant", "interaction_required", "consent_required", "login_required"];
        let anonymous = self.error.is_none() && !self.codes.is_empty();
        if !self.of_user || !(self.says(&asks) || anonymous || self.has(&[65001])) {
            return None;
        }
        use SignInReason as Reason;
        let by_number: &[(Reason, &[u32])] = &[
            (Reason::Consent, &[65001]),
            (Reason::Mfa, &[50072, 50074, 50076, 50079, 50158]),
            (Reason::Policy, &[53000, 53001, 53002, 53003, 530_032, 530_035, 50131, 53011]),
            (Reason::Expired, &[700_082, 70008, 70043, 700_084]),
            (Reason::Revoked, &[50173, 50132, 50133, 50089]),
            (Reason::Account, &[50034, 50020, 50059, 50126, 50055, 50057, 50053]),
        ];
        let by_name = match self.suberror().or_else(|| self.error()) {
            Some("consent_required") => Reason::Consent,
            Some("token_expired") => Reason::Expired,
            Some("bad_token") => Reason::Revoked,
            Some("user_password_expired") => Reason::Account,
            Some("protection_policy_required" | "device_authentication_failed") => Reason::Policy,
            _ => Reason::Unspecified,
        };
        let by_number = by_number.iter().find(|(_, numbers)| self.has(numbers));
        // A number that is about the client, such as 70002, says that no sign-in would help.
        if by_number.is_none() && self.has(CLIENT) {
            return None;
        }
        Some(ErrorKind::SignInNeeded(by_number.map_or(by_name, |(reason, _)| *reason)))
    }

    fn about_the_client(&self) -> ErrorKind {
        let refused_assertion = !self.of_user && self.says(&["invalid_grant"]);
        if self.says(&["invalid_client"]) || self.has(CLIENT) || refused_assertion {
            ErrorKind::ClientCredential
        } else if self.error.is_some() || !self.codes.is_empty() {
            ErrorKind::Configuration
        } else {
            ErrorKind::Protocol
        }
    }

    fn has(&self, list: &[u32]) -> bool {
        self.codes.iter().any(|code| list.contains(code))
    }

    fn says(&self, errors: &[&str]) -> bool {
        self.error().is_some_and(|error| errors.contains(&error))
    }

    /// A refusal that came by way of the browser (RFC 6749 section 4.1.2.1).
    pub(crate) fn of_redirect(url: String, error: &str, description: Option<&str>) -> Self {
        let description = description.map(one_line);
        Self {
            url: url.split('?').next().unwrap_or_default().to_owned(),
            status: 302,
            of_user: true,
            error: Some(one_line(error)),
            suberror: None,
            codes: description.iter().flat_map(|text| aadsts(text)).collect(),
            description,
            trace_id: None,
            correlation_id: None,
            claims: None,
            retry_after: None,
        }
    }

    /// Reads the answer. `scrubber` knows the credentials of the request.
    pub(crate) fn read(
        url: String,
        response: &HttpResponse,
        of_user: bool,
        scrubber: &Scrubber,
    ) -> Self {
        let body = response.body();
        let fields = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
        let text = |name: &str| {
            let text = fields.get(name)?.as_str()?;
            Some(one_line(&scrubber.clean_str(text.as_bytes())))
        };
        let error = text("error");
        // Azure App Service says `message`.
        let mut description = text("error_description").or_else(|| text("message"));
        // Neither that of a success, whatever its number, nor one with a token in it is shown.
        let success = (200..300).contains(&response.status())
            || SECRETS.iter().any(|name| fields.contains_key(*name));
        if error.is_none() && description.is_none() && !body.is_empty() && !success {
            description = Some(one_line(&scrubber.clean_str(body)));
        }
        let listed = fields.get("error_codes").and_then(Value::as_array);
        let mut codes: Vec<u32> = listed.into_iter().flatten().filter_map(number).collect();
        for code in description.iter().flat_map(|text| aadsts(text)) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        Self {
            url,
            status: response.status(),
            of_user,
            error,
            suberror: text("suberror").filter(|text| !text.is_empty()),
            description,
            codes,
            trace_id: text("trace_id"),
            correlation_id: text("correlation_id"),
            claims: text("claims"),
            retry_after: retry_after(response),
        }
    }
}

/// The fields of a success (RFC 6749 section 5.1, RFC 8628 section 3.2) that nobody may see.
const SECRETS: &[&str] = &["access_token", "refresh_token", "id_token", "device_code"];

/// The numbers that are about the client's own credential.
const CLIENT: &[u32] = &[7_000_215, 70002, 7_000_222, 7_000_218, 700_025, 700_027, 50012, 700_030];

impl fmt::Display for TokenEndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.url, self.status)?;
        if (300..400).contains(&self.status) && self.error.is_none() {
            f.write_str(", and redirects are not followed")?;
        }
        if let Some(error) = &self.error {
            write!(f, " {error}")?;
        }
        if let Some(description) = &self.description {
            write!(f, ": {description}")?;
        }
        if let Some(hint) = self.hint() {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for TokenEndpointError {}

impl From<TokenEndpointError> for TokenError {
    fn from(refusal: TokenEndpointError) -> Self {
        Self::new(refusal.retry(), refusal)
    }
}

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => u32::try_from(value.as_u64()?).ok(),
    }
}

/// The numbers after each `AADSTS` in a text.
fn aadsts(text: &str) -> impl Iterator<Item = u32> {
    text.split("AADSTS").skip(1).filter_map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..digits)?.parse().ok()
    })
}

/// Text of a server's, fit for a line of a log: no line ends or control characters, not endless.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 2_000;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> TokenEndpointError {
        let response = HttpResponse::new(status).with_body(body);
        TokenEndpointError::read("https://h/token".into(), &response, true, &Scrubber::default())
    }

    fn kind_of(body: &str) -> ErrorKind {
        read(400, body).kind()
    }

    #[test]
    fn a_user_who_must_sign_in_learns_why() {
        use SignInReason as Reason;
        for (reason, body) in [
            (
                Reason::Consent,
                r#"{"error":"invalid_grant","error_description":"AADSTS65001: x","suberror":"consent_required"}"#,
            ),
            (Reason::Consent, r#"{"error":"invalid_grant","suberror":"consent_required"}"#),
            (
                Reason::Mfa,
                r#"{"error":"interaction_required","error_codes":[50076],"suberror":"basic_action"}"#,
            ),
            (Reason::Mfa, r#"{"error":"invalid_grant","error_codes":[50079]}"#),
            (
                Reason::Policy,
                r#"{"error":"invalid_grant","error_codes":["53003"],"suberror":"message_only"}"#,
            ),
            (Reason::Expired, r#"{"error":"invalid_grant","error_codes":[700082]}"#),
            (
                Reason::Revoked,
                r#"{"error":"invalid_grant","error_codes":[50173],"suberror":"bad_token"}"#,
            ),
            (Reason::Account, r#"{"error":"invalid_grant","error_codes":[50126]}"#),
            (Reason::Account, r#"{"error":"invalid_grant","suberror":"user_password_expired"}"#),
            (
                Reason::Unspecified,
                r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
            ),
        ] {
            assert_eq!(kind_of(body), ErrorKind::SignInNeeded(reason), "{body}");
            assert_eq!(read(400, body).retry(), Retry::Administrator, "{body}");
        }
    }

    #[test]
    fn the_other_kinds_are_told_apart() {
        for (kind, body) in [
            (ErrorKind::ClientCredential, r#"{"error":"invalid_client","error_codes":[7000215]}"#),
            (ErrorKind::ClientCredential, r#"{"error":"invalid_grant","error_codes":[70002]}"#),
            (ErrorKind::Configuration, r#"{"error":"invalid_scope","error_codes":[70011]}"#),
            (ErrorKind::Configuration, r#"{"error":"unauthorized_client","error_codes":[700016]}"#),
            (ErrorKind::Configuration, r#"{"error":"invalid_request","error_codes":[90002]}"#),
            (ErrorKind::Denied, r#"{"error":"authorization_declined"}"#),
            (ErrorKind::Denied, r#"{"error":"access_denied"}"#),
            (ErrorKind::CodeExpired, r#"{"error":"expired_token"}"#),
            (ErrorKind::CodeExpired, r#"{"error":"invalid_grant","error_codes":[54005]}"#),
            (
                ErrorKind::Throttled { retry_after: None },
                r#"{"error":"invalid_grant","error_codes":[50196]}"#,
            ),
            (ErrorKind::ServerBusy, r#"{"error":"temporarily_unavailable"}"#),
            (ErrorKind::Protocol, "<html>not found</html>"),
        ] {
            assert_eq!(kind_of(body), kind, "{body}");
        }
    }

    #[test]
    fn an_application_cannot_be_asked_to_sign_in() {
        let body = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
        let response = HttpResponse::new(400).with_body(body);
        let url = String::from("https://h/token");
        let refusal = TokenEndpointError::read(url, &response, false, &Scrubber::default());
        assert_eq!(refusal.kind(), ErrorKind::ClientCredential);
    }

    #[test]
    fn the_claims_of_a_policy_are_kept() {
        let body = r#"{"error":"interaction_required","suberror":"basic_action",
            "claims":"{\"access_token\":{\"capolids\":{\"essential\":true}}}"}"#;
        let refusal = read(400, body);
        assert_eq!(refusal.suberror(), Some("basic_action"));
        assert!(refusal.claims().unwrap().starts_with(r#"{"access_token""#));
    }

    #[test]
    fn fields_of_odd_types_spoil_nothing() {
        let body =
            r#"{"error":"invalid_scope","error_codes":"x","suberror":"","trace_id":7,"new":{}}"#;
        let refusal = read(400, body);
        assert_eq!(refusal.error(), Some("invalid_scope"));
        assert_eq!((refusal.suberror(), refusal.trace_id()), (None, None));
        let object = read(403, r#"{"error":{"code":403,"message":"no"}}"#);
        assert_eq!(object.error(), None);
        assert!(object.description().unwrap().contains(r#""code":403"#));
    }

    #[test]
    fn no_body_of_a_success_is_shown() {
        for (status, body) in [
            (201, r#"{"access_token":"s3cret","token_type":"Bearer"}"#),
            (203, "access_token=s3cret&token_type=bearer"),
            (404, r#"{"device_code":"s3cret"}"#),
            (302, r#"{"refresh_token":"s3cret"}"#),
        ] {
            let refusal = read(status, body);
            assert!(!format!("{refusal} {refusal:?}").contains("s3cret"), "{refusal}");
            assert_eq!(refusal.kind(), ErrorKind::Protocol);
        }
    }

    #[test]
    fn a_hint_follows_the_servers_words() {
        let shown = read(401, r#"{"error":"invalid_client","error_codes":[7000222]}"#).to_string();
        assert!(shown.ends_with(
            "answered 401 invalid_client (hint: the client secret has expired: make a new one in \
             the app registration)"
        ));
    }
}
