//! Messages on their way, one behind the other.
//!
//! ```text
//! C: MAIL, RCPT…, DATA of the first
//! S: 250, 250…, 354
//! C: content of the first, dot, MAIL, RCPT…, DATA of the second
//! S: 250 of the first; 250, 250…, 354 of the second
//! C: content of the second, dot
//! S: 250 of the second
//! ```
//!
//! What was written and what the server owes is known to the core. Here is what the core cannot
//! know: whose content comes next, and what to tell of a message that never came so far. All of it
//! is kept in a [`Flow`], so that a future that is dropped loses nothing and another goes on.

use std::borrow::Cow;

use crate::Stage;
use crate::machine::Machine;
use crate::net::driver::{Broken, Either};
use crate::smtp::proto::transaction::{CHUNK, MAIL, Transfer};
use crate::smtp::proto::{Ended, Event};
use crate::smtp::{Body, BodyError, Envelope, Error, Receipt, SmtpClient};

/// Octets in the send buffer that are worth a write: few, and the socket runs dry in between; many,
/// and memory is wasted. The last write takes the dot along, so a small message is one write.
const FULL: usize = 64 * 1024;
/// The same for BDAT, of which a chunk is staged beside.
const FULL_OF_CHUNKS: usize = CHUNK;
/// Octets that come on top: a piece of 8 KiB, which grows by less than three times, and the
/// envelope of the next message.
const ON_TOP: usize = 32 * 1024;

/// A message to be sent.
pub(crate) type Message<'a> = (Cow<'a, Envelope>, Body<'a>);

/// Messages under way.
pub(crate) struct Flow<'a> {
    /// The connection was at rest when the first message was begun.
    begun: bool,
    /// The next message, if it was asked for and not begun.
    pulled: Option<Message<'a>>,
    /// The content of the message begun last, until it has been handed over.
    upload: Option<Upload<'a>>,
    /// Why the content of the message begun last is no good, though its envelope is in flight.
    failed: Option<BodyError>,
    /// What became of a message that was not begun. Told when those before it have been.
    held: Option<Error>,
}

struct Upload<'a> {
    body: Body<'a>,
    any_line: bool,
    full: usize,
}

impl Flow<'_> {
    pub(crate) const fn new() -> Self {
        Self { begun: false, pulled: None, upload: None, failed: None, held: None }
    }
}

