//! One step of a check, as a value.

use std::fmt;
use std::time::Duration;

use crate::{Diagnosis, Endpoint};

/// The steps, in the order of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StepName {
    /// Finding the addresses of the host.
    Dns,
    /// Opening the connection.
    Tcp,
    /// The TLS handshake and the certificate.
    Tls,
    /// The server's first line.
    Greeting,
    /// What the server offers.
    Capabilities,
    /// Getting a token from the provider.
    Token,
    /// What the token says of itself.
    Claims,
    /// The login.
    Auth,
    /// The first command that needs the mailbox.
    Mailbox,
    /// Whether sender and recipient are refused.
    Send,
    /// A message to oneself.
    Message,
}

impl StepName {
    /// The name in reports, which stays the same.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Capabilities => "capabilities",
            Self::Token => "token",
            Self::Claims => "claims",
            Self::Auth => "auth",
            Self::Mailbox => "mailbox",
            Self::Send => "send",
            Self::Message => "message",
        }
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It works.
    Passed,
    /// It works, or may, and something about it should be looked at.
    Hint,
    /// It does not work.
    Failed,
    /// It was not tried; the summary says why.
    Skipped,
}

impl Outcome {
    /// The name in reports, which stays the same.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Hint => "hint",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What became of a step.
#[derive(Debug, Clone)]
pub struct Step {
    pub(super) name: StepName,
    pub(super) outcome: Outcome,
    pub(super) duration: Duration,
    pub(super) summary: String,
    pub(super) details: Vec<(&'static str, String)>,
    pub(super) diagnosis: Option<Diagnosis>,
}

impl Step {
    /// Which one.
    pub const fn name(&self) -> StepName {
        self.name
    }

    /// How it ended.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How long it took; zero if it was skipped.
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// In one line: what was found, the error, or why it was skipped.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What was found, by name:
    ///
    /// | step | details |
    /// |---|---|
    /// | `dns` | `addresses` |
    /// | `tcp` | `address` |
    /// | `tls` | `version` |
    /// | `greeting` | `greeting` |
    /// | `capabilities` | `offered`; of mechanisms `xoauth2` and `oauthbearer`; in IMAP `sasl_ir` and `login` |
    /// | `token` | `octets` |
    /// | `claims` | `audience`, `tenant`, `appid`, `oid`, `user`, `scopes`, `roles`, as far as they are there |
    /// | `auth` | `mechanism`, `connections` |
    /// | `mailbox` | `messages` |
    /// | `send` | `sender`, `recipient` |
    /// | any that failed | `reply`, if the server said something |
    pub fn details(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.details.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Why it failed or what should be looked at, as far as that is known.
    pub const fn diagnosis(&self) -> Option<&Diagnosis> {
        self.diagnosis.as_ref()
    }
}

impl fmt::Display for Step {
    /// One line, without the diagnosis.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<7}  {:<12}  ", self.outcome, self.name)?;
        if self.outcome == Outcome::Skipped {
            f.write_str("         ")?;
        } else {
            write!(f, "{:>6} ms", self.duration.as_millis())?;
        }
        write!(f, "  {}", self.summary)
    }
}

/// What is told while a check runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A step begins.
    Began {
        /// Where.
        endpoint: &'a Endpoint,
        /// Which.
        step: StepName,
    },
    /// A step has ended, or will not be tried.
    Ended {
        /// Where.
        endpoint: &'a Endpoint,
        /// What became of it.
        step: &'a Step,
    },
}
