//! How a mailbox that is not the user's own is opened.

/// How a mailbox that belongs to several, or to another, is opened by one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SharedMailbox {
    /// Name its address at connect, with the token of a user, or of an application, that has access
    /// to it: the shared address stands in `user=`, the token says who asks.
    Named,
    /// Either so, or log in as the delegate, under the delegate's own address, and send with the
    /// shared address in MAIL FROM and From. Both need the right to send as it.
    NamedOrSendAs,
    /// There is no such thing: a token opens the mailbox of its own account.
    None,
    /// Not known.
    #[default]
    Unknown,
}
