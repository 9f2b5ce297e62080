//! A node that does what a script says, connection by connection and byte by byte.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::message::{self, Framing, Message};
use super::port::Port;
use super::wait::eventually;

/// What a node does about a request whose head it has read.
type Script = Arc<dyn Fn(&mut Call<'_>) -> Next + Send + Sync>;

/// What becomes of the connection after a script is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for the next request.
    KeepAlive,
    /// It ends by FIN.
    Close,
    /// It ends by RST.
    Reset,
}

/// A node in this process. It keeps its address while it is stopped.
pub(crate) struct Origin {
    place: Place,
    shared: Arc<Shared>,
    accepting: Option<(Listener, JoinHandle<()>)>,
}

enum Place {
    Tcp(Port),
    Unix(PathBuf),
}

#[derive(Clone)]
enum Listener {
    Tcp(Arc<TcpListener>),
    Unix(Arc<UnixListener>),
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A stream in the hands of its thread; it is closed when this goes, because the origin itself holds no share.
struct Connection(Arc<Stream>);

struct Shared {
    script: Mutex<Script>,
    received: Mutex<Vec<Message>>,
    connections: Mutex<Vec<Weak<Stream>>>,
    accepted: AtomicUsize,
}

impl Origin {
    /// A node on a free port.
    pub(crate) fn start(script: impl Fn(&mut Call<'_>) -> Next + Send + Sync + 'static) -> Self {
        Self::at(Place::Tcp(Port::free()), Arc::new(script))
    }

    /// A node that answers every request with 200 and `text`.
    pub(crate) fn answering(text: &'static str) -> Self {
        Self::start(move |call| call.answer(200, text))
    }

    /// A node on a Unix socket that answers every request with 200 and `text`.
    pub(crate) fn on_unix_socket(path: &Path, text: &'static str) -> Self {
        Self::at(Place::Unix(path.to_owned()), Arc::new(move |call: &mut Call<'_>| call.answer(200, text)))
    }

    /// An address where nobody listens, until [`Origin::restart`].
    pub(crate) fn absent() -> Self {
        let mut origin = Self::answering("back");
        origin.stop();
        origin
    }

    fn at(place: Place, script: Script) -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            received: Mutex::default(),
            connections: Mutex::default(),
            accepted: AtomicUsize::new(0),
        });
        let mut origin = Self { place, shared, accepting: None };
        origin.restart();
        origin
    }

