//! Finding out which node is the first to come back, while requests wait for one.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::knock::knock;
use crate::balance::Pool;
use crate::upstream::Member;

/// How often each node is asked.
const INTERVAL: Duration = Duration::from_millis(200);

/// Asks every node of `pool`, again and again, until nobody waits any more. One that accepts a connection gets one of the
/// requests that wait; how that goes decides about the others.
pub(super) async fn run(pool: Arc<Pool>) {
    let mut changes = pool.watch();
    loop {
        let mut knocking = JoinSet::new();
        for member in pool.members().iter() {
            knocking.spawn(ask(Arc::clone(&pool), Arc::clone(member)));
        }
        let all_knocked = async { while knocking.join_next().await.is_some() {} };
        tokio::select! {
            () = all_knocked => return,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn ask(pool: Arc<Pool>, member: Arc<Member>) {
    while !pool.parking().is_empty() {
        let limit = pool.settings().timeouts.connect;
        let is_open = !member.node.is_barred()
            && tokio::time::timeout(limit, knock(member.node.place()))
                .await
                .is_ok_and(|opened| opened.is_ok());
        if is_open {
            member.node.check_call().call();
            pool.parking().release(1);
        }
        tokio::time::sleep(INTERVAL.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
    }
}
