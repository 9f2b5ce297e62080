//! Things that are wrong for a while, and when people are told of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Event, What};
use crate::model::next_reminder;

/// For how long nothing may be wrong before an alarm is over, in milliseconds: what comes and goes is one alarm.
const CALM: u64 = 10_000;

/// A silence of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Who asked for it.
    pub by: String,
    /// What for.
    pub reason: String,
    /// When it ends.
    pub until: u64,
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// A pool has no node that can serve.
    Down,
    /// A pool could not lose another node.
    Exposed,
    /// A pool has fewer nodes in the configuration than are expected.
    Missing,
    /// A pool turns requests away because its nodes are full.
    Overloaded,
    /// Retries hide that nodes fail.
    Masked,
}

/// Whether an alarm begins, lasts or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It begins.
    Begins,
    /// It is told again.
    Lasts,
    /// It is over.
    Ends,
}

/// Something that is wrong with a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What kind of thing.
    pub kind: AlarmKind,
    /// The pool.
    pub pool: String,
    /// What is wrong, as a sentence.
    pub text: String,
    /// The command that would help; empty if none would.
    pub help: String,
}

/// What people are told of an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what nobody is told of is forgotten"]
pub struct Notice {
    /// The alarm.
    pub alarm: Alarm,
    /// Whether it begins, lasts or ends.
    pub stage: Stage,
    /// Since when.
    pub since: u64,
    /// Whether somebody asked not to be told.
    pub is_silenced: bool,
}

/// The alarms that ring, and the pools of which nobody wants to be told.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    ringing: BTreeMap<(String, AlarmKind), Ringing>,
    silences: BTreeMap<String, Silence>,
}

/// An alarm that rings.
#[derive(Clone, Debug)]
pub struct Ringing {
    /// What is wrong, as it was when that was last looked at.
    pub alarm: Alarm,
    /// Since when.
    pub since: u64,
    /// When it was last so.
    seen: u64,
    told: usize,
    /// Whether somebody was told.
    is_heard: bool,
    /// Whether it rang when the process before this one ended: nobody knows whether what was last said of it arrived.
    is_resumed: bool,
}

impl AlarmKind {
    /// The kind as a word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Exposed => "exposed",
            Self::Missing => "missing",
            Self::Overloaded => "overloaded",
            Self::Masked => "masked",
        }
    }
}

impl Alarms {
    /// Takes what was written down of an alarm or a silence before the process began, in the order in which it was.
    pub fn recall(&mut self, event: &Event) {
        let Some(pool) = &event.pool else { return };
        match &event.what {
            What::Silenced { by, reason, until } => {
                self.silence(pool, Silence { by: by.clone(), reason: reason.clone(), until: *until });
            }
            What::Alarm { alarm, stage: Stage::Ends, .. } => {
                self.ringing.remove(&(pool.clone(), *alarm));
            }
            What::Alarm { alarm: kind, stage: _, since, text, help, silenced } => {
                let (pool, text, help) = (pool.clone(), text.clone(), help.clone());
                let alarm = Alarm { kind: *kind, pool: pool.clone(), text, help };
                let new = || Ringing { is_resumed: true, ..Ringing::new(alarm.clone(), *since) };
                let ringing = self.ringing.entry((pool, *kind)).or_insert_with(new);
                (ringing.alarm, ringing.since) = (alarm, *since);
                ringing.is_heard |= !silenced;
            }
            _ => {}
        }
    }

    /// The same from now on: what rang before the process began is told once more if it is still so, and ends if it is not.
    pub fn resumed(mut self, now: u64) -> Self {
        for ringing in self.ringing.values_mut() {
            ringing.seen = now;
            let reminders =
                (0..).take_while(|&told| next_reminder(told) <= now.saturating_sub(ringing.since));
            ringing.told = reminders.count() + 1;
        }
        self
    }

