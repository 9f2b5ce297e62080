use std::fs;
use std::os::unix::fs::MetadataExt;

use super::claim::LOCK;
use super::*;
use crate::incident::{Event, What};
use crate::lease::Term;

/// A directory of a test's own; it goes when dropped.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bookend-journal-{name}-{}", std::process::id()));
        // A process with this id may have left one behind.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn leases(&self) -> PathBuf {
        self.0.join(LEASES)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(directory: &Directory) -> (Journal, Found) {
    let (journal, found) = Journal::open(&directory.0);
    (journal.unwrap(), found)
}

fn lease(node: &str) -> Lease {
    let reason = "kernel \"test\"\\ 🦀".parse().unwrap();
    Lease::new(format!("web/{node}").parse().unwrap(), "anna".to_owned(), reason, Term::default(), 5_000)
}

#[test]
fn leases_are_read_as_they_were_written() {
    let directory = Directory::new("round");
    let leases: Vec<_> = ["web-01", "10.0.0.1:80", "unix:/run/a b.sock"].map(lease).into();
    let (journal, found) = open(&directory);
    assert!(found.leases.is_empty() && found.damage.is_none());
    journal.write_leases([lease("before")].iter()).unwrap();
    journal.write_leases(leases.iter()).unwrap();
    assert_eq!(fs::metadata(directory.leases()).unwrap().mode() & 0o777, 0o600);
    let (second, found_by_second) = Journal::open(&directory.0);
    let why = found_by_second.trouble;
    assert!(second.is_none() && matches!(why, Some(JournalError::Taken { .. })), "{why:?}");
    drop(journal);
    let (_journal, found) = open(&directory);
    assert_eq!((found.leases, found.damage), (leases, None));
    assert_eq!(directory.names(), [LOCK, LEASES]);
}

#[test]
fn every_damage_is_set_aside_and_none_is_believed() {
    let directory = Directory::new("damage");
    let (journal, _) = open(&directory);
    journal.write_leases([lease("web-01"), lease("web-02")].iter()).unwrap();
    drop(journal);
    let good = fs::read(directory.leases()).unwrap();
    let flipped = (0..good.len()).map(|at| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    });
    let cut = (0..good.len()).map(|length| good[..length].to_vec());
    let longer = [[&good[..], b"\n"].concat(), [&good[..], &good[..]].concat(), vec![0; 100]];
    let mut count = 0;
    for bytes in flipped.chain(cut).chain(longer) {
        fs::write(directory.leases(), &bytes).unwrap();
        let (_journal, found) = open(&directory);
        let damage = found.damage.unwrap_or_else(|| panic!("believed {:?}", String::from_utf8_lossy(&bytes)));
        assert!(found.leases.is_empty(), "{damage:?}");
        let aside = damage.set_aside.unwrap();
        assert_eq!(fs::read(&aside).unwrap(), bytes);
        fs::remove_file(aside).unwrap();
        count += 1;
    }
    assert!(count > 400, "{count}");
}

#[test]
fn what_is_no_file_is_set_aside() {
    let directory = Directory::new("none");
    fs::create_dir(directory.leases()).unwrap();
    let (_journal, found) = open(&directory);
    assert_eq!(found.damage.unwrap().why, "it is no file");
    assert!(!directory.leases().exists());
}

#[test]
fn damages_of_one_second_have_names_of_their_own() {
    let directory = Directory::new("names");
    for _ in 0..3 {
        fs::write(directory.leases(), "nonsense").unwrap();
        open(&directory).1.damage.unwrap();
    }
    let aside = directory.names().iter().filter(|name| name.contains(".damaged-")).count();
    assert_eq!(aside, 3, "{:?}", directory.names());
}

#[test]
fn what_a_crash_left_half_written_is_in_nobodys_way() {
    let directory = Directory::new("crash");
    let (journal, _) = open(&directory);
    journal.write_leases([lease("web-01")].iter()).unwrap();
    fs::write(directory.0.join("leases.json.new"), "bookend 1 0123").unwrap();
    drop(journal);
    let (journal, found) = open(&directory);
    assert_eq!(found.leases, [lease("web-01")]);
    journal.write_leases([].iter()).unwrap();
    drop(journal);
    assert!(open(&directory).1.leases.is_empty());
    assert_eq!(directory.names(), [LOCK, LEASES]);
}

#[test]
fn ten_thousand_leases_fit() {
    let directory = Directory::new("many");
    let leases: Vec<_> = (0..10_000).map(|number| lease(&format!("web-{number:05}"))).collect();
    let (journal, _) = open(&directory);
    journal.write_leases(leases.iter()).unwrap();
    drop(journal);
    assert_eq!(open(&directory).1.leases, leases);
}

#[test]
fn leases_are_read_where_nothing_can_be_written_and_written_once_they_can() {
    let directory = Directory::new("read-only");
    open(&directory).0.write_leases([lease("web-01")].iter()).unwrap();
    // What keeps even root from opening a file for writing.
    fs::remove_file(directory.0.join(LOCK)).unwrap();
    fs::create_dir(directory.0.join(LOCK)).unwrap();
    let (journal, found) = Journal::open(&directory.0);
    assert!(matches!(found.trouble, Some(JournalError::File { .. })), "{:?}", found.trouble);
    assert_eq!(found.leases, [lease("web-01")]);
    let journal = journal.unwrap();
    assert!(matches!(journal.write_leases([].iter()), Err(JournalError::File { .. })));
    fs::remove_dir(directory.0.join(LOCK)).unwrap();
    journal.write_leases([lease("web-02")].iter()).unwrap();
    let event = Event { at: 1, pool: None, node: None, what: What::Stopped };
    let appended = Events::of(&journal).append(&[event]);
    assert!(appended.failure.is_none(), "both are of one process: {appended:?}");
    drop(journal);
    assert_eq!(open(&directory).1.leases, [lease("web-02")]);
}
