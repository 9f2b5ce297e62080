//! How long and how large the values of a configuration may be.
//!
//! A day is the most for anything that is waited for: sums of such durations stay far from every overflow, and whoever
//! writes more has most likely slipped.

use std::ops::RangeInclusive;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Waiting for something that a time-out ends.
pub(super) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=DAY;
/// Waiting for a place at a node: longer than this is not waiting but a queue that makes everybody late.
pub(super) const TARGET: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);
/// Waiting for the head of a request. Pingora waits a minute for the first one of a connection, whatever it is told.
pub(super) const HEAD_TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
/// Doing something again and again.
pub(super) const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=DAY;
/// A time that may also be none at all.
pub(super) const DELAY: RangeInclusive<Duration> = Duration::ZERO..=DAY;
/// How long a browser remembers that a site is reached by TLS alone.
pub(super) const HSTS: RangeInclusive<Duration> =
    Duration::ZERO..=Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// How long a browser keeps a session's cookie.
pub(super) const COOKIE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 60 * 60);
/// Connections.
pub(super) const CONNECTIONS: RangeInclusive<usize> = 1..=10_000_000;
/// Requests at once on one connection.
pub(super) const STREAMS: RangeInclusive<u32> = 1..=10_000;
/// Worker threads.
pub(super) const THREADS: RangeInclusive<usize> = 1..=1024;
/// Bytes of a request's head.
pub(super) const HEAD: RangeInclusive<u64> = 1024..=1024 * 1024 - 1;
/// Fields of a request's head. Pingora takes no more.
pub(super) const FIELDS: RangeInclusive<usize> = 1..=256;
/// Bytes of a request's target.
pub(super) const TARGET_SIZE: RangeInclusive<u64> = 128..=1024 * 1024 - 1;
/// Bytes a second that are asked of a client.
pub(super) const RATE: RangeInclusive<u64> = 1..=1 << 30;
/// For how long a client may be slower than that.
pub(super) const RATE_TIME: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(10 * 60);
/// Bytes of a request's body.
pub(super) const BODY: RangeInclusive<u64> = 1..=1 << 40;
/// Bytes of one request's body that are kept.
pub(super) const BUFFER: RangeInclusive<u64> = 0..=1 << 30;
/// Bytes of all kept bodies.
pub(super) const BUFFERS: RangeInclusive<u64> = 0..=1 << 40;
/// Attempts at one request.
pub(super) const ATTEMPTS: RangeInclusive<u32> = 1..=100;
/// Retries for each hundred requests.
pub(super) const PERCENT: RangeInclusive<u32> = 0..=1000;
/// Requests of each hundred, but not all of them.
pub(super) const PART: RangeInclusive<u32> = 1..=99;
/// How long something has to be wrong with a pool until a drained node comes back for it.
pub(super) const RECALL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10 * 60);
/// Checks in a row that agree.
pub(super) const CHECKS_IN_A_ROW: RangeInclusive<u32> = 1..=100;
/// What [`Weight`](crate::model::Weight) can hold.
pub(super) const WEIGHT: RangeInclusive<u16> = 1..=u16::MAX;
/// What [`Tier`](crate::model::Tier) can hold.
pub(super) const TIER: RangeInclusive<u8> = 0..=u8::MAX;
/// Nodes of one pool.
pub(super) const NODES: RangeInclusive<usize> = 1..=100_000;
/// Requests that share one connection.
pub(super) const NODE_STREAMS: RangeInclusive<usize> = 1..=1000;
/// Requests that are at one node at once.
pub(super) const IN_FLIGHT: RangeInclusive<u32> = 1..=10_000_000;
/// Failed attempts in a row that take a node out.
pub(super) const FAILURES_IN_A_ROW: RangeInclusive<u32> = 1..=1000;
/// How long a node is out, which a node that has come back pays for as well.
pub(super) const EJECTION: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(10 * 60);
/// How long a node takes to get all of its share again.
pub(super) const SLOW_START: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10 * 60);
/// Waiting for a webhook or a command that is told of an alarm.
pub(super) const TELLING: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(20);
/// For how long retries hide failures until that is an alarm.
pub(super) const MASKED: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(60 * 60);
/// The part of the requests that retries save, in hundredths of a percent.
pub(super) const SHARE: RangeInclusive<u32> = 1..=10_000;
