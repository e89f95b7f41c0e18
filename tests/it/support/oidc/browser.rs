//! The person at the browser, without a browser: follows redirects, keeps cookies, fills forms.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A browser that knows the pages of oidc-provider and no others.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
}

/// What a server sent.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
    url: String,
    location: Option<String>,
    cookies: Vec<(String, String)>,
}

/// What the person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Approve,
    Decline,
}

impl Browser {
    /// Opens the URL, signs in under this name, and decides. Gives the last page: the one of the
    /// program that waits on a loopback port, or the server's own last words.
    pub(crate) fn sign_in(mut self, url: &str, name: &str, choice: Choice) -> Page {
        let mut page = self.open(url, None);
        // A code to confirm, a login, a consent: no way has more pages.
        for _ in 0..6 {
            let Some(form) = Form::first_of(&page.body) else { return page };
            let mut fields = form.fields;
            if choice == Choice::Decline && page.body.contains("name=\"abort\"") {
                // The answer offers the form for another code.
                fields.push(("abort".into(), "yes".into()));
                return self.submit(&page, &form.action, &fields);
            }
            let link = page.body.split('"').find(|part| part.ends_with("/abort"));
            if let (Choice::Decline, Some(link)) = (choice, link) {
                return self.open(&join(&page.url, link), None);
            }
            for (field, value) in &mut fields {
                match field.as_str() {
                    "login" => *value = name.into(),
                    "password" => *value = "any".into(),
                    _ => {}
                }
            }
            page = self.submit(&page, &form.action, &fields);
        }
        panic!("the sign-in came to no end: {}", page.body);
    }

    fn submit(&mut self, page: &Page, action: &str, fields: &[(String, String)]) -> Page {
        let fields: Vec<_> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        self.open(&join(&page.url, action), Some(&fields))
    }

    fn open(&mut self, url: &str, form: Option<&[(&str, &str)]>) -> Page {
        let mut page = self.send(url, form);
        for _ in 0..12 {
            self.cookies.extend(page.cookies.drain(..));
            let Some(location) = page.location.take() else { return page };
            page = self.send(&join(&page.url, &location), None);
        }
        panic!("too many redirects, the last to {}", page.url);
    }

    /// One request and its answer.
    pub(crate) fn send(&self, url: &str, form: Option<&[(&str, &str)]>) -> Page {
        let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("not loopback: {url}"));
        let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let target = if target.starts_with('/') { target.into() } else { format!("/{target}") };
        let cookies: Vec<_> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let body = form.map(encoded).unwrap_or_default();
        let method = if form.is_some() { "POST" } else { "GET" };
        // HTTP/1.0: the body ends with the connection, in one piece.
        let request = format!(
            "{method} {target} HTTP/1.0\r\nHost: {host}\r\nAccept: text/html\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            cookies.join("; "),
            body.len()
        );
        let mut connection = TcpStream::connect(host).expect("the server listens");
        connection.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the server answers");
        Page::read(url, &answer)
    }
}

impl Page {
    fn read(url: &str, answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
        let mut page = Self {
            status: status.parse().expect("a status"),
            body: body.to_owned(),
            url: url.to_owned(),
            location: None,
            cookies: Vec::new(),
        };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "location" => page.location = Some(value.to_owned()),
                "set-cookie" => {
                    let cookie = value.split(';').next().unwrap_or_default();
                    let (name, value) = cookie.split_once('=').expect("a cookie");
                    page.cookies.push((name.to_owned(), value.to_owned()));
                }
                _ => {}
            }
        }
        page
    }
}

struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    fn first_of(page: &str) -> Option<Self> {
        let form = page.split_once("<form")?.1.split("</form>").next()?;
        let (head, content) = form.split_once('>')?;
        let inputs = content.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
        let fields = inputs
            .filter(|input| attribute(input, "type").as_deref() != Some("submit"))
            .filter_map(|input| {
                Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
            });
        Some(Self { action: attribute(head, "action")?, fields: fields.collect() })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
    Some(value.replace("&amp;", "&").replace("&quot;", "\""))
}

fn join(base: &str, reference: &str) -> String {
    if reference.starts_with("http://") {
        return reference.to_owned();
    }
    let origin: Vec<_> = base.splitn(4, '/').take(3).collect();
    assert!(reference.starts_with('/'), "a reference of a form unknown here: {reference}");
    origin.join("/") + reference
}

fn encoded(form: &[(&str, &str)]) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|octet| match plain(octet) {
                true => char::from(octet).to_string(),
                false => format!("%{octet:02X}"),
            })
            .collect()
    };
    let pairs: Vec<_> = form.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    pairs.join("&")
}
