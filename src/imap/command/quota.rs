//! QUOTA, RFC 9208 (RFC 2087): how much a user may store, and has stored.
//!
//! ```text
//! C: A3 GETQUOTAROOT INBOX
//! S: * QUOTAROOT INBOX "#user/alice" "!partition/sda4"
//! S: * QUOTA "#user/alice" (MESSAGE 42 1000)
//! S: * QUOTA "!partition/sda4" (STORAGE 104 10923847)
//! S: A3 OK Getquotaroot complete
//! C: A4 SETQUOTA "#user/alice" (STORAGE 510)
//! S: * QUOTA "#user/alice" (STORAGE 58 512)
//! S: A4 OK Rounded quota
//! ```
//!
//! What a server tells of quotas unasked is an [`Event::Data`](crate::imap::Event::Data).

use std::borrow::Cow;

use bytes::Bytes;

use super::modifier::Need;
use super::{Command, Fit, fit_of, is_data};
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Tag};
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};
use crate::{Misuse, Stage};

const QUOTA: Need = Need::offered(&["QUOTA"]);

/// A kind of thing that there may be only so much of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuotaResource {
    /// `STORAGE`: what the messages take, in units of 1,024 octets.
    Storage,
    /// `MESSAGE`: how many messages there are.
    Message,
    /// `MAILBOX`: how many mailboxes there are.
    Mailbox,
    /// `ANNOTATION-STORAGE`: what annotations of messages take, in units of 1,024 octets.
    AnnotationStorage,
    /// Any other, by its name on the wire.
    Other(Cow<'static, str>),
}

impl QuotaResource {
    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Storage => "STORAGE",
            Self::Message => "MESSAGE",
            Self::Mailbox => "MAILBOX",
            Self::AnnotationStorage => "ANNOTATION-STORAGE",
            Self::Other(name) => name,
        }
    }

    fn parse(name: &[u8]) -> Self {
        let known = [Self::Storage, Self::Message, Self::Mailbox, Self::AnnotationStorage];
        let known = known.into_iter().find(|k| name.eq_ignore_ascii_case(k.as_str().as_bytes()));
        known.unwrap_or_else(|| Self::Other(String::from_utf8_lossy(name).into_owned().into()))
    }
}

impl From<&str> for QuotaResource {
    /// By its name on the wire, in any case if it is known.
    fn from(name: &str) -> Self {
        Self::parse(name.as_bytes())
    }
}

impl From<String> for QuotaResource {
    /// By its name on the wire, in any case if it is known.
    fn from(name: String) -> Self {
        Self::parse(name.as_bytes())
    }
}

/// How much of something there is and may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUsage {
    resource: QuotaResource,
    usage: u64,
    limit: u64,
}

impl QuotaUsage {
    /// What it is about.
    pub const fn resource(&self) -> &QuotaResource {
        &self.resource
    }

    /// How much there is, in the unit of the resource. More than the limit is possible.
    pub const fn usage(&self) -> u64 {
        self.usage
    }

    /// How much there may be.
    pub const fn limit(&self) -> u64 {
        self.limit
    }
}

/// The limits of one quota root: what several mailboxes may hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    root: Vec<u8>,
    usages: Vec<QuotaUsage>,
}

impl Quota {
    /// The name of the root, by which its quota is asked for; often empty.
    pub fn root(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.root)
    }

    /// What is limited. Empty if nothing is.
    pub fn usages(&self) -> &[QuotaUsage] {
        &self.usages
    }

    /// The limit of this resource; `None` if it has none.
    pub fn usage(&self, resource: &QuotaResource) -> Option<&QuotaUsage> {
        self.usages.iter().find(|usage| usage.resource == *resource)
    }
}

/// The quotas that a mailbox falls under.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quotas {
    roots: Vec<Vec<u8>>,
    quotas: Vec<Quota>,
    unread: usize,
}

impl Quotas {
    /// The names of the roots, as the server lists them.
    pub fn roots(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.roots.iter().map(|root| String::from_utf8_lossy(root))
    }

