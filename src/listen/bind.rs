//! Binding addresses.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::socket::Bound;
use crate::config;
use crate::model::ListenAddress;
use crate::socket_file::{self, SocketFile};

/// Connections that the kernel keeps for us until we accept them; it caps this at `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// Sockets that are bound to one address, one for each accept loop, and the file of a Unix socket.
pub(super) struct Sockets {
    pub(super) each: Vec<Bound>,
    pub(super) file: Option<SocketFile>,
}

/// Binds the address of `listener` for `count` accept loops.
pub(super) fn bind(listener: &config::Listener, count: usize) -> io::Result<Sockets> {
    match &listener.address {
        ListenAddress::Socket(address) => {
            Ok(Sockets { each: bind_address(*address, count.max(1))?, file: None })
        }
        ListenAddress::Unix(path) => bind_path(path, listener.socket_mode, count.max(1)),
    }
}

/// Binds `path` once: the kernel has no way to spread the connections of a Unix socket, so all loops accept from the same
/// queue, and those that are busy leave more to the others.
fn bind_path(path: &Path, mode: u32, count: usize) -> io::Result<Sockets> {
    let (first, file) = socket_file::bind(path, mode, BACKLOG)?;
    let each = (0..count).map(|_| first.try_clone().map(Bound::Unix)).collect::<io::Result<_>>()?;
    Ok(Sockets { each, file: Some(file) })
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
    // Connections inherit these two from the socket they were accepted on.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
