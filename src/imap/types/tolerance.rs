//! FETCH responses that real servers gave and that broke other clients. Of each: who sent it and
//! where that is told, the items, and what is made of them.

use bytes::Bytes;

use super::{Address, BodyPart, Message, Text};

#[test]
fn what_real_servers_send_is_read() {
    for (source, items, expected) in ROWS {
        let frame = Bytes::copy_from_slice(items.as_bytes());
        let message = Message::parse(1, frame).unwrap_or_else(|why| panic!("{source}: {why}"));
        assert_eq!(describe(&message), *expected, "{source}: {items}");
    }
}

#[test]
fn what_real_servers_send_is_read_in_octets_that_are_no_text() {
    // Dovecot and Cyrus, of messages that Outlook made (imap-proto#194).
    for name in [&b"\"G\xf6r\xfcnt\xfc1\""[..], b"{8}\r\nG\xf6r\xfcnt\xfc1"] {
        let items = [
            b"(BODYSTRUCTURE (\"application\" \"pdf\" (\"name\" ",
            name,
            b") NIL NIL \"base64\" 4 NIL NIL NIL NIL) UID 5)",
        ];
        let message = Message::parse(1, items.concat().into()).unwrap();
        let part = message.body_structure().unwrap().root();
        assert_eq!(part.file_name().unwrap().to_bytes().as_ref(), b"G\xf6r\xfcnt\xfc1");
        assert_eq!((part.size(), message.uid().map(u32::from)), (Some(4), Some(5)));
    }
}

