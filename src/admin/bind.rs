//! Binding the socket and the address, before anything else begins.

use std::fs::{self, File, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, SockAddr, Socket, Type};

use super::access::{Rules, TokenError};
use crate::config::{Config, Place, Whereabouts};
use crate::observe::Observer;
use crate::state::{make, make_ours, usual_state_dirs};

/// The address where nobody says.
const USUAL_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);

/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: i32 = 64;

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
    Bound(BoundSocket),
    /// It was left to bookend where it is, and cannot be there yet.
    Later(PathBuf),
}

/// An address, bound and not answered yet.
#[derive(Debug)]
pub(super) struct BoundAddress {
    pub(super) address: SocketAddr,
    pub(super) listener: TcpListener,
}

/// A Unix socket; its file is removed on drop.
#[derive(Debug)]
pub(super) struct BoundSocket {
    pub(super) listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket of ours; removed on drop, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and number, by which it is known to be ours.
    id: (u64, u64),
}

impl Bound {
    /// Binds what `config` asks for. What it leaves to bookend may be missing, which is told.
    pub fn new(config: &Config, observer: &Observer) -> Result<Self, AdminError> {
        let rules = Rules::read(config.admin.token_file.as_deref())?;
        let state_dir = state_dir(config, observer)?;
        let socket = bind_socket(config, state_dir.as_deref(), observer)?;
        let tcp = BoundAddress::new(config.admin.address, observer)?;
        Ok(Self { socket, tcp, rules, state_dir })
    }

    /// The directory for what must outlive the process, if there is one.
    pub fn state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }
}

impl BoundSocket {
    pub(super) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|id| id == self.id) {
            // Someone may have removed it before us.
            let _ = fs::remove_file(&self.path);
        }
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
    pub(super) fn new(wanted: Place<SocketAddr>, observer: &Observer) -> Result<Option<Self>, AdminError> {
        let Some(address) = address(wanted) else { return Ok(None) };
        let bound = TcpListener::bind(address).and_then(|bound| bound.set_nonblocking(true).map(|()| bound));
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

fn bind_socket(
    config: &Config,
    directory: Option<&Path>,
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
    match BoundSocket::new(&path) {
        Ok(socket) => {
            observer.admin_listening(&path.display());
            Ok(MaybeSocket::Bound(socket))
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

impl BoundSocket {
    /// Binds `path` for us alone. What a process before us left there is removed, but only if nobody listens on it.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        // Two that find the same left-over at once must not remove each other's socket.
        let directory = File::open(parent.unwrap_or(Path::new(".")))?;
        flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
        remove_left_over(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = SocketFile { path: path.to_owned(), id: id(path)? };
        // Nobody can connect before `listen`, so there is no moment at which others could.
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        socket.set_nonblocking(true)?;
        socket.listen(BACKLOG)?;
        Ok(Self { listener: socket.into(), file })
    }
}

fn remove_left_over(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(why),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("there is a file that is no socket"));
    }
    match UnixStream::connect(path) {
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
        Err(why) => Err(why),
    }
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_is_taken_over_only_from_the_dead() {
        let directory = std::env::temp_dir().join(format!("bookend-bind-{}", std::process::id()));
        make(&directory).unwrap();
        let path = directory.join("a.sock");
        let first = BoundSocket::new(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(BoundSocket::new(&path).is_err(), "somebody listens");
        drop(first);
        assert!(!path.exists(), "it stayed behind");

        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let second = BoundSocket::new(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(second);
        assert!(BoundSocket::new(&path).is_err(), "it is no socket");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_dir_all(&directory).unwrap();
    }
}
