//! What there is to tell of bookend as a service of its system.

use std::fmt::Display;

use log::warn;

use super::Observer;

impl Observer {
    /// Whoever started the process passed a socket that no listener wants.
    pub fn passed_in_vain(&self, name: &str, what: &dyn Display) {
        warn!("no listener wants what was passed name={name:?} socket={what}");
    }

    /// systemd could not be told how bookend is.
    pub fn not_notified(&self, why: &dyn Display) {
        warn!("telling systemd failed why={:?}", why.to_string());
    }
}
