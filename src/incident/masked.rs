//! What retries hide: a site that is held up by them is in trouble, although no client sees it.
//!
//! Counts that only grow are taken about once a second and kept in slots of six seconds. An alarm takes more than a large
//! share: the share has to have been large in most of the time, so that a node that dies for a second, or a quiet hour with
//! a handful of requests, does not ring.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Alarm, AlarmKind};
use crate::config;

/// The length of a slot in milliseconds: a tenth of the shortest time that can be asked about.
const SLOT: u64 = 6_000;
/// Slots that are kept: those of an hour, the longest time.
const MOST_SLOTS: u64 = 600;
/// Parts of the time that are looked at by themselves.
const PARTS: u64 = 10;
/// Parts in which the share has to be reached for an alarm to begin.
const PARTS_TO_BEGIN: usize = 8;
/// Parts in which it has to be reached for an alarm to go on.
const PARTS_TO_LAST: usize = 5;
/// Saved requests below which there is no alarm.
const FEWEST: u64 = 10;
/// Hundredths of a percent that are all.
const ALL: u64 = 10_000;

/// What was counted for one pool since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// The pool.
    pub pool: String,
    /// Requests that ended.
    pub total: u64,
    /// Those of them that a retry saved.
    pub saved: u64,
    /// Attempts that failed, by node and by the word for how far they got.
    pub failed: BTreeMap<(String, String), u64>,
}

/// How many requests retries saved lately, of each pool.
#[derive(Clone, Debug, Default)]
pub struct Masked {
    pools: BTreeMap<String, Record>,
}

/// How many requests of one pool were saved lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// All requests.
    pub total: u64,
    /// Those that a retry saved.
    pub saved: u64,
    /// What most of the failed attempts have in common; `None` if none failed.
    pub cause: Option<Cause>,
}

/// What most of the failed attempts have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Their node.
    pub node: String,
    /// How far they got, as a word.
    pub reach: String,
    /// How many there are, of `of` in all.
    pub count: u64,
    /// All attempts that failed.
    pub of: u64,
}

#[derive(Clone, Debug, Default)]
struct Record {
    last: PoolCounts,
    /// The slots in which something happened, the oldest first.
    slots: VecDeque<Slot>,
    rings: bool,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    number: u64,
    total: u64,
    saved: u64,
    failed: BTreeMap<(String, String), u64>,
}

impl Masked {
    /// Takes what was counted so far, of all pools that there are. What was counted before a pool was first seen does not
    /// matter, and pools that are not there any more are forgotten.
    pub fn count(&mut self, now: u64, counts: Vec<PoolCounts>) {
        let mut before = std::mem::take(&mut self.pools);
        for counts in counts {
            let record = match before.remove(&counts.pool) {
                Some(mut record) => {
                    record.take(now / SLOT, counts);
                    record
                }
                None => Record { last: counts, ..Record::default() },
            };
            self.pools.insert(record.last.pool.clone(), record);
        }
    }

    /// How many requests of a pool were saved in the `window` before `now`; `None` if the pool is not known.
    pub fn rate(&self, pool: &str, now: u64, window: Duration) -> Option<Rate> {
        Some(self.pools.get(pool)?.rate(now / SLOT, slots_in(window)))
    }

    /// What is wrong by `rule` at `now`; nothing without a rule.
    pub fn alarms(&mut self, now: u64, rule: Option<config::Masked>) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        for (pool, record) in &mut self.pools {
            let Some(rule) = rule else {
                record.rings = false;
                continue;
            };
            let rate = record.rate(now / SLOT, slots_in(rule.window));
            record.rings = record.is_wrong(now / SLOT, rule, &rate);
            if record.rings {
                alarms.push(rate.alarm(pool, rule.window));
            }
        }
        alarms
    }
}

fn slots_in(window: Duration) -> u64 {
    (u64::try_from(window.as_millis()).unwrap_or(u64::MAX) / SLOT).clamp(PARTS, MOST_SLOTS)
}

impl Record {
    /// Adds to the slot `number` what has been counted since the last time.
    fn take(&mut self, number: u64, counts: PoolCounts) {
        while self.slots.front().is_some_and(|slot| slot.number + MOST_SLOTS < number) {
            self.slots.pop_front();
        }
        if self.slots.back().is_none_or(|slot| slot.number < number) {
            // A slot in which nothing happens takes the place of the one before it in which nothing did.
            if self.slots.back().is_some_and(|slot| slot.total == 0 && slot.failed.is_empty()) {
                self.slots.pop_back();
            }
            self.slots.push_back(Slot { number, ..Slot::default() });
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.total += counts.total.saturating_sub(self.last.total);
            slot.saved += counts.saved.saturating_sub(self.last.saved);
            for (cause, count) in &counts.failed {
                let before = self.last.failed.get(cause).copied().unwrap_or_default();
                if *count > before {
                    *slot.failed.entry(cause.clone()).or_default() += count - before;
                }
            }
        }
        self.last = counts;
    }

