//! How long to wait and how much to take.

use std::time::Duration;

/// Deadlines. Every wait has one.
///
/// All but [`progress`](Self::progress) bound a step as a whole, so that a server that sends one
/// octet a minute does not hold a task for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    pub(crate) token: Duration,
    pub(crate) dial: Duration,
    pub(crate) tls: Duration,
    pub(crate) greeting: Duration,
    pub(crate) reply: Duration,
    pub(crate) sasl: Duration,
    pub(crate) delivery: Duration,
    pub(crate) progress: (Duration, u64),
    pub(crate) settle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            token: minutes(1),
            dial: Duration::from_secs(30),
            tls: Duration::from_secs(30),
            greeting: minutes(1),
            reply: minutes(5),
            sasl: minutes(1),
            delivery: minutes(10),
            progress: (minutes(1), 4096),
            settle: Duration::from_secs(10),
        }
    }
}

impl Timeouts {
    /// Getting a token from the provider. One minute.
    pub const fn token(mut self, limit: Duration) -> Self {
        self.token = limit;
        self
    }

    /// Name resolution and opening the TCP connection, all addresses together, and what a proxy
    /// takes to connect. 30 seconds.
    pub const fn dial(mut self, limit: Duration) -> Self {
        self.dial = limit;
        self
    }

    /// The TLS handshake. 30 seconds.
    pub const fn tls(mut self, limit: Duration) -> Self {
        self.tls = limit;
        self
    }

    /// The server's greeting. One minute: RFC 5321 section 4.5.3.2.1 allows five, for relays that
    /// queue; services for users answer at once.
    pub const fn greeting(mut self, limit: Duration) -> Self {
        self.greeting = limit;
        self
    }

    /// The answer to a command. Five minutes (RFC 5321 section 4.5.3.2).
    pub const fn reply(mut self, limit: Duration) -> Self {
        self.reply = limit;
        self
    }

    /// The SASL exchange from AUTH to the verdict. One minute.
    pub const fn sasl(mut self, limit: Duration) -> Self {
        self.sasl = limit;
        self
    }

    /// The answer to a message handed over whole. Ten minutes (RFC 5321 section 4.5.3.2.6): a
    /// client that gives up earlier sends the message twice.
    pub const fn delivery(mut self, limit: Duration) -> Self {
        self.delivery = limit;
        self
    }

    /// A transfer may last as long as in each `window` at least `octets` move. 4,096 octets a
    /// minute.
    pub const fn progress(mut self, window: Duration, octets: u64) -> Self {
        self.progress = (window, octets);
        self
    }

    /// What bringing the connection back to rest after a dropped future may take. Ten seconds;
    /// beyond it the connection is closed.
    pub const fn settle(mut self, limit: Duration) -> Self {
        self.settle = limit;
        self
    }
}

/// How much is taken from a server. What exceeds a framing limit ends the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub(crate) line: usize,
    pub(crate) response: usize,
    pub(crate) lines: usize,
    pub(crate) literal: u64,
    pub(crate) events: usize,
    pub(crate) settle: u64,
    pub(crate) pipelined: usize,
    #[cfg(feature = "compress")]
    pub(crate) growth: crate::net::deflate::Growth,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 64 * 1024,
            response: 32 * 1024 * 1024,
            lines: 1000,
            literal: 256 * 1024 * 1024,
            events: 1000,
            settle: 1024 * 1024,
            pipelined: 4 * 1024,
            #[cfg(feature = "compress")]
            growth: crate::net::deflate::Growth { octets: 64 * 1024 * 1024, ratio: 200 },
        }
    }
}

impl Limits {
    /// Octets of a greeting, a status line, an SMTP reply or a POP3 listing line. 64 KiB. An IMAP
    /// status line with a response code may have as many as a [`response`](Self::response).
    pub const fn line(mut self, octets: usize) -> Self {
        self.line = octets;
        self
    }

    /// Octets of an untagged IMAP response without its literals, and of a POP3 listing. 32 MiB.
    pub const fn response(mut self, octets: usize) -> Self {
        self.response = octets;
        self
    }

    /// Lines of one SMTP reply or of one list of capabilities. 1,000.
    pub const fn lines(mut self, lines: usize) -> Self {
        self.lines = lines;
        self
    }

    /// Octets of a message that is read whole: all literals of one IMAP response, or one RETR.
    /// 256 MiB. Memory is taken as octets arrive, not on the server's word.
    pub const fn message(mut self, octets: u64) -> Self {
        self.literal = octets;
        self
    }

    /// Events kept for a user who does not look at them. 1,000; beyond it they become one
    /// overflow.
    pub const fn events(mut self, events: usize) -> Self {
        self.events = events;
        self
    }

    /// Octets read and thrown away to bring the connection back to rest after a dropped future.
    /// 1 MiB; beyond it the connection is closed.
    pub const fn settle(mut self, octets: u64) -> Self {
        self.settle = octets;
        self
    }

    /// Octets of POP3 commands that are sent before those ahead of them are answered. 4 KiB, so
    /// that they find room between here and a server that reads nothing while it writes.
    pub const fn pipelined(mut self, octets: usize) -> Self {
        self.pipelined = octets;
        self
    }

    /// How far a compressed connection ([`ImapClient::compress`](crate::ImapClient::compress)) may
    /// grow: to `octets` in any case, and to `ratio` times as much as was received. 64 MiB and 200;
    /// mail comes to 20 at most, but for attachments that are all alike. The other limits hold as
    /// well.
    #[cfg(feature = "compress")]
    #[cfg_attr(docsrs, doc(cfg(feature = "compress")))]
    pub const fn inflated(mut self, octets: u64, ratio: u32) -> Self {
        self.growth = crate::net::deflate::Growth { octets, ratio };
        self
    }
}
