//! What is not well, in sentences.

use std::time::Duration;

use super::desk::Phase;
use super::status::{Alarm, NodeState, Recall, Status};

/// What is not well.
pub(super) fn complaints(status: &Status, phase: Phase) -> Vec<String> {
    let mut complaints = Vec::new();
    match phase {
        Phase::Starting => complaints.push("it is starting".to_owned()),
        Phase::Ready => {}
        Phase::Stopping => complaints.push("it is stopping".to_owned()),
    }
    if let Some(refused) = status.configuration.refused.as_ref().filter(|refused| !refused.superseded) {
        let number = status.configuration.generation;
        let count = match refused.problems.len() {
            0 => refused.why.clone(),
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        complaints.push(format!("the last reload was refused ({count}); generation {number} is in force"));
    }
    for pool in &status.pools {
        let is_silenced = status.silences.iter().any(|silence| silence.pool == pool.name);
        let alarms = status.alarms.iter().filter(|alarm| alarm.pool == pool.name && !is_silenced);
        complaints.extend(alarms.map(sentence));
        if pool.available == 0 {
            complaints.push(format!("pool {} has no node that can serve", pool.name));
        }
        let is_told = status.alarms.iter().any(|alarm| alarm.pool == pool.name && alarm.kind == "overloaded");
        if pool.overloaded && !is_told {
            complaints.push(format!("pool {} has more to do than its nodes can carry", pool.name));
        }
        for node in &pool.nodes {
            let is_out = matches!(
                node.state,
                NodeState::Ejected
                    | NodeState::Down
                    | NodeState::PartlyDown
                    | NodeState::Drained
                    | NodeState::Unresolved
            );
            if is_out {
                let why = node.why.as_deref().unwrap_or_default();
                complaints.push(format!("{}/{} is {}: {why}", pool.name, node.name, node.state.as_str()));
            }
        }
    }
    complaints.extend(status.recalls.iter().map(recalled));
    complaints
}

/// A node that somebody may still believe to be drained.
fn recalled(recall: &Recall) -> String {
    let Recall { node, at, why, owner, reason, .. } = recall;
    let drained = humantime::format_duration(Duration::from_secs(recall.drained_seconds));
    format!("{node} was recalled at {at}: {why}; drained by {owner} for {drained}: {reason}")
}

/// An alarm with what would help.
fn sentence(alarm: &Alarm) -> String {
    match alarm.help.as_str() {
        "" => alarm.what.clone(),
        help => format!("{} (`{help}`)", alarm.what),
    }
}
