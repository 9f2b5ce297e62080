//! One configuration, compiled; and the one in force.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::balance::{Pool, Registry};
use crate::config::{self, Config, Protocol};
use crate::link::{self, Link, Links, Security};
use crate::model::Name;
use crate::retry::{BodyRoom, Policy};
use crate::routing::{Request, Router};
use crate::state::{KeyTrouble, Secret};
use crate::tls::Tls;

/// A configuration ready for requests. A request keeps the generation it began with.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    config: Config,
    router: Router,
    routes: Vec<Route>,
    pools: HashMap<Name, Arc<Pool>>,
    /// How nodes are reached; not settled, because certificates come and go.
    links: ArcSwap<Links>,
    /// What signs the passes of pools that name no key, once there was such a pool.
    own_key: Option<Secret>,
    /// What was wrong with it.
    key_trouble: Option<KeyTrouble>,
    /// What signs the messages to webhooks, by their names.
    webhook_keys: HashMap<Name, Secret>,
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
    /// The least bytes a second of a body, 0 for none; the listener's where `None`.
    pub body_rate: Option<u64>,
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
    /// The key that signs a pool's cookies cannot be had.
    #[error("reading pools.{pool}.sticky.key_file {}", path.display())]
    Key {
        /// The pool.
        pool: Name,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key that signs the messages to a webhook cannot be had.
    #[error("reading secret_file {} of the webhook {webhook}", path.display())]
    WebhookKey {
        /// The webhook.
        webhook: Name,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gave nothing to make a key of.
    #[error("making a key for sticky sessions")]
    OwnKey(#[source] io::Error),
    /// A route names a pool that is not there.
    #[error("route {route} names a pool that is not there")]
    NoPool {
        /// The route.
        route: Name,
    },
}

impl Generation {
    /// Compiles a configuration. Pools that did not change are taken over from `previous` as they are, with their turns;
    /// nodes that some pool knows keep their state through the `registry`. Nodes are verified as `tls` has it.
    pub async fn build(
        config: Config,
        previous: Option<&Self>,
        registry: &Arc<Registry>,
        tls: &Tls,
    ) -> Result<Self, BuildError> {
        let number = previous.map_or(1, |previous| previous.number + 1);
        let (keys, key_trouble) = Keys::read(&config, previous).await?;
        let webhook_keys = webhook_keys(&config).await?;
        let mut pools = HashMap::new();
        for (name, settings) in &config.pools {
            let key = keys.of(name, settings);
            pools.insert(name.clone(), pool(name, settings, key, previous, registry).await?);
        }
        let routes = config.routes.iter().map(|route| Route::new(route, &pools)).collect::<Result<_, _>>()?;
        let router = Router::new(&config.routes);
        let known = previous.map(|previous| previous.links.load());
        let links = ArcSwap::from_pointee(links(&config, tls, known.as_deref().map(|known| &**known)));
        Ok(Self {
            number,
            config,
            router,
            routes,
            pools,
            links,
            own_key: keys.own,
            key_trouble,
            webhook_keys,
        })
    }

    /// Its number: 1 is the one that the process began with.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was wrong with bookend's own key for cookies, if this generation was the first to need it.
    pub fn key_trouble(&self) -> Option<&KeyTrouble> {
        self.key_trouble.as_ref()
    }

    /// The key that signs the messages to the webhook of this name, if there is one.
    pub fn webhook_key(&self, webhook: &Name) -> Option<&Secret> {
        self.webhook_keys.get(webhook)
    }

    /// All pools.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.pools.values()
    }

    /// How its nodes are reached that are reached by more than a plain connection.
    pub fn links(&self) -> Arc<Links> {
        self.links.load_full()
    }

    /// How the node of `pool` with this name is reached; `None` is by a plain connection.
    pub fn link(&self, pool: &Name, node: &str) -> Option<Arc<Link>> {
        self.links.load().of(pool, node).map(Arc::clone)
    }

    /// From now on its nodes are verified as `tls` has it.
    pub fn secure(&self, tls: &Tls) {
        let next = links(&self.config, tls, Some(&**self.links.load()));
        self.links.store(Arc::new(next));
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
            body_rate: route.body_rate,
        })
    }
}

/// How the nodes of `config` are reached; what is as in `known` stays.
fn links(config: &Config, tls: &Tls, known: Option<&Links>) -> Links {
    let mut links = Links::default();
    for (name, pool) in &config.pools {
        for node in &pool.nodes {
            let security = match (&node.tls, tls.initiator(name, &node.name)) {
                (None, _) if node.protocol == Protocol::Http1 => continue,
                (None, _) => Security::Plain,
                (Some(_), Some(with)) => Security::Tls(link::Tls::new(with.client(), with.server_name())),
                (Some(_), None) => Security::Unknown,
            };
            links.add(name, &node.name, Link::new(security, node.protocol, pool.http2), known);
        }
    }
    links
}