    /// The quotas of these roots.
    pub fn iter(&self) -> std::slice::Iter<'_, Quota> {
        self.quotas.iter()
    }

    /// The tightest limit of this resource: that of which the least is left.
    pub fn usage(&self, resource: &QuotaResource) -> Option<&QuotaUsage> {
        let usages = self.quotas.iter().filter_map(|quota| quota.usage(resource));
        usages.min_by_key(|usage| usage.limit.saturating_sub(usage.usage))
    }

    /// How many lines of the answer could not be understood. They are among the events, as
    /// [`Event::Unparsed`](crate::imap::Event::Unparsed).
    pub const fn unread(&self) -> usize {
        self.unread
    }
}

impl<'a> IntoIterator for &'a Quotas {
    type Item = &'a Quota;
    type IntoIter = std::slice::Iter<'a, Quota>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl ImapClient {
    /// The quotas that a mailbox falls under. It need not exist.
    ///
    /// ```no_run
    /// # async fn look(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::QuotaResource;
    ///
    /// let quotas = imap.quota_root("INBOX").await?;
    /// if let Some(storage) = quotas.usage(&QuotaResource::Storage) {
    ///     println!("{} of {} KiB", storage.usage(), storage.limit());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `QUOTA`; [`Error::Refused`] if it does not
    /// tell this user.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn quota_root(&mut self, mailbox: impl Into<MailboxName>) -> Result<Quotas, Error> {
        self.run(GetQuota::new(Asked::Mailbox(mailbox.into()))).await
    }

    /// The quota of the root of this name; `None` if the server says OK and tells none.
    ///
    /// # Errors
    /// As for [`quota_root`](Self::quota_root), and if there is no such root.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn quota(&mut self, root: &str) -> Result<Option<Quota>, Error> {
        let told = self.run(GetQuota::new(Asked::Root(root.to_owned()))).await?;
        Ok(of_root(told, root))
    }

    /// Sets the limits of a root and takes away those that it has besides. Gives what the server says
    /// they are now, which may be rounded; `None` if it does not say.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `QUOTA`, and if it names its resources
    /// (`QUOTA=RES-…`, RFC 9208) and does not offer `QUOTASET`; one that does not name them is of RFC
    /// 2087, and has this command without that word. [`Error::Refused`] if this user may not. [`Error::Misuse`] for a limit of 2^63 or more.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server sets them all the same.
    pub async fn set_quota(
        &mut self,
        root: &str,
        limits: impl IntoIterator<Item = (QuotaResource, u64)>,
    ) -> Result<Option<Quota>, Error> {
        let offered = self.capabilities();
        if offered.value("QUOTA").is_some() && !offered.has("QUOTASET") {
            return Err(Error::lacks(offered, Stage::Command("SETQUOTA"), "QUOTASET"));
        }
        let limits = limits.into_iter().collect();
        let told = self.run(GetQuota::new(Asked::Set(root.to_owned(), limits))).await?;
        Ok(of_root(told, root))
    }
}

fn of_root(told: Quotas, root: &str) -> Option<Quota> {
    told.quotas.into_iter().find(|quota| quota.root == root.as_bytes())
}

enum Asked {
    Mailbox(MailboxName),
    Root(String),
    Set(String, Vec<(QuotaResource, u64)>),
}

struct GetQuota {
    asked: Asked,
    told: Quotas,
    /// The roots were told.
    rooted: bool,
    utf8: bool,
}

impl GetQuota {
    fn new(asked: Asked) -> Self {
        Self { asked, told: Quotas::default(), rooted: false, utf8: false }
    }
}

impl Command for GetQuota {
    type Output = Quotas;

