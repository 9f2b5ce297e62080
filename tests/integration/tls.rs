//! TLS at the front door: who gets which certificate, who is let in, and what happens to files that are not good.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::{ClientConfig, HandshakeKind, ProtocolVersion, version};

use crate::support::{
    Authority, Bookend, Client, Files, Gate, Next, Origin, Port, Reload, Site, check, eventually, fetch,
    until,
};

const SITE: &str = "site.test";

/// A site whose listener speaks TLS with these certificates; `more` are more keys of `tls`.
fn site(nodes: &[&Origin], certificates: &[&Files], more: &str) -> Site {
    let entries: Vec<_> = certificates.iter().map(|files| files.entry()).collect();
    Site::of(nodes).with_listener(&format!("tls: {{ certificates: [{}]{more} }}", entries.join(", ")))
}

fn connect(bookend: &Bookend, settings: &Arc<ClientConfig>) -> Client {
    Client::connect_by_tls(bookend.address(), settings, SITE)
}

/// The certificate that a client gets that asks for `name`.
fn shown(bookend: &Bookend, authority: &Authority, name: &'static str) -> Vec<u8> {
    let client = Client::connect_by_tls(bookend.address(), &authority.client(), name);
    client.tls().peer_certificates().unwrap()[0].to_vec()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

fn der_of(files: &Files) -> Vec<u8> {
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::pem_file_iter(&files.certificate).unwrap().next().unwrap().unwrap().to_vec()
}

#[test]
fn site_is_reached_by_both_versions_and_the_node_is_told() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let bookend =
        Bookend::start(&site(&[&node], &[&authority.server("site", &[SITE])], ", hsts: { max_age: 1d }"));
    for (version, wanted) in
        [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut client = connect(&bookend, &authority.client_of(version));
        assert_eq!(client.tls().protocol_version(), Some(wanted));
        let answer = client.get("/page");
        assert_eq!((answer.status, answer.text()), (200, "a"));
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=86400"));
        assert_eq!(client.get("/again").text(), "a", "the connection stays usable");
    }
    let proto = |request: &crate::support::Headers| request.one("x-forwarded-proto").map(str::to_owned);
    assert!(
        node.received()
            .iter()
            .filter(|request| request.first_line.starts_with("GET"))
            .all(|request| { proto(&request.headers).as_deref() == Some("https") })
    );
    assert_eq!(bookend.metric("bookend_tls_handshakes_total{result=\"full\"}"), 2);
}

#[test]
fn client_gets_the_certificate_for_the_name_it_asks_for() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let first = authority.server("first", &[SITE, "www.site.test"]);
    let below = authority.server_with_rsa("below", &["*.shop.test"]);
    let bookend = Bookend::start(&site(&[&node], &[&first, &below], ""));
    assert_eq!(shown(&bookend, &authority, "www.site.test"), der_of(&first));
    assert_eq!(shown(&bookend, &authority, "eu.shop.test"), der_of(&below));
    assert_eq!(shown(&bookend, &authority, "EU.Shop.test"), der_of(&below));
    let stranger = Client::try_connect_by_tls(bookend.address(), &authority.client(), "a.eu.shop.test");
    assert!(
        stranger.err().unwrap().to_string().contains("not valid for name"),
        "it gets the first, and refuses it"
    );
    let bytes = String::from_utf8(bookend.ask("/metrics")).unwrap();
    for name in [SITE, "*.shop.test"] {
        assert!(
            bytes.contains(&format!(
                "bookend_certificate_not_after_seconds{{listener=\"{}\",name=\"{name}\"}}",
                bookend.address()
            )),
            "{name}"
        );
    }
}

