//! What a token endpoint says.
//!
//! The words are those of [`TokenEndpointError::hint`]; this table adds which cause it is, and
//! whose turn. Source: Microsoft Learn, "Microsoft Entra authentication and authorization error
//! codes" (read 2026-11); RFC 6749 section 5.2; RFC 8628 section 3.5.

use super::super::case::{Case, Guess};
use super::super::commands;
use super::super::finding::{Command, Evidence, Finding, Who};
use super::{CERTAIN, LIKELY};
use crate::diagnosis::Cause;
use crate::net;
use crate::provider::Cloud;
use crate::token::{
    ErrorKind, MalformedToken, NoAnswer, SignInReason, TokenEndpointError, TokenError, hint_for,
};

use Who::{Administrator, Developer, Nobody, User};

/// Entra's numbers.
const BY_NUMBER: &[(&[u32], Cause, Who)] = &[
    (&[65001], Cause::ConsentMissing, Administrator),
    (&[65004], Cause::ConsentDeclined, User),
    (&[65005, 650_056, 650_057], Cause::PermissionNotRegistered, Developer),
    (&[70011, 28002], Cause::InvalidScope, Developer),
    (&[1_002_012], Cause::ScopeNotDefault, Developer),
    (&[700_022], Cause::SeveralResources, Developer),
    (&[700_023], Cause::NoResource, Developer),
    (&[700_016, 700_011], Cause::ApplicationNotInTenant, Developer),
    (&[7_000_215, 70002], Cause::WrongSecret, Developer),
    (&[7_000_222], Cause::SecretExpired, Administrator),
    (&[7_000_218], Cause::SecretMissing, Developer),
    (&[700_025], Cause::SecretNotAllowed, Developer),
    (&[700_027, 50012], Cause::AssertionRefused, Developer),
    (&[700_030], Cause::CertificateNotRegistered, Developer),
    (&[7_000_112, 70001], Cause::ApplicationDisabled, Administrator),
    (&[50034], Cause::UserUnknown, User),
    (&[50020], Cause::UserOfOtherTenant, User),
    (&[50059], Cause::TenantUnclear, Developer),
    (&[50126], Cause::WrongPassword, User),
    (&[50055], Cause::PasswordExpired, User),
    (&[50057], Cause::AccountDisabled, Administrator),
    (&[50053], Cause::AccountLocked, User),
    (&[50074, 50076], Cause::SecondFactorRequired, Developer),
    (&[50072, 50079], Cause::SecondFactorEnrolment, User),
    (&[50158], Cause::ExternalChallenge, User),
    (
        &[53000, 53001, 53002, 53003, 530_032, 530_035, 50131, 53011],
        Cause::ConditionalAccess,
        Administrator,
    ),
    (&[500_011, 50001], Cause::ResourceUnknown, Developer),
    (&[90002, 90019], Cause::TenantNotFound, Developer),
    (&[90038, 900_382], Cause::OtherCloud, Developer),
    (&[9_001_023, 50194, 90130, 90124], Cause::TenantRequired, Developer),
    (&[9_002_332], Cause::WorkAccountsOnly, Developer),
    (&[500_208], Cause::PersonalAccountInTenant, Developer),
    (&[700_082, 70008, 700_084], Cause::RefreshTokenExpired, User),
    (&[70043], Cause::SignInTooOld, User),
    (&[50173, 50132, 50133, 50089], Cause::SignInRevoked, User),
    (&[54005], Cause::CodeUsed, User),
    (&[501_481], Cause::CodeVerifierWrong, Developer),
    (&[700_005], Cause::CodeOfOtherTenant, Developer),
    (&[50196], Cause::RequestLoop, Developer),
    (&[90055, 90024, 90033, 90006], Cause::TokenServerBusy, Nobody),
    (&[1_002_016], Cause::TlsVersion, Administrator),
    (&[70016], Cause::SignInPending, User),
    (&[70018], Cause::UserCodeWrong, User),
    (&[70019], Cause::DeviceCodeExpired, User),
];

