//! What one configuration has that another has not, in words.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::{Config, Listener, Node, Pool, Route};
use crate::model::Name;

/// Changes that are named one by one.
const MOST: usize = 100;

/// What changed from one configuration to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// A sentence each, with the place in the file before it: `pools.web: node web-02 was removed`.
    pub texts: Vec<String>,
    /// What is no longer there: pools as `web`, nodes as `web/web-02`.
    pub removed: Vec<String>,
}

/// What changed from `before` to `after`; empty if nothing did.
pub fn changes(before: &Config, after: &Config) -> Changes {
    let mut changes = Changes::default();
    changes.note(before.server != after.server, "server: settings were changed");
    changes.note(before.access_log != after.access_log, "access_log: settings were changed");
    changes.note(before.state_dir != after.state_dir, "state_dir: it was changed");
    changes.note(before.admin != after.admin, "admin: settings were changed");
    let name = |listener: &Listener| listener.address.to_string();
    changes.compare("listeners", "listener", (&before.listeners, &after.listeners), name, |_, _| None);
    changes.pools(before, after);
    let routes = (&before.routes[..], &after.routes[..]);
    changes.compare("routes", "route", routes, |route| &route.name, route);
    let mut order = (names(&before.routes), names(&after.routes));
    if order.0 != order.1 {
        order.0.sort();
        order.1.sort();
        changes.note(order.0 == order.1, "routes: their order was changed");
    }
    if let Some(more) = changes.texts.len().checked_sub(MOST).filter(|&more| more > 0) {
        changes.texts.truncate(MOST);
        changes.texts.push(format!("and {more} more changes"));
    }
    changes
}

impl Changes {
    fn note(&mut self, is_so: bool, text: &str) {
        if is_so {
            self.texts.push(text.to_owned());
        }
    }

    /// What was added, removed and changed of a kind of things that go by names; `how` may say how one was changed.
    fn compare<'a, T: PartialEq, K: Ord + Display>(
        &mut self,
        place: &str,
        kind: &str,
        (before, after): (&'a [T], &'a [T]),
        name: impl Fn(&'a T) -> K,
        how: impl Fn(&T, &T) -> Option<String>,
    ) -> Vec<K> {
        let old: BTreeMap<K, &T> = before.iter().map(|thing| (name(thing), thing)).collect();
        let new: BTreeMap<K, &T> = after.iter().map(|thing| (name(thing), thing)).collect();
        for name in new.keys().filter(|name| !old.contains_key(name)) {
            self.texts.push(format!("{place}: {kind} {name} was added"));
        }
        for (name, old) in &old {
            match new.get(name) {
                None => self.texts.push(format!("{place}: {kind} {name} was removed")),
                Some(new) if new == old => {}
                Some(new) => {
                    let how = how(old, new).map_or_else(String::new, |how| format!(" ({how})"));
                    self.texts.push(format!("{place}: {kind} {name} was changed{how}"));
                }
            }
        }
        old.into_keys().filter(|name| !new.contains_key(name)).collect()
    }

    fn pools(&mut self, before: &Config, after: &Config) {
        for name in after.pools.keys().filter(|&name| !before.pools.contains_key(name)) {
            self.texts.push(format!("pools.{name}: the pool was added"));
        }
        for (name, old) in &before.pools {
            match after.pools.get(name) {
                None => {
                    self.texts.push(format!("pools.{name}: the pool was removed"));
                    self.removed.push(name.to_string());
                }
                Some(new) if new == old => {}
                Some(new) => self.pool(name.as_str(), old, new),
            }
        }
    }

    fn pool(&mut self, name: &str, before: &Pool, after: &Pool) {
        let (place, nodes) = (format!("pools.{name}"), (&before.nodes[..], &after.nodes[..]));
        let gone = self.compare(&place, "node", nodes, |node| &node.name, node);
        self.removed.extend(gone.into_iter().map(|node| format!("{name}/{node}")));
        let same_nodes = Pool { nodes: before.nodes.clone(), ..after.clone() };
        self.note(same_nodes != *before, &format!("{place}: settings were changed"));
    }
}

