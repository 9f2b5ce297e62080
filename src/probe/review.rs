//! Looking at the nodes from time to time: what time alone changes, no request tells.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::balance::Pool;
use crate::clock;
use crate::observe::Observer;

/// How often. A node that falls silent is found out this much later at most.
const INTERVAL: Duration = Duration::from_millis(50);

/// Reviews the nodes of `pools`, and of those that follow them, until dropped.
pub(super) async fn run(pools: watch::Receiver<Vec<Arc<Pool>>>, observer: Arc<Observer>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        for pool in pools.borrow().iter() {
            let verdicts = pool.jury().review(&pool.members(), clock::millis(), fastrand::f64);
            for (member, transition) in verdicts {
                observer.node(pool.name().as_str(), &member.name, transition, &"");
            }
        }
    }
}
