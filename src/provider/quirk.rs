//! How services differ from what the protocols say.

/// A habit of a service that a program may have to reckon with. The clients of this crate know how
/// to live with all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quirk {
    /// POP3: an AUTH line with an initial response ends the connection with a protocol error.
    OneLineAuthEndsPop,
    /// SMTP: an AUTH line of more than about a thousand octets ends the connection (`555 5.5.2`).
    LongAuthLineEndsSmtp,
    /// POP3: a token of more than 4,096 characters ends the connection with a protocol error.
    LongTokenEndsPop,
    /// IMAP: AUTHENTICATE can be answered OK although the mailbox is not open; the next command is
    /// then refused as `not connected`.
    OkWithoutMailbox,
    /// IMAP: a session ends when the token that opened it does.
    SessionEndsWithToken,
    /// SMTP: tokens near their end are refused; the least lifetime is the profile's.
    RefusesTokensNearTheirEnd,
    /// Refusals carry no JSON challenge, so the reason must be read from the token's claims.
    RefusesWithoutReason,
    /// Access tokens are opaque: they have no claims to look at.
    OpaqueTokens,
    /// The token mechanisms are offered, and no password is taken.
    NoPasswords,
    /// SMTP submission can be switched off for an organisation or a mailbox, and then refuses
    /// tokens, too.
    SubmissionCanBeOff,
    /// What is sent by SMTP lies in the folder of sent messages by itself: a copy appended by the
    /// program would be the second.
    KeepsSentMessages,
    /// SMTP: the right to send as an address is looked at again after the message, in its From
    /// field.
    SenderCheckedAfterData,
    /// SMTP: every recipient must be inside the sender's organisation.
    InternalRecipientsOnly,
    /// The Message-ID of what is submitted is replaced.
    RewritesMessageId,
    /// IMAP: custom keywords are taken without complaint, and not stored.
    ForgetsKeywords,
    /// IMAP: `IMAP4rev2` is offered to some tenants, and does not work.
    BrokenRev2,
    /// IMAP: a folder is a label, so one message can be in several folders.
    FoldersAreLabels,
    /// POP3: messages that were read are gone at QUIT, or hidden, by the user's settings.
    PopFollowsSettings,
    /// IMAP: no IDLE.
    NoIdle,
    /// IMAP: command lines of more than 1,000 octets are refused.
    ShortCommandLines,
    /// IMAP: a SEARCH with RETURN is answered by the old SEARCH response.
    SearchWithoutEsearch,
    /// The device code grant is not allowed for mail.
    NoDeviceCodeForMail,
    /// New applications are not given the scope for mail.
    ClosedToNewApplications,
    /// PKCE is required, and a client secret is not used.
    PkceRequired,
}

impl Quirk {
    /// What it is, in one sentence.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::OneLineAuthEndsPop => {
                "POP3 ends the connection on an AUTH line that carries the initial response"
            }
            Self::LongAuthLineEndsSmtp => "SMTP ends the connection on a long AUTH line",
            Self::LongTokenEndsPop => {
                "POP3 ends the connection on a token of more than 4,096 characters"
            }
            Self::OkWithoutMailbox => {
                "IMAP may accept a login and refuse the next command as not connected"
            }
            Self::SessionEndsWithToken => "an IMAP session ends when its token expires",
            Self::RefusesTokensNearTheirEnd => "a token that expires soon is refused",
            Self::RefusesWithoutReason => "a refused login brings no machine-readable reason",
            Self::OpaqueTokens => "access tokens are opaque and have no claims to look at",
            Self::NoPasswords => "passwords are not taken, only tokens",
            Self::SubmissionCanBeOff => {
                "SMTP submission can be off for an organisation or a mailbox, for tokens, too"
            }
            Self::KeepsSentMessages => "sent messages are put into the Sent folder by the service",
            Self::SenderCheckedAfterData => {
                "the right to send as the From address is checked after the message"
            }
            Self::InternalRecipientsOnly => "recipients must be inside the organisation",
            Self::RewritesMessageId => "the Message-ID of submitted messages is replaced",
            Self::ForgetsKeywords => "custom IMAP keywords are accepted and forgotten",
            Self::BrokenRev2 => "IMAP4rev2 is offered to some tenants and does not work",
            Self::FoldersAreLabels => "folders are labels, so a message can be in several",
            Self::PopFollowsSettings => {
                "what POP3 shows and keeps depends on settings of the mailbox"
            }
            Self::NoIdle => "IMAP has no IDLE",
            Self::ShortCommandLines => "IMAP command lines may have 1,000 octets at most",
            Self::SearchWithoutEsearch => "a SEARCH with RETURN is answered in the old form",
            Self::NoDeviceCodeForMail => "the device code grant is not allowed for mail",
            Self::ClosedToNewApplications => "new applications are not given the scope for mail",
            Self::PkceRequired => "PKCE is required and a client secret is not used",
        }
    }
}