type Row = (&'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    ("DavMail, imap-proto#25", "(UID 5 RFC822.HEADER  {6}\r\nA: b\r\n)", "uid=5 header=A: b\\r\\n"),
    ("QQ, jakartaee/mail-api#209", "(UID 87567 RFC822.SIZE 5799845 )", "uid=87567 size=5799845"),
    (
        "Mail.ru, himalaya#525",
        "(BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"8bit\" 9 1) \"alternative\" (\"boundary\" NIL)) UID 5)",
        "uid=5 :multipart/alternative;boundary 1:text/plain,8bit,9,1",
    ),
    (
        "iCloud and maddy leave out the encoding",
        "(BODYSTRUCTURE (\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL NIL 9 1) UID 5)",
        "uid=5 1:text/html;charset=utf-8,,9,1",
    ),
    (
        "Dovecot in front of Exchange, imap-codec#287, go-imap#534",
        "(BODYSTRUCTURE (\"text\" \"plain\" NIL NIL NIL \"7bit\" -1 -1 NIL NIL NIL NIL) UID 5)",
        "uid=5 1:text/plain,7bit,,",
    ),
    (
        "Wino-Mail#469",
        "(BODYSTRUCTURE (\"application\" \"zip\" NIL NIL NIL \"base64\" 3.45027e+06 NIL NIL NIL NIL) UID 5)",
        "uid=5 1:application/zip,base64,,",
    ),
    ("Mail.ru, MailKit#1838", "(UID 5 RFC822.SIZE 9.37e+06 FLAGS (\\Seen))", "uid=5 flags=\\Seen"),
    (
        "qiye.163.com, go-imap#659",
        "(BODYSTRUCTURE (\"application\" \"pdf\" (\"name\" \"a.pdf\") NIL \"\"\"\" \"BASE64\" 12 NIL NIL NIL NIL) UID 5)",
        "uid=5 1:application/pdf;name=a.pdf,BASE64,12, \"\\\"\\\"\" =a.pdf",
    ),
    (
        "Gmail, MailKit#371",
        "(BODYSTRUCTURE ((\"RELATED\" NIL (\"ATTACHMENT\" NIL) NIL)(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1 NIL NIL NIL) \"MIXED\" (\"BOUNDARY\" \"x\") NIL NIL) UID 5)",
        "uid=5 :multipart/MIXED;BOUNDARY=x 1:multipart/RELATED<ATTACHMENT> 2:TEXT/PLAIN,7BIT,1,1",
    ),
    (
        "Gmail, parts within each other with the same boundary lose their children, MailKit#205, \
        MailKit#777, MailKit#1841",
        "(BODYSTRUCTURE (((\"ALTERNATIVE\" (\"BOUNDARY\" \"b\") NIL NIL) \"RELATED\" (\"BOUNDARY\" \"b\") NIL NIL)(\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 1 1 NIL NIL NIL) \"MIXED\" (\"BOUNDARY\" \"b\") NIL NIL) UID 5)",
        "uid=5 :multipart/MIXED;BOUNDARY=b 1:multipart/RELATED;BOUNDARY=b 1.1:multipart/ALTERNATIVE;BOUNDARY=b 2:TEXT/HTML,7BIT,1,1",
    ),
    (
        "QQ and Yandex, MailKit#1861",
        "(BODYSTRUCTURE (\"ALTERNATIVE\" (\"BOUNDARY\" \"b\") NIL NIL) UID 5)",
        "uid=5 :multipart/ALTERNATIVE;BOUNDARY=b",
    ),
    (
        "Gmail, a report without envelope, bichon#318",
        "(BODYSTRUCTURE ((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 2000 NIL (\"ATTACHMENT\" (\"FILENAME\" \"a.eml\")) NIL)(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"BASE64\" 30 NIL NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 40) \"REPORT\") UID 5)",
        "uid=5 :multipart/REPORT 1:MESSAGE/RFC822,7BIT,2000,<ATTACHMENT>=a.eml 2:MESSAGE/RFC822,BASE64,30, 3:message/rfc822,7bit,40,",
    ),
    (
        "envelope and body NIL, MailKit#944",
        "(BODYSTRUCTURE ((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 3 NIL NIL 7)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 4 () NIL 8 NIL NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 5 NIL (\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1) 9)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 6 () () 2) \"digest\") UID 5)",
        "uid=5 :multipart/digest 1:message/rfc822,7bit,3,7 2:message/rfc822,7bit,4,8 3:message/rfc822,7bit,5,9 3.1:text/plain,7bit,1,1 4:message/rfc822,7bit,6,2",
    ),
    (
        "`()` for the location, MailKit#1700",
        "(BODYSTRUCTURE (\"text\" \"plain\" () NIL NIL \"7bit\" 1 1 NIL () () ()) UID 5)",
        "uid=5 1:text/plain,7bit,1,1",
    ),
    (
        "Exchange, MailKit#919",
        "(BODYSTRUCTURE ((\"image\" \"png\" NIL NIL NIL \"base64\" 4 NIL \"inline\" NIL NIL)(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1 NIL (NIL NIL) NIL NIL) \"mixed\") UID 5)",
        "uid=5 :multipart/mixed 1:image/png,base64,4,<inline> 2:text/plain,7bit,1,1",
    ),
    (
        "Exchange, MailKit#1415",
        "(BODYSTRUCTURE ((NIL NIL NIL NIL NIL \"7BIT\" 0 NIL NIL NIL NIL)(\"text\" \"plain\" (NIL NIL) NIL NIL \"base64 \" 1 1) \"mixed\") UID 5)",
        "uid=5 :multipart/mixed 1:-/-,7BIT,0, 2:text/plain,base64 ,1,1",
    ),
    (
        "Exchange, disposition behind the language or without an MD5 before it",
        "(BODYSTRUCTURE ((\"image\" \"png\" NIL NIL NIL \"base64\" 4 NIL NIL (\"attachment\" (\"filename\" \"a\")) NIL)(\"image\" \"png\" NIL NIL NIL \"base64\" 4 (\"attachment\" (\"filename\" \"b\")) NIL) \"mixed\") UID 5)",
        "uid=5 :multipart/mixed 1:image/png,base64,4,<attachment>=a 2:image/png,base64,4,<attachment>=b",
    ),
    (
        "lines of what is no text, a text without them",
        "(BODYSTRUCTURE ((\"application\" \"x\" NIL NIL NIL \"base64\" 4 12 NIL NIL NIL NIL)(\"text\" \"plain\" NIL NIL NIL \"7bit\" 5)(\"text\" \"plain\" NIL NIL NIL \"7bit\") \"mixed\") UID 5)",
        "uid=5 :multipart/mixed 1:application/x,base64,4,12 2:text/plain,7bit,5, 3:text/plain,7bit,,",
    ),
    (
        "more than 4 GiB",
        "(UID 5 RFC822.SIZE 4294967296 BODYSTRUCTURE (\"a\" \"b\" NIL NIL NIL \"7bit\" 4294967297))",
        "uid=5 size=4294967296 1:a/b,7bit,4294967297,",
    ),
    (
        "hydroxide, rust-imap#166",
        "(ENVELOPE (\"d\" \"s\" ((NIL NIL \"a\" \"x\")) () () () () () NIL \"<1>\") UID 5)",
        "uid=5 subject=s from=a@x id=<1>",
    ),
    (
        "spaces between addresses, imap-codec",
        "(ENVELOPE (NIL \"s\" ((NIL NIL \"a\" \"x\") (NIL NIL \"b\" \"y\")) NIL NIL NIL NIL NIL NIL NIL) UID 5)",
        "uid=5 subject=s from=a@x,b@y",
    ),
    (
        "Domino, MailKit#943, MailKit#1236",
        "(ENVELOPE ((NIL \"s\" NIL NIL NIL NIL NIL NIL NIL \"<1>\")) INTERNALDATE \"00-Jan-0000 00:00:00 +0000\" UID 5)",
        "uid=5 date= 0-Jan-0000 00:00:00 +0000 subject=s id=<1>",
    ),
    (
        "SmarterMail, MailKit#991",
        "(ENVELOPE (NIL \"s\" (NIL (NIL NIL \"a\" \"x\")) NIL NIL NIL NIL NIL NIL NIL) UID 5)",
        "uid=5 subject=s from=a@x",
    ),
    (
        "no In-Reply-To and no Message-ID, MailKit#669, MailKit#932",
        "(ENVELOPE (NIL \"s\" ((NIL NIL \"a\" \"x\")) NIL NIL NIL NIL NIL) UID 5)",
        "uid=5 subject=s from=a@x",
    ),
    (
        "Yahoo, an empty envelope and spaces",
        "( UID  5  ENVELOPE () FLAGS ( \\Seen  ) )",
        "uid=5 flags=\\Seen",
    ),
    (
        "unescaped quotes, MailKit#485",
        "(ENVELOPE (NIL \"say \"hi\"!\" ((\"A \"B\"C\" NIL \"a\" \"x\")) NIL NIL NIL NIL NIL NIL NIL) UID 5)",
        "uid=5 subject=say \"hi\"! from=a@x",
    ),
    (
        "Exchange, MailKit#1451",
        "(ENVELOPE (NIL NIL ((\"a\" NIL \"a\" \".MISSING-HOST-NAME.\")) NIL NIL NIL NIL NIL NIL NIL) UID 5)",
        "uid=5",
    ),
    (
        "Exchange, of a message that it cannot convert, offlineimap#62",
        "(ENVELOPE (\"Mon, 16 Nov 2026 08:00:00 +0000\" \"Retrieval using the IMAP4 protocol failed for the following message: 3\" ((\"Microsoft Exchange Server\" NIL NIL \".MISSING-HOST-NAME.\")) NIL NIL NIL NIL NIL NIL NIL) UID 5)",
        "uid=5 subject=Retrieval using the IMAP4 protocol failed for the following message: 3",
    ),
    (
        "Dovecot, a mailbox and a host that are missing",
        "(ENVELOPE (NIL \"s\" ((NIL NIL \"a\" \"MISSING_DOMAIN\")(NIL NIL \"MISSING_MAILBOX\" \"x\")(NIL NIL \"b\" \"x\")) NIL NIL NIL NIL NIL NIL NIL) UID 5)",
        "uid=5 subject=s from=b@x",
    ),
    (
        "DavMail, a literal counted in characters, MailKit#1369",
        "(ENVELOPE (NIL NIL (({38}\r\nРецепция Офис сграда \"Данаил Дечев\" №6 NIL \"facility\" \"x.com\")) NIL NIL NIL NIL NIL NIL \"<1>\") UID 5)",
        "uid=5 subject=- from=facility@x.com:Рецепция Офис сграда \"Данаил Дечев\" №6 id=<1>",
    ),
    (
        "unescaped quotes, MailKit#485",
        "(BODYSTRUCTURE (\"TEXT\" \"HTML\"\" NIL NIL NIL {5}\r\n8bit\" 74 2) ENVELOPE (NIL \"s\" ((NIL NIL \"test\"\" \"acme.com\")) NIL NIL NIL NIL NIL NIL NIL) UID 5)",
        "uid=5 subject=s from=test\"@acme.com 1:TEXT/HTML\",8bit\",74,2",
    ),
    (
        "Gmail, MailKit#244",
        "(X-GM-LABELS (\\Inbox \"a b\" NIL) X-GM-MSGID 1278455344230334865 X-GM-THRID 12 UID 5)",
        "uid=5 X-GM-LABELS=(\\Inbox \"a b\" NIL) X-GM-MSGID=1278455344230334865 X-GM-THRID=12",
    ),
    (
        "James, Stalwart, Fastmail",
        "(EMAILID (M1) THREADID NIL PREVIEW \"x\" SAVEDATE \"1-Jan-2020 00:00:00 +0000\" UID 5)",
        "uid=5 EMAILID=(M1) THREADID=NIL PREVIEW=\"x\" SAVEDATE=\"1-Jan-2020 00:00:00 +0000\"",
    ),
    ("RFC 3516", "(BINARY[1] ~{3}\r\na\0b BINARY.SIZE[1] 3 UID 5)", "uid=5 binary=a\\x00b,3"),
    ("RFC 3516", "(BINARY[1] NIL BINARY.SIZE[1] 0 UID 5)", "uid=5 binary=-,0"),
    ("MODSEQ of 0", "(MODSEQ (0) UID 5)", "uid=5 modseq=0"),
    ("Zoho, MailKit#1686", "(MODSEQ (-1) UID 5)", "uid=5"),
    (
        "a day of one digit",
        "(INTERNALDATE \"1-Jan-2020 00:00:00 +0000\" UID 5)",
        "uid=5 date= 1-Jan-2020 00:00:00 +0000",
    ),
    (
        "flags quoted and NIL, MailKit#771, MailKit#953, MailKit#1042",
        "(FLAGS (\"\\Seen\" NIL) UID 5)",
        "uid=5 flags=\\Seen",
    ),
    ("Yandex leaves out the literal, MailKit#1708", "(UID 5 BODY[HEADER])", "uid=5"),
    (
        "a literal counted one octet too long",
        "(UID 5 BODY[HEADER] {6}\r\nA: b\r)",
        "uid=5 header=A: b\\r) unparsed=",
    ),
    (
        "a literal counted without the line end behind it, MailKit#954",
        "(FLAGS () BODY[HEADER] {4}\r\nA: b\r\n UID 5)",
        "uid=5 header=A: b unparsed=\\r\\n",
    ),
    ("items in lower case", "(uid 5 flags (\\seen) rfc822.size 3)", "uid=5 flags=\\Seen size=3"),
    ("an item twice", "(UID 5 FLAGS (\\Seen) UID 6 FLAGS ())", "uid=5 flags=\\Seen"),
    (
        "a structure that is none, and what is behind it",
        "(BODYSTRUCTURE NIL BODYSTRUCTURE (\"text\" 7 ) FLAGS (\\Seen) UID 5)",
        "uid=5 flags=\\Seen 1:text/7,,,",
    ),
];

