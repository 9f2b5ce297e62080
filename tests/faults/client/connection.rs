//! A client's connection, and one exchange on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};

use super::answer::judge;
use super::ask::{Ask, Kind};
use super::record::Outcome;
use crate::wire::{self, Framing};

/// Enough for a head; larger reads go around it. There may be thousands of connections.
const BUFFER: usize = 8 << 10;

/// A connection to the site.
pub(crate) struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// How an exchange ended.
pub(crate) struct Exchange {
    pub(crate) outcome: Outcome,
    pub(crate) node: Option<String>,
    /// Whether the connection is good for another.
    pub(crate) keeps: bool,
}

impl Connection {
    pub(crate) async fn open(site: SocketAddr) -> io::Result<Self> {
        Self::open_from(Ipv4Addr::LOCALHOST, site).await
    }

    /// As [`open`](Self::open), of a client at this loopback address.
    pub(crate) async fn open_from(client: Ipv4Addr, site: SocketAddr) -> io::Result<Self> {
        let (reader, writer) = connect(client, site).await?.into_split();
        Ok(Self { reader: BufReader::with_capacity(BUFFER, reader), writer })
    }

    /// Whether the site has not ended it while it was idle.
    pub(crate) fn is_alive(&self) -> bool {
        let mut byte = [0];
        matches!(self.reader.get_ref().as_ref().try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, ask: &Ask) -> io::Result<()> {
        send(&mut self.writer, ask).await
    }

    /// Sends a request and reads its answer, at the same time: an early answer ends the sending.
    pub(crate) async fn exchange(&mut self, ask: &Ask) -> Exchange {
        let Self { reader, writer } = self;
        let mut sending = Box::pin(send(writer, ask));
        let mut is_sent = false;
        let answer = tokio::select! {
            // Where sending fails, an answer may be there all the same.
            sent = &mut sending => {
                is_sent = sent.is_ok();
                read_answer(reader, ask).await
            }
            early = begun(reader) => match early {
                Ok(()) => read_answer(reader, ask).await,
                Err(error) => Answer::none(&error.to_string()),
            },
        };
        Exchange { keeps: answer.keeps && is_sent, outcome: answer.outcome, node: answer.node }
    }
}

/// A connection to `site` of a client at this loopback address.
pub(super) async fn connect(client: Ipv4Addr, site: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // That one the system takes by itself, and then it may use one port for several connections.
    if client != Ipv4Addr::LOCALHOST {
        socket.bind((client, 0).into())?;
    }
    let stream = socket.connect(site).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn send(writer: &mut OwnedWriteHalf, ask: &Ask) -> io::Result<()> {
    writer.write_all(ask.head().as_bytes()).await?;
    match ask.body() {
        Some(body) if ask.sends_chunked => wire::write_chunked(writer, &body).await,
        Some(body) => writer.write_all(&body).await,
        None => Ok(()),
    }
}

/// Returns when the answer begins or can no longer begin.
async fn begun(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<()> {
    reader.fill_buf().await.map(drop)
}

struct Answer {
    outcome: Outcome,
    node: Option<String>,
    keeps: bool,
}

impl Answer {
    fn none(why: &str) -> Self {
        Self { outcome: Outcome::NoAnswer(why.to_owned()), node: None, keeps: false }
    }
}

async fn read_answer(reader: &mut BufReader<OwnedReadHalf>, ask: &Ask) -> Answer {
    let head = loop {
        match wire::read_head(reader).await {
            Ok(Some(head)) if head.first_line.split(' ').nth(1) == Some("100") => {}
            Ok(Some(head)) => break head,
            Ok(None) => return Answer::none("closed"),
            Err(error) => return Answer::none(&error.to_string()),
        }
    };
    let Some(status) = head.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()) else {
        let outcome = Outcome::Wrong(format!("no status: {:?}", head.first_line));
        return Answer { outcome, node: None, keeps: false };
    };
    let mut body = Vec::new();
    let is_whole = match ask.kind {
        Kind::Head => Ok(()),
        _ => wire::read_body(reader, head.framing(Framing::UntilClose), &mut body).await,
    };
    let outcome = judge(ask, status, &body, is_whole.is_ok());
    let keeps = is_whole.is_ok() && !head.closes();
    Answer { outcome, node: head.header("x-node").map(str::to_owned), keeps }
}
