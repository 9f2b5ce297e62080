//! bookend: an HTTP edge proxy that keeps a site standing when a server falls.

pub mod answer;
pub mod config;
pub mod headers;
pub mod model;
pub mod retry;
pub mod routing;
pub mod upstream;
