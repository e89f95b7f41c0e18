//! What servers tell unasked, for the verbs of transcripts.

use mailbearer::ImapClient;
use mailbearer::imap::{self, Event, Fetch, Mailbox, Notify, NotifyEvent, Search, Sort, SortKey};
use mailbearer::imap::{Attribute, MailboxStatus, SearchUpdate, Uid, UpdateOptions};

use super::script::Call;

/// `status`, `fetch`, and groups: `selected=MessageNew,MessageExpunge`, `subtree:Lists=…`.
pub(super) async fn notify(client: &mut ImapClient, call: &Call) -> Result<String, imap::Error> {
    let wanted = call.arguments.iter().fold(Notify::new(), |wanted, word| {
        let (of, events) = word.split_once('=').unwrap_or((word, ""));
        let events = events.split(',').map(event);
        match of.split_once(':').unwrap_or((of, "")) {
            ("status", _) => wanted.status(),
            ("fetch", _) => wanted.fetch(Fetch::flags()),
            ("selected", _) => wanted.selected(events),
            ("personal", _) => wanted.personal(events),
            ("subtree", name) => wanted.subtree([name], events),
            ("mailboxes", name) => wanted.mailboxes([name], events),
            _ => panic!("no mailboxes `{of}`"),
        }
    });
    let told = client.notify(wanted).await?;
    let statuses = told.statuses().iter().map(|(name, status)| format!("{name} {}", brief(status)));
    let statuses: Vec<_> = statuses.collect();
    let denied: Vec<_> = told.no_access().iter().map(ToString::to_string).collect();
    let (statuses, denied) = (statuses.join(", "), denied.join(","));
    Ok(format!("{statuses} denied={denied} unread={}", told.unread()))
}

fn event(word: &str) -> NotifyEvent {
    match word {
        "MessageNew" => NotifyEvent::MessageNew,
        "MessageExpunge" => NotifyEvent::MessageExpunge,
        "FlagChange" => NotifyEvent::FlagChange,
        "MailboxName" => NotifyEvent::MailboxName,
        "SubscriptionChange" => NotifyEvent::SubscriptionChange,
        "MailboxMetadataChange" => NotifyEvent::MailboxMetadataChange,
        "ServerMetadataChange" => NotifyEvent::ServerMetadataChange,
        word => panic!("no event `{word}`"),
    }
}

/// So many events, and not a word for them.
pub(super) async fn notifications(
    client: &mut ImapClient,
    call: &Call,
    tell: fn(&Event) -> String,
) -> Result<String, imap::Error> {
    let mut notifications = client.notifications();
    let mut told = Vec::new();
    for _ in 0..call.argument(0).parse::<usize>().expect("a number of events") {
        told.push(tell(&notifications.next().await?));
    }
    Ok(told.join(" | "))
}

/// Searches, lets so many NOOPs tell what changes, and has enough of it. `sorted` sorts.
pub(super) async fn follow(selected: &mut Mailbox, call: &Call) -> Result<String, imap::Error> {
    let rounds: usize = call.argument(0).parse().expect("a number of rounds");
    let (search, options) = (Search::all().deleted(), UpdateOptions::new());
    let mut seen = Vec::new();
    if call.arguments.iter().any(|word| word == "sorted") {
        let sort = Sort::by(SortKey::Arrival);
        let mut found = selected.uid_sort_updating(sort, search, options).await?;
        for _ in 0..rounds {
            seen.push(list(found.found().iter()));
            for update in updates(selected).await? {
                let fits = found.found_mut().update(&update);
                seen.extend((!fits).then(|| "misfit".to_owned()));
            }
        }
        seen.push(list(found.found().iter()));
        match found.context() {
            Some(context) => selected.cancel_update([context]).await?,
            None => seen.push("not kept".to_owned()),
        }
        return Ok(seen.join(" | "));
    }
    let mut found = selected.uid_search_updating(search, options).await?;
    for _ in 0..rounds {
        seen.push(list(found.found().iter()));
        for update in updates(selected).await? {
            found.found_mut().update(&update);
        }
    }
    seen.push(list(found.found().iter()));
    match found.context() {
        Some(context) => selected.cancel_update([context]).await?,
        None => seen.push("not kept".to_owned()),
    }
    Ok(seen.join(" | "))
}

async fn updates(selected: &mut Mailbox) -> Result<Vec<SearchUpdate>, imap::Error> {
    selected.noop().await?;
    let events = std::iter::from_fn(|| selected.take_event());
    let update = |event| match event {
        Event::Search(update) => Some(update),
        _ => None,
    };
    Ok(events.filter_map(update).collect())
}

fn list(uids: impl Iterator<Item = Uid>) -> String {
    uids.map(|uid| uid.to_string()).collect::<Vec<_>>().join(" ")
}

fn brief(status: &MailboxStatus) -> String {
    let items = status.items();
    let items = items.map(|(name, value)| format!("{name} {}", String::from_utf8_lossy(value)));
    items.collect::<Vec<_>>().join(" ")
}

/// An event that tells of mailboxes.
pub(super) fn tell(event: &Event) -> Option<String> {
    Some(match event {
        Event::Status { mailbox, status } => format!("status {mailbox} {}", brief(status)),
        Event::Listed(mailbox) => {
            let mut told = format!("listed {}", mailbox.name());
            for attribute in [Attribute::NonExistent, Attribute::NoAccess, Attribute::Subscribed] {
                if mailbox.attributes().contains(&attribute) {
                    told += &format!(" {attribute}");
                }
            }
            let was = mailbox.old_name().map(|name| format!(" was {name}"));
            told + was.as_deref().unwrap_or_default()
        }
        Event::Metadata { mailbox, entries } => format!("notes {mailbox} {}", entries.join(" ")),
        Event::NotificationOverflow(reply) => format!("no more: {}", reply.text()),
        _ => return None,
    })
}
