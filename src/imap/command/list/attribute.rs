//! What LIST says of a mailbox besides its name.

use std::fmt;

use super::Role;

/// An attribute of a mailbox (RFC 9051 section 7.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute {
    /// `\NonExistent`: there is no such mailbox, but maybe others below it.
    NonExistent,
    /// `\Noselect`: it cannot be selected: it is a level of other names only.
    NoSelect,
    /// `\Noinferiors`: there are none below it and cannot be.
    NoInferiors,
    /// `\HasChildren`: there are mailboxes below it.
    HasChildren,
    /// `\HasNoChildren`: there are none that this user can see.
    HasNoChildren,
    /// `\Marked`: it holds something new, as the server sees it.
    Marked,
    /// `\Unmarked`: nothing new since it was last selected.
    Unmarked,
    /// `\Subscribed`.
    Subscribed,
    /// `\Remote`: it is on another server.
    Remote,
    /// `\NoAccess`: the user may not see what is in it, or no longer (RFC 5465).
    NoAccess,
    /// What it is for (RFC 6154): `\Sent`, `\Trash` and their like.
    Role(Role),
    /// Any other, as on the wire with its backslash.
    Other(String),
}

impl Attribute {
    /// In any case of letters; the backslash may be missing.
    pub(super) fn parse(word: &str) -> Self {
        let name = word.strip_prefix('\\').unwrap_or(word);
        match name.to_ascii_lowercase().as_str() {
            "nonexistent" => Self::NonExistent,
            "noselect" => Self::NoSelect,
            "noinferiors" => Self::NoInferiors,
            "haschildren" => Self::HasChildren,
            "hasnochildren" => Self::HasNoChildren,
            "marked" => Self::Marked,
            "unmarked" => Self::Unmarked,
            "subscribed" => Self::Subscribed,
            "remote" => Self::Remote,
            "noaccess" => Self::NoAccess,
            name => match Role::from_attribute(name) {
                Some(role) => Self::Role(role),
                None => Self::Other(word.to_owned()),
            },
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NonExistent => "\\NonExistent",
            Self::NoSelect => "\\Noselect",
            Self::NoInferiors => "\\Noinferiors",
            Self::HasChildren => "\\HasChildren",
            Self::HasNoChildren => "\\HasNoChildren",
            Self::Marked => "\\Marked",
            Self::Unmarked => "\\Unmarked",
            Self::Subscribed => "\\Subscribed",
            Self::Remote => "\\Remote",
            Self::NoAccess => "\\NoAccess",
            Self::Role(role) => return write!(f, "\\{}", role.as_str()),
            Self::Other(word) => word,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_the_rest_are_kept() {
        for word in ["\\Noselect", "\\NoSelect", "\\HasChildren", "\\Sent", "\\NoAccess", "\\X-Odd"]
        {
            let attribute = Attribute::parse(word);
            assert!(attribute.to_string().eq_ignore_ascii_case(word), "{attribute:?}");
        }
        assert_eq!(Attribute::parse("\\X-Odd"), Attribute::Other("\\X-Odd".to_owned()));
        // XLIST, which Gmail had before RFC 6154.
        assert_eq!(Attribute::parse("\\Spam"), Attribute::Role(Role::Junk));
    }
}