    /// The last `many` slots that are over at the slot `now`.
    fn recent(&self, now: u64, many: u64) -> impl Iterator<Item = &Slot> {
        let first = now.saturating_sub(many);
        self.slots.iter().filter(move |slot| (first..now).contains(&slot.number))
    }

    fn rate(&self, now: u64, many: u64) -> Rate {
        let (mut total, mut saved, mut failed) = (0, 0, BTreeMap::<&(String, String), u64>::new());
        for slot in self.recent(now, many) {
            total += slot.total;
            saved += slot.saved;
            for (cause, count) in &slot.failed {
                *failed.entry(cause).or_default() += count;
            }
        }
        let of = failed.values().sum();
        let most = failed.into_iter().max_by_key(|(_, count)| *count);
        let cause =
            most.map(|((node, reach), count)| Cause { node: node.clone(), reach: reach.clone(), count, of });
        Rate { total, saved, cause }
    }

    fn is_wrong(&self, now: u64, rule: config::Masked, rate: &Rate) -> bool {
        // Half is enough to go on: a share near the limit must not come and go.
        let (hundredths, parts, fewest) = match self.rings {
            false => (rule.hundredths, PARTS_TO_BEGIN, FEWEST),
            true => (rule.hundredths.div_ceil(2), PARTS_TO_LAST, 1),
        };
        let is_lasting = self.parts_over(now, slots_in(rule.window), hundredths) >= parts;
        is_lasting && rate.saved >= fewest && rate.is_over(hundredths)
    }

    /// In how many parts of the last `many` slots so much was saved.
    fn parts_over(&self, now: u64, many: u64, hundredths: u32) -> usize {
        let first = now.saturating_sub(many);
        let mut parts = BTreeMap::<u64, (u64, u64)>::new();
        for slot in self.recent(now, many) {
            let part = parts.entry((slot.number - first) * PARTS / many).or_default();
            *part = (part.0 + slot.total, part.1 + slot.saved);
        }
        parts.values().filter(|(total, saved)| is_over(*saved, *total, hundredths)).count()
    }
}

/// Whether `saved` of `total` are at least so many hundredths of a percent, and anything at all.
fn is_over(saved: u64, total: u64, hundredths: u32) -> bool {
    saved > 0 && saved.saturating_mul(ALL) >= total.saturating_mul(hundredths.into())
}

impl Rate {
    /// The part of the requests that was saved, from 0 to 1.
    pub fn share(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.saved as f64 / self.total as f64 }
    }

    fn is_over(&self, hundredths: u32) -> bool {
        is_over(self.saved, self.total, hundredths)
    }

    fn alarm(&self, pool: &str, window: Duration) -> Alarm {
        let (percent, total) = (self.share() * 100.0, grouped(self.total));
        let time = humantime::format_duration(window);
        let mut text = format!(
            "pool {pool} is held up by retries: they saved {percent:.1} % of {total} requests in {time}"
        );
        let mut help = "bookend status".to_owned();
        if let Some(cause) = &self.cause {
            text.push_str(&format!(
                "; {:.0} % of the attempts that failed were at {}, which {}",
                cause.share() * 100.0,
                cause.node,
                cause.in_words()
            ));
            if cause.share() > 0.5 {
                help = format!("bookend drain {pool}/{} --reason failing", cause.node);
            }
        }
        Alarm { kind: AlarmKind::Masked, pool: pool.to_owned(), text, help }
    }
}

impl Cause {
    /// Their part of all attempts that failed, from 0 to 1.
    pub fn share(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.count as f64 / self.of as f64 }
    }

    /// What the node did.
    fn in_words(&self) -> &str {
        match self.reach.as_str() {
            "not_sent" => "could not be reached",
            "part_sent" | "maybe_sent" => "broke the connection",
            "silent" => "did not answer in time",
            "answered" => "answered with an error",
            "nonsense" => "answered what is not HTTP",
            "truncated" => "broke off its answers",
            other => other,
        }
    }
}

/// A number with a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
#[path = "masked_tests.rs"]
mod tests;
