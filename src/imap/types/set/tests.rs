use super::*;
use proptest::prelude::*;

#[test]
fn a_set_too_long_for_a_line_is_split_and_no_piece_is_longer_than_it_may_be() {
    let set = UidSet::parse("1:5,9,12:14,20,4294967295,*").unwrap();
    let split = |octets| -> Vec<_> { set.split(octets).iter().map(ToString::to_string).collect() };
    assert_eq!(split(100), ["1:5,9,12:14,20,4294967295,*"]);
    assert_eq!(split(11), ["1:5,9,12:14", "20", "4294967295", "*"]);
    assert_eq!(split(12), ["1:5,9,12:14", "20", "4294967295,*"]);
    assert_eq!(split(0).len(), 6);
    assert!(UidSet::default().split(100).is_empty());
}

fn canonical(text: &str) -> String {
    UidSet::parse(text).unwrap().to_string()
}

#[test]
fn ranges_are_turned_sorted_and_joined() {
    assert_eq!(canonical("5:1"), "1:5");
    assert_eq!(canonical("9,5:1,6"), "1:6,9");
    assert_eq!(canonical("1:5,2:3,3:9"), "1:9");
    assert_eq!(canonical("4294967295,4294967294"), "4294967294:4294967295");
}

#[test]
fn an_open_range_takes_in_what_lies_above_and_beside_it() {
    assert_eq!(canonical("*:4,5:7"), "4:*");
    assert_eq!(canonical("1,3:9,5:*"), "1,3:*");
    assert_eq!(canonical("1:4,5:*"), "1:*");
    assert_eq!(canonical("7:*,3:*"), "3:*");
    assert_eq!(canonical("*,2"), "2,*");
    assert_eq!(canonical("*:*"), "*");
    assert_eq!(canonical("*,2:*"), "2:*");
}

#[test]
fn what_is_no_set_is_refused() {
    for bad in ["", "0", "1:0", "a", "1,,2", "1:", ":", "-1", "1 ,2", "4294967296", "1:2:3"] {
        assert!(UidSet::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(UidSet::parse("x").unwrap_err().to_string(), "not a set of message numbers: \"x\"");
}

#[test]
fn membership_follows_the_ranges() {
    let set = UidSet::parse("3:5,9:*").unwrap();
    let holds = |uid| set.contains(Uid::new(uid).unwrap());
    assert!(holds(3) && holds(5) && holds(9) && holds(1000));
    assert!(!holds(2) && !holds(6));
    assert!(!UidSet::parse("*").unwrap().contains(Uid::new(1).unwrap()));
}

#[test]
fn sequence_numbers_make_sets_as_uids_do() {
    let number = |number| NonZeroU32::new(number).unwrap();
    assert_eq!(SeqSet::from_on(number(7)).to_string(), "7:*");
    assert_eq!(SeqSet::from(number(7)).to_string(), "7");
    assert_eq!(SeqSet::from(number(7)..=number(9)).to_string(), "7:9");
    let mut set = SeqSet::from(&[number(4), number(2)][..]);
    set.extend([number(3), number(9)]);
    assert_eq!(SeqSet::from(&set).to_string(), "2:4,9");
    assert_eq!(set.ranges().collect::<Vec<_>>(), [number(2)..=number(4), number(9)..=number(9)]);
}

#[test]
fn an_empty_collection_is_an_empty_set() {
    let set: UidSet = std::iter::empty().collect();
    assert!(set.is_empty());
    assert_eq!(set.to_string(), "");
}

proptest! {
    #[test]
    fn what_is_split_is_the_same_set_when_joined(
        numbers in proptest::collection::vec(1_u32..500, 0..60), octets in 0_usize..50
    ) {
        let set: UidSet = numbers.into_iter().filter_map(Uid::new).collect();
        let sets = set.split(octets);
        for piece in &sets {
            let text = piece.to_string();
            prop_assert!(text.len() <= octets || piece.0.closed.len() == 1, "{}", text);
        }
        let joined = sets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        prop_assert_eq!(joined, set.to_string());
    }

    #[test]
    fn text_and_set_are_inverse(uids in proptest::collection::vec(1_u32..200, 1..40)) {
        let set: UidSet = uids.iter().copied().filter_map(Uid::new).collect();
        prop_assert_eq!(UidSet::parse(&set.to_string()).unwrap(), set.clone());
        for uid in (1..200).filter_map(Uid::new) {
            prop_assert_eq!(set.contains(uid), uids.contains(&uid.get()));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[0-9:,*]{0,40}") {
        if let Ok(set) = UidSet::parse(&text) {
            prop_assert_eq!(UidSet::parse(&set.to_string()).unwrap(), set);
        }
    }
}
