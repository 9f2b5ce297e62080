//! Telling of drains and their leases.

use std::fmt::Display;
use std::time::Duration;

use log::{error, info, warn};

use super::Observer;
use crate::incident::What;
use crate::lease::{Fact, Lease, Plight, Term};

impl Observer {
    /// Somebody took a node out for a while.
    pub fn node_drained(&self, lease: &Lease, term: Term, is_forced: bool) {
        let (named, reason) = (named(lease), lease.reason.as_str());
        let never = if lease.never_recall { " never_recall" } else { "" };
        info!(
            "node is drained {named} by={owner:?} for={term:?} why={reason:?}{never}",
            owner = lease.owner,
            term = term.to_string()
        );
        let what = What::Drained {
            by: lease.owner.clone(),
            reason: lease.reason.to_string(),
            until: lease.until,
            forced: is_forced,
        };
        self.publish(lease, what);
    }

    /// A node that was drained before the process began still is.
    pub fn drain_goes_on(&self, lease: &Lease, now: u64) {
        info!(
            "node stays drained {} by={:?} left={:?} why={:?}",
            named(lease),
            lease.owner,
            span(lease.left(now)),
            lease.reason.as_str()
        );
    }

    /// Somebody gave a lease another time.
    pub fn lease_renewed(&self, lease: &Lease, term: Term, by: &str) {
        info!("lease is renewed {} by={by:?} for={:?}", named(lease), term.to_string());
        self.publish(lease, What::Renewed { by: by.to_owned(), until: lease.until });
    }

    /// Somebody ended a lease before its time.
    pub fn node_undrained(&self, lease: &Lease, by: &str) {
        info!("node may come back {} by={by:?}", named(lease));
        self.publish(lease, What::Undrained { by: by.to_owned() });
    }

    /// A drained node is taken back before its time because of what becomes of its pool without it.
    pub fn node_recalled(&self, lease: &Lease, plight: &Plight, now: u64) {
        let (by, reason, why) = (&lease.owner, lease.reason.as_str(), plight.to_string());
        error!(
            "node is recalled, the others are not enough {} drained_by={by:?} for={:?} reason={reason:?} why={why:?}",
            named(lease),
            span(now.saturating_sub(lease.since))
        );
        self.metrics.recalled(lease.target.pool.as_str());
        self.publish(lease, What::Recalled { by: by.clone(), reason: reason.to_owned(), why });
    }

    /// A lease ended while the process did not run.
    pub fn lease_ended(&self, lease: &Lease) {
        info!("lease ended {} by={:?} why={:?}", named(lease), lease.owner, lease.reason.as_str());
        let (by, reason) = (lease.owner.clone(), lease.reason.to_string());
        self.publish(lease, What::LeaseEnded { by, reason });
    }

    /// Something came to pass with a lease.
    pub fn lease(&self, fact: &Fact, now: u64) {
        match fact {
            Fact::Empty(lease) => {
                info!("node is empty {}", named(lease));
                self.publish(lease, What::Empty);
            }
            Fact::Reminder(lease, tenths) => self.reminded(lease, u32::from(*tenths) * 10, now),
            Fact::Ended(lease) => self.lease_ended(lease),
            Fact::NotBack(lease, late, why) => {
                error!(
                    "node does not come back after its lease {} by={:?} for={:?} why={why:?}",
                    named(lease),
                    lease.owner,
                    span(*late)
                );
                self.publish(lease, What::NotBack { why: why.clone() });
            }
            Fact::Back(lease) => {
                info!("node is back after its lease {}", named(lease));
                self.publish(lease, What::Back);
            }
        }
    }

    fn reminded(&self, lease: &Lease, percent: u32, now: u64) {
        let (by, reason, until) = (lease.owner.clone(), lease.reason.to_string(), lease.until);
        warn!(
            "node is still drained {} by={by:?} over={percent}% left={:?} why={reason:?}",
            named(lease),
            span(lease.left(now))
        );
        self.publish(lease, What::Reminded { by, reason, until, percent });
    }

    fn publish(&self, lease: &Lease, what: What) {
        self.feed.publish(Some(lease.target.pool.as_str()), Some(&lease.target.node), what);
    }

    /// The file of the leases could not be understood.
    pub fn leases_damaged(&self, file: &dyn Display, why: &str, set_aside: Option<&str>) {
        let aside = set_aside.unwrap_or("nowhere, it cannot be moved");
        error!("leases are lost file={file} why={why:?} set_aside={aside:?}");
    }

    /// Leases will not outlive the process.
    pub fn leases_not_kept(&self, why: &dyn Display) {
        error!("leases are not kept, a restart would end them why={:?}", why.to_string());
    }

    /// Leases outlive the process again.
    pub fn leases_kept_again(&self) {
        info!("leases are kept again");
    }
}

fn named(lease: &Lease) -> String {
    format!("pool={} node={}", lease.target.pool, lease.target.node)
}

/// A time in whole seconds, so that it can be read.
fn span(millis: u64) -> String {
    humantime::format_duration(Duration::from_secs(millis.div_ceil(1_000))).to_string()
}
