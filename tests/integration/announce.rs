//! People who are told what goes wrong: by webhooks and by a command, whatever those do.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bookend::incident::{AlarmKind, What};
use bookend::journal::read_events;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Bookend, Gate, Next, Origin, Reload, Site, TempDirectory, eventually, until};

/// A path that is as secret as that of a webhook of Slack's.
const SECRET_PATH: &str = "services/T0-secret";

/// A site of which there is nothing to tell.
fn site(alerts: &str) -> Site {
    let nobody = Origin::absent();
    Site::of(&[&nobody]).with_pool("health_check: off").with_top(&format!("alerts: {{ {alerts} }}"))
}

fn site_of(nodes: &[&Origin], alerts: &str) -> Site {
    Site::of(nodes)
        .with_pool("health_check: { interval: 50ms, fall: 2, rise: 1 }")
        .with_pool("slow_start: 0s")
        .with_top(&format!("alerts: {{ {alerts} }}"))
}

fn url(hook: &Origin) -> String {
    format!("http://{}/{SECRET_PATH}", hook.address())
}

/// The settings of one webhook.
fn hook(hook: &Origin, more: &str) -> String {
    format!("webhooks: [{{ url: '{}'{more} }}]", url(hook))
}

/// Has bookend tell of something: a reload that is refused because of the key `word`.
fn provoke(bookend: &Bookend, word: &str) {
    let before = bookend.logs().matches("reload refused").count();
    let yaml = fs::read_to_string(bookend.configuration()).unwrap();
    let good: Vec<_> = yaml.lines().filter(|line| !line.ends_with(": odd")).collect();
    assert_eq!(bookend.reload(&format!("{word}: odd\n{}\n", good.join("\n"))), Reload::Refused);
    bookend.wait_for_more("reload refused", before);
}

/// What a webhook was told so far; bodies that did not come whole are left out.
fn told(hook: &Origin) -> Vec<Value> {
    hook.received().iter().filter_map(|request| serde_json::from_slice(&request.body).ok()).collect()
}

/// Waits until a webhook was told what `is_meant`.
#[track_caller]
fn wait_for_told(hook: &Origin, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || told(hook).into_iter().find(|message| is_meant(message)))
}

fn has_text(word: &'static str) -> impl Fn(&Value) -> bool {
    move |message| message["text"].as_str().is_some_and(|text| text.contains(word))
}

fn result(bookend: &Bookend, to: &str, result: &str) -> u64 {
    bookend.metric(&format!("bookend_announcements_total{{result=\"{result}\",to=\"{to}\"}}"))
}

fn test(bookend: &Bookend) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = bookend.command("alerts test");
    (status.code(), [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat())
}

/// A script for `sh`.
fn script(directory: &TempDirectory, text: &str) -> String {
    let path = directory.path().join("tell.sh");
    fs::write(&path, text.replace("$DIR", directory.path().to_str().unwrap())).unwrap();
    format!("[/bin/sh, '{}']", path.display())
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn exposed_pool_is_told_of_and_so_is_its_end() {
    let (a, mut b, receiver) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("ok"));
    let bookend = Bookend::start(&site_of(&[&a, &b], &hook(&receiver, "")));
    b.stop();
    let is_at = |stage: &'static str| move |message: &Value| message["stage"] == stage;
    let begins = wait_for_told(&receiver, "the alarm was told", is_at("begins"));
    let wanted = [("version", Value::from(1)), ("event", "alarm".into()), ("alarm", "exposed".into())];
    for (key, value) in wanted.into_iter().chain([("pool", "web".into()), ("node", Value::Null)]) {
        assert_eq!(begins[key], value, "{key} in {begins}");
    }
    assert!(begins["text"].as_str().unwrap().contains("EXPOSED"), "{begins}");
    assert!(!begins["host"].as_str().unwrap().is_empty() && begins["help"].is_string());
    for key in ["since", "at"] {
        assert!(
            begins[key].as_str().unwrap().starts_with("20") && begins[key].as_str().unwrap().ends_with('Z')
        );
    }
    b.restart();
    let ends = wait_for_told(&receiver, "its end was told", is_at("ends"));
    assert_eq!((&ends["alarm"], &ends["since"]), (&begins["alarm"], &begins["since"]));
    assert_ne!(ends["id"], begins["id"]);
    let request = receiver.received().remove(0);
    assert!(request.first_line.starts_with(&format!("POST /{SECRET_PATH} HTTP/1.1")));
    assert_eq!(request.headers.one("content-type"), Some("application/json"));
    assert_eq!(request.headers.one("x-bookend-signature"), None);
    assert_eq!(result(&bookend, "webhook-1", "delivered"), 2);
}

