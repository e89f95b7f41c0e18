//! The order of SORT, RFC 5256 section 3: by each key in turn, and at last by the place in the
//! mailbox.

use std::cmp::Ordering;

/// What a message is sorted by under one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Number(i64),
    Text(Box<str>),
}

impl Value {
    /// Octets that it has on the heap.
    pub(crate) const fn octets(&self) -> usize {
        match self {
            Self::Number(_) => 0,
            Self::Text(text) => text.len(),
        }
    }
}

/// Sorts messages that are in the order of the mailbox. `reversed`: which keys descend; where all
/// are alike, nothing is reversed.
pub(crate) fn sort<T>(messages: &mut [(T, Box<[Value]>)], reversed: &[bool]) {
    messages.sort_by(|(_, one), (_, other)| {
        let keys = one.iter().zip(other).zip(reversed);
        let orders = keys.map(|((one, other), reversed)| match reversed {
            true => other.cmp(one),
            false => one.cmp(other),
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_stays_in_the_order_of_the_mailbox_even_when_reversed() {
        let row = |uid, size, text: &str| {
            (uid, vec![Value::Number(size), Value::Text(text.into())].into_boxed_slice())
        };
        let mut rows = [row(1, 5, "b"), row(2, 7, "a"), row(3, 5, "b"), row(4, 5, "a")];
        let sorted =
            |rows: &[(i32, Box<[Value]>)]| rows.iter().map(|row| row.0).collect::<Vec<_>>();
        sort(&mut rows, &[false, false]);
        assert_eq!(sorted(&rows), [4, 1, 3, 2]);
        rows.sort_by_key(|row| row.0);
        sort(&mut rows, &[true, true]);
        assert_eq!(sorted(&rows), [2, 1, 3, 4]);
    }
}