async fn pool(
    name: &Name,
    settings: &config::Pool,
    key: Option<&Secret>,
    previous: Option<&Generation>,
    registry: &Arc<Registry>,
) -> Result<Arc<Pool>, BuildError> {
    let known = previous.and_then(|previous| previous.pools.get(name));
    let is_same =
        |known: &&Arc<Pool>| known.settings() == settings && known.has_key(key.map(Secret::as_bytes));
    if let Some(known) = known.filter(is_same) {
        return Ok(Arc::clone(known));
    }
    let addresses = known.map(|known| known.addresses()).unwrap_or_default();
    Pool::new(name.clone(), settings.clone(), Arc::clone(registry), addresses, key.map(Secret::as_bytes))
        .await
        .map(Arc::new)
        .map_err(|source| BuildError::Pool { pool: name.clone(), source })
}

/// What signs the cookies of sticky sessions.
struct Keys {
    /// Those that the configuration names, by pool.
    named: HashMap<Name, Secret>,
    own: Option<Secret>,
}

impl Keys {
    /// Reads what the pools of `config` need. bookend's own is read once: what becomes of the file later is no reason to
    /// move sessions.
    async fn read(
        config: &Config,
        previous: Option<&Generation>,
    ) -> Result<(Self, Option<KeyTrouble>), BuildError> {
        let sticky = || config.pools.iter().filter_map(|(name, pool)| Some((name, pool.sticky.as_ref()?)));
        let mut named = HashMap::new();
        for (pool, path) in sticky().filter_map(|(pool, sticky)| Some((pool, sticky.key_file.clone()?))) {
            let file = path.clone();
            let key = in_background(move || Secret::read(&file)).await;
            let key = key.map_err(|source| BuildError::Key { pool: pool.clone(), path, source })?;
            named.insert(pool.clone(), key);
        }
        let known = previous.and_then(|previous| previous.own_key.clone());
        if known.is_some() || sticky().all(|(_, sticky)| sticky.key_file.is_some()) {
            return Ok((Self { named, own: known }, None));
        }
        let directory = config.state_dir.clone();
        let own = in_background(move || Secret::own(directory.as_deref())).await;
        let (own, trouble) = own.map_err(BuildError::OwnKey)?;
        Ok((Self { named, own: Some(own) }, trouble))
    }

    fn of(&self, name: &Name, pool: &config::Pool) -> Option<&Secret> {
        pool.sticky.as_ref().and_then(|_| self.named.get(name).or(self.own.as_ref()))
    }
}

/// Reads what signs the messages to webhooks.
async fn webhook_keys(config: &Config) -> Result<HashMap<Name, Secret>, BuildError> {
    let mut keys = HashMap::new();
    for webhook in &config.alerts.webhooks {
        let Some(path) = webhook.secret_file.clone() else { continue };
        let file = path.clone();
        let key = in_background(move || Secret::read(&file)).await;
        let webhook = webhook.name.clone();
        match key {
            Ok(key) => keys.insert(webhook, key),
            Err(source) => return Err(BuildError::WebhookKey { webhook, path, source }),
        };
    }
    Ok(keys)
}

/// Does what blocks on the file system where it holds nobody up.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|why| Err(io::Error::other(why)))
}

/// The generation in force, and what all generations share.
#[derive(Debug)]
pub struct Current {
    generation: ArcSwap<Generation>,
    /// How its listeners speak TLS; not part of it, because certificates come and go while it stays.
    tls: ArcSwap<Tls>,
    bodies: Arc<BodyRoom>,
}

impl Current {
    /// Begins with `first` in force, whose listeners speak `tls`.
    pub fn new(first: Generation, tls: Tls) -> Self {
        Self {
            generation: ArcSwap::from_pointee(first),
            tls: ArcSwap::from_pointee(tls),
            bodies: Arc::default(),
        }
    }

    /// The generation in force, for as long as the caller needs it.
    pub fn load(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Puts `next` in force for every request that begins from now on.
    pub fn swap(&self, next: Arc<Generation>) {
        self.generation.store(next);
    }

    /// How listeners speak TLS now.
    pub fn tls(&self) -> Arc<Tls> {
        self.tls.load_full()
    }

    /// Whether any listener speaks TLS.
    pub fn speaks_tls(&self) -> bool {
        self.tls.load().is_spoken()
    }

    /// The port at which `host`, without one, is reached by TLS; `None` if no certificate is for it.
    pub fn tls_port_of(&self, host: &str) -> Option<u16> {
        self.tls.load().port_of(host)
    }

    /// From now on listeners speak TLS like this, and nodes are verified like this.
    pub fn secure(&self, tls: Tls) {
        self.load().secure(&tls);
        self.tls.store(Arc::new(tls));
    }

    /// The memory that kept bodies hold, whatever generation their requests began with.
    pub fn bodies(&self) -> &Arc<BodyRoom> {
        &self.bodies
    }
}
