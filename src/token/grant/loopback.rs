//! The redirect URI of a program on the user's machine (RFC 8252 sections 7.3 and 8.3): a port on
//! the loopback interface, open for one sign-in.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Retry;
use crate::secret::Secret;
use crate::token::{ErrorKind, TokenError};

/// Where the browser comes back to.
#[derive(Debug)]
pub(crate) struct Loopback {
    listeners: Vec<TcpListener>,
    port: u16,
    path: String,
    patience: Duration,
}

/// A browser opens connections that it never uses, so several are read at the same time.
const CONNECTIONS: usize = 16;
const LONGEST_REQUEST: usize = 16 * 1024;
const SLOWEST_REQUEST: Duration = Duration::from_secs(10);

impl Loopback {
    /// Listens on 127.0.0.1 and, since a browser may take `localhost` for it, on ::1 if there is
    /// one.
    pub(crate) async fn open(port: u16, path: &str, patience: Duration) -> io::Result<Self> {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = first.local_addr()?.port();
        let mut listeners = vec![first];
        listeners.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok());
        Ok(Self { listeners, port, path: path.to_owned(), patience })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The browser, as it came back. Whatever is not ours is turned away.
    pub(crate) async fn wait(self, is_ours: impl Fn(&str) -> bool) -> Result<CameBack, TokenError> {
        match timeout(self.patience, self.serve(is_ours)).await {
            Ok(came_back) => Ok(came_back),
            Err(_) => Err(NobodyCame { after: self.patience }.into()),
        }
    }

    async fn serve(&self, is_ours: impl Fn(&str) -> bool) -> CameBack {
        let mut reading = JoinSet::new();
        loop {
            let (stream, target) = self.next_request(&mut reading).await;
            let (path, query) = target.expose().split_once('?').unwrap_or((target.expose(), ""));
            if path != self.path {
                // Browsers ask for /favicon.ico.
                answer(stream, "404 Not Found", "There is nothing here.").await;
            } else if !is_ours(query) {
                answer(stream, "400 Bad Request", "This is not the sign-in that was begun.").await;
            } else {
                return CameBack { query: Secret::new(query.to_owned()), stream };
            }
        }
    }

    /// Reads requests until one is whole.
    async fn next_request(&self, reading: &mut JoinSet<Option<Request>>) -> Request {
        poll_fn(|context| {
            loop {
                match reading.poll_join_next(context) {
                    Poll::Ready(Some(Ok(Some(request)))) => return Poll::Ready(request),
                    Poll::Ready(Some(_)) => continue,
                    Poll::Ready(None) | Poll::Pending => {}
                }
                if reading.len() >= CONNECTIONS {
                    return Poll::Pending;
                }
                let mut accepted = false;
                for listener in &self.listeners {
                    match listener.poll_accept(context) {
                        Poll::Ready(Ok((stream, _))) => {
                            reading.spawn(read(stream));
                            accepted = true;
                        }
                        // A connection that broke before it was taken: look again, but let others
                        // run first, since a lack of descriptors shows in the same way.
                        Poll::Ready(Err(_)) => context.waker().wake_by_ref(),
                        Poll::Pending => {}
                    }
                }
                if !accepted {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// A connection to answer on, and what was asked for: path and query.
type Request = (TcpStream, Secret<String>);

/// A browser that came back, and waits to be told what came of it.
pub(crate) struct CameBack {
    pub(crate) query: Secret<String>,
    stream: TcpStream,
}

impl CameBack {
    pub(crate) async fn tell(self, signed_in: bool) {
        let text = if signed_in {
            "You are signed in. You can close this page."
        } else {
            "You are not signed in. You can close this page: the program knows why."
        };
        answer(self.stream, "200 OK", text).await;
    }
}

/// Reads the head of a GET request. None for anything else.
async fn read(mut stream: TcpStream) -> Option<Request> {
    let mut head = Secret::new(Vec::with_capacity(LONGEST_REQUEST));
    let whole = async {
        loop {
            let octets = head.expose_mut();
            if octets.windows(4).any(|end| end == b"\r\n\r\n") {
                return Some(());
            }
            let room = (LONGEST_REQUEST - octets.len()) as u64;
            if (&mut stream).take(room).read_buf(octets).await.ok()? == 0 {
                return None;
            }
        }
    };
    timeout(SLOWEST_REQUEST, whole).await.ok()??;
    let line = head.expose().split(|octet| *octet == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if method != "GET" || !target.starts_with('/') || !version.starts_with("HTTP/1.") {
        answer(stream, "400 Bad Request", "Only GET is answered here.").await;
        return None;
    }
    let target = Secret::new(target.to_owned());
    Some((stream, target))
}

/// One small page. Nothing of the request is repeated in it, and the URL, which holds the code, is
/// not passed on.
async fn answer(mut stream: TcpStream, status: &str, text: &str) {
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign-in</title>\
         <p>{text}</p></html>"
    );
    let whole = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    // A browser that is gone has no need of it.
    let sent = async {
        let _ = stream.write_all(whole.as_bytes()).await;
        let _ = stream.shutdown().await;
    };
    let _ = timeout(SLOWEST_REQUEST, sent).await;
}

#[derive(Debug, thiserror::Error)]
#[error("the browser did not come back within {after:?}: begin the sign-in again")]
struct NobodyCame {
    after: Duration,
}

impl From<NobodyCame> for TokenError {
    fn from(cause: NobodyCame) -> Self {
        Self::of_kind(ErrorKind::CodeExpired, Retry::Never, cause)
    }
}
