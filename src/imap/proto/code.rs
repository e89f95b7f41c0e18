//! Response codes: what a server puts in brackets before the text of a status response.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use crate::imap::proto::decode::{Cursor, Parsed, parse_u32};
use crate::imap::types::{Capabilities, Flag, Flags, NumberSet, SeqSet, Uid, UidSet};

/// A response code (RFC 9051 section 7.1, RFC 5530, RFC 4315, RFC 7162).
///
/// A code that is unknown, or known but with arguments that are none, is [`Code::Other`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// `ALERT`: show the text to the user.
    Alert,
    /// `ALREADYEXISTS`: a mailbox of that name exists.
    AlreadyExists,
    /// `APPENDUID`: where appended messages went.
    AppendUid(AppendUid),
    /// `AUTHENTICATIONFAILED`: the credentials were refused, for a reason the server keeps.
    AuthenticationFailed,
    /// `AUTHORIZATIONFAILED`: they are good, but not for acting as that user.
    AuthorizationFailed,
    /// `BADCHARSET`: the server cannot search in that character set, but in these, if it names any.
    BadCharset(Vec<String>),
    /// `BADEVENT`: the server does not tell of such events, but of these (RFC 5465). Dovecot 2.3 names
    /// those of which it does not.
    BadEvent(Vec<String>),
    /// `BADURL`: what this URL names cannot be had (RFC 4469).
    BadUrl(String),
    /// `CANNOT`: it can never succeed.
    Cannot,
    /// `CAPABILITY`: what the server can do now.
    Capability(Capabilities),
    /// `CLIENTBUG`: the server holds us to have done wrong.
    ClientBug,
    /// `CLOSED`: the selected mailbox is closed; what follows belongs to the next.
    Closed,
    /// `COMPRESSIONACTIVE`: something else compresses already (RFC 4978).
    CompressionActive,
    /// `CONTACTADMIN`: the user should ask the administrator.
    ContactAdmin,
    /// `COPYUID`: which message became which.
    CopyUid(CopyUid),
    /// `CORRUPTION`: the server's data are damaged.
    Corruption,
    /// `EXPIRED`: access by this credential is over.
    Expired,
    /// `EXPUNGEISSUED`: somebody else expunges the same mailbox.
    ExpungeIssued,
    /// `HASCHILDREN`: a mailbox with children cannot be deleted.
    HasChildren,
    /// `HIGHESTMODSEQ` of the mailbox; never 0.
    HighestModSeq(u64),
    /// `INUSE`: something else uses it just now.
    InUse,
    /// `LIMIT`: a limit of the server was reached.
    Limit,
    /// `MAILBOXID`: an identifier of the mailbox that renaming does not change (RFC 8474).
    MailboxId(String),
    /// `MODIFIED`: these messages had changed, and were not changed.
    Modified(Modified),
    /// `METADATA`: why notes were not taken or not all told (RFC 5464): `MAXSIZE` and `LONGENTRIES`
    /// with a number of octets, `TOOMANY`, `NOPRIVATE`.
    Metadata {
        /// Which of them.
        what: String,
        /// The number behind it.
        number: Option<u64>,
    },
    /// `NOMODSEQ`: the mailbox keeps no modification sequences.
    NoModSeq,
    /// `NONEXISTENT`: there is no such mailbox.
    NonExistent,
    /// `NOUPDATE`: the search with this tag is not kept up to date (RFC 5267).
    NoUpdate(String),
    /// `NOTSAVED`: the result of a search was not kept.
    NotSaved,
    /// `NOPERM`: the user may not do that.
    NoPerm,
    /// `NOTIFICATIONOVERFLOW`: the server cannot tell of so much (RFC 5465).
    NotificationOverflow,
    /// `OVERQUOTA`: the user is or would be over quota.
    OverQuota,
    /// `PARSE`: the server could not read a message's header.
    Parse,
    /// `PERMANENTFLAGS`: which flags a client can change for good.
    PermanentFlags(Vec<Flag<'static>>),
    /// `PRIVACYREQUIRED`: not without TLS.
    PrivacyRequired,
    /// `READ-ONLY`: the mailbox was opened for reading.
    ReadOnly,
    /// `READ-WRITE`: the mailbox was opened for reading and writing.
    ReadWrite,
    /// `SERVERBUG`: the server contradicts itself.
    ServerBug,
    /// `TOOBIG`: the message is larger than the server takes (RFC 7889).
    TooBig,
    /// `TRYCREATE`: it would work if the mailbox were created first.
    TryCreate,
    /// `UIDNEXT`: a message to come will have this UID or a greater one.
    UidNext(Uid),
    /// `UIDNOTSTICKY`: the mailbox does not keep UIDs.
    UidNotSticky,
    /// `UIDVALIDITY` of the mailbox.
    UidValidity(NonZeroU32),
    /// `UNAVAILABLE`: something behind the server is down just now.
    Unavailable,
    /// `UNKNOWN-CTE`: the server cannot undo the transfer encoding.
    UnknownCte,
    /// `UNSEEN`: the sequence number of the first unread message.
    Unseen(NonZeroU32),
    /// `USEATTR`: the mailbox cannot be made for that (RFC 6154).
    UseAttr,
    /// Anything else.
    Other {
        /// The first word, as sent.
        name: String,
        /// What follows it; empty if nothing does.
        arguments: String,
    },
}

