//! IMAP as transcripts speak of it.

use std::num::NonZeroU32;

use mailbearer::imap::{self, AppendOptions, Event, Fetch, Flag, Mailbox, Message, StoreFlags};
use mailbearer::imap::{BodyPart, Date, Extension, FetchItems, ListedMailbox, Mailboxes, Messages};
use mailbearer::imap::{
    Expunged, MailboxStatus, Part, Parts, Role, Search, SearchResult, SearchReturn,
};
use mailbearer::imap::{Section, SeqSet, StatusItem, Text, Uid, UidSet, Upload};
use mailbearer::{Auth, Challenge, Connector, Endpoint, Failure, ImapClient};

use super::extensions;
use super::newer;
use super::play::Session;
use super::script::Call;
use super::server::Aftermath;
use super::unasked;

pub(crate) struct Imap(ImapClient);

impl Session for Imap {
    type Error = imap::Error;
    type Client = ImapClient;

    fn connector(endpoint: Endpoint) -> Connector<ImapClient> {
        ImapClient::builder(endpoint)
    }

    fn of(client: ImapClient) -> Self {
        Self(client)
    }

    async fn call(session: &mut Option<Self>, call: &Call) -> Result<String, imap::Error> {
        if call.verb == "logout" {
            let session = session.take().expect("nothing is called after logout");
            return session.0.logout().await.map(|()| String::new());
        }
        // Another login on the same connection: user and password.
        if call.verb == "unauthenticate" {
            let client = session.take().expect("nothing is called after logout").0;
            let auth = Auth::plain(call.argument(0), call.argument(1));
            let client = client.unauthenticate().await?.authenticate(&auth).await?;
            *session = Some(Self(client));
            return Ok(String::new());
        }
        let client = &mut session.as_mut().expect("nothing is called after logout").0;
        Ok(match call.verb.as_str() {
            "select" => mailbox(client.select(call.argument(0)).await?),
            "examine" => mailbox(client.examine(call.argument(0)).await?),
            "close" => client.close().await.map(|()| String::new())?,
            "unselect" => client.unselect().await.map(|()| String::new())?,
            "noop" => client.noop().await.map(|()| String::new())?,
            "capability" => client.capability().await?.to_string(),
            "capabilities" => client.capabilities().to_string(),
            "namespace" => {
                let namespaces = client.namespace().await?;
                newer::prefixes(namespaces.personal())
            }
            "id" => {
                let fields = client.id([]).await?;
                let print = |(name, value): &(String, Option<String>)| match value {
                    Some(value) => format!("{name}={value}"),
                    None => name.clone(),
                };
                fields.iter().map(print).collect::<Vec<_>>().join(" ")
            }
            // Mailbox and text, in which `\r\n` is a line end.
            "append" => append(client, call.argument(0), newer::text(call.argument(1))).await?,
            // Mailbox, a line, and how often a reader gives it.
            "append_lines" => {
                let (line, times) = (call.argument(1), call.argument(2));
                let lines = format!("{line}\r\n").repeat(times.parse().expect("a number"));
                let upload = Upload::reader(lines.as_bytes(), lines.len() as u64);
                append(client, call.argument(0), upload).await?
            }
            "list" => listed(&client.list(call.argument(0), call.argument(1)).await?),
            "list_rights" => extensions::list_rights(client, call).await?,
            "lsub" => listed(&client.lsub(call.argument(0), call.argument(1)).await?),
            // Roles by their names in RFC 6154, of all mailboxes.
            "roles" => {
                let mailboxes = client.list("", "*").await?;
                let print = |word: &String| {
                    let found =
                        mailboxes.role(role(word)).map(|mailbox| mailbox.name().to_string());
                    format!("{word}={}", found.unwrap_or_else(|| "-".to_owned()))
                };
                call.arguments.iter().map(print).collect::<Vec<_>>().join(" ")
            }
            "status" => {
                let items = status_items(&call.arguments[1..]);
                status(&client.status(call.argument(0), items).await?)
            }
            // Names with commas between them; a refusal is printed in its place.
            "status_all" => {
                let items = status_items(&call.arguments[1..]);
                let told = client.status_all(call.argument(0).split(','), items).await?;
                let print = |told: &Result<MailboxStatus, imap::Error>| match told {
                    Ok(told) => status(told),
                    Err(error) => error.reply_text().unwrap_or_default().into_owned(),
                };
                told.iter().map(print).collect::<Vec<_>>().join(" | ")
            }
            "create" => client.create(call.argument(0)).await.map(|()| String::new())?,
            "create_for" => {
                let roles = call.arguments[1..].iter().map(|word| role(word));
                client.create_for(call.argument(0), roles).await.map(|()| String::new())?
            }
            "delete" => client.delete(call.argument(0)).await.map(|()| String::new())?,
            "rename" => {
                let (from, to) = (call.argument(0), call.argument(1));
                client.rename(from, to).await.map(|()| String::new())?
            }
            "subscribe" => client.subscribe(call.argument(0)).await.map(|()| String::new())?,
            "unsubscribe" => client.unsubscribe(call.argument(0)).await.map(|()| String::new())?,
            "enable" => {
                let extensions = call.arguments.iter().map(|word| match word.as_str() {
                    "CONDSTORE" => Extension::CondStore,
                    "QRESYNC" => Extension::QResync,
                    "UTF8=ACCEPT" => Extension::Utf8Accept,
                    "IMAP4rev2" => Extension::Imap4rev2,
                    word => panic!("no extension `{word}`"),
                });
                client.enable(extensions).await?.to_string()
            }
            "select_if" => {
                let validity = call.argument(1).parse().expect("a UIDVALIDITY");
                mailbox(client.select_if(call.argument(0), validity).await?)
            }
            "resync" => extensions::resync(client, call).await?,
            "multi_search" => extensions::multi_search(client, call).await?,
            "notify" => unasked::notify(client, call).await?,
            "notify_none" => client.notify_none().await.map(|()| String::new())?,
            "notifications" => unasked::notifications(client, call, tell).await?,
            "select_condstore" => extensions::select_condstore(client, call).await?,
            "select_fetch" => {
                let uids = UidSet::parse(call.argument(1)).expect("a set of UIDs");
                let items = items(&call.arguments[2..]);
                read(client.select_fetch(call.argument(0), uids, items).await?).await?
            }
            "flags" => {
                let mailbox = client.select(call.argument(0)).await?;
                flags(mailbox.flags())
            }
            "permanent_flags" => {
                let mailbox = client.select(call.argument(0)).await?;
                mailbox.permanent_flags().map_or_else(|| "all".to_owned(), flags)
            }
            "events" => {
                let mut told = Vec::new();
                while let Some(event) = client.take_event() {
                    told.push(tell(&event));
                }
                told.join(" | ")
            }
            "speak_newest" | "other_users" | "languages" | "set_language" | "list_status"
            | "append_utf8" => newer::call(client, call).await?,
            verb => {
                let selected = client.selected().expect("a mailbox was selected");
                in_mailbox(selected, verb, call).await?
            }
        })
    }

