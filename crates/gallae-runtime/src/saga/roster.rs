//! Who runs sagas, and how the partitions are shared among them: pure functions of the list of leases.

use gallae_ports::{Lease, PARTITIONS, Partitions};
use std::collections::BTreeSet;

const NODE: &str = "node/";
const PARTITION: &str = "saga/";

/// The lease by which a node says that it runs sagas.
pub(super) fn node_lease(node: &str) -> String {
    format!("{NODE}{node}")
}

/// The lease of a partition.
pub(super) fn partition_lease(partition: u16) -> String {
    format!("{PARTITION}{partition:03}")
}

/// The partition that a lease is of.
pub(super) fn partition_of(lease: &str) -> Option<u16> {
    lease.strip_prefix(PARTITION)?.parse().ok().filter(|partition| *partition < PARTITIONS)
}

/// What a node does about its share.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Balance {
    /// Nodes that run sagas, this one among them.
    pub(super) nodes: usize,
    /// How many partitions to give back.
    pub(super) surplus: usize,
    /// Partitions to ask for.
    pub(super) wanted: Vec<u16>,
    /// Partitions among them whose owner has let its lease run out.
    pub(super) abandoned: Partitions,
}

/// Shares are as even as can be; those of the first nodes by name are one larger. A node gives back what it holds beyond its share
/// and asks for what is free, beginning at a place of its own so that two nodes seldom ask for the same.
pub(super) fn balance(leases: &[Lease], me: &str, held: &Partitions) -> Balance {
    let lives = |lease: &&Lease| !lease.owner.is_empty() && !lease.left.is_zero();
    let mut nodes: BTreeSet<&str> =
        leases.iter().filter(lives).filter_map(|lease| lease.name.strip_prefix(NODE)).collect();
    nodes.insert(me);
    let (count, place) = (nodes.len(), nodes.iter().position(|node| *node == me).unwrap_or_default());
    let all = usize::from(PARTITIONS);
    let share = all / count + usize::from(place < all % count);

    let (mut taken, mut abandoned) = (*held, Partitions::NONE);
    for lease in leases {
        let Some(partition) = partition_of(&lease.name) else { continue };
        // What this node owns by the store and does not know of, it owned before it was restarted.
        if lives(&lease) && lease.owner != me {
            taken.insert(partition);
        } else if !lease.owner.is_empty() && lease.owner != me {
            abandoned.insert(partition);
        }
    }
    let from = all / count * place + place.min(all % count);
    let rotated = (0..all).map(|offset| ((from + offset) % all) as u16);
    let missing = share.saturating_sub(held.len());
    let wanted = rotated.filter(|partition| !taken.contains(*partition)).take(missing).collect();
    Balance { nodes: count, surplus: held.len().saturating_sub(share), wanted, abandoned }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gallae_core::Timestamp;
    use std::time::Duration;

    fn lease(name: &str, owner: &str, left: u64) -> Lease {
        let left = Duration::from_secs(left);
        Lease { name: name.into(), owner: owner.into(), epoch: 1, until: Timestamp::default(), left }
    }

    fn node(name: &str, left: u64) -> Lease {
        lease(&node_lease(name), name, left)
    }

    #[test]
    fn one_node_alone_takes_everything() {
        let balance = balance(&[], "a", &Partitions::NONE);
        assert_eq!((balance.nodes, balance.wanted.len(), balance.surplus), (1, 256, 0));
    }

    #[test]
    fn shares_differ_by_one_at_most_and_add_up() {
        let leases = [node("a", 5), node("b", 5), node("c", 5), node("gone", 0)];
        let wanted = ["a", "b", "c"].map(|me| balance(&leases, me, &Partitions::NONE).wanted);
        assert_eq!([86, 85, 85], [wanted[0].len(), wanted[1].len(), wanted[2].len()]);
        let together: BTreeSet<_> = wanted.iter().flatten().collect();
        assert_eq!(together.len(), 256, "they ask for different ones");
    }

    #[test]
    fn what_another_node_holds_is_not_asked_for_until_it_runs_out_or_is_released() {
        let others = |left| (0..256).map(move |n| lease(&partition_lease(n), "b", left)).collect::<Vec<_>>();
        let nodes = [node("a", 5), node("b", 5)];
        let live = [nodes.to_vec(), others(5)].concat();
        assert!(balance(&live, "a", &Partitions::NONE).wanted.is_empty());
        assert_eq!(balance(&live, "b", &Partitions::ALL).surplus, 128);
        let dead = [vec![node("a", 5), node("b", 0)], others(0)].concat();
        let taken = balance(&dead, "a", &Partitions::NONE);
        assert_eq!((taken.nodes, taken.wanted.len(), taken.abandoned.len()), (1, 256, 256));
        let mut released = live;
        released.push(lease(&partition_lease(9), "", 0));
        released.retain(|lease| lease.name != "saga/009" || lease.owner.is_empty());
        let free = balance(&released, "a", &Partitions::NONE);
        assert_eq!((free.wanted, free.abandoned.len()), (vec![9], 0));
    }

    #[test]
    fn a_restarted_node_asks_for_what_it_still_owns() {
        let leases = [node("a", 5), lease("saga/007", "a", 5), lease("projection:x", "a", 5)];
        assert!(balance(&leases, "a", &Partitions::NONE).wanted.contains(&7));
        assert!(!balance(&leases, "a", &[7].into_iter().collect()).wanted.contains(&7));
    }
}
