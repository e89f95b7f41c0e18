//! Finds what ends a string or a word, sixteen octets at a time.
//!
//! Most strings of an ENVELOPE and a BODYSTRUCTURE have no more, too few for what a call of
//! [`memchr::memchr2`] costs, which first asks how wide the vectors of this processor are. Of
//! those that every processor of its kind has, five instructions are left in place of the call.

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use memchr::arch::aarch64::neon::memchr::Two;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use memchr::arch::x86_64::sse2::memchr::Two;

/// So many octets are looked at in one step.
pub(crate) type Row = [u8; 16];

/// Where the first octet is that is one of two.
#[inline(always)]
pub(crate) fn either(row: &Row, one: u8, other: u8) -> Option<usize> {
    #[cfg(any(
        all(target_arch = "aarch64", target_feature = "neon"),
        all(target_arch = "x86_64", target_feature = "sse2"),
    ))]
    {
        // It is no more than fifteen, which the compiler does not know.
        Two::new(one, other)?.find(row).map(|within| within % size_of::<Row>())
    }
    #[cfg(not(any(
        all(target_arch = "aarch64", target_feature = "neon"),
        all(target_arch = "x86_64", target_feature = "sse2"),
    )))]
    {
        row.iter().position(|octet| *octet == one || *octet == other)
    }
}

/// The same in a text of any length.
pub(super) fn either_in(text: &[u8], one: u8, other: u8) -> Option<usize> {
    let (rows, rest) = text.as_chunks();
    for (at, row) in rows.iter().enumerate() {
        if let Some(within) = either(row, one, other) {
            return Some(at * size_of::<Row>() + within);
        }
    }
    let within = rest.iter().position(|octet| *octet == one || *octet == other)?;
    Some(text.len() - rest.len() + within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_octet_is_found_where_a_plain_search_finds_it(
            text in "[a-z\u{80}-\u{ff}\"\\\\]{0,50}"
        ) {
            let plain = text.bytes().position(|octet| matches!(octet, b'"' | b'\\'));
            prop_assert_eq!(either_in(text.as_bytes(), b'"', b'\\'), plain);
        }
    }
}
