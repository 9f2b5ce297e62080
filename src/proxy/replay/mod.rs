//! Sending the body of a request again.
//!
//! Pingora keeps the first 64 KiB of a body for another attempt and forgets all of it when more comes. What is longer is
//! kept here while it passes to the first node; for the next attempt the client's session is wrapped in one
//! ([`session`]) from which the body comes as if the client sent it again.

mod session;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use pingora_proxy::Session;

use self::session::Wrapped;
use super::admit::body_length;
use super::context::Context;
use crate::observe::Observer;
use crate::retry::{BodyRoom, KeepLimits, KeptBody, NotKept};

/// The longest body that Pingora keeps itself.
const KEPT_BY_PINGORA: u64 = 64 * 1024;

/// The body of one request, for another attempt.
#[derive(Default)]
pub(super) struct Replay {
    kept: Kept,
    /// How the client's session is got back while it is wrapped.
    wrapped: Option<Wrapped>,
}

/// Whether the body is kept here.
#[derive(Default)]
enum Kept {
    /// None of it has come.
    #[default]
    Undecided,
    /// It is.
    Here(Box<KeptBody>),
    /// It need not be, or cannot.
    Not,
}

/// Keeps a piece of the body that comes after `before` bytes of it, if another attempt may need it.
pub(super) fn keep(
    session: &Session,
    piece: Option<&Bytes>,
    before: u64,
    is_end: bool,
    context: &mut Context,
    room: &Arc<BodyRoom>,
    observer: &Observer,
) {
    if matches!(context.body.replay.kept, Kept::Not) {
        return;
    }
    if is_end && is_kept_by_pingora(session, context) || context.passed.is_some() {
        context.body.replay.kept = Kept::Not;
        return;
    }
    let Some(piece) = piece else { return };
    if matches!(context.body.replay.kept, Kept::Undecided) {
        let is_kept = is_worth_keeping(session, context, observer);
        context.body.replay.kept =
            if is_kept { Kept::Here(Box::new(KeptBody::new(room))) } else { Kept::Not };
    }
    let Some(limits) = limits(context) else { return };
    let Kept::Here(body) = &mut context.body.replay.kept else { return };
    // What is sent again has been kept before.
    let known = usize::try_from(body.length().saturating_sub(before)).unwrap_or(usize::MAX);
    if known >= piece.len() {
        return;
    }
    if let Err(why) = body.keep(&piece.slice(known..), limits) {
        context.body.replay.kept = Kept::Not;
        if let Some(route) = context.route() {
            observer.body_not_kept(route.pool.name().as_str(), why);
        }
    }
}

/// Whether all of the body that has come from the client can be sent again.
pub(super) fn is_possible(session: &Session, context: &Context) -> bool {
    let come = session.as_ref().body_bytes_read() as u64;
    let is_kept_here = match &context.body.replay.kept {
        Kept::Here(body) => body.length() == come,
        Kept::Undecided | Kept::Not => false,
    };
    let may_be_kept = limits(context).is_some_and(|limits| come <= limits.body);
    come == 0 || may_be_kept && (is_kept_here || is_kept_by_pingora(session, context))
}

/// Sees to it that the next attempt gets the body from the start.
pub(super) fn prepare(session: &mut Session, context: &mut Context) {
    end(session, context);
    if context.attempts.count() == 0 {
        return;
    }
    if let Some(connection) = &context.connection {
        // The client was not listened to meanwhile, and the next node has all of its time.
        connection.progressed();
    }
    if is_kept_by_pingora(session, context) {
        return;
    }
    if let Kept::Here(body) = &mut context.body.replay.kept {
        context.body.replay.wrapped = Some(session::wrap(session, body.pieces().collect()));
    }
}

/// A node's final answer goes to the client: there will be no other attempt.
pub(super) fn answered(session: &mut Session, context: &mut Context) {
    // A node may answer before it has read the body; the rest of it is still to come.
    if context.body.replay.wrapped.as_ref().is_none_or(Wrapped::is_all_sent) {
        end(session, context);
        context.body.replay.kept = Kept::Not;
    }
}

/// Puts the client's own session back where it was. A wrapped one cannot keep its connection alive, or close it.
pub(super) fn end(session: &mut Session, context: &mut Context) {
    if let Some(wrapped) = context.body.replay.wrapped.take() {
        wrapped.undo(session);
    }
}

/// Decides, when the first piece of a body comes, whether it is to be kept here.
fn is_worth_keeping(session: &Session, context: &Context, observer: &Observer) -> bool {
    let (Some(admitted), Some(route)) = (&context.admitted, context.route()) else { return false };
    let limit = route.retry.rules.body_buffer;
    // Pingora takes a wrapped session's word for the host of a target that names one.
    let is_plain = session.req_header().raw_path().starts_with(b"/") && !session.is_upgrade_req();
    if limit == 0 || !is_plain || !route.retry.may_need_body(admitted.request) {
        return false;
    }
    match body_length(session) {
        Some(length) if length > limit => {
            observer.body_not_kept(route.pool.name().as_str(), NotKept::TooLarge);
            false
        }
        Some(length) => length > KEPT_BY_PINGORA,
        None => true,
    }
}

fn limits(context: &Context) -> Option<KeepLimits> {
    let body = context.route()?.retry.rules.body_buffer;
    Some(KeepLimits { body, process: context.generation.config().server.body_buffers })
}

/// Whether Pingora has all of the body that has come.
fn is_kept_by_pingora(session: &Session, context: &Context) -> bool {
    context.body.replay.wrapped.is_none() && !session.as_ref().retry_buffer_truncated()
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = match &self.kept {
            Kept::Undecided => None,
            Kept::Here(body) => Some(body.length()),
            Kept::Not => Some(0),
        };
        f.debug_struct("Replay").field("kept", &kept).field("is_wrapped", &self.wrapped.is_some()).finish()
    }
}