#[test]
fn what_rang_when_bookend_was_killed_is_told_once_more_and_so_is_its_end() {
    let (a, mut b, receiver) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("ok"));
    receiver.now_does(|call| call.answer(500, "not today"));
    let mut bookend = Bookend::start(&site_of(&[&a, &b], &hook(&receiver, "")));
    b.stop();
    let is_at = |stage: &'static str| move |message: &Value| message["stage"] == stage;
    wait_for_told(&receiver, "the alarm was told in vain", is_at("begins"));
    until("it is written down", || {
        let mut is_there = false;
        let written = read_events(&bookend.state(), |event| {
            is_there |= matches!(event.what, What::Alarm { alarm: AlarmKind::Exposed, .. });
        });
        written.is_ok() && is_there
    });
    bookend.kill();
    let before = told(&receiver).len();
    receiver.now_does(|call| call.answer(200, "ok"));
    bookend.start_again();
    let lasts = wait_for_told(&receiver, "it was told once more", is_at("lasts"));
    assert_eq!((&lasts["alarm"], &lasts["pool"]), (&"exposed".into(), &"web".into()));
    bookend.kill();
    b.restart();
    bookend.start_again();
    wait_for_told(&receiver, "its end was told", is_at("ends"));
    let stages: Vec<_> = told(&receiver).split_off(before).iter().map(|told| told["stage"].clone()).collect();
    assert!(!stages.contains(&"begins".into()), "{stages:?}");
}

#[test]
fn webhook_that_fails_is_told_again_and_can_tell_whom_by() {
    let key = "0123456789abcdef".repeat(4);
    let directory = TempDirectory::new();
    let file = directory.path().join("key");
    fs::write(&file, &key).unwrap();
    let receiver = Origin::answering("");
    let tries = Mutex::new(0);
    receiver.now_does(move |call| {
        call.body();
        *tries.lock().unwrap() += 1;
        let tries = *tries.lock().unwrap();
        match tries {
            1 => call.answer(500, "not today"),
            2 => call.reset(),
            _ => call.answer(204, ""),
        }
    });
    let more = format!(", name: team, secret_file: '{}', headers: {{ X-Team: web }}", file.display());
    let bookend = Bookend::start(&site(&hook(&receiver, &more)));
    provoke(&bookend, "listenrs");
    until("it was told again", || result(&bookend, "team", "delivered") == 1);
    assert_eq!((receiver.count(), result(&bookend, "team", "failed")), (3, 0));
    bookend.wait_for_log(
        "announcement did not arrive, it is tried again to=team why=\"500 Internal Server Error: not",
    );
    bookend.wait_for_log("announcements arrive again to=team");
    let ids: Vec<_> = told(&receiver).iter().map(|message| message["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    for request in receiver.received() {
        assert_eq!(request.headers.one("x-team"), Some("web"));
        let signature = request.headers.one("x-bookend-signature").unwrap();
        let (time, v1) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let bytes: Vec<u8> =
            (0..32).map(|i| u8::from_str_radix(&key[2 * i..2 * i + 2], 16).unwrap()).collect();
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes).unwrap();
        mac.update(format!("{time}.").as_bytes());
        mac.update(&request.body);
        let wanted: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(v1, wanted);
    }
}

