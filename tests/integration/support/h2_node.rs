//! A node that speaks HTTP/2 and does what a script says.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream as Raw};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request, Response, Uri};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::serving::Serving;

/// What the node does about a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// It answers when it has all of it.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Bytes, trailers: Option<HeaderMap> },
    /// It sends every piece back as it comes, and then these trailers.
    Echo(HeaderMap),
    /// It answers with what it was sent, once it has all of it.
    GiveBack,
    /// It answers with so many pieces of so many bytes each.
    Pieces(usize, usize),
    /// It resets the stream at once.
    Reset(Reason),
    /// It says that it takes no more on this connection, the request not included, and closes it.
    GoAway,
    /// It answers 413 before it has the body, which it never reads; it may hold on to the stream all the same.
    Refuse { is_held: bool },
    /// It answers so much, and resets the stream.
    Half(&'static str),
    /// It closes the connection without a word.
    Close,
    /// It says nothing.
    Nothing,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

type Script = Arc<dyn Fn(&Came) -> Reply + Send + Sync>;

/// A node in this process.
pub(crate) struct H2Node {
    serving: Serving,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Script>,
    received: Mutex<Vec<Came>>,
    bodies: Mutex<Vec<Vec<u8>>>,
    accepted: AtomicUsize,
    /// Streams that bookend gave up.
    resets: AtomicUsize,
    /// The most streams at once.
    most: Option<u32>,
    closed: Notify,
}

impl Reply {
    /// 200 and `text`.
    pub(crate) fn text(text: &str) -> Self {
        let body = Bytes::copy_from_slice(text.as_bytes());
        Self::Answer { status: 200, headers: Vec::new(), body, trailers: None }
    }
}

impl H2Node {
    pub(crate) fn start(script: impl Fn(&Came) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Arc::new(script), None)
    }

    /// Takes no more streams at once on a connection.
    pub(crate) fn start_narrow(most: u32, script: impl Fn(&Came) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Arc::new(script), Some(most))
    }

    pub(crate) fn answering(text: &'static str) -> Self {
        Self::start(move |_| Reply::text(text))
    }

    fn with(script: Script, most: Option<u32>) -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            received: Mutex::default(),
            bodies: Mutex::default(),
            accepted: AtomicUsize::new(0),
            resets: AtomicUsize::new(0),
            most,
            closed: Notify::new(),
        });
        let ours = Arc::clone(&shared);
        let serving = Serving::start(|listener| accept(listener, ours));
        Self { serving, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// From the next request on, does this instead.
    pub(crate) fn now_does(&self, script: impl Fn(&Came) -> Reply + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    /// The requests so far.
    pub(crate) fn received(&self) -> Vec<Came> {
        self.shared.received.lock().unwrap().clone()
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.shared.received.lock().unwrap().len()
    }

    /// The bodies that came whole.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.shared.bodies.lock().unwrap().clone()
    }

    /// Connections on which HTTP/2 was spoken and a request came.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Streams that bookend gave up.
    pub(crate) fn resets(&self) -> usize {
        self.shared.resets.load(Ordering::SeqCst)
    }

    /// Closes every connection without a word.
    pub(crate) fn close_connections(&self) {
        self.shared.closed.notify_waiters();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let std = stream.into_std().unwrap();
    let raw = Arc::new(std.try_clone().unwrap());
    let mut builder = server::Builder::new();
    if let Some(most) = shared.most {
        builder.max_concurrent_streams(most);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(TcpStream::from_std(std).unwrap()).await else {
        return;
    };
    let mut is_first = true;
    loop {
        let closed = shared.closed.notified();
        let next = tokio::select! {
            next = connection.accept() => next,
            () = closed => return,
        };
        let Some(Ok((request, respond))) = next else { return };
        if is_first {
            is_first = false;
            shared.accepted.fetch_add(1, Ordering::SeqCst);
        }
        tokio::spawn(answer(request, respond, Arc::clone(&shared), Arc::clone(&raw)));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    raw: Arc<Raw>,
) {
    let (head, mut body) = request.into_parts();
    let came = Came { method: head.method, uri: head.uri, headers: head.headers };
    shared.received.lock().unwrap().push(came.clone());
    let script = Arc::clone(&shared.script.lock().unwrap());
    match script(&came) {
        Reply::Answer { status, headers, body: text, trailers } => {
            let Some(whole) = read(&mut body).await else { return };
            shared.bodies.lock().unwrap().push(whole);
            let mut answer = Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(name, value);
            }
            let is_bare = text.is_empty() && trailers.is_none();
            let Ok(mut send) = respond.send_response(answer.body(()).unwrap(), is_bare) else { return };
            if is_bare {
                return;
            }
            let _ = send.send_data(text, trailers.is_none());
            if let Some(trailers) = trailers {
                let _ = send.send_trailers(trailers);
            }
        }
        Reply::Echo(trailers) => {
            let answer = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let Ok(mut send) = respond.send_response(answer, false) else { return };
            while let Some(Ok(piece)) = body.data().await {
                let _ = body.flow_control().release_capacity(piece.len());
                let _ = send.send_data(piece, false);
            }
            let _ = send.send_trailers(trailers);
        }
        Reply::GiveBack => {
            let Some(whole) = read(&mut body).await else { return };
            let Ok(mut send) = respond.send_response(Response::new(()), false) else { return };
            let _ = send.send_data(Bytes::from(whole), true);
        }
        Reply::Pieces(count, size) => {
            let Ok(mut send) = respond.send_response(Response::new(()), false) else { return };
            for last in (0..count).rev() {
                let _ = send.send_data(Bytes::from(vec![b'x'; size]), last == 0);
            }
        }
        Reply::Refuse { is_held } => {
            let answer = Response::builder().status(413).header("content-length", 0).body(()).unwrap();
            let _ = respond.send_response(answer, true);
            if is_held {
                tokio::time::sleep(Duration::from_secs(20)).await;
            }
        }
        Reply::Reset(reason) => respond.send_reset(reason),
        Reply::GoAway => {
            let last = respond.stream_id();
            go_away(&raw, u32::from(last).saturating_sub(2));
        }
        Reply::Half(text) => {
            let Ok(mut send) = respond.send_response(Response::new(()), false) else { return };
            let _ = send.send_data(Bytes::from_static(text.as_bytes()), false);
            tokio::time::sleep(Duration::from_millis(50)).await;
            send.send_reset(Reason::INTERNAL_ERROR);
        }
        Reply::Close => drop(raw.shutdown(Shutdown::Both)),
        Reply::Nothing => {
            let reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            if reset.is_ok() {
                shared.resets.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// Says, past the one who speaks HTTP/2 for the node, that `last` was the last stream it took (RFC 9113, 6.8).
fn go_away(raw: &Raw, last: u32) {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend(last.to_be_bytes());
    frame.extend(0_u32.to_be_bytes());
    let _ = (&mut &*raw).write_all(&frame);
    let _ = raw.shutdown(Shutdown::Both);
}

async fn read(body: &mut RecvStream) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        let _ = body.flow_control().release_capacity(piece.len());
        whole.extend_from_slice(&piece);
    }
    Some(whole)
}
