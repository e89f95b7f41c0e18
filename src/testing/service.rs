//! What differs from one mail service to the next: its lines, and a few habits.
//!
//! The lines are those seen on the wire, so that a program which recognises a service by its words
//! recognises this one. In the capability lists of Gmail what this server does not do is left out.

use crate::Profile;
use crate::provider::{gmail, hve, microsoft365, outlook};

/// The mail service to behave like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Service {
    /// Microsoft 365, as at `outlook.office365.com` and `smtp.office365.com`.
    #[default]
    ExchangeOnline,
    /// Personal Microsoft accounts. The servers are those of Exchange Online.
    OutlookCom,
    /// High Volume Email for Microsoft 365: SMTP with its own refusals, tokens wanted that live at
    /// least ten minutes more, the account itself as the sender, 50 recipients, all in its domain.
    /// It has no IMAP or POP3; here these answer as Exchange Online.
    HighVolumeEmail,
    /// Gmail: a JSON challenge ahead of each refusal, OAUTHBEARER, capabilities with the IMAP
    /// login, one-line AUTH in POP3, sessions that outlive their tokens. Its tokens are opaque: the
    /// claims of a [`Jwt`](super::Jwt) are not looked at.
    Gmail,
}

/// How the servers of Exchange Online speak: they change, and not all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Variant {
    /// As most tenants see it in 2026: IMAP has `LOGINDISABLED`.
    #[default]
    Current,
    /// As until 2025: IMAP offers `AUTH=PLAIN` before the login, which is refused.
    Until2025,
    /// As some tenants see it since September 2026: other greetings
    /// (`Microsoft Exchange IMAP4 service ready. … (tcpproxy/…)`), and IMAP4rev2 behind ENABLE, in
    /// which SEARCH and LSUB fail.
    TcpProxy,
    /// As most, with all that may be in any case in lower case: `* ok`, `auth=xoauth2`,
    /// `250-auth xoauth2`. Any of the services can have it.
    LowerCase,
}

impl Service {
    /// Whether Exchange Online answers.
    pub(super) const fn is_exchange(self) -> bool {
        matches!(self, Self::ExchangeOnline | Self::OutlookCom | Self::HighVolumeEmail)
    }

    pub(super) const fn lines(self) -> &'static Lines {
        match self {
            Self::ExchangeOnline | Self::OutlookCom => &EXCHANGE,
            Self::HighVolumeEmail => &HIGH_VOLUME,
            Self::Gmail => &GMAIL,
        }
    }

    /// What a client of the real service knows about it.
    pub(super) const fn profile(self) -> Profile {
        match self {
            Self::ExchangeOnline => microsoft365::profile(),
            Self::OutlookCom => outlook::profile(),
            Self::HighVolumeEmail => hve::profile(),
            Self::Gmail => gmail::profile(),
        }
    }
}

/// Everything that depends on the service, as data. `{date}` is filled in.
pub(super) struct Lines {
    pub(super) smtp: SmtpLines,
    pub(super) imap: ImapLines,
    pub(super) pop: PopLines,
    /// The JSON sent as a challenge ahead of a refusal.
    pub(super) challenge: Option<&'static str>,
    /// Whether OAUTHBEARER is taken besides XOAUTH2.
    pub(super) oauthbearer: bool,
}

/// Where STARTTLS stands in the clear, and AUTH under TLS.
pub(super) const SECURITY: &str = "{security}";

pub(super) struct SmtpLines {
    pub(super) greeting: &'static str,
    pub(super) hello: &'static str,
    /// The extensions in their order, with [`SECURITY`] among them.
    pub(super) extensions: &'static [&'static str],
    pub(super) auth: &'static str,
    /// The longest message, as SIZE announces it.
    pub(super) size: usize,
    pub(super) ready_for_tls: &'static str,
    pub(super) authenticated: &'static str,
    pub(super) refused: &'static str,
    pub(super) bye: &'static str,
    /// The longest AUTH line taken; a longer one ends the connection.
    pub(super) auth_line_limit: usize,
    pub(super) not_authenticated: &'static str,
    pub(super) sender_ok: &'static str,
    pub(super) recipient_ok: &'static str,
    pub(super) go_ahead: &'static str,
    /// The reply to a message; `{id}` is filled in.
    pub(super) delivered: &'static str,
    /// How many recipients a message may have.
    pub(super) recipients: usize,
    /// Whether a sender other than the mailbox needs a right.
    pub(super) checks_sender: bool,
    /// Whether malformed credentials and tokens near their end have refusals of their own.
    pub(super) high_volume: bool,
}

pub(super) struct ImapLines {
    pub(super) greeting: &'static str,
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    pub(super) capability_done: &'static str,
    /// Whether the login brings an untagged CAPABILITY.
    pub(super) capability_at_login: bool,
    pub(super) authenticated: &'static str,
    pub(super) refused: &'static str,
    pub(super) login_refused: &'static str,
    pub(super) bye: &'static str,
    /// What the server says of itself (RFC 2971).
    pub(super) id: &'static str,
    /// Whether a session ends with the token that opened it.
    pub(super) ends_with_token: bool,
}

