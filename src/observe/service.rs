//! What there is to tell of bookend as a service of its system.

use std::fmt::Display;

use log::{error, info, warn};

use super::Observer;

impl Observer {
    /// Whoever started the process passed a socket that no listener wants.
    pub fn passed_in_vain(&self, name: &str, what: &dyn Display) {
        warn!("no listener wants what was passed name={name:?} socket={what}");
    }

    /// A successor was started.
    pub fn upgrade_begins(&self, process: u32) {
        info!("upgrade begins process={process}");
    }

    /// The successor failed; this process goes on.
    pub fn upgrade_failed(&self, why: &dyn Display) {
        error!("upgrade failed, this bookend goes on why={:?}", why.to_string());
    }

    /// A successor takes the requests from now on; so many connections finish here.
    pub fn handed_over(&self, process: u32, connections: usize) {
        info!("handed over process={process} connections={connections}");
    }

    /// systemd could not be told how bookend is.
    pub fn not_notified(&self, why: &dyn Display) {
        warn!("telling systemd failed why={:?}", why.to_string());
    }
}
