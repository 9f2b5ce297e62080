//! The OpenAPI document says what there is: every path, every answer, every field, and nothing else.

mod whole;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use bookend::admin::status::NodeState;
use serde_json::{Value, json};

use crate::support::{Bookend, Origin, Schemas, Site, Strictness, eventually};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];
const JSON: &str = "Content-Type: application/json\r\n";

fn document() -> Value {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Status, content type and body of the answer over the socket.
fn ask(bookend: &Bookend, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    let mut stream = UnixStream::connect(bookend.socket()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (answer[9..12].parse().unwrap(), kind.to_owned(), body.to_owned())
}

/// An operation, by method and path; `{…}` in the document is any one part.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    let path = path.split('?').next().unwrap();
    let fits = |known: &str| {
        let (known, parts): (Vec<_>, Vec<_>) = (known.split('/').collect(), path.split('/').collect());
        known.len() == parts.len()
            && known.iter().zip(parts).all(|(known, part)| known.starts_with('{') || *known == part)
    };
    let (_, item) = document["paths"].as_object().unwrap().iter().find(|(known, _)| fits(known)).unwrap();
    &item[method.to_ascii_lowercase()]
}

/// Asks, holds the answer to the document and returns its status and the answer, if that is JSON.
#[track_caller]
fn hold(bookend: &Bookend, document: &Value, method: &str, path: &str, body: &str) -> (u16, Value) {
    let headers = if body.is_empty() { "" } else { JSON };
    let (status, kind, text) = ask(bookend, method, path, headers, body);
    let schemas = Schemas::of(document, Strictness::Fits);
    let known = &operation(document, method, path)["responses"][status.to_string()];
    assert!(known.is_object(), "{method} {path} is not known to answer with {status}: {text}");
    let known = &schemas.resolve(known)["content"][&kind];
    assert!(known.is_object(), "{method} {path} is not known to answer {status} with {kind}: {text}");
    let value = if kind.ends_with("json") { serde_json::from_str(&text).unwrap() } else { json!(text) };
    schemas.check(&known["schema"], &value, &format!("{method} {path} {status}"));
    (status, value)
}

#[test]
fn document_is_served_and_has_our_version() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&Site::of(&[&node]));
    let (status, kind, text) = ask(&bookend, "GET", "/openapi.json", "", "");
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document());
    assert_eq!(document()["openapi"], "3.1.0");
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn document_has_the_paths_of_the_router_and_no_other() {
    let source = fs::read_dir(Path::new(ROOT).join("src/admin")).unwrap();
    let source: String = source.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let routes = source.split(".route(").skip(1).filter_map(|rest| rest.split('"').nth(1));
    let document = document();
    let known: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(routes.collect::<BTreeSet<_>>(), known);
}

#[test]
fn paths_take_the_methods_of_the_document_and_no_other() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&Site::of(&[&node]));
    for (path, item) in document()["paths"].as_object().unwrap() {
        for method in METHODS {
            let described = if method == "HEAD" { "get" } else { &method.to_ascii_lowercase() };
            let is_known = item.get(described).is_some();
            // Those are asked in earnest elsewhere.
            if is_known && method != "HEAD" {
                continue;
            }
            let (status, ..) = ask(&bookend, method, &path.replace(['{', '}'], ""), "", "");
            assert_eq!(status == 405, !is_known, "{method} {path} is answered with {status}");
        }
    }
}

