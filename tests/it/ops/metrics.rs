//! The live `/metrics` of each role, against tests/ops/metrics.json: the table from which dashboards, rules and autoscalers are checked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::client::Client;
use crate::support::stack::{Stack, Wanted};
use crate::support::until;
use crate::support::world::World;

/// A metric's name, its type and its label values; a histogram's bounds are the values of `le`.
type Table = BTreeMap<String, (String, BTreeMap<String, BTreeSet<String>>)>;

fn table() -> Vec<Value> {
    serde_json::from_str(include_str!("../../ops/metrics.json")).expect("it is JSON")
}

/// Every series that a metric of the table is to have, as (labels, sample's suffix).
fn expected(metric: &Value, role: &str) -> BTreeSet<String> {
    let mut series = vec![String::new()];
    for (label, values) in metric["labels"].as_object().expect("labels") {
        let mut values: Vec<&str> =
            values.as_array().expect("values").iter().filter_map(Value::as_str).collect();
        if label == "dependency" {
            // `dev` needs no service, the others no SQLite.
            values.retain(|value| (*value == "sqlite") == (role == "dev"));
        }
        series = series
            .iter()
            .flat_map(|before| values.iter().map(move |value| format!("{before}{label}={value},")))
            .collect();
    }
    series.into_iter().collect()
}

fn parse(text: &str) -> Table {
    let mut table = Table::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            table.insert(name.to_owned(), (kind.to_owned(), BTreeMap::new()));
        } else if !line.starts_with('#') {
            let (name, labels) = match line.split_once('{') {
                Some((name, rest)) => (name, rest.split_once('}').expect("labels end").0),
                None => (line.split(' ').next().expect("a name"), ""),
            };
            let owner =
                table.keys().rfind(|metric| belongs(name, metric)).expect("its type comes first").clone();
            let mut plain = BTreeMap::new();
            let mut bound = "";
            for pair in labels.split(',').filter(|pair| !pair.is_empty()) {
                let (label, value) = pair.split_once('=').expect("a label");
                match label {
                    "le" => bound = value.trim_matches('"'),
                    _ => drop(plain.insert(label, value.trim_matches('"'))),
                }
            }
            let key: String = plain.iter().map(|(label, value)| format!("{label}={value},")).collect();
            let bounds = table.get_mut(&owner).expect("it was just found").1.entry(key).or_default();
            if !bound.is_empty() {
                bounds.insert(bound.to_owned());
            }
        }
    }
    table
}

/// Whether a sample is one of a metric: itself, or a part of a histogram.
fn belongs(sample: &str, metric: &str) -> bool {
    sample.strip_prefix(metric).is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count"))
}

fn holds(role: &str, text: &str) -> BTreeSet<String> {
    let shown = parse(text);
    let mut names = BTreeSet::new();
    for metric in table() {
        let name = metric["name"].as_str().expect("a name");
        let Some((kind, series)) = shown.get(name) else { continue };
        names.insert(name.to_owned());
        assert_eq!(kind, metric["type"].as_str().expect("a type"), "{role}: {name}");
        if name == "tidings_build_info" {
            let [labels] = series.keys().collect::<Vec<_>>()[..] else { panic!("{role}: {series:?}") };
            assert!(labels.contains(&format!("role={role},")) && labels.contains("version="), "{labels}");
            continue;
        }
        // Labels in the order of their names, as parsed above.
        let sorted = |labels: &String| {
            let mut pairs: Vec<_> = labels.split_terminator(',').collect();
            pairs.sort_unstable();
            pairs.iter().map(|pair| format!("{pair},")).collect::<String>()
        };
        let wanted: BTreeSet<String> = expected(&metric, role).iter().map(sorted).collect();
        assert_eq!(series.keys().cloned().collect::<BTreeSet<_>>(), wanted, "{role}: {name}");
        let bounds = metric["buckets"].as_array().map(|bounds| {
            let numbers = bounds.iter().filter_map(Value::as_f64).map(|bound| bound.to_string());
            numbers.chain(["+Inf".to_owned()]).collect::<BTreeSet<_>>()
        });
        for (labels, found) in series {
            assert_eq!(found, &bounds.clone().unwrap_or_default(), "{role}: {name} {labels}");
        }
    }
    let strange: Vec<_> =
        shown.keys().filter(|name| name.starts_with("tidings_") && !names.contains(*name)).collect();
    assert!(strange.is_empty(), "{role} shows what the table does not know: {strange:?}");
    assert_eq!(names.contains("tidings_connections"), matches!(role, "gateway" | "dev"), "autoscaling by it");
    assert_eq!(names.contains("tidings_queue_messages"), role != "gateway", "autoscaling by it");
    promtool(role, text);
    names
}

/// Prometheus' own opinion.
fn promtool(role: &str, text: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there: install the Debian package prometheus");
    child.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{role}: {said}");
}

fn all() -> BTreeSet<String> {
    table().iter().map(|metric| metric["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn dev_shows_every_row_of_the_table_with_every_label_value() {
    let world = World::dev(&[]).await;
    assert_eq!(holds("dev", &world.servers[0].metrics().await.unwrap()), all());
}

#[tokio::test]
async fn the_roles_together_show_every_row_of_the_table_with_every_label_value() {
    let world = World::roles(&[]).await;
    let push = world.another("push").await;
    let mut names = BTreeSet::new();
    for (role, process) in [("gateway", &world.servers[0]), ("worker", &world.workers[0]), ("push", &push)] {
        names.extend(holds(role, &process.metrics().await.unwrap()));
    }
    assert_eq!(names, all());
}

#[tokio::test]
async fn a_broker_that_holds_publishers_back_shows_as_a_dependency_that_is_down() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = World::roles_on(stack.postgres(), stack.rabbitmq(), stack.redis(), &[]).await;
    let gateway = &world.servers[0];
    let up = async || gateway.metric("tidings_dependency_up{dependency=\"rabbitmq\"").await == 1.0;
    until("it is up", async || up().await).await;
    stack.rabbitmq().raise_alarm().await;
    // RabbitMQ tells a connection of the alarm when that publishes.
    let (mut alice, _) = Client::login(world.here, "alice").await;
    for _ in 0..2 {
        let client_id = uuid::Uuid::new_v4();
        alice
            .send(serde_json::json!({"type": "send", "to": "bob", "client_id": client_id, "text": "x"}))
            .await;
    }
    until("the alarm shows", async || !up().await).await;
    stack.rabbitmq().clear_alarm().await;
    until("it is up again", async || up().await).await;
}

#[tokio::test]
async fn the_age_of_the_oldest_message_rises_while_postgres_is_away() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = World::roles_on(stack.postgres(), stack.rabbitmq(), stack.redis(), &[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let id = alice.say_to("bob", "before").await["conversation_id"].as_str().unwrap().to_owned();
    alice.message("before").await;
    stack.postgres().kill();
    alice.say_in(&id, "during").await;
    let age = async || {
        let mut oldest: f64 = 0.0;
        for worker in &world.workers {
            oldest = oldest.max(worker.metric("tidings_oldest_message_age_seconds{queue=\"inbound\"").await);
        }
        oldest
    };
    until("the age rises", async || age().await > 2.0).await;
    stack.postgres().start().await;
    alice.message("during").await;
    until("nothing waits any more", async || age().await == 0.0).await;
}
