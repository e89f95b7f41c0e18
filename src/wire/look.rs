//! What text is made of, seen without a branch for each octet, and in ordinary text without one for
//! each line.

use memchr::{memchr, memchr_iter};

/// What a block of text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// No CR is without its LF, no LF without its CR, and there is no NUL. Of nothing this cannot
    /// be said.
    pub(crate) crlf_only: bool,
    /// An octet is above 127.
    pub(crate) eight_bit: bool,
    /// A dot stands behind an LF or at the front.
    pub(crate) dots: bool,
    /// Octets from one LF to the next, with that one, where they are most.
    pub(crate) longest: usize,
}

impl Look {
    pub(crate) fn at(block: &[u8]) -> Self {
        let lines = Lines::like_the_last(block);
        if lines.crlf_only && plain(block) + 2 * lines.count == block.len() {
            // All that is not plain is in the ends of lines that were found, so that none was
            // passed over.
            return Self::of(&lines, !block.is_empty(), false);
        }
        let ends = memchr_iter(b'\n', block).count();
        let lines = if lines.count == ends { lines } else { Lines::one_by_one(block) };
        let bare = !lines.crlf_only || memchr_iter(b'\r', block).count() != ends;
        let crlf_only = !(block.is_empty() || bare || memchr(0, block).is_some());
        Self::of(&lines, crlf_only, !block.is_ascii())
    }

    /// Takes in what was seen of another block.
    pub(crate) fn add(&mut self, other: &Self) {
        self.crlf_only &= other.crlf_only;
        self.eight_bit |= other.eight_bit;
        self.dots |= other.dots;
        self.longest = self.longest.max(other.longest);
    }

    const fn of(lines: &Lines, crlf_only: bool, eight_bit: bool) -> Self {
        Self { crlf_only, eight_bit, dots: lines.dots, longest: lines.longest }
    }
}

/// The lines of a block, of which the last may have no end.
struct Lines {
    /// Those with an end.
    count: usize,
    /// There is a CR before each LF that was found.
    crlf_only: bool,
    dots: bool,
    longest: usize,
}

impl Lines {
    /// Finds a line and passes over all behind it that seem to be of its length: those of base64
    /// are. If they are not, ends of lines were passed over, too.
    fn like_the_last(block: &[u8]) -> Self {
        Self::of(block, |line, rest| {
            let alike = rest.chunks_exact(line.len()).take_while(|line| line.ends_with(b"\r\n"));
            alike.fold((0, false), |(count, dots), line| (count + 1, dots | (line[0] == b'.')))
        })
    }

    fn one_by_one(block: &[u8]) -> Self {
        Self::of(block, |_, _| (0, false))
    }

    /// `alike` gives how many lines behind the one that was found are of its length, and whether
    /// one of them begins with a dot.
    fn of(block: &[u8], alike: impl Fn(&[u8], &[u8]) -> (usize, bool)) -> Self {
        let mut lines = Self { count: 0, crlf_only: true, dots: false, longest: 0 };
        let mut rest = block;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(end + 1);
            let (more, dots) = alike(line, behind);
            lines.count += 1 + more;
            lines.crlf_only &= line.ends_with(b"\r\n");
            lines.dots |= dots | (line[0] == b'.');
            lines.longest = lines.longest.max(line.len());
            rest = &behind[more * line.len()..];
        }
        lines.dots |= rest.starts_with(b".");
        lines.longest = lines.longest.max(rest.len());
        lines
    }
}

/// Octets that are counted in one step. Of rows of this length the compiler makes vectors.
const ROW: usize = 128;

/// Octets that are neither above 127 nor among the control characters up to CR: NUL and the ends
/// of lines are not, and a tab, of which there are few, is not either.
fn plain(block: &[u8]) -> usize {
    let (rows, rest) = block.as_chunks();
    // NUL is not counted.
    let mut last = [0; ROW];
    last[..rest.len()].copy_from_slice(rest);
    // As many rows as can be counted in an octet.
    let counted = rows.chunks(usize::from(u8::MAX)).map(plain_in);
    counted.sum::<usize>() + plain_in(&[last])
}

/// Counts column by column.
fn plain_in(rows: &[[u8; ROW]]) -> usize {
    let mut columns = [0_u8; ROW];
    for row in rows {
        for (column, octet) in columns.iter_mut().zip(row) {
            *column += u8::from(octet.cast_signed() > b'\r'.cast_signed());
        }
    }
    usize::from(columns.iter().fold(0, |sum, column| sum + u16::from(*column)))
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
        let lines: Vec<&[u8]> = block.split_inclusive(|octet| *octet == b'\n').collect();
        Look {
            crlf_only: !block.is_empty() && (0..block.len()).all(paired),
            eight_bit: block.iter().any(|octet| *octet > 127),
            dots: lines.iter().any(|line| line.starts_with(b".")),
            longest: lines.iter().map(|line| line.len()).max().unwrap_or(0),
        }
    }

    #[test]
    fn one_odd_octet_is_seen_wherever_it_stands() {
        for length in 1..=3 * ROW {
            let plain = vec![b'x'; length];
            assert_eq!(Look::at(&plain), slowly(&plain), "{length}");
            for (at, odd) in (0..length).flat_map(|at| b"\r\n\0\t\xe9".map(|odd| (at, odd))) {
                let mut block = plain.clone();
                block[at] = odd;
                assert_eq!(Look::at(&block), slowly(&block), "{odd} at {at} of {length}");
            }
        }
        assert_eq!(Look::at(b""), slowly(b""));
    }

    #[test]
    fn one_odd_octet_is_seen_among_lines_of_one_length() {
        let lines = b"abcdef\r\n".repeat(12);
        for (at, odd) in (0..lines.len()).flat_map(|at| b"\r\n\0\t.\xe9".map(|odd| (at, odd))) {
            let mut block = lines.clone();
            block[at] = odd;
            assert_eq!(Look::at(&block), slowly(&block), "{odd} at {at}");
        }
    }

    #[test]
    fn a_line_that_lies_in_what_looks_like_one_is_seen() {
        for text in ["abcdef\r\nab\r\n\r\n", "abcdef\r\n\r\n.\r\n\r\n", "abcdef\r\n\n.x\n\r\n"] {
            assert_eq!(Look::at(text.as_bytes()), slowly(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn no_row_is_too_many_to_be_counted() {
        for rows in [254, 255, 256, 511] {
            let block = vec![b'x'; rows * ROW];
            assert_eq!(plain(&block), block.len());
            assert_eq!(plain(&[&block[..], b"\r\n"].concat()), block.len());
        }
    }

    proptest! {
        #[test]
        fn a_look_sees_what_octets_tell_one_by_one(
            text in "((\r\n)|[a\t\u{e9}.]|(\r\n)){0,90}",
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
