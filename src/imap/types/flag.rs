//! Message flags.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::imap::proto::decode::Cursor;
use crate::imap::types::Text;

/// A flag or keyword of a message (RFC 9051 section 2.3.2).
///
/// Two flags are equal whatever the case of their letters, as they are to servers.
///
/// ```
/// use mailbearer::imap::Flag;
///
/// assert_eq!(Flag::from("\\seen"), Flag::Seen);
/// assert_eq!(Flag::from("$Forwarded"), Flag::from("$forwarded"));
/// assert_eq!(Flag::Flagged.as_str(), "\\Flagged");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Flag<'a> {
    /// `\Seen`: it has been read.
    Seen,
    /// `\Answered`: it has been replied to.
    Answered,
    /// `\Flagged`: it is marked for attention.
    Flagged,
    /// `\Deleted`: the next EXPUNGE removes it.
    Deleted,
    /// `\Draft`: it is not finished.
    Draft,
    /// `\Recent`: this is the first session to see it (RFC 3501 only). A client cannot set it.
    Recent,
    /// `\*`, in PERMANENTFLAGS only: the client may make up keywords of its own.
    Any,
    /// Any other flag, as on the wire: a keyword such as `$Forwarded`, or with its backslash an
    /// extension. One that is told is read whatever it holds; commands refuse what is no atom, such as
    /// Gmail's `OIB-Seen-[Gmail]/All`, whose bracket the grammar does not allow.
    Other(Cow<'a, str>),
}

impl Flag<'_> {
    const SYSTEM: &'static [Flag<'static>] = &[
        Flag::Seen,
        Flag::Answered,
        Flag::Flagged,
        Flag::Deleted,
        Flag::Draft,
        Flag::Recent,
        Flag::Any,
    ];

    /// One of the system flags that servers send most, by its usual spelling.
    const fn system(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"\\Seen" => Self::Seen,
            b"\\Answered" => Self::Answered,
            b"\\Flagged" => Self::Flagged,
            b"\\Deleted" => Self::Deleted,
            b"\\Draft" => Self::Draft,
            b"\\Recent" => Self::Recent,
            _ => return None,
        })
    }

    /// The flag on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
            Self::Recent => "\\Recent",
            Self::Any => "\\*",
            Self::Other(name) => name,
        }
    }

    /// The same flag, free of the response it was read from.
    pub fn into_owned(self) -> Flag<'static> {
        match self {
            Self::Seen => Flag::Seen,
            Self::Answered => Flag::Answered,
            Self::Flagged => Flag::Flagged,
            Self::Deleted => Flag::Deleted,
            Self::Draft => Flag::Draft,
            Self::Recent => Flag::Recent,
            Self::Any => Flag::Any,
            Self::Other(name) => Flag::Other(Cow::Owned(name.into_owned())),
        }
    }
}

impl<'a> From<&'a str> for Flag<'a> {
    fn from(name: &'a str) -> Self {
        Self::from(Cow::Borrowed(name))
    }
}

impl From<String> for Flag<'static> {
    fn from(name: String) -> Self {
        Self::from(Cow::Owned(name))
    }
}

impl<'a> From<Cow<'a, str>> for Flag<'a> {
    fn from(name: Cow<'a, str>) -> Self {
        if !name.starts_with('\\') {
            return Self::Other(name);
        }
        let known = Flag::SYSTEM.iter().find(|flag| flag.as_str() == name);
        let known = known
            .or_else(|| Flag::SYSTEM.iter().find(|flag| flag.as_str().eq_ignore_ascii_case(&name)));
        known.cloned().unwrap_or(Self::Other(name))
    }
}

impl PartialEq<Flag<'_>> for Flag<'_> {
    fn eq(&self, other: &Flag<'_>) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for Flag<'_> {}

impl Hash for Flag<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().bytes().for_each(|octet| state.write_u8(octet.to_ascii_lowercase()));
    }
}

impl fmt::Display for Flag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The flags in one list of a response, read as they are asked for.
#[derive(Debug, Clone)]
pub struct Flags<'a> {
    list: Cursor<'a>,
}

impl<'a> Flags<'a> {
    /// Of a list with its parentheses. Whatever is no flag in it is passed over.
    pub(crate) fn new(list: &'a [u8]) -> Self {
        let mut list = Cursor::new(list);
        list.eat(b'(');
        Self { list }
    }

    /// The flags in a list about a whole mailbox, free of the response. It holds at most 1,000:
    /// servers allow some hundreds of keywords at most, and a flag takes more room than its name.
    pub(crate) fn to_vec(&self) -> Vec<Flag<'static>> {
        const MOST: usize = 1000;
        self.clone().take(MOST).map(Flag::into_owned).collect()
    }

    /// Whether this flag is among those not yet read.
    pub fn contains(&self, flag: &Flag<'_>) -> bool {
        self.clone().any(|other| other == *flag)
    }
}

impl<'a> Iterator for Flags<'a> {
    type Item = Flag<'a>;

    fn next(&mut self) -> Option<Flag<'a>> {
        loop {
            self.list.spaces();
            // Some servers send NIL among flags, some quote them, and home.pl sends a lone
            // backslash (MailKit#953, #771, Mailspring#967).
            let flag = match self.list.peek()? {
                b'\\' | b'$' => {
                    let name = self.list.atom().ok()?;
                    match Flag::system(name) {
                        None => Text::plain(name),
                        known => return known,
                    }
                }
                b')' => return None,
                _ => match self.list.nstring().ok()? {
                    Some(flag) => flag,
                    None => continue,
                },
            };
            match flag.borrowed() {
                Some(b"" | b"\\") => {}
                None if flag == "\\" => {}
                _ => return Some(Flag::from(flag.to_str_lossy())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(list: &str) -> Vec<String> {
        Flags::new(list.as_bytes()).map(|flag| flag.to_string()).collect()
    }

    #[test]
    fn system_flags_are_known_in_any_case() {
        let read: Vec<_> = Flags::new(b"(\\seen \\DRAFT \\*)").collect();
        assert!(matches!(read[..], [Flag::Seen, Flag::Draft, Flag::Any]));
    }

    #[test]
    fn lists_as_servers_really_send_them() {
        // Zoho (chatmail/core#1834).
        assert_eq!(
            flags("(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)"),
            ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft", "\\*"]
        );
        assert_eq!(flags("(OIB-Seen-[Gmail]/All)"), ["OIB-Seen-[Gmail]/All"]);
        // SurgeMail 8.0e (async-imap#123).
        assert_eq!(flags("(\\Answered $Forwarded )"), ["\\Answered", "$Forwarded"]);
        // home.pl (Mailspring#967).
        assert_eq!(flags("(\\HasNoChildren \\)"), ["\\HasNoChildren"]);
        assert_eq!(flags("(\"\\Seen\" NIL $Junk)"), ["\\Seen", "$Junk"]);
        assert_eq!(flags("()"), [""; 0]);
    }

    #[test]
    fn of_many_flags_a_thousand_are_kept() {
        let list = format!("({})", "a ".repeat(100_000));
        assert_eq!(Flags::new(list.as_bytes()).to_vec().len(), 1000);
    }

    #[test]
    fn keywords_are_equal_in_any_case() {
        assert_eq!(Flag::from("$junk"), Flag::from("$Junk"));
        assert_ne!(Flag::from("$Junk"), Flag::Seen);
        assert!(Flags::new(b"($Junk)").contains(&Flag::from("$JUNK")));
    }
}