#[test]
fn refusal_is_final_and_the_next_message_goes_out() {
    let receiver = Origin::start(|call| match call.body() {
        body if String::from_utf8_lossy(&body).contains("first") => call.answer(404, "no_service"),
        body if String::from_utf8_lossy(&body).contains("second") => {
            call.answer_with(302, "Location: /elsewhere\r\n", "")
        }
        _ => call.answer(200, "ok"),
    });
    let bookend = Bookend::start(&site(&hook(&receiver, "")));
    for word in ["first", "second", "third"] {
        provoke(&bookend, word);
    }
    until("the third arrived", || result(&bookend, "webhook-1", "delivered") == 1);
    assert_eq!((receiver.count(), result(&bookend, "webhook-1", "failed")), (3, 2));
    for part in
        ["event=reload_refused attempts=1 why=\"404 Not Found: no_service\"", "redirections are not followed"]
    {
        bookend.wait_for_log(part);
    }
}

#[test]
fn webhook_that_asks_for_a_pause_gets_it() {
    let calls: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&calls);
    let receiver = Origin::start(move |call| {
        seen.lock().unwrap().push(Instant::now());
        let is_first = seen.lock().unwrap().len() == 1;
        if is_first { call.answer_with(429, "Retry-After: 3\r\n", "") } else { call.answer(200, "ok") }
    });
    let bookend = Bookend::start(&site(&hook(&receiver, "")));
    provoke(&bookend, "listenrs");
    until("it was told again", || result(&bookend, "webhook-1", "delivered") == 1);
    let calls = calls.lock().unwrap();
    assert!(calls[1] - calls[0] >= Duration::from_secs(3), "{:?}", calls[1] - calls[0]);
}

#[test]
fn slow_webhook_delays_no_other_and_gets_everything_in_order() {
    let gate = Gate::default();
    let closed = gate.clone();
    let slow = Origin::start(move |call| {
        call.body();
        closed.pass();
        call.answer(200, "ok")
    });
    let fast = Origin::answering("ok");
    let hooks = format!("webhooks: [{{ url: '{}', timeout: 20s }}, {{ url: '{}' }}]", url(&slow), url(&fast));
    let bookend = Bookend::start(&site(&hooks));
    let words = ["first", "second", "third", "fourth"];
    for word in words {
        provoke(&bookend, word);
    }
    until("the fast one was told all", || result(&bookend, "webhook-2", "delivered") == 4);
    assert_eq!((slow.count(), result(&bookend, "webhook-1", "delivered")), (1, 0));
    gate.open();
    until("the slow one was told all", || result(&bookend, "webhook-1", "delivered") == 4);
    for hook in [&slow, &fast] {
        let told = told(hook);
        assert!(
            told.iter().zip(words).all(|(told, word)| told["text"].as_str().unwrap().contains(word)),
            "{told:?}"
        );
    }
}

#[test]
fn webhook_that_hangs_is_given_up_in_time() {
    let gate = Gate::default();
    let closed = gate.clone();
    let silent = Origin::start(move |_| {
        closed.pass();
        Next::Close
    });
    let endless = Origin::start(|call| {
        call.body();
        call.write("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n");
        call.write(vec![b'x'; 1 << 20]);
        Next::Close
    });
    let nonsense = Origin::start(|call| {
        call.body();
        call.write("SSH-2.0-OpenSSH_9.6\r\n");
        Next::Close
    });
    let absent = Origin::absent();
    let hooks: Vec<_> = [&silent, &endless, &nonsense, &absent]
        .iter()
        .map(|hook| format!("{{ url: '{}', timeout: 500ms, attempts: 1 }}", url(hook)))
        .collect();
    let bookend = Bookend::start(&site(&format!("webhooks: [{}]", hooks.join(", "))));
    provoke(&bookend, "listenrs");
    for number in [1, 3, 4] {
        until("it was given up", || result(&bookend, &format!("webhook-{number}"), "failed") == 1);
    }
    bookend.wait_for_log("to=webhook-1 event=reload_refused attempts=1 why=\"no answer within 500ms\"");
    // It said that it took the message; what else it says is cut.
    until("the endless one took it", || result(&bookend, "webhook-2", "delivered") == 1);
    gate.open();
}

