//! Reading without what says nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Reads from `stream` into `buf` until something of it is left, or it ends.
///
/// `sift` is given what came and says how many bytes of it are left, from the first on; with `None` nothing is, and this waits
/// for good: whoever says so sees to it that the connection ends.
pub fn poll_sifted(
    mut stream: impl AsyncRead + Unpin,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
    mut sift: impl FnMut(&mut [u8]) -> Option<usize>,
) -> Poll<io::Result<()>> {
    let before = buf.filled().len();
    loop {
        ready!(Pin::new(&mut stream).poll_read(cx, buf))?;
        let came = buf.filled_mut().get_mut(before..).unwrap_or_default();
        if came.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let left = sift(came);
        buf.set_filled(before + left.unwrap_or_default());
        match left {
            Some(0) => {}
            Some(_) => return Poll::Ready(Ok(())),
            None => return Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// What is read of `stream` behind a `b`, and whether that was to be waited for.
    fn read(stream: &[u8], mut sift: impl FnMut(&mut [u8]) -> Option<usize>) -> (Vec<u8>, bool) {
        let mut memory = [0; 8];
        let mut buf = ReadBuf::new(&mut memory);
        buf.put_slice(b"b");
        let read = poll_sifted(stream, &mut Context::from_waker(Waker::noop()), &mut buf, &mut sift);
        (buf.filled().to_vec(), read.is_pending())
    }

    #[test]
    fn what_is_left_is_behind_what_was_there() {
        assert_eq!(read(b"xyz", |came| Some(came.len() - 1)), (b"bxy".to_vec(), false));
        assert_eq!(read(b"", |_| panic!("nothing came")), (b"b".to_vec(), false));
    }

    #[test]
    fn where_nothing_is_left_more_is_read() {
        let mut left = [0, 0, 2].into_iter();
        assert_eq!(read(b"1234567abcdefgXYZ", |_| left.next()), (b"bXY".to_vec(), false));
        assert_eq!(read(b"1234567", |_| Some(0)), (b"b".to_vec(), false), "the end");
    }

    #[test]
    fn nothing_is_read_of_what_is_to_end() {
        assert_eq!(read(b"xyz", |_| None), (b"b".to_vec(), true));
    }
}
