//! Handing events to those who keep them and pass them on.

use parking_lot::Mutex;
use prometheus::IntCounter;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::incident::{Event, What};

/// Events that one who listens may be behind.
const LONGEST: usize = 16_384;

/// Where events go that somebody listens for. Whoever publishes one waits for nobody.
#[derive(Debug)]
pub(super) struct Feed {
    /// The time of an event, in milliseconds since 1970.
    now: fn() -> u64,
    listeners: Mutex<Vec<mpsc::Sender<Event>>>,
    lost: IntCounter,
}

impl Feed {
    pub(super) fn new(now: fn() -> u64, lost: IntCounter) -> Self {
        Self { now, listeners: Mutex::default(), lost }
    }

    /// Every event from now on; those for which there is no room any more are lost, and counted.
    pub(super) fn listen(&self) -> mpsc::Receiver<Event> {
        let (sender, receiver) = mpsc::channel(LONGEST);
        self.listeners.lock().push(sender);
        receiver
    }

    pub(super) fn publish(&self, pool: Option<&str>, node: Option<&str>, what: What) {
        let event =
            Event { at: (self.now)(), pool: pool.map(str::to_owned), node: node.map(str::to_owned), what };
        self.listeners.lock().retain(|listener| match listener.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.lost.inc();
                true
            }
            Err(TrySendError::Closed(_)) => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed() -> Feed {
        Feed::new(|| 7, IntCounter::new("lost", "lost").unwrap())
    }

    #[test]
    fn everybody_who_listens_hears_every_event() {
        let feed = feed();
        let mut listeners = [feed.listen(), feed.listen()];
        feed.publish(Some("web"), Some("web-01"), What::Up);
        for listener in &mut listeners {
            let event = listener.try_recv().unwrap();
            assert_eq!(
                event,
                Event { at: 7, pool: Some("web".into()), node: Some("web-01".into()), what: What::Up }
            );
        }
    }

    #[test]
    fn one_who_does_not_listen_costs_others_nothing() {
        let feed = feed();
        let (gone, mut here) = (feed.listen(), feed.listen());
        drop(gone);
        for _ in 0..LONGEST {
            feed.publish(None, None, What::Stopped);
        }
        assert_eq!(feed.lost.get(), 0);
        feed.publish(None, None, What::Stopped);
        assert_eq!(feed.lost.get(), 1);
        here.try_recv().unwrap();
        feed.publish(None, None, What::Stopped);
        assert_eq!(feed.lost.get(), 1);
    }
}