    /// A refusal is as good an answer as any, and its words are seen.
    async fn probe(&mut self) -> Result<bool, imap::Error> {
        match self.0.noop().await {
            Err(error) if error.connection_usable() => {
                Ok(error.reply_text().is_some_and(|reply| reply == OWN_ANSWER))
            }
            Err(error) => Err(error),
            Ok(()) => Ok(false),
        }
    }

    fn aftermath() -> &'static dyn Aftermath {
        &AfterImap
    }

    fn challenge(error: &imap::Error) -> Option<&Challenge> {
        match error {
            imap::Error::Auth(error) => error.challenge(),
            _ => None,
        }
    }
}

const OWN_ANSWER: &str = "NO 4242";

struct AfterImap;

impl Aftermath for AfterImap {
    fn answer(&self, line: &str, last: &str) -> Option<String> {
        if line == "DONE" {
            let tag = last.split(' ').next()?;
            return Some(format!("{tag} OK IDLE completed.\r\n"));
        }
        if let Some(tag) = line.strip_suffix(" NOOP") {
            return Some(format!("{tag} {OWN_ANSWER}\r\n"));
        }
        // The literal that was waited for, and the rest of its command.
        let tag = last.ends_with("}\r\n").then(|| last.split(' ').next())??;
        Some(format!("{tag} OK Completed.\r\n"))
    }
}