#[test]
fn every_answer_is_described() {
    let (a, b, told) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("told"));
    let told = format!("alerts: {{ webhooks: [{{ url: \"http://{}/\" }}] }}", told.address());
    let site = Site::of(&[&a, &b]).with_top(&told);
    let (bookend, document) = (Bookend::start(&site), document());
    let broken = site.clone().with_pool("helth_check: off");
    let mut done = BTreeSet::new();
    let mut ask = |method: &str, path: &str, body: &str, wanted: u16| {
        let (status, value) = hold(&bookend, &document, method, path, body);
        assert_eq!(status, wanted, "{method} {path} {body:.80}: {value}");
        if status == 200 {
            done.insert(operation(&document, method, path)["operationId"].as_str().unwrap().to_owned());
        }
        value
    };
    for path in ["/healthz", "/readyz", "/metrics", "/status", "/openapi.json"] {
        ask("GET", path, "", 200);
    }
    let drain = r#"{"node": "web/web-02", "for": "30m", "reason": "test", "never_recall": true}"#;
    ask("POST", "/drain", drain, 200);
    ask("POST", "/drain", drain, 409);
    let incidents = eventually("an incident is open", || {
        let incidents = ask("GET", "/incidents", "", 200);
        incidents.get(0).is_some().then_some(incidents)
    });
    let id = incidents[0]["id"].as_str().unwrap();
    ask("GET", &format!("/incidents/{id}"), "", 200);
    let story = ask("GET", "/incidents/last?format=markdown", "", 200);
    assert!(story.as_str().unwrap().contains(id), "{story}");
    ask("GET", "/incidents/last?format=pdf", "", 400);
    ask("GET", "/incidents/2020-01-01-1", "", 404);
    assert_eq!(ask("POST", "/alerts/test", "", 200)["results"].as_array().unwrap().len(), 1);
    let refused = ask("POST", "/drain", r#"{"node": "web/web-01", "reason": "test"}"#, 409);
    let numbers = [&refused["available"], &refused["nodes"], &refused["min_available"]];
    assert_eq!(numbers, [&json!(0), &json!(2), &json!(1)], "{refused}");
    ask("POST", "/drain", r#"{"node": "web/web-01", "reason": "test", "force": true}"#, 200);
    ask("POST", "/drain", r#"{"node": "web/nobody", "reason": "test"}"#, 404);
    ask("POST", "/drain", r#"{"node": "web/web-02"}"#, 400);
    ask("POST", "/silence", r#"{"pool": "web", "for": "1h", "reason": "test"}"#, 200);
    ask("POST", "/silence", r#"{"pool": "nobody", "reason": "test"}"#, 404);
    bookend.write_configuration(&broken.to_yaml(&[bookend.address()]));
    assert_eq!(ask("POST", "/reload", "", 422)["problems"].as_array().unwrap().len(), 1);
    let status = ask("GET", "/status", "", 200);
    assert!(status["pools"][0]["nodes"][0]["lease"].is_object(), "{status}");
    assert!(status["silences"][0].is_object() && status["configuration"]["refused"].is_object(), "{status}");
    bookend.write_configuration(&site.to_yaml(&[bookend.address()]));
    ask("POST", "/reload", "", 200);
    ask("POST", "/reload", r#"{"force": true}"#, 200);
    ask("POST", "/reload", r#"{"force": 1}"#, 400);
    ask("POST", "/reopen", "", 200);
    ask("POST", "/renew", r#"{"node": "web/web-02", "for": "1h"}"#, 200);
    ask("POST", "/undrain", r#"{"node": "web/web-02"}"#, 200);
    ask("POST", "/undrain", r#"{"node": "web/web-02"}"#, 409);
    ask("POST", "/unsilence", r#"{"pool": "web"}"#, 200);
    ask("POST", "/unsilence", r#"{"pool": "web"}"#, 409);
    assert!(ask("POST", "/upgrade", "", 200)["process"].is_u64());
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
    let known: BTreeSet<_> =
        operations.map(|(_, known)| known["operationId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(done, known, "each is to be asked in earnest");
}

#[test]
fn bodies_have_the_keys_of_the_document_and_no_other() {
    let node = Origin::answering("a");
    let (bookend, document) = (Bookend::start(&Site::of(&[&node])), document());
    let schemas = Schemas::of(&document, Strictness::Fits);
    let good = json!({ "node": "nobody/nobody", "pool": "nobody", "for": "1h", "reason": "x", "force": true,
        "never_recall": true, "nonsense": "x" });
    let mut wishes = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let wish = &item["post"]["requestBody"]["content"]["application/json"]["schema"];
        if !wish.is_object() {
            continue;
        }
        wishes += 1;
        let known = schemas.resolve(wish)["properties"].as_object().unwrap();
        for (key, value) in good.as_object().unwrap() {
            let mut body = good.clone();
            body.as_object_mut().unwrap().retain(|key, _| known.contains_key(key));
            // What nobody knows is refused whatever it says, the rest for what it says.
            body[key] = if known.contains_key(key) { json!(["wrong"]) } else { value.clone() };
            let (status, problem) = hold(&bookend, &document, "POST", path, &body.to_string());
            let detail = problem["detail"].as_str().unwrap();
            assert_eq!(status, 400, "{path} {key}: {detail}");
            let is_known = !detail.contains("unknown field") && !detail.contains("this is for");
            assert_eq!(is_known, known.contains_key(key), "{path} {key}: {detail}");
        }
        let mut body = good.clone();
        body.as_object_mut().unwrap().retain(|key, _| known.contains_key(key));
        let (status, problem) = hold(&bookend, &document, "POST", path, &body.to_string());
        assert_ne!(status, 400, "{path} does not take all that it should: {problem}");
    }
    assert_eq!(wishes, 6);
}

#[test]
fn every_field_is_described() {
    let document = document();
    let schemas = Schemas::of(&document, Strictness::IsWhole);
    schemas.hold("Status", &serde_json::to_value(whole::status()).unwrap());
    schemas.hold("Drained", &serde_json::to_value(whole::drained()).unwrap());
    schemas.hold("Incident", &serde_json::to_value(whole::incident()).unwrap());
    schemas.hold("IncidentAccount", &serde_json::to_value(whole::account()).unwrap());
    schemas.hold("Tests", &serde_json::to_value(whole::tests()).unwrap());
    schemas.hold("Problem", &serde_json::to_value(whole::problem()).unwrap());
    schemas.hold("DrainWish", &serde_json::to_value(whole::wish()).unwrap());
    schemas.hold("SilenceWish", &serde_json::to_value(whole::hush()).unwrap());
}

#[test]
fn every_state_of_a_node_is_described() {
    let after = |state| match state {
        NodeState::Up => Some(NodeState::Returning),
        NodeState::Returning => Some(NodeState::Suspect),
        NodeState::Suspect => Some(NodeState::Resting),
        NodeState::Resting => Some(NodeState::OnTrial),
        NodeState::OnTrial => Some(NodeState::Ejected),
        NodeState::Ejected => Some(NodeState::PartlyDown),
        NodeState::PartlyDown => Some(NodeState::Down),
        NodeState::Down => Some(NodeState::Drained),
        NodeState::Drained => Some(NodeState::Unresolved),
        NodeState::Unresolved => None,
    };
    let states = std::iter::successors(Some(NodeState::Up), |state| after(*state));
    let states: Vec<Value> = states.map(|state| serde_json::to_value(state).unwrap()).collect();
    let known = &document()["components"]["schemas"]["Node"]["properties"]["state"]["enum"];
    assert_eq!(known.as_array().unwrap(), &states);
}
