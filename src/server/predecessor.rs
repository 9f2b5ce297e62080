//! Taking over from the bookend that runs: the successor's side.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::handover::{Channel, Word};
use crate::model::ListenAddress;
use crate::observe::Observer;
use crate::passed::{Passed, Unwanted};
use crate::socket_file::SocketFile;

/// How long each step of the predecessor may take.
const STEP: Duration = Duration::from_secs(20);

/// The bookend that runs, which serves until all of it is ours.
#[derive(Clone, Debug)]
pub(super) struct Predecessor {
    channel: Arc<Channel>,
}

impl Predecessor {
    /// Meets the bookend that started this one, and takes what it passes on. Blocks.
    pub(super) fn meet() -> io::Result<(Self, (Passed, Vec<Unwanted>))> {
        let channel = Channel::to_predecessor()?;
        let passed = Passed::of(channel.receive(STEP)?);
        Ok((Self { channel: Arc::new(channel) }, passed))
    }

    /// The configuration has no problem; returns what it knows of the nodes once it has let go of what only one can have.
    /// Blocks.
    pub(super) fn relieve(&self) -> io::Result<String> {
        self.channel.say(Word::Checked, "")?;
        self.channel.expect(Word::Go, STEP)
    }

    /// Nothing comes of it.
    pub(super) fn disappoint(&self, why: &str) {
        // If it is gone there is nobody to disappoint.
        let _ = self.channel.say(Word::Failed, why);
    }

    /// Takes over, and returns once the predecessor has left everything to us, or is gone.
    pub(super) async fn succeed(self) {
        let word = tokio::task::spawn_blocking(move || {
            self.channel.say(Word::Ready, "")?;
            self.channel.expect(Word::Yours, STEP)
        });
        // One that is gone by now has left everything to us as well, and one that changed its mind ends us.
        let _ = word.await;
    }
}

/// Closes what the predecessor listened at and this configuration does not.
pub(super) fn close_the_rest(passed: &Passed, observer: &Observer) {
    for address in passed.close_the_rest() {
        if let ListenAddress::Unix(path) = &address {
            // It goes as it is dropped.
            let _ = SocketFile::found(path).map(|mut file| file.leave(false));
        }
        observer.stopped_listening(&address);
    }
}
