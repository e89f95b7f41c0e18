//! The sent date, RFC 5256 section 2.2: the Date field of a message in UTC, and that of its arrival,
//! which stands for one that is missing or cannot be read.

use crate::imap::types::{DateTime, Message, days_from_civil, days_in, month};

/// Seconds since 1970 of the date field of a message.
pub(crate) fn sent(message: &Message) -> Option<i64> {
    message.envelope()?.date().and_then(|date| sent_date(&date.to_bytes()))
}

/// The same of its INTERNALDATE.
pub(crate) fn received(message: &Message) -> Option<i64> {
    message.internal_date().and_then(DateTime::to_unix)
}

/// Seconds since 1970 of a Date field (RFC 5322 section 3.3, with the old forms of section 4.3).
/// `None` if there is no day in it: then the INTERNALDATE counts.
fn sent_date(field: &[u8]) -> Option<i64> {
    let text = without_comments(field);
    let mut words = text.split(|octet| octet.is_ascii_whitespace() || *octet == b',');
    let mut words = words.by_ref().filter(|word| !word.is_empty());
    let mut day = words.next()?;
    if day.first().is_some_and(u8::is_ascii_alphabetic) {
        // The day of the week.
        day = words.next()?;
    }
    let day = number(day, 2)?;
    let month = month(words.next()?)?;
    let year = year(words.next()?)?;
    let length = days_in(year, month)?;
    let day = u8::try_from(day).ok().filter(|day| (1..=length).contains(day))?;
    // A time that is none is midnight, and a zone that is none is UTC.
    let time = words.next().and_then(time).unwrap_or(0);
    let offset = words.next().and_then(zone).unwrap_or(0);
    Some(days_from_civil(year, month, day) * 86_400 + time - offset * 60)
}

/// Section 3.2.2. Comments may be nested.
fn without_comments(field: &[u8]) -> Vec<u8> {
    let mut depth = 0_usize;
    let mut outside = Vec::with_capacity(field.len());
    for octet in field {
        match octet {
            b'(' => depth += 1,
            b')' if depth > 0 => {
                depth -= 1;
                outside.push(b' ');
            }
            octet if depth == 0 => outside.push(*octet),
            _ => {}
        }
    }
    outside
}

/// A number of at most so many digits.
fn number(word: &[u8], digits: usize) -> Option<u32> {
    let fits = (1..=digits).contains(&word.len()) && word.iter().all(u8::is_ascii_digit);
    fits.then(|| word.iter().fold(0, |number, digit| 10 * number + u32::from(digit - b'0')))
}

/// Section 4.3: of two digits, those below 50 are of this century; of three, 1900 is left out.
fn year(word: &[u8]) -> Option<u16> {
    let year = number(word, 4)?;
    let year = match word.len() {
        4 => year,
        2 if year < 50 => 2000 + year,
        2 | 3 => 1900 + year,
        _ => return None,
    };
    u16::try_from(year).ok()
}

/// Seconds since midnight.
fn time(word: &[u8]) -> Option<i64> {
    let mut parts = word.split(|octet| *octet == b':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
    let valid = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    valid.then(|| i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second))
}

/// Minutes east of Greenwich.
fn zone(word: &[u8]) -> Option<i64> {
    let hours = match word.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        word => {
            let (sign, digits) = match word.split_first()? {
                (b'+', digits) => (1, digits),
                (b'-', digits) => (-1, digits),
                _ => return None,
            };
            let number = i64::from(number(digits, 4).filter(|_| digits.len() == 4)?);
            return (number % 100 < 60).then(|| sign * (number / 100 * 60 + number % 100));
        }
    };
    Some(hours * 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_zone_is_taken_into_account() {
        // RFC 5256 section 2.2.
        assert_eq!(
            sent_date(b"Sun, 31 Dec 2000 16:01:33 -0800"),
            sent_date(b"1 Jan 2001 00:01:33 +0000")
        );
        for (date, seconds) in [
            ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", Some(837_595_405)),
            ("Wed,17 jul 96 02:23:25 PDT", Some(837_595_405)),
            ("17 Jul 096 09:23:25", Some(837_595_405)),
            ("(a (b)) Wed, 17 (c) Jul 1996 09:23:25 GMT", Some(837_595_405)),
            ("1 Jan 1970 00:00 Z", Some(0)),
            ("1 Jan 49 00:00:00 +0000", Some(2_493_072_000)),
            ("31 Dec 1969 23:59:60 +0000", Some(0)),
        ] {
            assert_eq!(sent_date(date.as_bytes()), seconds, "{date}");
        }
    }

    #[test]
    fn of_a_date_in_which_something_is_wrong_the_rest_counts() {
        let midnight = sent_date(b"17 Jul 1996 00:00:00 +0000");
        for date in ["17 Jul 1996", "Wed, 17 Jul 1996 25:00:00 +0000", "17 Jul 1996 noon"] {
            assert_eq!(sent_date(date.as_bytes()), midnight, "{date}");
        }
        let utc = sent_date(b"17 Jul 1996 02:23:25 +0000");
        for zone in ["XYZ", "+99", "-0075", "0700"] {
            assert_eq!(sent_date(format!("17 Jul 1996 02:23:25 {zone}").as_bytes()), utc);
        }
        for none in ["", "Wed,", "32 Jul 1996 02:23:25 +0000", "17 Foo 1996", "17 Jul 19996", "x"] {
            assert_eq!(sent_date(none.as_bytes()), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets: Vec<u8>, text in "[0-9A-Za-z:+,() -]{0,40}") {
            let _ = (sent_date(&octets), sent_date(text.as_bytes()));
        }
    }
}
