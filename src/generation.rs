//! One configuration, compiled; and the one in force.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::balance::{Pool, Registry};
use crate::config::{self, Config};
use crate::model::Name;
use crate::retry::{BodyRoom, Policy};
use crate::routing::{Request, Router};

/// A configuration ready for requests. A request keeps the generation it began with.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    config: Config,
    router: Router,
    routes: Vec<Route>,
    pools: HashMap<Name, Arc<Pool>>,
}

/// A route with all that its requests need.
#[derive(Debug)]
pub struct Route {
    /// What it is called.
    pub name: Name,
    /// Where its requests go.
    pub pool: Arc<Pool>,
    /// What is done about a failed attempt.
    pub retry: Policy,
    /// How long a node may take.
    pub timeouts: config::NodeTimeouts,
    /// The largest body in bytes; the listener's limit where `None`.
    pub max_body: Option<u64>,
}

/// A configuration that could not be compiled; none that was parsed should end here.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The balancer of a pool could not be made.
    #[error("building pool {pool}")]
    Pool {
        /// The pool.
        pool: Name,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A route names a pool that is not there.
    #[error("route {route} names a pool that is not there")]
    NoPool {
        /// The route.
        route: Name,
    },
}

impl Generation {
    /// Compiles a configuration. Pools that did not change are taken over from `previous` as they are, with their turns;
    /// nodes that some pool knows keep their state through the `registry`.
    pub async fn build(
        config: Config,
        previous: Option<&Self>,
        registry: &Arc<Registry>,
    ) -> Result<Self, BuildError> {
        let number = previous.map_or(1, |previous| previous.number + 1);
        let mut pools = HashMap::new();
        for (name, settings) in &config.pools {
            pools.insert(name.clone(), pool(name, settings, previous, registry).await?);
        }
        let routes = config.routes.iter().map(|route| Route::new(route, &pools)).collect::<Result<_, _>>()?;
        let router = Router::new(&config.routes);
        Ok(Self { number, config, router, routes, pools })
    }

    /// Its number: 1 is the one that the process began with.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All pools.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.pools.values()
    }

    /// The number of the route that takes a request, if one does.
    pub fn find(&self, request: &Request<'_>) -> Option<usize> {
        self.router.find(request)
    }

    /// The route with this number.
    pub fn route(&self, number: usize) -> Option<&Route> {
        self.routes.get(number)
    }
}

impl Route {
    fn new(route: &config::Route, pools: &HashMap<Name, Arc<Pool>>) -> Result<Self, BuildError> {
        let no_pool = || BuildError::NoPool { route: route.name.clone() };
        Ok(Self {
            name: route.name.clone(),
            pool: pools.get(&route.pool).map(Arc::clone).ok_or_else(no_pool)?,
            retry: Policy { rules: route.retry.clone() },
            timeouts: route.timeouts.clone(),
            max_body: route.max_body,
        })
    }
}

async fn pool(
    name: &Name,
    settings: &config::Pool,
    previous: Option<&Generation>,
    registry: &Arc<Registry>,
) -> Result<Arc<Pool>, BuildError> {
    let known = previous.and_then(|previous| previous.pools.get(name));
    if let Some(known) = known.filter(|known| known.settings() == settings) {
        return Ok(Arc::clone(known));
    }
    let addresses = known.map(|known| known.addresses()).unwrap_or_default();
    Pool::new(name.clone(), settings.clone(), Arc::clone(registry), addresses)
        .await
        .map(Arc::new)
        .map_err(|source| BuildError::Pool { pool: name.clone(), source })
}

/// The generation in force, and what all generations share.
#[derive(Debug)]
pub struct Current {
    generation: ArcSwap<Generation>,
    bodies: Arc<BodyRoom>,
}

impl Current {
    /// Begins with `first` in force.
    pub fn new(first: Generation) -> Self {
        Self { generation: ArcSwap::from_pointee(first), bodies: Arc::default() }
    }

    /// The generation in force, for as long as the caller needs it.
    pub fn load(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Puts `next` in force for every request that begins from now on.
    pub fn swap(&self, next: Arc<Generation>) {
        self.generation.store(next);
    }

    /// The memory that kept bodies hold, whatever generation their requests began with.
    pub fn bodies(&self) -> &Arc<BodyRoom> {
        &self.bodies
    }
}
