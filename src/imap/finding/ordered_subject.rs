//! THREAD ORDEREDSUBJECT, RFC 5256 section 3: messages of the same base subject are a thread, and
//! the first of them is the parent of all others.

use super::{Letter, Placed};

/// The threads of these messages, which are in the order of the mailbox.
pub(crate) fn threads(letters: &[Letter]) -> Vec<Placed> {
    let mut sorted: Vec<&Letter> = letters.iter().collect();
    sorted.sort_by_key(|letter| (letter.subject.as_str(), letter.sent, letter.uid));
    let mut threads: Vec<_> = sorted.chunk_by(|one, other| one.subject == other.subject).collect();
    threads.sort_by_key(|thread| thread.first().map(|first| (first.sent, first.uid)));
    let placed = threads.iter().flat_map(|thread| {
        thread.iter().enumerate().map(|(at, letter)| (letter.uid, u32::from(at > 0)))
    });
    placed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_come_by_their_first_message_and_nobody_has_grandchildren() {
        let letter = |uid, subject: &str, sent| Letter {
            uid,
            subject: subject.to_owned(),
            sent,
            ..Letter::default()
        };
        let letters = [
            letter(1, "B", 40),
            letter(2, "A", 30),
            letter(3, "B", 20),
            letter(4, "A", 30),
            letter(5, "B", 50),
            letter(6, "", 60),
        ];
        assert_eq!(threads(&letters), [(3, 0), (1, 1), (5, 1), (2, 0), (4, 1), (6, 0)]);
        assert_eq!(threads(&[]), []);
    }
}