pub(super) struct PopLines {
    pub(super) greeting: &'static str,
    pub(super) before: &'static [&'static str],
    pub(super) after: &'static [&'static str],
    pub(super) authenticated: &'static str,
    pub(super) refused: &'static str,
    pub(super) bye: &'static str,
    /// Whether AUTH takes an initial response. Exchange closes the connection.
    pub(super) one_line_auth: bool,
    /// The longest token taken. Exchange closes the connection on a longer one.
    pub(super) token_limit: usize,
}

const EXCHANGE: Lines = Lines {
    smtp: SmtpLines {
        greeting: "220 TYCP286CA0192.outlook.office365.com Microsoft ESMTP MAIL Service ready at \
                   {date}",
        hello: "TYCP286CA0192.outlook.office365.com Hello [127.0.0.1]",
        extensions: &[
            "SIZE 157286400",
            "PIPELINING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            SECURITY,
            "8BITMIME",
            "BINARYMIME",
            "CHUNKING",
            "SMTPUTF8",
        ],
        auth: "AUTH LOGIN XOAUTH2",
        size: 157_286_400,
        ready_for_tls: "220 2.0.0 SMTP server ready",
        authenticated: "235 2.7.0 Authentication successful",
        refused: "535 5.7.3 Authentication unsuccessful \
                  [SN2PR00CA0018.namprd00.prod.outlook.com]",
        bye: "221 2.0.0 Service closing transmission channel",
        // RFC 4954 section 4 says 512, but nodemailer logs in with whole tokens on the line.
        auth_line_limit: super::line_io::LINE_LIMIT,
        not_authenticated: "530 5.7.57 Client not authenticated to send mail. \
                            [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]",
        sender_ok: "250 2.1.0 Sender OK",
        recipient_ok: "250 2.1.5 Recipient OK",
        go_ahead: "354 Start mail input; end with <CRLF>.<CRLF>",
        delivered: "250 2.0.0 OK {id} [Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]",
        recipients: 500,
        checks_sender: true,
        high_volume: false,
    },
    imap: ImapLines {
        // The bracket is no response code: it is the name of the front end, in UTF-16 and base64.
        greeting: "* OK The Microsoft Exchange IMAP4 service is ready. [TQBXAEgAUABSADIAMQBDAEEAM\
                   AAwADYAMAAuAG4AYQBtAHAAcgBkADIAMQAuAHAAcgBvAGQALgBvAHUAdABsAG8AbwBrAC4AYwBvAG0A\
                   ]",
        before: "IMAP4 IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED SASL-IR UIDPLUS MOVE ID UNSELECT \
                 CHILDREN IDLE NAMESPACE LITERAL+",
        after: "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT \
                CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE \
                NAMESPACE LITERAL+",
        capability_done: "OK CAPABILITY completed.",
        capability_at_login: false,
        authenticated: "OK AUTHENTICATE completed.",
        refused: "NO AUTHENTICATE failed.",
        login_refused: "NO Basic authentication is disabled.",
        bye: "* BYE Microsoft Exchange Server IMAP4 server signing off.",
        id: r#"("name" "Microsoft.Exchange.Imap4.Imap4Server" "version" "15.20")"#,
        ends_with_token: true,
    },
    pop: PopLines {
        greeting: "+OK The Microsoft Exchange POP3 service is ready. [TQBXAEgAUABSADIAMQBDAEEAMAA\
                   wADYAMAAuAG4AYQBtAHAAcgBkADIAMQAuAHAAcgBvAGQALgBvAHUAdABsAG8AbwBrAC4AYwBvAG0A]",
        before: &["TOP", "UIDL", "SASL PLAIN XOAUTH2", "USER"],
        after: &["TOP", "UIDL", "SASL PLAIN XOAUTH2", "USER"],
        authenticated: "+OK User successfully authenticated.",
        refused: "-ERR Authentication failure: unknown user name or bad password.",
        bye: "+OK Microsoft Exchange Server POP3 server signing off.",
        one_line_auth: false,
        token_limit: 4096,
    },
    challenge: None,
    oauthbearer: false,
};

const HIGH_VOLUME: Lines = Lines {
    smtp: SmtpLines {
        // The list is not known; what is different is the size.
        extensions: &[
            "SIZE 10485760",
            "PIPELINING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            SECURITY,
            "8BITMIME",
            "BINARYMIME",
            "CHUNKING",
            "SMTPUTF8",
        ],
        size: 10_485_760,
        refused: "535 5.7.3 Authentication unsuccessful",
        recipients: 50,
        checks_sender: false,
        high_volume: true,
        ..EXCHANGE.smtp
    },
    ..EXCHANGE
};