impl SmtpClient {
    /// What became of the first message that nobody has been told of. Begins those that `next`
    /// gives as soon as they may be; `None` once there is none left.
    pub(crate) async fn advance<'a>(
        &mut self,
        flow: &mut Flow<'a>,
        next: &mut impl FnMut() -> Option<Message<'a>>,
    ) -> Option<Result<Receipt, Error>> {
        if !flow.begun {
            self.note_untold();
        }
        loop {
            if let Some(error) = self.untold().pop_front() {
                return Some(Err(error));
            }
            self.begin(flow, next).await;
            if !self.driver().core().is_sending() {
                let held = flow.held.take();
                if self.driver().core().is_half_way()
                    && let Some(error) = &held
                {
                    self.driver().close_after(error);
                }
                return held.map(Err);
            }
            if let Some(outcome) = self.proceed(flow).await {
                return Some(outcome);
            }
        }
    }

    /// Begins as many messages as may be begun.
    async fn begin<'a>(
        &mut self,
        flow: &mut Flow<'a>,
        next: &mut impl FnMut() -> Option<Message<'a>>,
    ) {
        let pipelining = self.extensions().pipelining();
        while flow.upload.is_none() && flow.held.is_none() && flow.failed.is_none() {
            if flow.begun && !self.driver().core().may_send(pipelining) {
                return;
            }
            if flow.pulled.is_none() {
                flow.pulled = next();
            }
            if flow.pulled.is_none() {
                return;
            }
            let rested = match flow.begun && self.driver().core().is_sending() {
                true => Ok(()),
                false => self.rest(Stage::Command(MAIL)).await,
            };
            flow.begun = true;
            let Some((envelope, body)) = flow.pulled.take() else { return };
            match rested.and_then(|()| self.start(&envelope, &body)) {
                Ok((any_line, full)) => flow.upload = Some(Upload { body, any_line, full }),
                Err(error) => flow.held = Some(error),
            }
        }
    }

    /// Writes the first flight of a message.
    fn start(&mut self, envelope: &Envelope, body: &Body<'_>) -> Result<(bool, usize), Error> {
        let plan = self.plan(envelope, body)?;
        let any_line = self.takes_any_line(body);
        let by_data = plan.transfer == Transfer::Data;
        let core = self.driver().core_mut();
        core.send(envelope, plan).map_err(|error| Error::unwritable("an address", error))?;
        Ok((any_line, if by_data { FULL } else { FULL_OF_CHUNKS }))
    }

    /// Goes on with what is in flight until something has changed; the outcome of the first message
    /// if it has one.
    async fn proceed(&mut self, flow: &mut Flow<'_>) -> Option<Result<Receipt, Error>> {
        let happened = match &mut flow.upload {
            Some(upload) if self.driver().core().takes_content() => self.upload(upload).await,
            Some(upload) if self.driver().core().content_is_over() => {
                let all_left = self.last_report(upload).await;
                flow.upload = None;
                all_left
            }
            _ => self.driver().event().await.map(Happened::Event),
        };
        match happened {
            Ok(Happened::Nothing) => None,
            Ok(Happened::Event(event)) => self.happened(flow, event),
            Ok(Happened::Unfit(why)) => {
                flow.upload = None;
                self.take_back(flow, why);
                None
            }
            Err(broken) => {
                let stage = self.stage();
                let error = Error::broken(self.driver(), stage, broken);
                Some(Err(self.lost(flow, error)))
            }
        }
    }

    /// Hands over content until there is no more of it, or something else is to be done.
    async fn upload(&mut self, upload: &mut Upload<'_>) -> Result<Happened, Broken> {
        let Upload { body, any_line, full } = upload;
        let size = body.known_size().and_then(|size| usize::try_from(size).ok());
        let size = size.unwrap_or(usize::MAX).saturating_add(1024);
        self.driver().core_mut().make_room(size.min(*full + ON_TOP));
        while self.driver().core().takes_content() {
            // Large content in memory is not copied. Its end is, to leave with what follows.
            if self.driver().core().content_may_pass()
                && let Some(octets) = body.ahead(*full)
            {
                match self.driver().pass(octets).await? {
                    Either::Event(event) => return Ok(Happened::Event(event)),
                    Either::Other(taken) => body.sent_ahead(taken),
                }
                body.report();
                continue;
            }
            let unsent = self.driver().core_mut().output().unsent().len();
            if unsent >= *full {
                if let Some(event) = self.driver().drain(0).await? {
                    return Ok(Happened::Event(event));
                }
                body.report();
            }
            if body.octets().is_none() {
                // The server may have something to say while the reader thinks.
                match self.driver().event_or(|cx| body.poll_fill(cx, *any_line)).await? {
                    Either::Event(event) => return Ok(Happened::Event(event)),
                    Either::Other(Err(why)) => return Ok(Happened::Unfit(why)),
                    Either::Other(Ok(())) => {}
                }
            }
            let core = self.driver().core_mut();
            match body.piece() {
                [] => core.end_content(),
                piece => core.content(piece),
            }
        }
        Ok(Happened::Nothing)
    }

    /// Tells whoever wants to know that all content has left.
    async fn last_report(&mut self, upload: &mut Upload<'_>) -> Result<Happened, Broken> {
        if !upload.body.wants_progress() || !self.driver().core().content_is_written() {
            return Ok(Happened::Nothing);
        }
        let event = self.driver().drain(0).await?;
        upload.body.report();
        Ok(event.map_or(Happened::Nothing, Happened::Event))
    }

    fn happened(&mut self, flow: &mut Flow<'_>, event: Event) -> Option<Result<Receipt, Error>> {
        match event {
            Event::Sent(ended) => Some(self.sent(flow, ended)),
            Event::Closing => {
                let stage = self.stage();
                let error = Error::closed(self.driver().core(), stage);
                self.driver().core_mut().lost();
                Some(Err(self.lost(flow, error)))
            }
            Event::StopContent => {
                flow.upload = None;
                None
            }
            // No other command is in flight, and no message has been abandoned.
            Event::SendContent | Event::Replied(_) | Event::Authenticated(..) | Event::Settled => {
                None
            }
        }
    }

    /// The first message came to its end.
    fn sent(&mut self, flow: &mut Flow<'_>, ended: Ended) -> Result<Receipt, Error> {
        let core = self.driver().core();
        let (last, open) = (!core.is_sending(), core.takes_commands());
        if last {
            flow.upload = None;
            if let Some(source) = flow.failed.take() {
                return Err(Error::Body { source, usable: ended.at_rest && open });
            }
        }
        let verdict = self.verdict(ended);
        if !open {
            self.lose_rest(flow);
        }
        verdict
    }

    /// The content begun last is no good. Its envelope is taken back; if content has left, nothing
    /// but the end of the connection keeps the server from delivering it.
    fn take_back(&mut self, flow: &mut Flow<'_>, why: BodyError) {
        if self.driver().core_mut().take_back_last() {
            flow.failed = Some(why);
        } else {
            flow.held = Some(Error::Body { source: why, usable: false });
        }
    }

    /// The connection is lost for this reason, which is about the first message.
    fn lost(&mut self, flow: &mut Flow<'_>, error: Error) -> Error {
        if !self.driver().core().is_sending()
            && let Some(source) = flow.failed.take()
        {
            return Error::Body { source, usable: false };
        }
        self.lose_rest(flow);
        error
    }

    /// What became of the messages that are in flight on a connection that is of no more use.
    fn lose_rest(&mut self, flow: &mut Flow<'_>) {
        flow.upload = None;
        while let Some(lost) = self.driver().core_mut().lost() {
            let driver = self.driver();
            let error = match flow.failed.take_if(|_| !driver.core().is_sending()) {
                Some(source) => Error::Body { source, usable: false },
                None => Error::lost_with_others(driver, lost),
            };
            self.untold().push_back(error);
        }
    }

    fn stage(&mut self) -> Stage {
        Stage::Command(self.driver().core().step())
    }
}

/// Why an upload paused.
enum Happened {
    /// All was handed over, or there is no room for more.
    Nothing,
    Event(Event),
    /// The content is not what was said.
    Unfit(BodyError),
}
