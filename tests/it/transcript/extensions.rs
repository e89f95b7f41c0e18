//! What extensions of IMAP add to the verbs of transcripts.

use std::num::NonZeroU32;

use mailbearer::imap::{
    self, DoneBy, Fetch, FetchItems, Flag, Mailbox, Message, Partial, QResync, Search,
};
use mailbearer::imap::{
    ListQuery, ListedMailbox, MailboxMatches, MultiSearch, MultiSearchResult, SearchSource,
};
use mailbearer::imap::{SearchReturn, SelectOptions, Sort, SortKey, StoreFlags, ThreadAlgorithm};
use mailbearer::imap::{StatusItem, Uid, UidSet};
use mailbearer::{Failure, ImapClient};

use super::imap::status;
use super::script::Call;

/// A mailbox, its UIDVALIDITY, a modification sequence, and maybe the UIDs that are known.
pub(super) async fn resync(client: &mut ImapClient, call: &Call) -> Result<String, imap::Error> {
    let validity: NonZeroU32 = call.argument(1).parse().expect("a UIDVALIDITY");
    let mod_seq = call.argument(2).parse().expect("a modification sequence");
    let mut known = QResync::new(validity, mod_seq);
    if let Some(uids) = call.arguments.get(3) {
        known = known.known_uids(UidSet::parse(uids).expect("a set of UIDs"));
    }
    let (_, changes) = client.resync(call.argument(0), known).await?;
    let changed: Vec<_> = changes.changed().iter().map(describe).collect();
    let gone = changes.vanished();
    Ok(format!("gone={gone} unread={} | {}", changes.unread(), changed.join(" | ")))
}

pub(super) async fn select_condstore(
    client: &mut ImapClient,
    call: &Call,
) -> Result<String, imap::Error> {
    let options = SelectOptions::new().condstore();
    Ok(mod_seq(client.select_with(call.argument(0), options).await?))
}

/// A pattern, and what is told of each mailbox besides the rights in it.
pub(super) async fn list_rights(
    client: &mut ImapClient,
    call: &Call,
) -> Result<String, imap::Error> {
    let items = call.arguments[1..].iter().map(|item| StatusItem::from(item.as_str()));
    let query = ListQuery::new(call.argument(0)).with_my_rights().with_status(items);
    let found = client.list_query(query).await?;
    let print = |mailbox: &ListedMailbox| {
        let rights =
            mailbox.my_rights().map_or_else(|| "-".to_owned(), |rights| rights.to_string());
        let status = mailbox.status().map_or_else(String::new, status);
        format!("{} {rights} {status}", mailbox.name())
    };
    Ok(found.iter().map(print).collect::<Vec<_>>().join(" | "))
}

/// Several searches in one flight: `mailboxes=a,b` or `personal`, then its keys, and `/` before the
/// next.
pub(super) async fn multi_search(
    client: &mut ImapClient,
    call: &Call,
) -> Result<String, imap::Error> {
    let searches = call.arguments.split(|word| word == "/").map(|words| {
        let source = match words[0].split_once('=') {
            None if words[0] == "personal" => SearchSource::personal(),
            Some(("mailboxes", names)) => SearchSource::mailboxes(names.split(',')),
            Some(("subtree", names)) => SearchSource::subtree(names.split(',')),
            _ => panic!("no source `{}`", words[0]),
        };
        MultiSearch::new(source, search(&words[1..]))
    });
    let told = |found: Result<MultiSearchResult, imap::Error>| match found {
        Ok(found) => {
            let one = |of: &MailboxMatches| {
                format!("{} {} {}", of.name(), of.uid_validity(), list(of.found().iter()))
            };
            let all: Vec<_> = found.iter().map(one).collect();
            format!("{} complete={}", all.join(", "), found.is_complete())
        }
        Err(error) => error.reply_text().unwrap_or_default().into_owned(),
    };
    let found = client.multi_search_all(searches).await?;
    Ok(found.into_iter().map(told).collect::<Vec<_>>().join(" | "))
}

