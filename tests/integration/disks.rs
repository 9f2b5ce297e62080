//! A disk that takes nothing: bookend works as ever, says what it cannot write down, and does so once it can.
//!
//! Not even root can write to a read-only mount or a full disk: each is real, in a mount namespace of its own.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bookend::incident::What;
use bookend::journal::read_events;

use crate::drain::{done, is_drained, refused, said, site};
use crate::support::{Bookend, Origin, Site, TempDirectory, fetch, until};

/// How a process gets mounts of its own.
struct Namespace {
    unshare: &'static str,
    enter: &'static [&'static str],
}

impl Namespace {
    /// `None`, with a word why, where the kernel allows no mounts.
    fn of_mounts() -> Option<Self> {
        let of_user = Self { unshare: "-rm", enter: &["-U", "--preserve-credentials", "-m"] };
        let of_root = Self { unshare: "-m", enter: &["-m"] };
        let directory = TempDirectory::new();
        let found = [of_user, of_root].into_iter().find(|namespace| {
            let mut mount = namespace.command("mount -t tmpfs none \"$0\" && mount --bind \"$0\" \"$0\"");
            mount.arg(directory.path()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        });
        if found.is_none() {
            eprintln!("skipped: the kernel lets nobody mount anything here, not even in a namespace");
        }
        found
    }

    /// A shell with mounts of its own; what becomes its arguments comes after it.
    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args([self.unshare, "sh", "-c", script]);
        command
    }

    /// Makes a read-only mount of this process writable.
    fn make_writable(&self, bookend: &Bookend) {
        let id = bookend.id().to_string();
        let mut enter = Command::new("nsenter");
        enter
            .args(["-t", &id])
            .args(self.enter)
            .args(["mount", "-o", "remount,bind,rw"])
            .arg(bookend.state());
        let output = enter.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// Makes the directory for the state a mount of its own that is read-only, and runs the arguments.
const READ_ONLY: &str = "mount --bind \"$STATE_DIRECTORY\" \"$STATE_DIRECTORY\" \
    && mount -o remount,bind,ro \"$STATE_DIRECTORY\" && exec \"$0\" \"$@\"";

/// The same with a disk of 64 KiB.
const SMALL: &str = "mkdir -p \"$STATE_DIRECTORY\" \
    && mount -t tmpfs -o size=64k,mode=700 none \"$STATE_DIRECTORY\" && exec \"$0\" \"$@\"";

/// A site whose operators can reach it whatever becomes of its disk.
fn with_socket_in(directory: &TempDirectory, site: Site) -> (Site, PathBuf) {
    let socket = directory.path().join("admin.sock");
    let admin = format!("{{ address: off, socket: {} }}", socket.display());
    (site.with_admin(&admin), socket)
}

#[test]
fn read_only_disk_stops_nothing_and_is_written_to_once_it_can_be() {
    let Some(namespace) = Namespace::of_mounts() else { return };
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let elsewhere = TempDirectory::new();
    let (site, socket) = with_socket_in(&elsewhere, site(&[&a, &b]));
    let mut bookend = Bookend::start(&site).with_socket(socket);
    done(&bookend, "drain web/web-02 --for 10m --reason test");
    bookend.kill();
    bookend.start_again_by(namespace.command(READ_ONLY));
    for line in ["leases are not kept, a restart would end them", "events are not written"] {
        bookend.wait_for_log(line);
    }
    for _ in 0..9 {
        assert_eq!(fetch(bookend.address(), "/").text(), "a", "the lease is in force");
    }
    let text = done(&bookend, "undrain web/web-02");
    assert!(text.contains("a restart of bookend would forget it"), "{text}");
    until("it is let in", || fetch(bookend.address(), "/").text() == "b");
    let text = done(&bookend, "drain web/web-01 --for 10m --reason test --force");
    assert!(text.contains("a restart of bookend would forget it"), "{text}");
    assert!(is_drained(&bookend, 0));
    let status = refused(&bookend, "status");
    for part in ["drains are not written down", "what happens is not written down", "Read-only file system"] {
        assert!(status.contains(part), "no {part} in\n{status}");
    }
    namespace.make_writable(&bookend);
    bookend.wait_for_log("leases are kept again");
    bookend.wait_for_log("events are written again lost=0");
    let status = refused(&bookend, "status");
    assert!(status.contains("web/web-01 is drained") && !status.contains("written down"), "{status}");
    bookend.kill();
    bookend.start_again();
    assert!(is_drained(&bookend, 0) && !is_drained(&bookend, 1), "{}", bookend.logs());
}

#[test]
fn operators_get_their_socket_once_the_disk_takes_it() {
    let Some(namespace) = Namespace::of_mounts() else { return };
    let node = Origin::answering("a");
    let mut bookend = Bookend::start(&site(&[&node]));
    bookend.kill();
    bookend.start_again_by(namespace.command(READ_ONLY));
    bookend.wait_for_log("operators are not listened to");
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    assert!(refused(&bookend, "drain web/web-01 --reason test").contains("admin.sock"));
    namespace.make_writable(&bookend);
    bookend.wait_for_log("operators are listened to place=");
    until("they are answered", || bookend.command("status").status.code() == Some(0));
    bookend.terminate();
    assert!(bookend.wait().success() && !bookend.socket().exists());
}

#[test]
fn full_disk_stops_nothing_and_is_written_to_once_there_is_room() {
    let Some(namespace) = Namespace::of_mounts() else { return };
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let elsewhere = TempDirectory::new();
    let (site, socket) = with_socket_in(&elsewhere, site(&[&a, &b]));
    let bookend = Bookend::start_by(namespace.command(SMALL), &site).with_socket(socket);
    // As the process sees it.
    let root = PathBuf::from(format!("/proc/{}/root", bookend.id()));
    let state = root.join(bookend.state().strip_prefix("/").unwrap());
    let mut filler = File::create(state.join("filler")).unwrap();
    let full = (0..1_000).find_map(|_| filler.write_all(&[0; 1_024]).err()).expect("an end of 64 KiB");
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let text = done(&bookend, "drain web/web-02 --for 10m --reason test");
    assert!(text.contains("a restart of bookend would forget it"), "{text}");
    assert!(is_drained(&bookend, 1));
    bookend.wait_for_log("leases are not kept, a restart would end them");
    // What was begun may have room for some more.
    until("events are not written", || {
        done(&bookend, "renew web/web-02 --for 20m");
        bookend.logs().contains("events are not written")
    });
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    let status = refused(&bookend, "status");
    for part in ["drains are not written down", "what happens is not written down", "No space left"] {
        assert!(status.contains(part), "no {part} in\n{status}");
    }
    drop(filler);
    fs::remove_file(state.join("filler")).unwrap();
    bookend.wait_for_log("leases are kept again");
    bookend.wait_for_log("events are written again lost=0");
    let text = done(&bookend, "renew web/web-02 --for 30m");
    assert!(!text.contains("would forget it"), "{text}");
    assert!(fs::read_to_string(state.join("leases.json")).unwrap().contains("web-02"));
    let (mut drains, mut renewals) = (0, 0);
    let gaps = read_events(&state, |event| match event.what {
        What::Drained { .. } => drains += 1,
        What::Renewed { .. } => renewals += 1,
        _ => {}
    });
    assert!(gaps.unwrap().is_none() && drains == 1 && renewals > 1, "{drains} {renewals}");
}