/// The standard's words, and Microsoft's in the same field.
const BY_NAME: &[(&str, Cause, Who)] = &[
    ("invalid_client", Cause::ClientRefused, Developer),
    ("invalid_scope", Cause::InvalidScope, Developer),
    ("unauthorized_client", Cause::ApplicationNotAuthorized, Developer),
    ("unsupported_grant_type", Cause::GrantUnsupported, Developer),
    ("invalid_resource", Cause::ResourceUnknown, Developer),
    ("consent_required", Cause::ConsentMissing, Administrator),
    ("authorization_pending", Cause::SignInPending, User),
    ("slow_down", Cause::PollingTooFast, Developer),
    ("authorization_declined", Cause::ConsentDeclined, User),
    ("access_denied", Cause::ConsentDeclined, User),
    ("bad_verification_code", Cause::UserCodeWrong, User),
    ("expired_token", Cause::DeviceCodeExpired, User),
    ("code_expired", Cause::DeviceCodeExpired, User),
    ("temporarily_unavailable", Cause::TokenServerBusy, Nobody),
    ("server_error", Cause::TokenServerBusy, Nobody),
    ("interaction_required", Cause::SignInRequired, User),
    ("login_required", Cause::SignInRequired, User),
];

/// What to do about a cause that only a token endpoint finds.
pub(crate) fn remedy(cause: Cause) -> Option<&'static str> {
    let number = BY_NUMBER.iter().find(|(_, of, _)| *of == cause).map(|(numbers, ..)| *numbers);
    let name = BY_NAME.iter().find(|(_, of, _)| *of == cause).map(|(name, ..)| *name);
    hint_for(number.unwrap_or_default(), name)
}

/// A refusal.
pub(crate) fn refused(error: &TokenEndpointError, case: &Case<'_>) -> Vec<Finding> {
    let numbered = error.codes().iter().find_map(|code| {
        BY_NUMBER.iter().find(|(numbers, ..)| numbers.contains(code)).map(|row| (row.1, row.2))
    });
    let named = || {
        let (_, cause, who) = BY_NAME.iter().find(|(name, ..)| error.error() == Some(*name))?;
        Some((*cause, *who))
    };
    let by_kind = || {
        Some(match error.kind() {
            ErrorKind::Throttled { .. } | ErrorKind::ServerBusy => (Cause::TokenServerBusy, Nobody),
            ErrorKind::SignInNeeded(SignInReason::Consent) => {
                (Cause::ConsentMissing, Administrator)
            }
            ErrorKind::SignInNeeded(_) => (Cause::SignInRequired, User),
            ErrorKind::ClientCredential => (Cause::ClientRefused, Developer),
            _ => return None,
        })
    };
    let sure = if numbered.is_some() { CERTAIN } else { LIKELY };
    let Some((cause, who)) = numbered.or_else(named).or_else(by_kind) else { return Vec::new() };
    // A user can consent by signing in; an application for itself cannot.
    let who = match cause {
        Cause::ConsentMissing if error.of_user() => User,
        _ => who,
    };
    let text = error.hint().or_else(|| remedy(cause)).unwrap_or_default();
    let delegation = cause == Cause::ApplicationNotAuthorized && is_google(error.url());
    let (who, text) = if delegation { (Administrator, DELEGATION) } else { (who, text) };
    vec![Finding {
        cause,
        confidence: sure,
        evidence: vec![
            Evidence::Reply(super::one_line(&words(error))),
            Evidence::Rule {
                name: "token-endpoint",
                source: "Microsoft Learn, \"Microsoft Entra authentication and authorization error \
                         codes\", 2026-11; RFC 6749 section 5.2",
            },
        ],
        remedy: sentence(text).into(),
        who,
        commands: match delegation {
            true => vec![Command::Url(DELEGATION_PAGE.into())],
            false => pages(cause, error, case),
        },
    }]
}

/// Google, "Control API access with domain-wide delegation" (read 2026-11).
const DELEGATION: &str = "let an administrator of Google Workspace authorise the service account's \
                          client id, with the scope https://mail.google.com/, for domain-wide \
                          delegation";
const DELEGATION_PAGE: &str = "https://admin.google.com/ac/owl/domainwidedelegation";

/// Its own words, without the hint that is told as the remedy.
fn words(error: &TokenEndpointError) -> String {
    let (name, description) = (error.error().unwrap_or_default(), error.description());
    format!("{} {name} {}", error.status(), description.unwrap_or_default())
}

