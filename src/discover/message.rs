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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::rdata::SRV;
    use simple_dns::{ResourceRecord, TYPE};

    use super::*;

    const NAME: &str = "_imaps._tcp.a.example";

    fn good() -> Vec<u8> {
        let asked = question(7, NAME).unwrap();
        let mut reply = Packet::parse(&asked).unwrap().into_reply();
        for at in 0..3 {
            let target = Name::new("imap.a.example").unwrap();
            let record = SRV { priority: at, weight: 0, port: 993, target };
            let owner = Name::new(NAME).unwrap();
            reply.answers.push(ResourceRecord::new(owner, CLASS::IN, 60, RData::SRV(record)));
        }
        reply.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn a_question_is_for_srv_records_of_the_internet_with_recursion() {
        let octets = question(0x1234, NAME).unwrap();
        assert_eq!(octets[..12], [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(octets[octets.len() - 4..], [0, 33, 0, 1]);
        assert_eq!(Packet::parse(&octets).unwrap().questions[0].qtype, TYPE::SRV.into());
    }

    #[test]
    fn a_good_answer_is_read() {
        assert!(matches!(answer(&good(), 7, NAME), Answer::Records(records) if records.len() == 3));
        assert!(matches!(answer(&good(), 8, NAME), Answer::NotOurs));
        assert!(matches!(answer(&good(), 7, "_imap._tcp.a.example"), Answer::NotOurs));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..600)) {
            answer(&octets, 7, NAME);
            // The same behind a head and a question that are right.
            let mut behind = question(7, NAME).unwrap();
            behind[2] |= 0x80;
            if let Some(counts) = octets.first_chunk::<6>() {
                behind[6..12].copy_from_slice(&counts.map(|octet| octet & 3));
            }
            behind.extend_from_slice(&octets);
            answer(&behind, 7, NAME);
        }

        #[test]
        fn a_good_answer_with_wrong_octets_is_read_without_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            length in any::<prop::sample::Index>(),
        ) {
            let mut octets = good();
            for (at, octet) in changes {
                let at = at.index(octets.len());
                octets[at] = octet;
            }
            answer(&octets, 7, NAME);
            octets.truncate(length.index(octets.len() + 1));
            answer(&octets, 7, NAME);
        }
    }
}
