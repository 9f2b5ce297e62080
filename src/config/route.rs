//! Which requests go to which pool.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use http::{HeaderName, HeaderValue, Method};

use super::listener;
use super::locate::Place;
use super::pool::{self, Pools};
use super::read::{Fault, Fields, Value, shown};
use super::same::Matches;
use super::{NodeTimeouts, Retry, bounds};
use crate::model::{HostPattern, Name, PathPrefix};

/// Which requests go to which pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it is called; unique.
    pub name: Name,
    /// The hosts it takes; `[Any]` unless told, never empty.
    pub hosts: Vec<HostPattern>,
    /// The paths it takes.
    pub path: PathPrefix,
    /// The methods it takes; empty is all.
    pub methods: Vec<Method>,
    /// Headers that a request must have, with the value if one is given.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// Where its requests go.
    pub pool: Name,
    /// Its own retry rules; the pool's unless told.
    pub retry: Retry,
    /// Its own time-outs; the pool's unless told.
    pub timeouts: NodeTimeouts,
    /// The largest body in bytes; the listener's unless told.
    pub max_body: Option<u64>,
    /// The least bytes a second of a body, 0 for none; the listener's unless told.
    pub body_rate: Option<u64>,
}

/// Reads all routes; no two may have the same name or take the same requests.
pub(super) fn read_all(value: Value<'_>, pools: Option<&Pools>) -> Option<Vec<Route>> {
    let mut reader = Reader::new(pools);
    let routes = value.each("a list of routes", |item| {
        item.fields("a mapping with the key `pool`", |fields| reader.read(&item, fields))?
    })?;
    if value.is_empty_list() {
        return value.fail(Fault::new("no route, so every request would get 404").help(EXAMPLE));
    }
    Some(reader.with_free_names(routes))
}

/// What a list of routes looks like.
pub(super) const EXAMPLE: &str = "write at least one, as in `- pool: web`";

/// Reads routes one after the other, and knows those it has read.
struct Reader<'a> {
    /// The pools, unless the file has none that could be read.
    pools: Option<&'a Pools>,
    known_pools: HashSet<&'a str>,
    /// The names that the file gives, and where.
    names: HashMap<Name, Place>,
    matches: Matches,
}

/// What a request must be like.
struct Conditions {
    hosts: Vec<HostPattern>,
    path: PathPrefix,
    methods: Vec<Method>,
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
}

impl<'a> Reader<'a> {
    fn new(pools: Option<&'a Pools>) -> Self {
        let known_pools = pools.iter().flat_map(|pools| &pools.names).map(String::as_str).collect();
        Self { pools, known_pools, names: HashMap::new(), matches: Matches::default() }
    }

    fn read(&mut self, item: &Value<'_>, fields: &Fields<'_>) -> Option<Route> {
        let name = fields.read("name", |v| self.name(v));
        let conditions = read_conditions(fields);
        let pool = fields.require("pool", "add it, as in `pool: web`", |v| self.pool(v));
        let base = pool.as_ref().and_then(|name| self.pools?.good.get(name));
        let (mut retry, mut timeouts) =
            base.map(|pool| (pool.retry.clone(), pool.timeouts.clone())).unwrap_or_default();
        retry = fields.read("retry", |v| pool::read_retry(v, &retry)).unwrap_or(retry);
        timeouts = fields.read("timeouts", |v| pool::read_timeouts(v, &timeouts)).unwrap_or(timeouts);
        let max_body = fields.read("max_body", |v| v.size(bounds::BODY));
        let body_rate = fields.read("body_rate", listener::rate);

        let Conditions { hosts, path, methods, headers } = conditions?;
        if let Some(first) = self.matches.add(&hosts, &path, &methods, &headers, item.place()) {
            let fault = Fault::new("never reached: all its requests already go to the route").first(first);
            item.report(
                fault.help("remove one of them, or let them differ in host, path, methods or headers"),
            );
        }
        let name = name.or_else(|| derived_name(item.index()?.saturating_add(1), None))?;
        let pool = pool?;
        Some(Route { name, hosts, path, methods, headers, pool, retry, timeouts, max_body, body_rate })
    }

    fn name(&mut self, value: Value<'_>) -> Option<Name> {
        let name: Name = value.parsed("a name like `api`")?;
        match self.names.get(&name) {
            Some(first) => value.report(Fault::new("the same name as the route").first(first.clone())),
            None => drop(self.names.insert(name.clone(), value.place())),
        }
        Some(name)
    }

