//! Trees that are put together and taken apart, and know at each moment which of them a node is in.
//!
//! Whether a link would make a loop is asked for each reference, and chains of replies may be as
//! long as the mailbox. So the path to the root is not walked: these are link-cut trees (Sleator
//! and Tarjan), where each question takes logarithmic time on average.

pub(super) const NONE: u32 = u32::MAX;

/// Each node is in a splay tree of a path that leads towards the root, sorted by depth.
#[derive(Debug, Default)]
pub(super) struct Forest {
    /// The parent of each in its tree.
    parents: Vec<u32>,
    splay: Vec<Splay>,
}

/// A node of a splay tree. The parent of the root of one is the node that its path hangs on.
#[derive(Debug, Clone, Copy)]
struct Splay {
    parent: u32,
    less: u32,
    more: u32,
}

impl Forest {
    /// Trees of one node each, so many.
    pub(super) fn new(nodes: usize) -> Self {
        let mut forest = Self::default();
        (0..nodes).for_each(|_| {
            forest.add();
        });
        forest
    }

    /// One more tree of one node.
    pub(super) fn add(&mut self) -> u32 {
        self.parents.push(NONE);
        self.splay.push(Splay { parent: NONE, less: NONE, more: NONE });
        // Nodes are fewer than the UIDs and references that 32 bits can number.
        u32::try_from(self.parents.len() - 1).unwrap_or(NONE)
    }

    /// The parent of each node, [`NONE`] for a root.
    pub(super) fn parents(&self) -> &[u32] {
        &self.parents
    }

    pub(super) fn parent(&self, node: u32) -> u32 {
        self.parents[node as usize]
    }

    /// Makes a root the child of a node, unless that is below it.
    pub(super) fn link(&mut self, root: u32, parent: u32) {
        if self.root(parent) != root {
            self.expose(root);
            self.splay[root as usize].parent = parent;
            self.parents[root as usize] = parent;
        }
    }

    /// Makes a node a root.
    pub(super) fn cut(&mut self, node: u32) {
        self.expose(node);
        let above = std::mem::replace(&mut self.splay[node as usize].less, NONE);
        if above != NONE {
            self.splay[above as usize].parent = NONE;
        }
        self.parents[node as usize] = NONE;
    }

    /// The root of the tree that a node is in.
    fn root(&mut self, node: u32) -> u32 {
        self.expose(node);
        let mut root = node;
        while self.splay[root as usize].less != NONE {
            root = self.splay[root as usize].less;
        }
        self.lift(root);
        root
    }

    /// Makes the path from the root to a node one splay tree, with the node on top.
    fn expose(&mut self, node: u32) {
        let (mut at, mut below) = (node, NONE);
        while at != NONE {
            self.lift(at);
            self.splay[at as usize].more = below;
            (below, at) = (at, self.splay[at as usize].parent);
        }
        self.lift(node);
    }

    /// Splays: rotates a node to the top of its splay tree.
    fn lift(&mut self, node: u32) {
        while let Some(parent) = self.above(node) {
            if let Some(grandparent) = self.above(parent) {
                let straight = (self.splay[grandparent as usize].less == parent)
                    == (self.splay[parent as usize].less == node);
                self.rotate(if straight { parent } else { node });
            }
            self.rotate(node);
        }
    }

    /// The parent in the same splay tree.
    fn above(&self, node: u32) -> Option<u32> {
        let parent = self.splay[node as usize].parent;
        let of = self.splay.get(parent as usize)?;
        (of.less == node || of.more == node).then_some(parent)
    }

    fn rotate(&mut self, node: u32) {
        let parent = self.splay[node as usize].parent;
        let above = self.splay[parent as usize].parent;
        if let Some(top) = self.splay.get_mut(above as usize) {
            if top.less == parent {
                top.less = node;
            } else if top.more == parent {
                top.more = node;
            }
        }
        let moved;
        if self.splay[parent as usize].less == node {
            moved = self.splay[node as usize].more;
            self.splay[parent as usize].less = moved;
            self.splay[node as usize].more = parent;
        } else {
            moved = self.splay[node as usize].less;
            self.splay[parent as usize].more = moved;
            self.splay[node as usize].less = parent;
        }
        if moved != NONE {
            self.splay[moved as usize].parent = parent;
        }
        self.splay[parent as usize].parent = node;
        self.splay[node as usize].parent = above;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_knows_the_roots_that_are_found_by_walking(
            steps in proptest::collection::vec((0_u32..12, 0_u32..12, any::<bool>()), 0..60)
        ) {
            let mut forest = Forest::new(12);
            let mut parents = [NONE; 12];
            let walk = |parents: &[u32; 12], mut node: u32| {
                while parents[node as usize] != NONE {
                    node = parents[node as usize];
                }
                node
            };
            for (node, parent, cut) in steps {
                if cut || parents[node as usize] != NONE {
                    forest.cut(node);
                    parents[node as usize] = NONE;
                } else {
                    forest.link(node, parent);
                    if walk(&parents, parent) != node {
                        parents[node as usize] = parent;
                    }
                }
                prop_assert_eq!(forest.parents(), &parents);
                for node in 0..12 {
                    prop_assert_eq!(forest.root(node), walk(&parents, node));
                }
            }
        }
    }
}
