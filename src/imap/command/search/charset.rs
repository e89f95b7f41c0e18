//! What a search says of the charset of its text.

use super::Search;
use crate::Failure;
use crate::Retry;
use crate::imap::proto::Core;
use crate::imap::proto::encode::Line;
use crate::imap::{Code, Error, Status};

/// The charset of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imap::command) enum Charset {
    /// None need be named: the text is ASCII, or the connection is in UTF-8.
    Known,
    /// UTF-8, by its name.
    Named,
    /// Text beyond ASCII goes without a name, since the server has refused that.
    LeftOut,
}

impl Charset {
    /// What is said of it at first.
    pub(in crate::imap::command) fn of(search: &Search, core: &Core) -> Self {
        if search.is_ascii() || core.takes_utf8() { Self::Known } else { Self::Named }
    }

    pub(in crate::imap::command) fn encode(self, line: &mut Line) {
        line.raw(if self == Self::Named { "CHARSET UTF-8 " } else { "" });
    }

    /// Whether the search, of which this has come, is to be sent once more; it then goes without the
    /// name.
    pub(in crate::imap::command) fn leave_out<T>(&mut self, come: &Result<T, Error>) -> bool {
        let refused = *self == Self::Named && come.as_ref().is_err_and(is_about_charset);
        if refused {
            *self = Self::LeftOut;
        }
        refused
    }

    pub(in crate::imap::command) fn is_left_out(self) -> bool {
        self == Self::LeftOut
    }
}

/// Whether the same search may succeed without a charset. Exchange says `NO [BADCHARSET
/// (US-ASCII)]`; a server that does not know CHARSET says BAD.
fn is_about_charset(error: &Error) -> bool {
    let Error::Refused { reply, usable: true, .. } = error else { return false };
    match reply.code() {
        Some(Code::BadCharset(_)) => true,
        Some(_) => false,
        None => {
            error.retry() == Retry::Never
                && (reply.status() == Status::Bad || reply.says("charset"))
        }
    }
}
