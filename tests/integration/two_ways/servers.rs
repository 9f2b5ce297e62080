//! The same table in front of servers that people run: what they read is what was meant, and nothing they must refuse
//! reaches them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::{Manner, played, tell};
use crate::support::{Bookend, Port, Site, TempDirectory, eventually, fetch, until};

/// Whatever server is not installed is an error, not a thing to leave out.
const ALL_NEEDED: &str = "BOOKEND_CONFORMANCE";

/// The last request that a server reads, as it writes it down.
const END: &str = "GET /end 0";

/// Reports each request as it reads it.
const NODE: &str = r#"
const server = require('http').createServer((request, answer) => {
    let body = '';
    request.on('data', (piece) => body += piece);
    request.on('end', () => {
        console.log([request.method, request.url, body.length].join(' '));
        answer.end('ok');
    });
});
server.on('clientError', (error, socket) => {
    if (error.code !== 'ECONNRESET') console.log('nonsense ' + error.code);
    socket.destroy();
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"#;

/// A process that ends with its owner.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program, if it is installed.
fn found(name: &str) -> Option<String> {
    let paths = [format!("/usr/sbin/{name}"), format!("/usr/bin/{name}"), format!("/usr/local/bin/{name}")];
    let path = paths.into_iter().find(|path| fs::exists(path).unwrap_or(false));
    assert!(path.is_some() || std::env::var_os(ALL_NEEDED).is_none(), "{name} is not installed");
    if path.is_none() {
        eprintln!("left out: {name} is not installed");
    }
    path
}

/// Plays the table but for requests of `without` to the server of this name, and returns what it has to have read, as it
/// writes it down.
fn expected_after_playing(name: &str, address: SocketAddr, without: &str) -> Vec<String> {
    let site = Site::default().with_node(address, "").with_pool("health_check: off");
    let bookend = Bookend::start(&site);
    let mut rows = super::requests::all();
    rows.retain(|row| row.expected.requests().iter().all(|request| request.asks != without));
    tell(&rows, name);
    let wrong: Vec<String> =
        rows.iter().filter_map(|row| played(row, bookend.address(), Manner::Whole).err()).collect();
    assert!(wrong.is_empty(), "{} of {} messages:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    // Whatever else the server read, it had before this.
    assert_eq!(fetch(bookend.address(), "/end").status, 200);
    let requests = rows.iter().flat_map(|row| row.expected.requests());
    let read = requests.map(|request| format!("{} {}", request.asks, request.body.len()));
    read.chain([END.to_owned()]).collect()
}

#[test]
fn nginx_reads_what_was_meant() {
    let Some(program) = found("nginx") else { return };
    let directory = TempDirectory::new();
    let (port, path) = (Port::free(), directory.path().display().to_string());
    let configuration = format!(
        "daemon off; master_process off; pid {path}/pid; error_log {path}/errors info;\n\
         events {{ }}\n\
         http {{\n\
           log_format read '$request_method $request_uri $content_length $status';\n\
           client_body_temp_path {path}; proxy_temp_path {path}; fastcgi_temp_path {path};\n\
           uwsgi_temp_path {path}; scgi_temp_path {path};\n\
           server {{ listen {port}; access_log {path}/read read; location / {{ return 200 ok; }} }}\n\
         }}\n"
    );
    fs::write(directory.path().join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new(program);
    command.args(["-p", &path, "-c", &format!("{path}/nginx.conf"), "-e", &format!("{path}/errors")]);
    let _server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("nginx listens", || std::net::TcpStream::connect(port.address()).is_ok());
    // nginx answers 400 to this one, however it comes.
    let expected = expected_after_playing("nginx", port.address(), "OPTIONS *");
    let read = || fs::read_to_string(directory.path().join("read")).unwrap_or_default();
    until("nginx has written all down", || read().lines().count() >= expected.len());
    let read: Vec<String> = read().lines().map(str::to_owned).collect();
    let without_length = |line: &str| line.rsplitn(2, ' ').last().unwrap_or_default().to_owned();
    let (mut asked, statuses): (Vec<_>, Vec<_>) = read
        .iter()
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(asked, status)| (without_length(asked), status.to_owned()))
        .unzip();
    // It answers a request, and may read the next, before it has read all of its body and written it down.
    let mut expected: Vec<_> = expected.iter().map(|line| without_length(line)).collect();
    asked.sort();
    expected.sort();
    assert_eq!(asked, expected);
    assert!(statuses.iter().all(|status| status == "200"), "{read:?}");
}

#[test]
fn node_reads_what_was_meant() {
    let Some(program) = found("node") else { return };
    let mut command = Command::new(program);
    let mut child = command.args(["-e", NODE]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let _server = Server(child);
    let port = eventually("Node listens", || lines.next()?.parse::<u16>().ok());
    let expected = expected_after_playing("Node.js", SocketAddr::from(([127, 0, 0, 1], port)), "");
    let mut read = Vec::new();
    for line in lines {
        let is_end = line == END;
        read.push(line);
        if is_end {
            break;
        }
    }
    assert_eq!(read, expected);
}
