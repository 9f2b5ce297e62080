//! A port that stays ours while the process that listens there is dead.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Socket, Type};

/// Beyond these the system takes ports for outgoing connections.
const LAST: u16 = 32_000;

/// A TCP port on 127.0.0.1 on which our processes can listen, and no other demo's.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    _reservation: Reservation,
}

impl Port {
    /// The first port from `wanted` on that nobody has.
    pub(super) fn take(wanted: u16) -> io::Result<Self> {
        let mut refused = io::ErrorKind::AddrInUse.into();
        for number in wanted..=LAST.max(wanted) {
            match reserve(number) {
                Ok(reservation) => return Ok(Self { number, _reservation: reservation }),
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    pub(super) fn address(&self) -> SocketAddr {
        at(self.number)
    }
}

/// Keeps others away: the first those of other demos, the second those who do not reuse addresses.
type Reservation = (UdpSocket, Socket);

/// Takes the port, unless somebody listens there or another demo has it.
///
/// Sockets that reuse addresses can be bound side by side until one of them listens, and after a demo before us the port
/// can be had in no other way for a minute. So they do not keep each other away; but the UDP port of the same number is
/// bound by one alone. Ours never listens: a connection to the port is refused while nobody else does.
fn reserve(number: u16) -> io::Result<Reservation> {
    let sign = UdpSocket::bind(at(number))?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&at(number).into())?;
    Ok((sign, socket))
}

fn at(number: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, number))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn busy_port_is_passed_over() {
        let first = Port::take(12_000).unwrap();
        let second = Port::take(first.number()).unwrap();
        assert!(second.number() > first.number());
        let number = second.number();
        drop(second);
        let _somebody = TcpListener::bind(at(number)).unwrap();
        assert!(Port::take(number).unwrap().number() > number);
    }

    #[test]
    fn whoever_it_is_kept_for_listens_there_again_and_again() {
        let port = Port::take(12_500).unwrap();
        for _ in 0..2 {
            let listener = TcpListener::bind(port.address()).unwrap();
            TcpStream::connect(port.address()).unwrap();
            drop(listener);
            assert!(TcpStream::connect(port.address()).is_err());
        }
    }
}
