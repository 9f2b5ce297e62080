//! The line between a bookend and its successor: words and sockets, over the successor's standard input.
//!
//! ```text
//! predecessor                      successor
//!     Parcel, sockets ──────────────▶  it is started; reads its configuration
//!     ◀──────────────────── Checked    the configuration has no problem
//!     lets go of its journal
//!     Go, what it knows ────────────▶  begins, with those sockets: from now on both accept
//!     ◀────────────────────── Ready    it takes requests, and its nodes were checked once
//!     Yours ────────────────────────▶  the service is the successor's
//! ```
//!
//! Until `Ready` the predecessor serves as ever, and goes on if anything else comes: `Failed`, silence, or the end.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::passed::{Given, Owner};

/// Sockets that are sent at once; the kernel takes 253.
const MOST_AT_ONCE: usize = 128;

/// Bytes of what is said with a word.
const LONGEST: u32 = 16 * 1024 * 1024;

/// How long sending may take.
const SENDING: Duration = Duration::from_secs(5);

/// What the two say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Sockets follow.
    Parcel,
    /// The successor has read its configuration, and found no problem.
    Checked,
    /// The successor may begin; the journal is free.
    Go,
    /// The successor takes requests.
    Ready,
    /// The predecessor leaves everything to the successor.
    Yours,
    /// The successor cannot; the text says why.
    Failed,
}

const WORDS: [Word; 6] = [Word::Parcel, Word::Checked, Word::Go, Word::Ready, Word::Yours, Word::Failed];

/// Why there is no successor. The bookend that runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// It is the first process of its system, and its end would be the end of all.
    #[error("bookend is process 1 here, whose end would end its successor; start a new container instead")]
    FirstProcess,
    /// It is to end with its standard input, which a successor needs for itself.
    #[error("this bookend is to end with its standard input, so it can have no successor")]
    Tied,
    /// The successor, or talking to it, failed.
    #[error("the new bookend failed: {doing}")]
    Failed {
        /// At what.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// bookend was asked to stop meanwhile.
    #[error("bookend is stopping")]
    Stopping,
}

/// One end of the line.
#[derive(Debug)]
pub struct Channel(UnixStream);

/// What a parcel says of each of its sockets.
#[derive(Serialize, Deserialize)]
struct Listed {
    name: String,
    is_systemds: bool,
}