/// The UIDs that messages got when they were appended (RFC 4315 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendUid {
    uid_validity: NonZeroU32,
    uids: UidSet,
}

impl AppendUid {
    /// The same for so many messages. Which UID is whose is not known if there are more or fewer.
    pub(crate) fn of(mut self, messages: usize) -> Self {
        if self.uids.names_the_last() || self.uids.count() as usize != messages {
            self.uids = UidSet::default();
        }
        self
    }

    /// The UIDVALIDITY of the mailbox they were appended to.
    pub const fn uid_validity(&self) -> NonZeroU32 {
        self.uid_validity
    }

    /// Their UIDs.
    pub const fn uids(&self) -> &UidSet {
        &self.uids
    }
}

/// The messages that a change of flags has passed over, since they had changed (RFC 7162 section
/// 3.1.3): by UID in the answer to UID STORE, by sequence number in that to STORE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modified(NumberSet);

impl Modified {
    /// They are UIDs.
    pub fn uids(&self) -> UidSet {
        UidSet::of(self.0.clone())
    }

    /// They are sequence numbers.
    pub fn numbers(&self) -> SeqSet {
        SeqSet::of(self.0.clone())
    }

    pub(crate) const fn set(&self) -> &NumberSet {
        &self.0
    }
}

/// Which message became which by COPY or MOVE (RFC 4315 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyUid {
    uid_validity: NonZeroU32,
    source: Vec<RangeInclusive<u32>>,
    target: Vec<RangeInclusive<u32>>,
}

impl CopyUid {
    /// The UIDVALIDITY of the mailbox they were copied to.
    pub const fn uid_validity(&self) -> NonZeroU32 {
        self.uid_validity
    }

    /// As many are paired at most.
    const MOST_PAIRS: u64 = 10_000_000;

    /// The UID of each message, then the UID of its copy, in the order of the server. None at all
    /// if the server named none, as Outlook.com may; nor if it named more copies than messages or
    /// fewer, for then nobody knows which is whose; nor if it named more than ten million, in which
    /// case [`sources`](Self::sources) and [`targets`](Self::targets) still have them.
    pub fn pairs(&self) -> impl Iterator<Item = (Uid, Uid)> + '_ {
        let messages = count(&self.source);
        let paired = messages == count(&self.target) && messages <= Self::MOST_PAIRS;
        let source = if paired { self.source.as_slice() } else { &[] };
        let source = source.iter().cloned().flatten();
        let target = self.target.iter().cloned().flatten();
        source.zip(target).filter_map(|(from, to)| Some((Uid::new(from)?, Uid::new(to)?)))
    }

    /// The UIDs of the messages that were copied, as the server named them.
    pub fn sources(&self) -> UidSet {
        set(&self.source)
    }

    /// The UIDs of the copies, as the server named them.
    pub fn targets(&self) -> UidSet {
        set(&self.target)
    }
}

