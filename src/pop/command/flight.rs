//! Commands on many messages, some of them sent before the last is answered (RFC 2449 section 6.6).
//!
//! Only so many octets of commands are ever unanswered, since a server that is busy writing may
//! not read: they must find room in the buffers between here and there. Answers need none: they
//! are read when the caller asks for them.

use std::collections::VecDeque;

use crate::pop::proto::Shape;

/// What is still to be asked, and what was and is not answered.
#[derive(Debug)]
pub(crate) struct Flight {
    verb: &'static str,
    shape: Shape,
    wanted: VecDeque<Wanted>,
    asked: VecDeque<Wanted>,
    /// Octets of the commands that are not answered.
    unanswered: usize,
    /// The most that they may be; nothing until it is known whether the server pipelines.
    window: Option<usize>,
    /// Octets of the answers that have not come.
    coming: u64,
    /// Nothing more is asked for where they would be as many, but for one answer.
    most_coming: u64,
}

/// A message, and the octets of the answer about it, where they count.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    number: u32,
    octets: u64,
}

impl Flight {
    /// With nothing in it.
    pub(crate) const fn none() -> Self {
        Self {
            verb: "",
            shape: Shape::Line,
            wanted: VecDeque::new(),
            asked: VecDeque::new(),
            unanswered: 0,
            window: None,
            coming: 0,
            most_coming: u64::MAX,
        }
    }

    /// One command for each of `numbers`.
    pub(crate) fn new(
        verb: &'static str,
        shape: Shape,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Self {
        let wanted = numbers.into_iter().map(|number| Wanted { number, octets: 0 }).collect();
        Self { verb, shape, wanted, ..Self::none() }
    }

    /// The same with the octets of each answer, of which fewer than `most_coming` are asked for
    /// ahead; with 0 nothing is.
    pub(crate) fn bounded(
        verb: &'static str,
        shape: Shape,
        sizes: impl IntoIterator<Item = (u32, u64)>,
        most_coming: u64,
    ) -> Self {
        let wanted = sizes.into_iter().map(|(number, octets)| Wanted { number, octets }).collect();
        Self { verb, shape, wanted, most_coming, ..Self::none() }
    }

    /// The keyword of its commands.
    pub(crate) const fn verb(&self) -> &'static str {
        self.verb
    }

    /// What each is answered by.
    pub(crate) const fn shape(&self) -> Shape {
        self.shape
    }

    /// How many are not answered yet.
    pub(crate) fn left(&self) -> usize {
        self.wanted.len() + self.asked.len()
    }

    /// Whether commands go out.
    pub(crate) const fn has_begun(&self) -> bool {
        self.window.is_some()
    }

    /// From here on at most `window` octets may be unanswered, and always one command.
    pub(crate) const fn begin(&mut self, window: usize) {
        self.window = Some(window);
    }

    /// Leaves out what was not asked yet.
    pub(crate) fn ask_no_more(&mut self) {
        self.wanted.clear();
    }

    /// The messages that were asked about and not answered yet.
    pub(crate) fn asked(&self) -> impl Iterator<Item = u32> {
        self.asked.iter().map(|asked| asked.number)
    }

    /// Commands to be sent now, one after the other.
    ///
    /// They go out in batches of half a window, so that a write is not spent on each.
    pub(crate) fn take(&mut self) -> Vec<String> {
        let window = self.window.unwrap_or(0);
        let mut lines = Vec::new();
        if self.unanswered > window / 2 || self.coming > self.most_coming / 2 {
            return lines;
        }
        while let Some(next) = self.wanted.front() {
            let line = format!("{} {}", self.verb, next.number);
            let unanswered = self.unanswered + octets(&line);
            let coming = self.coming.saturating_add(next.octets);
            let too_much = unanswered > window || coming >= self.most_coming;
            if too_much && !self.asked.is_empty() {
                break;
            }
            (self.unanswered, self.coming) = (unanswered, coming);
            self.asked.extend(self.wanted.pop_front());
            lines.push(line);
        }
        lines
    }

    /// The message that the next answer is about.
    pub(crate) fn answered(&mut self) -> Option<u32> {
        let Wanted { number, octets: came } = self.asked.pop_front()?;
        let line = format!("{} {number}", self.verb);
        self.unanswered = self.unanswered.saturating_sub(octets(&line));
        self.coming = self.coming.saturating_sub(came);
        Some(number)
    }
}

/// Of a line with its end.
const fn octets(line: &str) -> usize {
    line.len() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retr(numbers: std::ops::RangeInclusive<u32>, window: usize) -> Flight {
        let mut flight = Flight::new("RETR", Shape::Message, numbers);
        flight.begin(window);
        flight
    }

    #[test]
    fn no_more_octets_are_unanswered_than_the_window_holds() {
        let mut flight = retr(1..=2000, 4096);
        let mut answered = 0;
        while flight.left() > 0 {
            flight.take();
            assert!(flight.unanswered <= 4096);
            assert!(!flight.asked.is_empty(), "nothing would ever be answered");
            answered += 1;
            assert_eq!(flight.answered(), Some(answered));
        }
        assert_eq!((answered, flight.unanswered), (2000, 0));
    }

    #[test]
    fn commands_go_out_in_batches_of_half_a_window() {
        let mut flight = retr(100..=999, 100);
        assert_eq!(flight.take().len(), 10);
        for _ in 0..4 {
            flight.answered();
            assert_eq!(flight.take(), Vec::<String>::new());
        }
        flight.answered();
        assert_eq!(flight.take(), ["RETR 110", "RETR 111", "RETR 112", "RETR 113", "RETR 114"]);
    }

    #[test]
    fn no_more_is_asked_for_ahead_than_the_bound_says() {
        let sizes = [400, 400, 400, 5000, u64::MAX, u64::MAX, 1, 1];
        let asked = |most_coming| {
            let sizes = (1..).zip(sizes);
            let mut flight = Flight::bounded("RETR", Shape::Message, sizes, most_coming);
            flight.begin(4096);
            let mut asked = Vec::new();
            while flight.left() > 0 {
                flight.take();
                asked.push(flight.asked.len());
                flight.answered();
            }
            assert_eq!((flight.unanswered, flight.coming), (0, 0));
            asked
        };
        assert_eq!(asked(1000), [2, 2, 1, 1, 1, 1, 2, 1]);
        assert_eq!(asked(0), [1; 8]);
    }

    #[test]
    fn without_a_window_commands_go_one_by_one() {
        let mut flight = retr(1..=3, 0);
        for number in 1..=3 {
            assert_eq!(flight.take(), [format!("RETR {number}")]);
            assert!(flight.take().is_empty());
            assert_eq!(flight.answered(), Some(number));
        }
        assert!(flight.take().is_empty() && flight.answered().is_none());
    }
}
