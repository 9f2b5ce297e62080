//! Malformed, forged and hostile requests, by the hundred: nothing changes, nothing leaks, and bookend goes on answering.
//!
//! A node is drained and a pool silenced before they come, so that every change has something to change.

mod attacks;
mod bodies;
mod framing;
mod heads;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::attacks::{Attack, Wanted, Way};
use crate::support::{Bookend, Origin, Port, Site, TempDirectory, program, until};

const TOKEN: &str = "a-token-that-nobody-knows";

/// Longer than any answer that is no `/status`, `/metrics` or document.
const LONGEST_REFUSAL: usize = 2_000;

/// A bookend with something to lose, at an address and a socket.
struct Fort {
    bookend: Bookend,
    address: SocketAddr,
    secrets: [String; 3],
    _nodes: [Origin; 2],
    _port: Port,
    _directory: TempDirectory,
}

impl Fort {
    fn start() -> Self {
        let nodes = ["a", "b"].map(Origin::answering);
        let (directory, port) = (TempDirectory::new(), Port::free());
        let file = directory.path().join("token");
        fs::write(&file, TOKEN).unwrap();
        let admin = format!("{{ address: \"{port}\", token_file: {} }}", file.display());
        let bookend = Bookend::start(&Site::of(&nodes.each_ref()).with_admin(&admin));
        for command in ["drain web/web-02 --for 72h --reason kept", "silence web --for 72h --reason kept"] {
            assert!(bookend.command(command).status.success(), "{command}");
        }
        let path = |path: PathBuf| path.display().to_string();
        let secrets = [TOKEN.to_owned(), path(file), path(bookend.socket())];
        let address = port.address();
        until("the node is empty", || leases(&status(&bookend))[0]["empty_since"].is_string());
        until("an incident is open", || bookend.ask("/incidents").starts_with(b"[{"));
        Self { bookend, address, secrets, _nodes: nodes, _port: port, _directory: directory }
    }

    /// What somebody may want to change.
    fn belongings(&self) -> Value {
        let status = status(&self.bookend);
        let long = 71 * 60 * 60;
        let kept = |what: &Value, who: &str| {
            json!([
                what[who],
                what["reason"],
                what["never_recall"],
                what["seconds_left"].as_u64().unwrap() > long
            ])
        };
        let leases: Vec<Value> = leases(&status).into_iter().map(|lease| kept(lease, "owner")).collect();
        let silences = status["silences"].as_array().unwrap().iter();
        let incidents: Value = serde_json::from_slice(&self.bookend.ask("/incidents")).unwrap();
        json!({
            "incidents": incidents.as_array().unwrap().iter().map(|known| &known["id"]).collect::<Vec<_>>(),
            "configuration": [status["configuration"]["generation"], status["configuration"]["refused"]],
            "states": [status["pools"][0]["nodes"][0]["state"], status["pools"][0]["nodes"][1]["state"]],
            "leases": leases,
            "silences": silences.map(|silence| kept(silence, "by")).collect::<Vec<_>>(),
            "file": fs::read_to_string(self.bookend.state().join("leases.json")).unwrap(),
        })
    }

    /// What is answered; nothing if the connection is closed.
    fn send(&self, attack: &Attack) -> Vec<u8> {
        match attack.way {
            Way::Tcp => {
                let stream = TcpStream::connect(self.address).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                exchange(&stream, attack, |stream| stream.shutdown(Shutdown::Write))
            }
            Way::Socket => {
                let stream = UnixStream::connect(self.bookend.socket()).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                exchange(&stream, attack, |stream| stream.shutdown(Shutdown::Write))
            }
        }
    }
}

