//! Sockets that are bound and listen before bookend begins, passed on by whoever started it.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use parking_lot::Mutex;
use socket2::{SockRef, Type};

use crate::model::ListenAddress;

/// Sockets that were passed, until somebody adopts them.
#[derive(Debug, Default)]
pub struct Passed {
    sockets: Mutex<Vec<PassedSocket>>,
}

/// Sockets at one address.
#[derive(Debug)]
struct PassedSocket {
    /// What systemd calls it.
    name: String,
    address: ListenAddress,
    socket: OwnedFd,
}

/// A socket that was passed and is of no use.
#[derive(Debug, PartialEq, Eq)]
pub struct Unwanted {
    /// What systemd calls it.
    pub name: String,
    /// Where it is, or what it is instead.
    pub what: String,
}

impl Passed {
    /// Those that systemd passed to this process (`LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`), and what else it passed.
    ///
    /// To be called once, before anything else takes descriptors.
    ///
    /// # Errors
    ///
    /// If the variables make no sense, or name descriptors that are not there.
    pub fn by_systemd() -> io::Result<(Self, Vec<Unwanted>)> {
        let (mut sockets, mut unfit) = (Vec::new(), Vec::new());
        for (descriptor, name) in sd_notify::listen_fds_with_names()? {
            let socket = own(descriptor);
            match listens_at(&socket) {
                Ok(address) => sockets.push(PassedSocket { name, address, socket }),
                Err(why) => unfit.push(Unwanted { name, what: why.to_string() }),
            }
        }
        Ok((Self { sockets: Mutex::new(sockets) }, unfit))
    }

    /// The socket at `address`, if there is one. It stays here as well: systemd keeps it open, so that nobody else could bind
    /// the address, and a listener that a reload removes may come back.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn adopt(&self, address: &ListenAddress) -> io::Result<Option<OwnedFd>> {
        let sockets = self.sockets.lock();
        let found = sockets.iter().find(|passed| passed.address == *address);
        found.map(|passed| passed.socket.try_clone()).transpose()
    }

    /// Those at addresses that are not `wanted`.
    pub fn unwanted(&self, wanted: impl Fn(&ListenAddress) -> bool) -> Vec<Unwanted> {
        let sockets = self.sockets.lock();
        let unwanted = sockets.iter().filter(|passed| !wanted(&passed.address));
        unwanted
            .map(|passed| Unwanted { name: passed.name.clone(), what: passed.address.to_string() })
            .collect()
    }
}

/// Where `socket` listens.
fn listens_at(socket: &OwnedFd) -> io::Result<ListenAddress> {
    let socket = SockRef::from(socket);
    if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
        return Err(io::Error::other("no socket that listens for connections"));
    }
    let address = socket.local_addr()?;
    let path = address.as_pathname().map(|path| ListenAddress::Unix(path.to_owned()));
    address
        .as_socket()
        .map(ListenAddress::Socket)
        .or(path)
        .ok_or_else(|| io::Error::other("no socket at an IP address or a path"))
}

/// Takes a descriptor that was passed.
#[expect(unsafe_code, reason = "there is no other way to take a descriptor by its number")]
fn own(descriptor: RawFd) -> OwnedFd {
    // SAFETY: it was found open a moment ago, it was passed to this process to be taken, and it is taken once, before
    // anything else could have been opened by the same number.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}
