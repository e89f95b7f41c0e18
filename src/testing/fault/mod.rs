//! What can be made to go wrong.

mod lines;

use crate::endpoint::Protocol;

pub(super) use lines::{
    HVE_EXPIRED, HVE_EXPIRES_SOON, HVE_EXTERNAL, HVE_FOREIGN_FROM, HVE_FOREIGN_SENDER,
    HVE_PERMISSIONS, PROTOCOL_ERROR,
};

/// Something that goes wrong on purpose, where it goes wrong at the real services.
///
/// [`Server::inject`](super::Server::inject) lets it happen once, at the next occasion;
/// [`inject_always`](super::Server::inject_always) at each. The [module](super) says in a table what
/// a program sees of each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    // The connection.
    /// All three: the connection is closed before a word.
    ClosedBeforeGreeting,
    /// All three: the connection is taken, and nothing is ever said.
    Silence,
    /// All three: the greeting is a refusal, `421`, `* BYE` or `-ERR`, and the connection ends.
    GreetingRefused,
    /// All three: clear text on the port that has TLS from the start.
    ClearTextWhereTls,
    /// All three: TLS from the start on the port that has STARTTLS. Both sides then wait for the
    /// other, until the client's deadline for the greeting.
    TlsWhereClearText,
    /// All three: the certificate is for `mail.contoso.example`.
    CertificateForOtherName,
    /// All three: the certificate ended in 2001.
    CertificateExpired,
    /// All three: the certificate begins in 2999.
    CertificateNotYetValid,
    /// All three: the certificate is signed by another root.
    CertificateOfUnknownIssuer,
    /// All three: STARTTLS or STLS is not among the capabilities.
    StartTlsNotOffered,
    /// All three: STARTTLS or STLS is refused, in SMTP with `454 4.7.0`.
    StartTlsRefused,
    /// All three: after the go-ahead to STARTTLS or STLS a second line follows in the clear, as an
    /// attacker on the path would put it there.
    StartTlsInjection,
    /// All three: the mechanisms that carry tokens are not among the capabilities.
    MechanismNotOffered,

    // Logging in.
    /// All three: a good token is refused in the service's common words, as a wrong one is: IMAP
    /// off for the mailbox, a service principal with a wrong object id, and more.
    LoginRefused,
    /// All three: a refused token brings a JSON challenge first. Gmail does so by itself.
    JsonChallenge,
    /// All three: the same, with the challenge in Google's documents, which ends in a newline.
    JsonChallengeWithNewline,
    /// All three: the same, with this JSON.
    Challenge {
        /// The challenge, before base64.
        json: &'static str,
    },
    /// All three: `Auth=` with a capital letter, as Microsoft's sample for High Volume Email has
    /// it, is refused as malformed. It is taken otherwise.
    CapitalAuthRefused,
    /// IMAP: AUTHENTICATE with a good token is answered
    /// `NO User is authenticated but not connected`.
    NotConnected,
    /// IMAP: AUTHENTICATE succeeds, then the first command that needs the mailbox is answered
    /// `BAD User is authenticated but not connected.` and the connection ends. This is also what
    /// happens without any fault if the user may not open the mailbox.
    NotConnectedAfterLogin,
    /// IMAP: a login is refused, and `* BYE Connection is closed. 14` follows, as after several
    /// refusals.
    RefusedAndClosed,
    /// IMAP: LOGIN is answered `NO LOGIN failed.` in place of saying that passwords are off.
    PasswordRefused,
    /// IMAP and SMTP: Google wants the user in a browser: `* NO [WEBALERT …]` and `NO [ALERT] …`,
    /// or `534-5.7.14`.
    WebLoginRequired,
    /// IMAP: `NO [ALERT] Too many simultaneous connections. (Failure)`, as Gmail answers the
    /// sixteenth login.
    TooManyConnections,
    /// SMTP: AUTH is answered `535 5.7.139 … SmtpClientAuthentication is disabled for the Tenant`.
    SmtpAuthDisabledForTenant,
    /// SMTP: the same for the Mailbox.
    SmtpAuthDisabledForMailbox,
    /// SMTP: `535 5.7.139 … the organization configuration doesn't allow this authentication
    /// request`.
    AuthForbiddenByPolicy,
    /// SMTP: `535 5.7.139 … user is locked by your organization's security defaults policy`.
    LockedBySecurityDefaults,
    /// SMTP: AUTH is answered `454 4.7.0 Temporary authentication failure`.
    TemporaryAuthFailure,
    /// SMTP: an AUTH with its initial response on the line is answered
    /// `555-5.5.2 Syntax error, command line too long` and the connection ends. Gmail does so by
    /// itself for long tokens.
    OneLineAuth555,
    /// SMTP: `534-5.7.9 Application-specific password required`, as Google answers passwords.
    ApplicationPasswordRequired,
    /// SMTP: a malformed response, `501` and one of `5.5.121` to `5.5.126`. Which stands for what
    /// is documented for 124 only, the user's address.
    HveMalformed {
        /// The last number of the code: 121 to 126. Others are taken for the nearest.
        detail: u16,
    },
    /// SMTP: `501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.`
    HveInvalidAuthData,
    /// SMTP: `535 5.7.142`, the token will expire soon. High Volume Email does so by itself for the
    /// last ten minutes of a token.
    HveTokenExpiresSoon,
    /// SMTP: the same as the preview said it: `501 5.5.127 … Token will expire soon error`.
    HveTokenExpiresSoonPreview,
    /// SMTP: `535 5.7.143`, the token has expired. High Volume Email does so by itself, also at
    /// MAIL when the token ran out during the session.
    HveTokenExpired,
    /// SMTP: `535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions`. High Volume
    /// Email does so by itself to a [`Jwt`](super::Jwt) without `Mail.Send`.
    HveInvalidPermissions,
    /// SMTP: `550 5.7.240 The application is not allowed for use with this High Volume Email
    /// account`, in answer to AUTH.
    HveApplicationNotAllowed,
    /// SMTP: `550 5.2.240`, the login is no High Volume Email account, in answer to AUTH.
    HveNotAnAccount,
    /// POP3: AUTH is answered `-ERR [IN-USE] …`: the token is good, the maildrop is locked.
    PopInUse,
    /// POP3: AUTH is answered `-ERR [LOGIN-DELAY] …`.
    PopLoginDelay,
    /// POP3: AUTH is answered `-ERR [SYS/TEMP] …`.
    PopTemporaryFailure,
    /// POP3: AUTH is answered `-ERR [SYS/PERM] …`.
    PopPermanentFailure,
    /// POP3: AUTH is answered `-ERR Protocol error. Connection is closed. 10`, as after a token
    /// that is too long, and the connection ends.
    PopProtocolError,
    /// POP3: the login succeeds, and STAT is answered `-ERR`.
    PopNotOpened,

    // Sending.
    /// SMTP: MAIL is answered `550 5.7.60 … Client does not have permissions to send as this
    /// sender`. Exchange does so by itself for a sender that was not [allowed](super::Server::allow).
    SenderNotPermitted,
    /// SMTP: MAIL is answered `530 5.7.57 Client not authenticated to send mail`.
    NotAuthenticated,
    /// SMTP: MAIL is answered `503 5.5.2 Send hello first`.
    HelloWanted,
    /// SMTP: MAIL is answered `421 4.3.2 Service not active`, and the connection ends.
    ServiceNotActive,
    /// SMTP: MAIL is answered `451 4.7.0 Temporary server error. Please try again later.`
    TemporaryServerError,
    /// SMTP: RCPT is answered `550 5.5.105 External sending is not supported …`. High Volume Email
    /// does so by itself for domains other than that of the mailbox.
    HveExternalRecipient,
    /// SMTP: MAIL is answered `550 5.7.62`, the sender is not the account. High Volume Email does
    /// so by itself.
    HveForeignSender,
    /// SMTP: a message is answered `550 5.6.241`, its From is not its sender. High Volume Email
    /// does so by itself.
    HveForeignFrom,
    /// SMTP: a message is answered `554 5.2.252 SendAsDenied; …`. Exchange does so by itself for a
    /// From field that was not [allowed](super::Server::allow).
    SendAsDenied,
    /// SMTP: the same as it was said before: `554 5.2.0 STOREDRV.Submission.Exception:SendAsDenied…`.
    SendAsDeniedOlder,
    /// SMTP: a message is answered `550 5.2.252`: the sender is throttled after many refusals.
    SenderThrottled,
    /// SMTP: a message is answered `430 4.2.0 STOREDRV; mailbox logon failure; …`: the application
    /// may log in, and not open the mailbox. It passes only when somebody grants it.
    MailboxLogonFailure,
    /// SMTP: a message is answered `432 4.3.2 Concurrent connections limit exceeded` after its end,
    /// and not delivered.
    ConnectionLimit,
    /// SMTP: a message is answered `432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded.`
    SenderThreadLimit,
    /// SMTP: a message is answered `554 5.2.0 …SubmissionQuotaExceededException…`: so many
    /// recipients a day.
    SubmissionQuotaExceeded,
    /// SMTP: a message is answered `554 5.2.2 mailbox full; …QuotaExceededException…`: the sender's
    /// own mailbox, since a copy of the message goes there.
    MailboxFull,
    /// SMTP: a message is answered `550 5.1.8 Access denied, bad outbound sender`.
    OutboundSenderBlocked,
    /// SMTP: a message is delivered, and the connection ends instead of the reply to its end.
    DropAfterData,

    // A session under way.
    /// IMAP: the next command of a logged-in session is answered
    /// `BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds`. CAPABILITY, ID and
    /// LOGOUT are spared.
    Throttled,
    /// IMAP: the next command of a logged-in session is answered
    /// `* BYE Session invalidated - AccessTokenExpired`. Exchange does so by itself when the token
    /// ends. CAPABILITY, ID and LOGOUT are spared.
    AccessTokenExpired,
    /// IMAP: the next command of a logged-in session is answered `* BYE Connection is closed.` and
    /// this number: 10 for an error in the protocol or too many connections, 13 for doing nothing
    /// for too long, 14 after failures, 15 for TLS. CAPABILITY, ID and LOGOUT are spared.
    ConnectionClosed {
        /// The number.
        code: u8,
    },
    /// IMAP: the connection ends in the middle of IDLE, without a word.
    DropInIdle,
    /// The next command `verb` is not carried out but answered with `reply`. An IMAP reply begins
    /// with `NO` or `BAD`, the tag goes before it. `verb` is in capitals; UID is no part of it. In
    /// SMTP, `.` is the end of a message sent by DATA, which is then not delivered. If the reply
    /// begins with `* BYE` or `421`, or is empty, the connection ends after it.
    Reply {
        /// Where.
        protocol: Protocol,
        /// Which command.
        verb: &'static str,
        /// What is answered, without the line end.
        reply: &'static str,
    },
}

