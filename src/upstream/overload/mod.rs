//! Where requests wait while every node that nothing speaks against is full.
//!
//! The wait is short by design: whoever has waited for the target is told so (`503`), because a line that is longer than
//! that only makes everybody late. While all are served in time they go in the order in which they came; once one was not,
//! the newest go first, since the oldest are lost anyway ("Fail at Scale", Maurer 2015, and the target of CoDel, RFC 8289).
//! That cannot go on for ever: while the newest go first the oldest are lost even where all could be served in time, as where
//! every client waits for its answer before it asks again. So from time to time the oldest go first, until one is lost that
//! came since. What another node failed goes before what is new, and clients take turns ([`order`]).
//!
//! A place that becomes free gives one who waits a turn: the leave to try once more, at any node. Until the turn is used,
//! nobody who comes later gets that place, and one that is not used goes on to the next. Places that are of no use to
//! anybody who waits, as those at a node that has failed them all, are for whoever comes.
//!
//! A request whose session is at a node that is full waits here as well while another node has room, for its own alone. It
//! takes part in the turns of that node, keeps nobody from the others, and is not lost if its time is over: it moves.

mod lanes;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use smallvec::SmallVec;

use self::lanes::Lanes;
pub use self::lanes::{Rank, Waiting};
use self::order::First;
use super::NodeKey;

/// How long the newest go first after one was lost, in milliseconds.
const NEWEST_FIRST_FOR: u64 = 2_000;

/// The line of a pool.
#[derive(Debug, Default)]
pub struct OverloadLine {
    line: Mutex<Line>,
    /// How many wait or have a turn that they have not used, for those who only want to know whether anybody does.
    length: AtomicUsize,
}

/// A place in the line; left on drop, and a turn that was not used goes to the next.
#[derive(Debug)]
pub struct InLine {
    line: Arc<OverloadLine>,
    number: u64,
}

/// What became of one who waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// It may try once more.
    Turn,
    /// It waits no longer: it had to make room for another one, or is to move from its node.
    Shed,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    lanes: Lanes,
    /// Everyone who has a place, by their numbers.
    places: BTreeMap<u64, Entry>,
    /// Turns that are not used yet, by the nodes whose places they are for.
    turns: SmallVec<[(NodeKey, usize); 4]>,
    /// Places that became free while nobody waited, but a turn was not used yet.
    spare: SmallVec<[NodeKey; 4]>,
    first: First,
    /// When those who go first last changed from the oldest to the newest, in milliseconds of the clock.
    newest_since: u64,
    /// The first who came since it was last tried to let the oldest go first.
    judged_from: u64,
    /// When one was last lost, in milliseconds of the clock.
    lost_at: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    waiting: Waiting,
    state: State,
    /// Its waker, once it has been asked.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    HasTurn(NodeKey),
    Shed,
}

/// Those to be woken once the line is unlocked.
type Wakers = SmallVec<[Waker; 4]>;

impl OverloadLine {
    /// Joins the line at `now`; `None` if `longest` are in it and none of them has to make room, as nobody has to for one
    /// that could go elsewhere.
    pub fn join(self: &Arc<Self>, waiting: Waiting, longest: usize, now: u64) -> Option<InLine> {
        let number = self.with(|line, wakers| {
            line.reconsider(now);
            if line.lanes.len() >= longest {
                if waiting.only_for().is_some() {
                    return None;
                }
                line.lost_at = Some(now);
                let number = line.lanes.makes_room_for(&waiting)?;
                line.shed(number, wakers);
            }
            let number = line.next;
            line.next += 1;
            line.lanes.add(number, &waiting);
            line.places.insert(number, Entry { waiting, state: State::Waits, waker: None });
            line.use_spare(wakers);
            Some(number)
        })?;
        Some(InLine { line: Arc::clone(self), number })
    }

    /// Whether nobody waits and every turn was used: whoever comes may try at once, wherever there is room.
    pub fn is_idle(&self) -> bool {
        // Ordered with the count of what is at a node: whoever joins looks for room afterwards, and whoever makes room
        // looks here afterwards, so that one of them sees the other.
        self.length.load(Ordering::SeqCst) == 0
    }

