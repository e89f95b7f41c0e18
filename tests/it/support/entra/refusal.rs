//! Entra's refusals, each with the name and the status that it comes with.

use serde_json::{Value, json};

use super::http::Response;

/// One of Entra's errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) number: u32,
    pub(crate) error: &'static str,
    suberror: Option<&'static str>,
    status: &'static str,
}

const fn with(number: u32, error: &'static str) -> Refusal {
    Refusal { number, error, suberror: None, status: "400 Bad Request" }
}

const fn unauthorized(number: u32) -> Refusal {
    Refusal { number, error: "invalid_client", suberror: None, status: "401 Unauthorized" }
}

const fn grant(number: u32, suberror: &'static str) -> Refusal {
    let status = "400 Bad Request";
    Refusal { number, error: "invalid_grant", suberror: Some(suberror), status }
}

const fn interaction(number: u32, suberror: &'static str) -> Refusal {
    let status = "400 Bad Request";
    Refusal { number, error: "interaction_required", suberror: Some(suberror), status }
}

const fn busy(number: u32) -> Refusal {
    let status = "503 Service Unavailable";
    Refusal { number, error: "temporarily_unavailable", suberror: None, status }
}

/// Those that a program can meet at the token endpoint.
pub(crate) const REFUSALS: &[Refusal] = &[
    grant(65001, "consent_required"),
    with(65004, "access_denied"),
    with(65005, "invalid_resource"),
    with(650_056, "unauthorized_client"),
    with(650_057, "invalid_resource"),
    with(70011, "invalid_scope"),
    with(28002, "invalid_scope"),
    with(1_002_012, "invalid_scope"),
    with(700_022, "invalid_scope"),
    with(700_023, "invalid_scope"),
    with(700_016, "unauthorized_client"),
    with(700_011, "unauthorized_client"),
    unauthorized(7_000_215),
    unauthorized(70002),
    unauthorized(7_000_222),
    unauthorized(7_000_218),
    unauthorized(700_025),
    unauthorized(700_027),
    unauthorized(50012),
    unauthorized(700_030),
    with(7_000_112, "unauthorized_client"),
    with(70001, "unauthorized_client"),
    with(50034, "invalid_grant"),
    with(50020, "invalid_grant"),
    with(50059, "invalid_request"),
    with(50126, "invalid_grant"),
    grant(50055, "user_password_expired"),
    with(50057, "invalid_grant"),
    with(50053, "invalid_grant"),
    interaction(50076, "basic_action"),
    interaction(50074, "basic_action"),
    interaction(50079, "basic_action"),
    interaction(50072, "basic_action"),
    interaction(50158, "additional_action"),
    grant(53000, "device_authentication_failed"),
    grant(53001, "device_authentication_failed"),
    grant(53002, "message_only"),
    grant(53003, "message_only"),
    grant(530_032, "message_only"),
    grant(530_035, "message_only"),
    grant(50131, "message_only"),
    grant(53011, "message_only"),
    with(500_011, "invalid_resource"),
    with(50001, "invalid_resource"),
    with(90002, "invalid_request"),
    with(90019, "invalid_request"),
    with(90038, "invalid_request"),
    with(900_382, "invalid_request"),
    with(9_001_023, "invalid_request"),
    with(50194, "invalid_request"),
    with(90130, "invalid_request"),
    with(90124, "invalid_request"),
    with(9_002_332, "invalid_request"),
    with(500_208, "invalid_request"),
    grant(700_082, "token_expired"),
    grant(70008, "token_expired"),
    grant(70043, "token_expired"),
    grant(50173, "bad_token"),
    grant(50132, "bad_token"),
    grant(50133, "bad_token"),
    grant(50089, "bad_token"),
    with(54005, "invalid_grant"),
    with(501_481, "invalid_grant"),
    with(700_005, "invalid_grant"),
    busy(90055),
    with(50196, "invalid_grant"),
    busy(90024),
    busy(90033),
    busy(90006),
    with(1_002_016, "invalid_request"),
    with(70018, "bad_verification_code"),
    with(70019, "expired_token"),
];

/// Those that only the checks of this server lead to.
const OTHERS: &[Refusal] = &[
    with(70016, "authorization_pending"),
    with(50013, "invalid_grant"),
    with(70003, "unsupported_grant_type"),
    with(900_144, "invalid_request"),
    unauthorized(50027),
    unauthorized(700_021),
    unauthorized(700_024),
];

impl Refusal {
    pub(crate) fn by_number(number: u32) -> &'static Self {
        let mut all = REFUSALS.iter().chain(OTHERS);
        all.find(|refusal| refusal.number == number).expect("a number of Entra's")
    }

    /// With all that Entra says, as it says it.
    pub(super) fn response(&self) -> Response {
        let Self { number, error, suberror, status } = *self;
        let mut body = described(error, &format!("AADSTS{number}: Something is wrong."));
        body["error_codes"] = json!([number]);
        body["error_uri"] = json!(format!("https://login.example/error?code={number}"));
        if let Some(suberror) = suberror {
            body["suberror"] = json!(suberror);
        }
        if error == "interaction_required" {
            body["claims"] = json!(r#"{"access_token":{"capolids":{"essential":true}}}"#);
        }
        Response::json(status, &body)
    }
}

/// A refusal without a number.
pub(super) fn named(error: &str) -> Response {
    Response::json("400 Bad Request", &described(error, "Something is wrong."))
}

fn described(error: &str, text: &str) -> Value {
    let ids = "\r\nTrace ID: 0f1e2d3c-trace\r\nCorrelation ID: 4b5a6978-correlation\r\n\
               Timestamp: 2026-11-21 10:00:00Z";
    json!({
        "error": error,
        "error_description": format!("{text}{ids}"),
        "timestamp": "2026-11-21 10:00:00Z",
        "trace_id": "0f1e2d3c-trace",
        "correlation_id": "4b5a6978-correlation",
    })
}
