use http::HeaderName;

use super::*;
use crate::model::{HostPattern, PathPrefix, StatusSet};

mod golden;
mod hostile;
mod reference;

fn read(text: &str) -> Config {
    parse("test.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

const SMALLEST: &str = include_str!("../../conf/bookend.yaml");

#[test]
fn smallest_file_has_every_default() {
    let config = read(SMALLEST);
    assert_eq!(config.server, Server::default());
    assert_eq!(config.access_log, None);
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].timeouts, ClientTimeouts::default());
    assert_eq!(config.listeners[0].limits, ClientLimits::default());
    let pool = &config.pools["web"];
    assert_eq!(pool.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["web-01", "web-02"]);
    assert_eq!(pool.health_check, Some(HealthCheck::default()));
    assert_eq!((&pool.retry, &pool.timeouts), (&Retry::default(), &NodeTimeouts::default()));
    let route = &config.routes[0];
    assert_eq!((route.name.as_str(), route.pool.as_str()), ("route-1", "web"));
    assert_eq!((&route.hosts, &route.path), (&vec![HostPattern::Any], &PathPrefix::default()));
}

/// A file with one listener, the `pool` called `web` and the `routes`.
fn file(pool: &str, routes: &str) -> Config {
    read(&format!("listeners: [{{address: 127.0.0.1:8080}}]\npools: {{web: {pool}}}\nroutes: {routes}\n"))
}

#[test]
fn node_is_an_address_or_a_mapping() {
    let config = file(
        "{nodes: [10.0.0.1:80, {address: App.Internal:80}, {address: 'unix:/run/a', tier: 1}]}",
        "[{pool: web}]",
    );
    let nodes = &config.pools["web"].nodes;
    let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["10.0.0.1:80", "app.internal:80", "unix:/run/a"]);
    assert_eq!(nodes.iter().map(|node| node.tier.0).collect::<Vec<_>>(), [0, 0, 1]);
}

#[test]
fn check_is_tcp_http_or_off() {
    let check = |text: &str| {
        let pool = format!("{{nodes: [10.0.0.1:80], health_check: {text}}}");
        file(&pool, "[{pool: web}]").pools["web"].health_check.clone()
    };
    assert_eq!(check("off"), None);
    assert_eq!(check("{}"), Some(HealthCheck::default()));
    let http = CheckKind::Http { path: "/".to_owned(), host: None, status: "200-399".parse().unwrap() };
    assert_eq!(check("{type: http}"), Some(HealthCheck { kind: http, ..HealthCheck::default() }));
    let http = CheckKind::Http {
        path: "/up?full=1".to_owned(),
        host: Some("a.example".to_owned()),
        status: StatusSet::union(["200".parse().unwrap(), "204-205".parse().unwrap()]),
    };
    let wanted = HealthCheck { kind: http, fall: 1, ..HealthCheck::default() };
    let told = "{type: http, path: '/up?full=1', host: a.example, status: [200, 204-205], fall: 1}";
    assert_eq!(check(told), Some(wanted));
}

#[test]
fn route_takes_from_its_pool_what_it_does_not_tell() {
    let config = file(
        "{nodes: [10.0.0.1:80], retry: {attempts: 5, part_sent: false}, timeouts: {connect: 3s, idle: 1s}}",
        "[{pool: web}, {pool: web, path: /x, retry: {part_sent: true}, timeouts: {connect: 2s}, max_body: 1MiB}]",
    );
    let (pool, routes) = (&config.pools["web"], &config.routes);
    assert_eq!(
        (&routes[0].retry, &routes[0].timeouts, routes[0].max_body),
        (&pool.retry, &pool.timeouts, None)
    );
    assert_eq!(routes[1].retry, Retry { part_sent: true, ..pool.retry.clone() });
    let connect = std::time::Duration::from_secs(2);
    assert_eq!(routes[1].timeouts, NodeTimeouts { connect, ..pool.timeouts.clone() });
    assert_eq!(routes[1].max_body, Some(1024 * 1024));
}

#[test]
fn route_without_a_name_gets_one_that_is_free() {
    let routes = "[{pool: web, name: route-2}, {pool: web, path: /a}, {pool: web, path: /b}]";
    let config = file("{nodes: [10.0.0.1:80]}", routes);
    let names: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["route-2", "route-2-2", "route-3"]);
}

#[test]
fn route_may_keep_the_name_of_its_place() {
    let config = file("{nodes: [10.0.0.1:80]}", "[{pool: web, name: route-1}, {pool: web, path: /a}]");
    let names: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["route-1", "route-2"]);
}

#[test]
fn routes_that_differ_in_one_condition_stand_side_by_side() {
    let routes = "[
        {pool: web},
        {pool: web, host: a.example},
        {pool: web, host: [a.example, b.example]},
        {pool: web, path: /a},
        {pool: web, methods: GET},
        {pool: web, headers: {X-Beta: '1'}},
        {pool: web, headers: {X-Beta: '*'}},
    ]";
    let config = file("{nodes: [10.0.0.1:80]}", routes);
    assert_eq!(config.routes.len(), 7);
    assert_eq!(config.routes[6].headers, [(HeaderName::from_static("x-beta"), None)]);
}

