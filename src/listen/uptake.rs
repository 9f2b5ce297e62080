//! A client that does not take its answer: for how long, and how slowly, it may.
//!
//! The kernel lets a process go on with a connection once about a third of what it holds for that has gone, which on a slow
//! line can take minutes. So a client is judged by what it has acknowledged, not by what it made room for.

use std::os::fd::RawFd;

use pingora::protocols::l4::ext::get_tcp_info;

use super::pace::{Pace, Pacer};
use crate::clock;
use crate::config;

/// How a client takes what it is sent.
#[derive(Debug, Default)]
pub(super) struct Uptake {
    pacer: Pacer,
    /// Since when it has taken nothing while it should, in milliseconds of the clock.
    since: Option<u64>,
    /// What it had taken in all when that was last looked at.
    taken: Option<u64>,
    /// What the system took for it in all.
    written: u64,
}

/// What a client may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long it may take nothing, in milliseconds.
    pub(super) longest: u64,
    /// How fast it has to be.
    pub(super) pace: Option<Pace>,
}

impl Patience {
    /// That of a listener with these settings.
    pub(super) fn of(listener: &config::Listener) -> Self {
        let longest = listener.timeouts.write;
        let pace = Pace::new(listener.limits.answer_rate, longest);
        Self { longest: clock::to_millis(longest), pace }
    }
}

impl Uptake {
    /// The system took so many bytes at `now`; whether it had to be waited for.
    pub(super) fn written(&mut self, bytes: u64, now: impl FnOnce() -> u64) -> bool {
        self.written = self.written.saturating_add(bytes);
        self.pacer.moved(0, now);
        self.since.take().is_some()
    }

    /// The client is waited for at `now`; says when it has to be judged.
    pub(super) fn waits(&mut self, patience: Patience, socket: RawFd, now: u64) -> u64 {
        if self.taken.is_none() {
            self.taken = Some(self.taken_in_all(socket));
        }
        let since = *self.since.get_or_insert(now);
        let pace_ends = patience.pace.map_or(u64::MAX, |pace| self.pacer.waits(pace, now));
        since.saturating_add(patience.longest).min(pace_ends)
    }

    /// Whether the client has had its time at `now`.
    pub(super) fn is_over(&mut self, patience: Patience, socket: RawFd, now: u64) -> bool {
        let taken = self.taken_in_all(socket);
        let news = taken.saturating_sub(self.taken.replace(taken).unwrap_or_default());
        self.pacer.credit(news);
        if news > 0 {
            self.since = Some(now);
        }
        let is_stuck = self.since.is_some_and(|since| now >= since.saturating_add(patience.longest));
        is_stuck || patience.pace.is_some_and(|pace| self.pacer.is_too_slow(pace, now))
    }

    /// What the client has acknowledged; where that is not known, what the system took for it.
    fn taken_in_all(&self, socket: RawFd) -> u64 {
        get_tcp_info(socket).map_or(self.written, |info| info.tcpi_bytes_acked)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use super::*;

    /// A connection whose sending side cannot take more.
    fn stalled() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let (server, _) = listener.accept().expect("a connection");
        server.set_nonblocking(true).expect("a mode");
        while fill(&server) > 0 {
            // What the client's side has room for is under way.
            std::thread::sleep(Duration::from_millis(20));
        }
        (server, client)
    }

    fn fill(mut server: &TcpStream) -> usize {
        let mut total = 0;
        loop {
            match server.write(&[b'x'; 65_536]) {
                Ok(count) => total += count,
                Err(why) => {
                    assert_eq!(why.kind(), ErrorKind::WouldBlock);
                    return total;
                }
            }
        }
    }

    /// Takes so much that the other side hears of it.
    fn take(mut client: &TcpStream) {
        let mut scrap = vec![0; 4 << 20];
        let mut total = 0;
        while total < 1 << 20 {
            total += client.read(&mut scrap).expect("there is more");
        }
    }

    fn patience(longest: u64, rate: u64) -> Patience {
        Patience { longest, pace: Pace::new(rate, Duration::from_millis(longest)) }
    }

    #[test]
    fn client_that_takes_nothing_has_had_its_time() {
        let (server, _client) = stalled();
        let (mut uptake, patience) = (Uptake::default(), patience(60_000, 0));
        assert_eq!(uptake.waits(patience, server.as_raw_fd(), 1_000), 61_000);
        assert!(uptake.is_over(patience, server.as_raw_fd(), 61_000));
    }

    #[test]
    fn client_that_takes_something_is_waited_for_though_there_is_no_room_yet() {
        let (server, client) = stalled();
        let (mut uptake, patience) = (Uptake::default(), patience(60_000, 1_024));
        uptake.waits(patience, server.as_raw_fd(), 1_000);
        take(&client);
        let acknowledged = || get_tcp_info(server.as_raw_fd()).expect("the system says so").tcpi_bytes_acked;
        let before = uptake.taken.expect("it was looked at");
        while acknowledged() < before + 65_536 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!uptake.is_over(patience, server.as_raw_fd(), 61_000));
        assert_eq!(uptake.waits(patience, server.as_raw_fd(), 61_000), 121_000);
        assert!(uptake.is_over(patience, server.as_raw_fd(), 121_000), "it has taken nothing since");
    }

    #[test]
    fn client_that_takes_too_little_has_had_its_time() {
        let (server, _client) = stalled();
        let (mut uptake, patience) = (Uptake::default(), patience(60_000, 1_024));
        for second in 0..59 {
            uptake.waits(patience, server.as_raw_fd(), second * 1_000);
            assert!(uptake.written(1, || second * 1_000 + 999), "it was waited for");
        }
        assert_eq!(uptake.waits(patience, server.as_raw_fd(), 100_000), 101_059);
        assert!(uptake.is_over(patience, server.as_raw_fd(), 101_059));
    }
}
