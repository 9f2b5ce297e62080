//! The dashboard and the alert rules ask for numbers that there are, in words that Prometheus reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{Authority, Bookend, Client, Origin, Port, Site, TempDirectory, eventually, fetch};

/// Labels that Prometheus adds to whatever it reads.
const ADDED: [&str; 2] = ["instance", "job"];

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/examples").join(name)
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(example("grafana.json")).unwrap()).unwrap()
}

fn alerts() -> Value {
    serde_yaml::from_str(&fs::read_to_string(example("alerts.yml")).unwrap()).unwrap()
}

/// Every text at a key of this name, at whatever depth.
fn all<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    match value {
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(text) if name == key => vec![text],
                _ => all(value, key),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(|value| all(value, key)).collect(),
        _ => Vec::new(),
    }
}

/// What Prometheus is asked, with values in the place of Grafana's variables.
fn queries_of_the_dashboard() -> Vec<String> {
    let dashboard = dashboard();
    let fill = |query: &str| {
        query.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$pool", ".*")
    };
    let panels = all(&dashboard, "expr").into_iter().map(fill);
    // `label_values(metric, label)` is Grafana's, and asks for this.
    let variables = all(&dashboard["templating"], "definition").into_iter().map(|definition| {
        let inner = definition.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (metric, label) = inner.unwrap().split_once(", ").unwrap();
        format!("count by ({label}) ({metric})")
    });
    panels.chain(variables).collect()
}

fn promtool(arguments: &[&str], file: &Path) -> Output {
    Command::new("promtool")
        .args(arguments)
        .arg(file)
        .output()
        .expect("promtool is there; scripts/setup test installs it")
}

#[track_caller]
fn succeeds(output: &Output) {
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{said}");
}

