//! Not a test but a measurement: pushes a second of one process to the fake in another.
//!
//! `cargo test --release --lib push::tests::measure::rate -- --ignored --nocapture`

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;

use super::support::*;
use crate::push::apns::{Apns, Authentication, Settings as ApnsSettings};
use crate::push::fake::{Options, run};
use crate::push::fcm::{Fcm, Settings as FcmSettings};
use crate::push::provider::{HttpSettings, Platform, Provider, Source};

const PUSHES: u32 = 20_000;
const AT_A_TIME: usize = 200;

/// Serves until its standard input ends, for [`rate`].
#[tokio::test]
#[ignore = "the other process of the measurement"]
async fn serve() {
    let dir = std::env::var("FAKE_PUSH_DIR").expect("where to write");
    let fake = run(Options::new(dir)).await.expect("the fakes start");
    println!("\nready {} {}", fake.apns_url, fake.fcm_url);
    std::io::stdout().flush().expect("flushed");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await;
    ended.expect("standard input ended");
}

#[tokio::test]
#[ignore = "a measurement"]
async fn rate() {
    let bench = Bench::start().await;
    let dir = tempfile::tempdir().expect("a directory");
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "--nocapture", "push::tests::measure::serve"])
        .env("FAKE_PUSH_DIR", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the other process");
    let lines = BufReader::new(other.stdout.take().expect("its output")).lines();
    let ready = lines.map_while(Result::ok).find(|line| line.starts_with("ready"));
    let ready = ready.expect("it is ready");
    let urls: Vec<&str> = ready.split(' ').skip(1).collect();

    let file = |name: &str| dir.path().join(name);
    let http = HttpSettings { ca_file: Some(file("ca.pem")), ..HttpSettings::default() };
    let authentication = Authentication::Token {
        key: Source::File(file("apns.p8")),
        key_id: Source::Inline(bench.fake.files.apns_key_id.clone()),
        team_id: bench.fake.files.apns_team_id.clone(),
    };
    let base_url = Some(urls[0].to_owned());
    let apns = ApnsSettings { base_url, http: http.clone(), ..ApnsSettings::new(authentication) };
    let apns = Apns::new(apns).expect("APNs");
    measure(&bench, &apns, Platform::Apns, &apns_token(1)).await;

    let account = Source::File(file("service-account.json"));
    let base_url = Some(urls[1].to_owned());
    let fcm = Fcm::new(FcmSettings { base_url, http, ..FcmSettings::new(account) }).expect("FCM");
    measure(&bench, &fcm, Platform::Fcm, "phone-1").await;

    drop(other.stdin.take());
    other.wait().expect("it ended");
}

async fn measure(bench: &Bench, provider: &dyn Provider, platform: Platform, token: &str) {
    let (started, cpu) = (Instant::now(), cpu_time());
    let pushes = stream::iter(1..=PUSHES).map(|number| async move {
        let push = bench.notification(platform, token, number.into(), "lunch at twelve?");
        assert_delivered(&provider.deliver(&push).await);
    });
    pushes.buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
    let (elapsed, cpu) = (started.elapsed(), cpu_time() - cpu);
    println!(
        "{}: {PUSHES} pushes in {elapsed:.2?}, {:.0} a second, {:.0} a second of its own CPU time",
        provider.name(),
        f64::from(PUSHES) / elapsed.as_secs_f64(),
        f64::from(PUSHES) / cpu.as_secs_f64(),
    );
}

/// User and system time of this process: fields 14 and 15 of its `stat`, in hundredths of a second.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 10)
}