fn exchange<S>(stream: &S, attack: &Attack, end: impl Fn(&S) -> std::io::Result<()>) -> Vec<u8>
where
    for<'a> &'a S: Read + Write,
{
    // Whoever refuses early may cut us off.
    let mut both = stream;
    let _ = both.write_all(&attack.bytes);
    if attack.is_cut {
        let _ = end(stream);
    }
    let mut answer = Vec::new();
    if let Err(why) = both.read_to_end(&mut answer) {
        assert_eq!(why.kind(), ErrorKind::ConnectionReset, "{attack}: {why}");
    }
    answer
}

fn status(bookend: &Bookend) -> Value {
    serde_json::from_slice(&bookend.ask("/status")).unwrap()
}

fn leases(status: &Value) -> Vec<&Value> {
    let nodes = status["pools"][0]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| &node["lease"]).filter(|lease| lease.is_object()).collect()
}

/// What is wrong with an answer. A clear refusal is a problem document; what is no request that we ever see, hyper refuses
/// without one.
fn fault(attack: &Attack, answer: &[u8]) -> Option<&'static str> {
    if answer.is_empty() {
        return None;
    }
    let Ok(text) = str::from_utf8(answer) else { return Some("it is no text") };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Some("it has no end") };
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let is_fine = match attack.wanted {
        Wanted::Refusal => (400..500).contains(&status),
        Wanted::Harmless => status < 500,
    };
    if !is_fine {
        return Some("it is no refusal");
    }
    if text.match_indices("HTTP/1.").filter(|(at, _)| is_number(text, at + 9)).count() != 1 {
        return Some("there are two");
    }
    if status < 400 {
        return None;
    }
    if text.len() > LONGEST_REFUSAL {
        return Some("it is long");
    }
    if body.is_empty() {
        let is_meant = matches!(status, 400 | 431) || attack.has_no_body();
        return (!is_meant).then_some("it says nothing");
    }
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let is_problem = head.contains("content-type: application/problem+json") && problem["status"] == status;
    let says_why = problem["detail"].as_str().is_some_and(|detail| !detail.is_empty());
    (!is_problem || !says_why).then_some("it is no problem document")
}

/// Whether a status is there.
fn is_number(text: &str, at: usize) -> bool {
    text.get(at..at + 3).is_some_and(|status| status.bytes().all(|digit| digit.is_ascii_digit()))
}

#[test]
fn hostile_requests_change_nothing_and_learn_nothing() {
    let fort = Fort::start();
    let attacks = attacks::all(fort.address, TOKEN);
    assert!(attacks.len() >= 3_000, "only {}", attacks.len());
    let (mut before, mut faults) = (fort.belongings(), Vec::new());
    for attack in &attacks {
        let answer = fort.send(attack);
        let text = String::from_utf8_lossy(&answer);
        let is_leak = fort.secrets.iter().any(|secret| text.contains(secret.as_str()));
        let now = attack.changes().then(|| fort.belongings());
        let found = fault(attack, &answer).or(is_leak.then_some("it tells a secret"));
        let found = found.or(now.as_ref().is_some_and(|now| *now != before).then_some("something changed"));
        before = now.unwrap_or(before);
        faults.extend(found.map(|found| format!("{found}: {attack}\n  {text:.400?}")));
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), attacks.len(), faults.join("\n"));
    let logs = fort.bookend.logs();
    let forged = logs.lines().find(|line| !line.starts_with("[20") || line.chars().any(char::is_control));
    assert_eq!(forged, None, "a line of somebody else");
    assert!(!logs.contains(TOKEN) && !logs.contains("panicked"), "{logs}");
    let longest = logs.lines().max_by_key(|line| line.len()).unwrap();
    assert!(longest.len() < 500, "{longest}");
    assert!(fort.bookend.command("undrain web/web-02").status.success(), "it takes changes no more");
}

