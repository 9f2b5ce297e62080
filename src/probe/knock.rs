//! Opening a connection to a node for nothing but to see that it opens.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpSocket, UnixStream};

use crate::upstream::Place;

/// Connects to `place` and leaves.
///
/// # Errors
///
/// If it cannot be connected to, which it may take the system minutes to see.
pub(super) async fn knock(place: &Place) -> io::Result<()> {
    match place {
        Place::Tcp(address) => {
            let socket = socket_for(address)?;
            leave_early(&socket);
            socket.connect(*address).await.map(drop)
        }
        Place::Unix(path) => UnixStream::connect(path).await.map(drop),
    }
}

fn socket_for(address: &SocketAddr) -> io::Result<TcpSocket> {
    match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
}

/// Ends the connection once the node's system has agreed to it: the last step of the handshake is put off, and a reset takes
/// its place. The node's program need not accept what nobody will use, nor say that it was left, and both systems are spared
/// half of the packets. Where an option cannot be set it ends as others do.
fn leave_early(socket: &TcpSocket) {
    let _ = sockopt::set_tcp_quickack(socket, false);
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn knocking_leaves_a_node_nothing_to_accept() {
        const TIMES: usize = 5;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let place = Place::Tcp(listener.local_addr().unwrap());
        for _ in 0..TIMES {
            knock(&place).await.unwrap();
        }
        let accepted = std::iter::from_fn(|| listener.accept().ok()).count();
        // On a busy machine one may come to its last step after all.
        assert!(accepted < TIMES, "all were accepted");
    }

    #[tokio::test]
    async fn knocking_fails_where_nobody_listens() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let place = Place::Tcp(TcpListener::bind(any).unwrap().local_addr().unwrap());
            assert_eq!(knock(&place).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        }
        let nowhere = Place::Unix(std::env::temp_dir().join("bookend-nobody.sock"));
        assert_eq!(knock(&nowhere).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