    fn pool(&self, value: Value<'_>) -> Option<Name> {
        let text = value.free_text("the name of a pool")?;
        let pools = self.pools?;
        if self.known_pools.contains(text) {
            return text.parse().ok();
        }
        let text = shown(text);
        let known = || pools.names.iter().map(String::as_str);
        value.fail(match value.nearest(&text, known()) {
            Some(meant) => Fault::new(format!("there is no pool `{text}`; did you mean `{meant}`?")),
            None => Fault::new(format!("there is no pool `{text}`")).help(some_of(known())),
        })
    }

    /// Gives another name to each route whose derived name stands at another route.
    fn with_free_names(&self, mut routes: Vec<Route>) -> Vec<Route> {
        let mut told: HashSet<Name> = self.names.keys().cloned().collect();
        for (index, route) in routes.iter_mut().enumerate() {
            let position = index.saturating_add(1);
            let is_derived = Some(&route.name) == derived_name(position, None).as_ref();
            let is_own = self.names.get(&route.name).is_some_and(|place| place.get(1) == Some(&index));
            if is_derived && !is_own && told.contains(&route.name) {
                let free = (2..).filter_map(|n: usize| derived_name(position, Some(n)));
                route.name = free.into_iter().find(|name| !told.contains(name)).unwrap_or(route.name.clone());
                told.insert(route.name.clone());
            }
        }
        routes
    }
}

/// The name of the route at `position`, from 1, that has none of its own.
fn derived_name(position: usize, again: Option<usize>) -> Option<Name> {
    let name = match again {
        None => format!("route-{position}"),
        Some(again) => format!("route-{position}-{again}"),
    };
    name.parse().ok()
}

fn some_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.take(20).map(shown).collect();
    match names.len() {
        0 => "add the pool under `pools`".to_owned(),
        _ => format!("pools of this file: {}", names.join(", ")),
    }
}

fn read_conditions(fields: &Fields<'_>) -> Option<Conditions> {
    let hosts =
        fields.read_or("host", || vec![HostPattern::Any], |v| unique(v, "a host", |v| v.parsed("a host")));
    let path = fields.read_or("path", PathPrefix::default, |v| v.parsed("a path like `/api`"));
    let methods = fields.read_or("methods", Vec::new, |v| unique(v, "a method", method));
    let headers = fields.read_or("headers", Vec::new, headers);
    Some(Conditions { hosts: hosts?, path: path?, methods: methods?, headers: headers? })
}

/// Reads one value or a list of values that all differ.
fn unique<T: Clone + Eq + Hash>(
    value: Value<'_>,
    what: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut seen = HashSet::new();
    value.one_or_each(what, |item| {
        let value = read(&item)?;
        if !seen.insert(value.clone()) {
            return item.fail(Fault::new(format!("{item} stands in this list twice")).help("remove one"));
        }
        Some(value)
    })
}

fn method(value: &Value<'_>) -> Option<Method> {
    let text = value.text("a method like `GET`")?;
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if !text.bytes().any(|byte| byte.is_ascii_lowercase()) => Some(method),
        Ok(_) => {
            let fault = Fault::new(format!("`{}` is no method: they are in upper case", shown(text)));
            value.fail(fault.help(format!("write `{}`", shown(&text.to_ascii_uppercase()))))
        }
        Err(_) => {
            let fault = Fault::new(format!("`{}` is no method", shown(text)));
            value.fail(fault.help("write one as in `GET`, or a list as in `[GET, HEAD]`"))
        }
    }
}

fn headers(value: Value<'_>) -> Option<Vec<(HeaderName, Option<HeaderValue>)>> {
    let seen = RefCell::new(HashSet::new());
    value.named("a mapping from header to value", |name, value| {
        let header = HeaderName::from_bytes(name.as_bytes()).ok();
        let Some(header) = header else {
            let fault = Fault::new(format!("`{}` is no header's name", shown(name)));
            return value.fail(fault.help("write it as in `X-Beta: \"1\"`").on_key());
        };
        if !seen.borrow_mut().insert(header.clone()) {
            return value.fail(Fault::new("the same header twice; letter case makes no difference").on_key());
        }
        Some((header, header_value(value)?))
    })
}

/// Reads the value that a header must have; `Some(None)` is any.
fn header_value(value: Value<'_>) -> Option<Option<HeaderValue>> {
    let text = value.free_text("the value of a header, or `\"*\"` for any")?;
    if text == "*" {
        return Some(None);
    }
    match HeaderValue::from_str(text) {
        Ok(value) if text.trim() == text && !text.is_empty() => Some(Some(value)),
        Ok(_) => value.fail(
            Fault::new("a header's value is never empty, and never begins or ends with a space")
                .help("write the value without spaces around it, or `\"*\"` for any"),
        ),
        Err(_) => value.fail(Fault::new(format!("`{}` cannot be the value of a header", shown(text)))),
    }
}