#[test]
fn alias_stands_for_a_whole_value() {
    let text = SMALLEST.replace(
        "  - pool: web",
        "  - {pool: web, timeouts: &t {connect: 2s}}\n  - {pool: web, path: /a, timeouts: *t}",
    );
    let config = read(&text);
    assert_eq!(config.routes[0].timeouts, config.routes[1].timeouts);
}

#[test]
fn problem_at_the_end_of_a_file_without_a_last_line_end_is_in_its_last_line() {
    for (text, line) in
        [("a: {b: 1,", 1), ("a:\n  - [b, {c: 1},", 2), ("a: [\rb, {c: 1},", 2), ("a: {b: 1,\n", 2)]
    {
        let problems = parse("test.yaml", text.as_bytes()).unwrap_err();
        assert!(problems.iter().all(|problem| problem.line <= line), "{text:?}: {problems}");
    }
}

#[test]
fn limits_can_be_off() {
    let limits = "limits: {connections_per_client: off, body: 10MiB, head: 1024}";
    let text = SMALLEST.replace("address: 0.0.0.0:8080", &format!("address: '[::1]:80'\n    {limits}"));
    let listener = &read(&text).listeners[0];
    assert_eq!(listener.address.to_string(), "[::1]:80");
    let body = Some(10 * 1024 * 1024);
    let wanted = ClientLimits { connections_per_client: None, head: 1024, body, ..ClientLimits::default() };
    assert_eq!(listener.limits, wanted);
}

#[test]
fn access_log_is_a_file_stdout_or_off() {
    let log = |told: &str| read(&format!("access_log: {told}\n{SMALLEST}")).access_log;
    let to = |destination, format| Some(AccessLog { destination, format });
    assert_eq!(log("off"), None);
    assert_eq!(log("{path: stdout}"), to(LogDestination::Stdout, LogFormat::Json));
    let file = |path: &str| LogDestination::File(path.into());
    assert_eq!(log("{path: ./stdout, format: json}"), to(file("./stdout"), LogFormat::Json));
    assert_eq!(
        log("{path: /var/log/a.log, format: combined}"),
        to(file("/var/log/a.log"), LogFormat::Combined)
    );
}

#[test]
fn alerts_go_to_webhooks_and_a_command() {
    let alerts = |told: &str| read(&format!("alerts: {told}\n{SMALLEST}")).alerts;
    assert_eq!((read(SMALLEST).alerts, alerts("{}")), (Alerts::default(), Alerts::default()));
    assert_eq!(alerts("{masked: off}").masked, None);
    let masked =
        |hundredths, seconds| Some(Masked { hundredths, window: std::time::Duration::from_secs(seconds) });
    assert_eq!(alerts("{masked: {percent: 0.25, for: 2m}}").masked, masked(25, 120));
    assert_eq!(alerts("{masked: {percent: 100}}").masked, masked(10_000, 300));
    let found = alerts(
        "{webhooks: [{url: 'http://[::1]:9/x'}, {url: 'https://a', format: slack, name: b}], command: [a, '']}",
    );
    let names: Vec<_> = found.webhooks.iter().map(|hook| hook.name.as_str()).collect();
    assert_eq!(names, ["webhook-1", "b"]);
    let tell = found.command.unwrap();
    assert_eq!((tell.program.as_str(), tell.arguments), ("a", vec![String::new()]));
}

#[test]
fn secrets_of_webhooks_are_not_shown() {
    let text = "alerts: {webhooks: [{url: 'https://a/secret?secret', headers: {Authorization: secret}}]}";
    let config = read(&format!("{text}\n{SMALLEST}"));
    assert!(
        !format!("{config:?}").contains("secret?") && !format!("{:?}", config.alerts).contains("/secret")
    );
    assert_eq!(
        format!("{:?}", config.alerts).matches("secret").count(),
        "secret_file".matches("secret").count()
    );
}

#[test]
fn problems_with_webhooks_do_not_tell_their_secrets() {
    for name in ["alerts", "alerts_words"] {
        let path = format!("{}/tests/config/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let said = std::fs::read_to_string(path).unwrap();
        assert!(
            said.contains("alerts.webhooks")
                && !said.contains("secret-")
                && !said.contains("services/secret")
        );
    }
}

#[test]
fn trusted_proxies_are_addresses_and_networks() {
    let text =
        SMALLEST.replace("8080 #", "8080\n    trusted_proxies: [10.0.0.0/8, 192.0.2.7, unix, '::1'] #");
    let trusted = &read(&text).listeners[0].trusted_proxies;
    let networks: Vec<_> = trusted.networks.iter().map(ToString::to_string).collect();
    assert!(trusted.unix);
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "::1/128"]);
}