async fn in_mailbox(
    selected: &mut Mailbox,
    verb: &str,
    call: &Call,
) -> Result<String, imap::Error> {
    let uids = || UidSet::parse(call.argument(0)).expect("a set of UIDs");
    let set = || SeqSet::parse(call.argument(0)).expect("a set of numbers");
    Ok(match verb {
        "mailbox" => mailbox(selected),
        "uid_fetch" => read(selected.uid_fetch(uids(), items(&call.arguments[1..])).await?).await?,
        "parts" => {
            let messages = selected.uid_fetch(uids(), items(&call.arguments[1..])).await?;
            pieces(messages.parts()).await?
        }
        "copy_body" => {
            let messages = selected.uid_fetch(uids(), items(&call.arguments[1..])).await?;
            copies(messages.parts()).await?
        }
        // So many events, and then DONE.
        "idle" => {
            let mut idle = selected.idle();
            let mut told = Vec::new();
            for _ in 0..call.argument(0).parse::<usize>().expect("a number of events") {
                told.push(tell(&idle.next().await?));
            }
            idle.done().await?;
            told.join(" | ")
        }
        "label" => {
            let change = StoreFlags::add_gmail_labels(&call.arguments[1..]);
            let changed = selected.uid_store(uids(), change).await?;
            changed.iter().map(describe).collect::<Vec<_>>().join(" | ")
        }
        "uid_store" => {
            let flags = call.arguments[2..].iter().map(|flag| Flag::from(flag.as_str()));
            let change = match call.argument(1) {
                "+" => StoreFlags::add(flags),
                "-" => StoreFlags::remove(flags),
                _ => StoreFlags::replace(flags),
            };
            let changed = selected.uid_store(uids(), change).await?;
            changed.iter().map(describe).collect::<Vec<_>>().join(" | ")
        }
        "store" => {
            let flags = call.arguments[1..].iter().map(|flag| Flag::from(flag.as_str()));
            let changed = selected.store(set(), StoreFlags::add(flags)).await?;
            changed.iter().map(describe).collect::<Vec<_>>().join(" | ")
        }
        "uid_copy" => {
            let result = selected.uid_copy(uids(), call.argument(1)).await?;
            moved(result.uid_validity(), result.pairs())
        }
        "copy" => {
            let result = selected.copy(set(), call.argument(1)).await?;
            moved(result.uid_validity(), result.pairs())
        }
        verb @ ("uid_move" | "uid_move_or_mark") => {
            let to = call.argument(1);
            let result = match verb {
                "uid_move" => selected.uid_move(uids(), to).await?,
                _ => selected.uid_move_or_mark(uids(), to).await?,
            };
            let places = moved(result.uid_validity(), result.pairs());
            format!("{:?} {places} expunged={}", result.way(), removed(result.expunged()))
        }
        "search" => {
            let result = selected.search(search(&call.arguments)).await?;
            result.iter().map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
        }
        "uid_search" => found(&selected.uid_search(search(&call.arguments)).await?),
        "uid_count" => {
            let wanted = [SearchReturn::Count, SearchReturn::Max];
            let result = selected.uid_search_returning(search(&call.arguments), wanted).await?;
            format!("{} up to {}", result.count(), result.max().map_or(0, Uid::get))
        }
        "expunge" => removed(&selected.expunge().await?),
        "uid_expunge" => removed(&selected.uid_expunge(uids()).await?),
        "follow" => unasked::follow(selected, call).await?,
        "replace" | "uid_replace" | "uid_fetch_page" => {
            newer::in_mailbox(selected, verb, call).await?
        }
        verb => extensions::in_mailbox(selected, verb, call).await?,
    })
}

async fn append(
    client: &mut ImapClient,
    mailbox: &str,
    message: impl Into<Upload<'_>>,
) -> Result<String, imap::Error> {
    let options = AppendOptions::new().flags([Flag::Seen]);
    Ok(newer::stored(&client.append(mailbox, message, options).await?))
}

pub(super) async fn read(mut messages: Messages<'_>) -> Result<String, imap::Error> {
    let mut told = Vec::new();
    while let Some(message) = messages.next().await? {
        told.push(describe(&message));
    }
    if messages.unread() > 0 {
        told.push(format!("unread={}", messages.unread()));
    }
    Ok(told.join(" | "))
}

