//! `bookend demo`: two nodes and bookend in front of them on this machine, under load, while things go wrong.
//!
//! Every part is a process of its own ([`site`]), so that a node can be killed for real. A story ([`killed`]) does
//! things to them, the [`load`] asks and judges what it gets, the [`scene`] keeps what there is to see, the [`screen`] shows it.

mod directory;
mod killed;
mod lifeline;
mod load;
mod node;
mod picture;
mod port;
mod process;
mod question;
mod scene;
mod screen;
mod site;
mod stage;
mod tally;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::AbortHandle;

pub use self::lifeline::when_stdin_ends;
pub use self::node::serve_node;

use self::picture::{Advice, Picture, Staying};
use self::scene::{Scene, watch};
use self::screen::Screen;
use self::site::Site;
use self::stage::Stage;

/// From one picture to the next.
const FRAME: Duration = Duration::from_millis(100);

/// What is wanted of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long the load lasts.
    pub length: Duration,
    /// Whether the site stays up afterwards, until interrupted.
    pub stays: bool,
}

/// How the demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// No client saw a request fail.
    NoneFailed,
    /// So many requests failed before the eyes of a client.
    Failed(u64),
    /// Somebody ended it before its time.
    Interrupted,
}

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The system refused something.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why it did not work.
        source: io::Error,
    },
    /// A process did not start, or ended without being asked to.
    #[error("{who} does not run; the end of its log:\n{log}")]
    Ended {
        /// Which one.
        who: &'static str,
        /// What it said last.
        log: String,
    },
    /// The configuration was not taken.
    #[error("bookend refused to reload: {0}")]
    Reload(String),
    /// Something did not happen.
    #[error("it did not happen within a minute that {0}")]
    TooLong(&'static str),
}

impl DemoError {
    fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }
}

/// Shows what bookend does. Everything that was started has ended when this returns.
///
/// # Errors
///
/// If a process cannot be started or does not do what it should.
pub fn run(options: Options) -> Result<Ending, DemoError> {
    // The load has a thread of its own: a terminal that somebody holds must not hold up the clients.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(DemoError::system("starting a runtime"))?;
    let ending = runtime.block_on(until_interrupted(options));
    runtime.shutdown_background();
    ending
}

async fn until_interrupted(options: Options) -> Result<Ending, DemoError> {
    let mut signals = Signals::new().map_err(DemoError::system("listening for signals"))?;
    let mut screen = Screen::new(options.length);
    let mut ending = None;
    tokio::select! {
        result = show(options, &mut screen, &mut ending) => result?,
        () = signals.next() => {}
    }
    Ok(ending.unwrap_or(Ending::Interrupted))
}

/// The whole demo; `ending` is known once the load has ended.
async fn show(options: Options, screen: &mut Screen, ending: &mut Option<Ending>) -> Result<(), DemoError> {
    let mut site = Site::start().await?;
    say(screen, &site.introduction())?;
    let scene = Arc::new(Scene::new(&site, options.length));
    let column = options.length / u32::try_from(Picture::COLUMNS).unwrap_or(u32::MAX);
    let _watch = Watch(tokio::spawn(watch(Arc::clone(&scene), site.socket(), column)).abort_handle());

    let mut stage = Stage { site: &mut site, scene: &scene, length: options.length };
    while_drawing(screen, &scene, stage.play()).await?;
    let picture = scene.picture();
    *ending = Some(match picture.tally.failed {
        0 => Ending::NoneFailed,
        failed => Ending::Failed(failed),
    });
    screen.report(&picture).map_err(DemoError::system("writing the report"))?;
    say(screen, &advice(&site, options.stays).lines())?;
    if options.stays {
        let mut stage = Stage { site: &mut site, scene: &scene, length: options.length };
        while_drawing(screen, &scene, stage.stay()).await?;
    }
    Ok(())
}

/// Shows the scene again and again for as long as something is `done` to it.
async fn while_drawing(
    screen: &mut Screen,
    scene: &Scene,
    done: impl Future<Output = Result<(), DemoError>>,
) -> Result<(), DemoError> {
    tokio::pin!(done);
    loop {
        screen.draw(scene.picture()).map_err(DemoError::system("drawing"))?;
        tokio::select! {
            result = &mut done => return result,
            () = tokio::time::sleep(FRAME) => {}
        }
    }
}

fn say(screen: &mut Screen, lines: &[String]) -> Result<(), DemoError> {
    screen.say(lines).map_err(DemoError::system("writing"))
}

fn advice(site: &Site, stays: bool) -> Advice {
    let pid = site.nodes().last().and_then(|node| node.pid());
    let staying = pid.filter(|_| stays).map(|pid| Staying {
        pid,
        configuration: site.configuration().display().to_string(),
        socket: site.socket().display().to_string(),
    });
    let program = std::env::args().next().unwrap_or_else(|| "bookend".to_owned());
    Advice { program, site: format!("http://{}", site.address()), staying }
}

/// The task that watches; it ends when this is dropped.
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What ends the demo before its time: Ctrl-C, SIGTERM, the end of the terminal.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
