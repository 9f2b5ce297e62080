use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, pipe};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use prometheus::IntCounter;

use super::super::Limited;
use super::writer::{Writer, begin_of_line};
use super::{AccessLog, Facts};
use crate::config::{self, LogDestination, LogFormat};

const PATIENCE: Duration = Duration::from_secs(20);

fn facts() -> Arc<Facts> {
    let counter = |name| IntCounter::new(name, "help").unwrap();
    Arc::new(Facts {
        now: || 1,
        dropped: counter("dropped"),
        write_errors: counter("errors"),
        lines: Limited::default(),
    })
}

/// A file of a test's own; removed on drop.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        let file = Self(std::env::temp_dir().join(format!("bookend-log-{}-{name}", std::process::id())));
        let _ = fs::remove_file(&file.0);
        file
    }

    fn open(&self) -> File {
        OpenOptions::new().append(true).create(true).open(&self.0).unwrap()
    }

    fn lines(&self) -> Vec<usize> {
        fs::read_to_string(&self.0).unwrap().lines().map(|line| line.parse().unwrap()).collect()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

fn push(writer: &Writer, numbers: std::ops::Range<usize>) {
    for number in numbers {
        writer.push(format!("{number}\n").into_bytes());
    }
}

#[track_caller]
fn until(holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it did not happen");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn everything_is_written_in_order_before_the_end() {
    let file = TempFile::new("order");
    let writer = Writer::start(file.open(), facts()).unwrap();
    push(&writer, 0..10_000);
    writer.finish(PATIENCE);
    assert_eq!(file.lines(), (0..10_000).collect::<Vec<_>>());
}

#[test]
fn lines_come_without_an_end() {
    let file = TempFile::new("soon");
    let writer = Writer::start(file.open(), facts()).unwrap();
    for number in 0..3 {
        push(&writer, number..number + 1);
        until(|| file.lines().len() == number + 1);
    }
}

#[test]
fn what_was_handed_over_is_written_after_the_writer_is_gone() {
    let file = TempFile::new("gone");
    let writer = Writer::start(file.open(), facts()).unwrap();
    push(&writer, 0..100);
    drop(writer);
    until(|| file.lines().len() == 100);
}

#[test]
fn end_waits_for_a_log_that_was_turned_off() {
    let file = TempFile::new("off");
    let log = AccessLog { facts: facts(), target: ArcSwapOption::empty(), former: Mutex::default() };
    let destination = LogDestination::File(file.0.clone());
    let settings = config::AccessLog { destination, format: LogFormat::Json };
    log.follow(log.prepare(Some(&settings)).unwrap());
    let writer = Arc::clone(&log.target.load_full().unwrap().writer);
    push(&writer, 0..10_000);
    drop(writer);
    log.follow(log.prepare(None).unwrap());
    log.finish(PATIENCE);
    assert_eq!(file.lines().len(), 10_000);
}

#[test]
fn end_waits_no_longer_than_it_may_for_a_log_that_was_turned_off() {
    let log = AccessLog { facts: facts(), target: ArcSwapOption::empty(), former: Mutex::default() };
    let (_reader, end) = pipe().unwrap();
    let writer = Writer::start(File::from(OwnedFd::from(end)), facts()).unwrap();
    // More than the pipe takes, and nobody reads.
    writer.push(vec![b'x'; 1024 * 1024]);
    log.former.lock().push(writer.ended());
    drop(writer);
    let start = Instant::now();
    log.finish(Duration::from_millis(200));
    assert!(start.elapsed() < PATIENCE / 4, "{:?}", start.elapsed());
}

#[test]
fn reader_that_does_not_read_costs_lines_and_no_time() {
    let (mut reader, end) = pipe().unwrap();
    let facts = facts();
    let writer = Writer::start(File::from(OwnedFd::from(end)), Arc::clone(&facts)).unwrap();
    // More than a pipe, a piece and the queue can hold.
    let line = [&[b'x'; 99][..], b"\n"].concat();
    let start = Instant::now();
    for _ in 0..30_000 {
        writer.push(line.clone());
    }
    assert!(start.elapsed() < PATIENCE / 4, "{:?}", start.elapsed());
    assert!(facts.dropped.get() > 0);
    let reading = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    writer.finish(PATIENCE);
    drop(writer);
    let text = reading.join().unwrap();
    let whole = text.split_inclusive('\n').filter(|read| read.as_bytes() == line).count();
    assert_eq!(whole * line.len(), text.len(), "a line is broken");
    assert_eq!(whole as u64 + facts.dropped.get(), 30_000);
}

#[test]
fn long_lines_are_bounded_by_their_bytes() {
    let (_reader, end) = pipe().unwrap();
    let facts = facts();
    let writer = Writer::start(File::from(OwnedFd::from(end)), Arc::clone(&facts)).unwrap();
    for _ in 0..100 {
        writer.push(vec![b'x'; 1024 * 1024]);
    }
    assert!(facts.dropped.get() >= 80, "only {} were dropped", facts.dropped.get());
}

#[test]
fn change_of_file_loses_and_doubles_nothing() {
    let (old, new) = (TempFile::new("old"), TempFile::new("new"));
    let writer = Writer::start(old.open(), facts()).unwrap();
    push(&writer, 0..5_000);
    writer.change_to(new.open());
    push(&writer, 5_000..6_000);
    until(|| old.lines().len() + new.lines().len() == 6_000);
    push(&writer, 6_000..7_000);
    writer.finish(PATIENCE);
    let (before, after) = (old.lines(), new.lines());
    assert!(before.len() >= 5_000, "lines from before are in the new file: {}", before.len());
    assert!(after.len() >= 1_000, "lines from after are in the old file: {}", after.len());
    assert_eq!([before, after].concat(), (0..7_000).collect::<Vec<_>>());
}

#[test]
fn change_of_file_needs_no_further_line() {
    let (mut old, end) = pipe().unwrap();
    let writer = Writer::start(File::from(OwnedFd::from(end)), facts()).unwrap();
    for number in 0..100 {
        push(&writer, number..number + 1);
        thread::sleep(Duration::from_micros(500 * (number as u64 % 60)));
        let (reader, end) = pipe().unwrap();
        writer.change_to(File::from(OwnedFd::from(end)));
        let mut text = String::new();
        // Ends when the writer has let go of it.
        old.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("{number}\n"));
        old = reader;
    }
}

