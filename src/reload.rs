//! From a file to the configuration in force: read, check everything, build, bind, swap.
//!
//! Nothing changes until all of it has worked. What was under way goes on under the generation it began with.

use std::error::Error;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::balance::Registry;
use crate::clock;
use crate::config::{self, Changes, Config, Problems};
use crate::drain::{self, Loss};
use crate::generation::{BuildError, Current, Generation};
use crate::listen::{BindError, FrontDoor, Limits};
use crate::observe::{Observer, OpenError, Prepared};
use crate::passed::Given;
use crate::probe::Probes;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, read anew at every reload.
    File(PathBuf),
    /// Text that was put together from the command line.
    Text(String),
}

/// Why a configuration did not come into force. The one before it still is.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("reading {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// There are problems in it.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// It could not be compiled.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The access log could not be opened.
    #[error(transparent)]
    AccessLog(#[from] OpenError),
    /// A pool would have too few nodes that can serve, or lose some that the rest cannot do without.
    #[error(transparent)]
    Loss(#[from] Loss),
    /// The operator's side cannot follow.
    #[error(transparent)]
    Operators(Box<dyn Error + Send + Sync>),
}

impl Source {
    /// The source as people know it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "command line".to_owned(),
        }
    }

    /// Reads and checks the configuration.
    ///
    /// Blocks on the file system.
    pub fn load(&self) -> Result<Config, LoadError> {
        let bytes = match self {
            Self::File(path) => read(path).map_err(|source| LoadError::Read { file: self.name(), source })?,
            Self::Text(text) => text.as_bytes().to_vec(),
        };
        Ok(config::parse(&self.name(), &bytes)?)
    }
}

/// Reads a file, but no more of it than a configuration can have and one byte, so that `/dev/zero` is merely too long.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(config::LARGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What became of the configurations so far.
#[derive(Debug)]
pub struct History {
    file: String,
    latest: Mutex<Latest>,
}

/// What became of the latest configurations.
#[derive(Clone, Debug)]
pub struct Latest {
    /// When the configuration in force came into force.
    pub in_force_at: SystemTime,
    /// The last configuration that was refused; it stays known after another came into force.
    pub refused: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When.
    pub at: SystemTime,
    /// Why.
    pub why: Arc<LoadError>,
    /// Whether a configuration has come into force since.
    pub is_superseded: bool,
}

impl History {
    /// The history of what is loaded from `source`, which begins now.
    pub fn new(source: &Source) -> Self {
        let latest = Latest { in_force_at: clock::wall(), refused: None };
        Self { file: source.name(), latest: Mutex::new(latest) }
    }

    /// The source as people know it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What became of the latest configurations.
    pub fn latest(&self) -> Latest {
        self.latest.lock().clone()
    }

    /// A configuration came into force; what was refused before it is mended.
    fn in_force(&self) {
        let mut latest = self.latest.lock();
        latest.in_force_at = clock::wall();
        if let Some(refused) = &mut latest.refused {
            refused.is_superseded = true;
        }
    }

    fn refused(&self, why: &Arc<LoadError>) {
        let refused = Refused { at: clock::wall(), why: Arc::clone(why), is_superseded: false };
        self.latest.lock().refused = Some(refused);
    }
}

/// An error with its causes.
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Each reason by itself, on one line.
fn each(why: &LoadError) -> Vec<String> {
    let line = |text: String| text.lines().map(str::trim).collect::<Vec<_>>().join("; ");
    match why {
        LoadError::Problems(problems) => problems.iter().map(|problem| line(problem.to_string())).collect(),
        other => vec![line(in_full(other))],
    }
}

/// Everything that follows the configuration in force.
pub struct Reloader {
    source: Source,
    history: Arc<History>,
    current: Arc<Current>,
    registry: Arc<Registry>,
    door: FrontDoor,
    probes: Probes,
    limits: Arc<Limits>,
    observer: Arc<Observer>,
}

impl Reloader {
    /// Opens the listeners of the configuration in force and takes up its background work.
    pub async fn start(
        source: Source,
        history: Arc<History>,
        current: Arc<Current>,
        registry: Arc<Registry>,
        door: FrontDoor,
        limits: Arc<Limits>,
        observer: Arc<Observer>,
    ) -> Result<Self, LoadError> {
        let probes = Probes::new(Arc::clone(&observer));
        let mut reloader = Self { source, history, current, registry, door, probes, limits, observer };
        let first = reloader.current.load();
        reloader.limits.allow(first.config().server.max_connections);
        let prepared = reloader.door.prepare(&first.config().listeners).await?;
        let log = reloader.prepare_access_log(first.config()).await?;
        reloader.probes.resolve_first(&first).await;
        reloader.observer.access_log().follow(log);
        reloader.probes.follow(&first);
        reloader.door.open(prepared);
        reloader.history.in_force();
        reloader.tell_of_the_key(&first);
        reloader.observer.configuration_in_force(
            first.number(),
            &reloader.source.name(),
            &Changes::default(),
            None,
        );
        Ok(reloader)
    }

