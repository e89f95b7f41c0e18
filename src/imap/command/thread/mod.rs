//! THREAD, RFC 5256: a search whose result is told by who replies to whom.
//!
//! ```text
//! C: A4 UID THREAD REFERENCES UTF-8 SINCE 5-Mar-2000
//! S: * THREAD (2)(3 6 (4 23)(44 7 96))
//! S: A4 OK THREAD completed
//! ```
//!
//! Trees are kept as lists of messages with their levels, and read without recursion: a thread may
//! be as deep as it is long.
//!
//! Where there is no THREAD, `by_client` does the same.

mod by_client;

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;

use bytes::Bytes;

use super::modifier::Need;
use super::number::Number;
use super::search::Search;
use super::{Command, is_data};
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Effect};
use crate::imap::{Capabilities, DoneBy, Error, Mailbox, Reply, Uid};
use crate::{Misuse, Stage};

/// How threads are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThreadAlgorithm {
    /// `ORDEREDSUBJECT`: by subject; the first message of a thread is the parent of all others.
    OrderedSubject,
    /// `REFERENCES`: by References and In-Reply-To, and by subject where there are none.
    References,
    /// `REFS`: by References and In-Reply-To alone, the thread with the newest message last.
    Refs,
}

impl ThreadAlgorithm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::OrderedSubject => "ORDEREDSUBJECT",
            Self::References => "REFERENCES",
            Self::Refs => "REFS",
        }
    }

    const fn need(self) -> Need {
        match self {
            Self::OrderedSubject => Need::offered(&["THREAD=ORDEREDSUBJECT"]),
            Self::References => Need::offered(&["THREAD=REFERENCES"]),
            Self::Refs => Need::offered(&["THREAD=REFS"]),
        }
    }
}

/// Threads of messages, by [`Uid`] or by sequence number, in the order of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Threads<N> {
    nodes: Vec<Node>,
    unread: usize,
    fuzzy: bool,
    without_charset: bool,
    done_by: DoneBy,
    numbers: PhantomData<N>,
}

/// A message in its thread, with 0 for one that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    number: u32,
    level: u32,
}

impl<N: From<NonZeroU32>> Threads<N> {
    /// The threads.
    pub const fn iter(&self) -> ThreadIter<'_, N> {
        ThreadIter { nodes: self.nodes.as_slice(), numbers: PhantomData }
    }

    /// How many threads there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether messages were sought that resemble the words, too, and not only those that hold them:
    /// see [`Search::fuzzy_if_offered`].
    pub const fn is_fuzzy(&self) -> bool {
        self.fuzzy
    }

    /// Whether text beyond ASCII was sought without a word on its charset, as for
    /// [`SearchResult::is_without_charset`](crate::imap::SearchResult::is_without_charset): only
    /// where the client has found the threads.
    pub const fn is_without_charset(&self) -> bool {
        self.without_charset
    }

    /// Who has found the threads: the client does where the server cannot.
    pub const fn done_by(&self) -> DoneBy {
        self.done_by
    }

    /// How many answers could not be read. If the server has found the threads, they are among the
    /// events, and threads are missing here. If the client has, messages may be missing, or be in
    /// a thread of their own that belong into another.
    pub const fn unread(&self) -> usize {
        self.unread
    }
}

impl<'a, N: From<NonZeroU32>> IntoIterator for &'a Threads<N> {
    type Item = Thread<'a, N>;
    type IntoIter = ThreadIter<'a, N>;

    fn into_iter(self) -> ThreadIter<'a, N> {
        self.iter()
    }
}

/// The threads of [`Threads`], one by one.
#[derive(Clone)]
pub struct ThreadIter<'a, N> {
    nodes: &'a [Node],
    numbers: PhantomData<N>,
}

impl<'a, N> Iterator for ThreadIter<'a, N> {
    type Item = Thread<'a, N>;

    fn next(&mut self) -> Option<Thread<'a, N>> {
        let (_, behind) = self.nodes.split_first()?;
        let replies = behind.iter().take_while(|node| node.level > 0).count();
        let (nodes, rest) = self.nodes.split_at_checked(replies + 1)?;
        self.nodes = rest;
        Some(Thread { nodes, numbers: PhantomData })
    }
}

impl<N> fmt::Debug for ThreadIter<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadIter").finish_non_exhaustive()
    }
}

/// One thread, lent by [`Threads`].
#[derive(Clone, Copy)]
pub struct Thread<'a, N> {
    nodes: &'a [Node],
    numbers: PhantomData<N>,
}

impl<'a, N: From<NonZeroU32>> Thread<'a, N> {
    /// Its messages, each before those that reply to it.
    pub fn messages(&self) -> impl Iterator<Item = ThreadMessage<N>> + use<'a, N> {
        self.nodes.iter().map(|node| ThreadMessage {
            level: node.level as usize,
            number: NonZeroU32::new(node.number).map(N::from),
        })
    }
}