/// A hint as a paragraph of its own.
pub(crate) fn sentence(hint: &str) -> String {
    let mut chars = hint.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if hint.is_empty() || hint.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// Where consent is given.
fn pages(cause: Cause, error: &TokenEndpointError, case: &Case<'_>) -> Vec<Command> {
    let consent =
        [Cause::ConsentMissing, Cause::PermissionNotRegistered, Cause::ApplicationNotInTenant];
    if !consent.contains(&cause) || !is_entra(error.url()) {
        return Vec::new();
    }
    let tenant = error.url().split('/').nth(3).filter(|tenant| *tenant != "common");
    // `… the application with ID '11112222-…' named …`
    let app = error.description().into_iter().flat_map(|text| text.split(['\'', '"', ' ']));
    let app = app.map(|word| word.trim_matches(['(', ')', '.', ','])).find(|word| is_guid(word));
    let cloud = Cloud::of_authority(error.url());
    vec![commands::consent(cloud, tenant, app, case.protocol, case)]
}

fn is_entra(url: &str) -> bool {
    is_within(url, &["microsoftonline.com", "microsoftonline.us", "microsoftonline.cn"])
}

fn is_google(url: &str) -> bool {
    is_within(url, &["googleapis.com", "google.com"])
}

fn is_within(url: &str, domains: &[&str]) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default().split(['/', ':']).next();
    host.is_some_and(|host| domains.iter().any(|domain| crate::provider::within(host, domain)))
}

fn is_guid(word: &str) -> bool {
    super::super::quote::is_guid(word)
}

/// Why there is no token, whatever the provider.
pub(crate) fn missing(error: &TokenError, case: &Case<'_>) -> Vec<Guess> {
    let cause = error.cause();
    let guesses = if let Some(no_answer) = cause.downcast_ref::<NoAnswer>() {
        unanswered(no_answer, case)
    } else if cause.is::<MalformedToken>() {
        vec![Guess::certain(Cause::TokenMalformed)]
    } else {
        match error.kind() {
            ErrorKind::SignInNeeded(_) => vec![Guess::certain(Cause::SignInRequired)],
            ErrorKind::Throttled { .. } | ErrorKind::ServerBusy => {
                vec![Guess::certain(Cause::TokenServerBusy)]
            }
            ErrorKind::Denied => vec![Guess::certain(Cause::ConsentDeclined)],
            ErrorKind::CodeExpired => vec![Guess::certain(Cause::DeviceCodeExpired)],
            _ => Vec::new(),
        }
    };
    guesses.into_iter().map(|guess| guess.fact(super::one_line(&error.to_string()))).collect()
}

