use proptest::prelude::*;
use std::fs;

use super::claim::LOCK;
use super::tests::Directory;
use super::*;
use crate::incident::{Event, What};

fn event(number: u64) -> Event {
    let why = format!("said \"no\"\n to number {number} 🦀");
    Event { at: number, pool: Some("web".into()), node: Some("web-01".into()), what: What::Down { why } }
}

fn events(numbers: std::ops::Range<u64>) -> Vec<Event> {
    numbers.map(event).collect()
}

#[track_caller]
fn append(events: &mut Events, numbers: std::ops::Range<u64>) {
    let wanted = usize::try_from(numbers.end - numbers.start).unwrap();
    let Appended { count, failure } = events.append(&self::events(numbers));
    assert!(count == wanted && failure.is_none(), "{count}, {failure:?}");
}

fn read(directory: &Path) -> (Vec<Event>, Gaps) {
    let mut found = Vec::new();
    let gaps = read_events(directory, |event| found.push(event)).unwrap();
    (found, gaps)
}

fn only_file(directory: &Directory) -> PathBuf {
    directory.path().join("events-1.log")
}

#[test]
fn events_are_read_as_they_were_written_one_process_after_the_other() {
    let directory = Directory::new("events");
    assert_eq!(read(directory.path()), (Vec::new(), Gaps::default()));
    for run in 0..3 {
        let (journal, _) = Journal::open(directory.path());
        let mut written = Events::of(&journal.unwrap());
        append(&mut written, run * 10..run * 10 + 4);
        append(&mut written, run * 10 + 4..run * 10 + 10);
    }
    assert_eq!(read(directory.path()), (events(0..30), Gaps::default()));
}

#[test]
fn only_one_process_writes() {
    let directory = Directory::new("events-lock");
    let mut first = Events::unlocked(directory.path());
    append(&mut first, 0..1);
    let second = Events::unlocked(directory.path()).append(&events(1..2));
    assert!(matches!(second, Appended { count: 0, failure: Some(JournalError::Taken { .. }) }), "{second:?}");
    assert!(matches!(Journal::open(directory.path()).1.trouble, Some(JournalError::Taken { .. })));
    drop(first);
    append(&mut Events::unlocked(directory.path()), 1..2);
    assert_eq!(read(directory.path()).0, events(0..2));
}

#[test]
fn oldest_go_and_the_room_is_bounded() {
    let directory = Directory::new("events-rotation");
    let mut written = Events::unlocked(directory.path()).with_files_of(1_000);
    for number in 0..200 {
        append(&mut written, number * 3..number * 3 + 3);
        let names = directory.names().into_iter().filter(|name| name.ends_with(".log"));
        let lengths: Vec<u64> =
            names.map(|name| fs::metadata(directory.path().join(name)).unwrap().len()).collect();
        assert!(lengths.len() <= 8 && lengths.iter().all(|&length| length <= 1_000), "{lengths:?}");
    }
    append(&mut written, 600..700);
    let (found, gaps) = read(directory.path());
    let first = found.first().unwrap().at;
    assert!(first > 600 && gaps.is_none(), "{first}, {gaps:?}");
    assert_eq!(found, events(first..700));
}

#[test]
fn event_of_a_newer_version_is_skipped() {
    let directory = Directory::new("events-newer");
    append(&mut Events::unlocked(directory.path()), 0..1);
    let json = r#"{"at":7,"pool":"web","what":"eaten","by":"grue"}"#;
    let line = format!("{} {json}\n", file::checksum(json));
    let text = fs::read_to_string(only_file(&directory)).unwrap();
    fs::write(only_file(&directory), text + &line).unwrap();
    append(&mut Events::unlocked(directory.path()), 1..2);
    assert_eq!(read(directory.path()), (events(0..2), Gaps { unknown: 1, ..Gaps::default() }));
}

#[test]
fn what_is_no_file_is_in_nobodys_way() {
    let directory = Directory::new("events-none");
    fs::create_dir(directory.path().join("events-7.log")).unwrap();
    append(&mut Events::unlocked(directory.path()), 0..2);
    assert_eq!(read(directory.path()), (events(0..2), Gaps { unread: 1, ..Gaps::default() }));
}

#[test]
fn where_nothing_can_be_written_it_is_said_and_what_is_there_is_read() {
    let directory = Directory::new("events-read-only");
    append(&mut Events::unlocked(directory.path()), 0..2);
    let mut next = Events::unlocked(directory.path());
    // What keeps even root from opening a file for writing.
    fs::rename(directory.path().join(LOCK), directory.path().join("aside")).unwrap();
    fs::create_dir(directory.path().join(LOCK)).unwrap();
    let refused = next.append(&events(2..4));
    assert!(
        matches!(refused, Appended { count: 0, failure: Some(JournalError::File { .. }) }),
        "{refused:?}"
    );
    assert_eq!(read(directory.path()).0, events(0..2));
    fs::remove_dir(directory.path().join(LOCK)).unwrap();
    append(&mut next, 2..4);
    assert_eq!(read(directory.path()).0, events(0..4));
}

proptest! {
    #[test]
    fn cut_at_any_byte_costs_one_line(cut in 0_usize..10_000) {
        let directory = Directory::new(&format!("events-cut-{cut}"));
        append(&mut Events::unlocked(directory.path()), 0..20);
        let bytes = fs::read(only_file(&directory)).unwrap();
        let cut = cut % bytes.len();
        fs::write(only_file(&directory), &bytes[..cut]).unwrap();
        let whole = bytes[..cut].iter().filter(|&&byte| byte == b'\n').count() as u64;
        let torn = u64::from(cut > 0 && bytes[cut - 1] != b'\n');
        prop_assert_eq!(read(directory.path()), (events(0..whole), Gaps { torn, ..Gaps::default() }));
        append(&mut Events::unlocked(directory.path()), whole..whole + 5);
        prop_assert_eq!(read(directory.path()), (events(0..whole + 5), Gaps::default()));
    }

    #[test]
    fn flipped_byte_costs_its_line(at in 0_usize..10_000, with in 1_u8..) {
        let directory = Directory::new(&format!("events-flip-{at}-{with}"));
        append(&mut Events::unlocked(directory.path()), 0..20);
        let mut bytes = fs::read(only_file(&directory)).unwrap();
        let at = at % bytes.len();
        let was_end = bytes[at] == b'\n';
        bytes[at] ^= with;
        fs::write(only_file(&directory), &bytes).unwrap();
        let (found, gaps) = read(directory.path());
        let lost = 20 - found.len();
        prop_assert!((1..=1 + usize::from(was_end)).contains(&lost), "{} lost", lost);
        prop_assert!(gaps.damaged + gaps.torn >= 1 && gaps.unknown == 0, "{:?}", gaps);
        prop_assert!(found.iter().all(|event| events(0..20).contains(event)));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let directory = Directory::new(&format!("events-odd-{}", fastrand::u64(..)));
        fs::write(only_file(&directory), &bytes).unwrap();
        prop_assert!(read(directory.path()).0.is_empty());
        append(&mut Events::unlocked(directory.path()), 0..3);
        prop_assert_eq!(read(directory.path()).0, events(0..3));
    }
}