#[test]
fn body_that_breaks_off_is_not_called_long() {
    let fort = Fort::start();
    let head = "POST /undrain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let begun = r#"{"node": "web/web-02""#;
    let long = "0".repeat(70_000);
    for (rest, wanted) in [
        (format!("Content-Length: 500\r\n\r\n{begun}"), "HTTP/1.1 400"),
        (format!("Transfer-Encoding: chunked\r\n\r\n15\r\n{begun}\r\n"), "HTTP/1.1 400"),
        (format!("Transfer-Encoding: chunked\r\n\r\n15\r\n{begun}\r\nx\r\n"), "HTTP/1.1 400"),
        (format!("Transfer-Encoding: chunked\r\n\r\n11170\r\n{long}\r\n0\r\n\r\n"), "HTTP/1.1 413"),
    ] {
        let attack = Attack::new(Way::Socket, format!("{head}{rest}")).cut();
        let answer = String::from_utf8(fort.send(&attack)).unwrap();
        assert!(answer.starts_with(wanted) && answer.contains("application/problem+json"), "{answer}");
    }
}

#[test]
fn forgeries_are_counted_by_why_and_told_without_flooding_the_log() {
    let (fort, began) = (Fort::start(), Instant::now());
    let told = "request of no operator refused";
    let line = |name: &str, value: &str| format!("{name}: {value}\r\n");
    let host = line("Host", &fort.address.to_string());
    let token = line("Authorization", &format!("Bearer {TOKEN}"));
    let forged = line("Authorization", "Bearer a-token-that-somebody-guessed");
    let foreign = line("Origin", "http://evil.example");
    let denied =
        |reason: &str| fort.bookend.metric(&format!("bookend_admin_denied_total{{reason=\"{reason}\"}}"));
    for (reason, headers) in [
        ("token", format!("{host}{forged}")),
        ("host", format!("Host: evil.example\r\n{token}")),
        ("origin", format!("{host}{token}{foreign}")),
    ] {
        let attack = Attack::new(Way::Tcp, format!("POST /undrain HTTP/1.1\r\n{headers}\r\n"));
        let seen = fort.bookend.logs().matches(told).count();
        // Whatever was told a moment ago, there is a line for this after a second.
        until(&format!("{reason} is told"), || {
            assert!(fault(&attack, &fort.send(&attack)).is_none());
            fort.bookend.logs().matches(told).count() > seen
        });
        let before = denied(reason);
        for _ in 0..200 {
            fort.send(&attack);
        }
        assert_eq!(denied(reason), before + 200, "{reason}");
    }
    assert_eq!((denied("other_user"), denied("no_token_set")), (0, 0));
    let logs = fort.bookend.logs();
    let lines: Vec<_> = logs.lines().filter(|line| line.contains(told)).collect();
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(lines.len() <= seconds + 2, "{} lines in {seconds} seconds", lines.len());
    assert!(
        lines.iter().any(|line| line.contains("why=token what=POST \"/undrain\" from=127.0.0.1")),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.contains(" left_out=")), "{lines:?}");
    assert!(!logs.contains("somebody-guessed"), "what was guessed may be nearly right");
}

#[test]
fn those_who_drip_are_cut_off_and_keep_nobody_off() {
    let fort = Fort::start();
    let before = fort.belongings();
    let heads =
        ["", "P", "POST /drain", "POST /drain HTTP/1.1\r\nHost: ", "POST /drain HTTP/1.1\r\nHost: x\r\n"];
    thread::scope(|scope| {
        for head in heads {
            scope.spawn(move || drip(fort.address, head));
        }
        let answer = program().args(["status", "--socket"]).arg(fort.bookend.socket()).output().unwrap();
        assert!(String::from_utf8_lossy(&answer.stdout).contains("pool web"), "{answer:?}");
    });
    assert_eq!(fort.belongings(), before);
}

/// Sends a sign twice a second, and panics unless that ends in time.
fn drip(address: SocketAddr, head: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < deadline, "{head:?} was never cut off");
        match stream.read(&mut [0; 512]) {
            Ok(0) => return,
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Ok(_) => continue,
            Err(_) => return,
        }
        if !head.is_empty() && stream.write_all(b"x").is_err() {
            return;
        }
    }
}
