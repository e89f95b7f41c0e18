//! The report as JSON. The names here are documented at `Report::to_json` and are not changed.

use serde_json::{Value, json};

use super::report::{EndpointReport, Report};
use super::step::Step;
use crate::Security;
use crate::diagnosis::{Confidence, Finding, Who};

pub(super) fn report(report: &Report) -> String {
    let endpoints: Vec<Value> = report.endpoints().iter().map(endpoint).collect();
    json!({ "version": 1, "passed": report.passed(), "endpoints": endpoints }).to_string()
}

fn endpoint(report: &EndpointReport) -> Value {
    let endpoint = report.endpoint();
    let security = match endpoint.security() {
        Security::ImplicitTls => "tls",
        Security::StartTls => "starttls",
        Security::ClearText(_) => "clear",
    };
    json!({
        "protocol": endpoint.protocol().name(),
        "host": endpoint.host(),
        "port": endpoint.port(),
        "security": security,
        "mailbox": report.mailbox(),
        "passed": report.passed(),
        "steps": report.steps().iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &Step) -> Value {
    let details = step.details().map(|(name, value)| (name.to_owned(), value.into()));
    let findings = step.diagnosis().map(|diagnosis| diagnosis.findings()).unwrap_or_default();
    json!({
        "name": step.name().name(),
        "outcome": step.outcome().name(),
        "milliseconds": u64::try_from(step.duration().as_millis()).unwrap_or(u64::MAX),
        "summary": step.summary(),
        "details": Value::Object(details.collect()),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    let confidence = match finding.confidence() {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible",
    };
    let who = match finding.who() {
        Who::Developer => "developer",
        Who::User => "user",
        Who::Administrator => "administrator",
        Who::Nobody => "nobody",
    };
    json!({
        "cause": finding.cause().name(),
        "title": finding.cause().to_string(),
        "confidence": confidence,
        "evidence": finding.evidence().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "who": who,
        "remedy": finding.remedy(),
        "commands": finding.commands().iter().map(|it| it.as_str()).collect::<Vec<_>>(),
    })
}
