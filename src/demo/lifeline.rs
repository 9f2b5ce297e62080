//! A process that ends with the one that started it, however that one ends.
//!
//! The one that started it holds the other end of its standard input and writes nothing. The system closes that end even
//! after `kill -9`, and no other process has a copy of it.

use std::io;
use std::thread;

/// Calls `end` once the standard input has ended.
///
/// # Errors
///
/// If there can be no more threads.
pub fn when_stdin_ends(end: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let wait = move || {
        // An error is an end as well.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        end();
    };
    thread::Builder::new().name("lifeline".to_owned()).spawn(wait).map(drop)
}
