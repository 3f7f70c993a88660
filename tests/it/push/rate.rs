//! A backlog of pushes to each provider: all arrive; how many a second?
//!
//! Short as part of `make test`; `make push-rate` sets `TIDINGS_RATE=long`, gives the push process a core of its own and prints figures.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::Instant;

use super::scene::SOON;
use crate::support::client::{Client, http};
use crate::support::push;
use crate::support::server::{Server, program};
use crate::support::world::World;

struct Form {
    users: usize,
    /// To each of them: fewer than what makes a summary.
    messages: usize,
    measured: bool,
}

fn form() -> Form {
    if std::env::var("TIDINGS_RATE").is_ok_and(|form| form == "long") {
        Form { users: 3000, messages: 4, measured: true }
    } else {
        Form { users: 20, messages: 4, measured: false }
    }
}

/// Whoever does not push shares the first core.
const OTHERS: &str = "0";
const PUSH: &str = "1";
const SENDERS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_pushes_arrives_whole() {
    let form = form();
    if form.measured {
        // What is started from here on stays with it.
        pin(&["-a"], std::process::id(), OTHERS);
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (_fake, control, settings) = fake_push(folder.path()).await;
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut world = World::roles_with_push(&settings).await;
    for platform in ["apns", "fcm", "webpush"] {
        let pusher = &mut world.pushers[0];
        pusher.kill();
        let users: Vec<String> = (0..form.users).map(|number| format!("{platform}-{number}")).collect();
        let chunks = users.chunks(form.users.div_ceil(SENDERS));
        join_all(chunks.clone().map(|some| register(world.there, &control, platform, some))).await;
        let senders = chunks.enumerate().map(|(number, some)| {
            send(world.here, format!("{platform}-sender-{number}"), some, form.messages)
        });
        join_all(senders).await;
        // The workers put the last of their jobs.
        tokio::time::sleep(Duration::from_secs(if form.measured { 5 } else { 1 })).await;

        let pusher = &mut world.pushers[0];
        start(pusher, form.measured);
        let pushes = form.users * form.messages;
        let (took, cpu) = watch(pusher, &control, platform, pushes as u64).await;
        if form.measured {
            println!(
                "push-rate: {platform}: {pushes} pushes in {took:.2?}, {:.0} a second; {:.0} a second of its own CPU time",
                pushes as f64 / took.as_secs_f64(),
                pushes as f64 / cpu.as_secs_f64(),
            );
        }
        let label = format!("provider=\"{platform}\",result=\"delivered\"");
        let deadline = Instant::now() + SOON;
        while pusher.labelled_metric("tidings_push_requests_total", &label).await < pushes as f64 {
            assert!(Instant::now() < deadline, "{}", pusher.output());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The fakes in a process of their own; the address of their control port and the settings that point at them.
async fn fake_push(folder: &std::path::Path) -> (tokio::process::Child, String, Vec<(String, String)>) {
    let mut child = tokio::process::Command::new(program(&["fake-push".to_owned()]))
        .args(["fake-push", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary can be run");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut printed = String::new();
    while !printed.contains("TIDINGS__WEBPUSH__CA_FILE=") {
        let line = lines.next_line().await.expect("it can be read").expect("it runs");
        printed.push_str(&line);
        printed.push('\n');
    }
    // A line for each push, which nobody reads.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let control =
        printed.split_whitespace().find(|word| word.starts_with("http://")).expect("the control port");
    let settings = push::settings(&printed).into_iter();
    let settings =
        settings.map(|(name, value)| (name.trim_start_matches("TIDINGS__").to_lowercase(), value)).collect();
    (child, control.to_owned(), settings)
}

async fn register(at: SocketAddr, control: &str, platform: &str, users: &[String]) {
    let fakes = reqwest::Client::new();
    for user in users {
        let token = match platform {
            "apns" => format!("{:064x}", rand::random::<u128>()),
            "fcm" => format!("fcm-{:032x}", rand::random::<u128>()),
            _ => {
                let made = fakes.post(format!("{control}/subscriptions")).send().await;
                let made: Value = made.expect("an answer").json().await.expect("JSON");
                made["subscription"].to_string()
            }
        };
        http(at, user, Method::GET, "/v1/me", None).await;
        let body = json!({"platform": platform, "token": token, "app_id": "org.example.chat"});
        let (status, answer) = http(at, user, Method::PUT, "/v1/devices/phone", Some(body)).await;
        assert_eq!(status, 200, "{answer}");
    }
}

async fn send(at: SocketAddr, sender: String, users: &[String], messages: usize) {
    let (mut client, _) = Client::login(at, &sender).await;
    for number in 0..messages {
        for user in users {
            client.say_to(user, &format!("message {number}, about as long as what people write")).await;
        }
    }
}

/// Starts the push stage again; with a core of its own when it is measured.
fn start(pusher: &mut Server, measured: bool) {
    if measured {
        // Its number of threads follows from what it may use when it starts, which it has from the thread that starts it.
        let thread = std::fs::read_link("/proc/thread-self").expect("Linux");
        let thread = thread.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a number");
        pin(&[], thread, PUSH);
        pusher.restart();
        pin(&[], thread, OTHERS);
    } else {
        pusher.restart();
    }
}

/// From the first request to the last: how long it took, and the CPU time that the process used for it.
async fn watch(pusher: &Server, control: &str, platform: &str, pushes: u64) -> (Duration, Duration) {
    let deadline = Instant::now() + PATIENCE;
    let mut began = None;
    loop {
        let counts: Value =
            reqwest::get(format!("{control}/requests")).await.expect("an answer").json().await.expect("JSON");
        let requests = counts[platform]["requests"].as_u64().expect("a count");
        if requests > 0 && began.is_none() {
            began = Some((Instant::now(), cpu_time(pusher.pid())));
        }
        if let Some((began, cpu)) = began.filter(|_| requests >= pushes) {
            return (began.elapsed(), cpu_time(pusher.pid()) - cpu);
        }
        assert!(Instant::now() < deadline, "{requests} of {pushes}: {}", pusher.output());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn pin(options: &[&str], id: u32, cores: &str) {
    let mut command = Command::new("taskset");
    command.args(options).args(["-cp", cores, &id.to_string()]).stdout(Stdio::null());
    assert!(command.status().expect("taskset can be run").success());
}

/// User and system time: fields 14 and 15 of its `stat`, in hundredths of a second.
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}
