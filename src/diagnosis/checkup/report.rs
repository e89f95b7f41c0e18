//! What a check found, for programs and for people.

use std::fmt;
use std::time::Duration;

use super::json;
use super::step::{Outcome, Step, StepName};
use crate::Endpoint;

/// What a check found, endpoint by endpoint. `Display` is the report for people.
#[derive(Debug, Clone)]
pub struct Report {
    endpoints: Vec<EndpointReport>,
}

impl Report {
    pub(super) const fn new(endpoints: Vec<EndpointReport>) -> Self {
        Self { endpoints }
    }

    /// Whether no step of any endpoint failed. Hints are no failures.
    pub fn passed(&self) -> bool {
        self.endpoints.iter().all(EndpointReport::passed)
    }

    /// The endpoints, in the order in which they were asked for.
    pub fn endpoints(&self) -> &[EndpointReport] {
        &self.endpoints
    }

    /// The report as JSON (RFC 8259).
    ///
    /// ```text
    /// { "version": 1, "passed": false, "endpoints": [
    ///   { "protocol": "imap", "host": "outlook.office365.com", "port": 993, "security": "tls",
    ///     "mailbox": "billing@contoso.example", "passed": false, "steps": [
    ///     { "name": "auth", "outcome": "failed", "milliseconds": 120, "summary": "…",
    ///       "details": { "mechanism": "XOAUTH2" },
    ///       "findings": [
    ///       { "cause": "WrongAudience", "title": "…", "confidence": "certain",
    ///         "evidence": ["…"], "who": "developer", "remedy": "…", "commands": ["…"] } ] } ] } ] }
    /// ```
    ///
    /// Names of fields, steps, outcomes (`passed`, `hint`, `failed`, `skipped`), `security` (`tls`,
    /// `starttls`, `clear`), `confidence` (`certain`, `likely`, `possible`), `who` (`developer`,
    /// `user`, `administrator`, `nobody`) and causes stay the same; more may come. All fields are
    /// always there. The texts may change.
    pub fn to_json(&self) -> String {
        json::report(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            endpoint.fmt(f)?;
        }
        Ok(())
    }
}

/// What a check found at one endpoint.
#[derive(Debug, Clone)]
pub struct EndpointReport {
    pub(super) endpoint: Endpoint,
    pub(super) mailbox: String,
    pub(super) steps: Vec<Step>,
}

impl EndpointReport {
    /// Where.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whose mailbox was to be opened.
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    /// Every step that there is for this protocol, in the order of [`StepName`].
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A step by its name, if there is such a step for this protocol.
    pub fn step(&self, name: StepName) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Whether no step failed.
    pub fn passed(&self) -> bool {
        !self.steps.iter().any(|step| step.outcome == Outcome::Failed)
    }

    /// The steps together.
    pub fn duration(&self) -> Duration {
        self.steps.iter().map(|step| step.duration).sum()
    }
}

impl fmt::Display for EndpointReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} as {}", self.endpoint, self.mailbox)?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
            let Some(diagnosis) = &step.diagnosis else { continue };
            for line in diagnosis.to_string().lines() {
                writeln!(f, "             {line}")?;
            }
        }
        Ok(())
    }
}
