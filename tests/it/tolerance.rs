//! Answers that real servers gave and that broke other clients, and what they mean here.
//!
//! Each row is a server and its habit, what the program calls, and what the server says to it, from
//! which the tags are left out. After every row the session answers one more command. What only one
//! service does as part of a longer exchange is among the transcripts.

use mailbearer::{ImapClient, Protocol};

use crate::hostile::{Far, connector};
use crate::transcript::imap::Imap;
use crate::transcript::play::Session;
use crate::transcript::script::Call;

/// Server and habit, the call and what it gives, the server's lines, the events behind it.
type Row = (&'static str, &'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    (
        "Exchange: STATUS ends with a space",
        "status INBOX MESSAGES => MESSAGES=0",
        "* STATUS INBOX (MESSAGES 0) ",
        "",
    ),
    ("163: STATUS of nothing", "status INBOX MESSAGES =>", "* STATUS \"INBOX\" ()", ""),
    (
        "servers with extensions: items of STATUS that are not asked for",
        "status x SIZE => SIZE=44421 MAILBOXID=(F1)",
        "* STATUS x (SIZE 44421 MAILBOXID (F1))",
        "",
    ),
    (
        "a value that is none in STATUS",
        "status x MESSAGES => MESSAGES=-1 UNSEEN=2",
        "* STATUS x (MESSAGES -1 UNSEEN 2)",
        "",
    ),
    (
        "Gmail: a response code without a text",
        "select INBOX => INBOX exists=1 uidvalidity=- uidnext=-",
        "* 1 EXISTS\n* OK [HIGHESTMODSEQ 13637]",
        "",
    ),
    (
        "a response code, then a space and nothing",
        "select INBOX => INBOX exists=1 uidvalidity=1 uidnext=-",
        "* 1 EXISTS\n* OK [UIDVALIDITY 1] ",
        "",
    ),
    (
        "Winmail: no UIDNEXT",
        "select INBOX => INBOX exists=3 uidvalidity=7 uidnext=-",
        "* 3 EXISTS\n* OK [UIDVALIDITY 7] ok",
        "",
    ),
    (
        "UIDNEXT, UIDVALIDITY and UNSEEN that are 0",
        "select INBOX => INBOX exists=0 uidvalidity=- uidnext=-",
        "* 0 EXISTS\n* OK [UIDNEXT 0] x\n* OK [UIDVALIDITY 0] x\n* OK [UNSEEN 0] x",
        "notice OK [UIDNEXT 0] x | notice OK [UIDVALIDITY 0] x | notice OK [UNSEEN 0] x",
    ),
    (
        "Zoho: the mark for new keywords among FLAGS",
        "flags INBOX => \\Answered \\Draft \\*",
        "* FLAGS (\\Answered \\Draft \\*)",
        "",
    ),
    (
        "a keyword with a bracket",
        "flags INBOX => OIB-Seen-[Gmail]/All",
        "* FLAGS (OIB-Seen-[Gmail]/All)",
        "",
    ),
    (
        "SurgeMail: a space before the end of FLAGS",
        "flags INBOX => \\Answered $Forwarded",
        "* FLAGS (\\Answered $Forwarded )",
        "",
    ),
    (
        "SurgeMail: and of PERMANENTFLAGS",
        "permanent_flags INBOX => \\Seen $Forwarded",
        "* OK [PERMANENTFLAGS (\\Seen $Forwarded )] Limited",
        "",
    ),
    (
        "a bracket within PERMANENTFLAGS",
        "permanent_flags INBOX => \\Seen OIB-Seen-[Gmail]/All",
        "* OK [PERMANENTFLAGS (\\Seen OIB-Seen-[Gmail]/All)] Flags permitted.",
        "",
    ),
    (
        "NIL, quotes, a keyword with a backslash and one with a plus among FLAGS",
        "flags INBOX => \\Seen \\Custom a+b",
        "* flags (NIL \"\\\\Seen\" \\Custom a+b)",
        "",
    ),
    (
        "QQ: a space at the end of CAPABILITY",
        "capability => IMAP4rev1",
        "* CAPABILITY IMAP4rev1 ",
        "",
    ),
    (
        "a space within LITERAL+",
        "capability => IMAP4rev1 LITERAL+",
        "* CAPABILITY IMAP4rev1 LITERAL +",
        "",
    ),
    ("global-mail.cn: a space at the end of SEARCH", "uid_search all => 1 2", "* SEARCH 1 2 ", ""),
    ("SEARCH that finds nothing", "uid_search all =>", "* SEARCH ", ""),
    ("SEARCH that is not answered at all", "uid_search all =>", "", ""),
    ("SEARCH on several lines", "uid_search all => 1 2 9", "* SEARCH 9 1\n* SEARCH 2", ""),
    (
        "SEARCH with a modification sequence",
        "uid_search all => 2 5",
        "* SEARCH 5 2 (MODSEQ 917162500)",
        "",
    ),
    (
        "ESEARCH where SEARCH was asked for",
        "uid_search all => 1 2 3",
        "* ESEARCH (TAG \"TAGGED\") UID ALL 1:3",
        "",
    ),
    (
        "ESEARCH for another command",
        "uid_search all =>",
        "* ESEARCH (TAG \"B1\") UID ALL 1:3",
        "unparsed * ESEARCH (TAG \"B1\") UID ALL 1:3",
    ),
    ("Archiveopteryx: a space at the end of ID", "id => name=x", "* ID (\"name\" \"x\" )", ""),
    ("ID without anything", "id =>", "* ID NIL", ""),
    (
        "Archiveopteryx: two spaces in QUOTA",
        "noop",
        "* QUOTA \"\" (STORAGE 10  512)",
        "data QUOTA \"\" (STORAGE 10  512)",
    ),
    (
        "Gmail: QUOTA beyond 32 bits",
        "noop",
        "* QUOTA \"\" (STORAGE 1 7881299347898368)",
        "data QUOTA \"\" (STORAGE 1 7881299347898368)",
    ),
    (
        "DavMail: two spaces before a number",
        "select INBOX => INBOX exists=1688 uidvalidity=- uidnext=-",
        "*  1688 EXISTS",
        "",
    ),
    (
        "Dovecot: a dash beyond ASCII in a text",
        "noop",
        "* OK Logged in – go ahead!",
        "notice OK Logged in – go ahead!",
    ),
    ("Outlook.com: COPYUID without UIDs", "uid_copy 5 x => 14:", "* OK [COPYUID 14  ]", ""),
    (
        "Exchange: COPYUID without a status",
        "uid_copy 10 x => 124:10>233",
        "[COPYUID 124 10 233]",
        "",
    ),
    (
        "home.pl: COPYUID untagged",
        "uid_copy 10 x => 124:10>233",
        "* OK [COPYUID 124 10 233] done",
        "",
    ),
    (
        "Gmail: COPYUID in no order",
        "uid_copy 3,9 x => 1:9>20,3>10",
        "* OK [COPYUID 1 9,3 20,10] done",
        "",
    ),
    (
        "Exchange 2003: a stray line",
        "noop",
        "CAPABILITY completed.",
        "unparsed CAPABILITY completed.",
    ),
    (
        "Exchange: no star before the news that it is down",
        "noop",
        "Server Unavailable. 15",
        "notice BAD Server Unavailable. 15",
    ),
    (
        "Exchange: a name that ends in braces, without quotes",
        "list \"\" * => Rechnungen {2024} / | b /",
        "* LIST () \"/\" Rechnungen {2024}\n* LIST () \"/\" b",
        "",
    ),
    ("two spaces before a status", "noop", "*  OK text {5}", "notice OK text {5}"),
    (
        "STATUS of a mailbox that nobody asked about",
        "status INBOX MESSAGES => MESSAGES=2",
        "* STATUS other (MESSAGES 1)\n* STATUS inbox (MESSAGES 2)",
        "status other MESSAGES 1",
    ),
    (
        "STATUS under a name that cannot be decoded",
        "status R&D MESSAGES => MESSAGES=2",
        "* STATUS R&D/ (MESSAGES 2)",
        "",
    ),
    (
        "COPYUID that does not say which is whose",
        "uid_copy 3,9 x => 1:",
        "* OK [COPYUID 1 3,9 20:22] done",
        "",
    ),
    (
        "Gmail: a warning with an address",
        "noop",
        "* NO [WEBALERT https://accounts.google.com/] Web login required.",
        "notice NO [WEBALERT https://accounts.google.com/] Web login required.",
    ),
    (
        "home.pl: a lone backslash among attributes",
        "list \"\" * => INBOX.ARCH . \\HasNoChildren",
        "* LIST (\\HasNoChildren \\) \".\" \"INBOX.ARCH\"",
        "",
    ),
    (
        "Exchange: a name with a tab and a space, without quotes",
        "list \"\" * => a\u{fffd}b c / ",
        "* LIST () \"/\" a\tb c",
        "",
    ),
    (
        "names with brackets, a plus and broken modified UTF-7",
        "list \"\" * => [Gmail]/a+b / | R&D / | &AP / | &x ü&! /",
        "* LIST () \"/\" [Gmail]/a+b\n* LIST () \"/\" R&D\n* LIST () \"/\" &AP\n* LIST () \"/\" \"&-x &APw-&!\"",
        "",
    ),
    ("a name in UTF-8", "list \"\" * => Entwürfe /", "* LIST () \"/\" \"Entwürfe\"", ""),
    (
        "extended data behind a name",
        "list \"\" * => a /",
        "* LIST () \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
        "",
    ),
    ("no levels", "list \"\" * => INBOX - \\Noinferiors", "* LIST (\\NoInferiors) NIL INBOX", ""),
    ("small letters", "list \"\" * => INBOX / \\Marked", "* list (\\marked) \"/\" INBOX", ""),
    ("LIST in answer to LSUB", "lsub \"\" * => INBOX /", "* LIST () \"/\" INBOX", ""),
    (
        "a row that cannot be read",
        "list \"\" * => INBOX /",
        "* LIST () \"/\" INBOX\n* LIST nonsense",
        "unparsed * LIST nonsense",
    ),
    ("NAMESPACE without a delimiter", "namespace => :None", "* NAMESPACE ((\"\" NIL)) NIL NIL", ""),
    ("THREAD that nobody asked for", "noop", "* THREAD (1 2)(3)", "data THREAD (1 2)(3)"),
    ("something new", "noop", "* XFOO bar", "data XFOO bar"),
    ("a number beyond 32 bits", "noop", "* 99999999999 EXISTS", "unparsed * 99999999999 EXISTS"),
    ("EXPUNGE of a message that is not there", "noop", "* 99 EXPUNGE", "expunge 99"),
    ("Exchange: a continuation nobody waits for", "noop", "+ go on", "unparsed + go on"),
    ("a continuation without a space", "noop", "+", "unparsed +"),
    ("a tag that was never sent", "noop", "B7 OK done", "unparsed B7 OK done"),
    ("Dovecot while idle", "noop", "* OK Still here", "notice OK Still here"),
    (
        "Courier and others: ENABLED without being asked",
        "noop",
        "* ENABLED CONDSTORE",
        "data ENABLED CONDSTORE",
    ),
    ("iCloud: ENABLE without ENABLED", "enable CONDSTORE =>", "", ""),
    (
        "ENABLED in two lines, one of them for what was not asked for",
        "enable CONDSTORE => CONDSTORE",
        "* ENABLED CONDSTORE\n* ENABLED X",
        "unparsed * ENABLED X",
    ),
];

