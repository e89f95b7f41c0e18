//! NOTIFY, RFC 5465: which changes the server tells unasked, of the selected mailbox and of others.
//!
//! ```text
//! C: A2 NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))
//! S: * STATUS Lists/Lemonade (UIDVALIDITY 4 UIDNEXT 9999 MESSAGES 500)
//! S: A2 OK done
//!    (time passes)
//! S: * STATUS Lists/Lemonade (UIDVALIDITY 4 UIDNEXT 10000 MESSAGES 501)
//! S: * 127 EXISTS
//! S: * 127 FETCH (UID 127001 FLAGS ())
//! ```
//!
//! What is told comes at any time, so that STATUS and LIST may lie among the answer to a command that
//! asks for others: see [`Command::fit`].

use std::borrow::Cow;

use bytes::Bytes;

use super::list::{Attribute, ListedMailbox};
use super::mailbox_filter::MailboxFilter;
use super::modifier::Need;
use super::status::{self, MailboxStatus};
use super::{Command, Fit, is_data};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core, Effect, Notifying, Tag};
use crate::imap::{Capabilities, Error, Event, FetchItems, ImapClient, MailboxName, Reply};
use crate::{Misuse, Stage};

const NOTIFY: Need = Need::offered(&["NOTIFY"]);

/// What a server can tell of (RFC 5465 section 5).
///
/// Of messages in the selected mailbox it is told as by [`idle`](crate::imap::Mailbox::idle), of those
/// in others by [`Event::Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotifyEvent {
    /// `MessageNew`: a message has come. Together with [`MessageExpunge`](Self::MessageExpunge) only.
    MessageNew,
    /// `MessageExpunge`: a message has gone. Together with [`MessageNew`](Self::MessageNew) only.
    MessageExpunge,
    /// `FlagChange`: a message has other flags. Together with both only. Of mailboxes that are not
    /// selected little is told of it unless `CONDSTORE` is on.
    FlagChange,
    /// `AnnotationChange`: the same of annotations (RFC 5257).
    AnnotationChange,
    /// `MailboxName`: a mailbox was created, renamed or deleted: [`Event::Listed`].
    MailboxName,
    /// `SubscriptionChange`: a mailbox is subscribed to, or no longer: [`Event::Listed`].
    SubscriptionChange,
    /// `MailboxMetadataChange`: notes at a mailbox have changed: [`Event::Metadata`].
    MailboxMetadataChange,
    /// `ServerMetadataChange`: notes at the server have changed: [`Event::Metadata`].
    ServerMetadataChange,
    /// Any other, by its name on the wire.
    Other(Cow<'static, str>),
}

impl NotifyEvent {
    /// The event on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::MessageNew => "MessageNew",
            Self::MessageExpunge => "MessageExpunge",
            Self::FlagChange => "FlagChange",
            Self::AnnotationChange => "AnnotationChange",
            Self::MailboxName => "MailboxName",
            Self::SubscriptionChange => "SubscriptionChange",
            Self::MailboxMetadataChange => "MailboxMetadataChange",
            Self::ServerMetadataChange => "ServerMetadataChange",
            Self::Other(name) => name,
        }
    }

    /// Whether it is about mailboxes or the server, and not about messages.
    const fn is_beyond_messages(&self) -> bool {
        matches!(
            self,
            Self::MailboxName
                | Self::SubscriptionChange
                | Self::MailboxMetadataChange
                | Self::ServerMetadataChange
        )
    }
}

/// Which events are to be told, and of which mailboxes. Several groups may name the same mailbox; of
/// messages in the selected one [`selected`](Self::selected) alone decides, so that without it nothing
/// is told of them, not even to [`idle`](crate::imap::Mailbox::idle).
///
/// ```
/// use mailbearer::imap::{Fetch, Notify, NotifyEvent::*};
///
/// let wanted = Notify::new()
///     .selected([MessageNew, MessageExpunge, FlagChange])
///     .fetch(Fetch::envelope().flags())
///     .subtree(["Lists"], [MessageNew, MessageExpunge])
///     .personal([MailboxName, SubscriptionChange]);
/// ```
#[derive(Debug, Clone)]
pub struct Notify {
    status: bool,
    fetch: Option<FetchItems>,
    groups: Vec<Group>,
    needs: Vec<Need>,
}

#[derive(Debug, Clone)]
struct Group {
    of: MailboxFilter,
    events: Vec<NotifyEvent>,
}

impl Default for Notify {
    fn default() -> Self {
        Self { status: false, fetch: None, groups: Vec::new(), needs: vec![NOTIFY] }
    }
}

