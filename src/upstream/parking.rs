//! Where requests wait while no node of a pool takes any.
//!
//! They leave in the order in which they came: one when a node was found to be back, then two for every one that was
//! served, so that the node gets no more than it has shown it can take, and soon all there is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// The line of a pool.
#[derive(Debug, Default)]
pub struct Parking {
    line: Mutex<Line>,
    /// How many are in it, for those who only want to know whether anybody is.
    length: AtomicUsize,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    /// Those who wait, by their numbers; the waker of each that has been asked.
    waiting: BTreeMap<u64, Option<Waker>>,
}

/// A place in the line; left on drop.
#[derive(Debug)]
pub struct Ticket {
    parking: Arc<Parking>,
    number: u64,
}

impl Parking {
    /// Joins the line at its end; `None` if `longest` are in it.
    pub fn join(self: &Arc<Self>, longest: usize) -> Option<Ticket> {
        let mut line = self.line.lock();
        if line.waiting.len() >= longest {
            return None;
        }
        let number = line.next;
        line.next += 1;
        line.waiting.insert(number, None);
        self.length.store(line.waiting.len(), Ordering::Relaxed);
        drop(line);
        Some(Ticket { parking: Arc::clone(self), number })
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets the first `count` go.
    pub fn release(&self, count: usize) {
        if self.is_empty() {
            return;
        }
        let mut wakers = Vec::new();
        {
            let mut line = self.line.lock();
            for _ in 0..count {
                let Some((_, waker)) = line.waiting.pop_first() else { break };
                wakers.extend(waker);
            }
            self.length.store(line.waiting.len(), Ordering::Relaxed);
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    fn leave(&self, number: u64) {
        let mut line = self.line.lock();
        line.waiting.remove(&number);
        self.length.store(line.waiting.len(), Ordering::Relaxed);
    }
}

impl Ticket {
    /// Ready when it is this one's turn.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.parking.line.lock().waiting.get_mut(&self.number) {
            Some(waker) => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// Joins the line again, at its end: the turn was of no use, and may be of use to others.
    pub fn rejoin(&mut self) {
        let mut line = self.parking.line.lock();
        line.waiting.remove(&self.number);
        self.number = line.next;
        line.next += 1;
        line.waiting.insert(self.number, None);
        self.parking.length.store(line.waiting.len(), Ordering::Relaxed);
    }

    /// Leaves the line before its turn.
    pub fn leave(&self) {
        self.parking.leave(self.number);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicU32);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_released(ticket: &Ticket) -> bool {
        ticket.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn first_come_first_served() {
        let parking = Arc::new(Parking::default());
        let mut tickets: Vec<_> = (0..4).map(|_| parking.join(10).expect("room")).collect();
        parking.release(2);
        assert_eq!(tickets.iter().map(is_released).collect::<Vec<_>>(), [true, true, false, false]);
        tickets[1].rejoin();
        parking.release(1);
        assert_eq!(tickets.iter().map(is_released).collect::<Vec<_>>(), [true, false, true, false]);
        tickets[3].leave();
        assert_eq!(parking.len(), 1);
    }

    #[test]
    fn a_release_wakes() {
        let (parking, counter) = (Arc::new(Parking::default()), Arc::new(Counter::default()));
        let waker = Waker::from(Arc::clone(&counter));
        let ticket = parking.join(1).expect("room");
        assert!(ticket.poll(&mut Context::from_waker(&waker)).is_pending());
        parking.release(5);
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        assert!(is_released(&ticket));
    }

    proptest! {
        /// The line is never longer than it may be, whoever leaves is gone, and nobody is left behind.
        #[test]
        fn line_is_bounded_and_empties(steps in prop::collection::vec((0u8..4, 0usize..8), 1..200)) {
            let parking = Arc::new(Parking::default());
            let mut tickets = Vec::new();
            for (step, which) in steps {
                match step {
                    0 | 1 => tickets.extend(parking.join(5)),
                    2 => parking.release(which),
                    _ if tickets.is_empty() => {}
                    _ => drop(tickets.swap_remove(which % tickets.len())),
                }
                let waiting = tickets.iter().filter(|ticket| !is_released(ticket)).count();
                prop_assert_eq!(parking.len(), waiting);
                prop_assert!(waiting <= 5);
            }
            parking.release(usize::MAX);
            prop_assert!(tickets.iter().all(is_released));
        }
    }
}
