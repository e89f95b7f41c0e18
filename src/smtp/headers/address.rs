//! A list of addresses (RFC 5322 sections 3.4 and 4.4), as a field holds it.
//!
//! ```text
//! Ann <ann@a.example>, "Bob, the builder" <@old.example:bob@b.example> (at work),
//!  Team: eve@c.example, "d. o'e"@[192.0.2.1];, plain@d.example
//! ```
//!
//! What stands outside brackets is only ever a name, so an encoded word can never become an
//! address. Whatever is ambiguous is an error and no guess: a message to the wrong person cannot be
//! called back. Time is linear in the length of the field, whatever is in it.

use crate::smtp::address::{AddressFlaw, check};

/// Gives every address of the list to `found`.
///
/// # Errors
/// The first entry that is no address, as it stands there, and what is wrong with it.
pub(super) fn each(
    list: &[u8],
    mut found: impl FnMut(String),
) -> Result<(), (String, AddressFlaw)> {
    let text = String::from_utf8_lossy(list);
    let mut lexer = Lexer::new(&text);
    let mut entry = Entry::default();
    loop {
        let start = lexer.at;
        let Some(token) = lexer.token() else { break };
        match token {
            // Outlook's users separate by semicolons, which also end a group.
            Token::Special(',' | ';') if !entry.within_angle => {
                found_in(&std::mem::take(&mut entry), &mut found)?;
            }
            // The name of a group, or `mailto`.
            Token::Special(':') if !entry.within_angle && !entry.at => {
                entry = Entry::default();
            }
            token => entry.take(token, text.get(start..lexer.at).unwrap_or_default()),
        }
    }
    found_in(&entry, &mut found)
}

