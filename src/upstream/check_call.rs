//! Asking for a check of a node before the next one is due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Somebody wants to know how a node is, and somebody else sees to it.
#[derive(Debug, Default)]
pub struct CheckCall {
    is_wanted: AtomicBool,
    watcher: Mutex<Option<Waker>>,
}

impl CheckCall {
    /// Asks for a check.
    pub fn call(&self) {
        if !self.is_wanted.swap(true, Ordering::Relaxed)
            && let Some(watcher) = self.watcher.lock().take()
        {
            watcher.wake();
        }
    }

    /// Ready when a check was asked for since this was last ready. One task may wait at a time.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut watcher = self.watcher.lock();
        if self.is_wanted.swap(false, Ordering::Relaxed) {
            return Poll::Ready(());
        }
        *watcher = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicU32);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn calls_wake_once_and_are_not_lost() {
        let (call, counter) = (CheckCall::default(), Arc::new(Counter::default()));
        let waker = Waker::from(Arc::clone(&counter));
        let mut cx = Context::from_waker(&waker);
        assert!(call.poll(&mut cx).is_pending());
        call.call();
        call.call();
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        assert!(call.poll(&mut cx).is_ready());
        assert!(call.poll(&mut cx).is_pending());
        call.call();
        assert!(call.poll(&mut cx).is_ready());
    }
}
