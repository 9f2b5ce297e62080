//! Telling of how nodes stand.

use std::fmt::Display;

use log::{error, info, warn};

use super::Observer;
use crate::incident::What;
use crate::upstream::Transition;

impl Observer {
    /// A node's standing changed.
    pub fn node(&self, pool: &str, node: &str, transition: Transition, why: &dyn Display) {
        let to = match transition {
            Transition::Up => "up",
            Transition::Down => "down",
            Transition::Suspect => "suspect",
            Transition::Ejected(_) => "ejected",
            Transition::Returning => "returning",
            Transition::Returned => "returned",
            Transition::Limited(_) => "limited",
            Transition::Unlimited => "unlimited",
        };
        self.metrics.node_changed(pool, node, to);
        match transition {
            Transition::Up => info!("node is up pool={pool} node={node}"),
            Transition::Down => {
                error!("node is down pool={pool} node={node} why={why:?}", why = why.to_string())
            }
            Transition::Suspect => {
                warn!("node is suspect pool={pool} node={node} why=\"silent while others answer\"")
            }
            Transition::Ejected(why) => {
                error!("node is ejected pool={pool} node={node} why={why:?}", why = why.to_string())
            }
            Transition::Returning => info!("node is returning pool={pool} node={node}"),
            Transition::Returned => info!("node has returned pool={pool} node={node}"),
            Transition::Limited(most) => {
                warn!(
                    "node has more to do than it can, and is held back pool={pool} node={node} limit={most}"
                )
            }
            Transition::Unlimited => info!("node is held back no longer pool={pool} node={node}"),
        }
        self.feed.publish(Some(pool), Some(node), change(transition, why));
    }
}

/// What a change in a node's standing is as an event.
fn change(transition: Transition, why: &dyn Display) -> What {
    match transition {
        Transition::Up => What::Up,
        Transition::Down => What::Down { why: why.to_string() },
        Transition::Suspect => What::Suspect,
        Transition::Ejected(why) => What::Ejected { why: why.to_string() },
        Transition::Returning => What::Returning,
        Transition::Returned => What::Returned,
        Transition::Limited(most) => What::Limited { most },
        Transition::Unlimited => What::Unlimited,
    }
}
