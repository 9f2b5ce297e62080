//! Unix sockets and their files: bound where nobody else listens, removed by whoever made them.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, SockAddr, Socket, Type};

/// The file of a socket of ours; removed on drop, unless another has taken its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and number, by which it is known to be ours.
    id: (u64, u64),
    /// Another process has the socket now, and its file.
    is_left: bool,
}

/// Binds `path` with these permissions, and keeps up to `backlog` connections until they are accepted. What a process before
/// us left there is removed, but only if nobody listens on it.
///
/// # Errors
///
/// If somebody listens there, if there is something that is no socket, or if the system says no.
pub fn bind(path: &Path, mode: u32, backlog: i32) -> io::Result<(UnixListener, SocketFile)> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // Two that find the same left-over at once must not remove each other's socket.
    let directory = File::open(parent.unwrap_or(Path::new(".")))?;
    flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
    remove_left_over(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.to_owned(), id: id(path)?, is_left: false };
    // Nobody can connect before `listen`, so there is no moment at which others could.
    file.set_mode(mode)?;
    socket.set_nonblocking(true)?;
    socket.listen(backlog)?;
    Ok((socket.into(), file))
}

impl SocketFile {
    /// The file at `path`, of a socket that another process has bound and passed on; until that process is gone it is left
    /// to it. `None` if somebody has removed it.
    pub fn found(path: &Path) -> Option<Self> {
        id(path).ok().map(|id| Self { path: path.to_owned(), id, is_left: true })
    }

    /// From now on, or no longer, it is left to another process.
    pub fn leave(&mut self, is_left: bool) {
        self.is_left = is_left;
    }

    /// Changes its permissions.
    ///
    /// # Errors
    ///
    /// If the system says no.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(mode))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.is_left && id(&self.path).is_ok_and(|id| id == self.id) {
            // Someone may have removed it before us.
            let _ = fs::remove_file(&self.path);
        }
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
        let directory = std::env::temp_dir().join(format!("bookend-socket-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("a.sock");
        let first = bind(&path, 0o600, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(bind(&path, 0o600, 1).is_err(), "somebody listens");
        drop(first);
        assert!(!path.exists(), "it stayed behind");

        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let second = bind(&path, 0o660, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(second);
        assert!(bind(&path, 0o600, 1).is_err(), "it is no socket");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_dir_all(&directory).unwrap();
    }
}
