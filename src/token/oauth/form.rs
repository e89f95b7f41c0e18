//! The body of a token request: `application/x-www-form-urlencoded` (RFC 6749 appendix B).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oauth2::url::form_urlencoded;

use crate::secret::{Scrubber, Secret};
use crate::token::http::HttpRequest;

/// A form that remembers which of its values must not be shown.
pub(crate) struct Form {
    /// The grant's name in events.
    pub(crate) grant: &'static str,
    of_user: bool,
    body: Secret<String>,
    authorization: Option<Secret<String>>,
    scrubber: Scrubber,
}

impl Form {
    /// A request by which a user's sign-in is turned into tokens. `grant` is its name in events.
    pub(crate) fn new(grant: &'static str, grant_type: &str) -> Self {
        Self::without_grant_type(grant).field("grant_type", grant_type)
    }

    /// A request of an application for itself: no user takes part, none can sign in again.
    pub(crate) fn of_application(grant: &'static str, grant_type: &str) -> Self {
        Self { of_user: false, ..Self::new(grant, grant_type) }
    }

    /// A request to another endpoint than that for tokens.
    pub(crate) fn without_grant_type(grant: &'static str) -> Self {
        Self {
            grant,
            of_user: true,
            // Room for all that is usual, so that growing leaves no copies of secrets behind.
            body: Secret::new(String::with_capacity(8 * 1024)),
            authorization: None,
            scrubber: Scrubber::default(),
        }
    }

    /// Adds a value that may be shown.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.append(name, value);
        self
    }

    /// Adds a value that may be shown, unless it is empty.
    pub(crate) fn field_unless_empty(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.field(name, value) }
    }

    /// Adds a value that nobody may see again, also when the server echoes it.
    pub(crate) fn secret(mut self, name: &str, value: &str) -> Self {
        self.learn(value);
        self.append(name, value);
        self
    }

    /// Authenticates by HTTP Basic, with both halves encoded as RFC 6749 section 2.3.1 has it.
    pub(crate) fn basic(mut self, client_id: &str, client_secret: &str) -> Self {
        self.learn(client_secret);
        let pair = Secret::new(format!("{}:{}", encoded(client_id), encoded(client_secret)));
        let token = STANDARD.encode(pair.expose());
        self.scrubber.learn(token.as_bytes());
        self.authorization = Some(Secret::new(format!("Basic {token}")));
        self
    }

    /// The request, and what knows its secrets.
    pub(crate) fn into_request(self, url: &str) -> Outgoing {
        let mut request = HttpRequest::new("POST", url)
            .with_header("accept", "application/json")
            .with_header("content-type", "application/x-www-form-urlencoded");
        if let Some(authorization) = &self.authorization {
            request = request.with_header("authorization", authorization.expose());
        }
        Outgoing {
            grant: self.grant,
            of_user: self.of_user,
            request: request.with_body(self.body.expose().as_bytes()),
            scrubber: self.scrubber,
        }
    }

    fn append(&mut self, name: &str, value: &str) {
        let body = self.body.expose_mut();
        if !body.is_empty() {
            body.push('&');
        }
        body.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        body.push('=');
        body.extend(form_urlencoded::byte_serialize(value.as_bytes()));
    }

    /// In the forms that a server could echo.
    fn learn(&mut self, value: &str) {
        self.scrubber.learn(value.as_bytes());
        let encoded = Secret::new(encoded(value));
        if encoded.expose() != value {
            self.scrubber.learn(encoded.expose().as_bytes());
        }
    }
}

fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// A request ready to be sent.
pub(crate) struct Outgoing {
    /// The grant's name in events.
    pub(crate) grant: &'static str,
    /// Whether a user takes part.
    pub(crate) of_user: bool,
    pub(crate) request: HttpRequest,
    /// Knows the credentials in the request.
    pub(crate) scrubber: Scrubber,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_as_the_appendix_shows() {
        // RFC 6749 appendix B: U+0020 U+0025 U+0026 U+002B U+00A3 U+20AC
        let form = Form::new("test", "x").field("value", " %&+£€").field_unless_empty("none", "");
        let outgoing = form.into_request("https://h/token");
        assert_eq!(outgoing.request.body(), b"grant_type=x&value=+%25%26%2B%C2%A3%E2%82%AC");
        assert_eq!(outgoing.request.headers().count(), 2);
    }

    #[test]
    fn basic_encodes_each_half_before_the_base64() {
        let outgoing = Form::new("test", "x")
            .basic("app 1", "8Q~wJ x+&=secret-value")
            .into_request("https://h/token");
        let authorization = outgoing.request.headers().find(|(name, _)| *name == "authorization");
        let (_, value) = authorization.unwrap();
        assert_eq!(value, "Basic YXBwKzE6OFElN0V3Sit4JTJCJTI2JTNEc2VjcmV0LXZhbHVl");
        let echo = "8Q~wJ x+&=secret-value 8Q%7EwJ+x%2B%26%3Dsecret-value YXBwKzE6OFElN0V3Sit4";
        assert_eq!(outgoing.scrubber.clean_str(echo.as_bytes()), "[secret] [secret] [secret]");
    }
}