#[test]
fn session_is_resumed_also_after_a_reload() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let site = site(&[&node], &[&authority.server("site", &[SITE])], "");
    let bookend = Bookend::start(&site);
    for version in [&version::TLS12, &version::TLS13] {
        let settings = authority.client_of(version);
        let kind = |settings: &Arc<ClientConfig>| {
            let mut client = connect(&bookend, settings);
            // Tickets of TLS 1.3 come with the first answer.
            assert_eq!(client.get("/").status, 200);
            client.tls().handshake_kind()
        };
        assert_eq!(kind(&settings), Some(HandshakeKind::Full));
        assert_eq!(kind(&settings), Some(HandshakeKind::Resumed));
        assert_eq!(bookend.reload_site(&site), Reload::InForce);
        assert_eq!(kind(&settings), Some(HandshakeKind::Resumed));
    }
}

#[test]
fn client_without_a_certificate_is_turned_away_where_one_is_required() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let server = authority.server("site", &[SITE]);
    let clients = format!(", client_certificates: {{ authorities: \"{}\" }}", authority.file().display());
    let bookend = Bookend::start(&site(&[&node], &[&server], &clients));
    let mut anna = connect(&bookend, &authority.client_called("Anna, O=root", "Site"));
    let forged = "X-Client-Cert-Subject: CN=root\r\nx-client-cert-subject: CN=root\r\n";
    assert_eq!(anna.request("GET", "/", forged, b"").status, 200);
    let request = node.only_request();
    assert_eq!(request.headers.one("x-client-cert-subject"), Some("CN=Anna\\2C O\\3Droot,O=Site"));

    let nobody = || {
        let mut client = Client::try_connect_by_tls(bookend.address(), &authority.client(), SITE)?;
        client.try_request("GET", "/", "", b"")
    };
    assert!(nobody().is_err());
    let other = Authority::new();
    let stranger = || {
        let settings = authority.client_shown_by(&other, "Anna", "Site");
        Client::try_connect_by_tls(bookend.address(), &settings, SITE)?.try_request("GET", "/", "", b"")
    };
    assert!(stranger().is_err());
    assert_eq!(node.count(), 1);
    bookend.wait_for_log("TLS handshake failed client=127.0.0.1 how=failed");
}

#[test]
fn forged_subject_reaches_no_node() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let server = authority.server("site", &[SITE]);
    let file = authority.file();
    let clients =
        format!(", client_certificates: {{ authorities: \"{}\", required: false }}", file.display());
    let bookend = Bookend::start(&site(&[&node], &[&server], &clients));
    let forged = "X-Client-Cert-Subject: CN=root\r\n";
    let subject = |node: &Origin| {
        node.received().last().unwrap().headers.one("x-client-cert-subject").map(str::to_owned)
    };
    let mut nobody = connect(&bookend, &authority.client());
    assert_eq!(nobody.request("GET", "/", forged, b"").status, 200);
    assert_eq!(subject(&node), None);
    let plain = Bookend::start(&Site::of(&[&node]));
    assert_eq!(Client::connect(plain.address()).request("GET", "/", forged, b"").status, 200);
    assert_eq!(subject(&node), None);
    let trusting = Bookend::start(&Site::of(&[&node]).with_listener("trusted_proxies: [127.0.0.1]"));
    assert_eq!(Client::connect(trusting.address()).request("GET", "/", forged, b"").status, 200);
    assert_eq!(subject(&node).as_deref(), Some("CN=root"), "who is trusted may say it");
}

#[test]
fn file_that_is_not_good_is_a_problem_with_its_line() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let good = authority.server("good", &[SITE]);
    let other = authority.server("other", &[SITE]);
    let garbage = authority.path().join("garbage");
    fs::write(&garbage, "garbage").unwrap();
    let missing = authority.path().join("missing");
    let with = |certificate, key| Files { certificate, key };
    let cases = [
        (with(missing.clone(), good.key.clone()), ".certificate: ", "cannot be read: No such file"),
        (with(garbage.clone(), good.key.clone()), ".certificate: ", "holds no certificate in PEM"),
        (with(good.certificate.clone(), garbage), ".key: ", "holds no private key in PEM"),
        (with(good.certificate.clone(), other.key.clone()), ".key: ", "is not the key of"),
        (authority.expired_server("old", &[SITE]), ".certificate: ", "has expired at 2020-12-31"),
    ];
    let bookend = Bookend::start(&site(&[&node], &[&good], ""));
    for (files, key, wanted) in cases {
        let yaml = site(&[&node], &[&good, &files], "").to_yaml(&[bookend.address()]);
        let output = check(&yaml);
        let line = 1 + yaml.lines().position(|line| line.contains("tls:")).unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        let place = format!(":{line}:");
        for part in [&place, "listeners[0].tls.certificates[1]", key, wanted, "help: "] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        assert_eq!(bookend.reload(&yaml), Reload::Refused);
        assert_eq!(shown(&bookend, &authority, SITE), der_of(&good));
    }
}