impl Notify {
    /// Nothing so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// `STATUS`: what each mailbox is like now whose messages are watched, but for the selected one:
    /// [`Notified::statuses`].
    pub fn status(mut self) -> Self {
        self.status = true;
        self
    }

    /// `selected`: these events of messages in the mailbox that is selected, whichever that is, at
    /// once. With [`NotifyEvent::MessageExpunge`] a sequence number may then mean another message at
    /// any time, so that commands refuse them as [`Error::Misuse`]; what is told by number is told in
    /// order, and true when it is told.
    pub fn selected(self, events: impl IntoIterator<Item = NotifyEvent>) -> Self {
        self.group(MailboxFilter::Selected, events)
    }

    /// `selected-delayed`: the same, but that messages are gone is told during commands only that let
    /// it be told, as without NOTIFY: by [`idle`](crate::imap::Mailbox::idle) and
    /// [`noop`](ImapClient::noop). For who needs sequence numbers.
    pub fn selected_delayed(self, events: impl IntoIterator<Item = NotifyEvent>) -> Self {
        self.group(MailboxFilter::SelectedDelayed, events)
    }

    /// What to tell of a new message in the selected mailbox, besides its UID: an [`Event::Fetch`]
    /// behind the [`Event::Exists`]. Without it, that there is one is all that is told.
    pub fn fetch(mut self, items: FetchItems) -> Self {
        self.needs.extend_from_slice(items.needs());
        self.fetch = Some(items);
        self
    }

    /// `inboxes`: the user's own mailboxes into which messages are delivered. Servers that do not
    /// know which these are take all of the user's own.
    pub fn inboxes(self, events: impl IntoIterator<Item = NotifyEvent>) -> Self {
        self.group(MailboxFilter::Inboxes, events)
    }

    /// `personal`: all of the user's own mailboxes.
    pub fn personal(self, events: impl IntoIterator<Item = NotifyEvent>) -> Self {
        self.group(MailboxFilter::Personal, events)
    }

    /// `subscribed`: all mailboxes that are subscribed to, as that changes.
    pub fn subscribed(self, events: impl IntoIterator<Item = NotifyEvent>) -> Self {
        self.group(MailboxFilter::Subscribed, events)
    }

    /// `subtree`: these mailboxes and all below them.
    pub fn subtree<N: Into<MailboxName>>(
        self,
        names: impl IntoIterator<Item = N>,
        events: impl IntoIterator<Item = NotifyEvent>,
    ) -> Self {
        self.group(MailboxFilter::Subtree(names.into_iter().map(Into::into).collect()), events)
    }

    /// `mailboxes`: these and no others; `*` and `%` in a name stand for themselves.
    pub fn mailboxes<N: Into<MailboxName>>(
        self,
        names: impl IntoIterator<Item = N>,
        events: impl IntoIterator<Item = NotifyEvent>,
    ) -> Self {
        self.group(MailboxFilter::Mailboxes(names.into_iter().map(Into::into).collect()), events)
    }

    /// Without events it is written `NONE`: nothing is told of these mailboxes.
    fn group(mut self, of: MailboxFilter, events: impl IntoIterator<Item = NotifyEvent>) -> Self {
        let mut group = Group { of, events: Vec::new() };
        for event in events {
            if !group.events.contains(&event) {
                group.events.push(event);
            }
        }
        self.groups.push(group);
        self
    }

    /// The rules of RFC 5465 sections 5, 6.1 and 8, which a server answers with BAD.
    fn check(&self) -> Result<(), Misuse> {
        let refuse = |why: &str| Err(Misuse::Argument { what: "NOTIFY", why: why.to_owned() });
        if self.groups.is_empty() {
            return refuse("no mailboxes are named; to be told nothing there is `notify_none`");
        }
        if self.groups.iter().filter(|group| group.of.is_selected()).count() > 1 {
            return refuse("the selected mailbox can be named once");
        }
        for Group { of, events } in &self.groups {
            let has = |event| events.contains(&event);
            if of.is_selected() && events.iter().any(NotifyEvent::is_beyond_messages) {
                return refuse("of the selected mailbox events of messages only");
            }
            let (new, gone) = (has(NotifyEvent::MessageNew), has(NotifyEvent::MessageExpunge));
            if new != gone {
                return refuse("MessageNew and MessageExpunge go together");
            }
            let changes = has(NotifyEvent::FlagChange) || has(NotifyEvent::AnnotationChange);
            if changes && !new {
                return refuse("changes of messages go with MessageNew and MessageExpunge");
            }
        }
        let fetches = |group: &Group| {
            group.of.is_selected() && group.events.contains(&NotifyEvent::MessageNew)
        };
        if self.fetch.is_some() && !self.groups.iter().any(fetches) {
            return refuse("what to fetch is for new messages in the selected mailbox");
        }
        Ok(())
    }

