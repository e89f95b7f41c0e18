//! Every server that is a little wrong: no panic, no hang, no leak.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use mailbearer::imap::{AppendOptions, Fetch, Flag, StoreFlags, UidSet};
use mailbearer::net::{Connection, Dial};
use mailbearer::smtp::Envelope;
use mailbearer::token::StaticToken;
use mailbearer::{
    Auth, BoxFuture, Client, Connector, Endpoint, Failure, ImapClient, PopClient, Protocol,
    SmtpClient, danger,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const TOKEN: &str = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAAW9s8zQ1kX7yT5uR2vN4mK6hG";

struct Once(Mutex<Option<DuplexStream>>);

impl Dial for Once {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Connection>> {
        let stream = self.0.lock().unwrap().take();
        Box::pin(async move {
            let stream = stream.ok_or(io::ErrorKind::ConnectionRefused)?;
            Ok(Connection::new(stream).with_peer(([127, 0, 0, 1], 1).into()))
        })
    }
}

fn connector<C: Client>(
    protocol: Protocol,
    builder: fn(Endpoint) -> Connector<C>,
    pipe: usize,
) -> (Connector<C>, DuplexStream) {
    let (near, far) = duplex(pipe);
    let endpoint = Endpoint::new(protocol, "localhost", 1, danger::plaintext_on_loopback());
    let connector = builder(endpoint)
        .dial(Once(Mutex::new(Some(near))))
        .auth(Auth::xoauth2("a@b.example", StaticToken::new(TOKEN)));
    (connector, far)
}

/// Says what stands between the marks, each piece when the client has said something.
async fn converse(mut far: DuplexStream, octets: Vec<u8>, chunk: usize, close: bool) {
    for (at, reply) in octets.split(|octet| *octet == MARK).enumerate() {
        let mut sink = [0; 4096];
        if at > 0 && !far.read(&mut sink).await.is_ok_and(|octets| octets > 0) {
            return;
        }
        for piece in reply.chunks(chunk) {
            if far.write_all(piece).await.is_err() {
                return;
            }
            if chunk < 10 {
                tokio::task::yield_now().await;
            }
        }
    }
    if !close {
        let mut sink = vec![0; 65536];
        while far.read(&mut sink).await.is_ok_and(|octets| octets > 0) {}
    }
}

const MARK: u8 = 0x1e;

/// Says the octets, `chunk` at a time, whatever the client does; then closes or is silent.
async fn say(mut far: DuplexStream, octets: Vec<u8>, chunk: usize, close: bool) {
    if octets.contains(&MARK) {
        return converse(far, octets, chunk, close).await;
    }
    for piece in octets.chunks(chunk) {
        if far.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
        // Read what there is, so that nobody is stuck.
        let mut sink = [0; 4096];
        let _ = tokio::time::timeout(Duration::ZERO, far.read(&mut sink)).await;
    }
    if !close {
        let mut sink = vec![0; 65536];
        while far.read(&mut sink).await.is_ok_and(|octets| octets > 0) {}
    }
}

fn note<T: std::fmt::Debug, E: Failure>(out: &mut String, what: &str, result: Result<T, E>) {
    match result {
        Ok(value) => out.push_str(&format!("{what}: {value:?}\n")),
        Err(error) => {
            let shown = format!(
                "{what}: {error} {error:?} {:?} {:?} usable={} {:?}\n",
                error.retry(),
                error.stage(),
                error.connection_usable(),
                error.reply_text()
            );
            out.push_str(&shown);
        }
    }
}

async fn smtp(octets: Vec<u8>, chunk: usize, close: bool) -> String {
    let (connector, far) = connector(Protocol::Smtp, SmtpClient::builder, 4096);
    let mut out = String::new();
    let client = async {
        let mut client = match connector.connect().await {
            Ok(client) => client,
            Err(error) => return note(&mut out, "connect", Err::<(), _>(error)),
        };
        let envelope = Envelope::new("a@b.example", ["c@d.example", "e@f.example"]).unwrap();
        for _ in 0..2 {
            note(&mut out, "send", client.send(&envelope, "Subject: x\r\n\r\n.\r\n").await);
            note(&mut out, "noop", client.noop().await);
        }
        note(&mut out, "rset", client.rset().await);
        note(&mut out, "quit", client.quit().await);
    };
    tokio::join!(client, say(far, octets, chunk, close));
    out
}

async fn pop(octets: Vec<u8>, chunk: usize, close: bool) -> String {
    let (connector, far) = connector(Protocol::Pop, PopClient::builder, 4096);
    let mut out = String::new();
    let client = async {
        let mut client = match connector.connect().await {
            Ok(client) => client,
            Err(error) => return note(&mut out, "connect", Err::<(), _>(error)),
        };
        note(&mut out, "list", client.list().await);
        note(&mut out, "uidl", client.uidl().await);
        note(&mut out, "retr", client.retr(1).await);
        note(&mut out, "top", client.top(1, 1).await);
        note(&mut out, "stat", client.stat().await);
        note(&mut out, "dele", client.dele(1).await);
        note(&mut out, "quit", client.quit().await);
    };
    tokio::join!(client, say(far, octets, chunk, close));
    out
}

async fn imap(octets: Vec<u8>, chunk: usize, close: bool) -> String {
    let (connector, far) = connector(Protocol::Imap, ImapClient::builder, 4096);
    let mut out = String::new();
    let client = async {
        let mut client = match connector.connect().await {
            Ok(client) => client,
            Err(error) => return note(&mut out, "connect", Err::<(), _>(error)),
        };
        match client.select("INBOX").await {
            Err(error) => note(&mut out, "select", Err::<(), _>(error)),
            Ok(inbox) => {
                let items = Fetch::envelope().flags().body().size().internal_date();
                match inbox.uid_fetch(UidSet::all(), items).await {
                    Err(error) => note(&mut out, "fetch", Err::<(), _>(error)),
                    Ok(mut messages) => loop {
                        match messages.next().await {
                            Ok(Some(message)) => {
                                out.push_str(&format!(
                                    "{message:?} {:?} {:?} {:?} {:?} {:?} {:?}\n",
                                    message.envelope(),
                                    message.flags().collect::<Vec<_>>(),
                                    message.body().map(<[u8]>::len),
                                    message.size(),
                                    message.internal_date(),
                                    message
                                        .unparsed()
                                        .map(|rest| rest.octets().len())
                                        .sum::<usize>(),
                                ));
                                for item in message.items() {
                                    let _ = (item.text(), item.number());
                                }
                            }
                            Ok(None) => break,
                            Err(error) => {
                                note(&mut out, "next", Err::<(), _>(error));
                                break;
                            }
                        }
                    },
                }
                let change = StoreFlags::add([Flag::Deleted]);
                note(&mut out, "store", inbox.uid_store(UidSet::all(), change).await);
                note(&mut out, "expunge", inbox.expunge().await);
            }
        }
        note(&mut out, "append", client.append("Sent", "x", AppendOptions::new()).await);
        note(&mut out, "namespace", client.namespace().await);
        while let Some(event) = client.take_event() {
            out.push_str(&format!("{event:?}\n"));
        }
        note(&mut out, "logout", client.logout().await);
    };
    tokio::join!(client, say(far, octets, chunk, close));
    out
}

const SMTP: &[u8] = b"220 hi\r\n250-x\r\n250-SIZE 1000\r\n250 AUTH XOAUTH2\r\n334 \r\n235 ok\r\n\
250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go\r\n250 2.0.0 queued as X1\r\n250 ok\r\n\
250 ok\r\n550 5.1.1 no\r\n450 4.2.1 no\r\n250 reset\r\n250 ok\r\n250 ok\r\n221 bye\r\n";
const POP: &[u8] = b"+OK hi\r\n+OK\r\nSASL XOAUTH2\r\n.\r\n+ \r\n+OK\r\n+OK 1 20\r\n\
+OK\r\n1 20\r\n.\r\n+OK\r\n1 abc\r\n.\r\n+OK\r\nSubject: x\r\n\r\n..x\r\n.\r\n\
+OK\r\nSubject: x\r\n\r\n.\r\n+OK 1 20\r\n+OK\r\n+OK bye\r\n";
const IMAP: &[u8] = b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 UIDPLUS] hi\r\n+ \r\n\
A1 OK [CAPABILITY IMAP4rev1 LITERAL+ NAMESPACE] in\r\n\
* 1 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT 8] v\r\nA2 OK [READ-WRITE] done\r\n\
* 1 FETCH (UID 7 FLAGS (\\Seen) RFC822.SIZE 5 INTERNALDATE \"01-Jan-2026 00:00:00 +0000\" \
ENVELOPE (NIL \"x\" ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL NIL \"<x>\") BODY[] {5}\r\nab\r\nc)\r\nA3 OK done\r\n\
* 1 FETCH (FLAGS (\\Deleted) UID 7)\r\nA4 OK done\r\n* 1 EXPUNGE\r\nA5 OK done\r\n\
A6 OK [APPENDUID 7 8] done\r\n* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nA7 OK done\r\n* BYE\r\nA8 OK bye\r\n";

async fn all(which: &str, octets: Vec<u8>, chunk: usize, close: bool) -> String {
    let shown = octets.clone();
    let run = async {
        match which {
            "smtp" => smtp(octets, chunk, close).await,
            "pop" => pop(octets, chunk, close).await,
            _ => imap(octets, chunk, close).await,
        }
    };
    // Every deadline of the crate, twice over.
    let out = tokio::time::timeout(Duration::from_secs(24 * 3600), run).await;
    let out =
        out.unwrap_or_else(|_| panic!("{which} hangs: {:?}", String::from_utf8_lossy(&shown)));
    assert!(!out.contains(&TOKEN[..14]), "{which} leaks: {out}");
    out
}

/// The same with marks.
fn marked() -> [(&'static str, Vec<u8>); 3] {
    let mark = |script: &[u8], ends: &[&str]| {
        let mut text = String::from_utf8(script.to_vec()).unwrap();
        let mut from = 0;
        for end in ends {
            let at = from + text[from..].find(end).unwrap_or_else(|| panic!("{end}")) + end.len();
            text.insert(at, MARK as char);
            from = at + 1;
        }
        text.into_bytes()
    };
    [
        (
            "smtp",
            mark(
                SMTP,
                &[
                    "\r\n",
                    "XOAUTH2\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                ],
            ),
        ),
        (
            "pop",
            mark(
                POP,
                &[
                    "\r\n",
                    ".\r\n",
                    "\r\n",
                    "\r\n",
                    "\r\n",
                    ".\r\n",
                    ".\r\n",
                    "..x\r\n.\r\n",
                    ".\r\n",
                    "\r\n",
                    "\r\n",
                ],
            ),
        ),
        (
            "imap",
            mark(
                IMAP,
                &[
                    "\r\n",
                    "\r\n",
                    "in\r\n",
                    "done\r\n",
                    "done\r\n",
                    "done\r\n",
                    "done\r\n",
                    "done\r\n",
                    "A7 OK done\r\n",
                ],
            ),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn the_unchanged_dialogues_succeed() {
    for (which, script) in marked() {
        for chunk in [1, 4096] {
            let whole = all(which, script.clone(), chunk, true).await;
            assert!(!whole.contains("protocol error"), "{whole}");
            assert!(whole.ends_with("quit: ()\n") || whole.ends_with("logout: ()\n"), "{whole}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dialogue_cut_at_any_octet_ends_without_a_hang_or_a_leak() {
    for (which, script) in marked() {
        for end in 0..script.len() {
            for close in [true, false] {
                all(which, script[..end].to_vec(), usize::MAX, close).await;
                all(which, script[..end].to_vec(), 3, close).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn changed_dialogues_neither_panic_nor_hang_nor_leak() {
    let mut seed =
        std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(88172645463325252_u64);
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    let rounds = std::env::var("ROUNDS").ok().and_then(|s| s.parse().ok()).unwrap_or(3000);
    let nasty: [&[u8]; 38] = [
        b"{0}",
        b"{5}\r\n",
        b"{99999999999999999999}\r\n",
        b"{268435457}\r\n",
        b"\0",
        b"\xff\xfe",
        b"\r",
        b"\n",
        b"-1",
        b"4294967296",
        b"18446744073709551616",
        b"0",
        b"* BYE x\r\n",
        b"* BYE",
        b"421 4.4.2 x\r\n",
        b"334 \r\n",
        b"334 !!!\r\n",
        b"354 x\r\n",
        b"250 x\r\n",
        b"550 5.7.1 x\r\n",
        b"+OK\r\n",
        b"-ERR [IN-USE] x\r\n",
        b".\r\n",
        b"..\r\n",
        b".x\r\n",
        b".\n",
        b"(((((((((((",
        b"))))",
        b"\"",
        b"\\",
        b"+ \r\n",
        b"+ !!!!\r\n",
        b"A3 OK x\r\n",
        b"A2 NO x\r\n",
        b"* 0 FETCH (UID 0)\r\n",
        b"* 4294967296 EXISTS\r\n",
        b"[",
        b"]",
    ];
    let marked = marked();
    for round in 0..rounds {
        let (which, script) = &marked[round % 3];
        let mut octets = script.clone();
        for _ in 0..=random(3) {
            let at = random(octets.len());
            match random(5) {
                0 => octets[at] = random(256) as u8,
                1 => drop(octets.drain(at..(at + random(20)).min(octets.len()))),
                2 => {
                    let piece = nasty[random(nasty.len())];
                    octets.splice(at..at, piece.iter().copied());
                }
                3 => {
                    // At a line start.
                    let at = octets[..at].iter().rposition(|o| *o == b'\n').map_or(0, |at| at + 1);
                    let piece = nasty[random(nasty.len())];
                    octets.splice(at..at, piece.iter().copied());
                }
                _ => {
                    let other = random(octets.len());
                    let (from, to) = (at.min(other), at.max(other).min(at.min(other) + 60));
                    let piece = octets[from..to].to_vec();
                    let at = random(octets.len());
                    octets.splice(at..at, piece);
                }
            }
            if octets.is_empty() {
                octets.push(b'x');
            }
        }
        let chunk = [1, 2, 7, usize::MAX][random(4)];
        all(which, octets, chunk, random(2) == 0).await;
    }
}

fn after_login(which: &str, rest: &[u8]) -> Vec<u8> {
    let login: &[u8] = match which {
        "smtp" => b"220 hi\r\n\x1e250-x\r\n250-SIZE 1000\r\n250 AUTH XOAUTH2\r\n\x1e334 \r\n\x1e235 ok\r\n\x1e",
        "pop" => b"+OK hi\r\n\x1e+OK\r\nSASL XOAUTH2\r\n.\r\n\x1e+ \r\n\x1e+OK\r\n\x1e+OK 1 20\r\n\x1e",
        _ => b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 UIDPLUS] hi\r\n\x1e+ \r\n\x1eA1 OK [CAPABILITY IMAP4rev1 LITERAL+ NAMESPACE] in\r\n\x1e",
    };
    [login, rest].concat()
}

#[tokio::test(start_paused = true)]
async fn chosen_nonsense_neither_panics_nor_hangs_nor_leaks() {
    let deep = [
        b"A2 OK\r\n\x1e* 1 FETCH (UID 7 ENVELOPE ".as_slice(),
        &b"(".repeat(100_000),
        &b")".repeat(100_000),
        b" X ",
        &b"(".repeat(100_000),
        &b")".repeat(100_000),
        b")\r\nA3 OK\r\n",
    ]
    .concat();
    let unclosed = [
        b"A2 OK\r\n\x1e* 1 FETCH (UID 7 ENVELOPE ".as_slice(),
        &b"(".repeat(100_000),
        b"\r\nA3 OK\r\n",
    ]
    .concat();
    let lines = [b"250-x\r\n".repeat(1001).as_slice(), b"250 x\r\n"].concat();
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("imap", "deep", deep),
        ("imap", "unclosed", unclosed),
        ("imap", "uid0", b"A2 OK\r\n\x1e* 1 FETCH (UID 0 FLAGS ())\r\n* 0 FETCH (UID 3)\r\n* 9 FETCH (UID 99 FLAGS ())\r\nA3 OK\r\n".to_vec()),
        ("imap", "exists", b"* 4294967296 EXISTS\r\n* -1 EXISTS\r\n* 0 EXPUNGE\r\n* 4294967295 EXISTS\r\nA2 OK [UIDVALIDITY 4294967296] x\r\n\x1eA3 OK\r\n".to_vec()),
        ("imap", "early", b"A3 OK\r\nA2 OK\r\nA2 OK\r\nA3 OK\r\n\x1e".to_vec()),
        ("imap", "brace", b"A2 OK x {5}\r\n\x1e* OK y {5}\r\n* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\nA3 OK {10}\r\n\x1eA4 OK\r\n\x1eA5 OK\r\n".to_vec()),
        ("imap", "bye2atrest", b"A2 OK\r\n\x1eA3 OK\r\n* BYE one\r\n* BYE two\r\n".to_vec()),
        ("imap", "bye1atrest", b"A2 OK\r\n\x1eA3 OK\r\n* BYE one\r\n".to_vec()),
        ("smtp", "1001", lines),
        ("smtp", "354mail", b"354 x\r\n".to_vec()),
        ("smtp", "250data", b"250 m\r\n\x1e250 r\r\n\x1e250 r\r\n\x1e250 d\r\n".to_vec()),
        ("smtp", "421dot", b"250 m\r\n\x1e250 r\r\n\x1e250 r\r\n\x1e354 d\r\n\x1e421 4.3.0 x\r\n".to_vec()),
        ("smtp", "closedot", b"250 m\r\n\x1e250 r\r\n\x1e250 r\r\n\x1e354 d\r\n\x1e".to_vec()),
        ("smtp", "354dot", b"250 m\r\n\x1e250 r\r\n\x1e250 r\r\n\x1e354 d\r\n\x1e354 again\r\n".to_vec()),
        ("smtp", "halfdot", b"250 m\r\n\x1e250 r\r\n\x1e250 r\r\n\x1e354 d\r\n\x1e250 2.0.0 queu".to_vec()),
        ("smtp", "halfdot5", b"250 m\r\n\x1e250 r\r\n\x1e250 r\r\n\x1e354 d\r\n\x1e554 5.0.0 n".to_vec()),
        ("smtp", "multidot", b"250 m\r\n\x1e250 r\r\n\x1e250 r\r\n\x1e354 d\r\n\x1e250-ok\r\n550 no\r\n".to_vec()),
        ("smtp", "extra", b"250 m\r\n\x1e250 r\r\n\x1e250 r\r\n\x1e354 d\r\n\x1e250 2.0.0 ok\r\n250 injected\r\n\x1e550 noop\r\n".to_vec()),
        ("smtp", "endlessline", vec![b'2'; 200_000]),
        ("pop", "endless", [b"+OK\r\n".as_slice(), &b"1 1\r\n".repeat(100_000)].concat()),
        ("pop", "dots", b"+OK\r\n.1 20\r\n..2 3\r\n.\r\n\x1e+OK\r\n.\r\n\x1e+OK\r\n...\r\n.a\r\n\n.\nx\r\n.\rx\r\n.\r\n".to_vec()),
        ("pop", "neg", b"+OK\r\n-1 20\r\n.\r\n\x1e+OK\r\n4294967296 x\r\n.\r\n".to_vec()),
        ("pop", "bareok", b"+OK\r\n.\n\x1e+OK\n1 a\n.\n\x1e+OK\r\nno end\r\n".to_vec()),
    ];
    for (which, _name, rest) in cases {
        for close in [true, false] {
            all(which, after_login(which, &rest), 4096, close).await;
        }
    }
}

/// A server that answers each line after ten milliseconds and counts what it delivers.
async fn slow(
    mut far: DuplexStream,
    pipelining: bool,
    rcpt: [&'static str; 3],
    data: &'static str,
    end: &'static str,
) -> Vec<String> {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let (read, mut write) = tokio::io::split(&mut far);
    let mut read = BufReader::new(read);
    let mut delivered = Vec::new();
    let (mut n, mut text, mut accepted) = (0, None::<String>, 0);
    write.write_all(b"220 hi\r\n").await.unwrap();
    let mut line = String::new();
    loop {
        line.clear();
        if read.read_line(&mut line).await.unwrap_or(0) == 0 {
            return delivered;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        if let Some(content) = &mut text {
            if line != ".\r\n" {
                content.push_str(&line);
                continue;
            }
            let content = text.take().unwrap();
            if accepted > 0 && end.starts_with("250") {
                delivered.push(content);
            }
            let answer = if accepted > 0 { end } else { "554 nobody" };
            if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                return delivered;
            }
            continue;
        }
        let verb = line.split([' ', '\r', ':']).next().unwrap().to_owned();
        let answer = match verb.as_str() {
            "EHLO" if pipelining => "250-x\r\n250-PIPELINING\r\n250 AUTH XOAUTH2",
            "EHLO" => "250-x\r\n250 AUTH XOAUTH2",
            "AUTH" => {
                write.write_all(b"334 \r\n").await.unwrap();
                line.clear();
                read.read_line(&mut line).await.unwrap();
                "235 ok"
            }
            "MAIL" => {
                n = 0;
                accepted = 0;
                "250 mail"
            }
            "RCPT" => {
                n += 1;
                accepted += usize::from(rcpt[n - 1].starts_with("250"));
                rcpt[n - 1]
            }
            "DATA" => {
                if data.starts_with("354") {
                    text = Some(String::new());
                }
                data
            }
            "NOOP" => "251 noop",
            "RSET" => "252 rset",
            "QUIT" => "221 bye",
            other => panic!("content as command: {other}"),
        };
        if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return delivered;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_says_what_was_delivered_in_every_order_of_refusals_and_at_every_drop() {
    let replies = ["250 ok", "450 4.2.1 later", "550 5.1.1 no"];
    for code in 0..27 * 4 * 2 {
        let rcpt = [replies[code % 3], replies[code / 3 % 3], replies[code / 9 % 3]];
        let data = ["354 go", "554 no"][code / 27 % 2];
        let end = ["250 delivered", "451 4.3.0 later"][code / 54 % 2];
        let pipelining = code / 108 == 1;
        for wait in (0..16).map(|n| Some(n * 10 + 5)).chain([None]) {
            let (connector, far) = connector(Protocol::Smtp, SmtpClient::builder, 4096);
            let server = tokio::spawn(slow(far, pipelining, rcpt, data, end));
            let mut client = connector.connect().await.unwrap();
            let envelope =
                Envelope::new("a@b.example", ["c@d.example", "e@f.example", "g@h.example"])
                    .unwrap();
            let limit = Duration::from_millis(wait.unwrap_or(1_000_000));
            let sent =
                tokio::time::timeout(limit, client.send(&envelope, "MAIL FROM:<x@y.example>\r\n"))
                    .await;
            let noop = client.noop().await;
            let outcome = client.take_outcome();
            let usable = noop.is_ok();
            drop(client);
            let delivered = server.await.unwrap();
            let what = format!(
                "{rcpt:?} {data} {end} pipelining={pipelining} {wait:?}: {sent:?} {noop:?} {outcome:?} {delivered:?}"
            );
            let known = match (&sent, &outcome) {
                (Ok(sent), None) => Some(sent),
                (Err(_), Some(outcome)) => Some(outcome),
                (Err(_), None) => None,
                _ => panic!("two outcomes: {what}"),
            };
            match known {
                Some(Ok(receipt)) => {
                    assert_eq!(delivered.len(), 1, "{what}");
                    let codes: Vec<_> =
                        receipt.recipients().map(|r| r.reply().code().to_string()).collect();
                    assert_eq!(codes, rcpt.map(|r| r[..3].to_owned()), "{what}");
                }
                Some(Err(error)) => {
                    assert_eq!(delivered.len(), 0, "{what}");
                    assert_eq!(error.connection_usable(), usable, "{what}");
                }
                None => assert_eq!(delivered.len(), 0, "{what}"),
            }
        }
    }
}
