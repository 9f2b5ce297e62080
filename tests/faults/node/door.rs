//! Where connections come in, or do not.

use std::io;
use std::net::SocketAddr;

use socket2::{SockRef, Socket};
use tokio::net::{TcpListener, TcpStream};

use super::behaviour::Behaviour;

/// As many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A node's listening socket.
pub(crate) enum Door {
    Open(TcpListener),
    /// Nobody listens: the system refuses.
    Shut,
    /// A black hole without any privilege: the line of connections to be accepted has room for one, which is taken, and
    /// nobody accepts. Linux then drops every further SYN, as a machine that is gone does.
    Full {
        listener: TcpListener,
        _filler: Socket,
    },
}

impl Door {
    /// Puts the door at `address` into the state that `behaviour` asks for.
    pub(crate) fn turn(self, address: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        Ok(match (behaviour, self) {
            (Behaviour::Refuses, _) => Self::Shut,
            (Behaviour::BlackHole, Self::Open(listener) | Self::Full { listener, .. }) => {
                fill(listener, address)?
            }
            (Behaviour::BlackHole, Self::Shut) => fill(listen(address)?, address)?,
            (_, Self::Open(listener)) => Self::Open(listener),
            (_, Self::Shut) => Self::Open(listen(address)?),
            (_, Self::Full { listener, .. }) => {
                SockRef::from(&listener).listen(BACKLOG)?;
                Self::Open(listener)
            }
        })
    }

    /// The next connection; never, while the door is not open.
    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Open(listener) => Ok(listener.accept().await?.0),
            Self::Shut | Self::Full { .. } => std::future::pending().await,
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG.unsigned_abs())
}

fn fill(listener: TcpListener, address: SocketAddr) -> io::Result<Door> {
    SockRef::from(&listener).listen(0)?;
    let filler = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    filler.set_nonblocking(true)?;
    // It is under way, or it finds the line full already: both are what is wanted.
    let _ = filler.connect(&address.into());
    Ok(Door::Full { listener, _filler: filler })
}
