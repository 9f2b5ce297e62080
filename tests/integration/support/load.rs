//! Requests in numbers: from this process, counted one by one, or by `wrk`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::client::Client;
use super::wait::until;

/// Clients that ask again and again until [`Load::finish`].
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    served: AtomicU64,
    bodies: Mutex<BTreeMap<String, u64>>,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// `clients` clients that `GET /`, each on one connection for as long as it lasts.
    pub(crate) fn start(address: SocketAddr, clients: usize) -> Self {
        Self::start_with(address, clients, "")
    }

    /// `clients` clients that `GET /`, each time on a new connection.
    pub(crate) fn start_anew(address: SocketAddr, clients: usize) -> Self {
        Self::start_with(address, clients, "Connection: close\r\n")
    }

    /// A client for each way to `connect`, that `GET /` with these headers, each on one connection for as long as it lasts.
    pub(crate) fn start_by<C>(connect: impl IntoIterator<Item = C>, headers: &'static str) -> Self
    where
        C: Fn() -> io::Result<Client> + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let one = |connect| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || ask_until_stopped(connect, headers, &shared))
        };
        let clients = connect.into_iter().map(one).collect();
        Self { shared, clients }
    }

    fn start_with(address: SocketAddr, clients: usize, headers: &'static str) -> Self {
        Self::start_by((0..clients).map(|_| move || Client::try_connect(address)), headers)
    }

    /// Waits until so many more requests were served.
    #[track_caller]
    pub(crate) fn wait_for(&self, more: u64) {
        let goal = self.shared.served.load(Ordering::Relaxed) + more;
        until(&format!("{more} more requests were served"), || {
            self.shared.served.load(Ordering::Relaxed) >= goal
                || !self.shared.failures.lock().unwrap().is_empty()
        });
    }

    /// Stops, and returns how often each body came; panics if a single request failed.
    #[track_caller]
    pub(crate) fn finish(self) -> BTreeMap<String, u64> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        let failures = self.shared.failures.lock().unwrap();
        assert!(failures.is_empty(), "{} requests failed: {:?}", failures.len(), failures.first());
        self.shared.bodies.lock().unwrap().clone()
    }
}

/// A connection may end only after an answer that said so; anything else is a failure.
fn ask_until_stopped(connect: impl Fn() -> io::Result<Client>, headers: &str, shared: &Shared) {
    let mut client = None;
    while !shared.stop.load(Ordering::Relaxed) {
        let answer = match client.take() {
            Some(client) => Ok(client),
            None => connect(),
        }
        .and_then(|mut client| client.try_request("GET", "/", headers, b"").map(|answer| (client, answer)));
        match answer {
            Ok((kept, answer)) if answer.status == 200 => {
                shared.served.fetch_add(1, Ordering::Relaxed);
                *shared.bodies.lock().unwrap().entry(answer.text().to_owned()).or_default() += 1;
                client = (!answer.closes()).then_some(kept);
            }
            Ok((_, answer)) => shared.failures.lock().unwrap().push(format!("{answer:?}")),
            Err(error) => shared.failures.lock().unwrap().push(error.to_string()),
        }
    }
}

/// A running `wrk`.
pub(crate) struct Wrk(Child);

impl Wrk {
    /// 2 threads and `connections` connections that `GET /` for so many seconds.
    pub(crate) fn start(address: SocketAddr, connections: u32, seconds: u32) -> Self {
        let child = Command::new("wrk")
            .args(["--threads", "2", "--timeout", "10s"])
            .args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")])
            .arg(format!("http://{address}/"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("wrk is needed: scripts/setup test");
        Self(child)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for its end and returns how many requests were served; panics if a single one failed.
    #[track_caller]
    pub(crate) fn finish(self) -> u64 {
        let output = self.0.wait_with_output().unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "wrk failed: {report}");
        let has_failures = report.contains("Non-2xx") || report.contains("Socket errors");
        assert!(!has_failures, "requests failed:\n{report}");
        let line =
            report.lines().find(|line| line.contains(" requests in ")).expect("wrk reports its requests");
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}
