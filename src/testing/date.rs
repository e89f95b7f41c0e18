//! The two date forms mail servers write, from seconds since the epoch, always in UTC.

use std::time::SystemTime;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SECONDS_PER_DAY: i64 = 86_400;

/// Seconds since 1970-01-01 00:00:00 UTC, by the wall clock.
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}

/// The days since the epoch on which `seconds` falls.
pub(super) const fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(SECONDS_PER_DAY)
}

/// RFC 5322 section 3.3: `Wed, 12 Jul 2023 08:08:39 +0000`.
pub(super) fn header_date(seconds: i64) -> String {
    let (year, month, day) = civil(day_of(seconds));
    let weekday = usize::try_from(day_of(seconds).rem_euclid(7)).unwrap_or(0);
    let weekday = DAYS.get(weekday).copied().unwrap_or("Thu");
    format!("{weekday}, {day} {} {year} {} +0000", month_name(month), clock(seconds))
}

/// RFC 3501 `date-time`, without its quotes: `12-Jul-2023 08:08:39 +0000`, the day padded by a
/// space.
pub(super) fn internal_date(seconds: i64) -> String {
    let (year, month, day) = civil(day_of(seconds));
    format!("{day:2}-{}-{year:04} {} +0000", month_name(month), clock(seconds))
}

/// Reads RFC 3501 `date-time`, without its quotes.
pub(super) fn parse_internal_date(text: &str) -> Option<i64> {
    let mut words = text.split_ascii_whitespace();
    let (date, clock, zone) = (words.next()?, words.next()?, words.next()?);
    let mut clock = clock.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let zone: i64 = zone.get(1..)?.parse().ok()?;
    let offset = sign * (zone / 100 * 3600 + zone % 100 * 60);
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    fits.then_some(())?;
    Some(parse_day(date)? * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset)
}

/// Reads RFC 3501 `date-text`, such as `1-Feb-1994`, as days since the epoch.
pub(super) fn parse_day(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, '-');
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    let year: i64 = parts.next()?.parse().ok()?;
    let fits = (1..=31).contains(&day) && (0..=9999).contains(&year);
    fits.then(|| days_from_civil(year, i64::try_from(month).unwrap_or(0) + 1, day))
}

fn clock(seconds: i64) -> String {
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

fn month_name(month: i64) -> &'static str {
    let index = usize::try_from(month - 1).unwrap_or(0);
    MONTHS.get(index).copied().unwrap_or("Jan")
}

/// Days since the epoch to year, month, day in the proleptic Gregorian calendar, by Howard
/// Hinnant's `civil_from_days`.
const fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

/// The inverse of [`civil`].
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * mp + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_instant_is_written_in_both_forms() {
        assert_eq!(header_date(1_689_149_319), "Wed, 12 Jul 2023 08:08:39 +0000");
        assert_eq!(internal_date(1_709_164_800), "29-Feb-2024 00:00:00 +0000");
        assert_eq!(internal_date(0), " 1-Jan-1970 00:00:00 +0000");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in [0, 951_782_400, 1_709_164_799, 4_102_444_800] {
            assert_eq!(parse_internal_date(&internal_date(seconds)), Some(seconds));
        }
    }

    #[test]
    fn the_zone_is_taken_into_account() {
        assert_eq!(parse_internal_date("17-Jul-1996 02:44:25 -0700"), Some(837_596_665));
        assert_eq!(parse_internal_date("17-Jul-1996 25:44:25 -0700"), None);
    }
}
