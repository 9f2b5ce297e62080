//! Values that cannot be wrong: whoever holds one holds the proof that it was checked.

mod address;
mod client_network;
mod cookie;
mod count;
mod dns;
mod host;
mod listen_address;
mod name;
mod path;
mod reminder;
mod status;
mod trusted_proxies;
mod webhook_url;
mod weight;
mod window;

pub use address::{AddressError, NodeAddress};
pub use client_network::ClientNetwork;
pub use cookie::{CookieName, CookieNameError};
pub use count::{counted, grouped};
pub use dns::DnsNameError;
pub use host::{HostPattern, HostPatternError};
pub use listen_address::ListenAddress;
pub use name::{Name, NameError};
pub use path::{PathPrefix, PathPrefixError};
pub use reminder::next_reminder;
pub use status::{StatusSet, StatusSetError};
pub use trusted_proxies::TrustedProxies;
pub use webhook_url::{WebhookUrl, WebhookUrlError};
pub use weight::{Tier, Weight, WeightError};
pub use window::Window;

/// An error that knows how the text it is about can be mended.
pub trait Advice: std::error::Error {
    /// What to write instead, as a whole sentence for a person; `None` where the error says it all.
    fn advice(&self) -> Option<String>;
}
