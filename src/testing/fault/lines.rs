//! What the services say where a fault strikes.
//!
//! The words are those seen on the wire. Where only a code is documented, as for some of High Volume
//! Email, the words after it are ours.

use super::Fault;

// The codes are documented, the words after them are not known exactly.
pub(in super::super) const HVE_EXPIRES_SOON: &str =
    "535 5.7.142 XOAUTH2 authentication failed. Token will expire soon";
pub(in super::super) const HVE_EXPIRED: &str =
    "535 5.7.143 XOAUTH2 authentication failed. Token has expired";
pub(in super::super) const HVE_PERMISSIONS: &str =
    "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions";

/// What Exchange's POP3 says before it hangs up on what it does not understand.
pub(in super::super) const PROTOCOL_ERROR: &str = "-ERR Protocol error. Connection is closed. 10";

impl Fault {
    /// The SMTP reply of those faults that are a reply to AUTH.
    pub(in super::super) const fn smtp_auth_reply(&self) -> Option<&'static str> {
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
            Self::AuthForbiddenByPolicy => {
                "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't \
                 allow this authentication request. Contact your administrator. \
                 [SN2PR00CA0018.namprd00.prod.outlook.com]"
            }
            Self::LockedBySecurityDefaults => {
                "535 5.7.139 Authentication unsuccessful, user is locked by your organization's \
                 security defaults policy. Contact your administrator. \
                 [SN2PR00CA0018.namprd00.prod.outlook.com]"
            }
            Self::TemporaryAuthFailure => "454 4.7.0 Temporary authentication failure",
            Self::ApplicationPasswordRequired => {
                "534-5.7.9 Application-specific password required. For more information, go to\r\n\
                 534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp"
            }
            Self::WebLoginRequired => {
                "534-5.7.14 Please log in with your web browser and then try again. For more\r\n\
                 534-5.7.14 information, go to\r\n\
                 534 5.7.14  https://support.google.com/mail/?p=WebLoginRequired - gsmtp"
            }
            Self::HveMalformed { detail: 0..=121 } => "501 5.5.121 Invalid XOAUTH2 argument",
            Self::HveMalformed { detail: 122 } => {
                "501 5.5.122 Invalid XOAUTH2 auth data - Base64 decoding failed."
            }
            Self::HveMalformed { detail: 123 } => {
                "501 5.5.123 Invalid XOAUTH2 auth data - User address is missing."
            }
            Self::HveInvalidAuthData | Self::HveMalformed { detail: 124 } => {
                "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid."
            }
            Self::HveMalformed { detail: 125 } => {
                "501 5.5.125 Invalid XOAUTH2 auth data - Auth is missing."
            }
            Self::HveMalformed { .. } => {
                "501 5.5.126 Invalid XOAUTH2 auth data - Bearer token is missing."
            }
            Self::HveTokenExpiresSoon => HVE_EXPIRES_SOON,
            Self::HveTokenExpiresSoonPreview => {
                "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon error"
            }
            Self::HveTokenExpired => HVE_EXPIRED,
            Self::HveInvalidPermissions => HVE_PERMISSIONS,
            Self::HveApplicationNotAllowed => {
                "550 5.7.240 The application is not allowed for use with this High Volume Email \
                 account"
            }
            Self::HveNotAnAccount => "550 5.2.240 The account is not enabled for High Volume Email",
            _ => return None,
        })
    }

    /// The reply to MAIL.
    pub(in super::super) const fn mail_reply(&self) -> Option<&'static str> {
        Some(match self {
            Self::SenderNotPermitted => {
                "550 5.7.60 SMTP; Client does not have permissions to send as this sender \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::NotAuthenticated => {
                "530 5.7.57 Client not authenticated to send mail. \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::HelloWanted => "503 5.5.2 Send hello first",
            Self::ServiceNotActive => "421 4.3.2 Service not active",
            Self::TemporaryServerError => {
                "451 4.7.0 Temporary server error. Please try again later. PRX2"
            }
            Self::HveForeignSender => HVE_FOREIGN_SENDER,
            _ => return None,
        })
    }

    /// The reply to RCPT.
    pub(in super::super) const fn rcpt_reply(&self) -> Option<&'static str> {
        match self {
            Self::HveExternalRecipient => Some(HVE_EXTERNAL),
            _ => None,
        }
    }

    /// The reply to a whole message, which is then not delivered.
    pub(in super::super) const fn message_reply(&self) -> Option<&'static str> {
        Some(match self {
            Self::ConnectionLimit => {
                "432 4.3.2 Concurrent connections limit exceeded. Visit \
                 https://aka.ms/concurrent_sending for more information. \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::SenderThreadLimit => {
                "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded. \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::SendAsDenied => {
                "554 5.2.252 SendAsDenied; billing@contoso.example not allowed to send as \
                 boss@contoso.example; STOREDRV.Submission.Exception:SendAsDeniedException.\
                 MapiExceptionSendAsDenied; Failed to process message due to a permanent exception \
                 with message [BeginDiagnosticData]Cannot submit message. \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::SendAsDeniedOlder => {
                "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.\
                 MapiExceptionSendAsDenied; Failed to process message due to a permanent exception \
                 with message Cannot submit message. \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::SenderThrottled => {
                "550 5.2.252 Sender throttled after too many denied messages \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::MailboxLogonFailure => {
                "430 4.2.0 STOREDRV; mailbox logon failure; server: \
                 TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM; exception: MapiExceptionLogonFailed \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::SubmissionQuotaExceeded => {
                "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed \
                 to process message due to a permanent exception with message The message can't be \
                 submitted because the sender's submission quota was exceeded. \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::MailboxFull => {
                "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.\
                 MapiExceptionShutoffQuotaExceeded; Failed to process message due to a permanent \
                 exception with message Cannot submit message. \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::OutboundSenderBlocked => {
                "550 5.1.8 Access denied, bad outbound sender AS(42004) \
                 [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]"
            }
            Self::HveForeignFrom => HVE_FOREIGN_FROM,
            _ => return None,
        })
    }

    /// The tagged reply to AUTHENTICATE without its tag, after an untagged line if there is one.
    pub(in super::super) const fn imap_auth_reply(
        &self,
    ) -> Option<(Option<&'static str>, &'static str)> {
        Some(match self {
            Self::NotConnected => (None, "NO User is authenticated but not connected"),
            Self::WebLoginRequired => (
                Some(
                    "* NO [WEBALERT https://accounts.google.com/signin/continue] Web login \
                     required.",
                ),
                "NO [ALERT] Please log in via your web browser: \
                 https://support.google.com/mail/accounts/answer/78754 (Failure)",
            ),
            Self::TooManyConnections => {
                (None, "NO [ALERT] Too many simultaneous connections. (Failure)")
            }
            _ => return None,
        })
    }

    /// The farewell that the next command of an IMAP session is answered with.
    pub(in super::super) fn imap_farewell(&self) -> Option<String> {
        match self {
            Self::AccessTokenExpired => {
                Some("* BYE Session invalidated - AccessTokenExpired".to_owned())
            }
            Self::ConnectionClosed { code } => Some(format!("* BYE Connection is closed. {code}")),
            _ => None,
        }
    }

    /// The POP3 reply to AUTH.
    pub(in super::super) const fn pop_auth_reply(&self) -> Option<&'static str> {
        Some(match self {
            Self::PopInUse => "-ERR [IN-USE] Mailbox is locked by another session.",
            Self::PopLoginDelay => "-ERR [LOGIN-DELAY] Minimum time between logins is 300 seconds.",
            Self::PopTemporaryFailure => "-ERR [SYS/TEMP] Server busy, try again later.",
            Self::PopPermanentFailure => "-ERR [SYS/PERM] The mailbox cannot be opened.",
            Self::PopProtocolError => PROTOCOL_ERROR,
            _ => return None,
        })
    }

    /// The JSON sent ahead of a refusal.
    pub(in super::super) const fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::JsonChallenge => Some(super::super::service::JSON_CHALLENGE),
            Self::JsonChallengeWithNewline => {
                // As the base64 on Google's page decodes.
                Some(
                    "{\"status\":\"401\",\"schemes\":\"bearer mac\",\
                      \"scope\":\"https://mail.google.com/\"}\n",
                )
            }
            Self::Challenge { json } => Some(json),
            _ => None,
        }
    }
}

// The codes are known from Postfix Entra Relay and from a blog; of the words, those of 5.5.105.
pub(in super::super) const HVE_EXTERNAL: &str =
    "550 5.5.105 External sending is not supported for High Volume Email accounts";
pub(in super::super) const HVE_FOREIGN_SENDER: &str =
    "550 5.7.62 The sender address must be that of the High Volume Email account";
pub(in super::super) const HVE_FOREIGN_FROM: &str =
    "550 5.6.241 The From header must be the same as the envelope sender";
