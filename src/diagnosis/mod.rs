//! Why a server said no, who can change it, and how.
//!
//! Mail servers say little: Exchange Online answers an expired token, a token for another service,
//! an application that nobody registered and a mailbox without permission with the same line. What
//! is known of these lines, of the token's own claims and of the service is brought together here:
//! a [`Diagnosis`] has the possible causes in their order, each with its evidence, what to do in a
//! paragraph, whose turn it is, and the exact command or page with the ids filled in.
//!
//! ```
//! use mailbearer::diagnosis::{Cause, Who};
//! use mailbearer::testing::{Fault, Server};
//! use mailbearer::{Auth, Diagnosis, SmtpClient, tls, token::StaticToken};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start().await?;
//! server.add_mailbox("billing@contoso.example");
//! server.inject(Fault::SmtpAuthDisabledForMailbox);
//!
//! let tokens = StaticToken::new(server.issue_token("billing@contoso.example"));
//! let connector = SmtpClient::builder(server.smtp())
//!     .tls(tls::Config::with_root_pem(server.certificate_pem().as_bytes())?)
//!     .auth(Auth::xoauth2("billing@contoso.example", tokens));
//! let error = connector.connect().await.unwrap_err();
//!
//! let diagnosis = Diagnosis::of(&error).expect("a known refusal");
//! let finding = diagnosis.first();
//! assert_eq!(finding.cause(), Cause::SmtpAuthDisabledForMailbox);
//! assert_eq!(finding.who(), Who::Administrator);
//! assert_eq!(
//!     finding.commands()[0].as_str(),
//!     "Set-CASMailbox -Identity 'billing@contoso.example' -SmtpClientAuthenticationDisabled $false"
//! );
//! println!("{diagnosis}");
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not
//! It decides nothing: what a program does next is [`Retry`](crate::Retry)'s affair. Claims are
//! read without being verified, servers change their words, and Microsoft changes what its numbers
//! mean. A line that is not known gives no diagnosis rather than a wrong one.
//!
//! # Before connecting
//! [`check`] looks at a token before it is sent anywhere. [`diagnose`] tries all of a set-up, from the
//! name of the host to the first command, and reports on each step: see [`Checkup`].

mod case;
mod cause;
mod check;
mod checkup;
mod commands;
mod context;
mod finding;
mod line;
mod quote;
mod remedy;
mod rules;
mod service;
mod symptom;
#[cfg(all(test, feature = "smtp", feature = "imap", feature = "pop"))]
mod tests;

use std::error::Error;
use std::fmt;

use crate::{Protocol, Stage};
use case::{Case, Guess};

pub use cause::Cause;
pub use check::{Check, check};
pub use checkup::{Checkup, EndpointReport, Outcome, Progress, Report, Step, StepName, diagnose};
pub use context::Context;
pub use finding::{Command, Confidence, Evidence, Finding, Who};

/// What is behind a failure: one or more [`Finding`]s, the surest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Never empty.
    findings: Vec<Finding>,
}

impl Diagnosis {
    /// What is known of an error. `None` if nothing is: it is none of this crate's, or no rule fits.
    ///
    /// Takes the errors of the three clients, [`AuthError`](crate::AuthError),
    /// [`TokenError`](crate::token::TokenError), `TokenEndpointError`,
    /// [`net::Error`](crate::net::Error) and those of proxies, also where other errors wrap them, as
    /// far as their `source` leads there. A refused login carries what the connector knew, so that
    /// its error alone says all.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        Self::with(error, &Context::new())
    }

    /// The same, with what the caller knows. That goes before what the error carries.
    pub fn with(error: &(dyn Error + 'static), context: &Context) -> Option<Self> {
        Self::ranked(symptom::explain(error, context))
    }

    /// What is known of a reply from a log: with its status, perhaps of several lines, as in
    /// `535 5.7.3 Authentication unsuccessful` or `NO AUTHENTICATE failed.` `stage` says what it
    /// answered: [`Stage::Auth`] a login.
    ///
    /// ```
    /// use mailbearer::diagnosis::{Cause, Context};
    /// use mailbearer::{Diagnosis, Protocol, Stage, provider::microsoft365};
    ///
    /// let context = Context::new().with_endpoint(microsoft365::imap());
    /// let line = "* BYE Session invalidated - AccessTokenExpired";
    /// let stage = Stage::Command("NOOP");
    /// let diagnosis = Diagnosis::of_line(Protocol::Imap, stage, line, &context).unwrap();
    /// assert_eq!(diagnosis.first().cause(), Cause::TokenExpired);
    /// ```
    pub fn of_line(
        protocol: Protocol,
        stage: Stage,
        line: &str,
        context: &Context,
    ) -> Option<Self> {
        Self::ranked(symptom::refused(protocol, stage, line, context))
    }

    /// The causes, the surest first; at least one.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The surest.
    #[expect(clippy::indexing_slicing, reason = "never empty: see `ranked`")]
    pub fn first(&self) -> &Finding {
        &self.findings[0]
    }

    /// Findings that were ranked before.
    fn of_findings(findings: Vec<Finding>) -> Option<Self> {
        (!findings.is_empty()).then_some(Self { findings })
    }

    /// Puts the surest first, and each cause once.
    fn ranked(mut findings: Vec<Finding>) -> Option<Self> {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.confidence));
        let mut seen = Vec::new();
        findings.retain(|finding| {
            let new = !seen.contains(&finding.cause);
            seen.push(finding.cause);
            new
        });
        (!findings.is_empty()).then_some(Self { findings })
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        finding::write_list(f, &self.findings)
    }
}

/// Guesses with all that is to be said of them.
fn tell(guesses: Vec<Guess>, case: &Case<'_>) -> Vec<Finding> {
    let told = guesses.into_iter().map(|guess| {
        let (who, text) = remedy::of(guess.cause, case);
        Finding {
            cause: guess.cause,
            confidence: guess.confidence,
            evidence: guess.evidence,
            remedy: text.into(),
            who,
            commands: commands::of(guess.cause, case),
        }
    });
    told.collect()
}
