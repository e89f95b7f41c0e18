//! THREAD REFERENCES, RFC 5256 section 3, in its six steps and without recursion.

use std::collections::HashMap;

use super::forest::{Forest, NONE};
use super::{Entry, Placed};

/// The threads of these messages, which are in the order of the mailbox.
pub(crate) fn threads(entries: &[Entry]) -> Vec<Placed> {
    let parents = link(entries);
    let mut tree = Tree::prune(entries, &parents);
    tree.merge_subjects();
    tree.sort();
    tree.placed()
}

/// Step 1: who is whose parent. First come the messages, then dummies for those that are only
/// referred to.
fn link(entries: &[Entry]) -> Vec<u32> {
    // Which node has a Message-ID. Of messages that have the same, the first has it.
    let mut nodes: HashMap<u32, u32> = HashMap::new();
    for (entry, node) in entries.iter().zip(0..) {
        if let Some(id) = entry.id {
            nodes.entry(id).or_insert(node);
        }
    }
    let mut forest = Forest::new(entries.len());
    for (entry, node) in entries.iter().zip(0..) {
        // Step 1.A.
        let mut last = NONE;
        for id in &entry.references {
            let referred = *nodes.entry(*id).or_insert_with(|| forest.add());
            if last != NONE && forest.parent(referred) == NONE {
                forest.link(referred, last);
            }
            last = referred;
        }
        // Step 1.B.
        if forest.parent(node) != last {
            if forest.parent(node) != NONE {
                forest.cut(node);
            }
            if last != NONE {
                forest.link(node, last);
            }
        }
    }
    forest.parents().to_vec()
}

/// Threads: at their tops, and only there, are dummies.
struct Tree<'a> {
    entries: &'a [Entry],
    /// The children of each message, and behind them those of each dummy that is left.
    children: Vec<Vec<u32>>,
    tops: Vec<u32>,
}

impl<'a> Tree<'a> {
    /// Steps 2 and 3: takes out the dummies, but for those that hold threads together.
    fn prune(entries: &'a [Entry], parents: &[u32]) -> Self {
        let is_dummy = |node: u32| node as usize >= entries.len();
        // The nearest above each that is not taken out, in the order of `top_down`.
        let mut nearest = vec![NONE; parents.len()];
        let mut children = vec![Vec::new(); parents.len()];
        for node in top_down(parents) {
            let parent = parents[node as usize];
            let above = match parent {
                NONE => NONE,
                parent if is_dummy(parent) && nearest[parent as usize] != NONE => {
                    nearest[parent as usize]
                }
                parent => parent,
            };
            nearest[node as usize] = above;
            if above != NONE && !is_dummy(node) {
                children[above as usize].push(node);
            }
        }
        let mut tops = Vec::new();
        for (node, _) in (0..).zip(parents).filter(|(_, parent)| **parent == NONE) {
            match (is_dummy(node), &children[node as usize][..]) {
                (true, []) => {}
                (true, [only]) => tops.push(*only),
                _ => tops.push(node),
            }
        }
        let mut tree = Self { entries, children, tops };
        // Step 4 sorts the children of dummies, since the first speaks for all.
        for top in tree.tops.clone() {
            if tree.is_dummy(top) {
                tree.sort_children(top);
            }
        }
        tree
    }

    fn is_dummy(&self, node: u32) -> bool {
        node as usize >= self.entries.len()
    }