/// A message in its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadMessage<N> {
    level: usize,
    number: Option<N>,
}

impl<N: Copy> ThreadMessage<N> {
    /// How many replies it is away from the first message of the thread. It replies to the last
    /// message before it that is one level higher up.
    pub const fn level(&self) -> usize {
        self.level
    }

    /// Its number. `None` for a message that is not in the mailbox, or does not match, and whose
    /// replies belong together.
    pub const fn number(&self) -> Option<N> {
        self.number
    }
}

impl<N: From<NonZeroU32>> fmt::Debug for Threads<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads")
            .field("threads", &self.len())
            .field("messages", &self.nodes.len())
            .finish_non_exhaustive()
    }
}

impl<N> fmt::Debug for Thread<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("messages", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl Mailbox {
    /// The UIDs of the messages that match, by threads.
    ///
    /// ```no_run
    /// # async fn read(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Search, ThreadAlgorithm};
    ///
    /// let threads = inbox.uid_thread(ThreadAlgorithm::References, Search::all()).await?;
    /// for thread in &threads {
    ///     for message in thread.messages() {
    ///         println!("{:indent$}{:?}", "", message.number(), indent = 2 * message.level());
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// A server that does not offer the algorithm is asked for what it wants of each message that
    /// matches, and the client finds the threads: [`Threads::done_by`] says so. See
    /// [`uid_thread_by_client`](Self::uid_thread_by_client) for what that costs.
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search); [`Error::Unsupported`] if the server does not offer
    /// [`ThreadAlgorithm::Refs`], which no RFC describes, and [`Error::Misuse`] for a set of
    /// messages too long for a line.
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn uid_thread(
        &mut self,
        algorithm: ThreadAlgorithm,
        search: Search,
    ) -> Result<Threads<Uid>, Error> {
        self.session.rest(Stage::Command(Uid::THREAD)).await?;
        let core = self.session.core();
        let offered = algorithm.need().is_met(core.capabilities(), core.enabled());
        match offered || algorithm == ThreadAlgorithm::Refs {
            true => self.threads(algorithm, search).await,
            false => self.threads_by_client(algorithm, search).await,
        }
    }

    /// `THREAD`: the sequence numbers of the messages that match, by threads. They move whenever a message is expunged: see
    /// [`uid_thread`](Self::uid_thread), which is nearly always the one to use. The client does not
    /// do this, for they would move while it reads.
    ///
    /// # Errors
    /// As for [`uid_thread`](Self::uid_thread), and [`Error::Unsupported`] where that lets the
    /// client find the threads.
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn thread(
        &mut self,
        algorithm: ThreadAlgorithm,
        search: Search,
    ) -> Result<Threads<NonZeroU32>, Error> {
        self.threads(algorithm, search).await
    }

    async fn threads<N: Number>(
        &mut self,
        algorithm: ThreadAlgorithm,
        search: Search,
    ) -> Result<Threads<N>, Error> {
        self.session.rest(Stage::Command(N::THREAD)).await?;
        let command = ThreadCommand::new(algorithm, search);
        self.session.refuse_too_long(&command, &command.search)?;
        let fuzzy = command.search.is_fuzzy(self.session.core().capabilities());
        let found = self.session.run(command, Stage::Command(N::THREAD)).await?;
        Ok(Threads { fuzzy, ..found })
    }
}

struct ThreadCommand<N> {
    algorithm: ThreadAlgorithm,
    search: Search,
    needs: Vec<Need>,
    found: Threads<N>,
}

impl<N> ThreadCommand<N> {
    fn new(algorithm: ThreadAlgorithm, search: Search) -> Self {
        let needs = [&[algorithm.need()][..], search.needs()].concat();
        let found = Threads {
            nodes: Vec::new(),
            unread: 0,
            fuzzy: false,
            without_charset: false,
            done_by: DoneBy::Server,
            numbers: PhantomData,
        };
        Self { algorithm, search, needs, found }
    }
}

impl<N: Number> Command for ThreadCommand<N> {
    type Output = Threads<N>;

    fn name(&self) -> &'static str {
        N::THREAD
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        line.raw(N::THREAD).raw(" ").raw(self.algorithm.as_str());
        self.search.encode(line.raw(" UTF-8 "), offered)
    }

    fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn effect(&self) -> Effect {
        Effect::Search { saves: false }
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "THREAD"))
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let Response::Data { rest, .. } = response else { return Ok(()) };
        let known = self.found.nodes.len();
        read(rest, &mut self.found.nodes).inspect_err(|_| {
            self.found.nodes.truncate(known);
            self.found.unread += 1;
        })
    }

    fn finish(self, _: Reply) -> Threads<N> {
        self.found
    }
}

/// Lists within lists; one of numbers is a line of replies, each to the one before.
const MOST_NESTED: usize = 10_000;

