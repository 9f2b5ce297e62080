//! A process between the harness and a proxy: when the harness ends, however it ends, so does the proxy and all it started.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{self, Command};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

/// Runs `PROGRAM ARGUMENTS…` with both outputs on our standard error, prints its process id, and ends with it; when the
/// standard input ends, the program and its children are killed.
pub(crate) fn run(command: &[String]) -> ! {
    let mut program = Command::new(&command[0]);
    program.args(&command[1..]).process_group(0).stdout(io::stderr());
    let mut child = program.spawn().unwrap();
    println!("{}", child.id());
    io::stdout().flush().unwrap();
    let group = Pid::from_child(&child);
    thread::spawn(move || {
        let _ = io::stdin().read(&mut [0]);
        let _ = kill_process_group(group, Signal::KILL);
    });
    let _ = child.wait();
    process::exit(0);
}
