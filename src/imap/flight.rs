//! Several commands in one flight: how they are sent, and how their answers find them.
//!
//! ```text
//! run_all        a command for each of many things       results in the order of the commands
//! launch         the same, for one who reads step by step
//! launch_behind  behind a SELECT whose answer is not awaited
//! run_split      a command for each piece of a long set  one after another
//! ```
//!
//! How many of them lie unanswered at a server is seen to by the core.

use crate::Stage;

use super::command::select::Select;
use super::command::{Command, Fit, Piecewise};
use super::proto::response::Response;
use super::proto::{Core, Step, Tag};
use super::session::Session;
use super::{Error, Event, UidSet};

/// Commands that were sent together, of which not all are answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    first: Tag,
    commands: u32,
    left: u32,
    /// What they are, for errors.
    stage: Stage,
}

impl Flight {
    pub(crate) const fn none(stage: Stage) -> Self {
        Self { first: Tag::NONE, commands: 0, left: 0, stage }
    }

    pub(crate) const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether all of them were answered.
    pub(crate) const fn is_over(&self) -> bool {
        self.left == 0
    }

    pub(crate) const fn has(&self, tag: Tag) -> bool {
        tag.behind(self.first) < self.commands
    }

    /// Which of the commands has this tag.
    fn place(&self, tag: Tag) -> Option<usize> {
        self.has(tag).then(|| tag.behind(self.first) as usize)
    }

    const fn add(&mut self, tag: Tag) {
        if self.commands == 0 {
            self.first = tag;
        }
        self.commands += 1;
        self.left += 1;
    }

    /// No more of them is looked for.
    pub(crate) const fn end(&mut self) {
        *self = Self::none(self.stage);
    }

    /// One of them was answered.
    pub(crate) const fn landed(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}

impl Session {
    /// Runs commands that do not depend on each other: their results in the order of the commands.
    /// What is refused to one of them is its own result; the error is that of a connection that
    /// broke.
    pub(crate) async fn run_all<C: Command>(
        &mut self,
        mut commands: Vec<C>,
        stage: Stage,
    ) -> Result<Vec<Result<C::Output, Error>>, Error> {
        let flight = self.launch(&commands, stage).await?;
        let utf8 = self.core().takes_utf8();
        for (command, at) in commands.iter_mut().zip(0..) {
            command.started(flight.first.next(at), utf8);
        }
        let mut replies: Vec<_> = commands.iter().map(|_| None).collect();
        let mut left = commands.len();
        // Those that may have been sent and are not answered. To look at all of thousands for each
        // response would take long.
        let mut unsent = 0..commands.len();
        let mut waiting: Vec<_> = unsent.by_ref().take(Core::WINDOW).collect();
        while left > 0 {
            match self.step(stage).await? {
                Step::Data { tag, frame } => {
                    let response = Response::parse(&frame);
                    let fit = |at: &usize| {
                        let command = commands.get(*at)?;
                        Some(((command.fit(&response), !command.is_served()), *at))
                    };
                    // Of several that ask for the same, each gets an answer; the first of those
                    // that have none is the last of the highest from behind.
                    let best = waiting.iter().rev().filter_map(fit).max_by_key(|(fit, _)| *fit);
                    let best = best.filter(|((fit, _), _)| flight.has(tag) && *fit >= Fit::Loose);
                    match best.and_then(|(_, at)| commands.get_mut(at)) {
                        Some(command) => self.hand(command, frame),
                        None => self.core_mut().unclaimed(&response, &frame),
                    }
                }
                Step::Fetched { tag } => {
                    let command = flight.place(tag).and_then(|at| commands.get_mut(at));
                    if let Some((command, message)) = command.zip(self.core_mut().take_fetched()) {
                        command.fetched(message);
                    }
                }
                Step::Done { tag, reply } => {
                    let place = flight.place(tag);
                    if let Some(place) = place.and_then(|at| replies.get_mut(at)) {
                        *place = Some(self.judge(reply, stage));
                        left -= 1;
                    }
                    waiting.retain(|at| Some(*at) != place);
                    waiting.extend(unsent.by_ref().take(Core::WINDOW - waiting.len()));
                }
                _ => {}
            }
        }
        let answered = commands.into_iter().zip(replies.into_iter().flatten());
        Ok(answered.map(|(command, reply)| reply.map(|reply| command.finish(reply))).collect())
    }

    /// Brings the connection to rest and sends commands.
    pub(crate) async fn launch<C: Command>(
        &mut self,
        commands: &[C],
        stage: Stage,
    ) -> Result<Flight, Error> {
        self.rest(stage).await?;
        let lines = commands.iter().map(|command| self.encode(command));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        self.settle(stage).await?;
        let mut flight = Flight::none(stage);
        for (line, command) in lines.into_iter().zip(commands) {
            flight.add(self.start(line, command)?);
        }
        Ok(flight)
    }

