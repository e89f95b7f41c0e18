//! The grants, and what is checked of each. A number is that of a refusal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::http::{Request, Response, decoded, value};
use super::refusal::named;
use super::{
    Code, Device, EXPIRED_SECRET, Entra, FEDERATED, PASSWORD, PRESENTED, PUBLIC, Poll, SECRET,
    SERVICE, State,
};

const HTML: &str = "<html><h1>Our services aren't available right now</h1></html>";

impl State {
    /// The token endpoint, of which an assertion names the URL.
    pub(super) fn token(&mut self, request: &Request, url: &str) -> Result<Response, u32> {
        self.identify(request, url)?;
        let field = |name| request.field(name).ok_or(900_144_u32);
        let offered = request.field("scope").unwrap_or_default();
        match field("grant_type")? {
            "client_credentials" => {
                confidential(request)?;
                let scope = application_scope(offered)?;
                // A token of a day, to be renewed after half of it; without a refresh token.
                Ok(self.access(&scope, json!({"expires_in": 86399, "refresh_in": 43199})))
            }
            "authorization_code" => {
                let code = self.codes.get_mut(field("code")?).ok_or(70008_u32)?;
                if std::mem::replace(&mut code.used, true) {
                    return Err(54005);
                }
                let proof = Sha256::digest(field("code_verifier")?);
                if URL_SAFE_NO_PAD.encode(proof) != code.challenge {
                    return Err(501_481);
                }
                if field("redirect_uri")? != code.redirect_uri {
                    return Err(900_144);
                }
                let scope = code.scope.clone();
                Ok(self.session(&scope))
            }
            "urn:ietf:params:oauth:grant-type:device_code" => {
                let device = self.devices.get_mut(field("device_code")?).ok_or(70018_u32)?;
                match device.polls.pop_front() {
                    None => {
                        let scope = device.scope.clone();
                        // A code is good for one sign-in.
                        self.devices.remove(field("device_code")?);
                        Ok(self.session(&scope))
                    }
                    Some(Poll::Pending) => Err(70016),
                    Some(Poll::SlowDown) => Ok(named("slow_down")),
                    Some(Poll::Declined) => Ok(named("authorization_declined")),
                    Some(Poll::Expired) => Err(70019),
                    Some(Poll::Busy) => Ok(Response::new(
                        "503 Service Unavailable",
                        &[("Content-Type", "text/html"), ("Retry-After", "20")],
                        HTML,
                    )),
                }
            }
            "password" => {
                let scope = delegated_scope(offered)?;
                check_password(field("username")?, field("password")?)?;
                Ok(self.session(&scope))
            }
            "refresh_token" => {
                let wanted = delegated_scope(offered)?;
                let consented = self.refresh.get(field("refresh_token")?).ok_or(50173_u32)?.clone();
                let consents = |one: &str| {
                    one.ends_with("/.default") || consented.split(' ').any(|other| other == one)
                };
                if !wanted.split(' ').all(consents) {
                    return Err(65001);
                }
                // It rotates.
                self.refresh.remove(field("refresh_token")?);
                Ok(self.renewed(&wanted, &consented))
            }
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                confidential(request)?;
                if field("requested_token_use")? != "on_behalf_of" {
                    return Err(900_144);
                }
                if field("assertion")? != PRESENTED {
                    return Err(50013);
                }
                let scope = delegated_scope(offered)?;
                Ok(self.session(&scope))
            }
            _ => Err(70003),
        }
    }

    /// The older token endpoint: a resource and no scope, and numbers as text.
    pub(super) fn version_1(&mut self, request: &Request) -> Result<Response, u32> {
        self.identify(request, "")?;
        let field = |name| request.field(name).ok_or(900_144_u32);
        let resource = field("resource")?.to_owned();
        if request.field("scope").is_some() || resource.ends_with("/.default") {
            return Err(900_144);
        }
        match field("grant_type")? {
            "password" => check_password(field("username")?, field("password")?)?,
            "refresh_token" => {
                self.refresh.remove(field("refresh_token")?).ok_or(50173_u32)?;
            }
            _ => return Err(70003),
        }
        let refresh_token = self.refresh_token(&resource);
        let more = json!({
            "expires_in": "3599", "expires_on": "4102444800", "refresh_token": refresh_token,
        });
        Ok(self.access(&resource, more))
    }

    pub(super) fn device(&mut self, request: &Request) -> Result<Response, u32> {
        if ![SERVICE, PUBLIC].contains(&request.field("client_id").unwrap_or_default()) {
            return Err(700_016);
        }
        let scope = delegated_scope(request.field("scope").ok_or(900_144_u32)?)?;
        let code = format!("GAQABAAEAAAD-device-code-{}", self.devices.len());
        self.devices.insert(code.clone(), Device { scope, polls: Default::default() });
        let body = json!({
            "user_code": "A1B2C3D4E", "device_code": code,
            "verification_uri": "https://login.microsoft.com/device", "expires_in": 900, "interval": 5,
            "message": "To sign in, use a web browser to open the page\r\nand enter A1B2C3D4E.",
        });
        Ok(Response::json("200 OK", &body))
    }

    /// Who asks, and the proof of it.
    fn identify(&mut self, request: &Request, url: &str) -> Result<(), u32> {
        let (secret, assertion) =
            (request.field("client_secret"), request.field("client_assertion"));
        match request.field("client_id") {
            Some(SERVICE) => match (secret, assertion) {
                (Some(SECRET), None) => Ok(()),
                (Some(EXPIRED_SECRET), None) => Err(7_000_222),
                (Some(_), None) => Err(7_000_215),
                (None, Some(assertion)) => {
                    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                    if request.field("client_assertion_type") != Some(kind) {
                        return Err(7_000_218);
                    }
                    if assertion == FEDERATED {
                        return Ok(());
                    }
                    self.check_assertion(assertion, url)
                }
                _ => Err(7_000_218),
            },
            Some(PUBLIC) if secret.is_some() || assertion.is_some() => Err(700_025),
            Some(PUBLIC) => Ok(()),
            _ => Err(700_016),
        }
    }

    /// Tokens of a user who signed in, in the shape of the documents.
    fn session(&mut self, consented: &str) -> Response {
        self.renewed(consented, consented)
    }

    fn renewed(&mut self, scope: &str, consented: &str) -> Response {
        let refresh_token = self.refresh_token(consented);
        self.access(scope, json!({"expires_in": 3599, "refresh_token": refresh_token}))
    }

    fn refresh_token(&mut self, consented: &str) -> String {
        self.issued += 1;
        let token = format!("0.AXoA-refresh-token-{}", self.issued);
        self.refresh.insert(token.clone(), consented.to_owned());
        token
    }

    fn access(&mut self, scope: &str, more: serde_json::Value) -> Response {
        self.issued += 1;
        let token = format!("eyJ.access-token-{}", self.issued);
        self.access.insert(token.clone(), scope.to_owned());
        let mut body = json!({
            "token_type": "Bearer", "scope": scope, "access_token": token,
            "ext_expires_in": more["expires_in"], "id_token": "eyJ.an-id", "client_info": "eyJ1aWQ",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        Response::json("200 OK", &body)
    }
}

fn confidential(request: &Request) -> Result<(), u32> {
    if request.field("client_id") == Some(SERVICE) { Ok(()) } else { Err(7_000_218) }
}

fn check_password(user: &str, password: &str) -> Result<(), u32> {
    match user {
        "anna@contoso.example" if password == PASSWORD => Ok(()),
        "anna@contoso.example" => Err(50126),
        "second-factor@contoso.example" => Err(50076),
        "old-password@contoso.example" => Err(50055),
        "disabled@contoso.example" => Err(50057),
        "locked@contoso.example" => Err(50053),
        _ => Err(50034),
    }
}

const RESOURCES: [&str; 2] = ["https://outlook.office.com", "https://outlook.office365.com"];

fn application_scope(offered: &str) -> Result<String, u32> {
    match offered.split(' ').collect::<Vec<_>>()[..] {
        [one] => {
            let resource = one.strip_suffix("/.default").ok_or(1_002_012_u32)?;
            if RESOURCES.contains(&resource) { Ok(one.to_owned()) } else { Err(500_011) }
        }
        _ => Err(1_002_012),
    }
}

/// The permissions, which must be of one resource.
fn delegated_scope(offered: &str) -> Result<String, u32> {
    let of_protocol = ["offline_access", "openid", "profile", "email"];
    let wanted: Vec<_> = offered.split(' ').filter(|one| !of_protocol.contains(one)).collect();
    let mut resources = Vec::new();
    for one in &wanted {
        let (resource, permission) = one.rsplit_once('/').ok_or(700_023_u32)?;
        let known = ["IMAP.AccessAsUser.All", "POP.AccessAsUser.All", "SMTP.Send", ".default"];
        if !RESOURCES.contains(&resource) {
            return Err(500_011);
        }
        if !known.contains(&permission) {
            return Err(70011);
        }
        resources.push(resource);
    }
    resources.dedup();
    match resources.len() {
        0 => Err(700_023),
        1 => Ok(wanted.join(" ")),
        _ => Err(700_022),
    }
}

impl Entra {
    /// What the authorization endpoint does with a user who signs in: the URL to which their browser
    /// goes back.
    pub(crate) fn sign_in(&self, url: &str) -> String {
        let (endpoint, query) = url.split_once('?').expect("a query");
        assert_eq!(endpoint, self.url("authorize"));
        let query = decoded(query);
        let field = |name| value(&query, name).unwrap_or_else(|| panic!("no {name}"));
        assert!([SERVICE, PUBLIC].contains(&field("client_id")));
        assert_eq!((field("response_type"), field("code_challenge_method")), ("code", "S256"));
        let (redirect_uri, state) = (field("redirect_uri"), field("state"));
        let native = redirect_uri.starts_with("http://localhost:");
        assert!(native || redirect_uri == "https://app.example/callback", "{redirect_uri}");
        let scope = match delegated_scope(field("scope")) {
            Ok(scope) => scope,
            Err(number) => {
                let text = format!("AADSTS{number}%3a+Something+is+wrong.%0d%0aTrace+ID");
                let error = format!("error=invalid_scope&error_description={text}");
                return format!("{redirect_uri}/?{error}&state={state}");
            }
        };
        let mut known = self.state();
        let code = format!("0.AXoA-code-{}", known.codes.len());
        let redirect_uri = redirect_uri.to_owned();
        let challenge = field("code_challenge").to_owned();
        let back = format!("{redirect_uri}/?code={code}&state={state}&session_state=x");
        known.codes.insert(code, Code { redirect_uri, challenge, scope, used: false });
        back
    }
}
