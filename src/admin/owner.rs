//! What the people are called who ask.

use std::fs::File;
use std::io::Read;

use super::access::Peer;

/// Where the system has the names of its users.
const USERS: &str = "/etc/passwd";

/// So much of it is read.
const LARGEST: u64 = 1024 * 1024;

/// Who asks, by the name that people know; over TCP there is none, only the token and where it came from.
pub(super) fn owner(peer: Peer) -> String {
    match peer {
        Peer::User(id) => user(&users(), id).unwrap_or_else(|| format!("uid {id}")),
        Peer::Network(from, _) => format!("token@{}", from.ip().to_canonical()),
    }
}

fn users() -> String {
    let mut text = Vec::new();
    // Who has no name there is known by number.
    let _ = File::open(USERS).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// The name with this number, as in `root:x:0:0::/root:/bin/sh`.
fn user(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        let is_fit = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
        (number.parse() == Ok(id) && is_fit).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_by_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\n# odd\n\n:x:7:\nanna:x:1000:1000::/home/anna:/bin/sh";
        assert_eq!(user(users, 0).as_deref(), Some("root"));
        assert_eq!(user(users, 1000).as_deref(), Some("anna"));
        assert_eq!((user(users, 7), user(users, 1001)), (None, None));
        assert_eq!(owner(Peer::User(4_000_000_000)), "uid 4000000000");
    }

    #[test]
    fn over_tcp_there_is_only_an_address() {
        let at = |text: &str| text.parse().unwrap();
        let peer = Peer::Network(at("[::ffff:192.0.2.1]:5000"), at("127.0.0.1:7070"));
        assert_eq!(owner(peer), "token@192.0.2.1");
    }
}
