//! The policy of the bed's Postfix for recipients that are greylisted: whoever is asked about for
//! the first time is to come again (the protocol is that of Postfix's `check_policy_service`).

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Starts it, and says on which port of loopback. It ends with the tests.
pub(super) fn start() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let known = Arc::new(Mutex::new(HashSet::new()));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let known = known.clone();
            thread::spawn(move || answer(stream, &known));
        }
    });
    Ok(port)
}

fn answer(stream: TcpStream, known: &Mutex<HashSet<String>>) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut recipient = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if let Some(asked) = line.strip_prefix("recipient=") {
            recipient = asked.to_owned();
        } else if line.is_empty() {
            let new =
                known.lock().unwrap_or_else(PoisonError::into_inner).insert(recipient.clone());
            let action = match new {
                true => "450 4.7.1 Greylisted, please try again in 300 seconds",
                false => "DUNNO",
            };
            writer.write_all(format!("action={action}\n\n").as_bytes())?;
        }
    }
    Ok(())
}
