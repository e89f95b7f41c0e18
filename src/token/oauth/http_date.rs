//! `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::token::http::HttpResponse;

/// How long the answer asks to wait, a day at most: more is a mistake, and beyond what clocks count.
/// A date is compared with the server's own `Date`, if it sent one, so that a wrong clock on either
/// side does not matter.
pub(crate) fn retry_after(response: &HttpResponse) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    let value = response.header("retry-after")?.trim();
    if !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit()) {
        // More digits than a number holds are a long time too.
        return Some(
            value.parse().map_or(LONGEST, |asked| Duration::from_secs(asked).min(LONGEST)),
        );
    }
    let until = seconds_since_1970(value)?;
    let now = response.header("date").and_then(seconds_since_1970).or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
    })?;
    Some(Duration::from_secs(until.saturating_sub(now)).min(LONGEST))
}

/// IMF-fixdate, the one form that senders may use (RFC 9110 section 5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds_since_1970(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.trim().split_once(", ")?;
    let mut words = rest.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if words.next() != Some("GMT")
        || !(1..=31).contains(&day)
        || !(1970..=9999).contains(&year)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    Some(((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days of the Gregorian calendar. A year is counted from March, so that its leap day is its last.
const fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    const TO_1970: u64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry_after_header: &str, date: Option<&str>) -> Option<Duration> {
        let response = HttpResponse::new(503).with_header("Retry-After", retry_after_header);
        retry_after(&match date {
            Some(date) => response.with_header("Date", date),
            None => response,
        })
    }

    #[test]
    fn dates_of_rfc_9110_are_read() {
        assert_eq!(seconds_since_1970("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds_since_1970("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds_since_1970("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
    }

    #[test]
    fn seconds_and_dates_both_say_how_long() {
        assert_eq!(asked("17", None), Some(Duration::from_secs(17)));
        let until = "Sat, 21 Nov 2026 00:01:00 GMT";
        let now = Some("Fri, 20 Nov 2026 23:59:30 GMT");
        assert_eq!(asked(until, now), Some(Duration::from_secs(90)));
        assert_eq!(asked("Fri, 20 Nov 2026 23:59:00 GMT", now), Some(Duration::ZERO));
    }

    #[test]
    fn nobody_is_sent_away_for_longer_than_a_day() {
        let day = Some(Duration::from_secs(24 * 3600));
        assert_eq!(asked("86399", None), Some(Duration::from_secs(86_399)));
        let endless = u64::MAX.to_string();
        for absurd in ["86401", &endless, "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(asked(absurd, None), day, "{absurd}");
        }
    }

    #[test]
    fn what_is_neither_says_nothing() {
        let now = Some("Fri, 20 Nov 2026 23:59:30 GMT");
        for nonsense in [
            "",
            "soon",
            "-1",
            "+1",
            "1.5",
            "Fri, 20 Nov 2026",
            "Fri, 20 Nov 2026 23:59 GMT",
            "Fri, 00 Nov 2026 23:59:00 GMT",
            "Fri, 20 Nov 99999999999999999999 23:59:00 GMT",
            "Fri, 20 Nox 2026 23:59:00 GMT",
        ] {
            assert_eq!(asked(nonsense, now), None, "{nonsense}");
        }
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT", None), Some(Duration::ZERO));
    }
}
