//! What a service allows.

use std::time::Duration;

use crate::Protocol;

/// What a service allows, as far as its owner says so. `None` is no limit, or none that is known.
///
/// Nothing here is enforced: a program that sends much paces itself by it. Change what is otherwise
/// in your tenant and hand it to [`Profile::with_service_limits`](crate::Profile::with_service_limits).
///
/// ```
/// use mailbearer::{Protocol, provider::microsoft365};
///
/// let limits = microsoft365::profile().service_limits();
/// assert_eq!(limits.connections(Protocol::Smtp), Some(3));
/// assert_eq!(limits.messages_per_minute(), Some(30));
/// // This administrator has raised the limit.
/// let ours = limits.with_recipients_per_message(Some(1_000));
/// assert_eq!(ours.recipients_per_message(), Some(1_000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceLimits {
    connections: [Option<u32>; 3],
    messages_per_minute: Option<u32>,
    messages_per_day: Option<u32>,
    recipients_per_day: Option<u32>,
    recipients_per_message: Option<u32>,
    message_size: Option<u64>,
    download_per_day: [Option<u64>; 3],
    upload_per_day: Option<u64>,
    login_delay: Option<Duration>,
}

impl ServiceLimits {
    /// No limit that is known.
    pub const fn unknown() -> Self {
        Self {
            connections: [None; 3],
            messages_per_minute: None,
            messages_per_day: None,
            recipients_per_day: None,
            recipients_per_message: None,
            message_size: None,
            download_per_day: [None; 3],
            upload_per_day: None,
            login_delay: None,
        }
    }

    /// How many connections one mailbox may have open at a time by this protocol.
    pub const fn connections(&self, protocol: Protocol) -> Option<u32> {
        self.connections[protocol.index()]
    }

    /// How many messages one mailbox may send in a minute.
    pub const fn messages_per_minute(&self) -> Option<u32> {
        self.messages_per_minute
    }

    /// How many messages one mailbox may send in 24 hours.
    pub const fn messages_per_day(&self) -> Option<u32> {
        self.messages_per_day
    }

    /// How many recipients the messages of one mailbox may have in 24 hours, all together.
    pub const fn recipients_per_day(&self) -> Option<u32> {
        self.recipients_per_day
    }

    /// How many recipients one message may have.
    pub const fn recipients_per_message(&self) -> Option<u32> {
        self.recipients_per_message
    }

    /// How many octets one message may have as it is sent, attachments encoded. The SIZE that a
    /// server announces can be larger than what it lets one mailbox send.
    pub const fn message_size(&self) -> Option<u64> {
        self.message_size
    }

    /// How many octets may be fetched from one mailbox in a day by this protocol.
    pub const fn download_per_day(&self, protocol: Protocol) -> Option<u64> {
        self.download_per_day[protocol.index()]
    }

    /// How many octets may be put into one mailbox in a day by IMAP.
    pub const fn upload_per_day(&self) -> Option<u64> {
        self.upload_per_day
    }

    /// The least time between two POP3 sessions (LOGIN-DELAY, RFC 2449 section 6.5).
    pub const fn login_delay(&self) -> Option<Duration> {
        self.login_delay
    }

    /// Sets [`connections`](Self::connections).
    pub const fn with_connections(mut self, protocol: Protocol, limit: Option<u32>) -> Self {
        self.connections[protocol.index()] = limit;
        self
    }

    /// Sets [`messages_per_minute`](Self::messages_per_minute).
    pub const fn with_messages_per_minute(mut self, limit: Option<u32>) -> Self {
        self.messages_per_minute = limit;
        self
    }

    /// Sets [`messages_per_day`](Self::messages_per_day).
    pub const fn with_messages_per_day(mut self, limit: Option<u32>) -> Self {
        self.messages_per_day = limit;
        self
    }

    /// Sets [`recipients_per_day`](Self::recipients_per_day).
    pub const fn with_recipients_per_day(mut self, limit: Option<u32>) -> Self {
        self.recipients_per_day = limit;
        self
    }

    /// Sets [`recipients_per_message`](Self::recipients_per_message).
    pub const fn with_recipients_per_message(mut self, limit: Option<u32>) -> Self {
        self.recipients_per_message = limit;
        self
    }

    /// Sets [`message_size`](Self::message_size).
    pub const fn with_message_size(mut self, octets: Option<u64>) -> Self {
        self.message_size = octets;
        self
    }

    /// Sets [`download_per_day`](Self::download_per_day).
    pub const fn with_download_per_day(mut self, protocol: Protocol, octets: Option<u64>) -> Self {
        self.download_per_day[protocol.index()] = octets;
        self
    }

    /// Sets [`upload_per_day`](Self::upload_per_day).
    pub const fn with_upload_per_day(mut self, octets: Option<u64>) -> Self {
        self.upload_per_day = octets;
        self
    }

    /// Sets [`login_delay`](Self::login_delay).
    pub const fn with_login_delay(mut self, delay: Option<Duration>) -> Self {
        self.login_delay = delay;
        self
    }
}
