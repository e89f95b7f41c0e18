//! A conversation with a server by hand, line by line, to check the bed itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use mailbearer::{Endpoint, Protocol, Security};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// An open connection under TLS, its greeting read.
pub(crate) struct Raw {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    protocol: Protocol,
    greeting: String,
}

impl Raw {
    /// Connects and, where the endpoint says so, goes through STARTTLS. Panics on any surprise.
    pub(crate) fn connect(endpoint: &Endpoint, ca_pem: &str) -> Self {
        let mut socket = TcpStream::connect((endpoint.host(), endpoint.port())).expect("connects");
        // Only a hang meets this; no assertion depends on it.
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("sets a time limit");
        let mut greeting = String::new();
        if endpoint.security() == Security::StartTls {
            let mut clear = BufReader::new(&mut socket);
            clear.read_line(&mut greeting).expect("greets");
            start_tls(&mut clear, endpoint.protocol());
        }

        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("a certificate"))
            .expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(endpoint.host().to_owned()).expect("a name");
        let tls = ClientConnection::new(Arc::new(config), name).expect("a TLS client");
        let mut raw = Self {
            stream: BufReader::new(StreamOwned::new(tls, socket)),
            protocol: endpoint.protocol(),
            greeting,
        };
        if endpoint.security() == Security::ImplicitTls {
            raw.greeting = raw.line();
        }
        raw
    }

    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        assert!(line.ends_with("\r\n"), "the server closed the connection after {line:?}");
        line.truncate(line.len() - 2);
        line
    }

    /// Exactly `length` octets.
    pub(crate) fn octets(&mut self, length: usize) -> Vec<u8> {
        let mut octets = vec![0; length];
        self.stream.read_exact(&mut octets).expect("octets");
        octets
    }

    /// Writes a line and reads the reply: for SMTP to its last line, for IMAP to the one with the
    /// tag or a continuation, for POP3 one line.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        let tag = line.split(' ').next().unwrap_or_default();
        self.say(line);
        let mut last = self.line();
        while match self.protocol {
            Protocol::Smtp => last.as_bytes().get(3) == Some(&b'-'),
            Protocol::Imap => {
                !(last.starts_with('+') || (!tag.is_empty() && last.starts_with(tag)))
            }
            _ => false,
        } {
            last = self.line();
        }
        last
    }

    /// Writes a line and reads nothing.
    pub(crate) fn say(&mut self, line: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("writes");
        stream.flush().expect("writes");
    }
}

fn start_tls(clear: &mut BufReader<&mut TcpStream>, protocol: Protocol) {
    let (before, ask, ready) = match protocol {
        Protocol::Smtp => ("EHLO client.test\r\n", "STARTTLS\r\n", "220 "),
        Protocol::Imap => ("", "a0 STARTTLS\r\n", "a0 OK"),
        _ => ("", "STLS\r\n", "+OK"),
    };
    let mut line = String::new();
    clear.get_mut().write_all(before.as_bytes()).expect("writes");
    while !before.is_empty() && line.as_bytes().get(3) != Some(&b' ') {
        line.clear();
        clear.read_line(&mut line).expect("an EHLO line");
    }
    clear.get_mut().write_all(ask.as_bytes()).expect("writes");
    line.clear();
    clear.read_line(&mut line).expect("an answer to STARTTLS");
    assert!(line.starts_with(ready), "STARTTLS refused: {line}");
    assert!(clear.buffer().is_empty(), "octets before TLS");
}