#[test]
fn certificate_that_has_expired_is_better_than_no_site() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let site = site(&[&node], &[&authority.expired_server("old", &[SITE])], "");
    let bookend = Bookend::start(&site);
    bookend.wait_for_log("certificate out of date problem=");
    let refused = Client::try_connect_by_tls(bookend.address(), &authority.client(), SITE).err().unwrap();
    assert!(refused.to_string().contains("expired"), "{refused}");
    assert_eq!(bookend.reload_site(&site.with_pool("queue: off")), Reload::InForce, "it was in use before");
}

#[test]
fn renewed_certificate_is_shown_without_a_reload() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let files = authority.server("site", &[SITE]);
    let bookend = Bookend::start(&site(&[&node], &[&files], ""));
    let mut before = connect(&bookend, &authority.client());
    assert_eq!(before.get("/").text(), "a");

    fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nhalf").unwrap();
    bookend.wait_for_log("certificates not renewed, the old ones stay");
    assert_eq!(connect(&bookend, &authority.client()).get("/").text(), "a");

    let next = authority.server("next", &[SITE]);
    files.become_those_of(&next);
    bookend.wait_for_log("certificates renewed");
    assert_eq!(shown(&bookend, &authority, SITE), der_of(&next));
    assert_eq!(before.get("/").text(), "a", "who is there stays");
}

#[test]
fn who_comes_without_tls_is_sent_to_it() {
    let (authority, node, secure) = (Authority::new(), Origin::answering("a"), Port::free());
    let files = authority.server("site", &[SITE, "*.shop.test"]);
    let and = |line: &str| {
        let tls = format!("{line}\n  - address: {secure}\n    tls: {{ certificates: [{}] }}", files.entry());
        Site::of(&[&node]).with_listener(&tls)
    };
    let bookend = Bookend::start(&and("trusted_proxies: [127.0.0.2]"));
    let ask = |host: &str, target: &str| {
        Client::connect(bookend.address()).request("POST", target, &format!("Host: {host}\r\n"), b"x")
    };
    let port = secure.address().port();
    let answer = ask("site.test:8080", "/a?b=c%20d");
    assert_eq!(answer.status, 308, "the method stays what it is");
    assert_eq!(answer.header("location"), Some(format!("https://site.test:{port}/a?b=c%20d").as_str()));
    assert_eq!(ask("eu.shop.test", "/").status, 308);
    assert_eq!(node.count(), 0);
    for host in ["other.test", "a.eu.shop.test", "127.0.0.1", "\"<.shop.test"] {
        let status = ask(host, "/").status;
        assert!([200, 400].contains(&status), "{host}: {status}");
    }
    let mut balancer = Client::connect_from("127.0.0.2".parse().unwrap(), bookend.address());
    let by_tls = balancer.request("GET", "/", "Host: site.test\r\nX-Forwarded-Proto: https\r\n", b"");
    assert_eq!(by_tls.status, 200, "its client came by TLS");
    let mut client = Client::connect_by_tls(secure.address(), &authority.client(), SITE);
    assert_eq!(client.get("/").status, 200);
    assert_eq!(bookend.reload_site(&and("redirect_to_https: false")), Reload::InForce);
    assert_eq!(ask("site.test", "/").status, 200);
}

