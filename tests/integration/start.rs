//! Beginning to run, and refusing to.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Output};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Bookend, Client, Origin, Port, Site, TempDirectory, eventually, fetch, program, run_of, until,
};

/// `bookend run` of this text, which is expected to end by itself.
fn run(yaml: &str) -> Output {
    let directory = TempDirectory::new();
    let file = directory.path().join("bookend.yaml");
    fs::write(&file, yaml).unwrap();
    let mut child = run_of(&file).spawn().unwrap();
    eventually("bookend ended", || child.try_wait().unwrap());
    child.wait_with_output().unwrap()
}

/// A child that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn broken_file_ends_the_start_with_2() {
    let output = run("listeners: 5\n");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("bookend.yaml:1:"), "no place in {said}");
}

#[test]
fn missing_file_ends_the_start() {
    let output = program().args(["run", "-c", "/nonexistent/bookend.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/nonexistent/bookend.yaml"), "{said}");
}

#[test]
fn address_that_is_taken_ends_the_start_with_1() {
    let node = Origin::answering("a");
    let output = run(&Site::of(&[&node]).to_yaml(&[node.socket_address()]));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&node.address()), "the address is not in {said}");
}

#[test]
fn wrong_usage_ends_with_2() {
    assert_eq!(program().arg("rnu").output().unwrap().status.code(), Some(2));
    assert_eq!(program().output().unwrap().status.code(), Some(2));
}

#[test]
fn two_arguments_are_enough_to_run() {
    let (a, b, port) = (Origin::answering("a"), Origin::answering("b"), Port::free());
    let directory = TempDirectory::new();
    let mut command = program();
    command.env("STATE_DIRECTORY", directory.path().join("state"));
    command.args(["run", "--listen", &port.to_string(), "--to", &a.address(), "--to", &b.address()]);
    let _bookend = Running(command.spawn().unwrap());
    until("bookend accepts", || TcpStream::connect(port.address()).is_ok());
    let mut client = Client::connect(port.address());
    for _ in 0..4 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!((a.count(), b.count()), (2, 2));
}

#[test]
fn pid_file_is_there_while_it_runs() {
    let directory = TempDirectory::new();
    let file = directory.path().join("bookend.pid");
    let node = Origin::answering("a");
    let site = Site::of(&[&node]).with_top(&format!("server: {{ pid_file: {} }}", file.display()));
    let mut bookend = Bookend::start(&site);
    let pid = eventually("the pid file is written", || fs::read_to_string(&file).ok()?.trim().parse().ok());
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    assert!(bookend.wait().success());
    assert!(!file.exists(), "the pid file stayed behind");
}

#[test]
fn pid_file_of_another_process_stays() {
    let directory = TempDirectory::new();
    let file = directory.path().join("bookend.pid");
    let node = Origin::answering("a");
    let site = Site::of(&[&node]).with_top(&format!("server: {{ pid_file: {} }}", file.display()));
    let mut bookend = Bookend::start(&site);
    let is_written = || fs::read_to_string(&file).is_ok_and(|id| id.ends_with('\n'));
    until("the pid file is written", is_written);
    fs::write(&file, "1\n").unwrap();
    bookend.terminate();
    assert!(bookend.wait().success());
    assert_eq!(fs::read_to_string(&file).unwrap(), "1\n");
}

#[test]
fn nodes_that_are_not_there_yet_do_not_keep_it_from_starting() {
    let mut late = Origin::absent();
    let bookend = Bookend::start(&Site::of(&[&late]).with_pool("health_check: off"));
    assert_eq!(fetch(bookend.address(), "/").status, 503);
    late.restart();
    assert_eq!(fetch(bookend.address(), "/").status, 200);
}