    fn name(&self) -> &'static str {
        match self.asked {
            Asked::Mailbox(_) => "GETQUOTAROOT",
            Asked::Root(_) => "GETQUOTA",
            Asked::Set(..) => "SETQUOTA",
        }
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        match &self.asked {
            Asked::Mailbox(name) => line.raw("GETQUOTAROOT ").mailbox(name)?,
            Asked::Root(root) => line.raw("GETQUOTA ").astring("quota root", root.as_bytes())?,
            Asked::Set(root, limits) => {
                line.raw("SETQUOTA ").astring("quota root", root.as_bytes())?.raw(" (");
                for (at, (resource, limit)) in limits.iter().enumerate() {
                    line.raw(if at > 0 { " " } else { "" });
                    // RFC 9051 section 9: number64.
                    if *limit > i64::MAX as u64 {
                        let why = format!("{limit} is more than can be said");
                        return Err(Misuse::Argument { what: "quota", why });
                    }
                    line.atom("quota resource", resource.as_str())?.raw(" ").raw(limit);
                }
                line.raw(")")
            }
        };
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[QUOTA]
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "QUOTA") || is_data(response, "QUOTAROOT"))
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn is_about(&self, response: &Response<'_>) -> bool {
        let Response::Data { name, rest } = response else { return false };
        let mut cursor = Cursor::new(rest);
        cursor.spaces();
        let Ok(told) = cursor.astring() else { return true };
        let told = told.to_bytes();
        match (&self.asked, name.eq_ignore_ascii_case(b"QUOTAROOT")) {
            (Asked::Mailbox(mailbox), true) => fit_of(mailbox, &told, self.utf8) > Fit::No,
            // The roots may be told behind their quotas.
            (Asked::Mailbox(_), false) => true,
            (Asked::Root(_) | Asked::Set(..), true) => false,
            (Asked::Root(root) | Asked::Set(root, _), false) => *told == *root.as_bytes(),
        }
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let Response::Data { name, rest } = response else { return Ok(()) };
        let read = match name.eq_ignore_ascii_case(b"QUOTA") {
            true => self.take(rest),
            false => roots(rest).map(|roots| (self.told.roots, self.rooted) = (roots, true)),
        };
        self.told.unread += usize::from(read.is_err());
        read
    }

    fn finish(mut self, _: Reply) -> Quotas {
        // What came before the roots were told.
        let (roots, quotas) = (&self.told.roots, &mut self.told.quotas);
        let told = quotas.len();
        if self.rooted {
            quotas.retain(|quota| roots.contains(&quota.root));
        }
        self.told.unread += told - quotas.len();
        self.told
    }
}

impl GetQuota {
    /// Takes one more quota, if it is of a root that was asked about.
    fn take(&mut self, rest: &[u8]) -> Parsed<()> {
        let Quotas { roots, quotas, .. } = &mut self.told;
        if quotas.len() == MOST {
            return Err(Malformed("at most 1,000 quotas"));
        }
        let held: usize = quotas.iter().map(|quota| quota.usages.len()).sum();
        let quota = quota(rest, MOST - held)?;
        let is_meant = match &self.asked {
            Asked::Mailbox(_) => !self.rooted || roots.contains(&quota.root),
            Asked::Root(root) | Asked::Set(root, _) => quota.root == root.as_bytes(),
        };
        if !is_meant {
            return Err(Malformed("the quota of a root that was asked about"));
        }
        quotas.push(quota);
        Ok(())
    }
}

/// No answer has more of a kind; each takes more room than its text.
const MOST: usize = 1000;

/// A root and a list of resources, what there is of them and may be. `room`: how many at most.
fn quota(rest: &[u8], room: usize) -> Parsed<Quota> {
    /// The names are kept, and may be as long as the line.
    const LONGEST: usize = 64 * 1024;
    if rest.len() > LONGEST {
        return Err(Malformed("at most 64 KiB of a quota"));
    }
    let mut cursor = Cursor::new(rest);
    let root = cursor.astring()?.to_bytes().into_owned();
    cursor.spaces();
    cursor.expect(b'(', "a list of resources")?;
    let mut usages = Vec::new();
    loop {
        cursor.spaces();
        if cursor.eat(b')') {
            return Ok(Quota { root, usages });
        }
        if usages.len() == room {
            return Err(Malformed("at most 1,000 resources"));
        }
        let resource = QuotaResource::parse(cursor.atom()?);
        let mut number = || {
            cursor.spaces();
            cursor.number()?.ok_or(Malformed("a number of 64 bits"))
        };
        usages.push(QuotaUsage { resource, usage: number()?, limit: number()? });
    }
}

