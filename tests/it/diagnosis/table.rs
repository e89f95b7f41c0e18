//! The table for readers, docs/failures.md, is written from what is met here, so that it cannot say
//! what is not so.

use std::fmt::Write as _;
use std::{env, fs};

use super::Met;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/failures.md");

const HEAD: &str = "\
# Failures, and what is said of them

Each of these is played in the tests: the program meets it through the public API, and what
`Diagnosis` says is compared with what stands here. On the left is what is wrong; then what a
program sees without a diagnosis, which is the server's line, or what the system or the token
endpoint says; then the first cause that mailbearer finds, how sure it is, and whose turn it is;
then what to type, if there is a command for it.

A diagnosis says more than fits here: the other causes that may be behind the line, what each was
concluded from, and what to do in a paragraph. Ids and addresses are filled in from the token's
claims and the login; what is not known stands in `<ANGLE BRACKETS>`.

This file is written by the tests: `RENEW_FAILURES=1 cargo test --all-features --test it failures_md`.
";

#[tokio::test]
async fn docs_failures_md_says_what_is_said() {
    let mut text = String::from(HEAD);
    for (group, met) in super::all().await {
        writeln!(text, "\n## {group}\n").unwrap();
        text.push_str("| what is wrong | what is seen | what mailbearer says | what to type |\n");
        text.push_str("|---|---|---|---|\n");
        let mut before = "";
        for met in met {
            let what = if met.what == "the same" { before } else { met.what };
            before = what;
            text.push_str(&row(what, &met));
        }
    }
    if env::var_os("RENEW_FAILURES").is_some() {
        fs::write(FILE, &text).unwrap();
    }
    let file = fs::read_to_string(FILE).unwrap();
    for (at, (found, wanted)) in file.lines().zip(text.lines()).enumerate() {
        assert_eq!(found, wanted, "line {} of docs/failures.md; see its head", at + 1);
    }
    assert_eq!(file.len(), text.len(), "docs/failures.md; see its head");
}

fn row(what: &str, met: &Met) -> String {
    let first = met.diagnosis.first();
    let commands: Vec<_> = first.commands().iter().map(|command| code(command.as_str())).collect();
    let (cause, sure, who) = (first.cause(), first.confidence(), first.who());
    let commands = commands.join("<br>");
    format!("| {what} | {} | {cause} ({sure}; {who}) | {commands} |\n", code(&met.bare))
}

/// As code within a table, without what time it was.
fn code(text: &str) -> String {
    let word = |word: &str| {
        let digits = word.trim_matches(|c: char| !c.is_ascii_digit());
        let is_time = digits.len() >= 9 && digits.bytes().all(|octet| octet.is_ascii_digit());
        if is_time { word.replace(digits, "…") } else { word.to_owned() }
    };
    let line = text.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    format!("`{}`", line.replace('`', "'").replace('|', "\\|"))
}
