//! The messages that wait for one target, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use super::message::Message;

/// Messages that wait at the most.
const MOST: usize = 64;

/// The messages that wait for one target, oldest first.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: VecDeque<Arc<Message>>,
}

/// How many messages were left out for a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "what is left out is counted"]
pub(super) struct LeftOut {
    /// Those after which another about the same thing waits.
    pub(super) superseded: u64,
    /// Those that nothing stands in for.
    pub(super) dropped: u64,
}

impl Line {
    /// Adds a message at the end.
    ///
    /// What only repeats what the new one says again is left out, and where there are too many, the oldest that a newer
    /// one stands in for, or else the oldest.
    pub(super) fn push(&mut self, message: Arc<Message>) -> LeftOut {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| !(waiting.is_repeat() && waiting.is_about_the_same(&message)));
        let mut left_out = LeftOut { superseded: (before - self.waiting.len()) as u64, dropped: 0 };
        self.waiting.push_back(message);
        if self.waiting.len() > MOST {
            match self.stood_in_for() {
                Some(index) => {
                    self.waiting.remove(index);
                    left_out.superseded += 1;
                }
                None => {
                    self.waiting.pop_front();
                    left_out.dropped += 1;
                }
            }
        }
        left_out
    }

    /// Takes the oldest message.
    pub(super) fn take(&mut self) -> Option<Arc<Message>> {
        self.waiting.pop_front()
    }

    /// Where the oldest message stands after which there is one about the same.
    fn stood_in_for(&self) -> Option<usize> {
        let is_stood_in_for = |index: usize, message: &Message| {
            self.waiting.iter().skip(index + 1).any(|newer| newer.is_about_the_same(message))
        };
        self.waiting.iter().enumerate().position(|(index, message)| is_stood_in_for(index, message))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::message::Messages;
    use super::*;
    use crate::incident::{AlarmKind, Event, Stage, What};

    /// A message about the alarm of a pool, with `text`.
    fn message(pool: &str, stage: Stage, text: &str) -> Arc<Message> {
        let what = What::Alarm {
            alarm: AlarmKind::Exposed,
            stage,
            since: 0,
            text: text.to_owned(),
            help: String::new(),
            silenced: false,
        };
        let event = Event { at: 0, pool: Some(pool.to_owned()), node: None, what };
        Arc::new(Messages::default().of(&event, 0, UNIX_EPOCH).unwrap())
    }

    fn texts(line: &mut Line) -> Vec<String> {
        std::iter::from_fn(|| line.take()).map(|message| message.text.clone()).collect()
    }

    #[test]
    fn messages_keep_their_order_and_repeats_give_way() {
        let mut line = Line::default();
        assert_eq!(line.push(message("web", Stage::Begins, "1")), LeftOut::default());
        assert_eq!(line.push(message("web", Stage::Lasts, "2")), LeftOut::default());
        assert_eq!(line.push(message("api", Stage::Lasts, "3")), LeftOut::default());
        let one = LeftOut { superseded: 1, dropped: 0 };
        assert_eq!(line.push(message("web", Stage::Lasts, "4")), one);
        assert_eq!(line.push(message("web", Stage::Ends, "5")), one);
        assert_eq!(texts(&mut line), ["1", "3", "5"]);
    }

    #[test]
    fn line_that_is_full_keeps_the_newest_of_everything() {
        let mut line = Line::default();
        let _ = line.push(message("api", Stage::Begins, "first"));
        for pool in 0..MOST / 2 {
            let _ = line.push(message(&pool.to_string(), Stage::Begins, "begins"));
        }
        let mut left_out = LeftOut::default();
        for pool in 0..MOST / 2 {
            let LeftOut { superseded, dropped } = line.push(message(&pool.to_string(), Stage::Ends, "ends"));
            (left_out.superseded, left_out.dropped) =
                (left_out.superseded + superseded, left_out.dropped + dropped);
        }
        assert_eq!(left_out, LeftOut { superseded: 1, dropped: 0 });
        // From now on everything is about something else.
        let mut dropped = 0;
        for pool in 0..MOST {
            dropped += line.push(message(&format!("x{pool}"), Stage::Begins, "new")).dropped;
        }
        let texts = texts(&mut line);
        assert_eq!((texts.len(), texts.iter().filter(|text| *text == "new").count()), (MOST, MOST));
        assert_eq!(dropped as usize, MOST - (MOST / 2 - 1));
    }
}
