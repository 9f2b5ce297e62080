//! The real program on free ports, in front of scripted nodes, asked by a client that sends exact bytes.
//!
//! Each test has its own program, nodes and ports, and waits for conditions, never for a while.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod access_log;
mod admin;
mod algorithms;
mod announce;
mod balance;
mod demo;
mod disks;
mod drain;
mod early;
mod ejection;
mod failover;
mod finishing;
mod framing;
mod grpc;
mod guard;
mod headers;
mod health;
mod hostile_admin;
mod http2;
mod http2_floods;
mod incidents;
mod journal;
mod kills;
mod limits;
mod load;
mod masked;
mod monitoring;
mod node_http2;
mod node_tls;
mod openapi;
mod overload;
mod parking;
mod passed;
mod proxy_protocol;
mod recall;
mod redundancy;
mod reload;
mod replay;
mod routing;
mod saying_no;
mod service;
mod slow_clients;
mod start;
mod sticky;
mod stop;
mod streaming;
mod support;
mod tls;
mod two_ways;
mod unix_listener;
mod upgrade;
