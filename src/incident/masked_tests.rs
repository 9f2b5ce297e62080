use proptest::prelude::*;

use super::*;

const MINUTE: u64 = 60_000;
const RULE: config::Masked = config::Masked { hundredths: 100, window: Duration::from_secs(300) };

/// A pool whose requests are counted second by second.
#[derive(Default)]
struct Site {
    masked: Masked,
    now: u64,
    counts: PoolCounts,
    /// When the alarm began and ended, in seconds.
    changes: Vec<u64>,
    last: Option<Alarm>,
}

impl Site {
    fn new() -> Self {
        let mut site = Self { now: 1_000_000, ..Self::default() };
        site.counts.pool = "web".to_owned();
        site.masked.count(site.now, vec![site.counts.clone()]);
        site
    }

    /// A second with so many requests, of which some were saved after `node` failed.
    fn second(&mut self, total: u64, saved: u64, node: &str) {
        self.now += 1_000;
        (self.counts.total, self.counts.saved) = (self.counts.total + total, self.counts.saved + saved);
        *self.counts.failed.entry((node.to_owned(), "maybe_sent".to_owned())).or_default() += saved;
        self.masked.count(self.now, vec![self.counts.clone()]);
        let alarm = self.masked.alarms(self.now, Some(RULE)).pop();
        if alarm.is_some() != self.last.is_some() {
            self.changes.push((self.now - 1_000_000) / 1_000);
        }
        self.last = alarm;
    }

    fn seconds(&mut self, seconds: u64, mut traffic: impl FnMut(u64) -> (u64, u64)) {
        for second in 0..seconds {
            let (total, saved) = traffic(second);
            self.second(total, saved, "web-02");
        }
    }
}

#[test]
fn site_that_is_held_up_by_retries_rings_and_stops_when_it_is_well() {
    let mut site = Site::new();
    site.seconds(600, |_| (50, 0));
    site.seconds(600, |_| (50, 1));
    assert_eq!(site.changes.len(), 1, "{:?}", site.changes);
    let after = site.changes[0] - 600;
    assert!((210..=260).contains(&after), "it rang after {after} s");
    let alarm = site.last.clone().unwrap();
    assert_eq!((alarm.kind, alarm.pool.as_str()), (AlarmKind::Masked, "web"));
    let wanted = "pool web is held up by retries: they saved 2.0 % of 15,000 requests in 5m; 100 % of the attempts \
                  that failed were at web-02, which broke the connection";
    assert_eq!(
        (alarm.text.as_str(), alarm.help.as_str()),
        (wanted, "bookend drain web/web-02 --reason failing")
    );
    site.seconds(600, |_| (50, 0));
    assert_eq!(site.changes.len(), 2);
    let after = site.changes[1] - 1_200;
    assert!((150..=190).contains(&after), "it was over after {after} s");
}

#[test]
fn one_node_that_dies_for_a_second_does_not_ring() {
    // On a quiet site, a busy one, and one where it takes half of everything for ten seconds.
    for (rate, saved, long) in [(1, 1, 10), (2, 2, 1), (20, 20, 1), (1_000, 500, 1), (1_000, 500, 10)] {
        let mut site = Site::new();
        site.seconds(1_200, |second| (rate, if (600..600 + long).contains(&second) { saved } else { 0 }));
        assert!(site.changes.is_empty(), "{rate} a second, {saved} saved for {long} s: {:?}", site.changes);
        let rate = site.masked.rate("web", site.now, RULE.window).unwrap();
        assert_eq!(rate.saved, 0);
    }
}

#[test]
fn handful_of_requests_proves_nothing() {
    let mut site = Site::new();
    site.seconds(3_600, |second| (u64::from(second % 60 == 0), u64::from(second % 60 == 0)));
    assert!(site.changes.is_empty());
    // Ten in five minutes do, if there is one in most of the parts.
    site.seconds(900, |second| (u64::from(second % 25 == 0), u64::from(second % 25 == 0)));
    assert_eq!(site.changes.len(), 1);
}

#[test]
fn share_near_the_limit_does_not_come_and_go() {
    let mut site = Site::new();
    let mut rng = fastrand::Rng::with_seed(3);
    site.seconds(7_200, |_| (100, u64::from(rng.f64() < 0.9) + u64::from(rng.f64() < 0.1)));
    assert!(site.changes.len() == 1, "{:?}", site.changes);
}

#[test]
fn rate_names_what_fails_most() {
    let mut site = Site::new();
    site.second(100, 2, "web-01");
    site.second(100, 5, "web-02");
    site.seconds(6, |_| (0, 0));
    let rate = site.masked.rate("web", site.now, RULE.window).unwrap();
    assert_eq!((rate.total, rate.saved, rate.share()), (200, 7, 0.035));
    let cause = rate.cause.unwrap();
    assert_eq!((cause.node.as_str(), cause.count, cause.of), ("web-02", 5, 7));
    assert_eq!(site.masked.rate("api", site.now, RULE.window), None);
}

#[test]
fn what_was_before_does_not_count_and_what_is_gone_is_forgotten() {
    let mut masked = Masked::default();
    let counts = |total| PoolCounts { pool: "web".to_owned(), total, saved: total, ..PoolCounts::default() };
    masked.count(0, vec![counts(1_000)]);
    masked.count(1_000, vec![counts(1_001)]);
    let total = |masked: &Masked| masked.rate("web", MINUTE, RULE.window).map(|rate| rate.total);
    assert_eq!(total(&masked), Some(1));
    masked.count(2_000, Vec::new());
    assert_eq!(total(&masked), None);
    masked.count(3_000, vec![counts(5_000)]);
    masked.count(4_000, vec![counts(1)]);
    assert_eq!(total(&masked), Some(0));
}

#[test]
fn alarm_can_be_off() {
    let mut site = Site::new();
    site.seconds(600, |_| (10, 10));
    assert!(site.last.is_some());
    assert_eq!(site.masked.alarms(site.now, None), []);
}

#[test]
fn numbers_are_grouped() {
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
        assert_eq!(grouped(number), text);
    }
}

proptest! {
    /// Whatever the clock and the counters do, what is kept has a bound and shares are shares.
    #[test]
    fn memory_is_bounded(steps in prop::collection::vec((0_u64..100_000, 0_u64..50, 0_u64..50), 1..400)) {
        let mut masked = Masked::default();
        let (mut now, mut counts) = (0, PoolCounts { pool: "web".to_owned(), ..PoolCounts::default() });
        for (pass, total, saved) in steps {
            now += pass;
            counts.total += total;
            counts.saved += saved.min(total);
            masked.count(now, vec![counts.clone()]);
            let rate = masked.rate("web", now, Duration::from_secs(3_600)).unwrap();
            prop_assert!((0.0..=1.0).contains(&rate.share()));
            prop_assert!(masked.pools["web"].slots.len() as u64 <= MOST_SLOTS + 1);
        }
    }
}
