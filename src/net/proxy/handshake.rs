//! What the handshakes with both kinds of proxy have in common. No IO: the driver moves the octets.

use bytes::Bytes;

use super::{Credentials, Error, SetupError, http, socks5};
use crate::fault::Fault;
use crate::machine::{Abandon, Machine, Wait};
use crate::wire::{Input, Output};

/// The server behind the proxy, as it is named to the proxy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) host: Host<'a>,
    pub(super) port: u16,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Host<'a> {
    Name(&'a str),
    /// In octets and as text.
    V4([u8; 4], &'a str),
    V6([u8; 16], &'a str),
}

/// One kind of proxy.
pub(super) trait Dialogue {
    /// Reads what has come and asks what is next. True once the tunnel is open; what is left in
    /// `input` then is the server's.
    fn step(&mut self, input: &mut Input, output: &mut Output) -> Result<bool, Error>;

    /// The proxy sends no more: what its half answer amounts to.
    fn ended(&mut self) -> Error {
        Error::Closed
    }
}

/// A handshake under way. Its only event is how it ended.
pub(super) struct Handshake {
    input: Input,
    output: Output,
    dialogue: Box<dyn Dialogue + Send>,
    ended: bool,
}

impl Handshake {
    pub(super) fn socks5(
        target: Target<'_>,
        credentials: Option<&Credentials>,
    ) -> Result<Self, SetupError> {
        Self::begin(|output| Ok(Box::new(socks5::Socks5::begin(target, credentials, output)?)))
    }

    pub(super) fn http(
        target: Target<'_>,
        credentials: Option<&Credentials>,
    ) -> Result<Self, SetupError> {
        Self::begin(|output| Ok(Box::new(http::Connect::begin(target, credentials, output)?)))
    }

    fn begin(
        begin: impl FnOnce(&mut Output) -> Result<Box<dyn Dialogue + Send>, SetupError>,
    ) -> Result<Self, SetupError> {
        // The proxy's password goes to the proxy, in TLS or not: both protocols are made so.
        let mut output = Output::new(true);
        let dialogue = begin(&mut output)?;
        Ok(Self { input: Input::default(), output, dialogue, ended: false })
    }

    /// What the server behind the proxy has said already.
    pub(super) fn into_rest(mut self) -> Bytes {
        self.input.cut_all()
    }
}

impl Machine for Handshake {
    type Event = Result<(), Error>;

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    fn poll(&mut self) -> Result<Option<Self::Event>, Fault> {
        let asked = if self.output.is_empty() { Ok(()) } else { unasked(&self.input) };
        let step = asked.and_then(|()| self.dialogue.step(&mut self.input, &mut self.output));
        Ok(match step {
            Ok(true) => Some(Ok(())),
            Ok(false) if self.ended => Some(Err(self.dialogue.ended())),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        })
    }

    fn eof(&mut self) {
        self.ended = true;
    }

    /// The time for dialling bounds the handshake as a whole.
    fn wait(&self) -> Wait {
        Wait::Rest
    }

    fn in_flight(&self) -> bool {
        true
    }

    fn abandon(&mut self) -> Abandon {
        Abandon::Close
    }
}

/// An answer that came before its question is none: what follows it could be taken for the words of
/// the server behind the proxy.
pub(super) fn unasked(input: &Input) -> Result<(), Error> {
    match input.unread() {
        [] => Ok(()),
        unasked => Err(Error::malformed("nothing, as nothing was asked", unasked)),
    }
}

/// Plays `chunks` to a handshake, whole or octet by octet: how it ends, and what is left.
#[cfg(test)]
pub(super) fn play(
    mut handshake: Handshake,
    exchange: &[(&[u8], &[u8])],
    cut: usize,
) -> (Result<(), Error>, Bytes) {
    for (asked, answer) in exchange {
        assert_eq!(
            String::from_utf8_lossy(handshake.output.unsent()),
            String::from_utf8_lossy(asked)
        );
        handshake.output.sent(asked.len());
        for (at, chunk) in answer.chunks(cut).enumerate() {
            handshake.input.push(chunk);
            if let Some(end) = handshake.poll().unwrap() {
                let rest = answer.get((at + 1).saturating_mul(cut)..).unwrap_or_default();
                handshake.input.push(rest);
                return (end, handshake.into_rest());
            }
        }
    }
    handshake.eof();
    let end = handshake.poll().unwrap().unwrap();
    (end, handshake.into_rest())
}