    /// As a configuration names it.
    pub(crate) fn address(&self) -> String {
        match &self.place {
            Place::Tcp(port) => port.to_string(),
            Place::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Where it is; not for Unix sockets.
    pub(crate) fn socket_address(&self) -> SocketAddr {
        match &self.place {
            Place::Tcp(port) => port.address(),
            Place::Unix(path) => panic!("{} is no port", path.display()),
        }
    }

    /// From the next request on, does this instead.
    pub(crate) fn now_does(&self, script: impl Fn(&mut Call<'_>) -> Next + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// Every request whose head came whole, in order; a body only as far as a script read it.
    pub(crate) fn received(&self) -> Vec<Message> {
        lock(&self.shared.received).clone()
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        lock(&self.shared.received).len()
    }

    /// The one request that came.
    #[track_caller]
    pub(crate) fn only_request(&self) -> Message {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "requests at {}: {received:?}", self.address());
        received.remove(0)
    }

    /// How many connections were accepted, those of health checks included.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// As if killed: the port refuses, and every connection is broken.
    pub(crate) fn stop(&mut self) {
        if let Some((listener, accepting)) = self.accepting.take() {
            listener.shut_down();
            accepting.join().unwrap();
        }
        if let Place::Unix(path) = &self.place {
            let _ = std::fs::remove_file(path);
        }
        self.close_connections();
    }

    /// Ends every open connection, and goes on listening.
    pub(crate) fn close_connections(&self) {
        for stream in lock(&self.shared.connections).drain(..).filter_map(|weak| weak.upgrade()) {
            stream.reset_on_close();
            stream.shut_down();
        }
    }

    /// Listens again where it did before.
    pub(crate) fn restart(&mut self) {
        assert!(self.accepting.is_none(), "{} is not stopped", self.address());
        let listener = match &self.place {
            Place::Tcp(port) => Listener::Tcp(Arc::new(bind(port.address()))),
            Place::Unix(path) => Listener::Unix(Arc::new(UnixListener::bind(path).unwrap())),
        };
        let (ours, shared) = (listener.clone(), Arc::clone(&self.shared));
        self.accepting = Some((listener, thread::spawn(move || accept(&ours, &shared))));
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Binds an address that is ours, as soon as processes that are being started have let go of their copies of the socket
/// that had it before.
fn bind(address: SocketAddr) -> TcpListener {
    eventually("the address is free", || TcpListener::bind(address).ok())
}

fn accept(listener: &Listener, shared: &Arc<Shared>) {
    while let Ok(stream) = listener.accept() {
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(stream);
        let mut connections = lock(&shared.connections);
        connections.retain(|weak| weak.strong_count() > 0);
        connections.push(Arc::downgrade(&stream));
        drop(connections);
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(stream, &shared));
    }
}

fn serve(stream: Arc<Stream>, shared: &Shared) {
    let mut reader = BufReader::new(Connection(stream));
    // Whatever is wrong with the connection is for the other side to notice.
    while let Ok(Some(head)) = message::read_head(&mut reader) {
        let index = record(shared, head.clone());
        let script = Arc::clone(&lock(&shared.script));
        let mut call = Call { request: head, reader: &mut reader, shared, index, body_is_read: false };
        match script(&mut call) {
            Next::KeepAlive => drop(call.body()),
            Next::Close => break,
            Next::Reset => return reader.get_ref().0.reset_on_close(),
        }
    }
}

fn record(shared: &Shared, request: Message) -> usize {
    let mut received = lock(&shared.received);
    received.push(request);
    received.len() - 1
}

/// A script that panicked has failed its test already.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request at a node, and the means to answer it.
///
/// A connection that breaks meanwhile is no error here: the script goes on, and nobody hears it.
pub(crate) struct Call<'a> {
    pub(crate) request: Message,
    reader: &'a mut BufReader<Connection>,
    shared: &'a Shared,
    index: usize,
    body_is_read: bool,
}

impl Call<'_> {
    pub(crate) fn method(&self) -> &str {
        self.request.first_line.split(' ').next().unwrap()
    }

    pub(crate) fn target(&self) -> &str {
        self.request.first_line.split(' ').nth(1).unwrap()
    }

    /// Reads the whole body, and records it.
    pub(crate) fn body(&mut self) -> Vec<u8> {
        if !self.body_is_read {
            self.body_is_read = true;
            let framing = message::framing(&self.request.headers, Framing::Length(0));
            self.request.body = message::read_body(self.reader, framing).unwrap_or_default();
            lock(&self.shared.received)[self.index].body.clone_from(&self.request.body);
        }
        self.request.body.clone()
    }

    /// Reads exactly so many bytes of what follows the head.
    pub(crate) fn read(&mut self, length: usize) -> Vec<u8> {
        self.body_is_read = true;
        let mut bytes = vec![0; length];
        let _ = self.reader.read_exact(&mut bytes);
        bytes
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.reader.get_mut().write_all(bytes.as_ref());
    }

    /// Reads the request whole and answers it with a `Content-Length`.
    pub(crate) fn answer(&mut self, status: u16, body: impl AsRef<[u8]>) -> Next {
        self.answer_with(status, "", body)
    }

    /// As [`Call::answer`], with more headers: whole lines, each with its `\r\n`.
    pub(crate) fn answer_with(&mut self, status: u16, headers: &str, body: impl AsRef<[u8]>) -> Next {
        self.body();
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        let sent = if self.method() == "HEAD" { b"" } else { body };
        self.write([head.as_bytes(), sent].concat());
        Next::KeepAlive
    }

    /// Reads the request whole and breaks the connection, as a server does that crashes.
    pub(crate) fn reset(&mut self) -> Next {
        self.body();
        Next::Reset
    }

    /// Ends the sending side of the connection.
    pub(crate) fn finish(&mut self) {
        self.reader.get_ref().0.finish();
    }

    /// Waits until the peer ends the connection; whatever it still sends is thrown away.
    pub(crate) fn wait_for_the_end(&mut self) {
        self.body_is_read = true;
        let _ = io::copy(self.reader, &mut io::sink());
    }

    /// Sends back whatever comes, until the peer is done: what is left of a protocol after an upgrade.
    pub(crate) fn echo(&mut self) -> Next {
        self.body_is_read = true;
        while let Ok(bytes) = self.reader.fill_buf().map(<[u8]>::to_vec) {
            if bytes.is_empty() {
                break;
            }
            self.reader.consume(bytes.len());
            self.write(bytes);
        }
        Next::Close
    }
}

impl Listener {
    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let stream = listener.accept()?.0;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
        }
    }

    /// Wakes whoever accepts, with an error.
    fn shut_down(&self) {
        let socket = match self {
            Self::Tcp(listener) => SockRef::from(&**listener),
            Self::Unix(listener) => SockRef::from(&**listener),
        };
        socket.shutdown(Shutdown::Both).unwrap();
    }
}

impl Stream {
    fn shut_down(&self) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    fn finish(&self) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    fn reset_on_close(&self) {
        if let Self::Tcp(stream) = self {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.0 {
            Stream::Tcp(stream) => { stream }.read(buffer),
            Stream::Unix(stream) => { stream }.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &*self.0 {
            Stream::Tcp(stream) => { stream }.write(buffer),
            Stream::Unix(stream) => { stream }.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
