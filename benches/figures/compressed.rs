//! What of the octets is left where everything is compressed.

use flate2::{Compress, Compression, FlushCompress};
use mailbearer::imap::{Fetch, UidSet};
use mailbearer::{ImapClient, Protocol};

use crate::figure::Measured;
use crate::replay::{Replay, after};
use crate::workloads::connector;
use crate::{said, single_threaded};

/// The octets that the metadata of 10,000 messages take, over those without compression.
pub(crate) fn metadata_of_10_000() -> Measured {
    const MESSAGES: u32 = 10_000;
    // Where the client has flushed, its line is whole.
    const FLUSHED: &[u8] = b"\0\0\xff\xff";
    let mut plain: String = (1..=MESSAGES).map(metadata).collect();
    plain.push_str("A4 OK FETCH completed\r\n");
    let mut server = Compress::new(Compression::default(), false);
    let selected = flight(&mut server, "* 10000 EXISTS\r\nA3 OK SELECT completed\r\n")?;
    let told = flight(&mut server, &plain)?;
    let share = told.len() as f64 / plain.len() as f64;
    let capabilities = "* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n";
    let login = [
        after(b"", "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\r\n"),
        after(b"\r\n", capabilities).tagged(b" OK AUTHENTICATE completed\r\n"),
        after(b"EFLATE\r\n", "").tagged(b" OK DEFLATE active\r\n"),
    ];
    let replay = Replay::new(login, [after(FLUSHED, selected), after(FLUSHED, told)]);
    single_threaded(async move {
        let connector = connector(ImapClient::builder, Protocol::Imap, replay).compress(true);
        let mut client = connector.connect().await.map_err(said)?;
        let inbox = client.select("INBOX").await.map_err(said)?;
        let items = Fetch::flags().size().envelope().body_structure();
        let mut messages = inbox.uid_fetch(UidSet::all(), items).await.map_err(said)?;
        let mut read = 0;
        while let Some(message) = messages.next().await.map_err(said)? {
            read += u32::from(message.envelope().is_some() && message.body_structure().is_some());
        }
        match read {
            MESSAGES => Ok(share),
            _ => Err(format!("{read} messages were read")),
        }
    })
}

/// What a server writes that says this and flushes.
fn flight(server: &mut Compress, text: &str) -> Result<Vec<u8>, String> {
    let mut written = Vec::with_capacity(text.len() + 64);
    let before = server.total_in();
    server
        .compress_vec(text.as_bytes(), &mut written, FlushCompress::Sync)
        .map_err(|error| error.to_string())?;
    match server.total_in() - before {
        taken if taken == text.len() as u64 => Ok(written),
        taken => Err(format!("the server compressed {taken} octets only")),
    }
}

/// What a server says of one message to somebody who draws a list: all of it differs from message to
/// message, and pseudo-randomly what does so in life.
fn metadata(number: u32) -> String {
    let mut state = number.wrapping_mul(2_654_435_761);
    let mut pick = |of: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % of
    };
    let words = ["invoice", "meeting", "report", "order", "ticket", "review", "release", "offer"];
    let people = ["ann", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
    let (word, about) = (words[pick(8) as usize], words[pick(8) as usize]);
    let (from, to) = (people[pick(8) as usize], people[pick(8) as usize]);
    let (day, hour, minute, size) = (pick(28) + 1, pick(24), pick(60), pick(100_000));
    let (id, seen) = ((pick(1 << 24) as u64) << 24 | pick(1 << 24) as u64, pick(2));
    let flags = if seen == 1 { "\\Seen" } else { "" };
    format!(
        "* {number} FETCH (UID {uid} FLAGS ({flags}) RFC822.SIZE {size} ENVELOPE (\"{day:02} Nov \
         2026 {hour:02}:{minute:02}:00 +0000\" \"Re: {word} {size} about the {about}\" ((\"{from}\" \
         NIL \"{from}\" \"example.com\")) ((\"{from}\" NIL \"{from}\" \"example.com\")) ((\"{from}\" \
         NIL \"{from}\" \"example.com\")) ((NIL NIL \"{to}\" \"example.net\")) NIL NIL NIL \
         \"<{id:x}@mail.example.com>\") BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL \
         NIL \"QUOTED-PRINTABLE\" {plain} {lines} NIL NIL NIL)(\"TEXT\" \"HTML\" (\"CHARSET\" \
         \"utf-8\") NIL NIL \"QUOTED-PRINTABLE\" {size} {lines} NIL NIL NIL) \"ALTERNATIVE\" \
         (\"BOUNDARY\" \"{id:x}\") NIL NIL))\r\n",
        uid = number + 4711,
        plain = size / 3,
        lines = size / 70,
    )
}
