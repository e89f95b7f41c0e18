//! Sets of message numbers (RFC 3501 `sequence-set`).

/// Ranges as the client wrote them; zero stands for `*`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Set(Vec<(u32, u32)>);

impl Set {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| match text {
            "*" => Some(0),
            digits => digits.parse().ok().filter(|number| *number > 0),
        };
        let ranges = text.split(',').map(|range| match range.split_once(':') {
            Some((from, to)) => Some((number(from)?, number(to)?)),
            None => number(range).map(|single| (single, single)),
        });
        ranges.collect::<Option<_>>().map(Self)
    }

    /// Whether `number` is in the set, if `*` stands for `largest`.
    pub(super) fn contains(&self, number: u32, largest: u32) -> bool {
        let real = |end: u32| if end == 0 { largest } else { end };
        self.0.iter().any(|(from, to)| {
            let (from, to) = (real(*from), real(*to));
            (from.min(to)..=from.max(to)).contains(&number)
        })
    }

    /// Whether the set names a number beyond `largest`, or `*` where there is nothing.
    pub(super) fn exceeds(&self, largest: u32) -> bool {
        self.0.iter().any(|(from, to)| largest == 0 || *from > largest || *to > largest)
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_star_is_the_largest_on_either_side() {
        let set = Set::parse("2,9:*").unwrap();
        assert!(set.contains(2, 5) && set.contains(5, 5) && !set.contains(4, 5));
        assert!(Set::parse("*:3").unwrap().contains(4, 5));
    }

    #[test]
    fn numbers_beyond_the_mailbox_are_noticed() {
        assert!(Set::parse("1:9").unwrap().exceeds(3));
        assert!(!Set::parse("1:*").unwrap().exceeds(3));
        assert!(Set::parse("1:*").unwrap().exceeds(0));
    }

    #[test]
    fn nonsense_is_no_set() {
        for text in ["", "0", "1:", "a", "1,,2", "-1"] {
            assert_eq!(Set::parse(text), None, "{text}");
        }
    }
}
