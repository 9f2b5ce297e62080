//! What the clients of a row ask for: all kinds of requests in turn, so many a second.

use std::time::Duration;

use super::{Answers, Ask, Protocol, Script};

/// Requests at random, at even distances.
pub(crate) struct Mix {
    pause: Duration,
    speaks: Protocol,
    answers: Answers,
    largest: usize,
    deadline: Option<Duration>,
    rng: fastrand::Rng,
    turn: u32,
}

impl Mix {
    pub(crate) fn new(
        per_second: u32,
        speaks: Protocol,
        answers: Answers,
        largest: usize,
        seed: u64,
    ) -> Self {
        let pause = Duration::from_secs(1) / per_second;
        Self { pause, speaks, answers, largest, deadline: None, rng: fastrand::Rng::with_seed(seed), turn: 0 }
    }

    /// Every call is to end within this time.
    pub(crate) fn within(self, deadline: Option<Duration>) -> Self {
        Self { deadline, ..self }
    }
}

impl Script for Mix {
    fn due(&mut self) -> Duration {
        self.turn += 1;
        self.pause * (self.turn - 1)
    }

    fn ask(&mut self, id: u64) -> Ask {
        let ask = Ask::random(id, self.speaks, self.answers, self.largest, &mut self.rng);
        Ask { deadline: self.deadline, ..ask }
    }

    /// For ever, until the load has ended.
    fn patience(&mut self) -> Duration {
        Duration::MAX
    }
}
