//! The identity services of Azure's machines: of a virtual machine and of App Service.

use serde_json::json;

use super::IDENTITY_HEADER;
use super::http::{Request, Response, value};

pub(super) fn answer(request: &Request) -> Response {
    let query = |name: &str| value(&request.query, name);
    let app_service = request.path == "/msi/token";
    if app_service {
        if request.header("x-identity-header") != Some(IDENTITY_HEADER) {
            let body = json!({"statusCode": 401, "message": "The header is missing or wrong."});
            return Response::json("401 Unauthorized", &body);
        }
    } else if request.path != "/metadata/identity/oauth2/token"
        || request.header("metadata") != Some("true")
        // The service refuses whatever a proxy has passed on.
        || request.header("x-forwarded-for").is_some()
    {
        let description = "Required metadata header not specified";
        return refused("invalid_request", description);
    }
    let version = if app_service { "2019-08-01" } else { "2018-02-01" };
    if request.method != "GET" || query("api-version") != Some(version) {
        return refused("invalid_request", "The api-version is invalid");
    }
    if query("client_id").is_some_and(|id| id != "user-assigned") {
        let description = "Identity not found";
        return refused("invalid_request", description);
    }
    // A resource, not a scope.
    let known = ["https://outlook.office365.com", "https://outlook.office.com"];
    let Some(resource) = query("resource").filter(|resource| known.contains(resource)) else {
        let description = "AADSTS500011: The resource principal named was not found in the tenant.";
        return refused("invalid_resource", description);
    };
    let whose = query("client_id").unwrap_or("system-assigned");
    let token = format!("eyJ.{whose}.{resource}");
    Response::json(
        "200 OK",
        &if app_service {
            json!({
                "access_token": token, "expires_on": "4102444800", "resource": resource,
                "token_type": "Bearer", "client_id": whose,
            })
        } else {
            json!({
                "access_token": token, "refresh_token": "", "expires_in": "3599",
                "expires_on": "4102444800", "not_before": "1506480273", "resource": resource,
                "token_type": "Bearer",
            })
        },
    )
}

fn refused(error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    Response::json("400 Bad Request", &body)
}