fn show(text: Option<Text<'_>>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_str_lossy().into_owned())
}

fn number(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn describe(message: &Message) -> String {
    use crate::imap::Section;

    let mut told = Vec::new();
    told.extend(message.uid().map(|uid| format!("uid={uid}")));
    let flags: Vec<_> = message.flags().map(|flag| flag.to_string()).collect();
    if !flags.is_empty() {
        told.push(format!("flags={}", flags.join(",")));
    }
    told.extend(message.size().map(|size| format!("size={size}")));
    told.extend(message.internal_date().map(|date| format!("date={date}")));
    told.extend(message.mod_seq().map(|number| format!("modseq={number}")));
    if let Some(envelope) = message.envelope() {
        assert!(envelope.is_complete());
        let long = |name: &Text<'_>| name.raw().len() > 30;
        let from = envelope.from().iter().filter_map(|address: Address<'_>| {
            let spec = address.to_addr_spec()?;
            let name = address.name().filter(long).map(|name| format!(":{}", name.to_str_lossy()));
            Some(spec + &name.unwrap_or_default())
        });
        let from: Vec<_> = from.collect();
        if envelope.subject().is_some() || !from.is_empty() {
            told.push(format!("subject={}", show(envelope.subject())));
        }
        if !from.is_empty() {
            told.push(format!("from={}", from.join(",")));
        }
        told.extend(envelope.message_id().map(|id| format!("id={}", show(Some(id)))));
    }
    if let Some(structure) = message.body_structure() {
        told.extend(structure.parts().map(part));
    }
    let header = message.section(&Section::header());
    told.extend(header.map(|octets| format!("header={}", octets.escape_ascii())));
    if let Some(size) = message.binary_size([1]) {
        let binary = message.binary(&Section::part([1]));
        let binary =
            binary.map_or_else(|| "-".to_owned(), |octets| octets.escape_ascii().to_string());
        told.push(format!("binary={binary},{size}"));
    }
    let known = ["UID", "FLAGS", "RFC822", "INTERNALDATE", "MODSEQ", "ENVELOPE", "BODY", "BINARY"];
    for item in message.items() {
        let name = String::from_utf8_lossy(item.name()).to_ascii_uppercase();
        if !known.iter().any(|known| name.starts_with(known)) {
            told.push(format!("{name}={}", String::from_utf8_lossy(item.value())));
        }
    }
    told.extend(
        message.unparsed().map(|rest| format!("unparsed={}", rest.octets().escape_ascii())),
    );
    told.join(" ")
}

/// `number:type/subtype;parameters,encoding,octets,lines "description" <disposition>=file name`
fn part(part: BodyPart<'_>) -> String {
    let media_type =
        if part.is_multipart() { "multipart".to_owned() } else { show(part.media_type()) };
    let mut told = format!("{}:{media_type}/{}", part.number(), show(part.subtype()));
    for parameter in part.parameters() {
        told += &format!(";{}", show(Some(parameter.name())));
        if parameter.value().is_some() {
            told += &format!("={}", show(parameter.value()));
        }
    }
    if !part.is_multipart() {
        let encoding = part.encoding().map(|text| show(Some(text))).unwrap_or_default();
        told += &format!(",{encoding},{},{}", number(part.size()), number(part.lines()));
    }
    if let Some(description) = part.description() {
        told += &format!(" {:?} ", show(Some(description)));
    }
    if let Some(disposition) = part.disposition() {
        told += &format!("<{}>", show(Some(disposition.kind())));
    }
    told + &part.file_name().map_or_else(String::new, |name| format!("={}", show(Some(name))))
}
