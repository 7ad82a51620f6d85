//! In which order the operations of a bulk request are carried out.
//!
//! As they were sent, but none before what it needs: the POSTs that it refers to, and earlier operations on the same
//! resource. POSTs that refer to each other in a circle are one unit, to be carried out together. All of it is loops
//! over lists: a chain of thousands of references costs no stack.
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// The operations, by index, in units that are carried out one after the other; `needs` says of each what comes before it.
pub(super) fn units(needs: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let circles = circles(needs);
    let mut unit_of = vec![0; needs.len()];
    for (unit, operations) in circles.iter().enumerate() {
        for operation in operations {
            set(&mut unit_of, *operation, unit);
        }
    }
    let unit_of = |operation: &usize| unit_of.get(*operation).copied().unwrap_or_default();
    let mut waiting: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); circles.len()];
    let mut waited_for: Vec<Vec<usize>> = vec![Vec::new(); circles.len()];
    for (operation, needed) in needs.iter().enumerate() {
        let unit = unit_of(&operation);
        for other in needed.iter().map(unit_of).filter(|other| *other != unit) {
            if waiting.get_mut(unit).is_some_and(|waiting| waiting.insert(other))
                && let Some(list) = waited_for.get_mut(other)
            {
                list.push(unit);
            }
        }
    }
    let first = |unit: usize| circles.get(unit).and_then(|operations| operations.first()).copied();
    let mut left: Vec<usize> = waiting.iter().map(BTreeSet::len).collect();
    let ready = left.iter().enumerate().filter(|(_, left)| **left == 0);
    let mut ready: BinaryHeap<_> = ready.map(|(unit, _)| Reverse((first(unit), unit))).collect();
    let mut order = Vec::with_capacity(circles.len());
    while let Some(Reverse((_, unit))) = ready.pop() {
        order.extend(circles.get(unit).cloned());
        for waiting in waited_for.get(unit).into_iter().flatten() {
            if let Some(left) = left.get_mut(*waiting) {
                *left -= 1;
                if *left == 0 {
                    ready.push(Reverse((first(*waiting), *waiting)));
                }
            }
        }
    }
    order
}

fn set(list: &mut [usize], at: usize, value: usize) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

/// The strongly connected components (Tarjan), each sorted.
fn circles(needs: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let mut search = Search {
        number: vec![NEW; needs.len()],
        low: vec![NEW; needs.len()],
        open: vec![false; needs.len()],
        stack: Vec::new(),
        next: 0,
    };
    let mut found = Vec::new();
    for start in 0..needs.len() {
        if search.number.get(start) != Some(&NEW) {
            continue;
        }
        search.enter(start);
        let mut path = vec![(start, needs.get(start).into_iter().flatten())];
        while let Some((at, edges)) = path.last_mut() {
            let at = *at;
            if let Some(&to) = edges.next() {
                if search.number.get(to) == Some(&NEW) {
                    search.enter(to);
                    path.push((to, needs.get(to).into_iter().flatten()));
                } else if search.open.get(to) == Some(&true) {
                    let number = search.number.get(to).copied().unwrap_or(NEW);
                    search.lower(at, number);
                }
                continue;
            }
            path.pop();
            if let Some((before, _)) = path.last() {
                let low = search.low.get(at).copied().unwrap_or(NEW);
                search.lower(*before, low);
            }
            if search.low.get(at) == search.number.get(at) {
                found.push(search.close(at));
            }
        }
    }
    found
}

struct Search {
    number: Vec<usize>,
    low: Vec<usize>,
    open: Vec<bool>,
    stack: Vec<usize>,
    next: usize,
}

impl Search {
    fn enter(&mut self, at: usize) {
        set(&mut self.number, at, self.next);
        set(&mut self.low, at, self.next);
        self.next += 1;
        if let Some(open) = self.open.get_mut(at) {
            *open = true;
        }
        self.stack.push(at);
    }

    fn lower(&mut self, at: usize, to: usize) {
        if let Some(low) = self.low.get_mut(at) {
            *low = (*low).min(to);
        }
    }

    fn close(&mut self, root: usize) -> Vec<usize> {
        let mut circle = Vec::new();
        while let Some(at) = self.stack.pop() {
            if let Some(open) = self.open.get_mut(at) {
                *open = false;
            }
            circle.push(at);
            if at == root {
                break;
            }
        }
        circle.sort_unstable();
        circle
    }
}
