//! The program itself, on a port of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::directory::TempDirectory;
use super::port::Port;
use super::site::Site;
use super::wait::{eventually, until};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_bookend");

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    InForce,
    Refused,
}

/// A running `bookend run`; killed when dropped.
pub(crate) struct Bookend {
    child: Child,
    port: Port,
    directory: TempDirectory,
    socket: PathBuf,
}

impl Bookend {
    /// Runs with this site's configuration, and returns when it takes requests.
    pub(crate) fn start(site: &Site) -> Self {
        let port = Port::free();
        let yaml = site.to_yaml(&[port.address()]);
        Self::start_with(port, &yaml)
    }

    /// As [`Bookend::start`], with no more than so many descriptors.
    pub(crate) fn start_with_descriptors(descriptors: u32, site: &Site) -> Self {
        let port = Port::free();
        let yaml = site.to_yaml(&[port.address()]);
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")).arg(PROGRAM);
        Self::launch(command, port, &yaml)
    }

    /// As [`Bookend::start`], with one more variable in its environment.
    pub(crate) fn start_with_variable(name: &str, value: impl AsRef<OsStr>, site: &Site) -> Self {
        Self::start_with_variables(&[(name, value)], site)
    }

    /// As [`Bookend::start`], with more variables in its environment.
    pub(crate) fn start_with_variables(variables: &[(&str, impl AsRef<OsStr>)], site: &Site) -> Self {
        let port = Port::free();
        let yaml = site.to_yaml(&[port.address()]);
        let mut command = Command::new(PROGRAM);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Self::launch(command, port, &yaml)
    }

    /// As [`Bookend::start`], by a command that runs its arguments.
    pub(crate) fn start_by(mut command: Command, site: &Site) -> Self {
        let port = Port::free();
        let yaml = site.to_yaml(&[port.address()]);
        command.arg(PROGRAM);
        Self::launch(command, port, &yaml)
    }

    /// The same, whose operators find it at another socket.
    pub(crate) fn with_socket(mut self, socket: PathBuf) -> Self {
        self.socket = socket;
        self
    }

    /// Runs with a whole configuration, which must listen on `port`.
    pub(crate) fn start_with(port: Port, yaml: &str) -> Self {
        Self::launch(Command::new(PROGRAM), port, yaml)
    }

    /// As [`Bookend::start_with`], of a program that may be replaced while it runs.
    pub(crate) fn start_program(program: &Path, port: Port, yaml: &str) -> Self {
        Self::launch(Command::new(program), port, yaml)
    }

    fn launch(program: Command, port: Port, yaml: &str) -> Self {
        let directory = TempDirectory::new();
        fs::write(directory.path().join("bookend.yaml"), yaml).unwrap();
        let child = spawn(program, directory.path());
        let socket = directory.path().join("state/admin.sock");
        let mut bookend = Self { child, port, directory, socket };
        bookend.wait_until_ready();
        bookend
    }

    /// Starts again what was killed or has ended, with the same file and state and an empty log.
    pub(crate) fn start_again(&mut self) {
        self.spawn_again();
        self.wait_until_ready();
    }

    /// [`Bookend::start_again`] by a command that runs its arguments.
    pub(crate) fn start_again_by(&mut self, mut command: Command) {
        command.arg(PROGRAM);
        self.child = spawn(command, self.directory.path());
        self.wait_until_ready();
    }

    /// [`Bookend::start_again`] that does not wait until it takes requests.
    pub(crate) fn spawn_again(&mut self) {
        self.child = spawn(Command::new(PROGRAM), self.directory.path());
    }