/// A set of UIDs is `$` for what was saved.
pub(super) async fn in_mailbox(
    selected: &mut Mailbox,
    verb: &str,
    call: &Call,
) -> Result<String, imap::Error> {
    let uids = || UidSet::parse(call.argument(0)).expect("a set of UIDs");
    Ok(match verb {
        "mod_seq" => mod_seq(selected),
        "mailbox_id" => selected.mailbox_id().unwrap_or("-").to_owned(),
        "uid_fetch_more" => {
            let messages = selected.uid_fetch(uids(), items(&call.arguments[1..])).await?;
            let messages = messages.collect().await?;
            messages.iter().map(describe).collect::<Vec<_>>().join(" | ")
        }
        // UIDs, a modification sequence, a flag to be set.
        "uid_store_unchanged_since" => {
            let mod_seq = call.argument(1).parse().expect("a modification sequence");
            let flag = StoreFlags::add([Flag::from(call.argument(2))]).silent();
            let stored = selected.uid_store_unchanged_since(uids(), mod_seq, flag).await?;
            let told: Vec<_> = stored.messages().iter().map(describe).collect();
            format!("modified={} | {}", stored.modified(), told.join(" | "))
        }
        "uid_search_more" => {
            let found = selected.uid_search(search(&call.arguments)).await?;
            let uids = list(found.iter());
            format!("{uids} modseq={:?}", found.mod_seq())
        }
        // UIDs with their scores.
        "uid_search_scored" => {
            let returns = [SearchReturn::Relevancy, SearchReturn::All];
            let found = selected.uid_search_returning(search(&call.arguments), returns).await?;
            let scored = found.relevancies().map(|(uid, score)| format!("{uid}:{score}"));
            format!("{} of {}", scored.collect::<Vec<_>>().join(" "), found.count())
        }
        // Saves what is found, and marks it.
        "uid_mark_saved" => {
            let saved = selected.uid_search_saving(search(&call.arguments)).await?;
            let flag = StoreFlags::add([Flag::from("$Marked")]).silent();
            let told = selected.uid_store(&saved, flag).await?.len();
            format!("at_server={} told={told}", saved.is_at_server())
        }
        "uid_sort" => {
            let sort = call.argument(0).split(',').fold(None, |sort: Option<Sort>, key| {
                let key = sort_key(key);
                Some(match sort {
                    Some(sort) => sort.then(key),
                    None => Sort::reversed(key),
                })
            });
            let sort = sort.expect("a key");
            let returns = [SearchReturn::Partial(Partial::from_start(1..=2)), SearchReturn::Count];
            let search = search(&call.arguments[1..]);
            let page = selected.uid_sort_returning(sort, search, returns).await?;
            format!("{} of {}{}", list(page.iter()), page.count(), done_by(page.done_by()))
        }
        "uid_thread" => {
            let algorithm = match call.argument(0) {
                "REFERENCES" => ThreadAlgorithm::References,
                "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
                word => panic!("no algorithm `{word}`"),
            };
            let threads = selected.uid_thread(algorithm, search(&call.arguments[1..])).await?;
            let thread = |thread: imap::Thread<'_, Uid>| {
                let message = |message: imap::ThreadMessage<Uid>| {
                    format!("{}@{}", message.number().map_or(0, Uid::get), message.level())
                };
                thread.messages().map(message).collect::<Vec<_>>().join(" ")
            };
            let told: Vec<_> = threads.iter().map(thread).collect();
            let by = done_by(threads.done_by());
            format!("{} unread={}{by}", told.join(" | "), threads.unread())
        }
        verb => panic!("IMAP has no verb `{verb}` here"),
    })
}

const fn done_by(who: DoneBy) -> &'static str {
    match who {
        DoneBy::Client => " by client",
        _ => "",
    }
}

fn mod_seq(mailbox: &mut Mailbox) -> String {
    format!("{:?} none={}", mailbox.highest_mod_seq(), mailbox.has_no_mod_seqs())
}

fn list(uids: impl Iterator<Item = Uid>) -> String {
    uids.map(|uid| uid.to_string()).collect::<Vec<_>>().join(" ")
}

fn items(words: &[String]) -> FetchItems {
    words.iter().fold(Fetch::uid(), |items, word| match word.split_once('=') {
        Some(("changed_since", mod_seq)) => items.changed_since(mod_seq.parse().expect("a number")),
        _ => match word.as_str() {
            "flags" => items.flags(),
            "mod_seq" => items.mod_seq(),
            "email_id" => items.email_id(),
            "thread_id" => items.thread_id(),
            "save_date" => items.save_date(),
            "preview" => items.preview(),
            "preview_if_ready" => items.preview_if_ready(),
            word => panic!("no item `{word}`"),
        },
    })
}

fn search(words: &[String]) -> Search {
    words.iter().fold(Search::all(), |search, word| match word.split_once('=') {
        Some(("mod_seq", number)) => search.mod_seq(number.parse().expect("a number")),
        Some(("email_id", id)) => search.email_id(id),
        Some(("subject", text)) => search.subject(text),
        Some(("fuzzy", text)) => search.fuzzy(Search::all().text(text)),
        Some(("younger", seconds)) => {
            let seconds = seconds.parse().expect("a number of seconds");
            search.younger(std::time::Duration::from_secs(seconds))
        }
        _ => match word.as_str() {
            "all" => search,
            "unseen" => search.unseen(),
            word => panic!("no key `{word}`"),
        },
    })
}

fn sort_key(word: &str) -> SortKey {
    match word {
        "arrival" => SortKey::Arrival,
        "date" => SortKey::Date,
        "subject" => SortKey::Subject,
        "relevancy" => SortKey::Relevancy,
        word => panic!("no key `{word}`"),
    }
}

fn describe(message: &Message) -> String {
    let mut told = vec![message.uid().map_or_else(|| "-".to_owned(), |uid| uid.to_string())];
    let flags: Vec<_> = message.flags().map(|flag| flag.to_string()).collect();
    told.extend((!flags.is_empty()).then(|| flags.join(",")));
    told.extend(message.mod_seq().map(|mod_seq| format!("modseq={mod_seq}")));
    told.extend(message.email_id().map(|id| format!("email={id}")));
    told.extend(message.thread_id().map(|id| format!("thread={id}")));
    told.extend(message.save_date().map(|date| format!("saved={date}")));
    told.extend(message.preview().map(|text| format!("preview={}", text.to_str_lossy())));
    told.join(" ")
}