/// How many numbers are in ranges that may overlap.
fn count(ranges: &[RangeInclusive<u32>]) -> u64 {
    ranges.iter().map(|range| u64::from(*range.end()) - u64::from(*range.start()) + 1).sum()
}

/// All of them but 0, which no message has.
fn set(ranges: &[RangeInclusive<u32>]) -> UidSet {
    let named = ranges.iter().filter(|range| *range.end() > 0);
    let ends = named.map(|range| ((*range.start()).max(1), *range.end()));
    UidSet::of(NumberSet::of_ranges(ends.collect()))
}

impl Code {
    /// Reads the inside of the brackets.
    pub(crate) fn parse(code: &[u8]) -> Self {
        let end = memchr::memchr(b' ', code).unwrap_or(code.len());
        let (name, arguments) = code.split_at(end);
        let arguments = arguments.trim_ascii();
        Self::known(&name.to_ascii_uppercase(), arguments).unwrap_or_else(|| Self::Other {
            name: String::from_utf8_lossy(name).into_owned(),
            arguments: String::from_utf8_lossy(arguments).into_owned(),
        })
    }

    /// The word it begins with: `AUTHENTICATIONFAILED`. In the server's spelling if it is
    /// [`Code::Other`].
    pub fn name(&self) -> &str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AppendUid(_) => "APPENDUID",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::BadCharset(_) => "BADCHARSET",
            Self::BadEvent(_) => "BADEVENT",
            Self::BadUrl(_) => "BADURL",
            Self::Cannot => "CANNOT",
            Self::Capability(_) => "CAPABILITY",
            Self::ClientBug => "CLIENTBUG",
            Self::Closed => "CLOSED",
            Self::CompressionActive => "COMPRESSIONACTIVE",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::CopyUid(_) => "COPYUID",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HasChildren => "HASCHILDREN",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::MailboxId(_) => "MAILBOXID",
            Self::Modified(_) => "MODIFIED",
            Self::Metadata { .. } => "METADATA",
            Self::NoModSeq => "NOMODSEQ",
            Self::NonExistent => "NONEXISTENT",
            Self::NoUpdate(_) => "NOUPDATE",
            Self::NotSaved => "NOTSAVED",
            Self::NoPerm => "NOPERM",
            Self::NotificationOverflow => "NOTIFICATIONOVERFLOW",
            Self::OverQuota => "OVERQUOTA",
            Self::Parse => "PARSE",
            Self::PermanentFlags(_) => "PERMANENTFLAGS",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unavailable => "UNAVAILABLE",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::Unseen(_) => "UNSEEN",
            Self::UseAttr => "USEATTR",
            Self::Other { name, .. } => name,
        }
    }

    fn known(name: &[u8], arguments: &[u8]) -> Option<Self> {
        let number = || parse_u32(arguments).and_then(NonZeroU32::new);
        Some(match name {
            b"ALERT" => Self::Alert,
            b"ALREADYEXISTS" => Self::AlreadyExists,
            b"APPENDUID" => Self::AppendUid(append_uid(arguments)?),
            b"AUTHENTICATIONFAILED" => Self::AuthenticationFailed,
            b"AUTHORIZATIONFAILED" => Self::AuthorizationFailed,
            b"BADCHARSET" => Self::BadCharset(words(arguments)),
            b"BADEVENT" => Self::BadEvent(words(arguments)),
            b"BADURL" => Self::BadUrl(string(arguments)?),
            b"CANNOT" => Self::Cannot,
            b"CAPABILITY" => Self::Capability(Capabilities::parse(arguments)),
            b"CLIENTBUG" => Self::ClientBug,
            b"CLOSED" => Self::Closed,
            b"COMPRESSIONACTIVE" => Self::CompressionActive,
            b"CONTACTADMIN" => Self::ContactAdmin,
            b"COPYUID" => Self::CopyUid(copy_uid(arguments)?),
            b"CORRUPTION" => Self::Corruption,
            b"EXPIRED" => Self::Expired,
            b"EXPUNGEISSUED" => Self::ExpungeIssued,
            b"HASCHILDREN" => Self::HasChildren,
            b"HIGHESTMODSEQ" => Self::HighestModSeq(
                Cursor::new(arguments).number().ok().flatten().filter(|modseq| *modseq != 0)?,
            ),
            b"INUSE" => Self::InUse,
            b"LIMIT" => Self::Limit,
            b"MAILBOXID" => Self::MailboxId(object_id(arguments)?.to_owned()),
            b"MODIFIED" => {
                Self::Modified(Modified(NumberSet::of_ranges(NumberSet::parse_closed(arguments)?)))
            }
            b"METADATA" => metadata(arguments)?,
            b"NOMODSEQ" => Self::NoModSeq,
            b"NONEXISTENT" => Self::NonExistent,
            b"NOUPDATE" => Self::NoUpdate(string(arguments)?),
            b"NOTSAVED" => Self::NotSaved,
            b"NOPERM" => Self::NoPerm,
            b"NOTIFICATIONOVERFLOW" => Self::NotificationOverflow,
            b"OVERQUOTA" => Self::OverQuota,
            b"PARSE" => Self::Parse,
            b"PERMANENTFLAGS" => Self::PermanentFlags(Flags::new(arguments).to_vec()),
            b"PRIVACYREQUIRED" => Self::PrivacyRequired,
            b"READ-ONLY" => Self::ReadOnly,
            b"READ-WRITE" => Self::ReadWrite,
            b"SERVERBUG" => Self::ServerBug,
            b"TOOBIG" => Self::TooBig,
            b"TRYCREATE" => Self::TryCreate,
            b"UIDNEXT" => Self::UidNext(number()?.into()),
            b"UIDNOTSTICKY" => Self::UidNotSticky,
            b"UIDVALIDITY" => Self::UidValidity(number()?),
            b"UNAVAILABLE" => Self::Unavailable,
            b"UNKNOWN-CTE" => Self::UnknownCte,
            b"UNSEEN" => Self::Unseen(number()?),
            b"USEATTR" => Self::UseAttr,
            _ => return None,
        })
    }
}

