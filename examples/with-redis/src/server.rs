//! A token endpoint that rotates the refresh token at each use, and counts the use of old ones. A
//! real one would take that for theft and end the sign-in.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// The refresh token that is good is `r` and this number.
    pub rotated: usize,
    pub reused: usize,
}

pub struct Server {
    pub address: SocketAddr,
    count: Arc<Mutex<Count>>,
}

impl Server {
    /// Serves until the program ends.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = Self { address: listener.local_addr()?, count: Arc::default() };
        let count = server.count.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let count = count.clone();
                std::thread::spawn(move || answer(connection, &count));
            }
        });
        Ok(server)
    }

    pub fn count(&self) -> Count {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(mut connection: TcpStream, count: &Mutex<Count>) -> io::Result<()> {
    let mut reader = BufReader::new(&connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(io::Error::other)?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut form = String::new();
    reader.take(length).read_to_string(&mut form)?;
    let given = form.split('&').find_map(|field| field.strip_prefix("refresh_token="));

    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, body) = if given == Some(&*format!("r{}", count.rotated)) {
        count.rotated += 1;
        let number = count.rotated;
        // An access token so short-lived that the next caller wants another.
        let body = format!(
            r#"{{"token_type":"Bearer","expires_in":1,"access_token":"a{number}","refresh_token":"r{number}"}}"#
        );
        ("200 OK", body)
    } else {
        count.reused += 1;
        ("400 Bad Request", r#"{"error":"invalid_grant"}"#.to_owned())
    };
    drop(count);
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}