    /// What there is to tell, where all of `wrong` is wrong now and nothing else.
    pub fn review(&mut self, wrong: Vec<Alarm>, now: u64) -> Vec<Notice> {
        let unheard = self.end_silences(now);
        let mut notices = Vec::new();
        for alarm in wrong {
            let key = (alarm.pool.clone(), alarm.kind);
            let ringing = self.ringing.entry(key).or_insert_with(|| Ringing::new(alarm.clone(), now));
            (ringing.alarm, ringing.seen) = (alarm, now);
        }
        let silences = &self.silences;
        self.ringing.retain(|(pool, _), ringing| {
            let stage = ringing.stage(unheard.contains(pool), now);
            notices.extend(stage.map(|stage| ringing.notice(stage, silences.contains_key(pool))));
            stage != Some(Stage::Ends)
        });
        notices
    }

    /// The alarms that ring, by pool.
    pub fn iter(&self) -> impl Iterator<Item = &Ringing> {
        self.ringing.values()
    }

    /// The silence of a pool at `now`.
    pub fn silence_of(&self, pool: &str, now: u64) -> Option<&Silence> {
        self.silences.get(pool).filter(|silence| now < silence.until)
    }

    /// Nobody is told of the alarms of `pool` for a while; another silence that it had is over. One whose end is not in
    /// the future only ends that.
    pub fn silence(&mut self, pool: &str, silence: Silence) {
        self.silences.insert(pool.to_owned(), silence);
    }

    /// Ends the silences whose time is over, and says of which pools people are told again.
    fn end_silences(&mut self, now: u64) -> Vec<String> {
        let over: Vec<_> = self
            .silences
            .iter()
            .filter(|(_, silence)| silence.until <= now)
            .map(|(pool, _)| pool.clone())
            .collect();
        for pool in &over {
            self.silences.remove(pool);
        }
        over
    }
}

impl Ringing {
    fn new(alarm: Alarm, now: u64) -> Self {
        Self { alarm, since: now, seen: now, told: 0, is_heard: false, is_resumed: false }
    }

    /// Tells of a stage. Whoever was told of an alarm is told of its end, whoever asked for silence meanwhile.
    fn notice(&mut self, stage: Stage, is_silenced: bool) -> Notice {
        let is_silenced = if stage == Stage::Ends { !self.is_heard } else { is_silenced };
        self.is_heard |= !is_silenced;
        Notice { alarm: self.alarm.clone(), stage, since: self.since, is_silenced }
    }

    /// What people are to be told of now, where `is_unheard` is whether they could not be told before.
    fn stage(&mut self, is_unheard: bool, now: u64) -> Option<Stage> {
        if self.told == 0 {
            self.told = 1;
            return Some(Stage::Begins);
        }
        if now.saturating_sub(self.seen) >= CALM {
            return Some(Stage::Ends);
        }
        let is_due = now.saturating_sub(self.since) >= self.next();
        if is_due {
            self.told += 1;
        }
        let is_resumed = self.seen == now && std::mem::take(&mut self.is_resumed);
        (is_due || is_unheard || is_resumed).then_some(Stage::Lasts)
    }