const CAPABILITIES: &str = "IMAP4rev1 UIDPLUS MOVE ENABLE CONDSTORE LITERAL+ STATUS=SIZE";

/// Calls that need a mailbox.
const SELECTED: &[&str] = &["uid_search", "uid_copy"];

/// Answers each command with the lines of its row, its tag behind them.
async fn serve(mut far: Far, row: &'static str, ends: &'static str) {
    far.say(format!("* PREAUTH [CAPABILITY {CAPABILITIES}] hi{ends}")).await;
    let mut row = Some(row);
    loop {
        let command = far.line().await;
        let Some((tag, words)) = command.split_once(' ') else { return };
        let lines = match words.split_once(' ').unwrap_or_default().0 {
            // What a row needs first.
            "EXAMINE" => "",
            _ => row.take().unwrap_or_default(),
        };
        let mut answer = String::new();
        for line in lines.lines() {
            answer += &format!("{}{ends}", line.replace("TAGGED", tag));
        }
        far.say(format!("{answer}{tag} OK done{ends}")).await;
    }
}

async fn play((what, call, lines, events): Row, ends: &'static str) {
    let (connector, far) = connector(Protocol::Imap, ImapClient::builder);
    let server = tokio::spawn(serve(far, lines, ends));
    let mut session = Some(Imap::of(connector.connect().await.unwrap()));
    let call: Call = call.parse().unwrap();
    if SELECTED.contains(&call.verb.as_str()) {
        give(&mut session, "examine INBOX", what).await;
    }
    let given = Imap::call(&mut session, &call).await.unwrap_or_else(|e| panic!("{what}: {e}"));
    if let Some(gives) = &call.gives {
        assert_eq!(given.trim(), gives.trim(), "{what}");
    }
    assert_eq!(give(&mut session, "events", what).await, events, "{what}");
    give(&mut session, "noop", what).await;
    drop(session);
    server.await.unwrap();
}

async fn give(session: &mut Option<Imap>, call: &str, what: &str) -> String {
    let call = call.parse().unwrap();
    Imap::call(session, &call).await.unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[tokio::test(start_paused = true)]
async fn every_habit_of_a_server_is_understood_or_told_with_its_octets() {
    for row in ROWS {
        play(*row, "\r\n").await;
    }
}

#[tokio::test(start_paused = true)]
async fn servers_that_end_lines_with_a_line_feed_alone_are_understood_too() {
    for row in ROWS {
        play(*row, "\n").await;
    }
}
