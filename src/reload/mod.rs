//! From a file to the configuration in force: read, check everything, build, bind, swap.
//!
//! Nothing changes until all of it has worked. What was under way goes on under the generation it began with.

mod history;
mod source;

use std::io;
use std::sync::Arc;

pub use self::history::{History, Latest, Refused};
use self::source::each;
pub use self::source::{LoadError, Loaded, Source, in_full};
use crate::balance::Registry;
use crate::clock;
use crate::config::{self, Changes, Config, FileFault};
use crate::drain;
use crate::generation::{Current, Generation};
use crate::listen::{FrontDoor, Limits};
use crate::observe::{Observer, OpenError, Prepared};
use crate::passed::Given;
use crate::probe::Probes;
use crate::tls::{Files, Tls};

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
    /// Those of certificates and keys.
    files: Files,
    /// Whether they had changed when they were last looked at.
    files_change: bool,
}

/// What the files of certificates say now, if all is good.
fn renewed(config: &Config, in_use: &Tls) -> Result<Tls, Vec<FileFault>> {
    let tls = Tls::load(config, Some(in_use))?;
    let faults = tls.out_of_date(config, Some(in_use), clock::wall());
    if faults.is_empty() { Ok(tls) } else { Err(faults) }
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
        let tls = current.tls();
        observer.certificates(tls.shown());
        let files = tls.files();
        let files_change = false;
        let mut reloader =
            Self { source, history, current, registry, door, probes, limits, observer, files, files_change };
        let first = reloader.current.load();
        reloader.limits.allow(first.config().server.max_connections);
        let prepared = reloader.door.prepare(&first.config().listeners).await?;
        let log = reloader.prepare_access_log(first.config()).await?;
        reloader.probes.resolve_first(&first).await;
        reloader.observer.access_log().follow(log);
        reloader.probes.follow(&first);
        reloader.door.open(prepared, &reloader.current.tls());
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
        let in_use = self.current.tls();
        let loaded = tokio::task::spawn_blocking(move || source.load(Some(&in_use))?.in_date())
            .await
            .map_err(|why| LoadError::Read { file: self.source.name(), source: io::Error::other(why) })??;
        let Loaded { config, tls, .. } = loaded;
        let before = self.current.load();
        self.tell_what_needs_a_restart(before.config(), &config);
        let next = Generation::build(config, Some(&before), &self.registry, &tls).await?;
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
        self.door.open(prepared, &tls);
        self.now_secured_by(tls);
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

    fn now_secured_by(&mut self, tls: Tls) {
        self.files = tls.files();
        self.observer.certificates(tls.shown());
        self.current.secure(tls);
    }

    /// Reads the certificates again if one of their files has changed; if all are good they are shown from now on.
    pub async fn renew_certificates(&mut self) {
        if self.files.is_empty() {
            return;
        }
        let (mut files, in_use, generation) = (self.files.clone(), self.current.tls(), self.current.load());
        let were_changing = self.files_change;
        let looked = tokio::task::spawn_blocking(move || {
            let change = files.have_changed();
            // A certificate and its key are not written at one instant: only what stays as it is for a while is whole.
            let renewed = (were_changing && !change).then(|| renewed(generation.config(), &in_use));
            (files, change, renewed)
        });
        // A panic there leaves all as it was.
        let Ok((files, change, renewed)) = looked.await else { return };
        (self.files, self.files_change) = (files, change);
        match renewed {
            None => {}
            Some(Ok(tls)) => {
                self.door.secure(&tls);
                self.now_secured_by(tls);
                self.probes.follow(&self.current.load());
                self.observer.certificates_renewed();
            }
            Some(Err(faults)) => {
                for fault in faults {
                    self.observer.certificates_kept(&fault);
                }
            }
        }
    }

    /// Ends every connection that has no request under way, and each of the others when it has none any more.
    pub fn end_idle(&self) {
        self.door.end_idle();
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
