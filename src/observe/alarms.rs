//! Telling of what is wrong for a while, and of whether pools may lose a node.

use log::{error, info, warn};

use super::Observer;
use crate::incident::{Notice, Silence, Stage, What};

impl Observer {
    /// An alarm begins, lasts or ends.
    pub fn alarm(&self, notice: &Notice) {
        let Notice { alarm, stage, since, is_silenced } = notice;
        let (kind, pool, text) = (alarm.kind.as_str(), &alarm.pool, &alarm.text);
        let help = if alarm.help.is_empty() { String::new() } else { format!(" help={:?}", alarm.help) };
        match stage {
            Stage::Begins => error!("alarm kind={kind} pool={pool} what={text:?}{help}"),
            Stage::Lasts => error!("alarm lasts kind={kind} pool={pool} what={text:?}{help}"),
            Stage::Ends => info!("alarm is over kind={kind} pool={pool}"),
        }
        let what = What::Alarm {
            alarm: alarm.kind,
            stage: *stage,
            since: *since,
            text: text.clone(),
            help: alarm.help.clone(),
            silenced: *is_silenced,
        };
        self.feed.publish(Some(pool), None, what);
    }

    /// Whether a pool may lose its largest node is not as it was. `why` says why it may not; it is empty if it may.
    pub fn redundancy(&self, pool: &str, state: &str, why: &str) {
        match why {
            "" => info!("redundancy pool={pool} state={state}"),
            why => warn!("redundancy pool={pool} state={state} why={why:?}"),
        }
        let what = What::Redundancy { state: state.to_owned(), why: why.to_owned() };
        self.feed.publish(Some(pool), None, what);
    }

    /// Somebody asked not to be told of the alarms of a pool for a while, or to be told again.
    pub fn silenced(&self, pool: &str, silence: &Silence) {
        let Silence { by, reason, until } = silence;
        info!("alarms are silenced pool={pool} by={by:?} until={until} why={reason:?}");
        let what = What::Silenced { by: by.clone(), reason: reason.clone(), until: *until };
        self.feed.publish(Some(pool), None, what);
    }

    /// What became of the requests for a pool since the last time.
    pub fn traffic(&self, pool: &str, traffic: What) {
        self.feed.publish(Some(pool), None, traffic);
    }
}
