//! One measurement and what is demanded of it.

use std::fmt;

/// A value, or why there is none.
pub(crate) type Measured = Result<f64, String>;

/// A row of the output.
pub(crate) struct Figure {
    /// `area/name`.
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) limit: Limit,
    pub(crate) measure: fn() -> Measured,
}

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    RoundTrips,
    Writes,
    Instructions,
    Allocations,
    Octets,
    Crates,
    /// Over HTTP.
    #[cfg(feature = "oauth")]
    Requests,
    /// Cost for each octet of something large over that of something small: 1 is linear.
    Growth,
    /// Time over that of a hand-written floor in the same run.
    TimesFloor,
    /// Instructions over those of a part of the same work.
    TimesPart,
    /// Octets on the wire over those without compression.
    #[cfg(feature = "compress")]
    Share,
    MessagesPerSecond,
}

/// What is demanded.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// More is a failure. Only for what is the same on every machine.
    AtMost(f64),
    /// Nothing: it depends on the machine.
    None,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Miss,
    Info,
}

impl Figure {
    /// Measures and prints.
    pub(crate) fn run(&self) -> Verdict {
        let measured = (self.measure)();
        let verdict = match (&measured, self.limit) {
            (_, Limit::None) => Verdict::Info,
            (Ok(value), Limit::AtMost(limit)) if *value <= limit => Verdict::Ok,
            _ => Verdict::Miss,
        };
        let value = match &measured {
            Ok(value) => self.unit.show(*value),
            Err(reason) => {
                eprintln!("{}: {reason}", self.name);
                "unmeasured".to_owned()
            }
        };
        let limit = match self.limit {
            Limit::AtMost(limit) => self.unit.show(limit),
            Limit::None => "-".to_owned(),
        };
        println!("figure {} {value} {} {limit} {verdict}", self.name, self.unit);
        verdict
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            // Half an allocation for each message is one for every other.
            Self::Growth | Self::TimesFloor | Self::TimesPart | Self::Allocations => {
                format!("{value:.2}")
            }
            #[cfg(feature = "compress")]
            Self::Share => format!("{value:.3}"),
            _ => format!("{value:.0}"),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoundTrips => "round-trips",
            Self::Writes => "writes",
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::Octets => "octets",
            Self::Crates => "crates",
            #[cfg(feature = "oauth")]
            Self::Requests => "requests",
            Self::Growth => "growth",
            Self::TimesFloor => "times-floor",
            Self::TimesPart => "times-part",
            #[cfg(feature = "compress")]
            Self::Share => "share",
            Self::MessagesPerSecond => "messages-per-second",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Miss => "MISS",
            Self::Info => "info",
        })
    }
}
