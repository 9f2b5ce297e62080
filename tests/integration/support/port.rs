//! Ports that nobody else takes.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what the system gives to outgoing connections (32768 and up), so that none of them gets it in between.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A TCP port on 127.0.0.1 that is this test's own, listened on or not.
///
/// Other tests keep away because they cannot bind UDP on the same number, which is held as long as this lives.
pub(crate) struct Port {
    number: u16,
    _reservation: UdpSocket,
}

impl Port {
    /// A port that is free now.
    pub(crate) fn free() -> Self {
        static TAKEN: AtomicU16 = AtomicU16::new(0);
        let start = u16::try_from(process::id() * 397 % u32::from(COUNT)).unwrap();
        for _ in 0..COUNT {
            let number = FIRST + (start + TAKEN.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
            let Ok(reservation) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) else { continue };
            if TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok() {
                return Self { number, _reservation: reservation };
            }
        }
        panic!("every port from {FIRST} on is in use");
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}
