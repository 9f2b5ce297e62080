//! Looking up the names of nodes, off the request's path, again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::balance::Pool;
use crate::observe::Observer;

/// How long one look-up may take. The system's resolver cannot be interrupted; what it finds later is not used.
const LONGEST: Duration = Duration::from_secs(5);

/// How long a start or a reload waits for names.
const FIRST: Duration = Duration::from_secs(2);

/// How soon a name that has no address yet is looked up again.
const SOON: Duration = Duration::from_secs(1);

/// Looks up the names of `pool` that have no address yet, all at once.
pub(super) async fn first(pool: Arc<Pool>, observer: Arc<Observer>) {
    let mut lookups = JoinSet::new();
    for (host, port) in hosts(&pool).filter(|host| is_unknown(&pool, host)) {
        let (pool, observer) = (Arc::clone(&pool), Arc::clone(&observer));
        lookups.spawn(async move { look_up(&pool, &observer, &host, port).await });
    }
    let _ = tokio::time::timeout(FIRST, async { while lookups.join_next().await.is_some() {} }).await;
}

/// Looks up all names of `pool`, each in its own rhythm, until dropped.
pub(super) async fn run(pool: Arc<Pool>, observer: Arc<Observer>) {
    let mut lookups = JoinSet::new();
    for host in hosts(&pool) {
        lookups.spawn(follow(Arc::clone(&pool), Arc::clone(&observer), host));
    }
    while lookups.join_next().await.is_some() {}
}

async fn follow(pool: Arc<Pool>, observer: Arc<Observer>, host: (String, u16)) {
    loop {
        let interval = pool.settings().resolve_interval;
        let wait = if is_unknown(&pool, &host) { interval.min(SOON) } else { interval };
        tokio::time::sleep(wait.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
        look_up(&pool, &observer, &host.0, host.1).await;
    }
}

fn hosts(pool: &Pool) -> impl Iterator<Item = (String, u16)> {
    pool.hosts().map(|(host, port)| (host.to_owned(), port))
}

fn is_unknown(pool: &Pool, host: &(String, u16)) -> bool {
    !pool.addresses().contains_key(host)
}

async fn look_up(pool: &Pool, observer: &Observer, host: &str, port: u16) {
    let found = tokio::time::timeout(LONGEST, tokio::net::lookup_host((host, port))).await;
    let found = match found {
        Ok(Ok(found)) => one_family(found.collect()),
        Ok(Err(why)) => return failed(pool, observer, host, port, &why),
        Err(_) => return failed(pool, observer, host, port, &"the resolver did not answer in time"),
    };
    if found.is_empty() {
        return failed(pool, observer, host, port, &"the name has no address");
    }
    let count = found.len();
    match pool.resolved(host, port, found).await {
        Ok(true) => observer.resolved(pool.name(), host, count),
        Ok(false) => {}
        Err(why) => failed(pool, observer, host, port, &why),
    }
}

fn failed(pool: &Pool, observer: &Observer, host: &str, port: u16, why: &dyn std::fmt::Display) {
    let kept = pool.addresses().get(&(host.to_owned(), port)).map_or(0, Vec::len);
    observer.resolving_failed(pool.name(), host, kept, why);
}

/// The IPv4 addresses, or the IPv6 ones where there are no others, each once and in order.
///
/// A name that has both is mostly one server with two addresses, which must not count as two nodes.
fn one_family(mut found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if found.iter().any(SocketAddr::is_ipv4) {
        found.retain(SocketAddr::is_ipv4);
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &[&str]) -> Vec<SocketAddr> {
        text.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn a_server_with_both_families_is_one_node() {
        let found = addresses(&["[::1]:80", "127.0.0.1:80"]);
        assert_eq!(one_family(found), addresses(&["127.0.0.1:80"]));
        assert_eq!(one_family(addresses(&["[::1]:80"])), addresses(&["[::1]:80"]));
    }

    #[test]
    fn the_order_and_the_repeats_of_a_resolver_change_nothing() {
        let found = addresses(&["10.0.0.2:80", "10.0.0.1:80", "10.0.0.2:80"]);
        assert_eq!(one_family(found), addresses(&["10.0.0.1:80", "10.0.0.2:80"]));
    }
}
