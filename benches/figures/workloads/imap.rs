//! Reading messages by IMAP.

use std::hint::black_box;

use bytes::BytesMut;
use mailbearer::imap::{
    Addresses, AppendOptions, BodyPart, Event, Fetch, FetchItems, Message, Parameters, QResync,
    Resynced, Search, Text, UidSet, Upload,
};
use mailbearer::{ImapClient, Protocol};
use tokio::io::AsyncReadExt;

use super::{Workload, at, connector};
use crate::replay::{Replay, after};
use crate::{said, single_threaded};

/// Everything a mail program shows in its list, every field looked at. An item is a message.
pub(crate) static METADATA: Workload =
    Workload::new("imap-metadata", |items| single_threaded(metadata(items)));

/// Bodies by one FETCH. An item is one of them.
pub(crate) static BODY_50_KIB: Workload = Workload::new("imap-body-50-kib", |items| {
    single_threaded(bodies(server(literal(50 * 1024), items), 1, items))
});

pub(crate) static LITERAL_64_KIB: Workload = Workload::new("imap-literal-64-kib", |items| {
    single_threaded(bodies(server(literal(64 * 1024), 1), items, items))
});

pub(crate) static LITERAL_64_KIB_BY_OCTETS: Workload =
    Workload::new("imap-literal-64-kib-by-octets", |items| {
        single_threaded(bodies(server(literal(64 * 1024), 1).in_reads_of(1), items, items))
    });

pub(crate) static LITERAL_10_KIB_BY_OCTETS: Workload =
    Workload::new("imap-literal-10-kib-by-octets", |items| {
        single_threaded(bodies(server(literal(10 * 1024), 1).in_reads_of(1), items, items))
    });

pub(crate) static LITERAL_1_MIB_BY_OCTETS: Workload =
    Workload::new("imap-literal-1-mib-by-octets", |items| {
        single_threaded(bodies(server(literal(1024 * 1024), 1).in_reads_of(1), items, items))
    });

pub(crate) static LINE_10_KIB_BY_OCTETS: Workload =
    Workload::new("imap-line-10-kib-by-octets", |items| {
        single_threaded(bodies(server(line(10 * 1024), 1).in_reads_of(1), items, items))
    });

pub(crate) static LINE_64_KIB: Workload = Workload::new("imap-line-64-kib", |items| {
    single_threaded(bodies(server(line(64 * 1024), 1), items, items))
});

pub(crate) static LINE_64_KIB_BY_OCTETS: Workload =
    Workload::new("imap-line-64-kib-by-octets", |items| {
        single_threaded(bodies(server(line(64 * 1024), 1).in_reads_of(1), items, items))
    });

pub(crate) static LINE_1_MIB_BY_OCTETS: Workload =
    Workload::new("imap-line-1-mib-by-octets", |items| {
        single_threaded(bodies(server(line(1024 * 1024), 1).in_reads_of(1), items, items))
    });

/// Lists, one behind the other, in a structure of so many octets. An item is a message.
pub(crate) static LISTS_10_KIB: Workload = Workload::new("imap-lists-10-kib", |items| {
    single_threaded(bodies(server(lists(10 * 1024), 1), items, items))
});

pub(crate) static LISTS_1_MIB: Workload = Workload::new("imap-lists-1-mib", |items| {
    single_threaded(bodies(server(lists(1024 * 1024), 1), items, items))
});

/// A search that finds so many messages, none beside another. An item is a search.
pub(crate) static SEARCH_100_000: Workload =
    Workload::new("imap-search-100-000", |items| single_threaded(searches(100_000, items)));

pub(crate) static SEARCH_1_000_000: Workload =
    Workload::new("imap-search-1-000-000", |items| single_threaded(searches(1_000_000, items)));