    fn encode_group(&self, line: &mut Line, Group { of, events }: &Group) -> Result<(), Misuse> {
        of.encode(line.raw(" ("))?;
        let mut separator = " (";
        for event in events {
            line.raw(separator).atom("an event", event.as_str())?;
            if let Some(items) = &self.fetch
                && of.is_selected()
                && *event == NotifyEvent::MessageNew
            {
                items.encode_unasked(line.raw(" "))?;
            }
            separator = " ";
        }
        line.raw(if events.is_empty() { " NONE)" } else { "))" });
        Ok(())
    }

    fn notifying(&self) -> Notifying {
        let moves = |group: &Group| {
            matches!(group.of, MailboxFilter::Selected)
                && group.events.contains(&NotifyEvent::MessageExpunge)
        };
        Notifying { tells: true, expunges: self.groups.iter().any(moves) }
    }
}

/// What a server said when it was asked to tell of changes.
#[derive(Debug, Clone, Default)]
pub struct Notified {
    statuses: Vec<(MailboxName, MailboxStatus)>,
    no_access: Vec<MailboxName>,
    unread: usize,
}

impl Notified {
    /// After [`Notify::status`], what each mailbox is like from where on changes are told.
    pub fn statuses(&self) -> &[(MailboxName, MailboxStatus)] {
        &self.statuses
    }

    /// Mailboxes of which nothing is told, since the user may not see what is in them.
    pub fn no_access(&self) -> &[MailboxName] {
        &self.no_access
    }

    /// How many lines of the answer could not be understood. They are among the events, as
    /// [`Event::Unparsed`]; unless this is 0, what is said here is not complete.
    pub const fn unread(&self) -> usize {
        self.unread
    }
}

impl ImapClient {
    /// Has the server tell of changes at any time, of the selected mailbox and of others, in place of
    /// what an earlier call has asked for. It lasts until the next such call or the end of the
    /// connection, whatever is selected meanwhile. What is told are [events](Event):
    /// [`notifications`](Self::notifications) waits for them, [`idle`](crate::imap::Mailbox::idle)
    /// gives the same ones, and those that come with other commands are found by
    /// [`take_event`](Self::take_event). The server need not tell of what this client does itself.
    ///
    /// Take them: a server that is not read from holds what it would tell, and may close the
    /// connection.
    ///
    /// ```no_run
    /// # async fn watch(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Event, Notify, NotifyEvent::*};
    ///
    /// imap.notify(Notify::new().personal([MessageNew, MessageExpunge, MailboxName])).await?;
    /// let mut told = imap.notifications();
    /// loop {
    ///     match told.next().await? {
    ///         Event::Status { mailbox, status } => println!("{mailbox}: {:?}", status.messages()),
    ///         Event::Listed(mailbox) => println!("{mailbox:?}"),
    ///         Event::Overflow { .. } => println!("look at all of it again"),
    ///         Event::NotificationOverflow(_) => break,
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `NOTIFY`. [`Error::Misuse`] for what RFC
    /// 5465 does not let be asked together; nothing was sent. [`Error::Refused`] with
    /// [`Code::BadEvent`](crate::imap::Code::BadEvent) for an event that the server does not know, or
    /// with [`Code::NotificationOverflow`](crate::imap::Code::NotificationOverflow), if that is too
    /// much for it: then all is as it was before.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. Whether the server then tells of changes is not known until the call is
    /// repeated.
    pub async fn notify(&mut self, wanted: Notify) -> Result<Notified, Error> {
        let command = Set::new(wanted);
        let session = &self.mailbox.session;
        if let Some((octets, limit)) = session.too_long(&command)? {
            let why = format!("names make it {octets} octets long, and a line takes {limit}");
            return Err(Misuse::Argument { what: "NOTIFY", why }.into());
        }
        self.run(command).await
    }

    /// Has the server tell of nothing any longer, not even of the selected mailbox when it is asked by
    /// [`noop`](Self::noop) or watched by [`idle`](crate::imap::Mailbox::idle) (RFC 5465 section 3.1).
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `NOTIFY`.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn notify_none(&mut self) -> Result<(), Error> {
        self.mailbox.session.run(SetNone, Stage::Command("NOTIFY")).await
    }
}

