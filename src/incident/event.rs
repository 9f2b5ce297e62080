//! Something that happened.

use serde::{Deserialize, Serialize};

use super::{AlarmKind, Stage};

/// Something that happened, as it is written down: a line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: u64,
    /// The pool that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The node that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// The process began.
    Started {
        /// The version of the program.
        version: String,
    },
    /// The process ended in order.
    Stopped,
    /// The checks of a node pass again.
    Up,
    /// The checks of a node fail.
    Down {
        /// Why.
        why: String,
    },
    /// A node is silent while others answer.
    Suspect,
    /// A node was taken out for what its traffic says.
    Ejected {
        /// Why.
        why: String,
    },
    /// A node passed its trial, and its share grows.
    Returning,
    /// A node gets all of its share again.
    Returned,
    /// A node has more to do than it can.
    Limited {
        /// So many attempts may wait at it.
        most: u32,
    },
    /// A node is held back no longer.
    Unlimited,
    /// Somebody took a node out for a while.
    Drained {
        /// Who.
        by: String,
        /// What for.
        reason: String,
        /// Until when.
        until: u64,
        /// Whether against the guard's advice.
        forced: bool,
    },
    /// A drained node has no request any more.
    Empty,
    /// A drain goes on, and so many percent of its time are over.
    Reminded {
        /// Who drained the node.
        by: String,
        /// What for.
        reason: String,
        /// Until when.
        until: u64,
        /// How much of the time is over.
        percent: u32,
    },
    /// Somebody gave a drain another time.
    Renewed {
        /// Who.
        by: String,
        /// Until when.
        until: u64,
    },
    /// Somebody ended a drain before its time.
    Undrained {
        /// Who.
        by: String,
    },
    /// The time of a drain is over.
    LeaseEnded {
        /// Who drained the node.
        by: String,
        /// What for.
        reason: String,
    },
    /// bookend took a drained node back because the others were not enough.
    Recalled {
        /// Who had drained it.
        by: String,
        /// What for.
        reason: String,
        /// What was wrong without it.
        why: String,
    },
    /// A node does not come back after its drain.
    NotBack {
        /// Why.
        why: String,
    },
    /// A node is back after its drain.
    Back,
    /// A configuration came into force.
    Reloaded {
        /// Its number.
        generation: u64,
        /// Who asked for it; `None` for the one at the start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// What it changed, a sentence each.
        changes: Vec<String>,
        /// What is no longer in it: pools as `web`, nodes as `web/web-02`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<String>,
    },
    /// A configuration was refused.
    ReloadRefused {
        /// Who asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Why.
        why: String,
    },
    /// A pool may lose its largest node, or may not, or has lost all.
    Redundancy {
        /// `protected`, `exposed` or `down`.
        state: String,
        /// Why it is not protected; empty if it is.
        why: String,
    },
    /// Something is wrong for a while.
    Alarm {
        /// What kind of thing.
        alarm: AlarmKind,
        /// Whether it begins, lasts or ends.
        stage: Stage,
        /// Since when.
        since: u64,
        /// What is wrong, as a sentence.
        text: String,
        /// The command that would help; empty if none would.
        help: String,
        /// Whether somebody asked not to be told.
        silenced: bool,
    },
    /// Somebody asked for no word about a pool's alarms for a while, or for words again.
    Silenced {
        /// Who.
        by: String,
        /// What for.
        reason: String,
        /// Until when; in the past if it is over.
        until: u64,
    },
    /// What became of a pool's requests since the last event of this kind.
    Traffic {
        /// All that ended.
        total: u64,
        /// Those that a retry saved.
        saved: u64,
        /// Those that a client saw fail, those turned away among them.
        failed: u64,
        /// Those that were turned away because all nodes were full.
        shed: u64,
    },
    /// Events that belong together began, went on after a pause, or are over.
    Incident {
        /// The incident.
        id: String,
        /// Whether it begins, goes on or ends.
        stage: Stage,
    },
}
