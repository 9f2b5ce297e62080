//! The constants of the learnt limit.

/// What the limit is learnt by. `docs/load.md` has what else was tried, and why these; a simulation may try others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// A window lasts for so much of a usual wait,
    pub window: f64,
    /// but for no less than this; in milliseconds.
    pub shortest_window: f64,
    /// And for no less than so many answers or failures.
    pub enough: u32,
    /// What is usual is known after so many waits: at first only those are answered that are quick.
    pub known: f64,
    /// How much longer than usual those must have waited that are answered, for a node to be late.
    pub longer: f64,
    /// Those that wait are an overload only if those that come now would wait for less than so many times as long as those
    /// have waited that are answered. Of more, most wait for something else, as long polls do.
    pub leap: f64,
    /// The waits of a node are at ease up to so many usual ones,
    pub ease: f64,
    /// and so many milliseconds more: below that it is our own processor, or the network, that makes them longer.
    pub margin: f64,
    /// The part of that ease which a limit aims at.
    pub goal: f64,
    /// How far attempts at a node may rise over what they were when it was found late.
    pub grace: f64,
    /// The same while little is known of it.
    pub grace_of_young: f64,
    /// For how long it has to press against that until it is an overload, in milliseconds.
    pub proof: f64,
    /// What remains of a limit after a step down.
    pub step: f64,
    /// Answers that make a throughput known well enough to be compared.
    pub sample: u32,
    /// How long a limit that nobody reaches is kept, in milliseconds.
    pub forget: u64,
    /// The same for one that a node which fell in full flight came back with.
    pub forget_fall: u64,
    /// How long it takes to believe that a node has become slower, in milliseconds.
    pub slower: f64,
    /// How long it takes to believe that it has become faster, in milliseconds.
    pub faster: f64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            window: 0.5,
            shortest_window: 10.0,
            enough: 8,
            known: 2.0,
            longer: 1.1,
            leap: 8.0,
            ease: 2.0,
            margin: 10.0,
            goal: 0.7,
            grace: 1.25,
            grace_of_young: 1.25,
            proof: 300.0,
            step: 0.7,
            sample: 200,
            forget: 10_000,
            forget_fall: 60_000,
            slower: 30_000.0,
            faster: 5_000.0,
        }
    }
}
