//! A day.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::date_time::{DateTime, MONTHS, civil_from_days, days_in};

/// A day of the Gregorian calendar, without a time or a zone, as searches take it.
///
/// ```
/// use mailbearer::imap::Date;
///
/// assert_eq!(Date::new(2026, 11, 16).unwrap().to_string(), "16-Nov-2026");
/// assert!(Date::new(2026, 2, 29).is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day of this month, in which 1 is January. `None` if the calendar has no such day or the
    /// year is above 9999.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = year <= 9999 && (1..=days_in(year, month)?).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// The day of this moment in UTC. `None` before 1970 and after 9999.
    pub fn from_system_time(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let (year, month, day) = civil_from_days(i64::try_from(seconds / 86_400).ok()?)?;
        Some(Self { year, month, day })
    }

    /// The day that a date and time names in its own zone. `None` if there is no such day.
    pub fn from_date_time(time: &DateTime) -> Option<Self> {
        Self::new(time.year(), time.month(), time.day())
    }

    /// The year.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1 is January.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month.
    pub const fn day(self) -> u8 {
        self.day
    }
}

/// As IMAP writes it: `1-Feb-1994` (RFC 9051 section 9, date-text).
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = MONTHS.get(usize::from(self.month).wrapping_sub(1)).unwrap_or(&"Jan");
        write!(f, "{}-{month}-{:04}", self.day, self.year)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_days() {
        assert!(Date::new(2024, 2, 29).is_some() && Date::new(2000, 2, 29).is_some());
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2026, 4, 31),
            (2026, 0, 1),
            (2026, 13, 1),
            (10_000, 1, 1),
        ] {
            assert!(Date::new(year, month, day).is_none(), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn a_day_is_written_with_a_year_of_four_digits() {
        assert_eq!(Date::new(1994, 2, 1).unwrap().to_string(), "1-Feb-1994");
        assert_eq!(Date::new(33, 12, 31).unwrap().to_string(), "31-Dec-0033");
    }

    #[test]
    fn a_moment_is_on_its_day_in_utc_and_a_date_time_on_its_own() {
        let moment = UNIX_EPOCH + Duration::from_secs(1_709_251_199);
        assert_eq!(Date::from_system_time(moment), Date::new(2024, 2, 29));
        let time = DateTime::parse(b" 1-Mar-2024 00:30:00 +0100").unwrap();
        assert_eq!(Date::from_date_time(&time), Date::new(2024, 3, 1));
        let domino = DateTime::parse(b"00-Jan-0000 00:00:00 +0000").unwrap();
        assert_eq!(Date::from_date_time(&domino), None);
    }
}