#[test]
fn slack_is_told_in_its_own_form() {
    let (a, b, receiver) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("ok"));
    let bookend = Bookend::start(&site_of(&[&a, &b], &hook(&receiver, ", format: slack")));
    assert!(bookend.command("drain web/web-02 --for 2s --reason <a>&b").status.success());
    let message = wait_for_told(&receiver, "the drain was told", has_text("is still drained"));
    let text = message["text"].as_str().unwrap();
    assert_eq!(message.as_object().unwrap().len(), 1, "{message}");
    assert!(text.starts_with("*web/web-02: reminded* ("), "{text}");
    assert!(text.contains("(&lt;a&gt;&amp;b)") && text.ends_with("\n`bookend undrain web/web-02`"), "{text}");
}

#[test]
fn silenced_alarm_is_told_to_nobody() {
    let (a, mut b, receiver) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("ok"));
    let bookend = Bookend::start(&site_of(&[&a, &b], &hook(&receiver, "")));
    assert!(bookend.command("silence web --reason test").status.success());
    b.stop();
    bookend.wait_for_log("alarm kind=exposed pool=web");
    provoke(&bookend, "listenrs");
    wait_for_told(&receiver, "something else was told", has_text("listenrs"));
    assert_eq!(told(&receiver).iter().filter(|told| told["event"] == "alarm").count(), 0);
}

#[test]
fn reload_sends_what_waits_to_the_new_place() {
    let (broken, good) = (Origin::start(|call| call.answer(503, "")), Origin::answering("ok"));
    // The pause is long, so that it is the reload that ends it.
    broken.now_does(|call| call.answer_with(503, "Retry-After: 300\r\n", ""));
    let bookend = Bookend::start(&site(&hook(&broken, "")));
    provoke(&bookend, "listenrs");
    bookend.wait_for_log("announcement did not arrive");
    assert_eq!(bookend.reload_site(&site(&hook(&good, ""))), Reload::InForce);
    let message = wait_for_told(&good, "it was told at the new place", has_text("listenrs"));
    assert_eq!(message["id"], told(&broken)[0]["id"]);
    assert_eq!(bookend.reload_site(&site("masked: off")), Reload::InForce);
    provoke(&bookend, "listenrs");
    assert_eq!(test(&bookend).0, Some(1));
    assert_eq!((broken.count(), good.count()), (1, 1));
}

#[test]
fn without_its_key_a_webhook_is_refused() {
    let receiver = Origin::answering("ok");
    let bookend = Bookend::start(&site(""));
    for text in [None, Some("no key")] {
        let file = bookend.state().join("webhook.key");
        text.inspect(|text| fs::write(&file, text).unwrap());
        let more = format!(", secret_file: '{}'", file.display());
        assert_eq!(bookend.reload_site(&site(&hook(&receiver, &more))), Reload::Refused);
    }
    for part in ["of the webhook webhook-1: No such file", "64 hexadecimal digits"] {
        bookend.wait_for_log(part);
    }
}

