//! What the token endpoint refuses.

use mailbearer::diagnosis::Cause;
use mailbearer::diagnosis::Who::{self, Administrator, Developer, Nobody, User};
use mailbearer::provider::microsoft365;
use mailbearer::token::{Password, TokenEndpointError, TokenRequest};
use mailbearer::{Diagnosis, TokenProvider};

use super::{ME, Met, Outcome};
use crate::support::entra::{Entra, PASSWORD, PUBLIC, Refusal, TENANT};
use crate::support::tls;

/// Each number that is played: what is wrong, what is found, and whose turn it is.
const NUMBERS: &[(u32, &str, Cause, Who)] = &[
    (65001, "no consent", Cause::ConsentMissing, User),
    (65004, "the user declined", Cause::ConsentDeclined, User),
    (650_057, "a permission that is not registered", Cause::PermissionNotRegistered, Developer),
    (70011, "a wrong scope", Cause::InvalidScope, Developer),
    (1_002_012, "a scope that is not `/.default`", Cause::ScopeNotDefault, Developer),
    (700_022, "scopes of two resources", Cause::SeveralResources, Developer),
    (700_023, "scopes of no resource", Cause::NoResource, Developer),
    (700_016, "an application of another tenant", Cause::ApplicationNotInTenant, Developer),
    (7_000_112, "a disabled application", Cause::ApplicationDisabled, Administrator),
    (500_011, "a resource without Exchange behind it", Cause::ResourceUnknown, Developer),
    (7_000_215, "the secret's id for its value", Cause::WrongSecret, Developer),
    (7_000_222, "an expired secret", Cause::SecretExpired, Administrator),
    (7_000_218, "no secret, public flows off", Cause::SecretMissing, Developer),
    (700_025, "a secret of a public client", Cause::SecretNotAllowed, Developer),
    (700_027, "a bad client assertion", Cause::AssertionRefused, Developer),
    (700_030, "an unregistered certificate", Cause::CertificateNotRegistered, Developer),
    (50034, "an unknown user", Cause::UserUnknown, User),
    (50020, "a user of another tenant", Cause::UserOfOtherTenant, User),
    (50059, "no tenant", Cause::TenantUnclear, Developer),
    (90002, "an unknown tenant", Cause::TenantNotFound, Developer),
    (90038, "a tenant of another cloud", Cause::OtherCloud, Developer),
    (9_001_023, "`common` where a tenant is wanted", Cause::TenantRequired, Developer),
    (9_002_332, "`consumers` with a work application", Cause::WorkAccountsOnly, Developer),
    (500_208, "a personal account in a tenant", Cause::PersonalAccountInTenant, Developer),
    (50126, "a wrong password", Cause::WrongPassword, User),
    (50055, "an expired password", Cause::PasswordExpired, User),
    (50057, "a disabled account", Cause::AccountDisabled, Administrator),
    (50053, "a locked account", Cause::AccountLocked, User),
    (50076, "a second factor is wanted", Cause::SecondFactorRequired, Developer),
    (50079, "the user must enrol for one", Cause::SecondFactorEnrolment, User),
    (50158, "an external challenge", Cause::ExternalChallenge, User),
    (53003, "Conditional Access", Cause::ConditionalAccess, Administrator),
    (700_082, "a refresh token unused for too long", Cause::RefreshTokenExpired, User),
    (70043, "the sign-in frequency of the tenant", Cause::SignInTooOld, User),
    (50173, "a changed password", Cause::SignInRevoked, User),
    (54005, "a code used twice", Cause::CodeUsed, User),
    (501_481, "a wrong PKCE verifier", Cause::CodeVerifierWrong, Developer),
    (700_005, "a code of another tenant", Cause::CodeOfOtherTenant, Developer),
    (70018, "a wrong user code", Cause::UserCodeWrong, User),
    (70019, "a device code that nobody entered", Cause::DeviceCodeExpired, User),
    (70016, "a device code not entered yet", Cause::SignInPending, User),
    (50196, "the same token again and again", Cause::RequestLoop, Developer),
    (90055, "throttled", Cause::TokenServerBusy, Nobody),
    (1_002_016, "an old TLS version", Cause::TlsVersion, Administrator),
];

pub(super) async fn met() -> Vec<Outcome> {
    let entra = Entra::start();
    let mut outcomes = Vec::new();
    for &(number, what, cause, who) in NUMBERS {
        entra.then(Refusal::by_number(number));
        let tokens = Password::entra(TENANT, PUBLIC, ME, PASSWORD)
            .authority(entra.authority())
            .tls(tls::client())
            .build()
            .unwrap();
        let request = TokenRequest::new(microsoft365::imap(), ME);
        let error = tokens.token(&request).await.unwrap_err();
        let diagnosis = Diagnosis::of(&error).unwrap_or_else(|| panic!("{number}: {error}"));
        let refusal = error.cause().downcast_ref::<TokenEndpointError>().unwrap();
        let bare = format!("{}: AADSTS{number}", refusal.error().unwrap_or_default());
        let met = Met { what, bare, diagnosis, secret: PASSWORD.into() };
        outcomes.push(met.compare(cause, who, None).map(|()| met));
    }
    outcomes
}
