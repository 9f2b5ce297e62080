//! Looking at the pools from time to time: whether each may lose its largest node, and what is wrong.
//!
//! What is wrong becomes an alarm, which the observer tells of: at once, and again until it ends.

mod look;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use self::look::Look;
use crate::clock;
use crate::generation::{Current, Generation};
use crate::incident::{Alarms, Masked, Notice, Rate, Ringing, Silence};
use crate::observe::Observer;
use crate::redundancy::State;

/// How often. What is wrong is told this much later at the most.
const INTERVAL: Duration = Duration::from_millis(200);

/// How often the counters are read, in milliseconds: each time all of them.
const COUNTING: u64 = 1_000;

/// Keeps an eye on the pools.
#[derive(Debug)]
pub struct Monitor {
    current: Arc<Current>,
    observer: Arc<Observer>,
    seen: Mutex<Seen>,
}

/// What is known of the pools.
#[derive(Debug, Default)]
struct Seen {
    pools: BTreeMap<String, Standing>,
    alarms: Alarms,
    masked: Masked,
    /// When `masked` was told last what has been counted.
    counted: u64,
}

/// How a pool stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whether it may lose its largest node.
    pub state: State,
    /// Why it may not; empty if it may.
    pub why: String,
    /// Since when it has been in this state, in milliseconds of the clock.
    pub since: u64,
    /// For how long it was not protected before, in milliseconds.
    exposed: u64,
    look: Look,
}

/// The work of looking; it ends on drop.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Monitor {
    /// A monitor of the pools in force, that has seen nothing yet; `alarms` are those that rang, and the silences that
    /// somebody asked for, before the process began.
    pub fn new(current: Arc<Current>, observer: Arc<Observer>, alarms: &Alarms) -> Self {
        let alarms = alarms.clone().resumed(clock::steady());
        Self { current, observer, seen: Mutex::new(Seen { alarms, ..Seen::default() }) }
    }

    /// Looks again and again, until what is returned is dropped.
    pub fn watch(self: &Arc<Self>) -> Watch {
        let monitor = Arc::clone(self);
        Watch(tokio::spawn(async move {
            loop {
                monitor.look();
                tokio::time::sleep(INTERVAL).await;
            }
        }))
    }

    /// How a pool stands; `None` before it was looked at.
    pub fn standing(&self, pool: &str) -> Option<Standing> {
        self.seen.lock().pools.get(pool).cloned()
    }

    /// How many requests of a pool retries saved in the time that the configuration asks about, and that time; `None` if
    /// it asks about none, or the pool is not known.
    pub fn masked(&self, pool: &str) -> Option<(Rate, Duration)> {
        let rule = self.current.load().config().alerts.masked?;
        let rate = self.seen.lock().masked.rate(pool, clock::millis(), rule.window)?;
        Some((rate, rule.window))
    }

    /// The alarms that ring, by pool.
    pub fn alarms(&self) -> Vec<Ringing> {
        self.seen.lock().alarms.iter().cloned().collect()
    }

    /// Who asked for no word about the alarms of a pool, while that holds.
    pub fn silence_of(&self, pool: &str) -> Option<Silence> {
        self.seen.lock().alarms.silence_of(pool, clock::steady()).cloned()
    }

    /// Tells nobody of the alarms of a pool until the silence ends; one whose end is past ends the one before.
    pub fn silence(&self, pool: &str, silence: Silence) {
        self.observer.silenced(pool, &silence);
        self.seen.lock().alarms.silence(pool, silence);
    }

    fn look(&self) {
        let (generation, now) = (self.current.load(), clock::millis());
        let mut wrong = Vec::new();
        let notices: Vec<Notice> = {
            let mut seen = self.seen.lock();
            self.count(&mut seen, &generation, now);
            wrong.extend(seen.masked.alarms(now, generation.config().alerts.masked));
            seen.keep(&generation, now);
            for pool in generation.pools() {
                let name = pool.name().as_str();
                let Some(standing) = seen.pools.get_mut(name) else { continue };
                let redundancy = standing.look.at(pool, now);
                let (state, why) = match &redundancy {
                    Some(redundancy) => (redundancy.state(), redundancy.why()),
                    None => (State::Protected, String::new()),
                };
                if standing.becomes(state, why, now) {
                    self.observer.redundancy(name, standing.state.as_str(), &standing.why);
                }
                wrong.extend(standing.look.alarms(pool, redundancy.as_ref(), now));
            }
            seen.alarms.review(wrong, clock::steady())
        };
        for notice in &notices {
            self.observer.alarm(notice);
        }
    }
}

impl Monitor {
    /// Looks at what was counted, if it is time to.
    fn count(&self, seen: &mut Seen, generation: &Generation, now: u64) {
        if now.saturating_sub(seen.counted) < COUNTING {
            return;
        }
        seen.counted = now;
        let tally = self.observer.metrics().tally();
        seen.masked.count(now, generation.pools().map(|pool| tally.of_pool(pool.name().as_str())).collect());
    }
}

impl Seen {
    /// Knows the pools of `generation`, and no others.
    fn keep(&mut self, generation: &Generation, now: u64) {
        let names = || generation.pools().map(|pool| pool.name().as_str());
        for name in names() {
            if !self.pools.contains_key(name) {
                self.pools.insert(name.to_owned(), Standing::new(now));
            }
        }
        if self.pools.len() > names().count() {
            let known: HashSet<_> = names().collect();
            self.pools.retain(|name, _| known.contains(name.as_str()));
        }
    }
}

impl Standing {
    fn new(now: u64) -> Self {
        let (state, why) = (State::Protected, String::new());
        Self { state, why, since: now, exposed: 0, look: Look::default() }
    }

    /// For how long the pool was not protected, in milliseconds.
    pub fn exposed(&self, now: u64) -> u64 {
        match self.state {
            State::Protected => self.exposed,
            State::Exposed | State::Down => self.exposed.saturating_add(now.saturating_sub(self.since)),
        }
    }

    /// Takes a state, and says whether it is another than before.
    fn becomes(&mut self, state: State, why: String, now: u64) -> bool {
        self.why = why;
        if self.state == state {
            return false;
        }
        (self.exposed, self.since, self.state) = (self.exposed(now), now, state);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_without_protection_is_added_up() {
        let mut standing = Standing::new(0);
        assert!(!standing.becomes(State::Protected, String::new(), 10));
        assert!(standing.becomes(State::Exposed, "one is left".to_owned(), 100));
        assert!(!standing.becomes(State::Exposed, "the other is left".to_owned(), 150));
        assert_eq!(
            (standing.exposed(160), standing.since, standing.why.as_str()),
            (60, 100, "the other is left")
        );
        assert!(standing.becomes(State::Down, "none is left".to_owned(), 200));
        assert!(standing.becomes(State::Protected, String::new(), 300));
        assert_eq!((standing.exposed(1_000), standing.why.as_str()), (200, ""));
    }
}