    /// Loads the configuration again, tells the world how that went, and returns the number of the generation.
    ///
    /// One that would leave a pool with too few nodes that can serve, or without some that the rest cannot do without, is
    /// refused, unless `is_forced`. `by` is who asked.
    ///
    /// `prepare` is for whatever stands above and follows the configuration as well: it changes nothing yet, and what it
    /// returns is handed back once all has worked.
    pub async fn reload<T>(
        &mut self,
        is_forced: bool,
        by: &str,
        prepare: impl AsyncFnOnce(&Config) -> Result<T, LoadError>,
    ) -> Result<(u64, T), Arc<LoadError>> {
        match self.try_reload(is_forced, prepare).await {
            Ok((number, prepared, changes)) => {
                self.history.in_force();
                self.observer.configuration_in_force(number, &self.source.name(), &changes, Some(by));
                Ok((number, prepared))
            }
            Err(why) => {
                let why = Arc::new(why);
                self.history.refused(&why);
                self.observer.reload_refused(self.current.load().number(), &each(&why), by);
                Err(why)
            }
        }
    }

    async fn try_reload<T>(
        &mut self,
        is_forced: bool,
        prepare: impl AsyncFnOnce(&Config) -> Result<T, LoadError>,
    ) -> Result<(u64, T, Changes), LoadError> {
        let source = self.source.clone();
        let config = tokio::task::spawn_blocking(move || source.load())
            .await
            .map_err(|why| LoadError::Read { file: self.source.name(), source: io::Error::other(why) })??;
        let before = self.current.load();
        self.tell_what_needs_a_restart(before.config(), &config);
        let next = Generation::build(config, Some(&before), &self.registry).await?;
        if !is_forced {
            drain::compare(&before, &next, clock::millis())?;
        }
        let prepared = self.door.prepare(&next.config().listeners).await?;
        let above = prepare(next.config()).await?;
        // Last of all that can fail: a file that is not there yet is made by opening it.
        let log = self.prepare_access_log(next.config()).await?;
        self.probes.resolve_first(&next).await;
        let next = Arc::new(next);
        self.limits.allow(next.config().server.max_connections);
        self.observer.access_log().follow(log);
        self.current.swap(Arc::clone(&next));
        self.door.open(prepared);
        self.probes.follow(&next);
        self.tell_of_the_key(&next);
        let changes = config::changes(before.config(), next.config());
        Ok((next.number(), above, changes))
    }

    fn tell_of_the_key(&self, generation: &Generation) {
        if let Some(trouble) = generation.key_trouble() {
            self.observer.sticky_key(trouble);
        }
    }

    async fn prepare_access_log(&self, config: &Config) -> Result<Prepared, OpenError> {
        let (observer, settings) = (Arc::clone(&self.observer), config.access_log.clone());
        tokio::task::spawn_blocking(move || observer.access_log().prepare(settings.as_ref()))
            .await
            .map_err(|why| OpenError::Thread(io::Error::other(why)))?
    }

    fn tell_what_needs_a_restart(&self, before: &Config, after: &Config) {
        if before.server.threads != after.server.threads {
            self.observer.needs_restart("server.threads");
        }
        if before.server.pid_file != after.server.pid_file {
            self.observer.needs_restart("server.pid_file");
        }
        if before.state_dir != after.state_dir {
            self.observer.needs_restart("state_dir");
        }
        if before.admin.socket != after.admin.socket {
            self.observer.needs_restart("admin.socket");
        }
    }

    /// The sockets of every listener, to be passed on.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn to_pass_on(&self) -> io::Result<Vec<Given>> {
        self.door.to_pass_on()
    }

    /// Whether the listeners are another process's as well, so that closing them here ends nothing.
    pub fn leave(&mut self, is_left: bool) {
        self.door.leave(is_left);
    }

    /// Ends every connection, whatever it is doing.
    pub fn cut(&self) {
        self.door.cut();
    }

    /// Closes every listener, for good.
    pub async fn close(&mut self) {
        self.door.close().await;
    }
}
