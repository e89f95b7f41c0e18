//! Awkward messages at a real Dovecot and a real Cyrus: what they tell of the parts, and every part
//! by itself, agrees with the octets that were stored.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mailbearer::ImapClient;
use mailbearer::imap::{AppendOptions, Fetch, Message, Section, UidSet};

use crate::support::person::Person;
use crate::support::servers::Cyrus;

/// A part: its header without the empty line, and what it has.
enum Tree {
    Leaf(Vec<u8>, Vec<u8>),
    Multipart(Vec<u8>, &'static str, Vec<Self>),
    Message(Vec<u8>, Box<Self>),
}

use Tree::{Leaf, Multipart};

/// A part as it can be fetched.
struct Expected {
    number: Vec<u32>,
    /// Header with the empty line, if the part has a MIME header of its own.
    head: Option<Vec<u8>>,
    content: Vec<u8>,
    is_multipart: bool,
    /// Its content without transfer encoding.
    decoded: Option<Vec<u8>>,
}

impl Tree {
    fn head(&self) -> Vec<u8> {
        let (Leaf(head, _) | Multipart(head, ..) | Self::Message(head, _)) = self;
        [&head[..], b"\r\n"].concat()
    }

    fn content(&self) -> Vec<u8> {
        match self {
            Leaf(_, body) => body.clone(),
            Multipart(_, boundary, parts) => {
                let mut content = Vec::new();
                for part in parts {
                    content.extend(format!("--{boundary}\r\n").into_bytes());
                    content.extend(part.octets());
                    content.extend(b"\r\n");
                }
                content.extend(format!("--{boundary}--\r\n").into_bytes());
                content
            }
            Self::Message(_, message) => message.octets(),
        }
    }

    fn octets(&self) -> Vec<u8> {
        [self.head(), self.content()].concat()
    }

    /// The parts of this message, numbered behind `number`.
    fn parts(&self, number: &[u32]) -> Vec<Expected> {
        let inner = |at| [number, &[at]].concat();
        match self {
            Multipart(_, _, parts) => {
                let counted = (1..).zip(parts);
                counted.flat_map(|(at, part)| part.and_within(inner(at), true)).collect()
            }
            other => other.and_within(inner(1), false),
        }
    }

