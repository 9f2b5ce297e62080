//! What the operator's side knows, and whom it asks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::recent::Recent;
use crate::announce::Announcer;
use crate::clock;
use crate::drain::Drains;
use crate::generation::Current;
use crate::handover::UpgradeError;
use crate::listen::Limits;
use crate::monitor::Monitor;
use crate::observe::{Observer, OpenError};
use crate::reload::{History, LoadError};
use crate::timeline::Timeline;

/// Changes that may wait for their turn.
const MOST_WANTED: usize = 8;

/// How far the process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its listeners are not open yet.
    Starting,
    /// It takes requests.
    Ready,
    /// It was asked to stop.
    Stopping,
}

/// A change that somebody asked for; whoever makes it says what came of it.
#[derive(Debug)]
pub enum Wanted {
    /// To load the configuration again, even if a pool could not serve with it where that `is_forced`: the number of the
    /// generation that is in force then.
    Reload {
        /// Whether even then.
        is_forced: bool,
        /// Who asked.
        by: String,
        /// Where the outcome goes.
        answer: oneshot::Sender<Result<u64, Arc<LoadError>>>,
    },
    /// To start the program anew and hand over to it: the process that takes the requests then.
    Upgrade(oneshot::Sender<Result<u32, UpgradeError>>),
    /// To open the file of the access log anew: the file, if there is one.
    Reopen(oneshot::Sender<Result<Option<PathBuf>, OpenError>>),
}

/// What the operator's side knows, and whom it asks.
#[derive(Debug)]
pub struct Desk {
    pub(super) current: Arc<Current>,
    pub(super) history: Arc<History>,
    pub(super) limits: Arc<Limits>,
    pub(super) observer: Arc<Observer>,
    pub(super) drains: Arc<Drains>,
    pub(super) monitor: Arc<Monitor>,
    pub(super) announcer: Arc<Announcer>,
    pub(super) timeline: Arc<Timeline>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) wanted: mpsc::Sender<Wanted>,
    pub(super) recent: Mutex<Recent>,
    pub(super) began: Instant,
}

/// What goes on beside the requests.
#[derive(Clone, Debug)]
pub struct Background {
    /// The leases in force.
    pub drains: Arc<Drains>,
    /// How the pools are.
    pub monitor: Arc<Monitor>,
    /// What people are told.
    pub announcer: Arc<Announcer>,
    /// What happened.
    pub timeline: Arc<Timeline>,
}

impl Desk {
    /// A desk, and where the changes come out that are asked for.
    pub fn new(
        current: Arc<Current>,
        history: Arc<History>,
        limits: Arc<Limits>,
        observer: Arc<Observer>,
        Background { drains, monitor, announcer, timeline }: Background,
        phase: watch::Receiver<Phase>,
    ) -> (Self, mpsc::Receiver<Wanted>) {
        let (wanted, changes) = mpsc::channel(MOST_WANTED);
        let (recent, began) = (Mutex::default(), clock::now());
        let desk = Self {
            current,
            history,
            limits,
            observer,
            drains,
            monitor,
            announcer,
            timeline,
            phase,
            wanted,
            recent,
            began,
        };
        (desk, changes)
    }
}

impl Phase {
    /// The phase as a word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
        }
    }
}
