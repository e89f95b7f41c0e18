//! What newer revisions of IMAP, and extensions that few servers have, add to the verbs of
//! transcripts.

use std::num::NonZeroU32;

use mailbearer::ImapClient;
use mailbearer::imap::{
    self, AppendOptions, AppendResult, Extension, Flag, ListQuery, ListedMailbox, Mailbox,
    NamespacePrefix, Partial, Uid, UidSet,
};

use super::imap::{items, read, status, status_items};
use super::script::Call;

pub(super) async fn call(client: &mut ImapClient, call: &Call) -> Result<String, imap::Error> {
    Ok(match call.verb.as_str() {
        // IMAP4rev2 where it is offered, and else what there is.
        "speak_newest" => {
            if client.capabilities().has("IMAP4rev2") {
                client.enable([Extension::Imap4rev2]).await?;
            }
            String::new()
        }
        "other_users" => prefixes(client.namespace().await?.others()),
        "languages" => client.languages().await?.join(" "),
        "set_language" => client.set_language(call.arguments.clone()).await?.unwrap_or_default(),
        // A pattern, and what is told of each mailbox.
        "list_status" => {
            let query =
                ListQuery::new(call.argument(0)).with_status(status_items(&call.arguments[1..]));
            let print = |mailbox: &ListedMailbox| {
                format!("{} {}", mailbox.name(), mailbox.status().map_or_else(String::new, status))
            };
            let found = client.list_query(query).await?;
            found.iter().map(print).collect::<Vec<_>>().join(" | ")
        }
        "append_utf8" => {
            let options = AppendOptions::new().flags([Flag::Seen]).utf8();
            stored(&client.append(call.argument(0), text(call.argument(1)), options).await?)
        }
        verb => panic!("IMAP has no verb `{verb}` here"),
    })
}

pub(super) async fn in_mailbox(
    selected: &mut Mailbox,
    verb: &str,
    call: &Call,
) -> Result<String, imap::Error> {
    let options = || AppendOptions::new().flags([Flag::Seen, Flag::Draft]);
    Ok(match verb {
        // A message, a mailbox, and the text that takes its place.
        "replace" => {
            let number: NonZeroU32 = call.argument(0).parse().expect("a number");
            let (mailbox, text) = (call.argument(1), text(call.argument(2)));
            stored(selected.replace(number, mailbox, text, options()).await?.stored())
        }
        "uid_replace" => {
            let uid = call.argument(0).parse().ok().and_then(Uid::new).expect("a UID");
            let (mailbox, text) = (call.argument(1), text(call.argument(2)));
            stored(selected.uid_replace(uid, mailbox, text, options()).await?.stored())
        }
        // UIDs, the first place and the last, from the end with `-`, and items.
        "uid_fetch_page" => {
            let uids = UidSet::parse(call.argument(0)).expect("a set of UIDs");
            let place = |word: &str| word.parse::<i64>().expect("a place");
            let (first, last) = (place(call.argument(1)), place(call.argument(2)));
            let places = first.unsigned_abs() as u32..=last.unsigned_abs() as u32;
            let page = match first < 0 {
                true => Partial::from_end(places),
                false => Partial::from_start(places),
            };
            let items = items(&call.arguments[3..]).partial(page);
            read(selected.uid_fetch(uids, items).await?).await?
        }
        verb => panic!("IMAP has no verb `{verb}` here"),
    })
}

pub(super) fn prefixes(prefixes: &[NamespacePrefix]) -> String {
    let print = |of: &NamespacePrefix| {
        let shown = of.translation().map_or_else(String::new, |shown| format!("={shown}"));
        format!("{}:{:?}{shown}", of.prefix(), of.delimiter())
    };
    prefixes.iter().map(print).collect::<Vec<_>>().join(" ")
}

/// In which `\r\n` is a line end.
pub(super) fn text(argument: &str) -> String {
    argument.replace("\\r", "\r").replace("\\n", "\n")
}

pub(super) fn stored(result: &AppendResult) -> String {
    match (result.uid_validity(), result.uid()) {
        (Some(validity), Some(uid)) => format!("{validity}:{uid}"),
        _ => "no UID".into(),
    }
}
