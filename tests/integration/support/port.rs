//! Ports that nobody else takes.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use socket2::{Domain, Socket, Type};

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
            if is_free(number) {
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

/// Whether nobody listens on `number`.
///
/// The probe is bound but does not listen: a process that is being started holds copies of all our sockets for a moment,
/// and a copy of one that listens would keep the port from whoever gets it next.
fn is_free(number: u16) -> bool {
    let probe = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    probe.set_reuse_address(true).unwrap();
    probe.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, number)).into()).is_ok()
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}