impl Channel {
    /// A line: our end of it, and the standard input of a successor.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_write_timeout(Some(SENDING))?;
        Ok((Self(ours), theirs.into()))
    }

    /// The end that a predecessor has given us.
    ///
    /// # Errors
    ///
    /// If the standard input is none.
    pub fn to_predecessor() -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        // Only a socket takes this.
        stream.set_write_timeout(Some(SENDING))?;
        Ok(Self(stream))
    }

    /// Says a word, and more about it.
    ///
    /// # Errors
    ///
    /// If the other end is gone, or does not listen.
    pub fn say(&self, word: Word, text: &str) -> io::Result<()> {
        let length = u32::try_from(text.len()).ok().filter(|&length| length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("there is too much to say"))?;
        let mut message = vec![word as u8];
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(text.as_bytes());
        (&self.0).write_all(&message)
    }

    /// The next word and its text; each piece of it may be waited for so long.
    ///
    /// # Errors
    ///
    /// If nothing comes in time, the other end is gone, or speaks another language.
    pub fn hear(&self, within: Duration) -> io::Result<(Word, String)> {
        self.0.set_read_timeout(Some(within))?;
        let (mut word, mut length) = ([0], [0; 4]);
        (&self.0).read_exact(&mut word)?;
        (&self.0).read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        let word = WORDS.into_iter().find(|known| [*known as u8] == word).filter(|_| length <= LONGEST);
        let word = word.ok_or_else(|| io::Error::other("the other bookend speaks another language"))?;
        let mut text = Vec::new();
        (&self.0).take(u64::from(length)).read_to_end(&mut text)?;
        if text.len() < length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((word, String::from_utf8_lossy(&text).into_owned()))
    }

    /// [`Channel::hear`], where nothing but `wanted` will do: what else comes is an error.
    ///
    /// # Errors
    ///
    /// As those of [`Channel::hear`]; what the other end says of its failure is one.
    pub fn expect(&self, wanted: Word, within: Duration) -> io::Result<String> {
        match self.hear(within) {
            Ok((word, text)) if word == wanted => Ok(text),
            Ok((Word::Failed, why)) => Err(io::Error::other(why)),
            Ok((word, _)) => Err(io::Error::other(format!("expected {wanted:?}, was told {word:?}"))),
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => Err(io::Error::other("it is gone")),
            Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, format!("not {wanted:?} within {within:?}")))
            }
            Err(why) => Err(why),
        }
    }

    /// Sends sockets as a parcel.
    ///
    /// # Errors
    ///
    /// If the other end is gone, or does not listen.
    pub fn send(&self, sockets: &[Given]) -> io::Result<()> {
        let listed =
            |given: &Given| Listed { name: given.name.clone(), is_systemds: given.owner == Owner::Systemd };
        let list: Vec<Listed> = sockets.iter().map(listed).collect();
        self.say(Word::Parcel, &serde_json::to_string(&list)?)?;
        for some in sockets.chunks(MOST_AT_ONCE) {
            let descriptors: Vec<BorrowedFd<'_>> = some.iter().map(|given| given.socket.as_fd()).collect();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_AT_ONCE))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
            // At least one byte has to go with them.
            sendmsg(&self.0, &[IoSlice::new(b"+")], &mut control, SendFlags::NOSIGNAL)?;
        }
        Ok(())
    }

    /// The sockets of a parcel.
    ///
    /// # Errors
    ///
    /// If nothing comes in time, the other end is gone, or it is no parcel.
    pub fn receive(&self, within: Duration) -> io::Result<Vec<Given>> {
        let list: Vec<Listed> = serde_json::from_str(&self.expect(Word::Parcel, within)?)?;
        let mut sockets = Vec::with_capacity(list.len());
        while sockets.len() < list.len() {
            let (mut byte, before) = ([0], sockets.len());
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_AT_ONCE))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            recvmsg(&self.0, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    sockets.extend(rights);
                }
            }
            if sockets.len() == before {
                return Err(io::Error::other("sockets are missing"));
            }
        }
        let owner = |listed: &Listed| if listed.is_systemds { Owner::Systemd } else { Owner::Bookend };
        let given = list.into_iter().zip(sockets);
        Ok(given.map(|(listed, socket)| Given { owner: owner(&listed), name: listed.name, socket }).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn line() -> (Channel, Channel) {
        let (ours, theirs) = Channel::pair().unwrap();
        (ours, Channel(theirs.into()))
    }

    #[test]
    fn words_arrive_with_what_is_said() {
        let (ours, theirs) = line();
        ours.say(Word::Go, "é".repeat(1_000).as_str()).unwrap();
        ours.say(Word::Yours, "").unwrap();
        assert_eq!(theirs.hear(SOON).unwrap(), (Word::Go, "é".repeat(1_000)));
        assert_eq!(theirs.expect(Word::Yours, SOON).unwrap(), "");
    }

    #[test]
    fn failure_silence_and_the_end_are_told_apart() {
        let (ours, theirs) = line();
        ours.say(Word::Failed, "no port").unwrap();
        assert_eq!(theirs.expect(Word::Ready, SOON).unwrap_err().to_string(), "no port");
        let silence = theirs.expect(Word::Ready, Duration::from_millis(1)).unwrap_err();
        assert_eq!(silence.kind(), io::ErrorKind::TimedOut);
        (&ours.0).write_all(b"hello").unwrap();
        assert!(theirs.expect(Word::Ready, SOON).unwrap_err().to_string().contains("another language"));
        let (ours, theirs) = line();
        drop(ours);
        assert_eq!(theirs.expect(Word::Ready, SOON).unwrap_err().to_string(), "it is gone");
    }

    #[test]
    fn more_sockets_than_go_at_once_arrive_in_order_and_work() {
        let (ours, theirs) = line();
        let count = 2 * MOST_AT_ONCE + 1;
        let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let sent = listeners.iter().map(|listener| Given {
            name: listener.local_addr().unwrap().to_string(),
            owner: Owner::Bookend,
            socket: listener.try_clone().unwrap().into(),
        });
        let sent: Vec<Given> = sent.collect();
        let sending = thread::spawn(move || ours.send(&sent).unwrap());
        let received = theirs.receive(SOON).unwrap();
        sending.join().unwrap();
        drop(listeners);
        assert_eq!(received.len(), count);
        for given in received {
            let listener = TcpListener::from(given.socket);
            assert_eq!(listener.local_addr().unwrap().to_string(), given.name);
            TcpStream::connect(given.name).unwrap();
            listener.accept().unwrap();
        }
    }
}