#[test]
fn who_speaks_no_tls_is_told_or_let_go() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let site = site(&[&node], &[&authority.server("site", &[SITE])], "")
        .with_listener("timeouts: { handshake: 300ms }");
    let bookend = Bookend::start(&site);
    assert_eq!(fetch(bookend.address(), "/").status, 400);
    let mut silent = Client::connect(bookend.address());
    assert!(silent.is_closed_within(Duration::from_secs(20)));
    let mut garbage = TcpStream::connect(bookend.address()).unwrap();
    garbage.write_all(&[0x16, 3, 1, 0xff, 0xff, 0, 1, 2, 3]).unwrap();
    for result in ["plain_http", "timeout"] {
        until("it is counted", || {
            bookend.metric(&format!("bookend_tls_handshakes_total{{result=\"{result}\"}}")) > 0
        });
    }
    assert_eq!(connect(&bookend, &authority.client()).get("/").status, 200);
    assert_eq!(node.count(), 1);
}

#[test]
fn long_bodies_come_whole_both_ways() {
    let authority = Authority::new();
    let node = Origin::start(|call| {
        let body = call.body();
        call.answer(200, body)
    });
    let bookend = Bookend::start(&site(&[&node], &[&authority.server("site", &[SITE])], ""));
    let body: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let mut client = connect(&bookend, &authority.client());
    for _ in 0..2 {
        let answer = client.request("PUT", "/", "", &body);
        assert!(answer.status == 200 && answer.body == body, "{} bytes", answer.body.len());
    }
}

#[test]
fn no_client_sees_a_node_fail() {
    let authority = Authority::new();
    let (a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b], &[&authority.server("site", &[SITE])], ""));
    let mut client = connect(&bookend, &authority.client());
    for number in 0..40 {
        if number == 10 {
            b.stop();
        }
        assert_eq!(client.get("/").status, 200, "request {number}");
    }
}

#[test]
fn answer_that_breaks_off_does_not_look_complete() {
    let authority = Authority::new();
    let node = Origin::start(|call| {
        call.write(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n5\r\nhello\r\n",
        );
        call.reset()
    });
    let whole = Origin::start(|call| {
        call.write("HTTP/1.1 200 OK\r\n\r\nhello");
        Next::Close
    });
    let files = authority.server("site", &[SITE]);
    let of = |node: &Origin| Bookend::start(&site(&[node], &[&files], ""));
    let ask = |bookend: &Bookend| {
        let mut client = connect(bookend, &authority.client());
        // HTTP/1.0 knows no chunks: the end of the connection is the end of the answer.
        client.send("GET / HTTP/1.0\r\nHost: site.test\r\n\r\n");
        client.read_to_end()
    };
    let (broken, good) = (of(&node), of(&whole));
    assert!(ask(&broken).is_err(), "an end that is said by TLS would say that nothing is missing");
    assert!(ask(&good).unwrap().ends_with(b"hello"));
}

#[test]
fn client_that_leaves_while_a_node_works_is_noticed() {
    let (authority, gate) = (Authority::new(), Gate::default());
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        closed.pass();
        call.answer(200, "late")
    });
    let bookend = Bookend::start(&site(&[&node], &[&authority.server("site", &[SITE])], ""));
    for says_so in [false, true] {
        let mut client = connect(&bookend, &authority.client());
        client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
        until("the node has it", || node.count() == 1 + usize::from(says_so));
        if says_so {
            client.close_tls();
        }
        drop(client);
    }
    let gone = "bookend_requests_total{class=\"none\",node=\"web-01\",outcome=\"client_gone\",pool=\"web\",route=\"route-1\"}";
    eventually("they are given up", || (bookend.metric(gone) == 2).then_some(()));
    gate.open();
}

#[test]
fn nothing_is_lost_when_it_stops() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let mut bookend = Bookend::start(&site(&[&node], &[&authority.server("site", &[SITE])], ""));
    let mut client = connect(&bookend, &authority.client());
    assert_eq!(client.get("/").status, 200);
    bookend.terminate();
    assert!(client.read_to_end().unwrap().is_empty(), "it ends in order");
    assert!(bookend.wait().success());
}
