//! Finishing an answer that broke off with that of another node.
//!
//! Pingora does the splicing: an attempt that is made after the head went to the client has its own head dropped and its
//! body written behind what was there. Here is what makes that right: what is asked for, that the answer is the same, and
//! that nothing comes twice.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::context::Context;
use super::{failure, forward};
use crate::continuation::{Ask, Head, Key, Overlap, Plan, Sent};

/// Answers that are finished at one time in the whole process: when a node dies under many downloads, the others must not
/// be given all of them at once.
const PLACES: usize = 1024;

/// What all threads share to finish answers.
#[derive(Clone, Debug)]
pub struct Finishers {
    places: Arc<Semaphore>,
    key: Key,
}

impl Finishers {
    /// Those of a process, with a key of their own.
    pub fn new() -> Self {
        // The keys of the standard library's maps come from the system, and nobody gets to see what these return.
        let key = std::array::from_fn(|number| RandomState::new().hash_one(number));
        Self { places: Arc::new(Semaphore::new(PLACES)), key }
    }
}

impl Default for Finishers {
    fn default() -> Self {
        Self::new()
    }
}

/// An answer that broke off and that another node is to finish.
#[derive(Debug)]
pub(super) struct Finishing {
    plan: Plan,
    stage: Stage,
    place: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Stage {
    /// No node was asked yet.
    Planned,
    /// A node was asked and has not answered.
    Asked,
    /// A node goes on with it.
    GoesOn(Overlap),
}

impl Finishing {
    /// Whether the attempt under way has to answer yet.
    pub(super) fn awaits_head(&self) -> bool {
        matches!(self.stage, Stage::Asked)
    }
}

/// Keeps account from now on of what the client gets of an answer that another node could finish.
pub(super) fn expect_a_break(
    session: &Session,
    answer: &ResponseHeader,
    context: &mut Context,
    finishers: &Finishers,
) {
    let is_wanted = context.route().is_some_and(|route| route.retry.rules.finish_answers);
    if !is_wanted || answer.status.is_informational() || !is_finishable(session, &answer.headers) {
        return;
    }
    if let Some(passed) = &mut context.passed {
        passed.sent = Sent::nothing_of(of(answer), finishers.key);
    }
}

/// To a client of HTTP/1.0 an answer without a length ends with its connection, whole or not.
fn is_finishable(session: &Session, answer: &HeaderMap) -> bool {
    let head = session.req_header();
    let shows_its_end = head.version >= Version::HTTP_11 || answer.contains_key(header::CONTENT_LENGTH);
    head.method == Method::GET && shows_its_end && !forward::is_endless(answer)
}

/// Makes a plan for the answer that broke off, if there is one and there is a place. Nothing changes if no answer had
/// begun, and if the attempt that failed had been to finish one and did not get that far.
pub(super) fn plan(session: &Session, context: &mut Context, finishers: &Finishers) {
    let Some(passed) = &mut context.passed else { return };
    let finishing = match passed.finishing.take() {
        Some(finishing) if finishing.awaits_head() => {
            passed.finishing = Some(finishing);
            return;
        }
        finishing => finishing,
    };
    let head = session.response_written().filter(|head| head.status == passed.status);
    let plan = head.zip(passed.sent.as_ref()).and_then(|(head, sent)| Plan::new(of(head), sent));
    let Some(plan) = plan else { return };
    let place = match finishing {
        Some(finishing) => Some(finishing.place),
        None => Arc::clone(&finishers.places).try_acquire_owned().ok(),
    };
    passed.finishing = place.map(|place| Box::new(Finishing { plan, stage: Stage::Planned, place }));
}

/// An attempt begins.
pub(super) fn begin(context: &mut Context) {
    if let Some(finishing) = finishing(context) {
        finishing.stage = Stage::Asked;
    }
}

/// Asks the node for what is missing.
pub(super) fn request(request: &mut RequestHeader, context: &Context) -> pingora::Result<()> {
    match context.finishing().map(|finishing| finishing.plan.ask()) {
        None | Some(Ask::TheSame) => {}
        Some(Ask::Whole) => {
            request.remove_header(&header::RANGE);
            request.remove_header(&header::IF_RANGE);
        }
        Some(Ask::Rest { range, if_range }) => {
            request.insert_header(header::RANGE, range)?;
            request.insert_header(header::IF_RANGE, if_range)?;
        }
    }
    Ok(())
}

/// Takes the head of the answer that is to go on where the first broke off. The client has a head: none of it is passed
/// on.
pub(super) fn head(answer: &ResponseHeader, context: &mut Context) -> pingora::Result<()> {
    if answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    let Some(finishing) = finishing(context) else { return Ok(()) };
    match finishing.plan.accept(of(answer)) {
        Ok(overlap) => finishing.stage = Stage::GoesOn(overlap),
        Err(mismatch) => return Err(failure::unfinished(mismatch, context)),
    }
    let between_bytes = context.route().map_or(Duration::MAX, |route| route.timeouts.between_bytes);
    context.answer_began(between_bytes);
    Ok(())
}

/// Takes a piece of an answer's body: what the client has of it is cut off, the rest is counted.
pub(super) fn body(body: &mut Option<Bytes>, is_end: bool, context: &mut Context) -> pingora::Result<()> {
    if let Some(Finishing { stage: Stage::GoesOn(overlap), .. }) = finishing(context)
        && let Err(mismatch) = overlap.cut_off(body, is_end)
    {
        return Err(failure::unfinished(mismatch, context));
    }
    if let Some(passed) = &mut context.passed
        && let (Some(sent), Some(piece)) = (&mut passed.sent, body)
    {
        sent.add(piece, is_end);
    }
    Ok(())
}

fn finishing(context: &mut Context) -> Option<&mut Finishing> {
    context.passed.as_mut()?.finishing.as_deref_mut()
}

fn of(head: &ResponseHeader) -> Head<'_> {
    Head { status: head.status, headers: &head.headers }
}