    /// The directory with its state.
    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn wait_until_ready(&mut self) {
        eventually("bookend started", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("bookend ended at once with {status}");
            }
            self.logs().contains("configuration in force generation=1").then_some(())
        });
        until("bookend accepts", || TcpStream::connect(self.address()).is_ok());
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The socket that its operators use.
    pub(crate) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// Its configuration file.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory.path().join("bookend.yaml")
    }

    /// Ends it at once, as nothing but `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever had, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// A command of the program, as it is typed, that finds this one by `--socket`.
    pub(crate) fn command(&self, name: &str) -> Output {
        program().args(name.split(' ')).arg("--socket").arg(self.socket()).output().unwrap()
    }

    /// What its operator's side answers to `GET path`.
    pub(crate) fn ask(&self, path: &str) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let body = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        answer.split_off(body)
    }

    /// A number among its metrics, named with its labels; 0 while it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut metrics = String::new();
        stream.read_to_string(&mut metrics).unwrap();
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Everything that it has logged.
    pub(crate) fn logs(&self) -> String {
        let mut bytes = Vec::new();
        File::open(self.log_path()).unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Waits until the log holds `text`.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        until(&format!("the log says {text:?}"), || self.logs().contains(text));
    }

    /// Waits until the log holds `text` more often than `seen` times.
    #[track_caller]
    pub(crate) fn wait_for_more(&self, text: &str, seen: usize) {
        until(&format!("the log says {text:?} again"), || self.logs().matches(text).count() > seen);
    }

    /// Writes another configuration, sends SIGHUP, and returns when bookend has made up its mind.
    pub(crate) fn reload(&self, yaml: &str) -> Reload {
        self.write_configuration(yaml);
        let (in_force, refused) = self.outcomes();
        self.signal(Signal::HUP);
        eventually("the reload had an outcome", || match self.outcomes() {
            (now, _) if now > in_force => Some(Reload::InForce),
            (_, now) if now > refused => Some(Reload::Refused),
            _ => None,
        })
    }

    /// [`Bookend::reload`] with another site on the same address.
    pub(crate) fn reload_site(&self, site: &Site) -> Reload {
        self.reload(&site.to_yaml(&[self.address()]))
    }

    /// Puts another file in place, whole at once.
    pub(crate) fn write_configuration(&self, yaml: &str) {
        let new = self.directory.path().join("new.yaml");
        fs::write(&new, yaml).unwrap();
        fs::rename(new, self.configuration()).unwrap();
    }

    pub(crate) fn remove_configuration(&self) {
        fs::remove_file(self.configuration()).unwrap();
    }

    fn outcomes(&self) -> (usize, usize) {
        let logs = self.logs();
        (logs.matches("configuration in force").count(), logs.matches("reload refused").count())
    }

    /// Its process id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Asks it to stop, and does not wait.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("bookend ended", || self.child.try_wait().unwrap())
    }
}

impl Drop for Bookend {
    fn drop(&mut self) {
        let log = self.logs();
        for successor in log.lines().filter_map(|line| line.split("upgrade begins process=").nth(1)) {
            let process = successor.trim().parse().ok().and_then(Pid::from_raw);
            let _ = process.map(|process| kill_process(process, Signal::KILL));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of bookend ---\n{}---", self.logs());
        }
    }
}

/// Runs the configuration in `directory`, where its state and its log go as well.
fn spawn(mut program: Command, directory: &Path) -> Child {
    program
        .args(["run", "-c"])
        .arg(directory.join("bookend.yaml"))
        .env("RUST_LOG", "info")
        .env("STATE_DIRECTORY", directory.join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(directory.join("log")).unwrap())
        .spawn()
        .unwrap()
}

/// The program, to be run with other arguments; its process log is plain.
pub(crate) fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `bookend run` of this file, to be started; its state is kept beside the file.
pub(crate) fn run_of(file: &Path) -> Command {
    let mut command = program();
    command.args(["run", "-c"]).arg(file).env("STATE_DIRECTORY", file.with_file_name("state"));
    command
}

/// `bookend check` of this text.
pub(crate) fn check(yaml: &str) -> Output {
    let directory = TempDirectory::new();
    let file = directory.path().join("bookend.yaml");
    fs::write(&file, yaml).unwrap();
    program().args(["check", "-c"]).arg(file).output().unwrap()
}