    /// Whether the places at all nodes are for those who wait.
    pub fn keeps_all(&self) -> bool {
        !self.is_idle() && self.line.lock().lanes.want_any()
    }

    /// Whether the places at `node` are for those who wait, or have a turn there that they have not used.
    pub fn keeps(&self, node: NodeKey) -> bool {
        if self.is_idle() {
            return false;
        }
        let line = self.line.lock();
        line.turns.iter().any(|(key, _)| *key == node) || line.lanes.want(node)
    }

    /// The nodes that some wait for alone.
    pub fn only_for(&self) -> SmallVec<[NodeKey; 2]> {
        if self.is_idle() { SmallVec::new() } else { self.line.lock().lanes.only_for() }
    }

    /// Those who wait for `node` alone are to move.
    pub fn release(&self, node: NodeKey) {
        self.with(|line, wakers| {
            for number in line.lanes.release(node) {
                line.dismiss(number, wakers);
            }
        });
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        if self.is_idle() { 0 } else { self.line.lock().lanes.len() }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One was turned away at `now` that may not wait.
    pub fn turned_away(&self, now: u64) {
        self.line.lock().lost_at = Some(now);
    }

    /// Whether one was lost within `span` before `now`, all in milliseconds.
    pub fn lost_within(&self, span: u64, now: u64) -> bool {
        self.line.lock().lost_at.is_some_and(|lost_at| now.saturating_sub(lost_at) <= span)
    }

    /// A place at `node` is free again.
    pub fn freed(&self, node: NodeKey) {
        if self.is_idle() {
            return;
        }
        self.with(|line, wakers| {
            if !line.give_turn(node, wakers) && line.spare.len() < line.turns_out() {
                line.spare.push(node);
            }
        });
    }

    /// There is room for `room` at `node`: so many get a turn, less those who have one.
    pub fn offer(&self, node: NodeKey, room: usize) {
        if self.is_idle() {
            return;
        }
        self.with(|line, wakers| {
            let given = line.turns.iter().find(|(key, _)| *key == node).map_or(0, |(_, count)| *count);
            for _ in given..room {
                if !line.give_turn(node, wakers) {
                    break;
                }
            }
        });
    }

    /// Changes the line, and wakes those who have to know.
    fn with<T>(&self, change: impl FnOnce(&mut Line, &mut Wakers) -> T) -> T {
        let mut wakers = Wakers::new();
        let changed = {
            let mut line = self.line.lock();
            let changed = change(&mut line, &mut wakers);
            if line.lanes.is_empty() {
                line.first = First::Oldest;
            }
            self.length.store(line.lanes.len() + line.turns_out(), Ordering::SeqCst);
            changed
        };
        wakers.into_iter().for_each(Waker::wake);
        changed
    }
}

impl InLine {
    /// Ready when its turn has come, or never will.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<Called> {
        let mut line = self.line.line.lock();
        let Some(entry) = line.places.get_mut(&self.number) else { return Poll::Ready(Called::Shed) };
        match entry.state {
            State::HasTurn(_) => Poll::Ready(Called::Turn),
            State::Shed => Poll::Ready(Called::Shed),
            State::Waits => {
                if !entry.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    entry.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Whether its turn has come.
    pub fn has_turn(&self) -> bool {
        let line = self.line.line.lock();
        line.places.get(&self.number).is_some_and(|entry| matches!(entry.state, State::HasTurn(_)))
    }

    /// The turn was used: there was a place at this node. If it was not the one that the turn was for, that one is for the next.
    pub fn used(self, at: NodeKey) {
        self.line.with(|line, wakers| {
            if let Some(Entry { state: State::HasTurn(node), .. }) = line.places.remove(&self.number) {
                line.end_turn(node);
                if node != at {
                    line.give_turn(node, wakers);
                }
                line.use_spare(wakers);
            }
        });
    }

    /// The turn was of no use, and it waits where it did before. A turn for a node that it could never use goes to the next,
    /// and it gets no more of these.
    pub fn missed(&self, could_use: impl FnOnce(NodeKey) -> bool) {
        self.line.with(|line, wakers| {
            let Some(entry) = line.places.get_mut(&self.number) else { return };
            let State::HasTurn(node) = entry.state else { return };
            let could_use = could_use(node);
            let goes_on = could_use || entry.waiting.exclude(node);
            entry.state = if goes_on { State::Waits } else { State::Shed };
            entry.waker = None;
            if goes_on {
                line.lanes.put_back(self.number, &entry.waiting);
            }
            line.end_turn(node);
            if !could_use {
                line.give_turn(node, wakers);
            }
            line.use_spare(wakers);
        });
    }

    /// Its time is over at `now`: whether that was in vain. It was not if its turn has just come.
    pub fn is_in_vain(&self, now: u64) -> bool {
        self.line.with(|line, _| {
            let Some(entry) = line.places.get_mut(&self.number) else { return true };
            if entry.state == State::Waits {
                entry.state = State::Shed;
                line.lanes.remove(self.number, &entry.waiting);
                if entry.waiting.only_for().is_none() {
                    line.lose(self.number, now);
                }
                return true;
            }
            entry.state == State::Shed
        })
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.line.with(|line, wakers| {
            let Some(entry) = line.places.remove(&self.number) else { return };
            match entry.state {
                State::Waits => line.lanes.remove(self.number, &entry.waiting),
                State::Shed => {}
                State::HasTurn(node) => {
                    line.end_turn(node);
                    line.give_turn(node, wakers);
                    line.use_spare(wakers);
                }
            }
        });
    }
}

impl Line {
    /// Gives a turn to the first who can use a place at `node`; `false` if nobody waits who can.
    fn give_turn(&mut self, node: NodeKey, wakers: &mut Wakers) -> bool {
        let Some(number) = self.lanes.next(node, self.first) else { return false };
        let Some(entry) = self.places.get_mut(&number) else { return false };
        entry.state = State::HasTurn(node);
        wakers.extend(entry.waker.take());
        match self.turns.iter_mut().find(|(key, _)| *key == node) {
            Some((_, count)) => *count += 1,
            None => self.turns.push((node, 1)),
        }
        true
    }

    fn end_turn(&mut self, node: NodeKey) {
        if let Some((_, count)) = self.turns.iter_mut().find(|(key, _)| *key == node) {
            *count = count.saturating_sub(1);
        }
        self.turns.retain(|(_, count)| *count > 0);
    }

    fn turns_out(&self) -> usize {
        self.turns.iter().map(|(_, count)| count).sum()
    }

    /// Gives the turns that nobody waited for. Once no turn is out, who comes looks for room without being told.
    fn use_spare(&mut self, wakers: &mut Wakers) {
        while let Some(node) = self.spare.pop() {
            if !self.give_turn(node, wakers) {
                self.spare.push(node);
                break;
            }
        }
        self.spare.truncate(self.turns_out());
    }

    /// The newest have gone first for long enough: it may be that all are served in time again.
    fn reconsider(&mut self, now: u64) {
        if self.first == First::Newest && now.saturating_sub(self.newest_since) >= NEWEST_FIRST_FOR {
            self.first = First::Oldest;
            self.judged_from = self.next;
        }
    }

    /// One is lost, because its time is over.
    fn lose(&mut self, number: u64, now: u64) {
        self.lost_at = Some(now);
        self.reconsider(now);
        // Those who were passed over before are no sign that the line is too long now.
        if self.first == First::Oldest && number >= self.judged_from {
            self.first = First::Newest;
            self.newest_since = now;
        }
    }

    /// One waits no longer that has to make room for another.
    fn shed(&mut self, number: u64, wakers: &mut Wakers) {
        if let Some(entry) = self.places.get(&number) {
            self.lanes.remove(number, &entry.waiting);
        }
        self.dismiss(number, wakers);
    }

    /// One that is in no lane any more learns that it waits no longer.
    fn dismiss(&mut self, number: u64, wakers: &mut Wakers) {
        if let Some(entry) = self.places.get_mut(&number) {
            entry.state = State::Shed;
            wakers.extend(entry.waker.take());
        }
    }
}
