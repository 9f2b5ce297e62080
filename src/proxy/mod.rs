//! The story of a request, as Pingora tells it.
//!
//! [`admit`] decides whether it may go on and where, and [`affinity`] with which others it belongs to one node;
//! [`attempt`] takes a place at a node; [`forward`] prepares what the node and the
//! client get to see; [`failure`] says what became of an attempt that failed, and whether there is another, [`cause`] why there is none, for which
//! [`replay`] has the body; [`sticky`] keeps clients with their nodes; [`finish`] has another node go on where an answer broke off; [`respond`] answers in our own name
//! when there is none, and reports with [`access`] how it ended.

mod access;
mod admit;
mod affinity;
mod attempt;
mod cause;
mod context;
mod early;
mod failure;
mod finish;
mod forward;
mod replay;
mod respond;
mod sticky;

use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::apps::HttpServerApp;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::protocols::http::ServerSession;
use pingora::server::configuration::ServerConf;
use pingora::services::listening;
use pingora::upstreams::peer::HttpPeer;
use pingora_proxy::{
    FailToProxy, HttpProxy, ProcessCustomSession, ProxyHttp, ProxyServiceBuilder, ProxyWarnLogContext,
    Session,
};
use tokio::sync::watch;

use self::attempt::Nowhere;
use self::cause::Cause;
use self::context::Context;
use self::early::Watch;
pub use self::finish::Finishers;
use crate::clock;
use crate::generation::Current;
use crate::link::{self, Connector};
use crate::listen::{Serve, Served};
use crate::observe::Observer;

/// More tries than any request can have; `retry` decides how many it has.
const TRIES: usize = 1 << 20;

/// The proxy: what happens to requests, under the generation in force.
#[derive(Debug)]
pub struct Proxy {
    current: Arc<Current>,
    observer: Arc<Observer>,
    finishers: Finishers,
}

/// The proxy as Pingora runs it.
pub struct Service {
    http: Arc<HttpProxy<Proxy, Connector>>,
}

impl Proxy {
    /// A proxy for the generation in force; `finishers` are those of the whole process.
    pub fn new(current: Arc<Current>, observer: Arc<Observer>, finishers: Finishers) -> Self {
        Self { current, observer, finishers }
    }

    /// Puts Pingora around the proxy.
    ///
    /// At most `pooled_connections` idle connections to nodes are kept. `None` if Pingora does not give the proxy away.
    pub fn into_service(self, pooled_connections: usize) -> Option<Service> {
        let conf = ServerConf {
            // Pingora multiplies the two; the number is meant for the whole process.
            threads: 1,
            upstream_keepalive_pool_size: pooled_connections,
            max_retries: TRIES,
            ..ServerConf::default()
        };
        // Nobody connects by a protocol of ours.
        let on_custom: ProcessCustomSession<_, _> = Arc::new(|_, _, _| Box::pin(std::future::ready(None)));
        let service =
            ProxyServiceBuilder::new(&Arc::new(conf), self).custom(Connector::default(), on_custom).build();
        Some(Service { http: Arc::new(take_out(service)?) })
    }
}

/// Takes the proxy out of the service that Pingora has put it into, which would listen by itself: a proxy with a connector of
/// ours is to be had in no other way.
#[expect(unsafe_code, reason = "Pingora lends what is in a service and never gives it away")]
fn take_out<P>(service: listening::Service<P>) -> Option<P> {
    let service = ManuallyDrop::new(service);
    // SAFETY: the service is neither used nor dropped from here on, so what is read is owned by the caller alone. Some
    // hundred bytes of it stay for ever, once for each worker.
    service.app_logic().map(|proxy| unsafe { std::ptr::read(proxy) })
}

