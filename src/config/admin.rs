//! The operator's side: where it is reached, and who may change something.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::listener;
use super::read::{Fault, Value};

/// Where the operator's side is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// The Unix socket that the command line uses; a relative path is within `state_dir`.
    pub socket: Place<PathBuf>,
    /// The address for those who read metrics.
    pub address: Place<SocketAddr>,
    /// The file with the token; without one nothing can be changed over TCP, and the address is loopback.
    pub token_file: Option<PathBuf>,
}

/// A place that may be left to bookend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place<T> {
    /// The usual one, if it can be had.
    #[default]
    Usual,
    /// This one, or the configuration is refused.
    At(T),
    /// None.
    Off,
}

/// The longest path of a Unix socket in bytes.
const LONGEST_SOCKET: usize = 107;

pub(super) fn read(value: Value<'_>) -> Option<Admin> {
    value.fields("a mapping of settings", |fields| {
        let socket = fields.read("socket", socket);
        let token_file = fields.read("token_file", |v| v.file_path());
        let address = fields.read("address", |v| {
            let address = v.or_off("an IP address and port like `127.0.0.1:7070`", |v| listener::address(*v));
            if let Some(Some(address)) = address
                && !address.ip().is_loopback()
                && !fields.has("token_file")
            {
                let fault = Fault::new("others can reach this address, and there is no token");
                v.report(fault.help("add `token_file`, or use an address like `127.0.0.1:7070`"));
            }
            address
        });
        Admin { socket: socket.unwrap_or_default(), address: place(address), token_file }
    })
}

/// Reads the directory for what must outlive the process.
pub(super) fn state_dir(value: Value<'_>) -> Option<PathBuf> {
    let path = value.file_path()?;
    if path.is_absolute() {
        return Some(path);
    }
    value.fail(
        Fault::new(format!("`{}` depends on where bookend was started", path.display()))
            .help("write it in full, as in `/var/lib/bookend`"),
    )
}

fn place<T>(told: Option<Option<T>>) -> Place<T> {
    match told {
        None => Place::Usual,
        Some(Some(place)) => Place::At(place),
        Some(None) => Place::Off,
    }
}

fn socket(value: Value<'_>) -> Option<Place<PathBuf>> {
    let path = value.file_path()?;
    match path.as_os_str().len() {
        _ if path.as_os_str() == "off" => Some(Place::Off),
        0..=LONGEST_SOCKET => Some(Place::At(path)),
        _ => value.fail(Fault::new("the path is longer than the 107 bytes that a socket's can have")),
    }
}
