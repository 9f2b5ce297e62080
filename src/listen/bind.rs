//! Binding addresses.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::socket::Bound;
use crate::config;
use crate::model::ListenAddress;
use crate::passed::{Adopted, Given, Owner, Passed};
use crate::socket_file::{self, SocketFile};

/// Connections that the kernel keeps for us until we accept them; it caps this at `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// Bytes of an answer that the kernel keeps for a client beside what is on its way, before it takes no more.
///
/// Left alone it keeps megabytes for each, and a thousand clients that take nothing have all that it keeps for TCP: then it
/// drops what comes for anybody. With less than this a fast client would be waited for.
const UNSENT: u32 = 128 * 1024;

/// Sockets that are bound to one address, and the file of a Unix socket of ours.
pub(super) struct Sockets {
    each: Vec<Bound>,
    owner: Owner,
    pub(super) file: Option<SocketFile>,
}

impl Sockets {
    /// One socket for each of `count` accept loops, and for each that is bound.
    ///
    /// Where there are fewer, several loops accept from the same queue, and those that are busy leave more to the others:
    /// the kernel spreads the connections of several sockets that share an IP address, but knows no such thing for Unix
    /// sockets, and systemd passes a single one.
    pub(super) fn spread(&self, count: usize) -> io::Result<Vec<Bound>> {
        let count = count.max(self.each.len());
        self.each.iter().cycle().take(count).map(Bound::try_clone).collect()
    }

    /// Those that are ours, to be passed on.
    pub(super) fn to_pass_on(&self) -> io::Result<Vec<Given>> {
        let owner = Owner::Bookend;
        let ours = self.each.iter().filter(|_| self.owner == owner);
        let given = |socket: Bound| Given { name: String::new(), owner, socket: socket.into() };
        ours.map(|bound| bound.try_clone().map(given)).collect()
    }
}

/// Binds the address of `listener` for `count` accept loops, unless a socket there was `passed` to us.
pub(super) fn bind(listener: &config::Listener, count: usize, passed: &Passed) -> io::Result<Sockets> {
    match (&listener.address, passed.adopt(&listener.address)?) {
        (address, Some(Adopted { sockets, owner })) => {
            let each = sockets.into_iter().map(|socket| adopt(address, socket)).collect::<io::Result<_>>()?;
            let file = match (address, owner) {
                (ListenAddress::Unix(path), Owner::Bookend) => SocketFile::found(path),
                (ListenAddress::Unix(_), Owner::Systemd) | (ListenAddress::Socket(_), _) => None,
            };
            file.iter().try_for_each(|file| file.set_mode(listener.socket_mode))?;
            Ok(Sockets { each, owner, file })
        }
        (ListenAddress::Socket(address), None) => {
            let each = bind_address(*address, count.max(1))?;
            Ok(Sockets { each, owner: Owner::Bookend, file: None })
        }
        (ListenAddress::Unix(path), None) => {
            let (socket, file) = socket_file::bind(path, listener.socket_mode, BACKLOG)?;
            Ok(Sockets { each: vec![Bound::Unix(socket)], owner: Owner::Bookend, file: Some(file) })
        }
    }
}

/// Gives a socket that listens already what we give our own.
fn adopt(address: &ListenAddress, socket: OwnedFd) -> io::Result<Bound> {
    SockRef::from(&socket).set_nonblocking(true)?;
    Ok(match address {
        ListenAddress::Socket(_) => {
            prepare(&SockRef::from(&socket))?;
            Bound::Tcp(socket.into())
        }
        ListenAddress::Unix(_) => Bound::Unix(socket.into()),
    })
}

/// Binds `address` `count` times, so that the kernel spreads its connections over as many accept loops.
///
/// Sockets that share an address (`SO_REUSEPORT`) would share it with another process just as well, and a second bookend
/// that was started by mistake would silently take half of the connections. So the address is bound alone first, which
/// fails if anybody has it.
fn bind_address(address: SocketAddr, count: usize) -> io::Result<Vec<Bound>> {
    socket(address)?.bind(&address.into())?;
    (0..count)
        .map(|_| {
            let socket = socket(address)?;
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(Bound::Tcp(socket.into()))
        })
        .collect()
}

/// Finds out clients that vanished without a word from a connection that may be silent for long.
fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(3)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a process before us may still be on their way out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` next to `0.0.0.0` are two listeners.
        socket.set_only_v6(true)?;
    }
    prepare(&socket)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sets what connections inherit from the socket that they are accepted on.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_keepalive(&keepalive())
}