/// Chunks that follow each other are printed as one, for they may be of any size.
async fn pieces(mut parts: Parts<'_>) -> Result<String, imap::Error> {
    let mut told = String::new();
    while let Some(part) = parts.next().await? {
        told += &match part {
            Part::Items(message) => format!("[{}]", describe(&message)),
            Part::Section(section) => {
                format!("[{} {}]", section.name().escape_ascii(), section.octets())
            }
            Part::Chunk(octets) => octets.escape_ascii().to_string(),
            Part::End { seq } => format!("[end {seq}]"),
            Part::Unreadable { seq } => format!("[unreadable {seq}]"),
            other => panic!("{other:?}"),
        };
    }
    Ok(told)
}

async fn copies(mut parts: Parts<'_>) -> Result<String, imap::Error> {
    let mut told = Vec::new();
    loop {
        let mut body = Vec::new();
        let Some(copied) = parts.copy_body(&mut body).await? else { return Ok(told.join(" | ")) };
        let uid = copied.uid.map_or(0, Uid::get);
        let octets = copied.octets.map_or_else(|| "nothing".to_owned(), |n| n.to_string());
        told.push(format!("uid={uid} {octets} {}", body.escape_ascii()).trim_end().to_owned());
    }
}

pub(super) fn status_items(words: &[String]) -> impl Iterator<Item = StatusItem> {
    words.iter().map(|item| StatusItem::from(item.as_str()))
}

pub(super) fn status(status: &MailboxStatus) -> String {
    let print = |(name, value): (&str, &[u8])| format!("{name}={}", String::from_utf8_lossy(value));
    status.items().map(print).collect::<Vec<_>>().join(" ")
}

/// Keys by the names of their methods; `key=text` where they take one.
fn search(words: &[String]) -> Search {
    words.iter().fold(Search::all(), |search, word| match word.split_once('=') {
        Some(("from", text)) => search.from(text),
        Some(("subject", text)) => search.subject(text),
        Some(("gmail", words)) => search.gmail_raw(words),
        Some(("since", text)) => {
            let mut numbers = text.split('-').map(|number| number.parse::<u16>().expect("a date"));
            let mut next = || numbers.next().expect("a date");
            let (year, month, day) = (next(), next() as u8, next() as u8);
            search.since(Date::new(year, month, day).expect("a date"))
        }
        _ => match word.as_str() {
            "all" => search,
            "unseen" => search.unseen(),
            "flagged" => search.flagged(),
            word => panic!("no key `{word}`"),
        },
    })
}

fn found(result: &SearchResult<Uid>) -> String {
    result.iter().map(|uid| uid.to_string()).collect::<Vec<_>>().join(" ")
}

fn moved(validity: Option<NonZeroU32>, pairs: impl Iterator<Item = (Uid, Uid)>) -> String {
    let pairs: Vec<_> = pairs.map(|(from, to)| format!("{from}>{to}")).collect();
    match validity {
        Some(validity) => format!("{validity}:{}", pairs.join(",")),
        None => "no UID".into(),
    }
}

fn listed(mailboxes: &Mailboxes) -> String {
    let print = |mailbox: &ListedMailbox| {
        let attributes: Vec<_> = mailbox.attributes().iter().map(ToString::to_string).collect();
        let delimiter = mailbox.delimiter().map_or_else(|| "-".to_owned(), String::from);
        format!("{} {delimiter} {}", mailbox.name(), attributes.join(","))
    };
    let lines: Vec<_> = mailboxes.iter().map(print).collect();
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join(" | ")
}

fn role(word: &str) -> Role {
    match word {
        "Sent" => Role::Sent,
        "Drafts" => Role::Drafts,
        "Trash" => Role::Trash,
        "Junk" => Role::Junk,
        "Archive" => Role::Archive,
        "All" => Role::All,
        word => panic!("no role `{word}`"),
    }
}

pub(super) fn items(words: &[String]) -> FetchItems {
    words.iter().fold(Fetch::uid(), |items, word| match word.as_str() {
        "flags" => items.flags(),
        "date" => items.internal_date(),
        "size" => items.size(),
        "envelope" => items.envelope(),
        "body" => items.body(),
        "rfc822" => items.rfc822(),
        "header" => items.header(),
        "structure" => items.body_structure(),
        "gmail" => items.gmail_message_id().gmail_thread_id().gmail_labels(),
        "first_ten" => items.section(Section::full().partial(0, 10)),
        word => panic!("no item `{word}`"),
    })
}