#[test]
fn full_disk_is_told_once_and_left_for_another_file() {
    let (file, facts) = (TempFile::new("full"), facts());
    let writer = Writer::start(full_disk(), Arc::clone(&facts)).unwrap();
    push(&writer, 0..100);
    until(|| facts.write_errors.get() >= 2);
    writer.change_to(file.open());
    push(&writer, 100..200);
    writer.finish(PATIENCE);
    assert_eq!(file.lines().into_iter().collect::<BTreeSet<_>>(), (0..200).collect());
    assert_eq!(facts.dropped.get(), 0);
}

#[test]
fn line_that_was_written_in_part_is_written_whole_elsewhere() {
    for (written, begin) in [("", 0), ("a", 0), ("ab\n", 3), ("ab\nc", 3), ("ab\nc\n", 5)] {
        assert_eq!(begin_of_line(written.as_bytes()), begin, "{written:?}");
    }
}

#[test]
fn full_disk_does_not_keep_the_end() {
    let facts = facts();
    let writer = Writer::start(full_disk(), Arc::clone(&facts)).unwrap();
    push(&writer, 0..100);
    let start = Instant::now();
    writer.finish(Duration::from_millis(200));
    drop(writer);
    assert!(start.elapsed() < PATIENCE / 4, "{:?}", start.elapsed());
    until(|| facts.dropped.get() == 100);
}