/// The name of a mailbox and those of its roots.
fn roots(rest: &[u8]) -> Parsed<Vec<Vec<u8>>> {
    let mut cursor = Cursor::new(rest);
    cursor.astring()?;
    let mut roots = Vec::new();
    cursor.spaces();
    while !cursor.at_end() {
        if roots.len() == MOST {
            return Err(Malformed("at most 1,000 quota roots"));
        }
        roots.push(cursor.astring()?.to_bytes().into_owned());
        cursor.spaces();
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Event;
    use crate::imap::command::script::play;

    #[test]
    fn numbers_as_servers_write_them_are_read() {
        // Two spaces, and more than 32 bits (MailKit's tests).
        for (row, usage, limit) in [
            ("STORAGE 10  512", 10, 512),
            ("STORAGE 78199 5368709120000", 78_199, 5_368_709_120_000),
        ] {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY IMAP4rev1 QUOTA] hi
                C: A1 GETQUOTA \"\"
                S: * QUOTA \"\" ({row})
                S: A1 OK done
                "
            );
            let ask = || GetQuota::new(Asked::Root(String::new()));
            play(ask, &script, |played| {
                let told = played.output.unwrap();
                let storage = told.usage(&"storage".to_owned().into()).unwrap();
                assert_eq!((storage.usage(), storage.limit()), (usage, limit));
            });
        }
    }

    #[test]
    fn the_examples_of_rfc_9208_are_played() {
        let script = r##"
            S: * PREAUTH [CAPABILITY IMAP4rev1 QUOTA QUOTA=RES-STORAGE] hi
            C: A1 GETQUOTAROOT INBOX
            S: * QUOTAROOT INBOX "#user/alice" "!partition/sda4"
            S: * QUOTA "#user/alice" (MESSAGE 42 1000)
            S: * QUOTA "!partition/sda4" (STORAGE 104 10923847)
            S: A1 OK Getquotaroot complete
        "##;
        let ask = || GetQuota::new(Asked::Mailbox("INBOX".into()));
        play(ask, script, |played| {
            let told = played.output.unwrap();
            assert_eq!(told.roots().collect::<Vec<_>>(), ["#user/alice", "!partition/sda4"]);
            let storage = told.usage(&QuotaResource::Storage).unwrap();
            assert_eq!((storage.usage(), storage.limit()), (104, 10_923_847));
            assert_eq!(told.usage(&"message".into()).unwrap().limit(), 1000);
            assert_eq!((told.iter().count(), told.unread()), (2, 0));
        });
        let script = r##"
            S: * PREAUTH [CAPABILITY IMAP4rev1 QUOTA QUOTASET] hi
            C: A1 SETQUOTA #user/alice (STORAGE 510)
            S: * QUOTA "#user/alice" (STORAGE 58 512)
            S: A1 OK Rounded quota
        "##;
        let limits = vec![(QuotaResource::Storage, 510)];
        let set = || GetQuota::new(Asked::Set("#user/alice".to_owned(), limits.clone()));
        play(set, script, |played| {
            let quota = of_root(played.output.unwrap(), "#user/alice").unwrap();
            assert_eq!(quota.usages()[0].limit(), 512);
        });
        let script = r#"
            S: * PREAUTH [CAPABILITY QUOTA] hi
            C: A1 GETQUOTA ""
            S: * QUOTA "" ()
            S: A1 OK done
        "#;
        play(
            || GetQuota::new(Asked::Root(String::new())),
            script,
            |played| assert!(of_root(played.output.unwrap(), "").unwrap().usages().is_empty()),
        );
    }

    #[test]
    fn the_quota_of_another_root_is_an_event_and_none_of_the_mailbox() {
        let play_one = |asked: fn() -> Asked, verb: &str, before: &str, behind: &str| {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY QUOTA] hi
                C: A1 {verb}
                {before}
                S: * QUOTA ours (STORAGE 9 10)
                S: * QUOTA theirs (STORAGE 10 10)
                {behind}
                S: A1 OK done
                "
            );
            play(
                || GetQuota::new(asked()),
                &script,
                |mut played| {
                    let told = played.output.unwrap();
                    let roots: Vec<_> = told.iter().map(Quota::root).collect();
                    assert_eq!((roots, told.unread()), (vec!["ours".into()], 1), "{script}");
                    let left = told.usage(&QuotaResource::Storage).unwrap();
                    assert_eq!(left.limit() - left.usage(), 1);
                    let event = played.core.take_event();
                    let is_kept = matches!(event, Some(Event::Unparsed { .. }));
                    assert_eq!(is_kept, behind.is_empty(), "{script}");
                },
            );
        };
        let inbox = || Asked::Mailbox("INBOX".into());
        play_one(inbox, "GETQUOTAROOT INBOX", "S: * QUOTAROOT INBOX ours", "");
        play_one(inbox, "GETQUOTAROOT INBOX", "", "S: * QUOTAROOT INBOX ours");
        play_one(|| Asked::Root("ours".to_owned()), "GETQUOTA ours", "", "");
    }

    #[test]
    fn numbers_beyond_63_bits_are_read_and_beyond_64_an_event() {
        let script = r#"
            S: * PREAUTH [CAPABILITY QUOTA] hi
            C: A1 GETQUOTAROOT INBOX
            S: * QUOTAROOT INBOX a b c d e
            S: * QUOTA a (STORAGE 9223372036854775808 18446744073709551615)
            S: * QUOTA b (STORAGE 1 18446744073709551616)
            S: * QUOTA c (STORAGE -1 2)
            S: * QUOTA d (STORAGE 1)
            S: * QUOTA e (X-NEW 7 5)
            S: A1 OK done
        "#;
        let ask = || GetQuota::new(Asked::Mailbox("INBOX".into()));
        play(ask, script, |mut played| {
            let told = played.output.unwrap();
            assert_eq!((told.iter().count(), told.unread()), (2, 3));
            assert_eq!(told.usage(&QuotaResource::Storage).unwrap().usage(), 1 << 63);
            assert_eq!(told.usage(&"X-NEW".into()).unwrap().usage(), 7);
            for _ in 0..3 {
                let event = played.core.take_event();
                assert!(matches!(event, Some(Event::Unparsed { .. })), "{event:?}");
            }
        });
        let mut line = Line::new(Default::default());
        let too_much = vec![(QuotaResource::Storage, 1 << 63)];
        let set = GetQuota::new(Asked::Set("a".to_owned(), too_much));
        assert!(set.encode(&mut line, &Capabilities::default()).is_err());
    }

    #[test]
    fn a_list_without_bounds_is_no_quota() {
        let long = |count| format!("a ({})", "STORAGE 1 2 ".repeat(count));
        assert!(quota(long(1000).as_bytes(), MOST).is_ok());
        assert!(quota(long(1001).as_bytes(), MOST).is_err());
        assert!(quota(format!("{} ()", "a".repeat(1 << 16)).as_bytes(), MOST).is_err());
        assert!(roots(format!("INBOX{}", " a".repeat(1001)).as_bytes()).is_err());
        assert_eq!(roots(b"comp.mail.mime").unwrap(), [b""; 0]);
        assert!(quota(b"a", MOST).is_err() && quota(b"", MOST).is_err());
    }

    #[test]
    fn many_quotas_are_bounded_as_one_long_one_is() {
        for (line, kept) in [("a ()", 1000), ("a (STORAGE 1 2 MESSAGE 3 4)", 500)] {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY QUOTA] hi
                C: A1 GETQUOTAROOT INBOX
                {}
                S: A1 OK done
                ",
                format!("S: * QUOTA {line}\n").repeat(1002),
            );
            let ask = || GetQuota::new(Asked::Mailbox("INBOX".into()));
            play(ask, &script, |mut played| {
                let told = played.output.unwrap();
                assert_eq!((told.iter().count(), told.unread()), (kept, 1002 - kept), "{line}");
                assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
            });
        }
    }
}
