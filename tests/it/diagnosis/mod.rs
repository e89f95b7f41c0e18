//! Failures, met as programs meet them, and what the crate says of each.
//!
//! A [`Case`] says what is wrong, and what has to be found out: the first cause, whose turn it is,
//! and what to type. The services' failures are played by the embedded server, those of the token
//! endpoint by the one that answers as Entra does.

mod entra;
mod exchange;
mod gmail;
mod high_volume;
mod lines;
mod network;
mod real;
mod table;

use std::collections::BTreeSet;
use std::error::Error;

use mailbearer::diagnosis::{Cause, Context, Who};
use mailbearer::testing::{Fault, Jwt, Server, Service, Variant};
use mailbearer::token::StaticToken;
use mailbearer::{AccessToken, Auth, Diagnosis, Failure, Protocol, Stage};

use crate::support::errand;

/// Whose mailbox it is.
const ME: &str = "Nora.O'Hara@contoso.example";
/// The application and its service principal in tokens of applications.
const APPLICATION: &str = "5e1f0c3a-77d2-4b86-9f10-c0ffee000001";
const PRINCIPAL: &str = "b7a9d2e4-13c5-4f68-8a9b-c0ffee000002";

/// One failure.
struct Case {
    /// What is wrong, for the reader of the table.
    what: &'static str,
    service: Service,
    protocol: Protocol,
    with: Trouble,
    cause: Cause,
    who: Who,
    /// What has to be among the commands.
    command: Option<String>,
}

/// What makes the errand fail.
enum Trouble {
    /// The server's doing; the token is the user's own and good.
    Fault(Fault),
    /// The token.
    Token(Box<Jwt>),
    /// The token of an application that Exchange knows, and that nobody let into the mailbox.
    RegisteredApplication,
    /// The server's doing; the token is that of an application that may do everything.
    FaultForApplication(Fault),
    /// A token without claims, which the server has not issued.
    Opaque,
    /// A token with an octet that no token has.
    Malformed,
    /// A password in place of a token.
    Password,
}

/// One failure that was met, and what was made of it.
struct Met {
    what: &'static str,
    /// What is said without a diagnosis.
    bare: String,
    diagnosis: Diagnosis,
    /// All that must not be shown.
    secret: String,
}

/// What was met, or how it is not what it should be.
type Outcome = Result<Met, String>;

/// The token of the user of the mailbox, with all permissions.
fn user() -> Jwt {
    Jwt::of_user(ME).application(APPLICATION)
}

/// The token of an application, with all permissions.
fn application() -> Jwt {
    Jwt::of_application(PRINCIPAL).application(APPLICATION)
}

impl Case {
    fn new(
        service: Service,
        protocol: Protocol,
        what: &'static str,
        with: Trouble,
        cause: Cause,
        who: Who,
    ) -> Self {
        Self { what, service, protocol, with, cause, who, command: None }
    }

    fn command(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }

    /// Lets it happen, and compares what is found with what is to be found.
    async fn play(&self) -> Outcome {
        let Self { what, service, protocol, with, .. } = self;
        let (service, protocol) = (*service, *protocol);
        let variant = match with {
            // Offers what the password is refused for.
            Trouble::Password => Variant::Until2025,
            _ => Variant::Current,
        };
        let server = Server::builder().service(service).variant(variant).start().await.unwrap();
        server.add_mailbox(ME);
        server.add_mailbox(errand::COLLEAGUE);
        let (secret, auth) = match with {
            Trouble::Fault(_) => {
                let token = server.issue_jwt(user());
                (token.clone(), Auth::xoauth2(ME, StaticToken::new(token)))
            }
            Trouble::Token(jwt) => {
                let token = server.issue_jwt((**jwt).clone());
                (token.clone(), Auth::xoauth2(ME, StaticToken::new(token)))
            }
            Trouble::RegisteredApplication | Trouble::FaultForApplication(_) => {
                server.register_service_principal(APPLICATION, PRINCIPAL);
                if matches!(with, Trouble::FaultForApplication(_)) {
                    server.allow(PRINCIPAL, ME);
                }
                let token = server.issue_jwt(application());
                (token.clone(), Auth::xoauth2(ME, StaticToken::new(token)))
            }
            Trouble::Opaque => {
                let token = String::from("EwB4A8l6BAAUbDba3x2OMJElkF7gJ4z/VbCPEz0AAZ");
                (token.clone(), Auth::xoauth2(ME, StaticToken::new(token)))
            }
            Trouble::Malformed => {
                let token = String::from("EwB4A8l6BAAU\r\nbDba3x2OMJElkF7gJ4z");
                (token.clone(), Auth::xoauth2(ME, StaticToken::new(token)))
            }
            Trouble::Password => {
                let password = String::from("hunter2 and more");
                (password.clone(), Auth::plain(ME, password))
            }
        };
        let fault = match with {
            Trouble::Fault(fault) | Trouble::FaultForApplication(fault) => Some(fault),
            _ => None,
        };
        if let Some(fault) = fault {
            server.inject_always(fault.clone());
        }
        let outcome = errand::run(&server, protocol, fault, auth, ME).await;
        let Err(error) = outcome else { return Err(format!("{what}: nothing failed")) };
        let found = find(&*error, &server, protocol, fault, &secret);
        let found = found.ok_or_else(|| format!("{what}: nothing is known of `{error}`"));
        let met = Met { what, bare: bare(&*error), diagnosis: found?, secret };
        met.compare(self.cause, self.who, self.command.as_deref())?;
        Ok(met)
    }
}