/// An identifier in parentheses (RFC 8474 section 7).
pub(crate) fn object_id(value: &[u8]) -> Option<&str> {
    let list = value.strip_prefix(b"(").and_then(|list| list.strip_suffix(b")"));
    let id = std::str::from_utf8(list.unwrap_or(value).trim_ascii()).ok()?;
    let is_id = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
    let is_nil = list.is_none() && id.eq_ignore_ascii_case("NIL");
    (matches!(id.len(), 1..=255) && id.bytes().all(is_id) && !is_nil).then_some(id)
}

/// RFC 5464 section 5.
fn metadata(arguments: &[u8]) -> Option<Code> {
    let mut cursor = Cursor::new(arguments);
    let what = String::from_utf8_lossy(cursor.atom().ok()?).to_ascii_uppercase();
    cursor.spaces();
    Some(Code::Metadata { what, number: cursor.digits() })
}

/// A string alone.
fn string(arguments: &[u8]) -> Option<String> {
    let mut cursor = Cursor::new(arguments);
    cursor.astring().ok().map(|text| text.to_str_lossy().into_owned())
}

/// A list of strings, with or without parentheses (RFC 9051 section 7.1, BADCHARSET).
fn words(arguments: &[u8]) -> Vec<String> {
    /// More than this nobody lists.
    const MOST: usize = 100;
    let mut cursor = Cursor::new(arguments);
    cursor.eat(b'(');
    let next = || {
        cursor.spaces();
        Some(String::from_utf8_lossy(&cursor.astring().ok()?.to_bytes()).into_owned())
    };
    std::iter::from_fn(next).take(MOST).collect()
}

fn append_uid(arguments: &[u8]) -> Option<AppendUid> {
    let mut cursor = Cursor::new(arguments);
    let uid_validity = validity(&mut cursor).ok()??;
    cursor.spaces();
    let uids = NumberSet::parse_closed(cursor.rest())?;
    Some(AppendUid { uid_validity, uids: UidSet::of(NumberSet::of_ranges(uids)) })
}

fn copy_uid(arguments: &[u8]) -> Option<CopyUid> {
    let mut cursor = Cursor::new(arguments);
    let uid_validity = validity(&mut cursor).ok()??;
    cursor.spaces();
    let source = ordered(cursor.atom().unwrap_or_default())?;
    cursor.spaces();
    let target = ordered(cursor.atom().unwrap_or_default())?;
    Some(CopyUid { uid_validity, source, target })
}