fn mailbox(mailbox: &mut Mailbox) -> String {
    let number = |n: Option<NonZeroU32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    format!(
        "{} exists={} uidvalidity={} uidnext={}{}",
        mailbox.name(),
        mailbox.exists(),
        number(mailbox.uid_validity()),
        mailbox.uid_next().map_or_else(|| "-".to_owned(), |uid| uid.to_string()),
        if mailbox.is_read_only() { " read-only" } else { "" },
    )
}

fn describe(message: &Message) -> String {
    let mut told = vec![message.seq().to_string()];
    told.extend(message.uid().map(|uid| format!("uid={uid}")));
    let flags: Vec<_> = message.flags().map(|flag| flag.as_str().to_owned()).collect();
    if !flags.is_empty() {
        told.push(format!("flags={}", flags.join(",")));
    }
    told.extend(message.internal_date().map(|date| format!("date={date}")));
    told.extend(message.size().map(|size| format!("size={size}")));
    told.extend(message.gmail_message_id().map(|id| format!("id={id:x}")));
    told.extend(message.gmail_thread_id().map(|id| format!("thread={id}")));
    told.extend(message.gmail_labels().map(|labels| {
        let labels: Vec<_> = labels.iter().map(ToString::to_string).collect();
        format!("labels={}", labels.join(","))
    }));
    told.extend(message.envelope().map(|envelope| {
        let subject = envelope.subject().map(|s| s.to_str_lossy().into_owned());
        let from: Vec<_> = envelope.from().iter().filter_map(|a| a.to_addr_spec()).collect();
        format!("subject={} from={}", subject.unwrap_or_default(), from.join(","))
    }));
    told.extend(message.body_structure().map(|structure| {
        let parts = structure.parts().map(|part| format!("{}:{}", part.number(), kind(part)));
        format!("parts={}", parts.collect::<Vec<_>>().join(","))
    }));
    told.extend(
        message.unparsed().map(|rest| format!("unparsed={}", rest.octets().escape_ascii())),
    );
    told.extend(message.body().map(|body| format!("body={}", body.escape_ascii())));
    let first = Section::full().partial(0, 10);
    told.extend(message.section(&first).map(|part| format!("first={}", part.escape_ascii())));
    told.join(" ")
}

fn kind(part: BodyPart<'_>) -> String {
    let show = |text: Option<Text<'_>>| {
        text.map_or_else(|| "-".into(), |t| t.to_bytes().escape_ascii().to_string())
    };
    let media_type = if part.is_multipart() { "multipart".into() } else { show(part.media_type()) };
    let size = part.size().map_or(String::new(), |size| format!("({size})"));
    let name = part.file_name().map_or(String::new(), |name| format!("={}", show(Some(name))));
    format!("{media_type}/{}{size}{name}", show(part.subtype())).to_lowercase()
}

fn tell(event: &Event) -> String {
    match event {
        Event::Exists(messages) => format!("exists {messages}"),
        Event::Expunge(number) => format!("expunge {number}"),
        Event::Fetch(message) => format!("fetch {}", describe(message)),
        Event::Vanished { uids, earlier: false } => format!("vanished {uids}"),
        Event::Vanished { uids, earlier: true } => format!("vanished earlier {uids}"),
        Event::Notice(reply) => format!("notice {reply}"),
        Event::Data(data) => {
            format!("data {} {}", data.name(), String::from_utf8_lossy(data.rest()))
        }
        Event::Unparsed { frame, .. } => {
            format!("unparsed {}", String::from_utf8_lossy(frame.trim_ascii_end()))
        }
        Event::Overflow { lost } => format!("overflow {lost}"),
        other => unasked::tell(other).unwrap_or_else(|| format!("{other:?}")),
    }
}

fn flags(flags: &[Flag<'static>]) -> String {
    flags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn removed(expunged: &Expunged) -> String {
    let numbers = expunged.numbers().iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    if expunged.uids().is_empty() { numbers } else { format!("uids {}", expunged.uids()) }
}
