//! `bookend demo`: two nodes and bookend in front of them on this machine, under load, while things go wrong. It tells two
//! stories, each with a site of its own.
//!
//! Every part is a process of its own ([`site`]), so that a node can be killed for real. A story ([`killed`],
//! [`forgotten`]) does things to them, the [`load`] asks and judges what it gets, the [`scene`] keeps what there is to see, the [`screen`] shows it.

mod advice;
mod directory;
mod forgotten;
mod killed;
mod lifeline;
mod load;
mod node;
mod paper;
mod picture;
mod port;
mod process;
mod question;
mod scene;
mod screen;
mod site;
mod stage;
mod story;
mod tally;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub use self::lifeline::when_stdin_ends;
pub use self::node::{Strength, serve_node};
pub use self::story::{Breach, Story};

use self::advice::{Advice, Staying};
use self::forgotten::{FORGOTTEN, TARGET};
use self::picture::End;
use self::scene::Scene;
use self::screen::Screen;
use self::site::Site;
use self::stage::Stage;

/// From one picture to the next.
const FRAME: Duration = Duration::from_millis(100);
/// In lines: how often a story says how far it is, that takes as long as it takes.
const PROGRESS: Duration = Duration::from_secs(3);
/// Lines of progress of a story whose length is known.
const LINES_OF_PROGRESS: u32 = 9;

/// What is wanted of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The story that is told; `None`: both, one after the other, or the first if its site is to stay up.
    pub story: Option<Story>,
    /// How long the load of the first story lasts. The other one takes as long as bookend waits before it acts.
    pub length: Duration,
    /// Whether the site stays up afterwards, until interrupted.
    pub stays: bool,
}

/// How the demo ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every promise was kept: no client saw a request fail.
    Kept,
    /// Some were not.
    Broken(Vec<Breach>),
    /// Somebody ended it before its time.
    Interrupted,
}

/// What has been told so far.
#[derive(Debug, Default)]
struct Told {
    breaches: Vec<Breach>,
    is_whole: bool,
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
    /// bookend did not do what it was asked for.
    #[error("bookend refused to {what}: {why}")]
    Refused {
        /// What it was asked for.
        what: &'static str,
        /// Why it did not, in its words.
        why: String,
    },
    /// Something did not happen.
    #[error("it did not happen within a minute that {0}")]
    TooLong(&'static str),
}

impl Options {
    fn stories(&self) -> &'static [Story] {
        match (self.story, self.stays) {
            (Some(Story::Killed), _) | (None, true) => &[Story::Killed],
            (Some(Story::Forgotten), _) => &[Story::Forgotten],
            (None, false) => &[Story::Killed, Story::Forgotten],
        }
    }
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
    let mut screen = Screen::new();
    let mut told = Told::default();
    tokio::select! {
        result = show(options, &mut screen, &mut told) => result?,
        () = signals.next() => {}
    }
    Ok(match told {
        Told { is_whole: false, .. } => Ending::Interrupted,
        Told { breaches, .. } if breaches.is_empty() => Ending::Kept,
        Told { breaches, .. } => Ending::Broken(breaches),
    })
}

/// The whole demo.
async fn show(options: Options, screen: &mut Screen, told: &mut Told) -> Result<(), DemoError> {
    let stories = options.stories();
    for (index, &story) in stories.iter().enumerate() {
        let mut site = Site::start(story.strength()).await?;
        say(screen, &introduction(&site, story, (index + 1, stories.len())))?;
        let mut stage = Stage::new(&mut site, story, options.length);
        let _watch = stage.watch();
        told.breaches.extend(tell(screen, &mut stage).await?);
        if index + 1 == stories.len() {
            told.is_whole = true;
            say(screen, &advice(stage.site, story, options.stays).lines())?;
            if options.stays {
                let scene = Arc::clone(&stage.scene);
                while_drawing(screen, &scene, stage.stay()).await?;
            }
        }
    }
    Ok(())
}

/// Tells a story, and returns which promises were not kept.
async fn tell(screen: &mut Screen, stage: &mut Stage<'_>) -> Result<Vec<Breach>, DemoError> {
    let scene = Arc::clone(&stage.scene);
    screen.begin(match scene.picture().end {
        End::After(length) => length / LINES_OF_PROGRESS,
        End::WhenTold | End::WhenInterrupted => PROGRESS,
    });
    let paper = while_drawing(screen, &scene, stage.play()).await?;
    let picture = scene.picture();
    screen.report(&picture).map_err(DemoError::system("writing the report"))?;
    let mut breaches = Vec::new();
    if picture.tally.failed > 0 {
        breaches.push(Breach::Failed(picture.tally.failed));
    }
    if let Some(paper) = paper {
        say(screen, &paper.lines())?;
        breaches.extend(stage.died.iter().map(|&node| Breach::Died(node)));
        if !paper.blames_drain_of(FORGOTTEN, TARGET) {
            breaches.push(Breach::Unexplained(paper.cause));
        }
    }
    Ok(breaches)
}

/// Shows the scene again and again for as long as something is `done` to it.
async fn while_drawing<T>(
    screen: &mut Screen,
    scene: &Scene,
    done: impl Future<Output = Result<T, DemoError>>,
) -> Result<T, DemoError> {
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

/// Which story comes, and where its site is.
fn introduction(site: &Site, story: Story, (number, of): (usize, usize)) -> Vec<String> {
    let mut lines = Vec::new();
    if of > 1 {
        lines.extend([String::new(), format!("{number} of {of}: {}", story.title()), String::new()]);
    }
    lines.extend(site.introduction());
    lines
}

fn advice(site: &Site, story: Story, stays: bool) -> Advice {
    let pid = site.nodes().last().and_then(|node| node.pid());
    let staying = pid.filter(|_| stays).map(|pid| Staying {
        pid,
        configuration: site.configuration().display().to_string(),
        socket: site.socket().display().to_string(),
    });
    let program = std::env::args().next().unwrap_or_else(|| "bookend".to_owned());
    Advice { story, program, site: format!("http://{}", site.address()), staying }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_stories_are_told_unless_one_is_wanted_or_its_site_is_to_stay_up() {
        let stories = |story, stays| Options { story, length: Duration::from_secs(3), stays }.stories();
        assert_eq!(stories(None, false), [Story::Killed, Story::Forgotten]);
        assert_eq!(stories(None, true), [Story::Killed]);
        for stays in [false, true] {
            assert_eq!(stories(Some(Story::Killed), stays), [Story::Killed]);
            assert_eq!(stories(Some(Story::Forgotten), stays), [Story::Forgotten]);
        }
    }
}
