//! Date and time as IMAP writes them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::imap::proto::decode::{Cursor, parse_u32};

pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date and time with its zone, as in INTERNALDATE: `17-Jul-1996 02:44:25 -0700`.
///
/// It holds what the server wrote, possible or not: Domino is known to send `00-Jan-0000`. Turn it
/// into a [`SystemTime`] to find out, or take the numbers into the date type you use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    offset: i16,
}

impl DateTime {
    /// Reads the text between the quotes. `None` if it has another form.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let fixed = text.try_into().ok().and_then(Self::of_fixed_width);
        fixed.or_else(|| Self::of_any_width(text))
    }

    /// As the RFC has it, and nearly every server.
    fn of_fixed_width(text: &[u8; 26]) -> Option<Self> {
        #[rustfmt::skip]
        let [
            d0, d1, b'-', m0, m1, m2, b'-', y0, y1, y2, y3, b' ',
            h0, h1, b':', n0, n1, b':', s0, s1, b' ', sign, z0, z1, z2, z3,
        ] = *text else {
            return None;
        };
        let minutes = i16::from(number([z0, z1])?) * 60 + i16::from(number([z2, z3])?);
        Some(Self {
            year: u16::from(number([y0, y1])?) * 100 + u16::from(number([y2, y3])?),
            month: month(&[m0, m1, m2])?,
            day: number([d0, d1])?,
            hour: number([h0, h1])?,
            minute: number([n0, n1])?,
            second: number([s0, s1])?,
            offset: match sign {
                b'+' => minutes,
                b'-' => -minutes,
                _ => return None,
            },
        })
    }

    fn of_any_width(text: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        cursor.spaces();
        let day = two_digits(&mut cursor)?;
        cursor.eat(b'-').then_some(())?;
        let month = month(cursor.take(3)?)?;
        cursor.eat(b'-').then_some(())?;
        let year = digits(&mut cursor)?;
        cursor.spaces();
        let hour = two_digits(&mut cursor)?;
        cursor.eat(b':').then_some(())?;
        let minute = two_digits(&mut cursor)?;
        cursor.eat(b':').then_some(())?;
        let second = two_digits(&mut cursor)?;
        cursor.spaces();
        let offset = parse_zone(cursor.rest().trim_ascii_end())?;
        Some(Self { year, month, day, hour, minute, second, offset })
    }

    /// This moment in UTC, without its fraction of a second. `None` before 1970 and after 9999.
    pub fn from_system_time(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let (days, rest) = (i64::try_from(seconds / 86_400).ok()?, seconds % 86_400);
        let (year, month, day) = civil_from_days(days)?;
        Some(Self {
            year,
            month,
            day,
            hour: u8::try_from(rest / 3600).ok()?,
            minute: u8::try_from(rest / 60 % 60).ok()?,
            second: u8::try_from(rest % 60).ok()?,
            offset: 0,
        })
    }

    /// The moment it names; `None` if there is none, as for a 30th of February.
    pub fn to_system_time(&self) -> Option<SystemTime> {
        let seconds = self.to_unix()?;
        let distance = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        }
    }

    /// The same in seconds since 1970.
    pub(crate) fn to_unix(self) -> Option<i64> {
        let length = days_in(self.year, self.month)?;
        // 60 is a leap second; it counts as the first second of the next minute.
        if !(1..=length).contains(&self.day)
            || self.hour > 23
            || self.minute > 59
            || self.second > 60
        {
            return None;
        }
        let seconds = days_from_civil(self.year, self.month, self.day) * 86_400
            + i64::from(self.hour) * 3600
            + (i64::from(self.minute) - i64::from(self.offset)) * 60
            + i64::from(self.second);
        Some(seconds)
    }

    /// The year as written.
    pub const fn year(&self) -> u16 {
        self.year
    }

    /// 1 is January.
    pub const fn month(&self) -> u8 {
        self.month
    }

    /// The day of the month as written.
    pub const fn day(&self) -> u8 {
        self.day
    }

    /// The hour as written.
    pub const fn hour(&self) -> u8 {
        self.hour
    }

    /// The minute as written.
    pub const fn minute(&self) -> u8 {
        self.minute
    }

    /// The second as written; 60 in a leap second.
    pub const fn second(&self) -> u8 {
        self.second
    }

    /// Minutes east of Greenwich.
    pub const fn offset_minutes(&self) -> i16 {
        self.offset
    }
}

impl fmt::Display for DateTime {
    /// As commands take it, without quotes: ` 1-Jan-2020 00:00:00 +0000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = MONTHS.get(usize::from(self.month).wrapping_sub(1)).unwrap_or(&"Jan");
        let sign = if self.offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (self.offset.unsigned_abs() / 60, self.offset.unsigned_abs() % 60);
        write!(
            f,
            "{:2}-{month}-{:04} {:02}:{:02}:{:02} {sign}{hours:02}{minutes:02}",
            self.day, self.year, self.hour, self.minute, self.second
        )
    }
}

/// The number that comes next.
fn digits(cursor: &mut Cursor<'_>) -> Option<u16> {
    let mut number = None;
    while let Some(octet @ b'0'..=b'9') = cursor.peek() {
        let before = number.unwrap_or(0_u16);
        number = Some(before.checked_mul(10)?.checked_add(u16::from(octet - b'0'))?);
        cursor.eat(octet);
    }
    number
}

