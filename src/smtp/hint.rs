//! How long a server asks to wait, in its own words.
//!
//! SMTP has no field for it, so servers write it into the text of a 4xx reply:
//!
//! ```text
//! 450 4.2.0 Greylisted, please try again in 300 seconds
//! 451 4.7.1 Greylisting in action, please come back in 00:04:37
//! 421 4.7.0 Too many messages. Suggested Backoff Time: 92415 milliseconds
//! ```

use std::time::Duration;

/// No server means more than this, and nobody would wait longer without looking.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest wait that is asked for, at most a day. `None` if none is: a number that only says
/// what the limit was ("30 messages in 60 seconds") does not say how long to wait.
pub(crate) fn wait(text: &str) -> Option<Duration> {
    // A reply may be 64 KiB long; what is beyond this is no hint.
    let text: String = text.chars().take(LOOKED_AT).map(|c| c.to_ascii_lowercase()).collect();
    let asks = ["again", "retry", "retries", "come back", "wait", "backoff", "back off", "delay"];
    if !asks.iter().any(|word| text.contains(word)) {
        return None;
    }
    let mut longest = None;
    // The words before a number: what says that it is a wait.
    let mut before: [&str; 3] = [""; 3];
    let mut words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')'));
    while let Some(word) = words.next() {
        let word = word.trim_end_matches(['.', '!']);
        if word.is_empty() {
            continue;
        }
        let found = clock(word).or_else(|| {
            let (number, unit) = number(word)?;
            // `300s`, or `300 seconds`.
            let unit = if unit.is_empty() { words.next().unwrap_or_default() } else { unit };
            let unit = unit.trim_matches(|c: char| !c.is_ascii_alphabetic());
            Some(number.saturating_mul(milliseconds(unit)?))
        });
        match found {
            Some(wait) if before.iter().any(|word| is_cue(word)) => {
                longest = longest.max(Some(wait))
            }
            _ => {}
        }
        before = [before[1], before[2], word];
    }
    longest.map(|wait| Duration::from_millis(wait).min(DAY))
}

const LOOKED_AT: usize = 2048;

fn is_cue(word: &str) -> bool {
    let word = word.trim_end_matches([':', '=']);
    matches!(
        word,
        "in" | "after"
            | "for"
            | "wait"
            | "least"
            | "about"
            | "retry"
            | "delay"
            | "time"
            | "within"
            | "retry-after"
            | "another"
    )
}

/// Digits, and the letters that are attached to them.
fn number(word: &str) -> Option<(u64, &str)> {
    // `retry=300`
    let word = word.rsplit(['=', ':']).next().unwrap_or(word);
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (digits, unit) = word.split_at_checked(end)?;
    if digits.is_empty() || !unit.chars().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    Some((digits.parse().unwrap_or(u64::MAX), unit))
}

fn milliseconds(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60 * 1000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 60 * 60 * 1000,
        _ => return None,
    })
}

/// `00:04:37`, in milliseconds.
fn clock(word: &str) -> Option<u64> {
    let mut parts = word.split(':');
    let mut part = || {
        let part = parts.next().filter(|part| part.len() == 2)?;
        part.bytes().all(|octet| octet.is_ascii_digit()).then(|| part.parse::<u64>().ok())?
    };
    let (hours, minutes, seconds) = (part()?, part()?, part()?);
    parts.next().is_none().then_some(((hours * 60 + minutes) * 60 + seconds) * 1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wait_is_found_as_servers_write_it() {
        for (text, seconds) in [
            ("Greylisted, please try again in 300 seconds", 300.0),
            ("Recipient address rejected: Greylisted for 5 minutes, retry later", 300.0),
            ("Greylisting in action, please come back in 00:04:37", 277.0),
            ("Too many messages. Suggested Backoff Time: 92415 milliseconds", 92.415),
            ("Server busy; try again after 10 min.", 600.0),
            ("You are sending too fast. Wait 45s and try again.", 45.0),
            ("Deferred (retry in 2 hours)", 7200.0),
            ("try again in 1 minute, or better in 90 seconds", 90.0),
            ("Throttled; retry-after: 30 sec", 30.0),
            ("TRY AGAIN IN AT LEAST 15 MINUTES", 900.0),
            ("Please retry in\n120 seconds", 120.0),
            ("try again in 999999999999999999999999 hours", 86400.0),
        ] {
            assert_eq!(wait(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_wait() {
        for text in [
            "",
            "try again later",
            "Timeout after 300 seconds of silence",
            "Mailbox 5 is busy, try again",
            "Try again later. Limit: 30 messages",
            "Service not available, try again later (in 5 tries)",
            "try again in",
            "try again in 00:99",
            "see https://example.com/retry/300s",
        ] {
            assert_eq!(wait(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(again|wait|in|[0-9]{1,22}|:|s|hours| |é|[^a]){0,40}") {
            prop_assert!(wait(&text).is_none_or(|wait| wait <= DAY));
        }
    }
}
