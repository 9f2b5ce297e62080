//! Binding the socket and the address, before anything else begins.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::access::{Rules, TokenError};
use crate::config::{Config, Place, Whereabouts};
use crate::model::ListenAddress;
use crate::observe::Observer;
use crate::passed::Passed;
use crate::socket_file::{self, SocketFile};
use crate::state::{make, make_ours, usual_state_dirs};

/// The address where nobody says.
const USUAL_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);

/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: i32 = 64;

/// The socket is for us alone.
const SOCKET_MODE: u32 = 0o600;

/// Why the operator's side is not where the configuration wants it.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The directory cannot be used.
    #[error("using {} as state_dir", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// None of the usual directories can be used, and the socket is to be there.
    #[error("finding a directory for admin.socket; name one with state_dir")]
    NoStateDir,
    /// The socket cannot be bound.
    #[error("binding admin.socket {}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be bound.
    #[error("binding admin.address {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The runtime cannot take what was prepared for it.
    #[error("preparing the operator's side")]
    Runtime(#[source] io::Error),
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// The socket and the address, bound and not answered yet.
#[derive(Debug)]
pub struct Bound {
    pub(super) socket: MaybeSocket,
    pub(super) tcp: Option<BoundAddress>,
    pub(super) rules: Rules,
    state_dir: Option<PathBuf>,
}

/// The socket, as far as there is one.
#[derive(Debug)]
pub(super) enum MaybeSocket {
    /// Nobody wants one, or there is nowhere to have it.
    None,
    /// It is there.
    Bound(UnixListener, SocketFile),
    /// It was left to bookend where it is, and cannot be there yet.
    Later(PathBuf),
}

/// An address, bound and not answered yet.
#[derive(Debug)]
pub(super) struct BoundAddress {
    pub(super) address: SocketAddr,
    pub(super) listener: TcpListener,
}

impl Bound {
    /// Binds what `config` asks for, unless it was `passed`. What it leaves to bookend may be missing, which is told.
    pub fn new(config: &Config, passed: &Passed, observer: &Observer) -> Result<Self, AdminError> {
        let rules = Rules::read(config.admin.token_file.as_deref())?;
        let state_dir = state_dir(config, observer)?;
        let socket = bind_socket(config, state_dir.as_deref(), passed, observer)?;
        let tcp = BoundAddress::new(config.admin.address, passed, observer)?;
        Ok(Self { socket, tcp, rules, state_dir })
    }

    /// The directory for what must outlive the process, if there is one.
    pub fn state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }
}

/// The address that is meant.
pub(super) fn address(wanted: Place<SocketAddr>) -> Option<SocketAddr> {
    match wanted {
        Place::Off => None,
        Place::At(address) => Some(address),
        Place::Usual => Some(USUAL_ADDRESS),
    }
}

impl BoundAddress {
    /// Binds what is `wanted`; `None` if that is nothing, or if it was left to bookend and cannot be had, which is told.
    pub(super) fn new(
        wanted: Place<SocketAddr>,
        passed: &Passed,
        observer: &Observer,
    ) -> Result<Option<Self>, AdminError> {
        let Some(address) = address(wanted) else { return Ok(None) };
        let bound =
            adopted(&ListenAddress::Socket(address), passed).unwrap_or_else(|| TcpListener::bind(address));
        let bound = bound.and_then(|bound| bound.set_nonblocking(true).map(|()| bound));
        match bound {
            Ok(listener) => Ok(Some(Self { address, listener })),
            Err(why) if wanted == Place::Usual => {
                observer.admin_unreachable(&address, &why);
                Ok(None)
            }
            Err(source) => Err(AdminError::Address { address, source }),
        }
    }
}

/// The socket at `address` that was passed, if there is one.
fn adopted<T: From<OwnedFd>>(address: &ListenAddress, passed: &Passed) -> Option<io::Result<T>> {
    let adopted = passed.adopt(address).transpose()?;
    let socket = adopted.map(|adopted| adopted.sockets.into_iter().next().map(T::from));
    socket.transpose()
}

/// Binds `path`, unless a socket there was passed.
pub(super) fn bind_path(path: &Path, passed: &Passed) -> io::Result<(UnixListener, SocketFile)> {
    match adopted::<UnixListener>(&ListenAddress::Unix(path.to_owned()), passed).transpose()? {
        Some(socket) => {
            socket.set_nonblocking(true)?;
            let file = SocketFile::found(path).ok_or_else(|| io::Error::other("its file is gone"))?;
            Ok((socket, file))
        }
        None => socket_file::bind(path, SOCKET_MODE, BACKLOG),
    }
}

fn bind_socket(
    config: &Config,
    directory: Option<&Path>,
    passed: &Passed,
    observer: &Observer,
) -> Result<MaybeSocket, AdminError> {
    let is_usual = config.admin.socket == Place::Usual;
    let directory = match directory {
        Some(directory) => directory,
        // A whole path needs no directory.
        None if matches!(&config.admin.socket, Place::At(path) if path.is_absolute()) => Path::new(""),
        None if is_usual || config.admin.socket == Place::Off => return Ok(MaybeSocket::None),
        None => return Err(AdminError::NoStateDir),
    };
    let Some(path) = Whereabouts::from(config).socket(directory) else { return Ok(MaybeSocket::None) };
    match bind_path(&path, passed) {
        Ok((listener, file)) => {
            observer.admin_listening(&path.display());
            Ok(MaybeSocket::Bound(listener, file))
        }
        Err(why) if is_usual => {
            observer.admin_unreachable(&path.display(), &why);
            Ok(MaybeSocket::Later(path))
        }
        Err(source) => Err(AdminError::Socket { path, source }),
    }
}

/// The directory for the state; `None` if nobody chose one and none of the usual can be had, which is told.
fn state_dir(config: &Config, observer: &Observer) -> Result<Option<PathBuf>, AdminError> {
    if let Some(path) = &config.state_dir {
        return match make(path) {
            Ok(()) => Ok(Some(path.clone())),
            Err(source) => Err(AdminError::StateDir { path: path.clone(), source }),
        };
    }
    let is_off = config.admin.socket == Place::Off;
    if is_off && config.admin.token_file.is_none() {
        // Nobody can change anything, so there is nothing to remember.
        return Ok(None);
    }
    let mut last = None;
    for directory in usual_state_dirs() {
        match make_ours(&directory) {
            Ok(()) => return Ok(Some(directory)),
            Err(why) => last = Some((directory, why)),
        }
    }
    let is_for_socket = !is_off && !matches!(&config.admin.socket, Place::At(path) if path.is_absolute());
    if let Some((directory, why)) = last.filter(|_| is_for_socket) {
        observer.admin_unreachable(&directory.display(), &why);
    }
    Ok(None)
}
