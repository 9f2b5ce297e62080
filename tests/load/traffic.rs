//! Who asks for what, and when.

use fastrand::Rng;

/// Requests of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) rhythm: Rhythm,
    pub(crate) work: Work,
    /// How long the client takes to read the answer, in milliseconds.
    pub(crate) reading: f64,
    /// Whether a worker is busy with it; long polls wait without one.
    pub(crate) needs_worker: bool,
}

/// When requests come; seconds and milliseconds.
#[derive(Clone, Debug)]
pub(crate) enum Rhythm {
    /// So many a second from each of these moments on, whatever becomes of them (Poisson).
    Open(Vec<(f64, f64)>),
    /// So many within a few milliseconds, every so many seconds.
    Bursts { every: f64, size: usize, within: f64 },
    /// So many clients that ask again as soon as they are answered; they begin within so many seconds.
    Closed { clients: usize, ramp: f64 },
}

/// How long a worker needs, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Fixed(f64),
    Exponential(f64),
    /// By its mean and the spread of its logarithm.
    LogNormal(f64, f64),
    /// The part of quick ones, and how long those and the others take.
    Two(f64, f64, f64),
}

impl Source {
    pub(crate) fn new(rhythm: Rhythm, work: Work) -> Self {
        Self { rhythm, work, reading: 0.0, needs_worker: true }
    }

    pub(crate) fn open(rate: f64, work: Work) -> Self {
        Self::new(Rhythm::Open(vec![(0.0, rate)]), work)
    }

    pub(crate) fn read_in(self, millis: f64) -> Self {
        Self { reading: millis, ..self }
    }

    pub(crate) fn without_worker(self) -> Self {
        Self { needs_worker: false, ..self }
    }
}

impl Rhythm {
    /// The rate at a moment, and how long it lasts from there, in seconds.
    pub(crate) fn rate(steps: &[(f64, f64)], at: f64) -> (f64, f64) {
        let rate = steps.iter().rev().find(|(from, _)| *from <= at).map_or(0.0, |(_, rate)| *rate);
        let next = steps.iter().map(|(from, _)| *from).find(|from| *from > at);
        (rate, next.map_or(f64::INFINITY, |next| next - at))
    }
}

impl Work {
    /// In microseconds.
    pub(crate) fn draw(self, rng: &mut Rng) -> f64 {
        let millis = match self {
            Self::Fixed(millis) => millis,
            Self::Exponential(mean) => mean * exponential(rng),
            Self::LogNormal(mean, spread) => mean * (spread * normal(rng) - spread * spread / 2.0).exp(),
            Self::Two(part, quick, slow) => {
                if rng.f64() < part {
                    quick
                } else {
                    slow
                }
            }
        };
        millis * 1_000.0
    }
}

pub(crate) fn exponential(rng: &mut Rng) -> f64 {
    -(1.0 - rng.f64()).ln()
}

fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}