    /// Sends SELECT, and behind it commands that change nothing, whatever mailbox they reach, and of
    /// which errors say `stage`. Comes back when SELECT is answered.
    ///
    /// # Errors
    /// SELECT failed. The commands behind it have been answered, or were not sent. Or SELECT has
    /// opened the mailbox, and one of them was refused before it was answered.
    pub(crate) async fn launch_behind<C: Command>(
        &mut self,
        select: Select,
        commands: &[C],
        stage: Stage,
    ) -> Result<Flight, Error> {
        const STAGE: Stage = Stage::Command("SELECT");
        self.rest(STAGE).await?;
        let lines = commands.iter().map(|command| self.encode(command));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        let first = self.launch(&[select], STAGE).await?;
        let mut flight = Flight::none(stage);
        for (line, command) in lines.into_iter().zip(commands) {
            flight.add(self.start(line, command)?);
        }
        let mut refused = None;
        loop {
            match self.step(STAGE).await? {
                Step::Done { tag, reply } if first.has(tag) => match self.judge(reply, STAGE) {
                    Ok(_) => return refused.map_or(Ok(flight), Err),
                    Err(mut error) => {
                        // No mailbox is selected now, and the server says so to the rest.
                        let settled = self.settle(STAGE).await;
                        if let (Error::Refused { usable, .. }, Err(_)) = (&mut error, settled) {
                            *usable = false;
                        }
                        return Err(error);
                    }
                },
                // A server that cannot read it need not wait with its answer until SELECT is done.
                Step::Done { tag, reply } if flight.has(tag) => {
                    flight.landed();
                    if let Err(error) = self.judge(reply, stage) {
                        refused.get_or_insert(error);
                    }
                }
                // The mailbox was not open yet, so that this is no answer to what was asked of it.
                Step::Fetched { .. } => {
                    let message = self.core_mut().take_fetched();
                    message
                        .into_iter()
                        .for_each(|message| self.core_mut().keep(Event::Fetch(message)));
                }
                _ => {}
            }
        }
    }

    /// One command for each piece of a set that is too long for one line.
    pub(crate) fn split<C: Command>(
        &self,
        set: &UidSet,
        command: impl Fn(UidSet) -> C,
    ) -> Result<Vec<C>, Error> {
        if set.is_empty() {
            return Ok(Vec::new());
        }
        let whole = command(set.clone());
        let Some((_, limit)) = self.too_long(&whole)? else { return Ok(vec![whole]) };
        let shortest = UidSet::all();
        let octets = shortest.to_string().len();
        let beside = self.octets(&command(shortest))? - octets;
        // What is too long without the set is not made any shorter by splitting it.
        match limit.checked_sub(beside).filter(|room| *room > 0) {
            Some(room) => Ok(set.split(room).into_iter().map(command).collect()),
            None => Ok(vec![whole]),
        }
    }

    /// If a command has a line that is longer than the server takes: how long it is, and how long it
    /// may be.
    pub(crate) fn too_long<C: Command>(
        &self,
        command: &C,
    ) -> Result<Option<(usize, usize)>, Error> {
        let limit = self.most_of_line();
        let octets = self.octets(command)?;
        Ok((octets > limit).then_some((octets, limit)))
    }

    /// How many octets a line may have that begins a command.
    pub(crate) fn most_of_line(&self) -> usize {
        let most = self.settings.endpoint.profile().command_line();
        // Yahoo takes no more (MailKit knows it by the same word), nor does UW IMAP.
        let yahoo = self.core().capabilities().has("XYMHIGHESTMODSEQ");
        let short = yahoo || self.core().habits().short_lines;
        if short { most.min(1000) } else { most }
    }

    /// Octets of the longest line of a command.
    fn octets<C: Command>(&self, command: &C) -> Result<usize, Error> {
        /// The longest tag, the space behind it, and the end of the line.
        const AROUND: usize = b"A4294967295 \r\n".len();
        Ok(self.encode(command)?.longest() + AROUND)
    }

    /// Runs one command for each piece of a set that is too long for one line, one after another:
    /// when one is refused, no more are sent. Gives what they give together, and nothing if the set
    /// is empty.
    pub(crate) async fn run_split<C: Piecewise>(
        &mut self,
        set: &UidSet,
        stage: Stage,
        command: impl Fn(UidSet) -> C,
    ) -> Result<Option<C::Output>, Error> {
        self.rest(stage).await?;
        let mut commands = self.split(set, command)?;
        // Where the last message is gone, `5000:*` may be `20:5000`.
        if C::REMOVES && set.names_the_last() {
            commands.rotate_right(1);
        }
        self.run_pieces(commands, stage).await
    }

    /// The same for commands that were split already.
    pub(crate) async fn run_pieces<C: Piecewise>(
        &mut self,
        commands: Vec<C>,
        stage: Stage,
    ) -> Result<Option<C::Output>, Error> {
        let mut output = None;
        for mut command in commands {
            if let Some(before) = output.take() {
                command.go_on_from(before);
            }
            output = Some(self.run(command, stage).await?);
        }
        Ok(output)
    }
}
