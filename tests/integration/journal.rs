//! What is written down outlives the process, whatever becomes of it and of the disk.

use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use bookend::incident::{Event, What};
use bookend::journal::{Appended, Events, Gaps, read_events};

use crate::support::TempDirectory;

/// Where the process of [`process_that_appends`] does that.
const PLACE: &str = "BOOKEND_TEST_EVENTS";

fn event(number: u64) -> Event {
    let why = format!("said \"no\"\n to number {number} 🦀");
    Event { at: number, pool: Some("web".into()), node: Some("web-01".into()), what: What::Down { why } }
}

fn events(numbers: Range<u64>) -> Vec<Event> {
    numbers.map(event).collect()
}

#[track_caller]
fn append(events: &mut Events, numbers: Range<u64>) {
    let wanted = usize::try_from(numbers.end - numbers.start).unwrap();
    let Appended { count, failure } = events.append(&self::events(numbers));
    assert!(count == wanted && failure.is_none(), "{count}, {failure:?}");
}

fn read(directory: &Path) -> (Vec<Event>, Gaps) {
    let mut found = Vec::new();
    let gaps = read_events(directory, |event| found.push(event)).unwrap();
    (found, gaps)
}

#[test]
fn full_disk_takes_nothing_but_what_was_to_be_written() {
    let directory = TempDirectory::new();
    // The limit of `sh` is in blocks of 512 bytes.
    let mut child = Command::new("sh");
    child.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\""]).arg(env::current_exe().unwrap());
    let output = appending(child, directory.path()).stdout(Stdio::piped()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let told: Vec<&str> = told.lines().filter_map(|line| line.split("on the disk: ").nth(1)).collect();
    let count: u64 = told.last().unwrap().parse().unwrap();
    assert!(output.status.success() && count > 5, "{told:?}");
    assert_eq!(read(directory.path()), (events(0..count), Gaps::default()));
    append(&mut Events::unlocked(directory.path()), count..count + 9);
    assert_eq!(read(directory.path()), (events(0..count + 9), Gaps::default()));
}

#[test]
fn what_is_on_the_disk_outlives_two_hundred_kills() {
    let directory = TempDirectory::new();
    for round in 0..200 {
        let mut child = Command::new(env::current_exe().unwrap());
        let mut child = appending_to(&mut child, directory.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = move || lines.find_map(|line| line.ok()?.split("on the disk: ").nth(1)?.parse().ok());
        let mut last: u64 = told().unwrap();
        thread::sleep(Duration::from_micros(fastrand::u64(..4_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(number) = told() {
            last = number;
        }
        let (found, gaps) = read(directory.path());
        let first = found.first().unwrap().at;
        let end = first + found.len() as u64;
        assert!(end >= last, "round {round}: {last} were told of, and {end} are there");
        assert_eq!(found, events(first..end), "round {round}");
        assert!(gaps.torn <= 1 && Gaps { torn: 0, ..gaps }.is_none(), "round {round}: {gaps:?}");
    }
}

fn appending(mut program: Command, directory: &Path) -> Command {
    appending_to(&mut program, directory);
    program
}

/// Makes a command of this test program append events until it is killed or cannot.
fn appending_to<'a>(program: &'a mut Command, directory: &Path) -> &'a mut Command {
    let name = "journal::process_that_appends";
    program.args(["--exact", "--ignored", "--nocapture", name]).env(PLACE, directory).stderr(Stdio::null())
}

#[test]
#[ignore = "others run it as a process of its own, which they kill"]
fn process_that_appends() {
    let directory = PathBuf::from(env::var_os(PLACE).unwrap());
    let mut next = read(&directory).0.last().map_or(0, |event| event.at + 1);
    let mut written = Events::unlocked(&directory);
    loop {
        let more = next..next + fastrand::u64(1..6);
        let Appended { count, failure } = written.append(&events(more));
        next += count as u64;
        // A line of its own, whatever the program for tests has begun to write.
        println!("\non the disk: {next}");
        if failure.is_some() {
            return;
        }
    }
}
