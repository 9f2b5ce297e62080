//! Which route takes a request: by host, then path, then method and headers.
//!
//! Paths are compared as they come: nothing is percent-decoded and no `.` or `..` is resolved, because nodes do that
//! each in their own way, and a route chosen by one reading for a node with another would be a hole that neither
//! side sees. So `/%61pi` is not below `/api`, and a route is no access control: whoever guards `/admin` by giving it
//! no route has to guard it on the nodes as well.
//!
//! The tables are keyed by `std`'s keyed hash, so that no client can choose hosts or paths that collide.

mod host;
mod paths;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::iter;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use smallvec::SmallVec;

use self::paths::Paths;
use crate::config::Route;
use crate::model::HostPattern;

/// What of a request decides its route.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The host as received (`Host` or `:authority`), in any case, with or without a port or a trailing dot.
    ///
    /// What is no host or longer than 255 bytes counts as `None`: only [`HostPattern::Any`] takes it.
    pub host: Option<&'a str>,
    /// The path as received, with or without a query. What does not begin with `/` (as in `OPTIONS *`) is below `/`
    /// only.
    pub path: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// The routes of one configuration, ready to be searched.
#[derive(Debug, Default)]
pub struct Router {
    exact: HashMap<Box<str>, Paths>,
    suffixes: HashMap<Box<str>, Paths>,
    any: Paths,
    /// By the route's index.
    conditions: Vec<Conditions>,
    /// The labels of the suffix that has most; no host is taken apart further than that.
    most_labels: usize,
}

impl Router {
    /// Prepares `routes` for searching.
    pub fn new(routes: &[Route]) -> Self {
        let mut router = Self::default();
        for (index, route) in routes.iter().enumerate() {
            router.conditions.push(Conditions::of(route));
            for host in &route.hosts {
                router.paths_of(host).insert(route.path.as_str(), index);
            }
        }
        router
    }

    /// The index of the route that takes `request`, in the slice that the router was made from.
    ///
    /// The host decides first (exact, then the suffixes from the longest, then any), then the longest path prefix of
    /// whole segments, then the order of the file. A route whose methods or headers do not match is passed over, and
    /// the search goes on in the same order: shorter prefixes, then the next suffix, then any.
    ///
    /// The work is bounded by the configuration, whatever the request: one look-up for each label of the longest
    /// suffix and each segment of the longest prefix, and a scan of the routes that share a host and a path.
    pub fn find(&self, request: &Request<'_>) -> Option<usize> {
        let mut lower = SmallVec::new();
        let host = request.host.and_then(|host| host::normalize(host, &mut lower));
        let path = request.path.split_once('?').map_or(request.path, |(path, _)| path);
        let takes =
            |index: usize| self.conditions.get(index).is_some_and(|conditions| conditions.hold(request));
        self.tables(host).find_map(|paths| paths.find(path, takes))
    }

    /// The tables that may hold a route for `host`, the one that decides first in front.
    fn tables<'a>(&'a self, host: Option<&'a str>) -> impl Iterator<Item = &'a Paths> {
        let exact = host.and_then(|host| self.exact.get(host));
        let suffixes = host.into_iter().flat_map(|host| host::suffixes(host, self.most_labels));
        let below = suffixes.filter_map(|suffix| self.suffixes.get(suffix));
        exact.into_iter().chain(below).chain(iter::once(&self.any))
    }

    fn paths_of(&mut self, host: &HostPattern) -> &mut Paths {
        match host {
            HostPattern::Exact(name) => self.exact.entry(host::without_brackets(name).into()).or_default(),
            HostPattern::Suffix(name) => {
                self.most_labels = self.most_labels.max(host::labels(name));
                self.suffixes.entry(name.as_str().into()).or_default()
            }
            HostPattern::Any => &mut self.any,
        }
    }
}

/// What a route asks of a request besides host and path.
#[derive(Debug)]
struct Conditions {
    /// Empty is all.
    methods: Vec<Method>,
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
}

impl Conditions {
    fn of(route: &Route) -> Self {
        Self { methods: route.methods.clone(), headers: route.headers.clone() }
    }

    fn hold(&self, request: &Request<'_>) -> bool {
        let method_matches = self.methods.is_empty() || self.methods.contains(request.method);
        method_matches
            && self.headers.iter().all(|(name, value)| has_header(request.headers, name, value.as_ref()))
    }
}

/// Whether one of the lines called `name` is exactly `value`, or there is any if no value is asked for.
fn has_header(headers: &HeaderMap, name: &HeaderName, value: Option<&HeaderValue>) -> bool {
    match value {
        Some(value) => headers.get_all(name).iter().any(|line| line == value),
        None => headers.contains_key(name),
    }
}