fn validity(cursor: &mut Cursor<'_>) -> Parsed<Option<NonZeroU32>> {
    let number = cursor.number()?;
    Ok(number.and_then(|number| u32::try_from(number).ok()).and_then(NonZeroU32::new))
}

/// A set in the order of the wire, on which the pairing depends: Gmail does not sort them
/// (mailcore2#541).
fn ordered(set: &[u8]) -> Option<Vec<RangeInclusive<u32>>> {
    set.split(|octet| *octet == b',')
        .filter(|element| !element.is_empty())
        .map(|element| {
            let mut ends = element.split(|octet| *octet == b':').map(parse_u32);
            let first = ends.next()??;
            let last = ends.next().unwrap_or(Some(first))?;
            ends.next().is_none().then(|| first.min(last)..=first.max(last))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(code: &str) -> Vec<(u32, u32)> {
        let Code::CopyUid(copied) = Code::parse(code.as_bytes()) else { panic!("{code}") };
        copied.pairs().map(|(source, target)| (source.get(), target.get())).collect()
    }

    fn other(name: &str, arguments: &str) -> Code {
        Code::Other { name: name.to_owned(), arguments: arguments.to_owned() }
    }

    #[test]
    fn every_code_without_arguments_is_known_by_its_name() {
        for name in [
            "ALERT",
            "ALREADYEXISTS",
            "AUTHENTICATIONFAILED",
            "AUTHORIZATIONFAILED",
            "BADCHARSET",
            "CANNOT",
            "CLIENTBUG",
            "CLOSED",
            "CONTACTADMIN",
            "CORRUPTION",
            "EXPIRED",
            "EXPUNGEISSUED",
            "HASCHILDREN",
            "INUSE",
            "LIMIT",
            "NOMODSEQ",
            "NONEXISTENT",
            "NOTIFICATIONOVERFLOW",
            "NOTSAVED",
            "NOPERM",
            "OVERQUOTA",
            "PARSE",
            "PRIVACYREQUIRED",
            "READ-ONLY",
            "READ-WRITE",
            "SERVERBUG",
            "TOOBIG",
            "TRYCREATE",
            "UIDNOTSTICKY",
            "UNAVAILABLE",
            "UNKNOWN-CTE",
        ] {
            let code = Code::parse(name.to_ascii_lowercase().as_bytes());
            assert!(!matches!(code, Code::Other { .. }), "{name}");
            assert_eq!(code.name(), name);
        }
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(Code::parse(b"UIDNEXT 4392"), Code::UidNext(Uid::new(4392).unwrap()));
        assert_eq!(
            Code::parse(b"UIDVALIDITY 3857529045"),
            Code::UidValidity(NonZeroU32::new(3_857_529_045).unwrap())
        );
        assert_eq!(
            Code::parse(b"HIGHESTMODSEQ 715194045007"),
            Code::HighestModSeq(715_194_045_007)
        );
        assert_eq!(
            Code::parse(b"PERMANENTFLAGS (\\Deleted $Forwarded )"),
            Code::PermanentFlags(vec![Flag::Deleted, Flag::from("$Forwarded")])
        );
        let Code::AppendUid(appended) = Code::parse(b"APPENDUID 38505 3955:3957") else { panic!() };
        assert_eq!(appended.uid_validity().get(), 38505);
        assert_eq!(appended.uids().to_string(), "3955:3957");
    }

    #[test]
    fn the_charsets_that_a_server_knows_are_listed() {
        let charsets = |code: &str| match Code::parse(code.as_bytes()) {
            Code::BadCharset(charsets) => charsets,
            other => panic!("{other:?}"),
        };
        // RFC 9051 section 7.1, Exchange, and what is none of the grammar.
        assert_eq!(charsets("BADCHARSET (US-ASCII UTF-8)"), ["US-ASCII", "UTF-8"]);
        assert_eq!(charsets("badcharset (\"iso 1\" {2}\r\nab )"), ["iso 1", "ab"]);
        assert_eq!(charsets("BADCHARSET US-ASCII"), ["US-ASCII"]);
        for none in ["BADCHARSET", "BADCHARSET ()", "BADCHARSET (", "BADCHARSET NIL)"] {
            assert!(charsets(none).len() < 2, "{none}");
        }
        assert_eq!(charsets(&format!("BADCHARSET ({})", "x ".repeat(5000))).len(), 100);
    }

    #[test]
    fn copies_are_paired_in_the_order_of_the_wire() {
        // RFC 4315 section 3.
        assert_eq!(
            pairs("COPYUID 38505 304,319:320 3956:3958"),
            [(304, 3956), (319, 3957), (320, 3958)]
        );
        assert_eq!(pairs("COPYUID 1 9,3 20,10"), [(9, 20), (3, 10)]);
        assert_eq!(pairs("COPYUID 124 10 233"), [(10, 233)]);
        // Outlook.com (MailKit#555).
        assert_eq!(pairs("COPYUID 14  "), []);
    }

    #[test]
    fn sets_of_different_sizes_or_beyond_all_bounds_are_not_paired_and_are_still_there() {
        for (code, sources, targets) in [
            ("COPYUID 1 1:4294967295 5", "1:4294967295", "5"),
            ("COPYUID 1 3,5 7:9", "3,5", "7:9"),
            ("COPYUID 1 3,5 7", "3,5", "7"),
            ("COPYUID 1 1:4294967295 1:4294967295", "1:4294967295", "1:4294967295"),
            ("COPYUID 1 1:10000001 5:10000005", "1:10000001", "5:10000005"),
        ] {
            assert_eq!(pairs(code), [], "{code}");
            let Code::CopyUid(copied) = Code::parse(code.as_bytes()) else { panic!("{code}") };
            assert_eq!(copied.sources().to_string(), sources);
            assert_eq!(copied.targets().to_string(), targets);
        }
        assert_eq!(pairs("COPYUID 1 5:4 8:9"), [(4, 8), (5, 9)]);
    }

    #[test]
    fn a_star_names_no_message_that_was_stored_or_copied() {
        for (name, sets) in [
            ("APPENDUID", "1 *"),
            ("APPENDUID", "1 3:*"),
            ("COPYUID", "1 * 5"),
            ("COPYUID", "1 3:* 5"),
            ("COPYUID", "1 3 *"),
        ] {
            assert_eq!(Code::parse(format!("{name} {sets}").as_bytes()), other(name, sets));
        }
    }

    #[test]
    fn of_many_flags_a_thousand_are_kept() {
        let code = format!("PERMANENTFLAGS ({})", "a ".repeat(20_000));
        let Code::PermanentFlags(flags) = Code::parse(code.as_bytes()) else { panic!() };
        assert_eq!(flags.len(), 1000);
    }

    #[test]
    fn what_is_unknown_or_nonsense_is_kept_as_text() {
        assert_eq!(Code::parse(b"XFOO bar baz"), other("XFOO", "bar baz"));
        // UIDNEXT 0 and UIDVALIDITY 0 occur (MailKit#1010, #150).
        assert_eq!(Code::parse(b"UIDNEXT 0"), other("UIDNEXT", "0"));
        assert_eq!(Code::parse(b"HIGHESTMODSEQ -1"), other("HIGHESTMODSEQ", "-1"));
        assert_eq!(Code::parse(b"MODIFIED 1:*"), other("MODIFIED", "1:*"));
        assert_eq!(Code::parse(b"MODIFIED"), other("MODIFIED", ""));
        assert_eq!(Code::parse(b""), other("", ""));
        assert_eq!(
            Code::parse(b"WEBALERT https://accounts.google.com/"),
            other("WEBALERT", "https://accounts.google.com/")
        );
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(bytes: Vec<u8>) {
            let _ = Code::parse(&bytes);
        }

        #[test]
        fn no_sets_make_it_panic(sets in "(COPYUID|APPENDUID) [0-9:, ]{0,30}") {
            if let Code::CopyUid(copied) = Code::parse(sets.as_bytes()) {
                let _ = copied.pairs().take(10).count();
            }
        }
    }
}
