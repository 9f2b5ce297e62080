//! The one thread that writes lines, and the bounded line that requests stand in front of it.
//!
//! A request never waits: it hands its line over, or the line is dropped and counted. The thread sleeps while there is
//! nothing to write; once woken it lets lines gather for a moment, so that neither side pays for each of them, and
//! writes whatever is there in few, large pieces. What cannot be written is tried again, in whole lines.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;

use super::Facts;

/// Lines that wait to be written, at most.
const MOST_LINES: usize = 16 * 1024;
/// Bytes that wait to be written, at most.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Bytes after which a piece is written without waiting for more.
const PIECE: usize = 64 * 1024;
/// How long lines gather after the first: no reader of the file minds, and the queue takes half a million a second.
const GATHERING: Duration = Duration::from_millis(25);
/// How long the disk gets to make room before it is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// The requests' end. What was handed over before the last one is dropped will be written.
#[derive(Debug)]
pub(super) struct Writer {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
    thread: Thread,
    ended: Arc<Ended>,
}

/// The end of a writer's thread, which may come after that of the writer.
#[derive(Debug)]
pub(super) struct Ended(Mutex<Receiver<()>>);

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// There is something else to look at.
    Wake,
}

#[derive(Debug)]
struct Shared {
    facts: Arc<Facts>,
    /// Bytes in the queue.
    bytes: AtomicUsize,
    /// The file for all lines from now on.
    next: Mutex<Option<File>>,
    /// Whether the thread ends after what is in the queue.
    is_ending: AtomicBool,
    /// Whether what cannot be written now is given up.
    is_over: AtomicBool,
}

impl Writer {
    /// Starts the thread, which writes to `file`.
    pub(super) fn start(file: File, facts: Arc<Facts>) -> io::Result<Self> {
        let (queue, messages) = sync_channel(MOST_LINES);
        let (ending, ended) = sync_channel(1);
        let shared = Arc::new(Shared {
            facts,
            bytes: AtomicUsize::new(0),
            next: Mutex::default(),
            is_ending: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let output =
            Output { file, shared: Arc::clone(&shared), piece: Vec::new(), written: 0, is_failing: false };
        let thread = thread::Builder::new().name("bookend-log".to_owned()).spawn(move || {
            write_all(&messages, output);
            drop(ending);
        })?;
        Ok(Self { queue, shared, thread: thread.thread().clone(), ended: Arc::new(Ended(Mutex::new(ended))) })
    }

    /// Hands a line over, or drops it if too much waits already.
    pub(super) fn push(&self, line: Vec<u8>) {
        let length = line.len();
        let waiting = self.shared.bytes.fetch_add(length, Ordering::Relaxed);
        if waiting + length > MOST_BYTES || self.queue.try_send(Message::Line(line)).is_err() {
            self.shared.bytes.fetch_sub(length, Ordering::Relaxed);
            self.shared.facts.dropped(1);
        }
    }

    /// Lines so far go to the file so far, lines from now on to this one.
    pub(super) fn change_to(&self, file: File) {
        *self.shared.next.lock() = Some(file);
        self.wake();
    }

    /// Waits until all lines so far are written, `limit` at most; what cannot be written by then is lost.
    pub(super) fn finish(&self, limit: Duration) {
        self.shared.is_ending.store(true, Ordering::Release);
        self.wake();
        self.ended.wait(limit);
    }

    /// The end of the thread, for those who wait for it after the writer is gone.
    pub(super) fn ended(&self) -> Arc<Ended> {
        Arc::clone(&self.ended)
    }

    fn wake(&self) {
        // A queue that is full is no queue that the thread sleeps over; a pause for the disk is cut short.
        let _ = self.queue.try_send(Message::Wake);
        self.thread.unpark();
    }
}

impl Ended {
    /// Waits until the thread has ended, `limit` at most.
    pub(super) fn wait(&self, limit: Duration) {
        // A thread that has ended hung up, which is an error here, and all that we wait for.
        let _ = self.0.lock().recv_timeout(limit);
    }

    /// Whether the thread is still there.
    pub(super) fn is_to_come(&self) -> bool {
        matches!(self.0.lock().try_recv(), Err(TryRecvError::Empty))
    }
}

impl Shared {
    /// Whether there is something to do besides writing lines.
    fn has_wish(&self) -> bool {
        self.is_ending.load(Ordering::Acquire) || self.next.lock().is_some()
    }
}

/// What nobody waits for any more is still written, but not tried again.
impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

/// Writes until it is asked to end, or nobody can hand over a line any more.
fn write_all(messages: &Receiver<Message>, mut output: Output) {
    loop {
        // The call that woke us for a wish may have been taken along with the lines before it.
        if !output.shared.has_wish() {
            let Ok(first) = messages.recv() else { break };
            output.take(first);
            thread::sleep(GATHERING);
        }
        let is_ending = output.shared.is_ending.load(Ordering::Acquire);
        let is_changing = output.shared.next.lock().is_some();
        // All that was there by then, and no more than that: more may be coming all the time.
        for message in messages.try_iter().take(MOST_LINES) {
            output.take(message);
        }
        output.write();
        if is_changing {
            output.change();
        }
        if is_ending {
            break;
        }
    }
}

/// The thread's end.
struct Output {
    file: File,
    shared: Arc<Shared>,
    /// Whole lines.
    piece: Vec<u8>,
    /// How much of the piece is in the file.
    written: usize,
    is_failing: bool,
}

impl Output {
    fn take(&mut self, message: Message) {
        let Message::Line(line) = message else { return };
        if self.piece.len() + line.len() > PIECE {
            self.write();
        }
        self.shared.bytes.fetch_sub(line.len(), Ordering::Relaxed);
        self.piece.extend_from_slice(&line);
    }

    /// Writes the piece, however long that takes.
    fn write(&mut self) {
        while let Some(rest) = self.piece.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => self.failed(&io::Error::from(io::ErrorKind::WriteZero)),
                Ok(length) => {
                    self.written += length;
                    self.worked();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.failed(&error),
            }
        }
        self.piece.clear();
        self.written = 0;
    }

    fn worked(&mut self) {
        if mem::take(&mut self.is_failing) {
            self.shared.facts.write_works();
        }
    }

    fn failed(&mut self, why: &io::Error) {
        self.shared.facts.write_failed(why, !self.is_failing);
        self.is_failing = true;
        // Another file may have room, and closing this one may make some: it may be deleted and held by us alone.
        if self.change() {
            self.written = begin_of_line(self.piece.get(..self.written).unwrap_or_default());
        } else if self.shared.is_over.load(Ordering::Relaxed) {
            let rest = self.piece.get(self.written..).unwrap_or_default();
            self.shared.facts.dropped(rest.iter().map(|&byte| u64::from(byte == b'\n')).sum());
            self.piece.clear();
            self.written = 0;
        } else {
            thread::park_timeout(PAUSE);
        }
    }

    /// Goes on with another file, if there is one.
    fn change(&mut self) -> bool {
        let Some(file) = self.shared.next.lock().take() else { return false };
        self.file = file;
        true
    }
}

/// Where the line begins that was written in part, so that it can be written whole elsewhere.
pub(super) fn begin_of_line(written: &[u8]) -> usize {
    written.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
}