    /// The message that speaks for a node: a dummy has its first child for that.
    fn speaker(&self, node: u32) -> Option<&'a Entry> {
        let entries = self.entries;
        let first = || entries.get(*self.children[node as usize].first()? as usize);
        entries.get(node as usize).or_else(first)
    }

    fn age(&self, node: u32) -> Option<(i64, u32)> {
        self.speaker(node).map(|entry| (entry.sent, entry.uid))
    }

    /// The subject of a thread, if it has one.
    fn subject(&self, top: u32) -> Option<&'a str> {
        let subject = self.speaker(top)?.subject.as_str();
        (!subject.is_empty()).then_some(subject)
    }

    fn is_reply(&self, node: u32) -> bool {
        self.entries.get(node as usize).is_some_and(|entry| entry.is_reply)
    }

    fn sort_children(&mut self, node: u32) {
        let mut children = std::mem::take(&mut self.children[node as usize]);
        children.sort_by_key(|child| self.age(*child));
        self.children[node as usize] = children;
    }

    /// Step 5: joins threads of the same subject.
    fn merge_subjects(&mut self) {
        self.sort_tops();
        // Steps 5.A and 5.B.
        let mut table: HashMap<&str, u32> = HashMap::new();
        for top in &self.tops {
            let Some(subject) = self.subject(*top) else { continue };
            let known = table.entry(subject).or_insert(*top);
            let is_better = self.is_dummy(*top) || self.is_reply(*known) && !self.is_reply(*top);
            if !self.is_dummy(*known) && is_better {
                *known = *top;
            }
        }
        // Step 5.C.
        let mut moved = vec![false; self.children.len()];
        for top in std::mem::take(&mut self.tops) {
            if moved[top as usize] {
                continue;
            }
            let known = self.subject(top).and_then(|subject| table.get_mut(subject));
            let Some(known) = known.filter(|known| **known != top) else {
                self.tops.push(top);
                continue;
            };
            moved[top as usize] = true;
            match (self.is_dummy(*known), self.is_dummy(top)) {
                (true, true) => {
                    let children = std::mem::take(&mut self.children[top as usize]);
                    self.children[*known as usize].extend(children);
                }
                (true, false) => self.children[*known as usize].push(top),
                _ if self.is_reply(top) && !self.is_reply(*known) => {
                    self.children[*known as usize].push(top);
                }
                _ => {
                    moved[*known as usize] = true;
                    let dummy = u32::try_from(self.children.len()).unwrap_or(NONE);
                    self.children.push(vec![*known, top]);
                    moved.push(false);
                    self.tops.push(dummy);
                    *known = dummy;
                }
            }
        }
        self.tops.retain(|top| !moved[*top as usize]);
    }

    /// Step 6. Only dummies are sorted by their children, and are at the tops.
    fn sort(&mut self) {
        for node in 0..self.children.len() {
            self.sort_children(u32::try_from(node).unwrap_or(NONE));
        }
        self.sort_tops();
    }

    fn sort_tops(&mut self) {
        let mut tops = std::mem::take(&mut self.tops);
        tops.sort_by_key(|top| self.age(*top));
        self.tops = tops;
    }

    /// The messages, each before its children.
    fn placed(&self) -> Vec<Placed> {
        let mut placed = Vec::new();
        let mut open: Vec<(u32, u32)> = self.tops.iter().rev().map(|top| (*top, 0)).collect();
        while let Some((node, level)) = open.pop() {
            placed.push((self.entries.get(node as usize).map_or(0, |entry| entry.uid), level));
            let children = self.children[node as usize].iter().rev();
            open.extend(children.map(|child| (*child, level + 1)));
        }
        placed
    }
}

