//! Which routes take the same requests.

use std::collections::HashMap;

use http::{HeaderName, HeaderValue, Method};

use super::locate::Place;
use crate::model::{HostPattern, PathPrefix};

/// What the routes so far take.
#[derive(Default)]
pub(super) struct Matches {
    /// A number for each set of conditions, so that they are kept once for all hosts of a route.
    numbers: HashMap<Conditions, usize>,
    /// The first route that takes a host under such conditions.
    first_at: HashMap<(HostPattern, usize), Place>,
}

/// All that a request must be like but its host, in an order that does not depend on the file.
#[derive(PartialEq, Eq, Hash)]
struct Conditions {
    path: PathPrefix,
    methods: Vec<Method>,
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
}

impl Matches {
    /// Adds the route at `place`; returns the first route before it if such take all of its requests.
    pub(super) fn add(
        &mut self,
        hosts: &[HostPattern],
        path: &PathPrefix,
        methods: &[Method],
        headers: &[(HeaderName, Option<HeaderValue>)],
        place: Place,
    ) -> Option<Place> {
        let next = self.numbers.len();
        let number = *self.numbers.entry(Conditions::new(path, methods, headers)).or_insert(next);
        let mut first = None;
        let mut is_reached = false;
        for host in hosts {
            match self.first_at.get(&(host.clone(), number)) {
                Some(place) => first = first.or_else(|| Some(place.clone())),
                None => {
                    is_reached = true;
                    self.first_at.insert((host.clone(), number), place.clone());
                }
            }
        }
        first.filter(|_| !is_reached)
    }
}

impl Conditions {
    fn new(path: &PathPrefix, methods: &[Method], headers: &[(HeaderName, Option<HeaderValue>)]) -> Self {
        let (mut methods, mut headers) = (methods.to_vec(), headers.to_vec());
        methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        headers.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        Self { path: path.clone(), methods, headers }
    }
}
