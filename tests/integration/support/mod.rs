//! What the tests stand on: the real program, scripted nodes, a client that sends exact bytes.

mod bookend;
mod client;
mod directory;
pub(crate) mod frames;
mod gate;
mod h2_node;
mod load;
mod message;
mod origin;
mod pki;
mod port;
mod schema;
mod sealed;
mod serving;
mod site;
mod wait;

pub(crate) use bookend::{Bookend, PROGRAM, Reload, check, program, run_of};
pub(crate) use client::{Answer, Client, fetch, request_bytes};
pub(crate) use directory::TempDirectory;
pub(crate) use gate::Gate;
pub(crate) use h2_node::{H2Node, Reply};
pub(crate) use load::{Load, Wrk};
pub(crate) use message::Headers;
pub(crate) use origin::{Call, Next, Origin};
pub(crate) use pki::{Authority, Files};
pub(crate) use port::Port;
pub(crate) use schema::{Schemas, Strictness};
pub(crate) use sealed::Sealed;
pub(crate) use site::Site;
pub(crate) use wait::{PATIENCE, eventually, until};
