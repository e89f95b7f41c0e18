//! What text is made of, seen in one pass and without a branch for each octet.

/// Octets that are looked at in one step. Of rows of this length the compiler makes vectors.
const ROW: usize = 32;

/// What a block of text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// No CR is without its LF, no LF without its CR, and there is no NUL. Of nothing this cannot
    /// be said.
    pub(crate) crlf_only: bool,
    /// An octet is above 127.
    pub(crate) eight_bit: bool,
}

impl Look {
    pub(crate) fn at(block: &[u8]) -> Self {
        let (Some((first, behind)), Some((last, ahead))) =
            (block.split_first(), block.split_last())
        else {
            return Self { crlf_only: false, eight_bit: false };
        };
        let mut seen = Seen { unpaired: [0; ROW], all: [*first; ROW], least: [*first; ROW] };
        // Each octet but the first, beside the one before it.
        for (before, octets) in ahead.as_chunks().0.iter().zip(behind.as_chunks().0) {
            seen.see(before, octets);
        }
        match (ahead.last_chunk(), behind.last_chunk()) {
            // What is left, and again some of what was seen: that changes nothing.
            (Some(before), Some(octets)) => seen.see(before, octets),
            _ => {
                for (before, octet) in ahead.iter().zip(behind) {
                    seen.see(&[*before; ROW], &[*octet; ROW]);
                }
            }
        }
        let paired = seen.unpaired == [0; ROW] && *first != b'\n' && *last != b'\r';
        Self { crlf_only: paired && !seen.least.contains(&0), eight_bit: !seen.all.is_ascii() }
    }
}

/// What was seen in each column of the rows.
struct Seen {
    /// Not zero: a CR or an LF was alone.
    unpaired: [u8; ROW],
    /// All bits that were set in any octet.
    all: [u8; ROW],
    least: [u8; ROW],
}

impl Seen {
    #[inline]
    fn see(&mut self, before: &[u8; ROW], octets: &[u8; ROW]) {
        for ((unpaired, before), octet) in self.unpaired.iter_mut().zip(before).zip(octets) {
            *unpaired |= mask(*before == b'\r') ^ mask(*octet == b'\n');
        }
        for ((all, least), octet) in self.all.iter_mut().zip(&mut self.least).zip(octets) {
            *all |= octet;
            *least = (*least).min(*octet);
        }
    }
}

/// The form in which vectors compare.
const fn mask(is: bool) -> u8 {
    if is { u8::MAX } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, octet by octet.
    fn slowly(block: &[u8]) -> Look {
        let paired = |n: usize| match block[n] {
            b'\r' => block.get(n + 1) == Some(&b'\n'),
            b'\n' => n > 0 && block[n - 1] == b'\r',
            octet => octet != 0,
        };
        Look {
            crlf_only: !block.is_empty() && (0..block.len()).all(paired),
            eight_bit: block.iter().any(|octet| *octet > 127),
        }
    }

    #[test]
    fn one_odd_octet_is_seen_wherever_it_stands() {
        for length in 1..=3 * ROW {
            let plain = vec![b'x'; length];
            assert_eq!(Look::at(&plain), slowly(&plain), "{length}");
            for (at, odd) in (0..length).flat_map(|at| b"\r\n\0\xe9".map(|odd| (at, odd))) {
                let mut block = plain.clone();
                block[at] = odd;
                assert_eq!(Look::at(&block), slowly(&block), "{odd} at {at} of {length}");
            }
        }
        assert_eq!(Look::at(b""), slowly(b""));
    }

    proptest! {
        #[test]
        fn a_look_sees_what_octets_tell_one_by_one(
            text in "((\r\n)|[a\u{e9}.]|(\r\n)){0,90}",
            odd in proptest::option::of((0_usize..200, prop::sample::select(b"\r\n\0".to_vec()))),
        ) {
            let mut block = text.into_bytes();
            if let Some((at, octet)) = odd
                && let Some(place) = block.get_mut(at)
            {
                *place = octet;
            }
            prop_assert_eq!(Look::at(&block), slowly(&block));
        }
    }
}
