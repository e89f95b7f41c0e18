//! CATENATE, RFC 4469: a message is put together by the server, of octets that are sent and of parts
//! of messages that it has.
//!
//! ```text
//! C: A3 APPEND Drafts (\Seen \Draft) CATENATE (URL "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=HEADER" TEXT {42}
//! S: + Ready for literal data
//! C: (42 octets)
//! C:  URL "/Drafts;UIDVALIDITY=385759045/;UID=30/;SECTION=2")
//! S: A3 OK [APPENDUID 385759045 45] APPEND Completed
//! ```

use std::fmt::Write as _;
use std::num::NonZeroU32;

use super::append::{Append, AppendOptions, AppendResult, CatPart, Content, Data};
use super::modifier::Need;
use crate::Misuse;
use crate::imap::proto::encode::check_field_name;
use crate::imap::{Error, ImapClient, MailboxName, Section, Uid, Upload};

const CATENATE: Need = Need::offered(&["CATENATE"]);

/// A piece of a message that is put together by the server: octets, or a part of a message that it
/// has.
#[derive(Debug)]
pub struct CatenatePart<'a>(Piece<'a>);

#[derive(Debug)]
enum Piece<'a> {
    Text(Upload<'a>),
    Url(Result<String, Misuse>),
}

impl<'a> CatenatePart<'a> {
    /// These octets.
    pub fn text(octets: impl Into<Upload<'a>>) -> Self {
        Self(Piece::Text(octets.into()))
    }

    /// A section of a message in the same account, by the mailbox, its UIDVALIDITY and the UID:
    /// [`Section::full`] for the whole, [`Section::mime`] and [`Section::part`] for an attachment.
    /// What cannot be said in a URL is refused when the message is stored: a section that no message
    /// can have, and the name of a mailbox that is not valid.
    pub fn message(
        mailbox: impl Into<MailboxName>,
        uid_validity: NonZeroU32,
        uid: Uid,
        section: &Section,
    ) -> Self {
        Self(Piece::Url(url_of(&mailbox.into(), uid_validity, uid, section)))
    }

    /// What a URL names (RFC 5092), as [`message`](Self::message) makes them, or one that somebody
    /// was given by `GENURLAUTH`.
    pub fn url(url: impl Into<String>) -> Self {
        Self(Piece::Url(Ok(url.into())))
    }
}

/// RFC 5092 section 11.
fn url_of(
    mailbox: &MailboxName,
    uid_validity: NonZeroU32,
    uid: Uid,
    section: &Section,
) -> Result<String, Misuse> {
    let refused = |what, why: &str| Misuse::Argument { what, why: why.to_owned() };
    if let Some(why) = section.fault() {
        return Err(refused("section", why));
    }
    for name in section.field_names() {
        check_field_name(name)?;
    }
    let undecodable = "its name cannot be decoded, and a URL says names in letters";
    let mailbox = mailbox.decoded().ok_or_else(|| refused("mailbox of a part", undecodable))?;
    let mailbox = escaped(&mailbox);
    // Behind `//` stands a host (RFC 3986 section 3.3).
    let mailbox = match mailbox.strip_prefix('/') {
        Some(rest) => format!("%2F{rest}"),
        None => mailbox,
    };
    let mut url = format!("/{mailbox};UIDVALIDITY={uid_validity}/;UID={uid}");
    let section = section.bracketed().to_string();
    let inner = section.strip_prefix('[').and_then(|inner| inner.rsplit_once(']'));
    if let Some((section, partial)) = inner {
        // Writing to a string does not fail.
        if !section.is_empty() {
            let _ = write!(url, "/;SECTION={}", escaped(section));
        }
        if let Some(partial) = partial.strip_prefix('<').and_then(|p| p.strip_suffix('>')) {
            let _ = write!(url, "/;PARTIAL={partial}");
        }
    }
    Ok(url)
}

/// In a URL: what is no `achar` of RFC 5092 section 11 as `%` and its octets.
fn escaped(text: &str) -> String {
    let mut url = String::with_capacity(text.len());
    for octet in text.bytes() {
        let plain = octet.is_ascii_alphanumeric() || b"-._~!$'()*+,&=:@/".contains(&octet);
        let _ = match plain {
            true => url.write_char(octet.into()),
            false => write!(url, "%{octet:02X}"),
        };
    }
    url
}