/// What reading octet by octet costs the replay and tokio. An item is 64 KiB.
pub(crate) static OCTETS_64_KIB: Workload = Workload::new("octets-64-kib", |items| {
    single_threaded(async move {
        let said = after(b"", [0; 64 * 1024]).times(items + 1);
        let mut stream = Replay::new([], [said]).in_reads_of(1).stream();
        let mut buffer = BytesMut::with_capacity(64 * 1024);
        for _ in 0..items {
            buffer.clear();
            while buffer.len() < 64 * 1024 {
                stream.read_buf(&mut buffer).await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    })
});

/// A response that holds a message of so many octets as a literal.
pub(crate) fn literal(octets: usize) -> Vec<u8> {
    let mut response = format!("* 1 FETCH (UID 1 BODY[] {{{octets}}}\r\n").into_bytes();
    let mut message = super::message(octets);
    message.truncate(octets);
    response.append(&mut message);
    response.extend_from_slice(b")\r\n");
    response
}

/// A response of so many octets without a literal, made of short strings.
fn line(octets: usize) -> Vec<u8> {
    let mut response = b"* 1 FETCH (UID 1 X-LIST (".to_vec();
    while response.len() < octets {
        response.extend_from_slice(b"\"a word\" ");
    }
    response.extend_from_slice(b"NIL))\r\n");
    response
}

/// A response of so many octets whose structure has lists where nothing is known to be.
fn lists(octets: usize) -> Vec<u8> {
    let part = "(\"a\" \"b\" NIL NIL NIL \"7BIT\" 1 NIL NIL NIL NIL ";
    let mut response = format!("* 1 FETCH (UID 1 BODYSTRUCTURE {part}").into_bytes();
    while response.len() < octets {
        response.extend_from_slice(b"((a))");
    }
    response.extend_from_slice(b"))\r\n");
    response
}

/// What a server says of one message: the metadata of an invoice with an attachment.
fn metadata_response(uid: u64) -> String {
    format!(
        "* {uid} FETCH (UID {uid} FLAGS (\\Seen \\Answered $Forwarded) \
         INTERNALDATE \"17-Jul-2026 02:44:25 +0200\" RFC822.SIZE 128443 ENVELOPE \
         (\"Fri, 17 Jul 2026 02:44:21 +0200\" \"=?utf-8?Q?Rechnung_Nr=2E_4711?=\" \
         ((\"Ann Example\" NIL \"ann\" \"contoso.example\")) \
         ((\"Ann Example\" NIL \"ann\" \"contoso.example\")) \
         ((\"Billing\" NIL \"billing\" \"contoso.example\")) \
         ((\"Bob Example\" NIL \"bob\" \"example.com\")(NIL NIL \"eve\" \"example.net\")) \
         ((\"The \\\"Team\\\"\" NIL \"team\" \"example.com\")) NIL \
         \"<4710@contoso.example>\" \"<4711.20260717@contoso.example>\") \
         BODYSTRUCTURE (((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \
         \"quoted-printable\" 1532 41 NIL NIL NIL NIL)(\"text\" \"html\" (\"charset\" \"utf-8\") \
         NIL NIL \"quoted-printable\" 8201 166 NIL NIL NIL NIL) \"alternative\" (\"boundary\" \
         \"_000_4711\") NIL NIL NIL)(\"application\" \"pdf\" (\"name\" \"4711.pdf\") \
         \"<1@contoso.example>\" \"4711.pdf\" \"base64\" 117920 NIL (\"attachment\" (\"filename\" \
         \"4711.pdf\" \"size\" \"86170\")) NIL NIL) \"mixed\" (\"boundary\" \"_001_4711\") NIL NIL \
         NIL))\r\n"
    )
}

/// As many responses as the replay repeats.
pub(crate) const BLOCK: u64 = 64;

/// A block of responses with metadata.
pub(crate) fn metadata_responses() -> String {
    (1..=BLOCK).map(metadata_response).collect()
}

/// Serves one mailbox; every UID FETCH is answered by `responses`, said so many times.
pub(crate) fn server(responses: impl Into<Vec<u8>>, times: u64) -> Replay {
    let capabilities = "* CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2\r\n";
    let login = [
        after(b"", "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\r\n"),
        after(b"\r\n", capabilities).tagged(b" OK AUTHENTICATE completed\r\n"),
        after(b"\r\n", "* 64 EXISTS\r\n").tagged(b" OK [READ-WRITE] SELECT completed\r\n"),
    ];
    let fetch = after(b"\r\n", responses).times(times).tagged(b" OK FETCH completed\r\n");
    Replay::new(login, [fetch])
}

async fn client(replay: Replay) -> Result<ImapClient, String> {
    connector(ImapClient::builder, Protocol::Imap, replay).connect().await.map_err(said)
}

/// Reads the metadata of so many messages by one UID FETCH.
pub(crate) async fn metadata(messages: u64) -> Result<(), String> {
    let items = Fetch::flags().internal_date().size().envelope().body_structure();
    let mut seen = 0;
    let client = client(server(metadata_responses(), messages / BLOCK)).await?;
    fetch(client, items, 1, |message| {
        seen += 1;
        look_at(message)
    })
    .await?;
    if seen == messages { Ok(()) } else { Err(format!("{seen} messages of {messages}")) }
}

/// Fetches so many times; the replay answers with so many bodies in all.
pub(crate) async fn bodies(replay: Replay, times: u64, messages: u64) -> Result<(), String> {
    read_bodies(client(replay).await?, times, messages).await
}

/// The same once, from a server behind a port of this machine.
pub(crate) async fn bodies_at(port: u16, messages: u64) -> Result<(), String> {
    let client = at(ImapClient::builder, Protocol::Imap, port).connect().await;
    read_bodies(client.map_err(said)?, 1, messages).await
}

async fn read_bodies(client: ImapClient, times: u64, messages: u64) -> Result<(), String> {
    let mut seen = 0;
    fetch(client, Fetch::body(), times, |message| {
        seen += 1;
        black_box(message.body());
    })
    .await?;
    if seen == messages { Ok(()) } else { Err(format!("{seen} messages of {messages}")) }
}

async fn fetch(
    mut client: ImapClient,
    items: FetchItems,
    times: u64,
    mut look: impl FnMut(&Message),
) -> Result<(), String> {
    let inbox = client.select("INBOX").await.map_err(said)?;
    for _ in 0..times {
        let messages = inbox.uid_fetch(UidSet::all(), items.clone()).await;
        let mut messages = messages.map_err(said)?;
        while let Some(message) = messages.next().await.map_err(said)? {
            look(&message);
        }
    }
    Ok(())
}

/// Passes a message on as it comes.
pub(crate) async fn copied(replay: Replay, octets: usize) -> Result<(), String> {
    let mut client = client(replay).await?;
    let inbox = client.select("INBOX").await.map_err(said)?;
    let messages = inbox.uid_fetch(UidSet::all(), Fetch::body()).await;
    let copied = messages.map_err(said)?.parts().copy_body(&mut tokio::io::sink()).await;
    match copied.map_err(said)?.and_then(|copied| copied.octets) {
        Some(written) if written == octets as u64 => Ok(()),
        other => Err(format!("{other:?} octets of {octets}")),
    }
}

/// The last octets of a message that is stored. None of its other octets is any of these.
const END: &[u8] = b"bye";

/// Takes a message of any length, which ends in [`END`], once it has invited it.
pub(crate) fn storing() -> Replay {
    let capabilities = "* CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 UIDPLUS\r\n";
    let login = [
        after(b"", "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\r\n"),
        after(b"\r\n", capabilities).tagged(b" OK AUTHENTICATE completed\r\n"),
        after(b"}\r\n", "+ Ready for literal data\r\n"),
    ];
    let stored = after(b"bye\r\n", "A2 OK [APPENDUID 14 7] APPEND completed\r\n");
    Replay::new(login, [stored])
}

/// Stores a message as it is read.
pub(crate) async fn appended(replay: Replay, octets: u64) -> Result<(), String> {
    let mut client = client(replay).await?;
    let message = tokio::io::repeat(b'x').take(octets - END.len() as u64).chain(END);
    let upload = Upload::reader(message, octets);
    let stored = client.append("INBOX", upload, AppendOptions::new()).await.map_err(said)?;
    if stored.uid().is_some() { Ok(()) } else { Err("it was not stored".to_owned()) }
}

/// Lines that nobody has asked for, and that all are kept for somebody.
const UNASKED: &str = "* 1 EXPUNGE\r\n* XFOO bar\r\n* OK hi\r\n* 1 BOGUS (\r\n* 1 FETCH (FLAGS ())\r\n\
                       A9 OK of no command\r\ngarbage\r\n* STATUS x (MESSAGES 1)\r\n";

/// Floods whoever asks for nothing with so many lines.
pub(crate) fn flooding(lines: u64) -> Replay {
    let login = [
        after(b"", "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\r\n"),
        after(b"\r\n", "* CAPABILITY IMAP4rev1\r\n").tagged(b" OK AUTHENTICATE completed\r\n"),
        after(b"\r\n", "* 4000000 EXISTS\r\n").tagged(b" OK [READ-WRITE] SELECT completed\r\n"),
    ];
    let times = lines / UNASKED.lines().count() as u64;
    let flood = after(b"\r\n", UNASKED).times(times).tagged(b" OK NOOP completed\r\n");
    Replay::new(login, [flood])
}

/// Asks for nothing, and counts what it is told.
pub(crate) async fn flooded(replay: Replay, lines: u64) -> Result<(), String> {
    let mut client = client(replay).await?;
    let inbox = client.select("INBOX").await.map_err(said)?;
    inbox.noop().await.map_err(said)?;
    let events = std::iter::from_fn(|| inbox.take_event());
    let told: u64 =
        events.map(|event| if let Event::Overflow { lost } = event { lost } else { 1 }).sum();
    if told == lines { Ok(()) } else { Err(format!("{told} events of {lines}")) }
}

/// What a server says of a mailbox of 100,000 messages of which every `step`th has changed, and the
/// one behind it is gone.
pub(crate) fn changes(changed: u32) -> String {
    let step = 100_000 / changed;
    let places = || (0..changed).map(|number| 1 + number * step);
    let gone: Vec<_> = places().map(|uid| (uid + 1).to_string()).collect();
    let told = places()
        .map(|uid| format!("* {uid} FETCH (UID {uid} FLAGS (\\Seen) MODSEQ (71519404{uid}))\r\n"));
    format!(
        "* {} EXISTS\r\n* OK [UIDVALIDITY 14] UIDs valid\r\n\
         * OK [HIGHESTMODSEQ 7151940499999] Highest\r\n* VANISHED (EARLIER) {}\r\n{}",
        100_000 - changed,
        gone.join(","),
        told.collect::<String>()
    )
}

/// A server that tells the changes of a mailbox when it is opened.
pub(crate) fn changing(changed: u32) -> Replay {
    let login = [
        after(b"", "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\r\n"),
        after(b"\r\n", "* CAPABILITY IMAP4rev1 SASL-IR ENABLE QRESYNC\r\n")
            .tagged(b" OK AUTHENTICATE completed\r\n"),
        after(b"\r\n", "* ENABLED QRESYNC\r\n").tagged(b" OK ENABLE completed\r\n"),
    ];
    let select = after(b"\r\n", changes(changed)).tagged(b" OK [READ-WRITE] selected\r\n");
    Replay::new(login, [select])
}

/// Opens a mailbox with all that has changed in it.
pub(crate) async fn resynced(replay: Replay, changed: u32) -> Result<(), String> {
    let mut client = client(replay).await?;
    let changes = resync(&mut client).await?;
    match (changes.changed().len(), changes.vanished().ranges().count()) {
        (messages, ranges) if messages == changed as usize && ranges == messages => Ok(()),
        other => Err(format!("{other:?} of {changed} changes")),
    }
}

/// What has changed among the messages that were known.
pub(crate) async fn resync(client: &mut ImapClient) -> Result<Resynced, String> {
    let validity = std::num::NonZeroU32::new(14).unwrap_or(std::num::NonZeroU32::MIN);
    let known = UidSet::parse("1:100000").map_err(|error| error.to_string())?;
    let known = QResync::new(validity, 7_151_940_000_000).known_uids(known);
    let resynced = client.resync("INBOX", known).await;
    resynced.map(|(_, changes)| changes).map_err(said)
}

async fn searches(messages: u32, times: u64) -> Result<(), String> {
    let numbers: String = (0..messages).map(|number| format!(" {}", 2 * number + 1)).collect();
    let mut client = client(server(format!("* SEARCH{numbers}\r\n"), 1)).await?;
    let inbox = client.select("INBOX").await.map_err(said)?;
    for _ in 0..times {
        let found = inbox.uid_search(Search::all()).await.map_err(said)?;
        if found.count() != messages {
            return Err(format!("{} messages of {messages}", found.count()));
        }
    }
    Ok(())
}

/// Visits every field. A figure counts what it costs by its name.
#[inline(never)]
fn look_at(message: &Message) {
    black_box((message.uid(), message.internal_date(), message.size()));
    for flag in message.flags() {
        black_box(flag);
    }
    let Some(envelope) = message.envelope() else { return };
    for text in [envelope.date(), envelope.subject(), envelope.in_reply_to(), envelope.message_id()]
    {
        look_at_text(text);
    }
    for addresses in [
        envelope.from(),
        envelope.sender(),
        envelope.reply_to(),
        envelope.to(),
        envelope.cc(),
        envelope.bcc(),
    ] {
        look_at_addresses(addresses);
    }
    for part in message.body_structure().into_iter().flat_map(|structure| structure.parts()) {
        look_at_part(part);
    }
}

fn look_at_part(part: BodyPart<'_>) {
    black_box((part.is_multipart(), part.size(), part.lines(), part.extension()));
    for text in [
        part.media_type(),
        part.subtype(),
        part.id(),
        part.description(),
        part.encoding(),
        part.md5(),
        part.location(),
    ] {
        look_at_text(text);
    }
    look_at_parameters(part.parameters());
    if let Some(disposition) = part.disposition() {
        look_at_text(Some(disposition.kind()));
        look_at_parameters(disposition.parameters());
    }
    for language in part.languages() {
        look_at_text(Some(language));
    }
}

fn look_at_parameters(parameters: Parameters<'_>) {
    for parameter in parameters {
        look_at_text(Some(parameter.name()));
        look_at_text(parameter.value());
    }
}

fn look_at_addresses(addresses: Addresses<'_>) {
    for address in addresses {
        for text in [address.name(), address.route(), address.mailbox(), address.host()] {
            look_at_text(text);
        }
    }
}

fn look_at_text(text: Option<Text<'_>>) {
    black_box(text.map(|text| text.to_bytes().len()));
}
