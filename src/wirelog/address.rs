//! Finds the local parts of addresses in a line, and puts pseudonyms in their places. Domains stay:
//! which of them a server speaks of is evidence.

use std::ops::Range;

use super::alias::{Aliases, Style};
use super::view::{Seen, characters};

/// `line` without local parts. `imap`: `/` divides the names of mailboxes, and these may be in
/// modified UTF-7.
pub(super) fn masked(line: &str, imap: bool, aliases: &mut Aliases) -> String {
    let seen = characters(line, imap);
    let mut places = Vec::new();
    for (at, _) in seen.iter().enumerate().filter(|(_, seen)| seen.char == '@') {
        if !names_a_domain(&seen[at + 1..]) {
            continue;
        }
        let Some(local) = local_part(&seen[..at], imap) else { continue };
        places.push(place(line, &seen, local, aliases));
    }
    places.extend(logins(&seen, aliases));
    places.extend(in_quotes(&seen, aliases));
    replaced(line, places)
}

/// What is to be put in the place of these octets.
struct Place {
    from: usize,
    to: usize,
    alias: String,
}

fn replaced(line: &str, mut places: Vec<Place>) -> String {
    places.sort_by_key(|place| place.from);
    let mut text = String::with_capacity(line.len());
    let mut copied = 0;
    for place in places {
        if place.from < copied {
            continue;
        }
        text.push_str(&line[copied..place.from]);
        text.push_str(&place.alias);
        copied = place.to;
    }
    text.push_str(&line[copied..]);
    text
}

/// What may follow `@`: a name, or an address in brackets. What is no text is beyond ASCII, too.
fn names_a_domain(behind: &[Seen]) -> bool {
    behind.first().is_some_and(|Seen { char, .. }| {
        char.is_alphanumeric()
            || matches!(char, '[' | '_')
            || !char.is_ascii() && !char.is_whitespace()
    })
}

/// Characters before `@` among which a quoted local part begins; RFC 5321 section 4.5.3.1.1 allows
/// it 64.
const LOOK_BACK: usize = 320;

/// Where the local part is that ends before `@`.
fn local_part(before: &[Seen], imap: bool) -> Option<Range<usize>> {
    let char = |at: usize| before.get(at).map(|seen| seen.char);
    let mut to = before.len();
    if char(to.wrapping_sub(1)) == Some('"') {
        // Within a quoted string of IMAP its quotes are escaped.
        let escaped = char(to.wrapping_sub(2)) == Some('\\');
        to -= if escaped { 2 } else { 1 };
        let inside = &before[to.saturating_sub(LOOK_BACK)..to];
        let opens = |at: &usize| {
            let slashes = inside[..*at].iter().rev().take_while(|seen| seen.char == '\\').count();
            inside[*at].char == '"' && (slashes % 2 == 1) == escaped
        };
        if let Some(at) = (0..inside.len()).rev().find(opens) {
            let from = to - inside.len() + at - usize::from(escaped);
            return Some(from..before.len());
        }
    }
    let from = before[..to].iter().rposition(|seen| ends(seen.char, imap)).map_or(0, |at| at + 1);
    // `user=alice@…` is said of alice.
    let said = ["user=", "from=", "to=", "for=", "mailbox="].iter().find(|said| {
        let start = before[from..to].get(..said.len());
        start.is_some_and(|start| {
            start.iter().zip(said.chars()).all(|(seen, c)| seen.char.eq_ignore_ascii_case(&c))
        })
    });
    let from = from + said.map_or(0, |said| said.len());
    (from < to).then_some(from..to)
}

/// Whether a local part that is not in quotes has begun behind this.
fn ends(c: char, imap: bool) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | ':' | ';' | ',' | '"' | '\\' | '@'
        )
        || imap && c == '/'
}

/// The pseudonym of the local part that stands there.
fn place(line: &str, seen: &[Seen], local: Range<usize>, aliases: &mut Aliases) -> Place {
    let Range { start: from, end: to } = local;
    let local: String = seen[from..to].iter().map(|seen| seen.char).collect();
    let (start, end) = (seen[from].at.start, seen[to - 1].at.end);
    let written = &line[start..end];
    let quoted = local.ends_with('"');
    let style = match () {
        () if quoted => Style::Quoted,
        () if local.is_ascii() => Style::Plain,
        () => Style::Wide,
    };
    let xtext = line[..start]
        .get(start.saturating_sub(7)..)
        .is_some_and(|before| before.eq_ignore_ascii_case("rfc822;"));
    let key = match quoted {
        true => unquoted(&local),
        false if xtext => from_xtext(&local),
        false => local.clone(),
    };
    let mut alias = aliases.of(&key, style);
    if written.starts_with("\\\"") {
        alias = alias.replace('"', "\\\"");
    } else if style == Style::Wide && written.is_ascii() {
        alias = alias.replace('\u{fc}', "&APw-");
    }
    // The sign itself may be written within what is replaced.
    if seen.get(to).is_some_and(|sign| sign.at.start < end) {
        alias.push('@');
    }
    Place { from: start, to: end, alias }
}

fn unquoted(local: &str) -> String {
    let inside = local.trim_start_matches(['\\', '"']).trim_end_matches(['\\', '"']);
    let mut chars = inside.chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

/// RFC 3461 section 4: `+` and two digits.
fn from_xtext(text: &str) -> String {
    let mut parts = text.split('+');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let octet = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match octet.filter(u8::is_ascii) {
            Some(octet) => {
                plain.push(char::from(octet));
                plain.push_str(&part[2..]);
            }
            None => {
                plain.push('+');
                plain.push_str(part);
            }
        }
    }
    plain
}