struct Set {
    wanted: Notify,
    statuses: Vec<(MailboxName, MailboxStatus)>,
    no_access: Vec<ListedMailbox>,
    unread: usize,
    /// Of what was taken last.
    weight: usize,
    utf8: bool,
}

impl Set {
    const fn new(wanted: Notify) -> Self {
        Self {
            wanted,
            statuses: Vec::new(),
            no_access: Vec::new(),
            unread: 0,
            weight: 0,
            utf8: false,
        }
    }
}

impl Command for Set {
    type Output = Notified;

    fn name(&self) -> &'static str {
        "NOTIFY"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        self.wanted.check()?;
        line.raw("NOTIFY SET").raw(if self.wanted.status { " STATUS" } else { "" });
        self.wanted.groups.iter().try_for_each(|group| self.wanted.encode_group(line, group))
    }

    fn needs(&self) -> &[Need] {
        &self.wanted.needs
    }

    fn effect(&self) -> Effect {
        Effect::Notify(self.wanted.notifying())
    }

    fn claims(&self) -> Claims {
        match self.wanted.status {
            true => Claims::Data(|r| is_data(r, "LIST") || is_data(r, "STATUS")),
            false => Claims::Data(|r| is_data(r, "LIST")),
        }
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        match response {
            Response::Data { rest, .. } if is_data(response, "LIST") => {
                match ListedMailbox::parse(rest, self.utf8) {
                    Ok(mailbox) if !mailbox.attributes().contains(&Attribute::NoAccess) => Fit::No,
                    _ => Fit::Exact,
                }
            }
            _ => Fit::Exact,
        }
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let Response::Data { rest, .. } = response else { return Ok(()) };
        let read = match is_data(response, "LIST") {
            true => ListedMailbox::parse(rest, self.utf8).map(|mailbox| {
                self.weight = size_of::<ListedMailbox>() + mailbox.octets();
                self.no_access.push(mailbox);
            }),
            false => status::parse(rest).map(|(name, status)| {
                let name = MailboxName::heard(name.into_owned(), self.utf8);
                self.weight = size_of::<(MailboxName, MailboxStatus)>() + status.octets();
                self.statuses.push((name, status));
            }),
        };
        self.unread += usize::from(read.is_err());
        read
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn finish(self, _: Reply) -> Notified {
        let no_access = self.no_access.iter().map(|mailbox| mailbox.name().clone()).collect();
        Notified { statuses: self.statuses, no_access, unread: self.unread }
    }

    fn failed(self, error: Error, core: &mut Core) -> Error {
        // What was asked for earlier is still told.
        for (mailbox, status) in self.statuses {
            core.keep(Event::Status { mailbox, status });
        }
        self.no_access.into_iter().for_each(|mailbox| core.keep(Event::Listed(mailbox)));
        error
    }
}

struct SetNone;

impl Command for SetNone {
    type Output = ();