fn two_digits(cursor: &mut Cursor<'_>) -> Option<u8> {
    u8::try_from(digits(cursor)?).ok()
}

/// The number that two digits are.
const fn number([tens, ones]: [u8; 2]) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens <= 9 && ones <= 9 { Some(10 * tens + ones) } else { None }
}

/// Which month has this name of three letters, in any case.
pub(crate) fn month(name: &[u8]) -> Option<u8> {
    let [first, second, third] = *name else { return None };
    let name =
        [first.to_ascii_uppercase(), second.to_ascii_lowercase(), third.to_ascii_lowercase()];
    let at = MONTHS.iter().position(|month| month.as_bytes() == name)?;
    u8::try_from(at + 1).ok()
}

fn parse_zone(zone: &[u8]) -> Option<i16> {
    let (sign, digits) = match zone.split_first()? {
        (b'+', digits) => (1, digits),
        (b'-', digits) => (-1, digits),
        _ => return None,
    };
    let number = i16::try_from(parse_u32(digits)?).ok().filter(|_| digits.len() == 4)?;
    Some(sign * (number / 100 * 60 + number % 100))
}

/// Days since 1970-01-01 of a date in the Gregorian calendar. The year begins in March, so that the
/// leap day is its last.
pub(crate) fn days_from_civil(year: u16, month: u8, day: u8) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// How many days a month has in the Gregorian calendar; `None` if there is no such month.
pub(crate) fn days_in(year: u16, month: u8) -> Option<u8> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u8::from(leap),
        _ => return None,
    })
}

/// The inverse of [`days_from_civil`], up to the year 9999.
pub(super) fn civil_from_days(days: i64) -> Option<(u16, u8, u8)> {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let year = u16::try_from(year).ok().filter(|year| *year <= 9999)?;
    Some((year, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unix(text: &str) -> Option<i64> {
        let time = DateTime::parse(text.as_bytes())?.to_system_time()?;
        Some(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap(),
            Err(before) => -i64::try_from(before.duration().as_secs()).unwrap(),
        })
    }

    #[test]
    fn the_zone_is_taken_into_account() {
        assert_eq!(unix("17-Jul-1996 02:44:25 -0700"), Some(837_596_665));
        assert_eq!(unix(" 1-Jan-1970 00:00:00 +0000"), Some(0));
        assert_eq!(unix("31-Dec-1969 23:30:00 +0130"), Some(-7200));
        assert_eq!(unix("29-Feb-2000 12:00:00 +0000"), Some(951_825_600));
    }

    #[test]
    fn fixed_and_any_width_are_the_same_date() {
        for date in ["17-Jul-1996 02:44:25 -0730", "00-dEC-0000 99:99:99 +9999"] {
            let fixed = DateTime::of_fixed_width(date.as_bytes().try_into().unwrap());
            assert!(fixed.is_some() && fixed == DateTime::of_any_width(date.as_bytes()));
        }
        for odd in [
            "1-Jan-2020 00:00:00  +0000",
            "17-Jul-1996 02:44:25 \u{b1}070",
            "17-Jul-1996 02:44:2a +0700",
        ] {
            assert_eq!(DateTime::of_fixed_width(odd.as_bytes().try_into().unwrap()), None, "{odd}");
        }
    }

    #[test]
    fn a_day_of_one_digit_needs_no_space_before_it() {
        assert_eq!(unix("1-Jan-2020 00:00:00 +0000"), unix(" 1-Jan-2020 00:00:00 +0000"));
        assert_eq!(unix("01-jan-2020 00:00:00 +0000"), Some(1_577_836_800));
    }

    #[test]
    fn an_impossible_date_is_kept_but_is_no_moment() {
        // Domino (MailKit#1236).
        let domino = DateTime::parse(b"00-Jan-0000 00:00:00 +0000").unwrap();
        assert_eq!((domino.day(), domino.year(), domino.to_system_time()), (0, 0, None));
        assert_eq!(unix("30-Feb-2020 00:00:00 +0000"), None);
        assert_eq!(unix("01-Jan-2020 24:00:00 +0000"), None);
    }

    #[test]
    fn other_forms_are_not_read() {
        for bad in ["", "1-Jan-2020", "1-Foo-2020 00:00:00 +0000", "1-Jan-2020 00:00 +0000"] {
            assert_eq!(DateTime::parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(DateTime::parse(b"1-Jan-2020 00:00:00 GMT"), None);
        assert_eq!(DateTime::parse(b"1-Jan-70000 00:00:00 +0000"), None);
    }

    #[test]
    fn the_text_has_the_fixed_width_commands_want() {
        let date = DateTime::parse(b"1-Jan-2020 03:04:05 -0730").unwrap();
        assert_eq!(date.to_string(), " 1-Jan-2020 03:04:05 -0730");
    }

    proptest! {
        #[test]
        fn moment_and_date_are_inverse(seconds in 0_u64..253_402_300_800) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let date = DateTime::from_system_time(time).unwrap();
            prop_assert_eq!(date.to_system_time(), Some(time));
            prop_assert_eq!(DateTime::parse(date.to_string().as_bytes()), Some(date));
        }

        #[test]
        fn no_octets_make_the_parser_panic(text in "[0-9A-z:+ -]{0,32}") {
            let _ = DateTime::parse(text.as_bytes()).map(|date| date.to_system_time());
        }
    }
}
