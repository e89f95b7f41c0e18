//! The names that servers give a message they have taken, as they write them into their last reply.
//! No RFC says how; each row below is how one server does it.

use crate::secret::REDACTED;

/// What the server's log calls the message, in the words of its final reply.
pub(crate) fn queue_id(words: &str) -> Option<&str> {
    // The first line says it; Exim and others put a farewell or an advertisement behind it.
    words.lines().find_map(|line| FORMS.iter().find_map(|form| form(line.trim()))).and_then(sound)
}

/// The Message-ID that the server says the message has, without its brackets.
pub(crate) fn message_id(words: &str) -> Option<&str> {
    let (_, rest) = words.split_once('<')?;
    let (id, _) = rest.split_once('>')?;
    // Sendmail and LMTP servers put other things in brackets; those have no `@`, or are addresses
    // with nothing of Exchange's behind them.
    (exchange(words).is_some() && id.contains('@')).then_some(id).and_then(sound)
}

const FORMS: [fn(&str) -> Option<&str>; 7] =
    [queued_as, exim, exchange, gmail, saved, accepted_for_delivery, amazon];

/// Postfix and all that are made of it: `Ok: queued as 4XyZ1`. Dovecot's submission service passes
/// on what the server behind it said.
fn queued_as(line: &str) -> Option<&str> {
    let at = find(line, "queued as ")?;
    token(line.get(at..)?)
}

/// Exim: `OK id=1rB2cD-0003ef-Gh`.
fn exim(line: &str) -> Option<&str> {
    token(line.split_once(" id=")?.1)
}

/// Exchange, on premises and online:
/// `<7f31@ab12.example> [InternalId=31337, Hostname=ab12.example] 1652 bytes in 0.2, 7 KB/sec Queued
/// mail for delivery`; or, on submission, `OK <7f31@ab12.example> [Hostname=ab12.example]`, which
/// has no other name for the message than its Message-ID.
fn exchange(line: &str) -> Option<&str> {
    if let Some(at) = find(line, "[internalid=") {
        return token(line.get(at..)?);
    }
    find(line, "[hostname=")?;
    let (_, rest) = line.split_once('<')?;
    Some(rest.split_once('>')?.0)
}

/// Gmail: `OK  1762000000 5b1f17b1804b1-38b3a1 - gsmtp`.
fn gmail(line: &str) -> Option<&str> {
    let before = line.strip_suffix("gsmtp")?.trim_end().trim_end_matches("x-").trim_end();
    let before = before.strip_suffix('-').unwrap_or(before).trim_end();
    before.rsplit(' ').next().filter(|id| !id.eq_ignore_ascii_case("OK"))
}

/// Dovecot, delivering itself: `<ann@example.com> 4vXtKjSmYWcBAAAA Saved`.
fn saved(line: &str) -> Option<&str> {
    let rest = line.strip_suffix(" Saved")?.strip_prefix('<')?;
    rest.split_once("> ").map(|(_, id)| id)
}

/// Sendmail: `4AL8xYz1012345 Message accepted for delivery`.
fn accepted_for_delivery(line: &str) -> Option<&str> {
    let id = line.strip_suffix("Message accepted for delivery")?.trim_end();
    id.rsplit(' ').next()
}

/// Amazon SES: `Ok 0102018f3a-5d6e-000000`, nothing else in the line.
fn amazon(line: &str) -> Option<&str> {
    let id = line.strip_prefix("Ok ")?;
    (id.ends_with("-000000") && !id.contains(' ')).then_some(id)
}

/// Where what follows `mark` begins, upper or lower case.
fn find(line: &str, mark: &str) -> Option<usize> {
    let at = line
        .as_bytes()
        .windows(mark.len())
        .position(|seen| seen.eq_ignore_ascii_case(mark.as_bytes()))?;
    Some(at + mark.len())
}

/// Up to what ends a name in all of these forms.
fn token(text: &str) -> Option<&str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ')' | ']' | ',' | ';')).next()
}

/// Where a secret was taken out there is no name that an administrator could search for.
fn sound(id: &str) -> Option<&str> {
    let taken_out = id.contains(REDACTED.trim_end_matches(']'));
    (!id.is_empty() && !id.contains(char::is_whitespace) && !taken_out).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_names_the_message_in_its_own_way() {
        for (words, id) in [
            ("Ok: queued as 4XyZ1", "4XyZ1"),
            ("Ok: queued as 9F1C2 (via tls)", "9F1C2"),
            ("OK: Queued As 77AB", "77AB"),
            ("OK id=1rB2cD-0003ef-Gh", "1rB2cD-0003ef-Gh"),
            (
                "<7f31@ab12.example> [InternalId=31337, Hostname=AB12.prod.example] 1652 bytes in \
                 0.193, 8.351 KB/sec Queued mail for delivery",
                "31337",
            ),
            ("OK <7f31@ab12.example> [Hostname=AB12.prod.example]", "7f31@ab12.example"),
            ("OK  1762000000 5b1f17b1804b1-38b3a1 - gsmtp", "5b1f17b1804b1-38b3a1"),
            ("OK  1762000000 d2e1a72fcca58 x-gsmtp", "d2e1a72fcca58"),
            ("OK 1762000000 x-gsmtp", "1762000000"),
            ("<ann@example.com> 4vXtKjSmYWcBAAAA Saved", "4vXtKjSmYWcBAAAA"),
            ("4AL8xYz1012345 Message accepted for delivery", "4AL8xYz1012345"),
            ("Ok 0102018f3a-5d6e-000000", "0102018f3a-5d6e-000000"),
            ("Thank you\nOk: queued as 12345\nBye", "12345"),
        ] {
            assert_eq!(queue_id(words), Some(id), "{words}");
        }
    }

    #[test]
    fn words_without_a_name_give_none() {
        for words in [
            "",
            "OK",
            "Ok: queued as ",
            "queued",
            "Message accepted for delivery",
            "OK - gsmtp",
            "Ok done",
            "[Hostname=ab12.example]",
            "<> [InternalId=, Hostname=x]",
            "Saved",
            "Ok: queued as [secret]",
            "OK id=1r[secret]",
            "[secret] Message accepted for delivery",
            "OK <[secret]@ab12.example> [Hostname=ab12.example]",
        ] {
            assert_eq!(queue_id(words), None, "{words}");
        }
    }

    #[test]
    fn the_message_id_that_exchange_gives_is_told() {
        let online = "OK <7f31@ab12.example> [Hostname=AB12.prod.example]";
        assert_eq!(message_id(online), Some("7f31@ab12.example"));
        let premises =
            "<7f31@ab12.example> [InternalId=31337, Hostname=x] Queued mail for delivery";
        assert_eq!(message_id(premises), Some("7f31@ab12.example"));
        assert_eq!(message_id("OK <[secret]@ab12.example> [Hostname=ab12.example]"), None);
        assert_eq!(message_id("<ann@example.com> 4vXtKjSmYWcBAAAA Saved"), None);
        assert_eq!(message_id("Ok: queued as 4XyZ1"), None);
    }
}
