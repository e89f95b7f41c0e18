//! Tokens, addresses and replies that are made to do harm.

use proptest::prelude::*;

use super::*;
use crate::Endpoint;
use crate::provider::{gmail, hve, microsoft365};

const LINES: [&str; 8] = [
    "NO AUTHENTICATE failed.",
    "BAD User is authenticated but not connected.",
    "-ERR Authentication failure: unknown user name or bad password.",
    "-ERR Protocol error. Connection is closed. 10",
    "535 5.7.3 Authentication unsuccessful",
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox",
    "550 5.7.240 The application is not allowed for use with this High Volume Email account",
    "554 5.2.252 SendAsDenied; a@x not allowed to send as b';calc@y; STOREDRV.Submission",
];

/// Everything that is shown of a diagnosis, and every command.
fn all(context: &Context) -> Vec<(String, Vec<String>)> {
    let mut shown = Vec::new();
    for protocol in [Protocol::Smtp, Protocol::Imap, Protocol::Pop] {
        for stage in [Stage::Auth, Stage::Command("the message")] {
            for line in LINES {
                if let Some(found) = Diagnosis::of_line(protocol, stage, line, context) {
                    let commands = found.findings().iter().flat_map(Finding::commands);
                    let commands = commands.map(ToString::to_string).collect();
                    shown.push((found.to_string(), commands));
                }
            }
        }
    }
    shown
}

fn with(endpoint: Endpoint, mailbox: &str, claims: &str) -> Context {
    let token = raw_token(claims);
    Context::new().with_endpoint(endpoint).with_mailbox(mailbox).with_token(&token).at(now())
}

#[test]
fn no_claim_becomes_a_command() {
    let million = "x".repeat(200_000);
    for hostile in [
        "'; Remove-Mailbox -Identity '*",
        "’; Remove-Mailbox -Identity ’*",
        "$(Remove-Mailbox)",
        "a\\nRemove-Mailbox",
        "a\\u0000b",
        "\\u202Egnp.exe",
        "\\u001B[2J",
        "`nRemove-Mailbox",
        "x&redirect_uri=https://evil.example",
        &million,
    ] {
        let claims = [
            format!(
                r#"{{"aud":"https://outlook.office365.com","appid":"{hostile}","oid":"{hostile}","tid":"{hostile}","roles":["{hostile}"]}}"#
            ),
            format!(
                r#"{{"aud":"{hostile}","upn":"{hostile}","scp":"{hostile}","appid":"{hostile}"}}"#
            ),
        ];
        let mailbox = hostile
            .replace("\\n", "\n")
            .replace("\\u001B", "\u{1b}")
            .replace("\\u202E", "\u{202E}");
        for claims in claims {
            for endpoint in
                [microsoft365::imap(), microsoft365::smtp(), microsoft365::pop(), hve::smtp()]
            {
                for (shown, commands) in all(&with(endpoint, &mailbox, &claims)) {
                    assert!(shown.len() < 20_000);
                    for command in commands {
                        assert!(
                            !command.contains(['\n', '\r', '\0', '\u{1b}', '\u{202E}']),
                            "{command}"
                        );
                        assert!(command.len() < 2_000, "{command}");
                        if command.starts_with("https://") {
                            // Nothing but what a URL may hold, so no part of it ends early.
                            let fit =
                                |c: char| c.is_ascii_alphanumeric() || "-._~%/:?&=<>".contains(c);
                            assert!(command.chars().all(fit), "{command}");
                            let parts = command.matches(['?', '&']).count();
                            assert!(parts == 0 || parts == 3, "{command}");
                        } else {
                            assert!(!outside_of_quotes(&command).contains("Remove-"), "{command}");
                        }
                    }
                    let unseen = |c: char| c != '\n' && crate::fault::is_unseen(c);
                    assert!(!shown.contains(unseen), "{shown:?}");
                }
            }
        }
    }
}

/// What PowerShell reads as commands: all but its single-quoted strings.
fn outside_of_quotes(command: &str) -> String {
    let is_quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201B}');
    let mut outside = String::new();
    let mut chars = command.chars().peekable();
    let mut inside = false;
    while let Some(c) = chars.next() {
        match (inside, is_quote(c)) {
            (false, true) => inside = true,
            (true, true) if chars.peek().is_some_and(|next| is_quote(*next)) => drop(chars.next()),
            (true, true) => inside = false,
            (true, false) => {}
            (false, false) => outside.push(c),
        }
    }
    assert!(!inside, "{command}");
    outside
}

#[test]
fn the_token_is_nowhere() {
    let payload = r#"{"aud":"https://outlook.office.com","upn":"a@b.example","scp":"SMTP.Send"}"#;
    let token = raw_token(payload);
    let context = Context::new().with_endpoint(microsoft365::imap()).with_token(&token);
    for (shown, _) in all(&context) {
        for part in token.expose().split('.').filter(|part| part.len() > 4) {
            assert!(!shown.contains(part) && !format!("{context:?}").contains(part));
        }
    }
}

#[test]
fn a_reply_of_any_length_is_quoted_in_part() {
    let context = Context::new().with_endpoint(microsoft365::smtp());
    let line = format!("535 5.7.3 Authentication unsuccessful {}", "é\u{202E}".repeat(40_000));
    let found = Diagnosis::of_line(Protocol::Smtp, Stage::Auth, &line, &context).unwrap();
    assert!(found.to_string().len() < 20_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_line_and_any_claims_are_survived(
        line in "(535|550|430|NO|BAD|\\* BYE|-ERR|OK|\\[| 5\\.7\\.3| 4\\.2\\.0|[ -]|authenticat|SendAsDenied|STOREDRV|token|\r\n|\\PC){0,30}",
        payload in "(\\{|\\}|\"aud\":|\"exp\":|\"scp\":|\"roles\":|\"upn\":|\"x\"|,|\\[|\\]|-?[0-9]{1,20}|\\PC){0,30}",
        mailbox in "\\PC{0,40}",
        stage in prop::sample::select(vec![Stage::Greeting, Stage::Auth, Stage::Probe, Stage::Command("x")]),
    ) {
        for endpoint in [microsoft365::imap(), hve::smtp(), gmail::pop(), Endpoint::smtp("h.example")] {
            let protocol = endpoint.protocol();
            let context = with(endpoint, &mailbox, &format!("{{{payload}}}"));
            if let Some(found) = Diagnosis::of_line(protocol, stage, &line, &context) {
                prop_assert!(!found.findings().is_empty());
                for finding in found.findings() {
                    prop_assert!(!finding.remedy().is_empty() && !finding.evidence().is_empty());
                    for command in finding.commands() {
                        prop_assert!(!command.as_str().contains(char::is_control));
                        if let Command::PowerShell(line) = command {
                            let _ = outside_of_quotes(line);
                        }
                    }
                }
                let ranks: Vec<_> = found.findings().iter().map(Finding::confidence).collect();
                prop_assert!(ranks.is_sorted_by(|one, next| one >= next));
            }
            let token = raw_token(&payload);
            let _ = check(&token, context.endpoint().unwrap(), &mailbox, now()).to_string();
        }
    }
}
