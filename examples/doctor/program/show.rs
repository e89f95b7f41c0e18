//! The report for people.

use std::fmt::Write as _;

use mailbearer::diagnosis::{Outcome, Report};

/// The report as text, in colours if wanted.
pub(super) fn report(report: &Report, colours: bool) -> String {
    let mut text = String::new();
    for endpoint in report.endpoints() {
        let place = format!("{} as {}", endpoint.endpoint(), endpoint.mailbox());
        line(&mut text, &painted(&place, BOLD, colours));
        for step in endpoint.steps() {
            let outcome = step.outcome();
            let shown = step.to_string();
            let rest = shown.strip_prefix(outcome.name()).unwrap_or(&shown);
            line(
                &mut text,
                &format!("  {}{rest}", painted(outcome.name(), colour(outcome), colours)),
            );
            for told in step.diagnosis().map(ToString::to_string).unwrap_or_default().lines() {
                line(&mut text, &format!("             {told}"));
            }
        }
        text.push('\n');
    }
    line(
        &mut text,
        match report.passed() {
            true => "Everything that was checked works.",
            false => "Something does not work; see above.",
        },
    );
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

const BOLD: &str = "1";

const fn colour(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "32",
        Outcome::Hint => "33",
        Outcome::Failed => "31",
        _ => "2",
    }
}

fn painted(text: &str, colour: &str, colours: bool) -> String {
    if colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}