/// All nodes, each behind its parent.
fn top_down(parents: &[u32]) -> Vec<u32> {
    // Where the children of each begin in a list of all children, and end.
    let mut ends = vec![0; parents.len() + 1];
    for parent in parents.iter().filter(|parent| **parent != NONE) {
        ends[*parent as usize + 1] += 1;
    }
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    let mut next = ends.clone();
    let mut children = vec![0; ends[parents.len()]];
    let mut order = Vec::with_capacity(parents.len());
    for (node, parent) in (0_u32..).zip(parents) {
        match parents.get(*parent as usize) {
            Some(_) => {
                children[next[*parent as usize]] = node;
                next[*parent as usize] += 1;
            }
            None => order.push(node),
        }
    }
    let mut at = 0;
    while let Some(node) = order.get(at).copied() {
        order.extend_from_slice(&children[ends[node as usize]..next[node as usize]]);
        at += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message by its number, its references, its subject and when it was sent. Its Message-ID
    /// is its number.
    fn entry(uid: u32, references: &[u32], subject: &str, sent: i64) -> Entry {
        let (subject, is_reply) = match subject.strip_prefix("re:") {
            Some(subject) => (subject, true),
            None => (subject, false),
        };
        Entry {
            uid,
            id: Some(uid),
            references: references.to_vec(),
            subject: subject.to_owned(),
            is_reply,
            sent,
        }
    }

    /// `3@0 6@1` for message 3 and its reply 6.
    fn shown(entries: &[Entry]) -> String {
        let placed = threads(entries);
        placed.iter().map(|(uid, level)| format!("{uid}@{level}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_tree_of_the_example_in_rfc_5256_comes_of_the_references_that_say_so() {
        // Section 4: (2)(3 6 (4 23)(44 7 96)).
        let entries = [
            entry(2, &[], "", 1),
            entry(3, &[], "", 2),
            entry(4, &[3, 6], "", 4),
            entry(6, &[3], "", 3),
            entry(7, &[3, 6, 44], "", 6),
            entry(23, &[4], "", 5),
            entry(44, &[6], "", 5),
            entry(96, &[7], "", 9),
        ];
        assert_eq!(shown(&entries), "2@0 3@0 6@1 4@2 23@3 44@2 7@3 96@4");
        // ((3)(5)): siblings of a parent that is not there.
        let entries = [entry(3, &[1], "", 1), entry(5, &[1], "", 2)];
        assert_eq!(shown(&entries), "0@0 3@1 5@1");
    }

    #[test]
    fn a_message_that_is_not_there_stays_only_where_it_holds_a_thread_together() {
        // 8 and 9 are not there: one reply takes the place of 8, and 9 is in the middle.
        let entries = [entry(1, &[8], "", 1), entry(2, &[1, 9], "", 2)];
        assert_eq!(shown(&entries), "1@0 2@1");
        let entries = [entry(1, &[7, 8, 9], "", 2), entry(2, &[7], "", 1)];
        assert_eq!(shown(&entries), "0@0 2@1 1@1");
    }

    #[test]
    fn the_last_reference_is_the_parent_whatever_others_have_said() {
        // 2 says that 4 replies to 1; 4 itself knows better.
        let entries = [
            entry(1, &[], "", 1),
            entry(2, &[1, 4], "", 4),
            entry(3, &[], "", 2),
            entry(4, &[3], "", 3),
        ];
        assert_eq!(shown(&entries), "1@0 3@0 4@1 2@2");
        let entries = [entry(1, &[], "", 1), entry(2, &[1, 4], "", 4), entry(4, &[], "", 3)];
        assert_eq!(shown(&entries), "1@0 4@0 2@1");
    }

    #[test]
    fn references_that_go_round_make_no_loop() {
        let entries = [entry(1, &[2], "", 1), entry(2, &[1], "", 2)];
        assert_eq!(shown(&entries), "2@0 1@1");
        let entries = [entry(1, &[1], "", 1), entry(2, &[1, 2, 1, 2], "", 2)];
        assert_eq!(shown(&entries), "1@0 2@0");
    }

    #[test]
    fn of_messages_with_the_same_id_the_first_has_the_replies() {
        let mut twin = entry(2, &[], "", 2);
        twin.id = Some(1);
        let entries = [entry(1, &[], "", 1), twin, entry(3, &[1], "", 3)];
        assert_eq!(shown(&entries), "1@0 3@1 2@0");
    }

    #[test]
    fn threads_of_one_subject_are_joined() {
        // A reply below what it replies to, whichever comes first.
        let entries = [entry(1, &[], "re:pears", 1), entry(2, &[], "pears", 2)];
        assert_eq!(shown(&entries), "2@0 1@1");
        // Two that are no replies, or both, side by side.
        let entries = [entry(1, &[], "pears", 2), entry(2, &[], "pears", 1)];
        assert_eq!(shown(&entries), "0@0 2@1 1@1");
        let entries =
            [entry(1, &[], "re:pears", 3), entry(2, &[], "re:pears", 1), entry(3, &[], "", 2)];
        assert_eq!(shown(&entries), "0@0 2@1 1@1 3@0");
        // One with a thread that lacks its first message, and two of these.
        let lacking = [entry(1, &[9], "re:pears", 4), entry(2, &[9], "re:pears", 1)];
        let [one, two] = &lacking;
        let entries = [one.clone(), two.clone(), entry(3, &[], "pears", 2)];
        assert_eq!(shown(&entries), "0@0 2@1 3@1 1@1");
        let entries = [
            one.clone(),
            two.clone(),
            entry(3, &[8], "re:pears", 3),
            entry(4, &[8], "re:pears", 2),
            entry(5, &[], "pears", 5),
        ];
        assert_eq!(shown(&entries), "0@0 2@1 4@1 3@1 1@1 5@1");
        // No subject is none in common.
        let entries = [entry(1, &[], "", 1), entry(2, &[], "", 1)];
        assert_eq!(shown(&entries), "1@0 2@0");
    }

    #[test]
    fn a_hundred_thousand_replies_to_replies_are_one_thread_in_whatever_order_they_lie() {
        const DEPTH: u32 = 100_000;
        // Coprime to the depth, so that each comes once.
        for step in [1, DEPTH - 1, 61_803] {
            let mut entries: Vec<_> = (0..DEPTH)
                .map(|at| {
                    u32::try_from(u64::from(at) * u64::from(step) % u64::from(DEPTH)).unwrap()
                })
                .map(|at| entry(at + 1, if at == 0 { &[] } else { &[0] }, "", i64::from(at)))
                .collect();
            for entry in &mut entries {
                entry.references.iter_mut().for_each(|id| *id = entry.uid - 1);
            }
            let placed = threads(&entries);
            assert!(placed.iter().zip(0..).all(|(placed, at)| *placed == (at + 1, at)), "{step}");
        }
    }

    #[test]
    fn long_chains_that_are_told_again_and_again_take_no_time() {
        // Each message cuts the one before out of a chain of 50,000 and hangs it up elsewhere.
        let chain: Vec<u32> = (100_000..150_000).collect();
        let mut entries = vec![entry(1, &chain, "", 1)];
        for uid in 2..50_000 {
            entries.push(entry(uid, &[149_999, uid + 1, 149_998, uid], "", 1));
        }
        assert_eq!(threads(&entries).iter().filter(|(uid, _)| *uid != 0).count(), entries.len());
    }

    proptest! {
        #[test]
        fn every_message_is_in_one_thread_once(
            entries in proptest::collection::vec(
                (proptest::option::of(0_u32..12), proptest::collection::vec(0_u32..12, 0..5), 0_u8..4, 0_i64..5),
                0..16
            )
        ) {
            let entries: Vec<_> = entries.into_iter().zip(1..).map(|((id, references, subject, sent), uid)| {
                let subject = ["", "a", "re:a", "b"][usize::from(subject)];
                Entry { id, ..entry(uid, &references, subject, sent) }
            }).collect();
            let placed = threads(&entries);
            let mut uids: Vec<_> = placed.iter().map(|(uid, _)| *uid).filter(|uid| *uid != 0).collect();
            uids.sort_unstable();
            prop_assert_eq!(uids, (1..=entries.len() as u32).collect::<Vec<_>>());
            let mut before = None;
            for (at, (uid, level)) in placed.iter().enumerate() {
                prop_assert!(before.map_or(*level == 0, |before| *level <= before + 1));
                // What is not there holds at least two together.
                if *uid == 0 {
                    prop_assert_eq!(*level, 0);
                    let thread = placed[at + 1..].iter().take_while(|(_, level)| *level > 0);
                    prop_assert!(thread.filter(|(_, level)| *level == 1).count() >= 2);
                }
                before = Some(*level);
            }
        }
    }
}