fn found_in(entry: &Entry, found: &mut impl FnMut(String)) -> Result<(), (String, AddressFlaw)> {
    match entry.address() {
        Ok(Some(address)) => {
            found(address);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(flaw) => Err((entry.text.trim().to_owned(), flaw)),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// Atom characters in a row.
    Atom(String),
    /// What was between quotes, without them and without backslashes.
    Quoted(String),
    /// `[192.0.2.1]`, with its brackets.
    Literal(String),
    /// One of `. @ , ; : < >`, or a character that has no business here.
    Special(char),
    /// White space and comments.
    Gap,
}

/// What stands between two commas.
#[derive(Debug, Default)]
struct Entry {
    /// As written.
    text: String,
    /// What is within angle brackets, once there are any; what is not, before.
    tokens: Vec<Token>,
    at: bool,
    within_angle: bool,
    closed: bool,
    /// Something with an at-sign stood behind the brackets, or a second pair.
    excess: bool,
}

impl Entry {
    fn take(&mut self, token: Token, text: &str) {
        self.text.push_str(text);
        match token {
            // `<<ann@a.example>>`
            Token::Special('<') if self.within_angle && self.tokens.is_empty() => {}
            Token::Special('<') if self.closed => self.excess = true,
            Token::Special('<') if !self.within_angle => {
                self.tokens.clear();
                self.within_angle = true;
            }
            Token::Special('>') if self.within_angle => {
                self.within_angle = false;
                self.closed = true;
            }
            Token::Special('>') if self.closed => {}
            Token::Special('@') if self.closed => self.excess = true,
            _ if self.closed => {}
            token => {
                self.at |= token == Token::Special('@');
                self.tokens.push(token);
            }
        }
    }

    /// The address, or `None` if there is nothing at all.
    fn address(&self) -> Result<Option<String>, AddressFlaw> {
        if self.excess {
            return Err(AddressFlaw::Misplaced('<'));
        }
        let in_brackets = self.within_angle || self.closed;
        let is_gap = |token: &Token| *token == Token::Gap;
        if self.tokens.iter().all(is_gap) {
            return if in_brackets { Err(AddressFlaw::Empty) } else { Ok(None) };
        }
        let mut tokens = self.tokens.as_slice();
        // RFC 5322 section 4.4: a route is passed over.
        let first = tokens.iter().find(|token| !is_gap(token));
        if in_brackets
            && first == Some(&Token::Special('@'))
            && let Some(colon) = tokens.iter().position(|token| *token == Token::Special(':'))
        {
            tokens = tokens.get(colon + 1..).unwrap_or_default();
        }
        let at = tokens.iter().rposition(|token| *token == Token::Special('@'));
        let Some((local, [_, domain @ ..])) = at.and_then(|at| tokens.split_at_checked(at)) else {
            let lone = joined(tokens)?;
            let postmaster = lone.eq_ignore_ascii_case("postmaster");
            return if postmaster { Ok(Some(lone)) } else { Err(AddressFlaw::NoDomain) };
        };
        let address = format!("{}@{}", quoted_if_needed(joined(local)?), joined(domain)?);
        // What was no UTF-8.
        if address.contains(char::REPLACEMENT_CHARACTER) {
            return Err(AddressFlaw::Misplaced(char::REPLACEMENT_CHARACTER));
        }
        check(&address).map(|()| Some(address))
    }
}

/// Words and dots, between which there may be gaps; but not words and gaps and words.
fn joined(tokens: &[Token]) -> Result<String, AddressFlaw> {
    let mut whole = String::new();
    let (mut after_word, mut gap) = (false, false);
    for token in tokens {
        match token {
            Token::Gap => {
                gap = true;
                continue;
            }
            Token::Special('.') => {
                whole.push('.');
                after_word = false;
            }
            Token::Special(c) => return Err(AddressFlaw::Misplaced(*c)),
            Token::Atom(_) | Token::Quoted(_) | Token::Literal(_) if after_word => {
                return Err(if gap { AddressFlaw::Misplaced(' ') } else { AddressFlaw::Quotes });
            }
            Token::Atom(word) | Token::Quoted(word) | Token::Literal(word) => {
                whole.push_str(word);
                after_word = true;
            }
        }
        gap = false;
    }
    Ok(whole)
}

/// A local part as it stands in a command (RFC 5321 section 4.1.2): with quotes only where it would
/// not be one without them.
fn quoted_if_needed(local: String) -> String {
    if local.chars().all(|c| is_atom(c) || c == '.') {
        return local;
    }
    let mut quoted = String::with_capacity(local.len() + 2);
    quoted.push('"');
    for c in local.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

fn is_atom(c: char) -> bool {
    !(c.is_ascii_whitespace()
        || c.is_ascii_control()
        || matches!(
            c,
            '(' | ')' | '<' | '>' | '[' | ']' | ':' | ';' | '@' | '\\' | ',' | '.' | '"'
        ))
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// From here on nothing of this kind is ever closed, so that looking again costs nothing.
    open_quote: bool,
    open_comment: bool,
}

impl<'a> Lexer<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, at: 0, open_quote: false, open_comment: false }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self) -> Option<Token> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        match first {
            '"' if !self.open_quote => match quoted(rest) {
                Some((word, length)) => {
                    self.at += length;
                    return Some(Token::Quoted(word));
                }
                None => self.open_quote = true,
            },
            '(' if !self.open_comment => match comment(rest) {
                Some(length) => {
                    self.at += length;
                    return Some(Token::Gap);
                }
                None => self.open_comment = true,
            },
            '[' => {
                // Not across what would end the entry: brackets stand in names too.
                let inner = rest.get(1..).unwrap_or_default();
                let end = inner.find(['[', ']', ',', ';', '<', '>', '@']);
                if let Some(end) = end.filter(|end| inner.as_bytes().get(*end) == Some(&b']')) {
                    self.at += end + 2;
                    let literal = rest.get(..end + 2).unwrap_or_default();
                    let solid = literal.chars().filter(|c| !c.is_ascii_whitespace());
                    return Some(Token::Literal(solid.collect()));
                }
            }
            '=' => {
                if let Some(length) = encoded_word(rest) {
                    self.at += length;
                    return Some(Token::Atom(rest.get(..length).unwrap_or_default().to_owned()));
                }
            }
            _ => {}
        }
        let run = |part: fn(char) -> bool| rest.find(|c| !part(c)).unwrap_or(rest.len());
        let (token, length) = if matches!(first, ' ' | '\t' | '\r' | '\n') {
            (Token::Gap, run(|c| matches!(c, ' ' | '\t' | '\r' | '\n')))
        } else if is_atom(first) {
            let length = run(is_atom);
            (Token::Atom(rest.get(..length).unwrap_or_default().to_owned()), length)
        } else {
            (Token::Special(first), first.len_utf8())
        };
        self.at += length;
        Some(token)
    }
}