/// Reads what follows `THREAD`, RFC 5256 section 5.
fn read(rest: &[u8], nodes: &mut Vec<Node>) -> Parsed<()> {
    let mut cursor = Cursor::new(rest);
    // At which level each open list began.
    let mut open: Vec<u32> = Vec::new();
    let mut level = 0;
    let mut just_opened = false;
    while !cursor.at_end() {
        cursor.spaces();
        if cursor.eat(b'(') {
            if just_opened {
                // Its first message is not there.
                nodes.push(Node { number: 0, level });
                level += 1;
            }
            if open.len() >= MOST_NESTED {
                return Err(Malformed("no more than 10,000 threads within threads"));
            }
            open.push(level);
            just_opened = true;
        } else if cursor.eat(b')') {
            level = open.pop().ok_or(Malformed("a thread that was begun before its end"))?;
            just_opened = false;
        } else {
            let number = cursor.digits().and_then(|number| u32::try_from(number).ok());
            let number = number.filter(|number| *number != 0 && !open.is_empty());
            let number = number.ok_or(Malformed("the number of a message in a thread"))?;
            nodes.push(Node { number, level });
            level += 1;
            just_opened = false;
        }
    }
    if open.is_empty() { Ok(()) } else { Err(Malformed("the end of a thread")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::{Date, Event};
    use proptest::prelude::*;

    /// Each thread with the levels of its messages: `3@0 6@1`.
    fn shown<N: Number + Into<u32>>(threads: &Threads<N>) -> Vec<String> {
        let message = |message: ThreadMessage<N>| {
            let number = message.number().map_or(0, Into::into);
            format!("{number}@{}", message.level())
        };
        let thread =
            |thread: Thread<'_, N>| thread.messages().map(message).collect::<Vec<_>>().join(" ");
        threads.iter().map(thread).collect()
    }

    fn all() -> ThreadCommand<Uid> {
        ThreadCommand::new(ThreadAlgorithm::References, Search::all())
    }

    #[test]
    fn the_example_of_rfc_5256_is_read() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID THREAD REFERENCES UTF-8 SINCE 5-Mar-2000
            S: * THREAD (2)(3 6 (4 23)(44 7 96))
            S: A1 OK THREAD completed
        ";
        let since = || Search::all().since(Date::new(2000, 3, 5).unwrap());
        let command = || ThreadCommand::<Uid>::new(ThreadAlgorithm::References, since());
        play(command, script, |played| {
            let threads = played.output.unwrap();
            assert_eq!(shown(&threads), ["2@0", "3@0 6@1 4@2 23@3 44@2 7@3 96@4"]);
            assert_eq!(threads.unread(), 0);
        });
    }

    #[test]
    fn several_lines_are_one_answer_and_a_first_message_may_be_missing() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID THREAD REFERENCES UTF-8 ALL
            S: * THREAD
            S: * THREAD ((3)(5))(166)
            S: * thread  ( 167 ) (172((177)(178 179))180) 
            S: A1 OK done
        ";
        play(all, script, |mut played| {
            let threads = played.output.unwrap();
            assert_eq!(
                shown(&threads),
                ["0@0 3@1 5@1", "166@0", "167@0", "172@0 0@1 177@2 178@2 179@3 180@1"]
            );
            assert!(played.core.take_event().is_none());
        });
    }

    #[test]
    fn what_makes_no_sense_is_an_event_and_counted() {
        let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        for bad in ["(1", "1", "(1))", "(0)", "(4294967296)", "(x)", "(1 \"2\")", &deep] {
            let script = format!(
                "
                S: * PREAUTH hi
                C: A1 UID THREAD REFERENCES UTF-8 ALL
                S: * THREAD (7)
                S: * THREAD (8){bad}
                S: A1 OK done
                "
            );
            let command = std::cell::Cell::new(Some(all()));
            play(
                || command.replace(Some(all())).unwrap(),
                &script,
                |mut played| {
                    let threads = played.output.unwrap();
                    assert_eq!((shown(&threads), threads.unread()), (vec!["7@0".to_owned()], 1));
                    assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
                },
            );
        }
    }

    #[test]
    fn a_line_of_a_hundred_thousand_replies_is_a_thread() {
        let numbers: Vec<_> = (1..=100_000).map(|number: u32| number.to_string()).collect();
        let mut nodes = Vec::new();
        read(format!("({})", numbers.join(" ")).as_bytes(), &mut nodes).unwrap();
        assert_eq!(nodes.last(), Some(&Node { number: 100_000, level: 99_999 }));
    }

    proptest! {
        #[test]
        fn nothing_like_an_answer_makes_it_panic(rest in "[()0-9 ]{0,60}") {
            let mut nodes = Vec::new();
            let _ = read(rest.as_bytes(), &mut nodes);
            let threads = Threads { nodes, ..all().found };
            let _ = format!("{threads:?} {:?}", shown(&threads));
        }
    }
}
