//! Where the operator's side is, read from a file that may be broken.
//!
//! Somebody who asks how bookend is doing may have broken the file a minute ago. So each section of the file is read by
//! itself, and only the two that matter have to be in order.

use std::path::{Path, PathBuf};

use super::Config;
use super::admin::Place;
use super::tree::Tree;

/// What the socket is called where nobody says.
const SOCKET: &str = "admin.sock";

/// Where a configuration says that the operator's side is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// `state_dir`, if it is there.
    pub state_dir: Option<PathBuf>,
    /// `admin.socket`.
    pub socket: Place<PathBuf>,
}

impl Whereabouts {
    /// What `bytes`, which need not be a configuration, say of it; what they do not say is as usual.
    pub fn glimpse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let state_dir = section(&text, "state_dir").and_then(path).filter(|path| path.is_absolute());
        let socket = section(&text, "admin").and_then(|admin| value(admin, "socket")).and_then(path);
        let socket = match socket {
            None => Place::Usual,
            Some(path) if path.as_os_str() == "off" => Place::Off,
            Some(path) => Place::At(path),
        };
        Self { state_dir, socket }
    }

    /// The socket, with `state_dir` where that is left to bookend; `None` if there is none.
    pub fn socket(&self, state_dir: &Path) -> Option<PathBuf> {
        match &self.socket {
            Place::Usual => Some(state_dir.join(SOCKET)),
            Place::At(path) => Some(state_dir.join(path)),
            Place::Off => None,
        }
    }
}

impl From<&Config> for Whereabouts {
    fn from(config: &Config) -> Self {
        Self { state_dir: config.state_dir.clone(), socket: config.admin.socket.clone() }
    }
}

/// The value at a key at the top of `text`, read from the lines of that section alone.
fn section(text: &str, key: &str) -> Option<Tree> {
    let begins = |line: &&str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'));
    let mut lines = text.lines().skip_while(|line| !begins(line));
    let first = lines.next()?;
    let rest =
        lines.take_while(|line| line.starts_with([' ', '\t', '#', '}', ']']) || line.trim().is_empty());
    let section: String = std::iter::once(first).chain(rest).flat_map(|line| [line, "\n"]).collect();
    value(Tree::read(&section).ok()?, key)
}

fn value(tree: Tree, key: &str) -> Option<Tree> {
    let Tree::Mapping(entries) = tree else { return None };
    entries.into_iter().find_map(|(name, value)| (name == Tree::Text(key.to_owned())).then_some(value))
}

fn path(tree: Tree) -> Option<PathBuf> {
    match tree {
        Tree::Text(text) => Some(PathBuf::from(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_file_still_says_where_the_socket_is() {
        let cases = [
            ("state_dir: /a\nlisteners: [ {", Some("/a/admin.sock")),
            ("pools:\n\t- x\nadmin: {socket: /run/x.sock}\nrest: '", Some("/run/x.sock")),
            ("admin:\n  # here\n  socket: b.sock\n\n  adress: 1\nlisteners: [", Some("/usual/b.sock")),
            ("admin: {socket: off}\n: : :", None),
            ("admin: {socket: [}\n", Some("/usual/admin.sock")),
            ("state_dirs: /a\n", Some("/usual/admin.sock")),
            ("", Some("/usual/admin.sock")),
        ];
        for (text, wanted) in cases {
            let whereabouts = Whereabouts::glimpse(text.as_bytes());
            let state_dir = whereabouts.state_dir.clone().unwrap_or("/usual".into());
            assert_eq!(whereabouts.socket(&state_dir), wanted.map(PathBuf::from), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_say_nothing() {
        assert_eq!(Whereabouts::glimpse(&[0xff, 0, b'\n', 0xfe]), Whereabouts::default());
    }
}