fn unanswered(no_answer: &NoAnswer, case: &Case<'_>) -> Vec<Guess> {
    match no_answer {
        NoAnswer::Http { cause, .. } => {
            let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&**cause);
            while let Some(error) = next {
                if let Some(error) = error.downcast_ref::<net::Error>() {
                    return super::net::broke(error, case);
                }
                #[cfg(feature = "proxy")]
                if let Some(error) = error.downcast_ref::<Box<net::proxy::Error>>() {
                    return super::net::proxy(error);
                }
                next = error.source();
            }
            Vec::new()
        }
        NoAnswer::Deadline { .. } => vec![Guess::certain(Cause::NoAnswer)],
        NoAnswer::Unreadable { .. } | NoAnswer::TooLong { .. } | NoAnswer::NotBearer { .. } => {
            vec![Guess::certain(Cause::TokenAnswerUnusable)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccessToken;
    use crate::diagnosis::{Confidence, Context, Diagnosis};
    use crate::secret::Scrubber;
    use crate::token::http::HttpResponse;

    const ENTRA: &str = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

    fn answer(url: &str, of_user: bool, status: u16, body: &str) -> TokenEndpointError {
        let response = HttpResponse::new(status).with_body(body);
        TokenEndpointError::read(url.into(), &response, of_user, &Scrubber::default())
    }

    fn of(error: TokenEndpointError) -> Finding {
        // As a provider wraps it.
        let error = TokenError::from(error);
        Diagnosis::of(&error).unwrap().first().clone()
    }

    #[test]
    fn each_number_is_its_own_cause_and_has_its_words() {
        for (numbers, cause, who) in BY_NUMBER {
            for number in *numbers {
                let body = format!(
                    r#"{{"error":"invalid_grant","error_codes":[{number}],
                        "error_description":"AADSTS{number}: It did not work."}}"#
                );
                let finding = of(answer(ENTRA, false, 400, &body));
                assert_eq!((finding.cause(), finding.who()), (*cause, *who), "{number}");
                assert_eq!(finding.confidence(), Confidence::Certain);
                assert!(finding.remedy().len() > 20 && finding.remedy().ends_with('.'), "{number}");
            }
        }
    }

    /// Such as one that fetches tokens from a service of the caller's own.
    #[test]
    fn what_any_provider_says_has_a_remedy_for_whose_turn_it_is() {
        for (kind, cause, who) in [
            (ErrorKind::ServerBusy, Cause::TokenServerBusy, Nobody),
            (ErrorKind::Throttled { retry_after: None }, Cause::TokenServerBusy, Nobody),
            (ErrorKind::Denied, Cause::ConsentDeclined, User),
            (ErrorKind::CodeExpired, Cause::DeviceCodeExpired, User),
            (ErrorKind::SignInNeeded(SignInReason::Consent), Cause::SignInRequired, User),
        ] {
            let error = TokenError::of_kind(kind, crate::Retry::Never, "no token today");
            let diagnosis = Diagnosis::of(&error).unwrap();
            let finding = diagnosis.first();
            assert_eq!((finding.cause(), finding.who()), (cause, who));
            assert!(!finding.remedy().is_empty(), "{finding}");
        }
    }

    #[test]
    fn every_number_with_a_hint_has_a_cause() {
        for number in crate::token::numbers_with_hints() {
            let known = BY_NUMBER.iter().any(|(numbers, ..)| numbers.contains(&number));
            assert!(known, "{number}");
        }
    }

    #[test]
    fn each_name_is_understood_without_a_number() {
        for (name, cause, _) in BY_NAME {
            let finding =
                of(answer("https://idp.example/t", true, 400, &format!(r#"{{"error":"{name}"}}"#)));
            assert_eq!(finding.cause(), *cause, "{name}");
            assert!(finding.remedy().len() > 15, "{name}");
            assert!(finding.commands().is_empty(), "{name}");
        }
    }

    #[test]
    fn missing_consent_leads_to_the_page_with_its_ids() {
        let body = r#"{"error":"invalid_grant","suberror":"consent_required",
            "error_description":"AADSTS65001: The user or administrator has not consented to use the application with ID '11112222-bbbb-3333-cccc-4444dddd5555' named 'Mailer'."}"#;
        let asks = |of_user| of(answer(ENTRA, of_user, 400, body));
        assert_eq!((asks(true).who(), asks(false).who()), (User, Administrator));
        assert_eq!(
            asks(false).commands()[0].as_str(),
            "https://login.microsoftonline.com/contoso.example/v2.0/adminconsent\
             ?client_id=11112222-bbbb-3333-cccc-4444dddd5555&redirect_uri=<REDIRECT_URI>\
             &scope=<SCOPE>"
        );
        let imap = Context::new().with_endpoint(crate::provider::microsoft365::imap());
        let error = answer(ENTRA, false, 400, body);
        let diagnosis = Diagnosis::with(&error, &imap).unwrap();
        let page = diagnosis.first().commands()[0].as_str();
        assert!(page.ends_with("&scope=https%3A%2F%2Fps.outlook.com%2F.default"), "{page}");
        // Words that are no id do not get into the page.
        let hostile =
            body.replace("11112222-bbbb-3333-cccc-4444dddd5555", "x&redirect_uri=https://evil");
        let page = of(answer(ENTRA, false, 400, &hostile)).commands()[0].to_string();
        assert!(page.contains("client_id=<CLIENT_ID>&") && !page.contains("evil"), "{page}");
    }

    #[test]
    fn a_service_account_without_delegation_is_the_administrators_affair() {
        let body =
            r#"{"error":"unauthorized_client","error_description":"Client is unauthorized"}"#;
        let finding = of(answer("https://oauth2.googleapis.com/token", false, 401, body));
        assert_eq!(finding.who(), Administrator);
        assert!(finding.commands()[0].as_str().starts_with("https://admin.google.com/"));
    }

    #[test]
    fn a_throttle_and_a_dead_grant_are_known_without_a_number() {
        for (status, body, cause) in [
            (429, "{}", Cause::TokenServerBusy),
            (503, "<html>", Cause::TokenServerBusy),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
                Cause::SignInRequired,
            ),
        ] {
            assert_eq!(
                of(answer("https://idp.example/t", true, status, body)).cause(),
                cause,
                "{body}"
            );
        }
        let nothing = answer("https://idp.example/t", true, 400, r#"{"error":"teapot"}"#);
        assert_eq!(Diagnosis::of(&nothing), None);
    }

    #[test]
    fn a_token_server_that_is_not_there_is_the_networks_affair() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let cause = net::Error::Dial { host: "idp.example".into(), port: 443, source: refused };
        let error = TokenError::from(NoAnswer::Http { url: ENTRA.into(), cause: Box::new(cause) });
        assert_eq!(Diagnosis::of(&error).unwrap().first().cause(), Cause::ConnectionRefused);
        let malformed = AccessToken::new("Bearer x").check().unwrap_err();
        let error = TokenError::from(malformed);
        assert_eq!(Diagnosis::of(&error).unwrap().first().cause(), Cause::TokenMalformed);
    }
}
