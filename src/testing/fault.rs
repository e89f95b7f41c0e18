//! What can be made to go wrong.

use crate::endpoint::Protocol;

/// Something that goes wrong on purpose, where it goes wrong at the real services.
///
/// [`Server::inject`](super::Server::inject) lets it happen once, at the next occasion;
/// [`inject_always`](super::Server::inject_always) at each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// IMAP: the next command of a logged-in session is answered
    /// `BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds`. CAPABILITY, ID and
    /// LOGOUT are spared.
    Throttled,
    /// IMAP: AUTHENTICATE with a good token is answered
    /// `NO User is authenticated but not connected`.
    NotConnected,
    /// IMAP: AUTHENTICATE succeeds, then the first command that needs the mailbox is answered
    /// `BAD User is authenticated but not connected.` and the connection ends. This is also what
    /// happens without any fault if the user may not open the mailbox.
    NotConnectedAfterLogin,
    /// SMTP: AUTH is answered `535 5.7.139 … SmtpClientAuthentication is disabled for the Tenant`.
    SmtpAuthDisabledForTenant,
    /// SMTP: the same for the Mailbox.
    SmtpAuthDisabledForMailbox,
    /// SMTP: a message is answered `432 4.3.2 Concurrent connections limit exceeded` after its end,
    /// and not delivered.
    ConnectionLimit,
    /// SMTP: AUTH is answered `454 4.7.0 Temporary authentication failure`.
    TemporaryAuthFailure,
    /// SMTP: a message is delivered, and the connection ends instead of the reply to its end.
    DropAfterData,
    /// All three: after the go-ahead to STARTTLS or STLS a second line follows in the clear, as an
    /// attacker on the path would put it there.
    StartTlsInjection,
    /// SMTP: an AUTH with its initial response on the line is answered
    /// `555-5.5.2 Syntax error, command line too long` and the connection ends. Gmail does so by
    /// itself for long tokens.
    OneLineAuth555,
    /// All three: a refused token brings a JSON challenge first. Gmail does so by itself.
    JsonChallenge,
    /// SMTP: `501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.`
    HveInvalidAuthData,
    /// SMTP: `535 5.7.142`, the token will expire soon. High Volume Email does so by itself for the
    /// last ten minutes of a token.
    HveTokenExpiresSoon,
    /// SMTP: `535 5.7.143`, the token has expired. High Volume Email does so by itself, also at
    /// MAIL when the token ran out during the session.
    HveTokenExpired,
    /// SMTP: `535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions`.
    HveInvalidPermissions,
    /// SMTP: `550 5.7.240 The application is not allowed for use with this High Volume Email
    /// account`, in answer to AUTH.
    HveApplicationNotAllowed,
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

impl Fault {
    /// The SMTP reply of those faults that are a reply to AUTH.
    pub(super) const fn auth_reply(&self) -> Option<&'static str> {
        Some(match self {
            Self::SmtpAuthDisabledForTenant => {
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for \
                 the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. \
                 [SN2PR00CA0018.namprd00.prod.outlook.com]"
            }
            Self::SmtpAuthDisabledForMailbox => {
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for \
                 the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information. \
                 [SN2PR00CA0018.namprd00.prod.outlook.com]"
            }
            Self::TemporaryAuthFailure => "454 4.7.0 Temporary authentication failure",
            Self::HveInvalidAuthData => {
                "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid."
            }
            Self::HveTokenExpiresSoon => HVE_EXPIRES_SOON,
            Self::HveTokenExpired => HVE_EXPIRED,
            Self::HveInvalidPermissions => {
                "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions"
            }
            Self::HveApplicationNotAllowed => {
                "550 5.7.240 The application is not allowed for use with this High Volume Email \
                 account"
            }
            _ => return None,
        })
    }
}

// The codes are documented, the words after them are not known exactly.
pub(super) const HVE_EXPIRES_SOON: &str =
    "535 5.7.142 XOAUTH2 authentication failed. Token will expire soon";
pub(super) const HVE_EXPIRED: &str = "535 5.7.143 XOAUTH2 authentication failed. Token has expired";

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
