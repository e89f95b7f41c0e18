//! Questions and answers of the DNS (RFC 1035 section 4).

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, TYPE};

use super::{LookupError, Srv};

/// Octets of the head of a message.
const HEAD: usize = 12;

/// The least octets of a record: the root, type, class, time to live, length.
const LEAST_RECORD: usize = 11;

// RFC 1035 section 4.1.1.
const NO_ERROR: u8 = 0;
const NO_SUCH_NAME: u8 = 3;

/// How many aliases are followed. Resolvers stop earlier.
const ALIASES: usize = 16;

/// A question for the SRV records of `name`.
pub(super) fn question(id: u16, name: &str) -> Result<Vec<u8>, LookupError> {
    let name = Name::new(name).map_err(|_| LookupError::Malformed)?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(name, TYPE::SRV.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(|_| LookupError::Malformed)
}

/// What a message is worth to whoever asked.
#[derive(Debug)]
pub(super) enum Answer {
    /// It answers another question, or none: somebody guesses, or an old answer arrived late.
    NotOurs,
    /// There is more of it than fits a datagram; it comes by TCP.
    Truncated,
    /// The records; none if there is no such name.
    Records(Vec<Srv>),
    /// It answers, and says nothing that can be used.
    Failed(LookupError),
}

/// Reads a message that came in answer to this question.
pub(super) fn answer(message: &[u8], id: u16, name: &str) -> Answer {
    if !echoes(message, id, name) {
        return Answer::NotOurs;
    }
    // A message that was cut may end anywhere.
    if message.get(2).is_some_and(|flags| flags & 0x02 != 0) {
        return Answer::Truncated;
    }
    if !holds_what_it_claims(message) {
        return Answer::Failed(LookupError::Malformed);
    }
    let Ok(packet) = Packet::parse(message) else {
        return Answer::Failed(LookupError::Malformed);
    };
    match message.get(3).map_or(0, |flags| flags & 0x0f) {
        NO_ERROR => Answer::Records(records(&packet, name)),
        NO_SUCH_NAME => Answer::Records(Vec::new()),
        code => Answer::Failed(LookupError::Refused(code.into())),
    }
}

/// Whether the head and the question are those of an answer to ours. Everything else may be wrong
/// with it. The question comes back octet by octet, but for the case of its letters.
fn echoes(message: &[u8], id: u16, name: &str) -> bool {
    let Ok(asked) = question(id, name) else { return false };
    let (Some(head), Some(asked_head)) = (message.get(..HEAD), asked.get(..HEAD)) else {
        return false;
    };
    let (Some(section), Some(sent)) = (message.get(HEAD..asked.len()), asked.get(HEAD..)) else {
        return false;
    };
    let response = head.get(2).is_some_and(|flags| flags & 0xf8 == 0x80);
    head.get(..2) == asked_head.get(..2)
        && head.get(4..6) == asked_head.get(4..6)
        && response
        && section.eq_ignore_ascii_case(sent)
}

/// Whether the message is long enough for the records its head announces, so that no room is made
/// for what cannot be there.
fn holds_what_it_claims(message: &[u8]) -> bool {
    let counts = message.get(6..HEAD).unwrap_or_default().chunks_exact(2);
    let records: usize = counts
        .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
        .map(|pair| usize::from(u16::from_be_bytes(pair)))
        .sum();
    records.saturating_mul(LEAST_RECORD) <= message.len()
}

/// The records of the name, or of the name it is an alias of.
fn records(packet: &Packet<'_>, name: &str) -> Vec<Srv> {
    let Ok(asked) = Name::new(name) else { return Vec::new() };
    let mut owner = &asked;
    for _ in 0..ALIASES {
        let own = packet
            .answers
            .iter()
            .filter(|record| record.class == CLASS::IN && same(&record.name, owner));
        let found: Vec<Srv> = own
            .clone()
            .filter_map(|record| match &record.rdata {
                RData::SRV(srv) => {
                    let target = if srv.target.get_labels().is_empty() {
                        ".".to_owned()
                    } else {
                        srv.target.to_string()
                    };
                    Some(Srv::new(srv.priority, srv.weight, srv.port, target))
                }
                _ => None,
            })
            .collect();
        if !found.is_empty() {
            return found;
        }
        let alias = own.clone().find_map(|record| match &record.rdata {
            RData::CNAME(alias) => Some(&alias.0),
            _ => None,
        });
        match alias {
            Some(next) => owner = next,
            None => return Vec::new(),
        }
    }
    Vec::new()
}

/// Names are the same in any case (RFC 4343).
fn same(one: &Name<'_>, other: &Name<'_>) -> bool {
    one.get_labels().len() == other.get_labels().len()
        && one.as_bytes().zip(other.as_bytes()).all(|(one, other)| one.eq_ignore_ascii_case(other))
}
