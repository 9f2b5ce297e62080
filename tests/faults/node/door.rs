//! Where connections come in, or do not.

use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::behaviour::Behaviour;

/// As many connections may wait to be accepted.
const BACKLOG: u16 = 1024;

/// A node's listening socket.
pub(crate) enum Door {
    Open(TcpListener),
    /// Nobody listens: the system refuses.
    Shut,
    /// A black hole without any privilege: the line of connections to be accepted has room for one, which is taken, and
    /// nobody accepts. Linux then drops every further SYN, as a machine that is gone does.
    Full {
        listener: TcpListener,
        _filler: net::TcpStream,
    },
}

impl Door {
    /// Puts the door at `address` into the state that `behaviour` asks for.
    ///
    /// Connections that already wait to be accepted when it ceases to be open go to `welcome`, so that they are not part
    /// of the fault.
    pub(crate) async fn turn(
        self,
        address: SocketAddr,
        behaviour: Behaviour,
        welcome: impl FnMut(TcpStream),
    ) -> io::Result<Self> {
        match (behaviour, self) {
            (Behaviour::Refuses, door) => {
                door.empty(welcome).await;
                Ok(Self::Shut)
            }
            (Behaviour::BlackHole | Behaviour::Vanishes, Self::Open(listener)) => {
                fill(listener, address, welcome).await
            }
            (Behaviour::BlackHole | Behaviour::Vanishes, Self::Shut) => {
                fill(listen(address)?, address, welcome).await
            }
            (_, Self::Shut) => Ok(Self::Open(listen(address)?)),
            (Behaviour::BlackHole | Behaviour::Vanishes, full @ Self::Full { .. }) => Ok(full),
            (_, Self::Full { listener, .. }) => {
                SockRef::from(&listener).listen(BACKLOG.into())?;
                Ok(Self::Open(listener))
            }
            (_, open @ Self::Open(_)) => Ok(open),
        }
    }

    /// The next connection; never, while the door is not open.
    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Open(listener) => Ok(listener.accept().await?.0),
            Self::Shut | Self::Full { .. } => std::future::pending().await,
        }
    }

    async fn empty(&self, mut welcome: impl FnMut(TcpStream)) {
        while let Ok(Ok(stream)) = timeout(Duration::ZERO, self.accept()).await {
            welcome(stream);
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG.into())
}

/// Takes the only place in the line, behind everybody who stands in it already.
async fn fill(
    listener: TcpListener,
    address: SocketAddr,
    mut welcome: impl FnMut(TcpStream),
) -> io::Result<Door> {
    let last = net::TcpStream::connect(address)?;
    let filler = net::TcpStream::connect(address)?;
    SockRef::from(&listener).listen(0)?;
    loop {
        let (stream, peer) = listener.accept().await?;
        if peer == last.local_addr()? {
            return Ok(Door::Full { listener, _filler: filler });
        }
        welcome(stream);
    }
}
