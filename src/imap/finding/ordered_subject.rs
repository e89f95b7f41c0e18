//! THREAD ORDEREDSUBJECT, RFC 5256 section 3: messages of the same base subject are a thread, and
//! the first of them is the parent of all others.

use super::{Entry, Placed};

/// The threads of these messages, which are in the order of the mailbox.
pub(crate) fn threads(entries: &[Entry]) -> Vec<Placed> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by_key(|entry| (entry.subject.as_str(), entry.sent, entry.uid));
    let mut threads: Vec<_> = sorted.chunk_by(|one, other| one.subject == other.subject).collect();
    threads.sort_by_key(|thread| thread.first().map(|first| (first.sent, first.uid)));
    let placed = threads.iter().flat_map(|thread| {
        thread.iter().enumerate().map(|(at, entry)| (entry.uid, u32::from(at > 0)))
    });
    placed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_come_by_their_first_message_and_nobody_has_grandchildren() {
        let entry = |uid, subject: &str, sent| Entry {
            uid,
            subject: subject.to_owned(),
            sent,
            ..Entry::default()
        };
        let entries = [
            entry(1, "B", 40),
            entry(2, "A", 30),
            entry(3, "B", 20),
            entry(4, "A", 30),
            entry(5, "B", 50),
            entry(6, "", 60),
        ];
        assert_eq!(threads(&entries), [(3, 0), (1, 1), (5, 1), (2, 0), (4, 1), (6, 0)]);
        assert_eq!(threads(&[]), []);
    }
}
