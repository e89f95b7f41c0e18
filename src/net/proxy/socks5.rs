//! SOCKS5 (RFC 1928) with a user name and a password (RFC 1929).
//!
//! ```text
//! C: 05 02 00 02                        no authentication, or a password
//! S: 05 02                              a password
//! C: 01 04 u s e r 04 p a s s
//! S: 01 00                              well done
//! C: 05 01 00 03 10 mail.example.net 03 E1
//! S: 05 00 00 01 C0 00 02 01 9C 40      connected
//! ```

use super::handshake::{Dialogue, Host, Target, unasked};
use super::{Credentials, Error, Part, SetupError, SocksReply};
use crate::secret::Secret;
use crate::wire::{Heard, Input, Output};

const VERSION: u8 = 5;
const CONNECT: u8 = 1;

const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xFF;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What is waited for.
enum State {
    Method,
    Login,
    Reply,
}

pub(super) struct Socks5 {
    state: State,
    request: Vec<u8>,
    /// RFC 1929's message.
    login: Option<Secret<Vec<u8>>>,
}

impl Socks5 {
    pub(super) fn begin(
        target: Target<'_>,
        credentials: Option<&Credentials>,
        output: &mut Output,
    ) -> Result<Self, SetupError> {
        let login = credentials.map(login).transpose()?;
        output.content(|buffer| {
            buffer.extend_from_slice(match login {
                None => &[VERSION, 1, NO_AUTHENTICATION],
                Some(_) => &[VERSION, 2, NO_AUTHENTICATION, PASSWORD],
            });
        });
        Ok(Self { state: State::Method, request: request(target)?, login })
    }

    /// RFC 1928 section 3.
    fn method(&mut self, input: &mut Input, output: &mut Output) -> Result<bool, Error> {
        let [version, rest @ ..] = input.unread() else { return Ok(false) };
        if *version != VERSION {
            return Err(Error::malformed("the version 5 of SOCKS", input.unread()));
        }
        let [method, ..] = *rest else { return Ok(false) };
        input.hear(|| Heard::Note(format!("method {method}")));
        match (method, self.login.take()) {
            (NO_AUTHENTICATION, _) => {
                input.skip(2);
                self.ask(input, output)
            }
            (PASSWORD, Some(login)) => {
                input.skip(2);
                unasked(input)?;
                output.secret_octets(&login)?;
                self.state = State::Login;
                Ok(false)
            }
            (PASSWORD | NO_METHOD, None) => Err(Error::CredentialsRequired),
            (NO_METHOD, Some(_)) => Err(Error::NoCommonMethod { offered: String::new() }),
            _ => Err(Error::malformed("one of the methods that were offered", input.unread())),
        }
    }

    /// RFC 1929 section 2.
    fn logged_in(&mut self, input: &mut Input, output: &mut Output) -> Result<bool, Error> {
        let [version, rest @ ..] = input.unread() else { return Ok(false) };
        // The version of the login is 1; some servers give that of SOCKS.
        if !matches!(*version, 1 | VERSION) {
            return Err(Error::malformed("the version 1 of the login", input.unread()));
        }
        let [status, ..] = *rest else { return Ok(false) };
        input.hear(|| Heard::Note(format!("login status {status}")));
        if status != 0 {
            return Err(Error::CredentialsRefused);
        }
        input.skip(2);
        self.ask(input, output)
    }

    fn ask(&mut self, input: &Input, output: &mut Output) -> Result<bool, Error> {
        unasked(input)?;
        output.content(|buffer| buffer.append(&mut self.request));
        self.state = State::Reply;
        Ok(false)
    }
}

impl Dialogue for Socks5 {
    fn step(&mut self, input: &mut Input, output: &mut Output) -> Result<bool, Error> {
        match self.state {
            State::Method => self.method(input, output),
            State::Login => self.logged_in(input, output),
            State::Reply => reply(input),
        }
    }
}

