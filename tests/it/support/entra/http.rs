//! As much of HTTP/1.1 as the server needs: one request on each connection.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use rustls::{ServerConnection, StreamOwned};

use crate::support::tls;

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(super) form: Vec<(String, String)>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        value(&self.form, name)
    }

    fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (method, path, query) = (method.to_owned(), path.to_owned(), decoded(query));
        let mut headers = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let request = Self { method, path, query, headers, form: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok());
        let mut body = String::new();
        reader.take(length.unwrap_or(0)).read_to_string(&mut body)?;
        Ok(Self { form: decoded(&body), ..request })
    }
}

/// The value of the first of this name.
pub(super) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[derive(Debug, Clone)]
pub(super) struct Response {
    status: &'static str,
    headers: Vec<(String, String)>,
    body: String,
}

impl Response {
    pub(super) fn new(status: &'static str, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Self { status, headers: headers.collect(), body: body.into() }
    }

    pub(super) fn json(status: &'static str, body: &serde_json::Value) -> Self {
        let headers = [("Content-Type", "application/json; charset=utf-8")];
        Self::new(status, &headers, &body.to_string())
    }
}

pub(super) fn serve_tls(stream: TcpStream, answer: impl Fn(Request) -> Response) -> io::Result<()> {
    let session = ServerConnection::new(tls::server()).map_err(io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(session, stream));
    let response = answer(Request::read(&mut reader)?);
    let mut stream = reader.into_inner();
    write(&mut stream, &response)?;
    stream.conn.send_close_notify();
    stream.flush()
}

pub(super) fn serve(stream: TcpStream, answer: impl Fn(Request) -> Response) -> io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let response = answer(Request::read(&mut reader)?);
    write(&mut &stream, &response)
}

fn write(stream: &mut impl Write, response: &Response) -> io::Result<()> {
    let Response { status, headers, body } = response;
    let mut head = format!("HTTP/1.1 {status}\r\nCache-Control: no-store, no-cache\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// The pairs of a query or a form.
pub(super) fn decoded(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name), plain(value))
    };
    pairs.map(pair).collect()
}

fn plain(encoded: &str) -> String {
    let text = encoded.replace('+', " ");
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(octet) if *first == b'%' => {
                octets.push(octet);
                rest = &after[2..];
            }
            _ => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(octets).expect("forms are UTF-8")
}
