//! A search among more messages than a line can name, taken to pieces.

use super::key::{Search, Token};
use crate::imap::UidSet;

impl Search {
    /// Takes out the longest set of UIDs, if there is one.
    ///
    /// Every other key says of each message for itself whether it matches. So what is found with a
    /// set is what is found with any piece of it or, within NOT, what is found with each piece.
    pub(super) fn take_uids(&mut self) -> Option<(UidSet, Joined)> {
        let mut nesting = Nesting::default();
        let mut longest: Option<(&mut UidSet, Joined)> = None;
        for token in &mut self.tokens {
            nesting.step(token);
            if let Token::Uids(set) = token {
                let ranges = set.ranges().count();
                if longest.as_ref().is_none_or(|(other, _)| other.ranges().count() < ranges) {
                    longest = Some((set, nesting.within));
                }
            }
        }
        longest.map(|(set, joined)| (std::mem::take(set), joined))
    }

    /// Whether messages are named by a set, which may be long.
    pub(super) fn names_messages(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Uids(_) | Token::Numbers(_)))
    }

    /// The same with this set where one was taken out.
    pub(super) fn with_uids(&self, uids: UidSet) -> Self {
        let mut search = self.clone();
        let taken = |token: &&mut Token| matches!(token, Token::Uids(set) if set.is_empty());
        if let Some(token) = search.tokens.iter_mut().find(taken) {
            *token = Token::Uids(uids);
        }
        search
    }
}

/// How what was found with each piece of a set makes what is found with all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Joined {
    /// What was found with any of them.
    #[default]
    Any,
    /// What was found with each of them: the set is negated.
    Each,
}

/// Whether a key is negated, token by token. Without recursion, so that no depth is too much.
#[derive(Debug, Default)]
struct Nesting {
    /// What the last key that began lies within.
    within: Joined,
    /// Of each key and parenthesis that is open: how many keys still belong to it, `None` for those
    /// up to the parenthesis, and what these lie within.
    open: Vec<(Option<u8>, Joined)>,
}

impl Nesting {
    fn step(&mut self, token: &Token) {
        match token {
            Token::Word(_) | Token::FuzzyIfOffered | Token::Numbers(_) | Token::Open => {
                self.within = self.open.last().map_or(Joined::Any, |(_, within)| *within);
                match (token, self.within) {
                    (Token::Open, within) => self.open.push((None, within)),
                    (Token::Word("OR"), within) => self.open.push((Some(2), within)),
                    (Token::Word("FUZZY") | Token::FuzzyIfOffered, within) => {
                        self.open.push((Some(1), within));
                    }
                    (Token::Word("NOT"), Joined::Any) => self.open.push((Some(1), Joined::Each)),
                    (Token::Word("NOT"), Joined::Each) => self.open.push((Some(1), Joined::Any)),
                    _ => self.complete(),
                }
            }
            Token::Close => {
                self.open.pop();
                self.complete();
            }
            _ => {}
        }
    }

    /// A key is complete, and with it those of which it was the last.
    fn complete(&mut self) {
        while let Some((Some(left), _)) = self.open.last_mut() {
            *left = left.saturating_sub(1);
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_set_is_taken_out_wherever_it_is_and_whether_it_is_negated_is_known() {
        use Joined::{Any, Each};
        let all = Search::all;
        let set = |text: &str| Search::all().uids(UidSet::parse(text).unwrap());
        for (search, expected, joined) in [
            (set("1,3").unseen().not(all().seen().draft()).and(set("5,7,9")), "5,7,9", Any),
            (all().not(all().flagged()).and(set("4")), "4", Any),
            (all().or(all().not(set("1")), set("2,4")).and(set("3")), "2,4", Any),
            (all().or(set("2"), all().not(set("1,3"))), "1,3", Each),
            (all().not(all().from("x").and(set("1")).seen()).draft(), "1", Each),
            (all().not(all().not(set("1"))), "1", Any),
            (all().not(all().or(all().seen(), all().not(set("1").old()))), "1", Any),
            (all().not(all().or(all().not(all().seen()), set("1").old())), "1", Each),
            (all().not(all().or(all().seen(), all().old())).and(set("1")), "1", Any),
            (Search::any_of([all().not(set("1")), set("3"), set("5,7")]), "5,7", Any),
            (all().not(all().fuzzy(all().seen())).and(set("1")), "1", Any),
            (all().not(all().fuzzy_if_offered(set("1").seen())).old(), "1", Each),
        ] {
            let mut taken = search.clone();
            let (uids, found) = taken.take_uids().unwrap();
            assert_eq!((uids.to_string().as_str(), found), (expected, joined), "{search:?}");
            assert_eq!(taken.with_uids(uids), search);
        }
        assert_eq!(all().seen().take_uids(), None);
    }

    /// Whether the message of this UID matches keys that are SEEN for an even one, NOT, OR and sets.
    fn matches(tokens: &mut std::slice::Iter<'_, Token>, uid: u32) -> bool {
        match tokens.next().unwrap() {
            Token::Word("NOT") => !matches(tokens, uid),
            Token::Word("OR") => matches(tokens, uid) | matches(tokens, uid),
            Token::Word("UID") => matches(tokens, uid),
            Token::Word(_) => uid.is_multiple_of(2),
            Token::Uids(set) => set.contains(crate::imap::Uid::new(uid).unwrap()),
            Token::Open => {
                let mut all = true;
                while !matches!(tokens.as_slice().first(), Some(Token::Close)) {
                    all &= matches(tokens, uid);
                }
                tokens.next();
                all
            }
            other => panic!("{other:?}"),
        }
    }

    fn any_search() -> impl Strategy<Value = Search> {
        let sets = proptest::collection::vec(1_u32..12, 1..6).prop_map(|uids| {
            Search::all()
                .uids(uids.into_iter().filter_map(crate::imap::Uid::new).collect::<UidSet>())
        });
        let leaf = prop_oneof![Just(Search::all().seen()), sets];
        leaf.prop_recursive(5, 24, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|search| Search::all().not(search)),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| one.and(other)),
                (inner.clone(), inner).prop_map(|(one, other)| Search::all().or(one, other)),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_pieces_of_a_set_find_together_what_the_set_finds(search in any_search()) {
            let found = |search: &Search, uid| {
                let mut whole = Search::default();
                whole.tokens.push(Token::Open);
                whole.tokens.extend(search.tokens.iter().cloned());
                whole.tokens.push(Token::Close);
                matches(&mut whole.tokens.iter(), uid)
            };
            let mut rest = search.clone();
            if let Some((uids, joined)) = rest.take_uids() {
                let pieces: Vec<_> =
                    uids.split(0).into_iter().map(|piece| rest.with_uids(piece)).collect();
                for uid in 1..14 {
                    let together = match joined {
                        Joined::Any => pieces.iter().any(|piece| found(piece, uid)),
                        Joined::Each => pieces.iter().all(|piece| found(piece, uid)),
                    };
                    prop_assert_eq!(together, found(&search, uid), "{} of {:?}", uid, search);
                }
            }
        }
    }
}