/// A quoted string, unfolded: what it says, and its length with the quotes.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut word = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            // Folding; what is left of it is the white space behind.
            '\r' | '\n' => escaped = false,
            _ if escaped => {
                word.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((word, at + 1)),
            _ => word.push(c),
        }
    }
    None
}

/// The length of a comment, with those within it.
fn comment(text: &str) -> Option<usize> {
    let (mut depth, mut escaped) = (0usize, false);
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// `=?utf-8?Q?Doe,_Ann?=` (RFC 2047 section 2), in which some leave a comma as it is: a word of a
/// name, whatever is in it.
fn encoded_word(text: &str) -> Option<usize> {
    const LONGEST: usize = 300;
    let octets = text.as_bytes();
    let octets = octets.get(..octets.len().min(LONGEST))?;
    let inner = octets.strip_prefix(b"=?")?;
    let end = inner.iter().position(|octet| octet.is_ascii_whitespace()).unwrap_or(inner.len());
    let inner = inner.get(..end)?;
    let mut parts = inner.splitn(3, |octet| *octet == b'?');
    let (charset, encoding, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let token = |octet: &u8| {
        octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'*' | b'.' | b':')
    };
    if charset.is_empty() || !charset.iter().all(token) || encoding.len() != 1 {
        return None;
    }
    let length = encoded.windows(2).position(|pair| pair == b"?=")?;
    Some(2 + charset.len() + 1 + encoding.len() + 1 + length + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(list: &str) -> Result<Vec<String>, (String, AddressFlaw)> {
        let mut found = Vec::new();
        each(list.as_bytes(), |address| found.push(address))?;
        Ok(found)
    }

    /// The examples of RFC 5322 appendix A.1 and A.5, with other names.
    #[test]
    fn the_grammar_of_rfc_5322_is_read() {
        for (list, addresses) in [
            ("Ann Example <ann@a.example>", &["ann@a.example"][..]),
            ("\"Joe Q. Public\" <john.q.public@a.example>", &["john.q.public@a.example"]),
            (
                "Mary <mary@x.test>, jdoe@b.example, Who? <one@y.test>",
                &["mary@x.test", "jdoe@b.example", "one@y.test"],
            ),
            (
                "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@b.example>",
                &["boss@nil.test", "sysservices@b.example"],
            ),
            (
                "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
                &["c@a.test", "joe@where.test", "jdoe@one.test"],
            ),
            ("Undisclosed recipients:;", &[]),
            ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", &[]),
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                &["pete@silly.test"],
            ),
            (
                "Chris Jones <c@(Chris's host.)public.example>, joe@example.org",
                &["c@public.example", "joe@example.org"],
            ),
            (
                "Mary Smith <@node.test:mary@x.test>, , jdoe@test   . example",
                &["mary@x.test", "jdoe@test.example"],
            ),
            ("<@a.test,@b.test:mary@x.test>", &["mary@x.test"]),
            ("john . doe @ a . example", &["john.doe@a.example"]),
            (
                "Ann\r\n <ann@a.example>,\r\n\tBob <bob@b.example>",
                &["ann@a.example", "bob@b.example"],
            ),
            (
                "ann@[192.0.2.1], eve@[IPv6:2001:db8::1]",
                &["ann@[192.0.2.1]", "eve@[IPv6:2001:db8::1]"],
            ),
            ("\"john doe\"@a.example", &["\"john doe\"@a.example"]),
            ("\"a\\\"b\\\\c\"@a.example", &["\"a\\\"b\\\\c\"@a.example"]),
            ("\"plain\"@a.example, \"a\".\"b\"@a.example", &["plain@a.example", "a.b@a.example"]),
            ("grå@exämple.example", &["grå@exämple.example"]),
            ("postmaster", &["postmaster"]),
            ("", &[]),
            (" , ,, ;", &[]),
        ] {
            let addresses: Vec<String> = addresses.iter().map(|a| (*a).to_owned()).collect();
            assert_eq!(read(list), Ok(addresses), "{list}");
        }
    }

    #[test]
    fn what_real_messages_do_wrong_is_read_where_it_is_clear() {
        for (list, addresses) in [
            // Unquoted specials in names.
            ("ann@a.example <ann@a.example>", &["ann@a.example"][..]),
            ("Ann B. Example <ann@a.example>", &["ann@a.example"]),
            ("Ann [Sales] <ann@a.example>", &["ann@a.example"]),
            ("O\"Neil <ann@a.example>", &["ann@a.example"]),
            ("Ann (home <ann@a.example>", &["ann@a.example"]),
            ("=?utf-8?Q?Doe,_Ann?= <ann@a.example>", &["ann@a.example"]),
            (
                "=?utf-8?Q?=22Doe=2C_Ann=22_=3Ceve=40evil.example=3E?= <ann@a.example>",
                &["ann@a.example"],
            ),
            ("=?iso-8859-1?B?QmFy?= =?iso-8859-1?B?Zm9v?=\r\n <ann@a.example>", &["ann@a.example"]),
            ("\"'ann@a.example'\" <ann@a.example>", &["ann@a.example"]),
            // Brackets.
            ("<<ann@a.example>>", &["ann@a.example"]),
            ("Ann <ann@a.example", &["ann@a.example"]),
            ("Ann <ann@a.example> (work) x", &["ann@a.example"]),
            ("< ann@a.example >", &["ann@a.example"]),
            // Separators.
            ("ann@a.example; bob@b.example", &["ann@a.example", "bob@b.example"]),
            ("mailto:ann@a.example", &["ann@a.example"]),
            ("Team: ann@a.example, bob@b.example", &["ann@a.example", "bob@b.example"]),
            ("a..b.@a.example", &["a..b.@a.example"]),
        ] {
            let addresses: Vec<String> = addresses.iter().map(|a| (*a).to_owned()).collect();
            assert_eq!(read(list), Ok(addresses), "{list}");
        }
        let mut found = Vec::new();
        each(b"Andr\xe9 <andre@a.example>", |address| found.push(address)).unwrap();
        assert_eq!(found, ["andre@a.example"]);
    }

    #[test]
    fn what_is_not_clear_is_an_error_and_no_guess() {
        for (list, flaw) in [
            ("Ann", AddressFlaw::NoDomain),
            ("Ann Example", AddressFlaw::Misplaced(' ')),
            ("Ann ann@a.example", AddressFlaw::Misplaced(' ')),
            ("ann@a.example bob@b.example", AddressFlaw::Misplaced('@')),
            ("Ann <ann@a.example> Bob <bob@b.example>", AddressFlaw::Misplaced('<')),
            ("Ann <ann@a.example> bob@b.example", AddressFlaw::Misplaced('<')),
            ("Ann <>", AddressFlaw::Empty),
            ("Ann <ann>", AddressFlaw::NoDomain),
            ("<ann bob@a.example>", AddressFlaw::Misplaced(' ')),
            ("<@a.example>", AddressFlaw::NoLocalPart),
            ("ann@a.example.", AddressFlaw::EmptyLabel),
            ("=?utf-8?q?Ann_=3Cann=40a.example=3E?=", AddressFlaw::NoDomain),
            ("ann\0@a.example", AddressFlaw::Misplaced('\0')),
            ("ann\u{85}@a.example", AddressFlaw::Control('\u{85}')),
        ] {
            let (text, found) = read(list).unwrap_err();
            assert_eq!(found, flaw, "{list}");
            assert_eq!(text, list);
        }
        let mut nothing = |_: String| panic!("an address");
        let latin = each(b"andr\xe9@a.example", &mut nothing);
        assert!(matches!(latin, Err((_, AddressFlaw::Misplaced('\u{fffd}')))), "{latin:?}");
    }

    #[test]
    fn hostile_lists_cost_linear_time() {
        for hostile in ["(", "\"", "\\", "[", "<", "=?a?q?", "a@", ":", "(\"", "<@", "((())"] {
            let list = hostile.repeat(200_000 / hostile.len());
            let _ = read(&list);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_list_every_address_is_one(list in "[ -~\r\n\té]{0,60}") {
            if let Ok(found) = read(&list) {
                prop_assert!(found.iter().all(|address| check(address).is_ok()), "{:?}", found);
            }
        }

        #[test]
        fn an_address_in_brackets_is_found_under_any_quoted_name(
            name in "[ -~]{0,20}", local in "[a-z.+-]{1,10}",
        ) {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            let list = format!("\"{name}\" <{local}@a.example>, \"{name}\" <b@b.example>");
            let both = [format!("{local}@a.example"), "b@b.example".to_owned()];
            prop_assert_eq!(read(&list).unwrap(), both);
        }
    }
}
