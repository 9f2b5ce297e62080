//! A client that sends exactly what it is told and reads answers by the book.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::message::{self, Framing, Headers};
use super::wait::PATIENCE;

/// One connection to bookend; every read ends after [`PATIENCE`].
pub(crate) struct Client {
    reader: BufReader<Wire>,
}

/// What bytes go over.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.one(name)
    }

    /// Whether the connection ends after this answer.
    pub(crate) fn closes(&self) -> bool {
        self.headers.has_token("connection", "close")
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE)?)
    }

    /// Connects from one of this machine's addresses, such as 127.0.0.2.
    pub(crate) fn connect_from(from: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::over(socket.into()).unwrap()
    }

    /// Connects to a Unix socket, which is read and written as one of TCP is.
    pub(crate) fn connect_to_path(path: &Path) -> Self {
        Self::over_any(OwnedFd::from(UnixStream::connect(path).unwrap()).into()).unwrap()
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Self::over_any(stream)
    }

    fn over_any(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::new(Wire::Plain(stream)) })
    }

    /// Connects by TLS and asks for `name`; an error if the two do not agree.
    pub(crate) fn try_connect_by_tls(
        address: SocketAddr,
        settings: &Arc<ClientConfig>,
        name: &'static str,
    ) -> io::Result<Self> {
        Self::try_connect_by_tls_after(b"", address, settings, name)
    }

    /// [`Client::try_connect_by_tls`] that says something before.
    pub(crate) fn try_connect_by_tls_after(
        before: &[u8],
        address: SocketAddr,
        settings: &Arc<ClientConfig>,
        name: &'static str,
    ) -> io::Result<Self> {
        let mut tcp = Self::try_connect(address)?.stream().try_clone()?;
        tcp.write_all(before)?;
        let name = ServerName::try_from(name).unwrap();
        let mut state = ClientConnection::new(Arc::clone(settings), name).unwrap();
        while state.is_handshaking() {
            state.complete_io(&mut tcp)?;
        }
        Ok(Self { reader: BufReader::new(Wire::Tls(Box::new(StreamOwned::new(state, tcp)))) })
    }

    pub(crate) fn connect_by_tls(
        address: SocketAddr,
        settings: &Arc<ClientConfig>,
        name: &'static str,
    ) -> Self {
        Self::try_connect_by_tls(address, settings, name).unwrap()
    }

    /// What was agreed on by TLS.
    pub(crate) fn tls(&self) -> &ClientConnection {
        match self.reader.get_ref() {
            Wire::Tls(tls) => &tls.conn,
            Wire::Plain(_) => panic!("there is no TLS"),
        }
    }

    /// Everything until the connection ends; an error if it ends without saying so by TLS.
    pub(crate) fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Says by TLS that nothing more comes.
    pub(crate) fn close_tls(&mut self) {
        if let Wire::Tls(tls) = self.reader.get_mut() {
            tls.conn.send_close_notify();
            tls.flush().unwrap();
        }
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &TcpStream {
        self.reader.get_ref().tcp()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_ref())?;
        self.reader.get_mut().flush()
    }

    /// `GET target` with `Host: site.test` and the whole answer.
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, "", b"")
    }

    /// A whole exchange; `headers` are whole lines, each with its `\r\n`.
    pub(crate) fn request(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        self.try_request(method, target, headers, body).unwrap()
    }

    pub(crate) fn try_request(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        self.try_send(request_bytes(method, target, headers, body))?;
        self.try_read_answer(method)
    }

    /// The final answer to a request of `method`, interim ones skipped.
    pub(crate) fn read_answer(&mut self, method: &str) -> Answer {
        self.try_read_answer(method).unwrap()
    }

    pub(crate) fn try_read_answer(&mut self, method: &str) -> io::Result<Answer> {
        loop {
            let mut answer = self.try_read_head()?;
            if (100..200).contains(&answer.status) && answer.status != 101 {
                continue;
            }
            let has_no_body = method == "HEAD" || matches!(answer.status, 101 | 204 | 304);
            if !has_no_body {
                let framing = message::framing(&answer.headers, Framing::UntilClose);
                answer.body = message::read_body(&mut self.reader, framing)?;
            }
            return Ok(answer);
        }
    }

    /// The next head, interim or final, its body unread.
    pub(crate) fn read_head(&mut self) -> Answer {
        self.try_read_head().unwrap()
    }

    pub(crate) fn try_read_head(&mut self) -> io::Result<Answer> {
        let head = message::read_head(&mut self.reader)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer"))?;
        let status = head.first_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {:?}", head.first_line)))?;
        Ok(Answer { status, headers: head.headers, body: Vec::new() })
    }

    /// One chunk of a chunked body; empty after the last.
    pub(crate) fn read_chunk(&mut self) -> Vec<u8> {
        let mut chunk = Vec::new();
        message::read_chunk(&mut self.reader, &mut chunk).unwrap();
        chunk
    }

    pub(crate) fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Whether an answer begins, or the connection ends, in that time; nothing is taken away.
    pub(crate) fn has_data_within(&mut self, limit: Duration) -> bool {
        self.stream().set_read_timeout(Some(limit)).unwrap();
        let filled = self.reader.fill_buf().map(<[u8]>::len);
        self.stream().set_read_timeout(Some(PATIENCE)).unwrap();
        !filled.is_err_and(|error| is_timeout(&error))
    }

    /// Whether bookend ends this connection, by FIN or RST, without another byte.
    pub(crate) fn is_closed_within(&mut self, limit: Duration) -> bool {
        self.stream().set_read_timeout(Some(limit)).unwrap();
        let read = self.reader.read(&mut [0]);
        self.stream().set_read_timeout(Some(PATIENCE)).unwrap();
        match read {
            Ok(length) => length == 0,
            Err(error) => !is_timeout(&error),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A request as it stands on the wire, with `Host: site.test` unless `headers` have one.
pub(crate) fn request_bytes(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let has_host = headers.lines().any(|line| line.to_ascii_lowercase().starts_with("host:"));
    let host = if has_host { "" } else { "Host: site.test\r\n" };
    let has_body = !body.is_empty() || ["POST", "PUT", "PATCH"].contains(&method);
    let length = if has_body { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    let head = format!("{method} {target} HTTP/1.1\r\n{host}{headers}{length}\r\n");
    [head.as_bytes(), body].concat()
}

/// One `GET` on a connection of its own.
pub(crate) fn fetch(address: SocketAddr, target: &str) -> Answer {
    Client::connect(address).get(target)
}