    fn and_within(&self, number: Vec<u32>, has_head: bool) -> Vec<Expected> {
        let within = match self {
            Leaf(..) => Vec::new(),
            Multipart(..) => self.parts(&number),
            Self::Message(_, message) => message.parts(&number),
        };
        let content = self.content();
        let encoded = memchr::memmem::find(&self.head(), b": base64").is_some();
        let decoded = match self {
            Leaf(..) if encoded => {
                let lines: Vec<u8> =
                    content.iter().copied().filter(|octet| !b"\r\n".contains(octet)).collect();
                Some(BASE64_STANDARD.decode(lines).expect("base64"))
            }
            Leaf(..) => Some(content.clone()),
            _ => None,
        };
        let head = has_head.then(|| self.head());
        let is_multipart = matches!(self, Multipart(..));
        let mut parts = vec![Expected { number, head, content, is_multipart, decoded }];
        parts.extend(within);
        parts
    }
}

fn leaf(head: &str, body: impl AsRef<[u8]>) -> Tree {
    Leaf(head.as_bytes().to_vec(), body.as_ref().to_vec())
}

fn multipart(head: &str, boundary: &'static str, parts: Vec<Tree>) -> Tree {
    let head = format!("{head}Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n");
    Multipart(head.into_bytes(), boundary, parts)
}

fn enclosed(message: Tree) -> Tree {
    Tree::Message(b"Content-Type: message/rfc822\r\n".to_vec(), Box::new(message))
}

fn attachment(name: &str) -> Tree {
    let octets: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let lines: Vec<_> = octets.chunks(57).map(|line| BASE64_STANDARD.encode(line)).collect();
    leaf(
        &format!(
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment;\r\n {name}\r\n"
        ),
        lines.join("\r\n"),
    )
}

const BOUNDARIES: [&str; 20] = [
    "b0", "b1x", "b2x", "b3x", "b4x", "b5x", "b6x", "b7x", "b8x", "b9x", "c0x", "c1x", "c2x",
    "c3x", "c4x", "c5x", "c6x", "c7x", "c8x", "c9x",
];

fn corpus() -> Vec<(&'static str, Tree)> {
    let text = || leaf("Content-Type: text/plain; charset=utf-8\r\n", "G\u{fc}n\r\nthe end");
    let deep = BOUNDARIES.iter().fold(text(), |inner, boundary| {
        multipart("", boundary, vec![inner, leaf("Content-Type: text/html\r\n", "<p>")])
    });
    let inner = multipart(
        "Subject: inner\r\nFrom: in@example.org\r\n",
        "inner",
        vec![text(), attachment("filename=in.bin")],
    );
    vec![
        ("one part", leaf("Subject: one\r\nFrom: a@example.org\r\n", "text\r\n")),
        ("twenty levels", deep),
        (
            "messages in messages",
            multipart(
                "Subject: outer\r\n",
                "outer",
                vec![text(), enclosed(inner), enclosed(leaf("Subject: plain\r\n", "inside\r\n"))],
            ),
        ),
        ("only a message", enclosed(enclosed(leaf("Subject: innermost\r\n", "deep inside\r\n")))),
        (
            "empty parts",
            multipart(
                "",
                "empty",
                vec![
                    leaf("Content-Type: text/plain\r\n", ""),
                    leaf("", "no header"),
                    leaf("Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n", ""),
                ],
            ),
        ),
        (
            "names of RFC 2231",
            multipart(
                "Subject: files\r\n",
                "files",
                vec![
                    attachment("filename*=utf-8''%e2%82%ac%20rates.pdf"),
                    attachment("filename*0*=utf-8''%e2%82%ac;\r\n filename*1=\"-a \\\"b\\\".pdf\""),
                    attachment("filename=\"say \\\"hi\\\".bin\"; size=3000"),
                ],
            ),
        ),
    ]
}

/// The messages of the corpus in an INBOX, with all that can be asked of their parts.
async fn fetched(mut imap: ImapClient, corpus: &[(&str, Tree)]) -> Vec<Message> {
    for (_, tree) in corpus {
        imap.append("INBOX", tree.octets(), AppendOptions::new()).await.expect("APPEND");
    }
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let mut all = Vec::new();
    for (at, (_, tree)) in (1..).zip(corpus) {
        let mut items = Fetch::body_structure().envelope().size().body().section(Section::text());
        for part in tree.parts(&[]) {
            let whole = Section::part(part.number.iter().copied());
            items = items.section(whole.clone()).section(whole.clone().partial(3, 50));
            if part.head.is_some() {
                items = items.section(Section::mime(part.number.iter().copied()));
            }
            if part.decoded.is_some() {
                items = items
                    .binary(whole.clone())
                    .binary(whole.partial(2, 7))
                    .binary_size(part.number.iter().copied());
            }
        }
        let uids = UidSet::parse(&at.to_string()).expect("a UID");
        let messages = inbox.uid_fetch(uids, items).await.expect("UID FETCH");
        all.extend(messages.collect().await.expect("UID FETCH"));
    }
    imap.logout().await.expect("LOGOUT");
    all
}

#[tokio::test]
async fn structure_sections_partials_and_binary_agree_with_the_octets() {
    let dovecot = Person::new("collector").imap().await;
    check_parts("Dovecot", dovecot).await;
}

#[tokio::test]
async fn they_agree_at_cyrus_as_well() {
    let cyrus = Cyrus::start();
    let cyrus = cyrus.imap(&cyrus.mailbox("collector")).await;
    check_parts("Cyrus", cyrus).await;
}

async fn check_parts(server: &str, imap: ImapClient) {
    let corpus = corpus();
    let messages = fetched(imap, &corpus).await;
    assert_eq!(messages.len(), corpus.len());
    for ((name, tree), message) in corpus.iter().zip(&messages) {
        assert_eq!(message.unparsed().count(), 0, "{name}");
        assert_eq!(message.body(), Some(&tree.octets()[..]), "{name}");
        assert_eq!(message.section(&Section::text()), Some(&tree.content()[..]), "{name}");
        let structure = message.body_structure().expect(name);
        let expected = tree.parts(&[]);
        let told: Vec<_> = structure
            .parts()
            .filter(|part| !(part.is_multipart() && part.section() != Section::part(part.number())))
            .collect();
        assert_eq!(told.len(), expected.len(), "{name}: {structure:?}");
        for (part, expected) in told.iter().zip(&expected) {
            let number: Vec<u32> = part.number().into_iter().collect();
            assert_eq!(number, expected.number, "{name}");
            assert_eq!(part.is_multipart(), expected.is_multipart, "{name} {number:?}");
            let content = &expected.content[..];
            if !part.is_multipart() {
                assert_eq!(part.size(), Some(content.len() as u64), "{name} {number:?}");
            }
            let whole = part.section();
            assert_eq!(message.section(&whole), Some(content), "{name} {number:?}");
            let some = &content[3.min(content.len())..content.len().min(53)];
            assert_eq!(message.section(&whole.clone().partial(3, 50)), Some(some), "{name}");
            let head = message.section(&Section::mime(part.number()));
            if let Some(expected) = &expected.head {
                assert_eq!(head, Some(&expected[..]), "{name} {number:?}");
            }
            if let Some(decoded) = &expected.decoded {
                assert_eq!(message.binary(&whole), Some(&decoded[..]), "{name} {number:?}");
                let some = &decoded[2.min(decoded.len())..decoded.len().min(9)];
                assert_eq!(message.binary(&whole.partial(2, 7)), Some(some), "{name} {number:?}");
                // Dovecot 2.3 tells another size for the first of several encoded parts, while it
                // brings all of it.
                if (server, *name) != ("Dovecot", "names of RFC 2231") {
                    let size = message.binary_size(part.number());
                    assert_eq!(size, Some(decoded.len() as u64), "{name} {number:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn names_dispositions_and_envelopes_are_told() {
    let corpus = corpus();
    let messages = fetched(Person::new("collector").imap().await, &corpus).await;
    let named = |name: &str| {
        let at = corpus.iter().position(|(known, _)| *known == name).expect("a known name");
        messages[at].body_structure().expect(name)
    };
    let files = named("names of RFC 2231");
    let parts: Vec<_> = files.root().children().collect();
    assert!(parts.iter().all(mailbearer::imap::BodyPart::is_attachment));
    assert_eq!(parts[2].file_name().expect("a name"), "say \"hi\".bin");
    let parameters = |at: usize| parts[at].disposition().expect("a disposition").parameters();
    assert_eq!(parameters(0).get("filename*").expect("a name"), "utf-8''%e2%82%ac%20rates.pdf");
    // Dovecot joins the pieces of filename*0* and filename*1.
    assert_eq!(parameters(1).get("filename*").expect("a name"), "utf-8''%e2%82%ac-a \"b\".pdf");
    assert_eq!(parameters(2).get("size").expect("a size"), "3000");

    let subjects = |name: &str| -> Vec<String> {
        let envelopes = named(name).parts().filter_map(|part| part.envelope());
        envelopes.filter_map(|e| Some(e.subject()?.to_str_lossy().into_owned())).collect()
    };
    assert_eq!(subjects("messages in messages"), ["inner", "plain"]);
    assert_eq!(subjects("only a message"), ["innermost"]);
}

#[tokio::test]
async fn long_headers_and_octets_that_are_no_text_come_as_they_are() {
    let long: String = (0..4000).map(|line| format!(" word {line}\r\n")).collect();
    let message = [
        b"Subject: Gr\xfc\xdfe \"q\" \\\r\nFrom: \"M\xfcller, \\\"A\\\"\" <m@example.org>\r\nX-Long:".to_vec(),
        long.into_bytes(),
        b"To: ".to_vec(),
        (0..2000).map(|n| format!("r{n}@example.org,\r\n ")).collect::<String>().into_bytes(),
        b"last@example.org\r\n\r\nbody".to_vec(),
    ]
    .concat();
    let owner = Person::new("writer");
    owner.store(&message).await;
    let mut imap = owner.imap_once("INBOX", 1).await;
    let inbox = imap.selected().expect("a mailbox");
    let fields = Section::header_fields(["X-LONG", "subject"]);
    let items = Fetch::envelope().header().section(fields.clone()).rfc822_header();
    let fetched = inbox.uid_fetch(UidSet::all(), items).await.expect("UID FETCH");
    let fetched = fetched.collect().await.expect("UID FETCH");
    let [fetched] = &fetched[..] else { panic!("one message") };
    assert_eq!(fetched.unparsed().count(), 0);
    let head = message.len() - b"body".len();
    assert_eq!(fetched.section(&Section::header()), Some(&message[..head]));
    assert!(fetched.section(&fields).expect("fields").len() > 40_000);
    let envelope = fetched.envelope().expect("an envelope");
    assert_eq!(envelope.subject().expect("a subject").to_bytes().as_ref(), b"Gr\xfc\xdfe \"q\" \\");
    assert_eq!(envelope.to().len(), 2001);
    let from = envelope.from().iter().next().expect("an address");
    assert_eq!(from.name().expect("a name").to_bytes().as_ref(), b"M\xfcller, \"A\"");
    imap.logout().await.expect("LOGOUT");
}