impl Met {
    /// Whether the first finding is this one, with this among its commands.
    fn compare(&self, cause: Cause, who: Who, command: Option<&str>) -> Result<(), String> {
        let first = self.diagnosis.first();
        let fits = (first.cause(), first.who()) == (cause, who)
            && first.remedy().ends_with('.')
            && !first.evidence().is_empty()
            && command.is_none_or(|wanted| {
                first.commands().iter().any(|command| command.as_str().contains(wanted))
            });
        if fits {
            return Ok(());
        }
        let wanted = format!("{cause:?}, {who:?}, {command:?}");
        Err(format!(
            "{}: wanted {wanted}, found\n{:?}\n{}",
            self.what,
            first.cause(),
            self.diagnosis
        ))
    }
}

/// What is found out about an error, as a program does it: a failed connect says all by itself; in a
/// session the program adds what it knows.
fn find(
    error: &dyn Failure,
    server: &Server,
    protocol: Protocol,
    fault: Option<&Fault>,
    secret: &str,
) -> Option<Diagnosis> {
    if !matches!(error.stage(), Stage::Command(_)) {
        return Diagnosis::of(error);
    }
    let context = Context::new()
        .with_endpoint(errand::door_of(server, protocol, fault))
        .with_mailbox(ME)
        .with_token(&AccessToken::new(secret));
    Diagnosis::with(error, &context)
}

/// What other libraries show: the server's line, or what the system said.
fn bare(error: &dyn Failure) -> String {
    if let Some(reply) = error.reply_text() {
        return reply.into_owned();
    }
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

async fn play(cases: Vec<Case>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for case in cases {
        outcomes.push(case.play().await);
    }
    outcomes
}

/// All that is played, by who says no. Tells of all that is not as it should be at once.
async fn all() -> Vec<(&'static str, Vec<Met>)> {
    let groups = [
        ("Exchange Online: the token", play(exchange::tokens()).await),
        ("Exchange Online: IMAP and POP3", play(exchange::reading()).await),
        ("Exchange Online: SMTP", play(exchange::sending()).await),
        ("Outlook.com", play(exchange::personal()).await),
        ("High Volume Email", play(high_volume::cases()).await),
        ("Gmail", play(gmail::cases()).await),
        ("The way to the server", network::met().await),
        ("Microsoft Entra", entra::met().await),
    ];
    let mut wrong = Vec::new();
    let groups = groups.map(|(group, outcomes)| {
        let right = outcomes.into_iter().filter_map(|met| met.map_err(|e| wrong.push(e)).ok());
        (group, right.collect())
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    groups.into()
}

#[tokio::test]
async fn each_failure_is_traced_to_its_cause_by_way_of_the_public_api() {
    let mut causes = BTreeSet::new();
    let mut failures = 0;
    for (group, met) in all().await {
        for met in met {
            failures += 1;
            causes.insert(met.diagnosis.first().cause());
            let shown = format!("{0} {0:?} {0:#?}", met.diagnosis);
            assert!(!shown.contains(&met.secret), "{group}, {}: {shown}", met.what);
            // Nor a part of it that would do.
            for part in met.secret.split('.').filter(|part| part.len() > 40) {
                assert!(!shown.contains(part), "{group}, {}: {shown}", met.what);
            }
        }
    }
    assert!(failures >= 100, "{failures} failures");
    let elsewhere: BTreeSet<_> = NOT_PLAYED.iter().map(|(cause, _)| *cause).collect();
    for cause in Cause::ALL {
        let (played, listed) = (causes.contains(cause), elsewhere.contains(cause));
        assert!(played != listed, "{cause:?}: played {played}, listed as not played {listed}");
    }
    assert!(causes.len() >= 40, "{} causes", causes.len());
}

/// The causes that are never the first one in what is played, and why. The unit tests of the rules
/// have them all.
const NOT_PLAYED: &[(Cause, &str)] = &[
    (Cause::InsufficientScope, "a word of RFC 7628 that none of these services says"),
    (Cause::OneLineLogin, "this crate logs in by two lines where one is refused"),
    (Cause::PermissionNotYetInForce, "nothing tells it from a permission that is missing"),
    (Cause::NoMailbox, "the same"),
    (Cause::WrongTenant, "nothing in a token says which tenant is the mailbox's"),
    (Cause::BillingPolicyMissing, "in which words is not documented"),
    (Cause::MailboxNotOpened, "each service has a likelier cause"),
    (Cause::SendingAddressBlocked, "said to servers, in the lines"),
    (Cause::OrganisationBlocked, "the same"),
    (Cause::ApplicationNotAuthorized, "without a number of Entra's"),
    (Cause::GrantUnsupported, "the same"),
    (Cause::ClientRefused, "the same"),
    (Cause::SignInRequired, "the same"),
    (Cause::PollingTooFast, "the provider slows down by itself"),
    (Cause::TokenAnswerUnusable, "an answer that is no refusal"),
    (Cause::NoAnswer, "a deadline"),
    (Cause::TlsOnPlainPort, "a deadline: both sides wait"),
    (Cause::CertificateRevoked, "nobody says so to a client without revocation lists"),
    (Cause::CertificateRefused, "another rule of the certificate"),
    (Cause::TlsFailed, "a handshake without a reason"),
    (Cause::WrongProtocol, "another service at the port"),
    (Cause::ProxyUnreachable, "proxies, played at real ones elsewhere"),
    (Cause::ProxyLogin, "the same"),
    (Cause::ProxyForbids, "the same"),
    (Cause::ProxyFailed, "the same"),
];
