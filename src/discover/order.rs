//! In which order servers are to be tried (RFC 2782, "Usage rules").

use std::hash::{BuildHasher, RandomState};

/// A number that nobody outside can foresee.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// Puts the records of one priority into an order by chance, in which those of larger weight tend to
/// stand in front. `random` gives numbers; the sums of weights are far below their range.
pub(super) fn shuffle<T>(
    mut rest: Vec<T>,
    weight: impl Fn(&T) -> u16,
    random: &mut dyn FnMut() -> u64,
) -> Vec<T> {
    // Those of no weight come first, which gives them a small chance.
    rest.sort_by_key(|record| weight(record) != 0);
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let total: u64 = rest.iter().map(|record| u64::from(weight(record))).sum();
        let chosen = random() % (total + 1);
        let mut sum = 0;
        let at = rest.iter().position(|record| {
            sum += u64::from(weight(record));
            sum >= chosen
        });
        ordered.push(rest.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_sum_chooses_as_in_the_rfc() {
        // Running sums: a 0, b 1, c 4.
        let records = || vec![("b", 1), ("c", 3), ("a", 0)];
        for (number, first) in [(0, "a"), (1, "b"), (2, "c"), (4, "c"), (5, "a")] {
            let got = shuffle(records(), |record| record.1, &mut || number);
            assert_eq!(got[0].0, first, "{number}");
            assert_eq!(got.len(), 3);
        }
    }

    #[test]
    fn all_of_the_largest_weight_is_no_overflow() {
        let records = vec![u16::MAX; 500];
        let mut number = 0_u64;
        let got = shuffle(records, |weight| *weight, &mut || {
            number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
            number
        });
        assert_eq!(got.len(), 500);
    }

    #[test]
    fn numbers_by_chance_differ() {
        assert_ne!(random(), random());
    }
}