const GMAIL: Lines = Lines {
    smtp: SmtpLines {
        greeting: "220 smtp.gmail.com ESMTP g191mb175416382wmg.33 - gsmtp",
        hello: "smtp.gmail.com at your service, [127.0.0.1]",
        extensions: &[
            "SIZE 35882577",
            "8BITMIME",
            SECURITY,
            "ENHANCEDSTATUSCODES",
            "PIPELINING",
            "CHUNKING",
            "SMTPUTF8",
        ],
        auth: "AUTH LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH",
        size: 35_882_577,
        ready_for_tls: "220 2.0.0 Ready to start TLS",
        authenticated: "235 2.7.0 Accepted",
        refused: "535-5.7.8 Username and Password not accepted. For more information, go to\r\n\
                  535 5.7.8  https://support.google.com/mail/?p=BadCredentials \
                  g191mb175416382wmg.33 - gsmtp",
        bye: "221 2.0.0 closing connection g191mb175416382wmg.33 - gsmtp",
        // Tokens of more than 697 characters were refused on one line.
        auth_line_limit: 1000,
        not_authenticated: "530-5.7.0 Authentication Required. For more information, go to\r\n\
                            530 5.7.0  https://support.google.com/mail/?p=WantAuthError \
                            g191mb175416382wmg.33 - gsmtp",
        sender_ok: "250 2.1.0 OK g191mb175416382wmg.33 - gsmtp",
        recipient_ok: "250 2.1.5 OK g191mb175416382wmg.33 - gsmtp",
        go_ahead: "354 Go ahead g191mb175416382wmg.33 - gsmtp",
        delivered: "250 2.0.0 OK {id} g191mb175416382wmg.33 - gsmtp",
        recipients: 100,
        checks_sender: false,
        high_volume: false,
    },
    imap: ImapLines {
        greeting: "* OK Gimap ready for requests from 127.0.0.1 g191mb175416382wmg",
        before: "IMAP4rev1 UNSELECT IDLE NAMESPACE ID CHILDREN SASL-IR AUTH=XOAUTH2 AUTH=PLAIN \
                 AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER AUTH=XOAUTH",
        after: "IMAP4rev1 UNSELECT IDLE NAMESPACE ID CHILDREN UIDPLUS MOVE LITERAL- SPECIAL-USE \
                APPENDLIMIT=35651584",
        capability_done: "OK Thats all she wrote! g191mb175416382wmg",
        capability_at_login: true,
        authenticated: "OK user authenticated (Success)",
        refused: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        login_refused: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        bye: "* BYE LOGOUT Requested",
        id: r#"("name" "GImap" "vendor" "Google, Inc." "support-url" "https://support.google.com/mail")"#,
        ends_with_token: false,
    },
    pop: PopLines {
        greeting: "+OK Gpop ready for requests from 127.0.0.1 g191mb175416382wmg",
        before: &[
            "USER",
            "RESP-CODES",
            "EXPIRE 0",
            "LOGIN-DELAY 300",
            "TOP",
            "UIDL",
            "X-GOOGLE-RICO",
            "SASL PLAIN XOAUTH2 OAUTHBEARER",
        ],
        after: &[
            "USER",
            "RESP-CODES",
            "EXPIRE 0",
            "LOGIN-DELAY 300",
            "TOP",
            "UIDL",
            "X-GOOGLE-RICO",
            "PIPELINING",
        ],
        authenticated: "+OK Welcome.",
        refused: "-ERR [AUTH] Invalid credentials.",
        bye: "+OK Farewell.",
        one_line_auth: true,
        token_limit: usize::MAX,
    },
    challenge: Some(JSON_CHALLENGE),
    oauthbearer: true,
};

/// Gmail's error challenge.
pub(super) const JSON_CHALLENGE: &str =
    r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;

/// The greetings and capabilities of [`Variant::TcpProxy`] and [`Variant::Until2025`].
pub(super) const PROXY_IMAP_GREETING: &str = "* OK Microsoft Exchange IMAP4 service ready. 5f3c2f3e-7c8d-4a52-9c1b-2f5d1f0a9b11 \
     (tcpproxy/15.21.0406.000 BACKENDAUTHENTICATE) \
     [TQBXAEgAUABSADIAMQBDAEEAMAAwADYAMAAuAG4AYQBtAHAAcgBkADIAMQAuAHAAcgBvAGQALgBvAHUAdABsAG8AbwBrAC4\
     AYwBvAG0A]";
pub(super) const PROXY_POP_GREETING: &str = "+OK Microsoft Exchange POP3 server ready (tcpproxy/15.20.9137.005). \
     [TQBXAEgAUABSADIAMQBDAEEAMAAwADYAMAAuAG4AYQBtAHAAcgBkADIAMQAuAHAAcgBvAGQALgBvAHUAdABsAG8AbwBrAC4\
     AYwBvAG0A]";
pub(super) const PROXY_IMAP_AFTER: &str = "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT ENABLE IMAP4rev2 \
     CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE BACKENDAUTHENTICATE-IR \
     CHILDREN IDLE NAMESPACE LITERAL+";
pub(super) const IMAP_BEFORE_2025: &str = "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE NAMESPACE \
     LITERAL+";
