//! Sockets that are bound and listen before bookend begins, passed on by whoever was there before it.

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

/// Whose a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// systemd's, which keeps it open whatever bookend does; so does [`Passed`], since nobody else could bind the address and
    /// a listener that a reload removes may come back.
    Systemd,
    /// bookend's: whoever adopts it has it.
    Bookend,
}

/// A socket that is passed on.
#[derive(Debug)]
pub struct Given {
    /// What systemd calls it; empty for those that are bookend's.
    pub name: String,
    /// Whose it is.
    pub owner: Owner,
    /// The socket.
    pub socket: OwnedFd,
}

#[derive(Debug)]
struct PassedSocket {
    address: ListenAddress,
    given: Given,
}

/// All sockets at one address, at least one.
#[derive(Debug)]
pub struct Adopted {
    /// The sockets.
    pub sockets: Vec<OwnedFd>,
    /// Whose they are.
    pub owner: Owner,
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
        let descriptors = sd_notify::listen_fds_with_names()?;
        let given = |(descriptor, name)| Given { name, owner: Owner::Systemd, socket: own(descriptor) };
        Ok(Self::of(descriptors.map(given).collect()))
    }

    /// These, and what is among them that does not listen.
    pub fn of(given: Vec<Given>) -> (Self, Vec<Unwanted>) {
        let (mut sockets, mut unfit) = (Vec::with_capacity(given.len()), Vec::new());
        for given in given {
            match listens_at(&given.socket) {
                Ok(address) => sockets.push(PassedSocket { address, given }),
                Err(why) => unfit.push(Unwanted { name: given.name, what: why.to_string() }),
            }
        }
        (Self { sockets: Mutex::new(sockets) }, unfit)
    }

    /// The sockets at `address`, if there are any.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn adopt(&self, address: &ListenAddress) -> io::Result<Option<Adopted>> {
        let mut all = self.sockets.lock();
        let systemds = all.iter().find(|passed| passed.is(Owner::Systemd) && passed.address == *address);
        if let Some(passed) = systemds {
            let sockets = vec![passed.given.socket.try_clone()?];
            return Ok(Some(Adopted { sockets, owner: Owner::Systemd }));
        }
        let ours = all.extract_if(.., |passed| passed.address == *address);
        let sockets: Vec<_> = ours.map(|passed| passed.given.socket).collect();
        Ok((!sockets.is_empty()).then_some(Adopted { sockets, owner: Owner::Bookend }))
    }

    /// systemd's sockets at addresses that are not `wanted`.
    pub fn unwanted(&self, wanted: impl Fn(&ListenAddress) -> bool) -> Vec<Unwanted> {
        let sockets = self.sockets.lock();
        let unwanted = sockets.iter().filter(|passed| passed.is(Owner::Systemd) && !wanted(&passed.address));
        unwanted
            .map(|passed| Unwanted { name: passed.given.name.clone(), what: passed.address.to_string() })
            .collect()
    }

    /// systemd's sockets, to be passed on.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn to_pass_on(&self) -> io::Result<Vec<Given>> {
        let sockets = self.sockets.lock();
        let systemds = sockets.iter().filter(|passed| passed.is(Owner::Systemd));
        systemds.map(|PassedSocket { given, .. }| given.try_clone()).collect()
    }

    /// Closes those of bookend that nobody has adopted, and returns where they were.
    pub fn close_the_rest(&self) -> Vec<ListenAddress> {
        let mut sockets = self.sockets.lock();
        sockets.extract_if(.., |passed| passed.is(Owner::Bookend)).map(|passed| passed.address).collect()
    }
}

impl PassedSocket {
    fn is(&self, owner: Owner) -> bool {
        self.given.owner == owner
    }
}

impl Given {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { name: self.name.clone(), owner: self.owner, socket: self.socket.try_clone()? })
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