/// Logins that are no addresses, as whole words.
fn logins(seen: &[Seen], aliases: &mut Aliases) -> Vec<Place> {
    let mut places = Vec::new();
    for login in aliases.logins().to_vec() {
        let wanted: Vec<char> = login.chars().collect();
        let mut at = 0;
        while let Some(found) = seen.get(at..at + wanted.len()) {
            let same =
                |(seen, wanted): (&Seen, &char)| seen.char.to_lowercase().eq(wanted.to_lowercase());
            let ends = |at: Option<usize>| {
                at.and_then(|at| seen.get(at)).is_none_or(|seen| !seen.char.is_alphanumeric())
            };
            if found.iter().zip(&wanted).all(same)
                && ends(at.checked_sub(1))
                && ends(Some(at + wanted.len()))
                && let (Some(first), Some(last)) = (found.first(), found.last())
            {
                let alias = aliases.of(&login, Style::Plain);
                places.push(Place { from: first.at.start, to: last.at.end, alias });
                at += wanted.len();
            } else {
                at += 1;
            }
        }
    }
    places
}

/// Local parts that stand alone, in quotes or brackets, as servers name a user of their own.
fn in_quotes(seen: &[Seen], aliases: &mut Aliases) -> Vec<Place> {
    let mut places = Vec::new();
    for (at, opening) in seen.iter().enumerate() {
        let close = match opening.char {
            '\'' | '`' => '\'',
            '"' => '"',
            '<' => '>',
            '(' => ')',
            '[' => ']',
            _ => continue,
        };
        let inside = &seen[at + 1..];
        // No local part is longer (RFC 5321 section 4.5.3.1.1), but for those of fools.
        let end = inside.iter().take(256).position(|seen| seen.char == close);
        let Some(inside) = end.map(|end| &inside[..end]) else { continue };
        let word: String = inside.iter().map(|seen| seen.char).collect();
        if let (Some(first), Some(last), true) =
            (inside.first(), inside.last(), aliases.knows(&word))
        {
            let alias = aliases.of(&word, Style::Plain);
            places.push(Place { from: first.at.start, to: last.at.end, alias });
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &[(&str, &str)], imap: bool) {
        let mut aliases = Aliases::default();
        for (line, expected) in lines {
            assert_eq!(masked(line, imap, &mut aliases), *expected, "{line}");
        }
    }

    #[test]
    fn a_local_part_has_one_pseudonym_wherever_and_however_it_is_written() {
        all(
            &[
                ("MAIL FROM:<alice.b@contoso.com> SIZE=9", "MAIL FROM:<user1@contoso.com> SIZE=9"),
                ("RCPT TO:<bob@[192.0.2.1]>", "RCPT TO:<user2@[192.0.2.1]>"),
                (
                    "RCPT TO:<a+x@b.c> ORCPT=rfc822;a+2Bx@b.c",
                    "RCPT TO:<user3@b.c> ORCPT=rfc822;user3@b.c",
                ),
                (
                    "550 5.7.60 SMTP; Client does not have permissions: Alice.B@CONTOSO.com,",
                    "550 5.7.60 SMTP; Client does not have permissions: user1@CONTOSO.com,",
                ),
                ("550 <\"al ice\"@b.c> no", "550 <\"user 4\"@b.c> no"),
                ("250 alice.b%40contoso.com", "250 user1%40contoso.com"),
                (
                    "535 user=alice.b@contoso.com 'bob' <BOB>",
                    "535 user=user1@contoso.com 'user2' <user2>",
                ),
                ("MAIL FROM:<j\u{fc}rgen@b.c> SMTPUTF8", "MAIL FROM:<\u{fc}ser5@b.c> SMTPUTF8"),
                ("250 at@ the door, @home", "250 at@ the door, @home"),
                ("550 <carol@\\xfcber.example> no", "550 <user6@\\xfcber.example> no"),
                ("550 dave\"@b.c", "550 user7\"@b.c"),
                ("550 eve\\\"@b.c", "550 user8\\\"@b.c"),
            ],
            false,
        );
    }

    #[test]
    fn names_of_mailboxes_keep_their_levels_and_their_utf7() {
        all(
            &[
                (
                    "A1 SELECT \"Other Users/alice@b.c/Sent\"",
                    "A1 SELECT \"Other Users/user1@b.c/Sent\"",
                ),
                ("* LIST () \"/\" Users/alice@b.c", "* LIST () \"/\" Users/user1@b.c"),
                ("A2 SELECT x/j&APw-rgen@b.c", "A2 SELECT x/&APw-ser2@b.c"),
                ("A3 SELECT &AGEAbABpAGMAZQBA-b.c", "A3 SELECT user1@b.c"),
                ("A4 SELECT \"\\\"al ice\\\"@b.c\"", "A4 SELECT \"\\\"user 3\\\"@b.c\""),
            ],
            true,
        );
    }

    #[test]
    fn a_login_that_is_no_address_is_masked_as_a_word() {
        let mut aliases = Aliases::default();
        aliases.login("alice");
        assert_eq!(masked("USER alice", false, &mut aliases), "USER user1");
        aliases.login("CONTOSO\\xenia");
        assert_eq!(masked("USER CONTOSO\\x5cxenia", false, &mut aliases), "USER user2");
        assert_eq!(
            masked("+OK Alice's mail, malice", false, &mut aliases),
            "+OK user1's mail, malice"
        );
    }
}