/// RFC 1928 section 6. Not one octet more is taken than the reply has.
fn reply(input: &mut Input) -> Result<bool, Error> {
    let [version, rest @ ..] = input.unread() else { return Ok(false) };
    if *version != VERSION {
        return Err(Error::malformed("the version 5 of SOCKS", input.unread()));
    }
    let [reply, rest @ ..] = rest else { return Ok(false) };
    if *reply != 0 {
        // Some servers close without the rest.
        let reply = *reply;
        input.hear(|| Heard::Note(format!("reply {reply}")));
        return Err(Error::Socks(SocksReply::of(reply)));
    }
    // The address is the proxy's own, which is of no use here.
    let length = match rest {
        [_, IPV4, ..] => 4 + 4 + 2,
        [_, IPV6, ..] => 4 + 16 + 2,
        [_, NAME, octets, ..] => 4 + 1 + usize::from(*octets) + 2,
        [_, NAME] | [_] | [] => return Ok(false),
        _ => return Err(Error::malformed("a type of address", input.unread())),
    };
    if input.unread().len() < length {
        return Ok(false);
    }
    input.skip(length);
    input.hear(|| Heard::Note("reply 0".to_owned()));
    Ok(true)
}

/// RFC 1928 section 4.
fn request(target: Target<'_>) -> Result<Vec<u8>, SetupError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match target.host {
        Host::Name(name) => {
            let octets = u8::try_from(name.len()).map_err(|_| SetupError::Host(name.to_owned()))?;
            request.extend_from_slice(&[NAME, octets]);
            request.extend_from_slice(name.as_bytes());
        }
        Host::V4(address, _) => {
            request.push(IPV4);
            request.extend_from_slice(&address);
        }
        Host::V6(address, _) => {
            request.push(IPV6);
            request.extend_from_slice(&address);
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    Ok(request)
}

/// RFC 1929 section 2.
fn login(credentials: &Credentials) -> Result<Secret<Vec<u8>>, SetupError> {
    let (user, password) = (credentials.user.expose(), credentials.password.expose());
    // Of its full length at once, so that no shorter copy is left behind.
    let mut login = Secret::new(Vec::with_capacity(3 + user.len() + password.len()));
    login.expose_mut().push(1);
    for (part, text) in [(Part::User, user), (Part::Password, password)] {
        let Ok(octets @ 1..) = u8::try_from(text.len()) else {
            return Err(SetupError::Length { part, octets: text.len() });
        };
        login.expose_mut().push(octets);
        login.expose_mut().extend_from_slice(text.as_bytes());
    }
    Ok(login)
}

#[cfg(test)]
mod tests {
    use super::super::handshake::{Handshake, play};
    use super::*;
    use crate::machine::Machine;

    const NAMED: Target<'_> = Target { host: Host::Name("mail.example"), port: 993 };
    const HELLO: &[u8] = &[5, 1, 0];
    const REQUEST: &[u8] = b"\x05\x01\0\x03\x0cmail.example\x03\xe1";
    const CONNECTED: &[u8] = &[5, 0, 0, 1, 192, 0, 2, 1, 0x9c, 0x40];

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: Secret::new(user.into()), password: Secret::new(password.into()) }
    }

    fn open() -> Handshake {
        Handshake::socks5(NAMED, None).unwrap()
    }

    fn with_password() -> Handshake {
        Handshake::socks5(NAMED, Some(&credentials("user", "pass"))).unwrap()
    }

    /// How an exchange ends, which must be the same however it is cut.
    fn end(handshake: fn() -> Handshake, exchange: &[(&[u8], &[u8])]) -> Result<(), Error> {
        let whole = play(handshake(), exchange, usize::MAX);
        let pieces = play(handshake(), exchange, 1);
        let kind = |end: &Result<(), Error>| end.as_ref().map_err(std::mem::discriminant).copied();
        assert_eq!((kind(&whole.0), whole.1), (kind(&pieces.0), pieces.1));
        whole.0
    }

    #[test]
    fn the_exchange_of_the_rfc_opens_the_tunnel() {
        end(open, &[(HELLO, &[5, 0]), (REQUEST, CONNECTED)]).unwrap();
    }

    #[test]
    fn a_password_is_given_where_it_is_asked_for_and_only_there() {
        let login: &[u8] = b"\x01\x04user\x04pass";
        for accepted in [[1, 0], [5, 0]] {
            let asked: &[(&[u8], &[u8])] =
                &[(&[5, 2, 0, 2], &[5, 2]), (login, &accepted), (REQUEST, CONNECTED)];
            end(with_password, asked).unwrap();
        }
        end(with_password, &[(&[5, 2, 0, 2], &[5, 0]), (REQUEST, CONNECTED)]).unwrap();
        for refused in [[1, 1], [1, 255]] {
            let asked: &[(&[u8], &[u8])] = &[(&[5, 2, 0, 2], &[5, 2]), (login, &refused)];
            assert!(matches!(end(with_password, asked), Err(Error::CredentialsRefused)));
        }
    }

    #[test]
    fn addresses_are_given_as_such() {
        let v4 = Target { host: Host::V4([192, 0, 2, 1], "192.0.2.1"), port: 25 };
        assert_eq!(request(v4).unwrap(), [5, 1, 0, 1, 192, 0, 2, 1, 0, 25]);
        let v6 = Target { host: Host::V6([7; 16], "707:…"), port: 65535 };
        let expected = [&[5, 1, 0, 4][..], &[7; 16], &[255, 255]].concat();
        assert_eq!(request(v6).unwrap(), expected);
    }

    #[test]
    fn the_bound_address_may_be_of_any_type_and_length() {
        let v6 = [&[5, 0, 0, 4][..], &[9; 18]].concat();
        let unnamed = b"\x05\0\0\x03\0\0\x50".to_vec();
        let named = b"\x05\0\0\x03\x05proxy\0\x50".to_vec();
        let longest = [&[5, 0, 0, 3, 255][..], &[b'x'; 257]].concat();
        let odd_reserved = [5, 0, 77, 1, 0, 0, 0, 0, 0, 0].to_vec();
        for reply in [v6, unnamed, named, longest, odd_reserved] {
            for cut in [1, usize::MAX] {
                let (end, rest) = play(open(), &[(HELLO, &[5, 0]), (REQUEST, &reply)], cut);
                end.unwrap();
                assert_eq!(rest, "", "{reply:?}");
            }
        }
    }

    #[test]
    fn what_the_server_says_with_the_last_octets_of_the_reply_is_kept() {
        let reply = [CONNECTED, b"220 mail.example ESMTP\r\n"].concat();
        for cut in [1, 3, usize::MAX] {
            let (end, rest) = play(open(), &[(HELLO, &[5, 0]), (REQUEST, &reply)], cut);
            end.unwrap();
            assert_eq!(rest, "220 mail.example ESMTP\r\n");
        }
    }

    #[test]
    fn every_refusal_has_its_name_even_if_the_reply_is_cut_off() {
        for (code, name) in [
            (1, "general failure"),
            (2, "connection not allowed by its rules"),
            (3, "network unreachable"),
            (4, "host unreachable"),
            (5, "connection refused"),
            (6, "TTL expired"),
            (7, "command not supported"),
            (8, "address type not supported"),
            (9, "SOCKS reply 9"),
            (255, "SOCKS reply 255"),
        ] {
            for reply in [&[5, code][..], &[5, code, 0, 1, 0, 0, 0, 0, 0, 0]] {
                let exchange: &[(&[u8], &[u8])] = &[(HELLO, &[5, 0]), (REQUEST, reply)];
                let (end, _) = play(open(), exchange, usize::MAX);
                let error = end.unwrap_err();
                assert_eq!(error.to_string(), format!("the proxy answered: {name}"));
            }
        }
    }

    #[test]
    fn methods_that_fit_nobody_are_told_apart() {
        let answer = |handshake: fn() -> Handshake, hello: &[u8], method| {
            end(handshake, &[(hello, &[5, method])]).unwrap_err()
        };
        for method in [NO_METHOD, PASSWORD] {
            let error = answer(open, HELLO, method);
            assert!(matches!(error, Error::CredentialsRequired), "{error}");
        }
        let error = answer(with_password, &[5, 2, 0, 2], NO_METHOD);
        assert!(matches!(error, Error::NoCommonMethod { .. }), "{error}");
        assert_eq!(error.to_string(), "the proxy takes no password");
        // GSSAPI, and one that is not assigned: neither was offered.
        for method in [1, 200] {
            let error = answer(with_password, &[5, 2, 0, 2], method);
            assert!(matches!(error, Error::Malformed { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_no_socks_proxy_is_seen_by_its_first_octet() {
        for (answer, shown) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "HTTP/1.1 400"),
            (b"220 mail.example\r\n", "220 mail.example"),
            (&[4, 90], "04 5a"),
            (&[0, 90], "00 5a"),
        ] {
            let (end, _) = play(open(), &[(HELLO, answer)], usize::MAX);
            let error = end.unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{error}");
            assert!(error.to_string().contains(shown), "{error}");
            let (end, _) = play(open(), &[(HELLO, answer)], 1);
            assert!(matches!(end, Err(Error::Malformed { .. })));
        }
        for reply in [&[4, 0][..], &[5, 0, 0, 2, 0, 0, 0, 0, 0, 0], &[5, 0, 0, 0, 0]] {
            let (end, _) = play(open(), &[(HELLO, &[5, 0]), (REQUEST, reply)], usize::MAX);
            assert!(matches!(end, Err(Error::Malformed { .. })), "{reply:?}");
        }
        let exchange: &[(&[u8], &[u8])] =
            &[(&[5, 2, 0, 2], &[5, 2]), (b"\x01\x04user\x04pass", &[9, 0])];
        assert!(matches!(end(with_password, exchange), Err(Error::Malformed { .. })));
    }

    #[test]
    fn an_answer_ahead_of_its_question_is_none() {
        let all = [&[5, 0][..], CONNECTED].concat();
        let (end, _) = play(open(), &[(HELLO, &all)], usize::MAX);
        assert!(matches!(end, Err(Error::Malformed { .. })));
        let (end, _) = play(with_password(), &[(&[5, 2, 0, 2], &[5, 2, 1])], usize::MAX);
        assert!(matches!(end, Err(Error::Malformed { .. })));
        // Before the first question has left.
        let mut handshake = open();
        handshake.output().sent(HELLO.len() - 1);
        handshake.input().push(&[5, 0]);
        let end = handshake.poll().unwrap().unwrap();
        assert!(matches!(end, Err(Error::Malformed { .. })));
    }

    #[test]
    fn an_end_at_any_octet_is_told_as_such() {
        let login: &[u8] = b"\x01\x04user\x04pass";
        let full: [(&[u8], &[u8]); 3] =
            [(&[5, 2, 0, 2], &[5, 2]), (login, &[1, 0]), (REQUEST, CONNECTED)];
        for step in 0..full.len() {
            for octets in 0..full[step].1.len() {
                let mut exchange = full[..=step].to_vec();
                exchange[step].1 = &full[step].1[..octets];
                let (end, _) = play(with_password(), &exchange, 1);
                assert!(matches!(end, Err(Error::Closed)), "{step} {octets}: {end:?}");
            }
        }
    }

    #[test]
    fn names_and_passwords_have_1_to_255_octets() {
        let begin = |user: &str, password: &str| {
            Handshake::socks5(NAMED, Some(&credentials(user, password))).err()
        };
        let (fits, exceeds) = ("ü".repeat(127), "ü".repeat(128));
        assert_eq!(begin(&fits, &fits), None);
        for (user, password, part, octets) in [
            ("", "p", Part::User, 0),
            ("u", "", Part::Password, 0),
            (&exceeds, "p", Part::User, 256),
            ("u", &exceeds, Part::Password, 256),
        ] {
            assert_eq!(begin(user, password), Some(SetupError::Length { part, octets }));
        }
    }

    #[test]
    fn the_trace_shows_no_credentials() {
        let mut handshake = with_password();
        handshake.output().sent(4);
        handshake.input().push(&[5, 2]);
        handshake.poll().unwrap();
        assert_eq!(handshake.output().show(), ["[secret, 11 octets]"]);
    }
}
