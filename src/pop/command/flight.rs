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
    wanted: VecDeque<u32>,
    asked: VecDeque<u32>,
    /// Octets of the commands that are not answered.
    unanswered: usize,
    /// The most that they may be; nothing until it is known whether the server pipelines.
    window: Option<usize>,
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
        }
    }

    /// One command for each of `numbers`.
    pub(crate) fn new(
        verb: &'static str,
        shape: Shape,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Self {
        Self { verb, shape, wanted: numbers.into_iter().collect(), ..Self::none() }
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
        self.asked.iter().copied()
    }

    /// Commands to be sent now, one after the other.
    ///
    /// They go out in batches of half a window, so that a write is not spent on each.
    pub(crate) fn take(&mut self) -> Vec<String> {
        let window = self.window.unwrap_or(0);
        let mut lines = Vec::new();
        if self.unanswered > window / 2 {
            return lines;
        }
        while let Some(number) = self.wanted.front() {
            let line = format!("{} {number}", self.verb);
            let unanswered = self.unanswered + octets(&line);
            if unanswered > window && !self.asked.is_empty() {
                break;
            }
            self.unanswered = unanswered;
            self.asked.extend(self.wanted.pop_front());
            lines.push(line);
        }
        lines
    }

    /// The message that the next answer is about.
    pub(crate) fn answered(&mut self) -> Option<u32> {
        let number = self.asked.pop_front()?;
        let line = format!("{} {number}", self.verb);
        self.unanswered = self.unanswered.saturating_sub(octets(&line));
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