    fn name(&self) -> &'static str {
        "NOTIFY"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("NOTIFY NONE");
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[NOTIFY]
    }

    fn effect(&self) -> Effect {
        Effect::Notify(Notifying::default())
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::NotifyEvent::*;
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::{Code, Fetch, Partial, Section, Uid};

    fn set(wanted: Notify) -> impl Fn() -> Set {
        move || Set::new(wanted.clone())
    }

    fn messages() -> [NotifyEvent; 2] {
        [MessageNew, MessageExpunge]
    }

    #[test]
    fn the_first_example_of_rfc_5465_gives_what_each_mailbox_is_like() {
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev1 NOTIFY] hi
            C: A1 NOTIFY SET STATUS (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT)]) MessageExpunge)) (subtree (Lists) (MessageNew MessageExpunge))
            S: * STATUS Lists/Lemonade (UIDVALIDITY 4 UIDNEXT 9999 MESSAGES 500)
            S: * LIST (\NoAccess) "/" Lists/Secret
            S: * LIST () "/" Lists/New
            S: * STATUS Lists/Im2000 (UIDVALIDITY 901 UIDNEXT 1 MESSAGES 0)
            S: * STATUS Lists/Odd (UIDVALIDITY
            S: A1 OK done
        "#;
        let header = Section::header_fields(["FROM", "TO", "SUBJECT"]);
        let wanted = Notify::new()
            .status()
            .selected(messages())
            .fetch(Fetch::section(header))
            .subtree(["Lists"], messages());
        wanted.check().unwrap();
        play(set(wanted), script, |mut played| {
            let told = played.output.unwrap();
            let [(lemonade, status), (other, _)] = told.statuses() else { panic!() };
            assert_eq!(lemonade.to_string(), "Lists/Lemonade");
            assert_eq!((status.messages(), status.uid_next()), (Some(500), Uid::new(9999)));
            assert_eq!(other.to_string(), "Lists/Im2000");
            assert_eq!((told.no_access(), told.unread()), (&["Lists/Secret".into()][..], 1));
            // What is new tells of a change that was asked for earlier.
            let Some(Event::Listed(new)) = played.core.take_event() else { panic!() };
            assert_eq!(new.name().to_string(), "Lists/New");
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
            assert_eq!(played.core.notifying(), Notifying { tells: true, expunges: true });
        });
    }

    #[test]
    fn groups_are_written_as_the_rfc_has_them_and_events_once() {
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev1 NOTIFY] hi
            C: A1 NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange)) (mailboxes (INBOX "a b" Entw&APw-rfe) (MessageNew MessageExpunge AnnotationChange)) (inboxes NONE) (subscribed (X-New)) (personal (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))
            S: * STATUS INBOX (MESSAGES 2)
            S: A1 OK done
        "#;
        let wanted = Notify::new()
            .selected_delayed([MessageNew, MessageExpunge, FlagChange, MessageNew])
            .mailboxes(
                ["INBOX", "a b", "Entw\u{fc}rfe"],
                [MessageNew, MessageExpunge, AnnotationChange],
            )
            .inboxes([])
            .subscribed([Other("X-New".into())])
            .personal([
                MailboxName,
                SubscriptionChange,
                MailboxMetadataChange,
                ServerMetadataChange,
            ]);
        wanted.check().unwrap();
        play(set(wanted), script, |mut played| {
            assert!(played.output.unwrap().statuses().is_empty());
            assert!(matches!(played.core.take_event(), Some(Event::Status { .. })));
            assert_eq!(played.core.notifying(), Notifying { tells: true, expunges: false });
        });
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 NOTIFY] hi
            C: A1 NOTIFY NONE
            S: A1 OK done
        ";
        play(|| SetNone, script, |played| assert_eq!(played.output, Ok(())));
    }

    #[test]
    fn a_refusal_names_the_events_that_the_server_knows_and_changes_nothing() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 NOTIFY] hi
            C: A1 NOTIFY SET (personal (MessageNew MessageExpunge AnnotationChange))
            S: A1 NO [BADEVENT (MessageNew MessageExpunge FlagChange)] Unsupported
        ";
        let wanted = Notify::new().personal([MessageNew, MessageExpunge, AnnotationChange]);
        play(set(wanted), script, |played| {
            assert_eq!(played.core.notifying(), Notifying::default());
            let known = ["MessageNew", "MessageExpunge", "FlagChange"].map(str::to_owned);
            assert_eq!(played.refusal().code(), Some(&Code::BadEvent(known.into())));
        });
    }

    #[test]
    fn what_a_server_would_call_bad_is_not_sent() {
        let new = Notify::new;
        for bad in [
            new(),
            new().fetch(Fetch::flags()),
            new().selected(messages()).selected_delayed(messages()),
            new().selected([MailboxName]),
            new().selected_delayed([ServerMetadataChange]),
            new().personal([MessageNew]),
            new().personal([MessageExpunge]),
            new().personal([FlagChange]),
            new().inboxes([MessageNew, AnnotationChange]),
            new().selected([]).fetch(Fetch::flags()),
            new().personal(messages()).fetch(Fetch::flags()),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        let unwritable = |wanted: Notify| {
            wanted.check().unwrap();
            let mut line = Line::new(Default::default());
            set(wanted)().encode(&mut line, &Capabilities::default()).unwrap_err()
        };
        unwritable(new().subtree([""; 0], messages()));
        unwritable(new().personal(messages()).mailboxes([""; 0], messages()));
        unwritable(new().personal([Other("A B".into())]));
        unwritable(new().personal([Other("".into())]));
        unwritable(new().mailboxes(["a\r\nb"], messages()));
        unwritable(new().selected(messages()).fetch(Fetch::body_marking_seen()));
        unwritable(
            new().selected(messages()).fetch(Fetch::uid().partial(Partial::from_start(1..=2))),
        );
    }

    #[test]
    fn what_is_fetched_may_need_an_extension_of_its_own() {
        let wanted = Notify::new().selected(messages()).fetch(Fetch::uid().preview());
        let needs: Vec<_> = wanted.needs.iter().map(|need| need.what).collect();
        assert_eq!(needs, ["NOTIFY", "PREVIEW"]);
        assert_eq!(Notify::default().needs.len(), 1);
    }
}