/// How a node was changed.
fn node(before: &Node, after: &Node) -> Option<String> {
    let mut how = Vec::new();
    if before.address != after.address {
        how.push(format!("address from {} to {}", before.address, after.address));
    }
    if before.weight != after.weight {
        how.push(format!("weight from {} to {}", before.weight.get(), after.weight.get()));
    }
    if before.tier != after.tier {
        how.push(format!("tier from {} to {}", before.tier.0, after.tier.0));
    }
    if before.max_in_flight != after.max_in_flight {
        let most =
            |node: &Node| node.max_in_flight.map_or_else(|| "none".to_owned(), |most| most.to_string());
        how.push(format!("max_in_flight from {} to {}", most(before), most(after)));
    }
    (!how.is_empty()).then(|| how.join(", "))
}

fn names(routes: &[Route]) -> Vec<&Name> {
    routes.iter().map(|route| &route.name).collect()
}

/// How a route was changed.
fn route(before: &Route, after: &Route) -> Option<String> {
    (before.pool != after.pool).then(|| format!("pool from {} to {}", before.pool, after.pool))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn config(pools: &str, rest: &str) -> Config {
        let text = format!("listeners: [{{address: \"127.0.0.1:80\"}}]\npools: {pools}\n{rest}");
        parse("test", text.as_bytes()).unwrap()
    }

    const TWO: &str =
        "{web: {nodes: [{address: \"10.0.0.1:1\", name: a}, {address: \"10.0.0.2:1\", name: b}]}}";

    #[test]
    fn what_is_the_same_has_not_changed() {
        let same = config(TWO, "routes: [{pool: web}]");
        assert_eq!(changes(&same, &same.clone()), Changes::default());
    }

    #[test]
    fn every_change_is_named() {
        let before = config(TWO, "routes: [{name: r, pool: web}]");
        let pools = "{web: {slow_start: 9s, nodes: [{address: \"10.0.0.1:1\", name: a, weight: 3}, \
                     {address: \"10.0.0.3:1\", name: c}]}, api: {nodes: [\"10.0.0.9:1\"]}}";
        let after = config(pools, "routes: [{name: r, pool: api}, {pool: web, path: /x}]\nstate_dir: /x");
        let found = changes(&before, &after);
        let wanted = [
            "state_dir: it was changed",
            "pools.api: the pool was added",
            "pools.web: node c was added",
            "pools.web: node a was changed (weight from 1 to 3)",
            "pools.web: node b was removed",
            "pools.web: settings were changed",
            "routes: route route-2 was added",
            "routes: route r was changed (pool from web to api)",
        ];
        assert_eq!(
            (found.texts, found.removed),
            (wanted.map(str::to_owned).into(), vec!["web/b".to_owned()])
        );
        let back = changes(&after, &before);
        assert_eq!(back.removed, ["api", "web/c"]);
    }

    #[test]
    fn order_of_routes_is_told_where_nothing_else_can_be() {
        let routes = |names: &[&str]| {
            let routes = names.iter().map(|name| format!("{{name: {name}, pool: web, path: /{name}}}"));
            config(TWO, &format!("routes: [{}]", routes.collect::<Vec<_>>().join(", ")))
        };
        let found = changes(&routes(&["a", "b", "c"]), &routes(&["c", "a", "b"]));
        assert_eq!(found.texts, ["routes: their order was changed"]);
        let found = changes(&routes(&["a", "b", "c"]), &routes(&["c", "a"]));
        assert_eq!(found.texts, ["routes: route b was removed"]);
    }

    #[test]
    fn there_is_an_end_to_what_is_named() {
        let nodes = |range: std::ops::Range<u16>| {
            let nodes: Vec<_> = range.map(|port| format!("\"10.0.0.1:{port}\"")).collect();
            config(&format!("{{web: {{nodes: [{}]}}}}", nodes.join(", ")), "routes: [{pool: web}]")
        };
        let found = changes(&nodes(1..100), &nodes(1_000..1_100));
        assert_eq!((found.texts.len(), found.removed.len()), (MOST + 1, 99));
        assert_eq!(found.texts.last().unwrap(), "and 99 more changes");
    }
}
