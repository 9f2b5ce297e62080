//! Listeners on Unix sockets: clients on this machine, which have no address.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::support::{
    Bookend, Client, Headers, Next, Origin, Port, Reload, Site, TempDirectory, eventually, run_of, until,
};

/// The configuration of `site` that listens on `path` as well, with these keys.
fn yaml(site: &Site, port: &Port, path: &Path, keys: &str) -> String {
    let listener = format!("listeners:\n  - {{ address: \"unix:{}\"{keys} }}", path.display());
    site.to_yaml(&[port.address()]).replace("listeners:", &listener)
}

struct Started {
    bookend: Bookend,
    path: PathBuf,
    _directory: TempDirectory,
}

/// Runs with a Unix socket beside the usual listener.
fn start(site: &Site, keys: &str) -> Started {
    let (directory, port) = (TempDirectory::new(), Port::free());
    let path = directory.path().join("web.sock");
    let yaml = yaml(site, &port, &path, keys);
    Started { bookend: Bookend::start_with(port, &yaml), path, _directory: directory }
}

/// What the node gets of a request over a Unix socket with these keys that sends these headers.
fn passed_on(keys: &str, headers: &str) -> Headers {
    let node = Origin::answering("hello");
    let started = start(&Site::of(&[&node]), keys);
    let mut client = Client::connect_to_path(&started.path);
    assert_eq!(client.request("GET", "/", headers, b"").text(), "hello");
    assert_eq!(client.request("GET", "/", headers, b"").status, 200, "the connection is kept");
    node.received().remove(0).headers
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn client_without_an_address_is_served_and_not_believed() {
    let forged = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nForwarded: for=203.0.113.7\r\n";
    let seen = passed_on(", forwarded: true", forged);
    assert_eq!(seen.all("x-forwarded-for"), [""; 0]);
    assert_eq!(seen.all("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.one("forwarded"), Some("for=unknown;host=site.test;proto=http"));
}

#[test]
fn trusted_client_without_an_address_is_believed() {
    let from_proxy = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n";
    let seen = passed_on(", trusted_proxies: [unix]", from_proxy);
    assert_eq!(seen.all("x-forwarded-for"), ["203.0.113.7"]);
    assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
}

#[test]
fn client_that_leaves_does_not_keep_the_node() {
    let node = Origin::start(|call| {
        if call.target() == "/slow" {
            call.wait_for_the_end();
            return Next::Close;
        }
        call.answer(200, "hello")
    });
    let started = start(&Site::of(&[&node]), "");
    let mut client = Client::connect_to_path(&started.path);
    client.send("GET /slow HTTP/1.1\r\nHost: site.test\r\n\r\n");
    until("the node has the request", || node.count() == 1);
    drop(client);
    until("its request has ended", || {
        String::from_utf8_lossy(&started.bookend.ask("/metrics")).contains("outcome=\"client_gone\"")
    });
}

#[test]
fn socket_of_a_living_process_is_not_taken() {
    let (directory, node) = (TempDirectory::new(), Origin::answering("a"));
    let path = directory.path().join("web.sock");
    let _living = UnixListener::bind(&path).unwrap();
    let file = directory.path().join("bookend.yaml");
    fs::write(&file, yaml(&Site::of(&[&node]), &Port::free(), &path, "")).unwrap();
    let mut child = run_of(&file).spawn().unwrap();
    eventually("bookend ended", || child.try_wait().unwrap());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let wanted = format!("listening on unix:{}: another process listens there", path.display());
    assert!(said.contains(&wanted), "{said}");
    assert!(path.exists(), "the other process lost its socket");
}

#[test]
fn socket_of_a_dead_process_is_replaced_and_goes_at_the_end() {
    let node = Origin::answering("hello");
    let mut started = start(&Site::of(&[&node]), "");
    started.bookend.kill();
    assert!(fs::metadata(&started.path).unwrap().file_type().is_socket(), "nothing stayed behind");
    started.bookend.start_again();
    assert_eq!(Client::connect_to_path(&started.path).get("/").text(), "hello");
    started.bookend.terminate();
    assert!(started.bookend.wait().success());
    assert!(!started.path.exists(), "the file stayed behind");
}

#[test]
fn reload_opens_closes_and_changes_sockets() {
    let (directory, port, node) = (TempDirectory::new(), Port::free(), Origin::answering("hello"));
    let (path, site) = (directory.path().join("web.sock"), Site::of(&[&node]));
    let without = site.to_yaml(&[port.address()]);
    let open = yaml(&site, &port, &path, "");
    let open_to_all = yaml(&site, &port, &path, ", socket_mode: \"666\"");
    let bookend = Bookend::start_with(port, &without);
    assert_eq!(bookend.reload(&open), Reload::InForce);
    assert_eq!(mode(&path), 0o660);
    let mut client = Client::connect_to_path(&path);
    assert_eq!(client.get("/").text(), "hello");
    assert_eq!(bookend.reload(&open_to_all), Reload::InForce);
    assert_eq!(mode(&path), 0o666);
    assert_eq!(client.get("/").text(), "hello");
    assert_eq!(bookend.reload(&without), Reload::InForce);
    until("the file is gone", || !path.exists());
    assert!(client.get("/").closes(), "its listener is gone");
}