impl ImapClient {
    /// Stores a message that the server puts together of these parts, one behind the other: a draft
    /// whose attachments are at the server need not be sent again.
    ///
    /// # Errors
    /// As for [`append`](Self::append), and what is said there of the size of a message holds for all
    /// octets together that are sent. With [`AppendOptions::utf8`] there may be UTF-8 in a header in
    /// any of them (RFC 6855 section 4). [`Error::Misuse`] for a part of a mailbox whose name cannot
    /// be decoded. [`Error::Unsupported`] if the server does not offer `CATENATE`. [`Error::Refused`] with
    /// [`Code::BadUrl`](crate::imap::Code::BadUrl) if there is no such part; nothing was stored then.
    ///
    /// # Cancel safety
    /// As for [`append`](Self::append).
    pub async fn append_catenated<'a>(
        &mut self,
        mailbox: impl Into<MailboxName>,
        parts: impl IntoIterator<Item = CatenatePart<'a>>,
        options: AppendOptions,
    ) -> Result<AppendResult, Error> {
        let (mut pieces, mut uploads) = (Vec::new(), Vec::new());
        for part in parts {
            pieces.push(match part.0 {
                Piece::Url(url) => CatPart::Url(url?),
                Piece::Text(text) => {
                    let content = Content::of(&text);
                    uploads.push(text);
                    CatPart::Text(content)
                }
            });
        }
        let contents = vec![(options, Data::Catenated(pieces))];
        let command = Append::new(mailbox.into(), contents).needing(CATENATE);
        self.mailbox.session.store(command, uploads).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::Command;
    use crate::imap::command::script::play;
    use crate::imap::proto::encode::Line;
    use crate::imap::{Capabilities, Code, Flag};

    fn made(mailbox: impl Into<MailboxName>, section: &Section) -> Result<String, Misuse> {
        let validity = NonZeroU32::new(385_759_045).unwrap();
        let part = CatenatePart::message(mailbox, validity, Uid::new(20).unwrap(), section);
        match part.0 {
            Piece::Url(url) => url,
            Piece::Text(_) => panic!(),
        }
    }

    fn url(mailbox: &str, section: &Section) -> String {
        made(mailbox, section).unwrap()
    }

    fn append() -> Append {
        with(AppendOptions::new().flags([Flag::Seen, Flag::Draft]))
    }

    fn with(options: AppendOptions) -> Append {
        let parts = vec![
            CatPart::Url("/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=HEADER".to_owned()),
            CatPart::Text(Content::of(&"\r\n--bound\r\n".into())),
            CatPart::Url("/Drafts;UIDVALIDITY=385759045/;UID=30/;SECTION=2".to_owned()),
            CatPart::Text(Content::of(&"--end--".into())),
        ];
        Append::new("Drafts".into(), vec![(options, Data::Catenated(parts))]).needing(CATENATE)
    }

    #[test]
    fn the_example_of_rfc_4469_is_written() {
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev1 CATENATE] hi
            C: A1 APPEND Drafts (\Seen \Draft) CATENATE (URL "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=HEADER" TEXT {11}
            S: + Ready for literal data
            C:
            C: --bound
            C:  URL "/Drafts;UIDVALIDITY=385759045/;UID=30/;SECTION=2" TEXT {7}
            S: + Ready for literal data
            C: --end--)
            S: A1 OK [APPENDUID 385759045 45] APPEND Completed
        "#;
        play(append, script, |played| assert_eq!(played.output.unwrap().uid(), Uid::new(45)));
    }

    #[test]
    fn octets_with_utf_8_in_a_header_are_parts_of_another_kind() {
        // RFC 6855 section 4.
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev2 CATENATE BINARY LITERAL+] hi
            C: A1 APPEND Drafts CATENATE (URL "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=HEADER" UTF8 (~{11+}
            C:
            C: --bound
            C: ) URL "/Drafts;UIDVALIDITY=385759045/;UID=30/;SECTION=2" UTF8 (~{7+}
            C: --end--))
            S: A1 OK done
        "#;
        play(|| with(AppendOptions::new().utf8()), script, |played| assert!(played.output.is_ok()));
    }

    #[test]
    fn what_is_sent_must_not_exceed_the_limit_of_the_server_together() {
        for (limit, taken) in [(18, true), (17, false)] {
            let capabilities = Capabilities::from(&*format!("CATENATE APPENDLIMIT={limit}"));
            let mut line = Line::new(Default::default());
            assert_eq!(append().encode(&mut line, &capabilities).is_ok(), taken, "{limit}");
        }
    }

    #[test]
    fn a_part_that_is_not_there_is_named_by_the_server() {
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev1 CATENATE] hi
            C: A1 APPEND Drafts (\Seen \Draft) CATENATE (URL "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=HEADER" TEXT {11}
            S: A1 NO [BADURL "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=HEADER"] CATENATE append has failed
        "#;
        play(append, script, |played| {
            let reply = played.refusal();
            let Some(Code::BadUrl(url)) = reply.code() else { panic!("{reply}") };
            assert!(url.ends_with(";UID=20/;SECTION=HEADER"));
        });
    }

    #[test]
    fn octets_with_nul_are_refused() {
        let parts = vec![CatPart::Text(Content::of(&"a\0b".into()))];
        let message = vec![(AppendOptions::new(), Data::Catenated(parts))];
        let mut line = Line::new(Default::default());
        let capabilities = Capabilities::from("CATENATE BINARY LITERAL+");
        let refused = Append::new("Drafts".into(), message).encode(&mut line, &capabilities);
        let why = "part of the message: a NUL is in it, which CATENATE cannot carry";
        assert_eq!(refused.unwrap_err().to_string(), why);
    }

    #[test]
    fn what_a_url_cannot_name_is_refused() {
        for section in [
            Section::mime([]),
            Section::part([0]),
            Section::full().partial(3, 0),
            Section::header_fields(["a b"]),
            Section::header_fields(["Subject:"]),
            Section::header_fields(["X]Y"]),
        ] {
            assert!(made("Drafts", &section).is_err(), "{section}");
        }
        let invalid = MailboxName::from_wire("a&b");
        assert!(made(invalid, &Section::full()).is_err());
    }

    #[test]
    fn urls_are_made_as_rfc_5092_has_them() {
        let base = "/Drafts;UIDVALIDITY=385759045/;UID=20";
        assert_eq!(url("Drafts", &Section::full()), base);
        assert_eq!(url("/home//x", &Section::full()), "/%2Fhome//x;UIDVALIDITY=385759045/;UID=20");
        assert_eq!(url("Drafts", &Section::header()), format!("{base}/;SECTION=HEADER"));
        assert_eq!(url("Drafts", &Section::part([1, 2])), format!("{base}/;SECTION=1.2"));
        assert_eq!(
            url("Drafts", &Section::part([2]).partial(0, 100)),
            format!("{base}/;SECTION=2/;PARTIAL=0.100")
        );
        assert_eq!(
            url("Entw\u{fc}rfe/a b;c%\"\r\n", &Section::full()),
            "/Entw%C3%BCrfe/a%20b%3Bc%25%22%0D%0A;UIDVALIDITY=385759045/;UID=20"
        );
    }
}
