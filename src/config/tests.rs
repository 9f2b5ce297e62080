use super::*;
use crate::model::{HostPattern, PathPrefix};

mod golden;
mod hostile;
mod reference;

fn read(text: &str) -> Config {
    parse("test.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

const SMALLEST: &str = include_str!("../../conf/bookend.yaml");

#[test]
fn smallest_file_has_every_default() {
    let config = read(SMALLEST);
    assert_eq!(config.server, Server::default());
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].timeouts, ClientTimeouts::default());
    assert_eq!(config.listeners[0].limits, ClientLimits::default());
    let pool = &config.pools["web"];
    assert_eq!(pool.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["web-01", "web-02"]);
    assert_eq!(pool.health_check, Some(HealthCheck::default()));
    assert_eq!((&pool.retry, &pool.timeouts), (&Retry::default(), &NodeTimeouts::default()));
    let route = &config.routes[0];
    assert_eq!((route.name.as_str(), route.pool.as_str()), ("route-1", "web"));
    assert_eq!((&route.hosts, &route.path), (&vec![HostPattern::Any], &PathPrefix::default()));
}