#[test]
fn test_message_shows_what_each_says_and_no_secret() {
    let directory = TempDirectory::new();
    let (good, bad) = (Origin::answering("ok"), Origin::start(|call| call.answer(403, "invalid_token")));
    let command = script(&directory, "cat > $DIR/told; echo page sent");
    let hooks = |last: &Origin| {
        let header = "headers: { Authorization: Bearer-secret }";
        format!(
            "webhooks: [{{ url: '{}', {header} }}, {{ url: '{}', name: second }}], command: {command}",
            url(&good),
            url(last)
        )
    };
    let bookend = Bookend::start(&site(&hooks(&bad)));
    let (code, said) = test(&bookend);
    assert_eq!(code, Some(1), "{said}");
    for part in [
        format!("webhook-1 (http://{}): arrived after", good.address()),
        format!("second (http://{}): failed after", bad.address()),
        "403 Forbidden: invalid_token".to_owned(),
        "command (/bin/sh): arrived after".to_owned(),
        "exit status 0: page sent".to_owned(),
    ] {
        assert!(said.contains(&part), "no {part} in\n{said}");
    }
    let told: Value = serde_json::from_slice(&fs::read(directory.path().join("told")).unwrap()).unwrap();
    assert_eq!((&told["event"], &told["pool"]), (&"test".into(), &Value::Null));
    assert_eq!(good.only_request().headers.one("authorization"), Some("Bearer-secret"));
    assert_eq!(bookend.reload_site(&site(&hooks(&good))), Reload::InForce);
    assert_eq!(test(&bookend).0, Some(0));
    let status = String::from_utf8(bookend.ask("/status")).unwrap();
    let metrics = String::from_utf8(bookend.ask("/metrics")).unwrap();
    for text in [said, bookend.logs(), status, metrics] {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn command_gets_the_message_in_two_ways() {
    let directory = TempDirectory::new();
    let command = script(
        &directory,
        "[ $BOOKEND_EVENT = alarm ] && exit; cat > $DIR/new; printf '%s|%s|%s|%s' \"$BOOKEND_EVENT\" \"$BOOKEND_POOL\" \"$BOOKEND_NODE\" \"$BOOKEND_TEXT\" > $DIR/variables; mv $DIR/new $DIR/told",
    );
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site_of(&[&a, &b], &format!("command: {command}")));
    assert!(bookend.command("drain web/web-02 --for 2s --reason $(id)").status.success());
    until("it was told", || directory.path().join("told").exists());
    let told: Value = serde_json::from_slice(&fs::read(directory.path().join("told")).unwrap()).unwrap();
    assert_eq!(
        (&told["event"], &told["pool"], &told["node"]),
        (&"reminded".into(), &"web".into(), &"web-02".into())
    );
    let variables = fs::read_to_string(directory.path().join("variables")).unwrap();
    assert_eq!(variables, format!("reminded|web|web-02|{}", told["text"].as_str().unwrap()));
    assert!(variables.contains("($(id))"), "{variables}");
}

#[test]
fn command_that_hangs_is_killed_with_all_that_it_began() {
    let directory = TempDirectory::new();
    let command =
        script(&directory, "sleep 1000 & echo $! >> $DIR/pids; echo $$ >> $DIR/pids; echo waiting; wait");
    let alerts = format!("command: {command}, command_timeout: 1s");
    let mut bookend = Bookend::start(&site(&alerts));
    provoke(&bookend, "listenrs");
    bookend.wait_for_log(
        "announcement failed to=command event=reload_refused attempts=1 why=\"killed after 1s: waiting\"",
    );
    let pids = directory.path().join("pids");
    assert_eq!(lines(&pids).len(), 2);
    until("both processes ended", || !lines(&pids).iter().any(|pid| is_running(pid)));
    // Nor does one that runs outlive bookend.
    assert_eq!(bookend.reload_site(&site(&alerts.replace("1s", "20s"))), Reload::InForce);
    provoke(&bookend, "listenrs");
    until("it runs again", || lines(&pids).len() == 4);
    bookend.terminate();
    assert!(bookend.wait().success());
    until("both processes ended", || !lines(&pids).iter().any(|pid| is_running(pid)));
}

/// Whether there is a process of this number that has not ended.
fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[test]
fn command_that_fails_is_run_again_only_if_it_asks() {
    let directory = TempDirectory::new();
    // The one that asks leaves a process behind that holds its output, which nobody waits for.
    let text = "echo run >> $DIR/runs; case \"$BOOKEND_TEXT\" in *first*) echo no modem >&2; exit 3;; esac; \
                [ $(wc -l < $DIR/runs) = 2 ] && exit 75; sleep 60 & echo $! > $DIR/left; exit 0";
    let command = script(&directory, text);
    let bookend = Bookend::start(&site(&format!("command: {command}")));
    let runs = directory.path().join("runs");
    provoke(&bookend, "first");
    bookend.wait_for_log(
        "announcement failed to=command event=reload_refused attempts=1 why=\"exit status 3: no modem\"",
    );
    provoke(&bookend, "second");
    until("the second was told", || result(&bookend, "command", "delivered") == 1);
    assert_eq!(lines(&runs).len(), 3);
    let left = lines(&directory.path().join("left")).remove(0);
    assert!(is_running(&left), "what a command leaves behind goes on");
    let left = rustix::process::Pid::from_raw(left.parse().unwrap()).unwrap();
    rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
    assert_eq!(bookend.reload_site(&site("command: [/nowhere/page]")), Reload::InForce);
    assert!(test(&bookend).1.contains("No such file"));
}

#[test]
fn last_words_are_said_and_nobody_waits_long_for_them() {
    let (receiver, gate) = (Origin::start(|call| call.answer(503, "")), Gate::default());
    let mut bookend = Bookend::start(&site(&hook(&receiver, "")));
    receiver.now_does(|call| call.answer_with(503, "Retry-After: 300\r\n", ""));
    provoke(&bookend, "first");
    bookend.wait_for_log("announcement did not arrive");
    provoke(&bookend, "second");
    receiver.now_does(|call| call.answer(200, "ok"));
    bookend.terminate();
    assert!(bookend.wait().success());
    let texts: Vec<_> = told(&receiver).iter().skip(1).map(|told| told["text"].to_string()).collect();
    assert!(texts.len() == 2 && texts[0].contains("first") && texts[1].contains("second"), "{texts:?}");

    let closed = gate.clone();
    receiver.now_does(move |_| {
        closed.pass();
        Next::Close
    });
    let seen = receiver.count();
    let mut bookend = Bookend::start(&site(&hook(&receiver, ", timeout: 20s")));
    provoke(&bookend, "third");
    until("it hangs", || receiver.count() > seen);
    let began = Instant::now();
    bookend.terminate();
    assert!(bookend.wait().success());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    gate.open();
}

/// A webhook behind TLS, with a certificate of its own making, written to `file`.
fn over_tls(file: &Path) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let settings = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (settings, listener) = (Arc::new(settings), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&settings)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // Whoever does not believe us has gone by now.
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe");
            }
        }
    });
    address
}

#[test]
fn certificate_that_nobody_vouches_for_is_refused() {
    let directory = TempDirectory::new();
    let (own, other) = (directory.path().join("own.pem"), directory.path().join("other.pem"));
    let address = over_tls(&own);
    over_tls(&other);
    let hooks = format!("webhooks: [{{ url: 'https://{address}/', attempts: 1 }}]");
    let trusting = |file: &Path| Bookend::start_with_variable("SSL_CERT_FILE", file, &site(&hooks));
    let (code, said) = test(&trusting(&other));
    assert!(code == Some(1) && said.contains("invalid peer certificate"), "{said}");
    let (code, said) = test(&trusting(&own));
    assert!(code == Some(0) && said.contains("200 OK: safe"), "{said}");
    // The certificate is for the address and for nothing else.
    let named = format!("webhooks: [{{ url: 'https://localhost:{}/' }}]", address.port());
    let (code, said) = test(&Bookend::start_with_variable("SSL_CERT_FILE", &own, &site(&named)));
    assert!(code == Some(1) && said.contains("invalid peer certificate"), "{said}");
}