    /// How long it has to ring for the next word about it.
    fn next(&self) -> u64 {
        let before = self.told.saturating_sub(1);
        next_reminder(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn exposed() -> Alarm {
        Alarm {
            kind: AlarmKind::Exposed,
            pool: "web".to_owned(),
            text: "one is left".to_owned(),
            help: String::new(),
        }
    }

    /// What is told in so many minutes in which the alarm rings, minute by minute.
    fn told(alarms: &mut Alarms, minutes: impl IntoIterator<Item = u64>) -> Vec<(u64, Stage, bool)> {
        let tell = |minute| {
            let notices = alarms.review(vec![exposed()], minute * MINUTE);
            notices.into_iter().map(move |notice| (minute, notice.stage, notice.is_silenced))
        };
        minutes.into_iter().flat_map(tell).collect()
    }

    #[test]
    fn alarm_is_told_at_once_and_again_until_it_ends() {
        let mut alarms = Alarms::default();
        let lasts = [5, 60, 240, 480, 720].map(|minute| (minute, Stage::Lasts, false));
        let all: Vec<_> = [(0, Stage::Begins, false)].into_iter().chain(lasts).collect();
        assert_eq!(told(&mut alarms, 0..800), all);
        let end = 799 * MINUTE;
        assert_eq!(alarms.review(Vec::new(), end + CALM - 1), []);
        let last = alarms.review(Vec::new(), end + CALM);
        assert_eq!(
            last.iter().map(|notice| (notice.stage, notice.since)).collect::<Vec<_>>(),
            [(Stage::Ends, 0)]
        );
        assert_eq!((alarms.review(Vec::new(), end + 2 * CALM), alarms.iter().count()), (Vec::new(), 0));
    }

    #[test]
    fn what_comes_and_goes_is_one_alarm() {
        let mut alarms = Alarms::default();
        let mut stages = Vec::new();
        for step in 0..60 {
            let wrong = if step % 5 == 0 { vec![exposed()] } else { Vec::new() };
            stages.extend(alarms.review(wrong, step * 1_000).into_iter().map(|notice| notice.stage));
        }
        assert_eq!(stages, [Stage::Begins]);
    }

    #[test]
    fn whoever_did_not_want_to_hear_of_it_is_told_when_the_silence_ends() {
        let mut alarms = Alarms::default();
        let silence = |until| Silence { by: "anna".to_owned(), reason: "I know".to_owned(), until };
        alarms.silence("web", silence(30 * MINUTE));
        assert_eq!(told(&mut alarms, 0..30), [(0, Stage::Begins, true), (5, Stage::Lasts, true)]);
        assert!(alarms.silence_of("web", 29 * MINUTE).is_some() && alarms.silence_of("api", 0).is_none());
        assert_eq!(told(&mut alarms, 30..59), [(30, Stage::Lasts, false)]);
        alarms.silence("web", silence(90 * MINUTE));
        alarms.silence("web", silence(0));
        assert_eq!(told(&mut alarms, 59..60), [(59, Stage::Lasts, false)]);
        alarms.silence("web", silence(90 * MINUTE));
        let last = alarms.review(Vec::new(), 61 * MINUTE);
        assert_eq!(
            last.iter().map(|last| (last.stage, last.is_silenced)).collect::<Vec<_>>(),
            [(Stage::Ends, false)]
        );
    }

    /// What a process after this one makes of what it told of.
    fn next_process(notices: &[Notice], now: u64) -> Alarms {
        let mut alarms = Alarms::default();
        for Notice { alarm, stage, since, is_silenced } in notices.iter().cloned() {
            let Alarm { kind, pool, text, help } = alarm;
            let what = What::Alarm { alarm: kind, stage, since, text, help, silenced: is_silenced };
            alarms.recall(&Event { at: since, pool: Some(pool), node: None, what });
        }
        alarms.resumed(now)
    }

    #[test]
    fn alarm_that_goes_on_after_a_restart_is_told_once_more_as_the_same() {
        let begins = Alarms::default().review(vec![exposed()], 0);
        let mut alarms = next_process(&begins, 61 * MINUTE);
        assert_eq!(told(&mut alarms, 61..300), [(61, Stage::Lasts, false), (240, Stage::Lasts, false)]);
        assert!(alarms.iter().all(|ringing| ringing.since == 0));
    }

    #[test]
    fn alarm_that_is_over_after_a_restart_ends_for_those_who_heard_of_it() {
        let begins = Alarms::default().review(vec![exposed()], 0);
        let mut alarms = next_process(&begins, MINUTE);
        assert_eq!(alarms.review(Vec::new(), MINUTE + CALM - 1), []);
        let last = alarms.review(Vec::new(), MINUTE + CALM);
        assert_eq!(
            last.iter().map(|notice| (notice.stage, notice.is_silenced)).collect::<Vec<_>>(),
            [(Stage::Ends, false)]
        );
        let both = [begins, last].concat();
        assert_eq!(next_process(&both, 2 * MINUTE).review(Vec::new(), 3 * MINUTE), [], "it was over before");
        let unheard = Notice { is_silenced: true, ..both[0].clone() };
        let last = next_process(&[unheard], MINUTE).review(Vec::new(), 2 * MINUTE);
        assert!(last.iter().all(|notice| notice.is_silenced), "{last:?}");
    }
}