/// The faults waiting for their occasion.
#[derive(Default)]
pub(super) struct Faults(Vec<Armed>);

struct Armed {
    fault: Fault,
    once: bool,
}

impl Faults {
    pub(super) fn arm(&mut self, fault: Fault, once: bool) {
        self.0.push(Armed { fault, once });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The oldest fault whose occasion this is. One that was to happen once is then gone.
    pub(super) fn strike<T>(&mut self, occasion: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let (at, struck) = self
            .0
            .iter()
            .enumerate()
            .find_map(|(at, armed)| occasion(&armed.fault).map(|struck| (at, struck)))?;
        if self.0.get(at).is_some_and(|armed| armed.once) {
            self.0.remove(at);
        }
        Some(struck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(fault: &Fault) -> Option<()> {
        (*fault == Fault::Throttled).then_some(())
    }

    #[test]
    fn a_fault_armed_once_strikes_once() {
        let mut faults = Faults::default();
        faults.arm(Fault::NotConnected, true);
        faults.arm(Fault::Throttled, true);
        assert!(faults.strike(throttled).is_some());
        assert!(faults.strike(throttled).is_none());
        assert!(faults.strike(|fault| (*fault == Fault::NotConnected).then_some(())).is_some());
    }

    #[test]
    fn a_fault_armed_for_ever_strikes_until_it_is_cleared() {
        let mut faults = Faults::default();
        faults.arm(Fault::Throttled, false);
        assert!(faults.strike(throttled).is_some() && faults.strike(throttled).is_some());
        faults.clear();
        assert!(faults.strike(throttled).is_none());
    }
}