/// The metrics of a bookend that has been through all that is counted, each with the names of its labels.
fn exposed() -> BTreeMap<String, BTreeSet<String>> {
    let (node, dead, broken) = (Origin::answering("a"), Origin::absent(), Origin::start(|call| call.reset()));
    let site = Site::of(&[&node, &dead, &broken]).with_pool("health_check: { interval: 20ms, fall: 3 }");
    let site = site.with_pool("retry: { body_buffer: 1KiB }").with_top("alerts: { command: [\"true\"] }");
    let (authority, secure) = (Authority::new(), Port::free());
    let tls = format!("tls: {{ certificates: [{}] }}", authority.server("site", &["site.test"]).entry());
    let listeners = format!(
        "redirect_to_https: false\n    limits: {{ connections_per_client: 1 }}\n  - address: {secure}\n    {tls}"
    );
    let bookend = Bookend::start(&site.with_listener(&listeners));
    for _ in 0..4 {
        eventually("there is room", || (fetch(bookend.address(), "/").status == 200).then_some(()));
    }
    eventually("a long body is not kept", || {
        let mut client = Client::connect(bookend.address());
        // Where there is no room yet, the connection ends before the body is sent.
        let answer = client.try_request("PUT", "/", "", &[b'x'; 100_000]);
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    // A connection counts until bookend has seen its end, so that the one after it may be refused.
    let _seated = eventually("a client is seated", || {
        let mut client = Client::connect(bookend.address());
        let answer = client.try_request("GET", "/", "", b"");
        answer.is_ok_and(|answer| answer.status == 200).then_some(client)
    });
    eventually("there is no room", || (fetch(bookend.address(), "/").status == 429).then_some(()));
    bookend.wait_for_log("node is down");
    let text = eventually("all is counted", || {
        let text = String::from_utf8(bookend.ask("/metrics")).unwrap();
        let has = |part| text.lines().any(|line: &str| line.starts_with(part));
        (has("bookend_attempts_failed_total{") && has("bookend_node_first_byte_seconds_count{"))
            .then_some(text)
    });
    let mut exposed = BTreeMap::<String, BTreeSet<String>>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = line.split_once(['{', ' ']).unwrap();
        let labels = labels.split_once('}').map_or("", |(labels, _)| labels);
        let names =
            labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        exposed.entry(name.to_owned()).or_default().extend(names);
    }
    exposed
}

/// The words of a query, without what stands in quotes.
fn words(query: &str) -> Vec<&str> {
    let bare = query.split('"').step_by(2);
    let words = bare.flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

/// What a query asks for that is not there: metrics, and labels that none of its metrics has.
fn missing(query: &str, exposed: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let words = words(query);
    let metrics: Vec<_> = words.iter().filter(|word| word.starts_with("bookend_")).collect();
    let mut labels: BTreeSet<&str> = ADDED.into();
    labels.extend(metrics.iter().filter_map(|name| exposed.get(**name)).flatten().map(String::as_str));
    // What is neither metric nor label is the language's own.
    let language = [
        "sum",
        "by",
        "rate",
        "or",
        "on",
        "and",
        "count",
        "min",
        "max",
        "unless",
        "vector",
        "increase",
        "group_left",
        "m",
        "histogram_quantile",
        "time",
        "up",
    ];
    let is_known =
        |word: &&&str| exposed.contains_key(**word) || labels.contains(**word) || language.contains(*word);
    words.iter().filter(|word| !is_known(word)).map(|word| (*word).to_owned()).collect()
}

#[test]
fn dashboard_and_alerts_ask_for_what_there_is() {
    let exposed = exposed();
    let alerts = alerts();
    let of_alerts = all(&alerts, "expr").into_iter().map(str::to_owned);
    let queries: Vec<_> = queries_of_the_dashboard().into_iter().chain(of_alerts).collect();
    assert!(queries.len() > 30, "{}", queries.len());
    for query in &queries {
        assert_eq!(missing(query, &exposed), [""; 0], "{query}");
    }
    assert_eq!(missing("rate(bookend_no_total[5m])", &exposed), ["bookend_no_total"]);
    assert_eq!(missing("sum by (node) (bookend_connections)", &exposed), ["node"]);
    let asked: BTreeSet<_> = queries.iter().flat_map(|query| words(query)).collect();
    let is_shown = |name: &str| {
        let base =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        asked.contains(name) || asked.contains(format!("{base}_bucket").as_str())
    };
    let unseen: Vec<_> = exposed.keys().filter(|name| !is_shown(name)).collect();
    assert!(unseen.is_empty(), "nobody looks at {unseen:?}");
}

#[test]
fn queries_of_the_dashboard_are_prometheus() {
    let rule = |(number, query)| json!({ "record": format!("query:{number}"), "expr": query });
    let rules: Vec<_> = queries_of_the_dashboard().into_iter().enumerate().map(rule).collect();
    let directory = TempDirectory::new();
    let file = directory.path().join("rules.yml");
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(&file, groups.to_string()).unwrap();
    succeeds(&promtool(&["check", "rules"], &file));
}

#[test]
fn dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39) && dashboard["id"].is_null());
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "an id is there twice");
    let sources = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    for panel in sources {
        let targets = panel["targets"].as_array().unwrap();
        for source in targets.iter().chain([panel]).map(|part| &part["datasource"]["uid"]) {
            assert_eq!(source, "${datasource}", "{}", panel["title"]);
        }
    }
    let mut places = BTreeSet::new();
    for place in panels.iter().map(|panel| &panel["gridPos"]) {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place[key].as_u64().unwrap());
        assert!(x + w <= 24, "{place}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(places.insert(cell), "two panels overlap at {cell:?}");
        }
    }
}

#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    succeeds(&promtool(&["check", "rules"], &example("alerts.yml")));
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alerts.yml");
    succeeds(&promtool(&["test", "rules"], &tests));
    let tests: Value = serde_yaml::from_str(&fs::read_to_string(tests).unwrap()).unwrap();
    let cases: Vec<_> = tests["tests"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
        .collect();
    for alert in all(&alerts(), "alert") {
        let count = |is_quiet: bool| {
            let of_alert = cases.iter().filter(|case| case["alertname"] == alert);
            of_alert.filter(|case| case["exp_alerts"].as_array().unwrap().is_empty() == is_quiet).count()
        };
        assert!(count(true) > 0 && count(false) > 0, "{alert} is not tested both ways");
    }
}
