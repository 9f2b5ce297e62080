//! bookend: an HTTP edge proxy that keeps a site standing when a server falls.

pub mod config;
pub mod headers;
pub mod model;
pub mod routing;
