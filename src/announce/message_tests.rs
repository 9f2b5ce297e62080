use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::*;

const HOUR: u64 = 3_600_000;

fn message(pool: Option<&str>, node: Option<&str>, what: What) -> Option<Message> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let event = Event { at: 2 * HOUR, pool: owned(pool), node: owned(node), what };
    // The clock on the wall is a day ahead, and a second has passed.
    let wall = UNIX_EPOCH + Duration::from_millis(26 * HOUR + 1_000);
    Messages::default().of(&event, 2 * HOUR + 1_000, wall)
}

fn alarm(stage: Stage, text: &str, silenced: bool) -> What {
    let (since, help) = (HOUR, "bookend undrain web/web-02".to_owned());
    What::Alarm { alarm: AlarmKind::Exposed, stage, since, text: text.to_owned(), help, silenced }
}

#[test]
fn alarm_is_told_with_all_that_is_known() {
    let message = message(Some("web"), None, alarm(Stage::Lasts, "one\nis left\0", false)).unwrap();
    let mut told: Value = serde_json::from_slice(&message.json()).unwrap();
    let keys = told.as_object_mut().unwrap();
    assert!(keys.remove("id").is_some() && keys.remove("host").is_some());
    let wanted = json!({
        "version": 1, "event": "alarm", "pool": "web", "node": null, "alarm": "exposed", "stage": "lasts",
        "since": "1970-01-02T01:00:00.000Z", "at": "1970-01-02T02:00:00.000Z",
        "text": "one is left ", "help": "bookend undrain web/web-02",
    });
    assert_eq!(told, wanted);
    assert!(message.variables().iter().all(|(_, value)| !value.contains('\0')));
}

#[test]
fn slack_sees_stage_place_and_help() {
    let slack = |what| {
        let told: Value = serde_json::from_slice(&message(Some("web"), None, what).unwrap().slack()).unwrap();
        told["text"].as_str().unwrap().to_owned()
    };
    let begins = slack(alarm(Stage::Begins, "<web-01> & no other", false));
    assert!(begins.starts_with("*web: exposed* ("), "{begins}");
    assert!(begins.ends_with(")\n&lt;web-01&gt; &amp; no other\n`bookend undrain web/web-02`"), "{begins}");
    assert!(slack(alarm(Stage::Ends, "", false)).starts_with("*web: no longer exposed* ("));
    let lasts = slack(alarm(Stage::Lasts, "", false));
    assert!(lasts.starts_with("*web: still exposed, since 1970-01-02T01:00:00.000Z* ("), "{lasts}");
}

#[test]
fn what_is_silenced_or_of_no_interest_is_not_told() {
    assert_eq!(message(Some("web"), None, alarm(Stage::Begins, "", true)), None);
    for what in [
        What::Stopped,
        What::Up,
        What::Back,
        What::Reloaded { generation: 2, by: None, changes: Vec::new(), removed: Vec::new() },
    ] {
        assert_eq!(message(None, None, what), None);
    }
}

#[test]
fn text_has_an_end() {
    let why = "x".repeat(100_000);
    let message = message(None, None, What::ReloadRefused { by: None, why }).unwrap();
    assert_eq!(message.text.chars().count(), LONGEST + 1);
}

#[test]
fn beginning_of_an_alarm_stays_where_it_was() {
    let what = alarm(Stage::Lasts, "", false);
    let event = Event { at: 2 * HOUR, pool: Some("web".to_owned()), node: None, what };
    let mut messages = Messages::default();
    let mut since = |ahead| {
        let wall = UNIX_EPOCH + Duration::from_millis(2 * HOUR + ahead);
        messages.of(&event, 2 * HOUR, wall).unwrap().since.unwrap()
    };
    assert_eq!((since(1_000), since(1_001), since(999)), (since(0), since(1), since(2_000)));
    assert_eq!(since(1_000), "1970-01-01T01:00:01.000Z");
    // Somebody has set the clock.
    assert_eq!(since(HOUR), "1970-01-01T02:00:00.000Z");
}

#[test]
fn ids_differ() {
    let mut messages = Messages::default();
    let (one, two) = (messages.test(UNIX_EPOCH), messages.test(UNIX_EPOCH));
    assert_ne!(one.id, two.id);
    assert_ne!(one.id, Messages::default().test(UNIX_EPOCH).id);
    assert!(one.is_about_the_same(&two) && !one.is_repeat());
}
