//! bookend: an HTTP edge proxy that keeps a site standing when a server falls.
//!
//! # Floors
//!
//! A module imports only from floors below its own, and modules on one floor do not know each other;
//! `tests/architecture.rs` keeps it so. Floors 0 to 2 know no world: no clock, no chance, no I/O, no Pingora.
//!
//! ```text
//! 10 cli                                           what a person types
//!  9 server     demo                                threads, signals, beginning and end; a site to try it on
//!  8 proxy      admin                              Pingora's phases: the story of a request; the operator's side
//!  7 reload                                        file → configuration → generation → swap
//!  6 listen     probe      drain    monitor        the front door; checks; leases in force; an eye on the pools;
//!    announce   timeline                            telling people; what happened
//!  5 generation           handover                 one configuration compiled; the line to a successor
//!  4 balance    state      journal  tls            pools: Pingora's LoadBalancer around our nodes; what outlives the process;
//!    link       socket_file           passed        certificates; connections to nodes; Unix sockets; sockets from before us;
//!    session                                        Pingora's sessions with a part of ours
//!  3 clock      observe                            the only reader of time; telling the world
//!  2 routing    upstream   retry  headers  answer  the logic
//!    continuation  framing  terminal  lease  incident  redundancy  proxy_protocol
//!  1 config                                        text → Config, or every Problem
//!  0 model                                         values that cannot be wrong
//! ```
//!
//! # The life of a request
//!
//! 1. [`listen`] accepts the connection, gives it a seat, agrees on keys where [`tls`] is spoken, and hands it to Pingora as a stream that keeps the time.
//! 2. [`proxy`] admits the request: a name for it, a route ([`routing`]), a body that is not too large.
//! 3. It picks a node: [`upstream`] has the order of resort, [`balance`] carries it to Pingora's balancer. It takes a place
//!    there, and while all are full it waits in line for one, or is told to come later.
//! 4. It prepares what the node gets to see ([`headers`]) and sends it.
//! 5. If the attempt fails, [`retry`] decides: another node, the same once more, or the end. What attempts say of their
//!    nodes, [`upstream`]'s jury hears, and takes out those that fail.
//! 6. What a node answers goes to the client as it comes. If none did, [`answer`] says so in our own name. What breaks off
//!    on the way is finished by another node, if [`continuation`] finds that it has the same.
//!
//! A request keeps the [`generation`] it began with; [`reload`] swaps the one that the next request begins with.

pub mod admin;
pub mod announce;
pub mod answer;
pub mod balance;
pub mod cli;
pub mod clock;
pub mod config;
pub mod continuation;
pub mod demo;
pub mod drain;
pub mod framing;
pub mod generation;
pub mod handover;
pub mod headers;
pub mod incident;
pub mod journal;
pub mod lease;
pub mod link;
pub mod listen;
pub mod model;
pub mod monitor;
pub mod observe;
pub mod passed;
pub mod probe;
pub mod proxy;
pub mod proxy_protocol;
pub mod redundancy;
pub mod reload;
pub mod retry;
pub mod routing;
pub mod server;
pub mod session;
pub mod socket_file;
pub mod state;
pub mod terminal;
pub mod timeline;
pub mod tls;
pub mod upstream;
