//! What to do about an error of Microsoft Entra's, by its number, and about the plain ones by name.
//!
//! Source: Microsoft Learn, "Microsoft Entra authentication and authorization error codes" (read
//! 2026-11). Microsoft may change what a number means: a hint is for people to read, and nothing is
//! decided by it.

/// The hint for the first number that has one, else for the `error` field.
pub(crate) fn hint(codes: &[u32], error: Option<&str>) -> Option<&'static str> {
    let by_number = codes.iter().find_map(|code| {
        BY_NUMBER.iter().find(|(numbers, _)| numbers.contains(code)).map(|(_, hint)| *hint)
    });
    by_number
        .or_else(|| BY_NAME.iter().find(|(name, _)| Some(*name) == error).map(|(_, hint)| *hint))
}

const BY_NUMBER: &[(&[u32], &str)] = &[
    (
        &[65001],
        "nobody has consented to these permissions: let the user sign in interactively, or \
                the administrator open the consent URL",
    ),
    (&[65004], "the user declined the consent: sign in again and accept"),
    (
        &[65005, 650_056, 650_057],
        "the permission is not listed, or not consented, in the app \
                registration: add it under API permissions and grant consent",
    ),
    (
        &[70011, 28002],
        "the scope is wrong: application permissions (`…AsApp`) cannot be asked for \
                as scopes, and delegated ones need the resource's URL in front",
    ),
    (&[1_002_012], "client credentials take one scope, the resource followed by `/.default`"),
    (&[700_022], "the scopes name several resources: ask for one resource in each request"),
    (&[700_023], "the scopes name no resource: put the resource's URL in front of the permission"),
    (
        &[700_016, 700_011],
        "the application is not in this tenant: check the tenant and client id, \
                the consent, and the cloud",
    ),
    (&[7_000_215, 70002], "the client secret is wrong: take its value, not its id"),
    (&[7_000_222], "the client secret has expired: make a new one in the app registration"),
    (
        &[7_000_218],
        "the server wants a secret or an assertion: give one, or turn on \"Allow public \
                client flows\" in the app registration",
    ),
    (&[700_025], "the app is registered as a public client: leave the secret out"),
    (
        &[700_027, 50012],
        "the assertion's certificate is not the registered one: upload this \
                certificate to the app registration, and check the machine's clock",
    ),
    (&[700_030], "the certificate's subject or issuer is not allowed: register this certificate"),
    (
        &[7_000_112, 70001],
        "the application is disabled or unknown in the tenant: ask its \
                administrator",
    ),
    (&[50034], "the user does not exist in this tenant: check the name and the tenant"),
    (&[50020], "the user belongs to another tenant or identity provider: sign in at that one"),
    (&[50059], "the tenant cannot be told: name it by its id or domain"),
    (&[50126], "the user name or password is wrong"),
    (&[50055], "the password has expired: the user must change it"),
    (&[50057], "the account is disabled: ask the administrator"),
    (&[50053], "the account is locked, or the address blocked: stop trying and wait"),
    (&[50074, 50076], "a second factor is needed: use the device code or authorization code grant"),
    (&[50072, 50079], "the user must enrol for a second factor: sign in interactively once"),
    (&[50158], "an external challenge is needed: sign in interactively"),
    (
        &[53000, 53001, 53002, 53003, 530_032, 530_035, 50131, 53011],
        "a policy of the tenant \
                (Conditional Access or security defaults) forbids this sign-in: ask its \
                administrator",
    ),
    (
        &[500_011, 50001],
        "the resource is not known in this tenant: check the scope's URL and the \
                cloud, and that the tenant has Exchange",
    ),
    (
        &[90002, 90019],
        "the tenant was not found: give its id or a verified domain, and the \
                authority of its cloud",
    ),
    (&[90038, 900_382], "the tenant is in another cloud: set that cloud or its authority"),
    (
        &[9_001_023, 50194, 90130, 90124],
        "this grant or application does not work on `common` or \
                `consumers`: give the tenant's id, or `organizations`",
    ),
    (&[9_002_332], "the application is for work accounts only: use the tenant, not `consumers`"),
    (&[500_208], "a personal account signs in at `consumers`, not at a work tenant"),
    (
        &[700_082, 70008, 700_084],
        "the refresh token was not used for too long, or its time is over: \
                sign in again",
    ),
    (&[70043], "the tenant limits how long a sign-in lasts: sign in again"),
    (
        &[50173, 50132, 50133, 50089],
        "the sign-in was revoked, as after a changed password: sign in \
                again",
    ),
    (&[54005], "the authorization code was used before: begin a new sign-in"),
    (&[501_481], "the PKCE verifier does not fit the challenge: begin a new sign-in"),
    (&[700_005], "the code was issued for another tenant: begin a new sign-in at this one"),
    (&[50196], "the same request was made too often: keep tokens instead of asking for each use"),
    (&[90055, 90024, 90033, 90006], "a passing fault or throttle: wait and try again"),
    (&[1_002_016], "the connection used TLS 1.0 or 1.1: TLS 1.2 or later is needed"),
    (&[70016], "the user has not entered the code yet: go on asking, at the interval given"),
    (&[70018], "the user typed another code than the one shown: begin again"),
    (&[70019], "the code was not entered in time: begin again"),
];

/// RFC 6749 section 5.2 and RFC 8628 section 3.5.
const BY_NAME: &[(&str, &str)] = &[
    ("invalid_client", "the server does not accept the client id and its credential"),
    ("invalid_scope", "the server does not grant this scope to the application"),
    ("unauthorized_client", "the application may not use this grant: check its registration"),
    ("unsupported_grant_type", "the server does not have this grant"),
    ("invalid_resource", "the resource is not known to the server: check the scope's URL"),
    (
        "consent_required",
        "consent is missing: let the user sign in interactively, or the \
                administrator open the consent URL",
    ),
    ("interaction_required", "the user must do something: sign in interactively"),
    ("login_required", "the user must sign in again"),
    (
        "authorization_pending",
        "the user has not entered the code yet: go on asking, at the \
                interval given",
    ),
    ("slow_down", "it is asked too often: wait five seconds longer between requests, for good"),
    ("authorization_declined", "the user declined: begin again, and accept"),
    ("access_denied", "access was denied, by the user or the server: begin again, and accept"),
    ("bad_verification_code", "the device code is not known: begin again"),
    ("code_expired", "the code was not entered in time: begin again"),
    ("temporarily_unavailable", "a passing fault or throttle: wait and try again"),
    ("server_error", "a passing fault or throttle: wait and try again"),
    ("expired_token", "the code was not entered in time: begin again"),
];

/// All numbers that have a hint.
#[cfg(all(test, feature = "diagnosis"))]
pub(crate) fn numbers() -> impl Iterator<Item = u32> {
    BY_NUMBER.iter().flat_map(|(numbers, _)| numbers.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_has_two_hints() {
        let mut seen = HashSet::new();
        for number in BY_NUMBER.iter().flat_map(|(numbers, _)| *numbers) {
            assert!(seen.insert(number), "{number}");
        }
    }

    #[test]
    fn a_number_says_more_than_a_name() {
        let by_number = hint(&[1, 7_000_222], Some("invalid_client")).unwrap();
        assert!(by_number.contains("expired"));
        assert_ne!(hint(&[1], Some("invalid_client")), Some(by_number));
        assert_eq!(hint(&[1], Some("teapot")), None);
    }
}