impl Serve for Service {
    fn serve_request<'a>(
        &'a self,
        session: ServerSession,
        stopping: &'a watch::Receiver<bool>,
    ) -> Served<'a> {
        self.http.process_new_http(session, stopping)
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.current.load())
    }

    /// Nothing is compressed or otherwise changed on the way, so there are no modules to run.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<bool> {
        match admit::admit(session, context, &self.current) {
            Ok(()) => Ok(false),
            Err(cause) => {
                if let Cause::Malformed(flaw) = cause {
                    self.observer.request_malformed(access::client(session, context), flaw);
                }
                context.end(cause);
                // Boxed, so that those who are let in do not carry it along.
                Box::pin(respond::respond(session, context)).await?;
                Ok(true)
            }
        }
    }

    /// Whoever is turned away here keeps its connection, which Pingora closes after every later error.
    async fn proxy_upstream_filter(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> pingora::Result<bool> {
        match attempt::reserve(session, context, &self.observer).await? {
            Err(Nowhere::Full) => {
                context.end(Nowhere::Full.into());
                Box::pin(respond::respond(session, context)).await?;
                Ok(false)
            }
            Ok(()) | Err(Nowhere::Refused) => Ok(true),
        }
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> pingora::Result<Box<HttpPeer>> {
        attempt::wait(session, context).await?;
        if let Err(why) = attempt::reserve(session, context, &self.observer).await? {
            return Err(failure::nowhere(why, context));
        }
        finish::begin(context);
        replay::prepare(session, context);
        attempt::begin(session, context).ok_or_else(|| failure::nowhere(Nowhere::Refused, context))
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        _was_pooled: bool,
        _peer: &HttpPeer,
        connection: RawFd,
        _digest: Option<&Digest>,
        context: &mut Context,
    ) -> pingora::Result<()> {
        context.body.is_shared = connection == link::NO_DESCRIPTOR;
        context.body.watch = if context.body.is_shared { Watch::default() } else { Watch::over(connection) };
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        forward::request(session, request, context)?;
        sticky::request(request, context)?;
        finish::request(request, context)?;
        if context.body.is_shared && session.as_mut().is_body_empty() {
            // Pingora hands on a body that is not there to connections of its own alone.
            context.body.sent_at = Some(clock::now());
            attempt::await_head(session, context);
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        is_end: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if session.was_upgraded() {
            // No request's body any more, but whatever the two ends have to say to each other.
            return Ok(());
        }
        let before = context.body.received;
        forward::request_body(body, is_end, context)?;
        if context.body.watch.is_due(context.body.received) {
            attempt::watch_upload(session, context);
        }
        let room = self.current.bodies();
        replay::keep(session, body.as_ref(), before, is_end, context, room, &self.observer);
        if is_end {
            context.body.watch.all_sent();
            attempt::await_head(session, context);
            forward::let_pass(context).await;
        }
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        failure::judge(session, answer, context, &self.observer)?;
        context.body.watch.heard(answer.status);
        if !answer.status.is_informational() {
            replay::answered(session, context);
        }
        if context.finishing().is_some() {
            finish::head(answer, context)?;
        } else {
            forward::answer(session, answer, context);
            finish::expect_a_break(session, answer, context, &self.finishers);
            sticky::answer(answer, context)?;
        }
        attempt::answered(session, answer.status, context, &self.observer);
        respond::tell_first_byte(answer, context, &self.observer);
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        _context: &mut Context,
    ) -> pingora::Result<()> {
        forward::fit_to_client(session, answer);
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        is_end: bool,
        context: &mut Context,
    ) -> pingora::Result<Option<std::time::Duration>> {
        context.answer_goes_on();
        finish::body(body, is_end, context)?;
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        context: &mut Context,
        error: Box<pingora::Error>,
    ) -> Box<pingora::Error> {
        failure::not_connected(session, error, context, &self.observer)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        error: Box<pingora::Error>,
        context: &mut Context,
        was_pooled: bool,
    ) -> Box<pingora::Error> {
        finish::plan(session, context, &self.finishers);
        let error = failure::broken(session, error, context, was_pooled, &self.observer);
        context.body.watch = Watch::default();
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &pingora::Error,
        context: &mut Context,
    ) -> FailToProxy {
        failure::conclude(error, context);
        replay::end(session, context);
        // The client that cannot be told is gone.
        let _ = respond::respond(session, context).await;
        FailToProxy {
            error_code: context.status().map_or(0, |status| status.as_u16()),
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&pingora::Error>, context: &mut Context) {
        replay::end(session, context);
        respond::report(session, context, &self.observer);
        if session.as_mut().is_body_done() {
            context.await_next_request();
        }
    }

    /// What is retried is counted and told by us.
    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _context: &Context,
        _error: &pingora::Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    /// What fails is told by us.
    fn suppress_error_log(&self, _session: &Session, _context: &Context, _error: &pingora::Error) -> bool {
        true
    }
}
