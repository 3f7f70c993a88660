//! Each part is killed at seeded random moments under load; the load generator's checker judges.
//!
//! Short with a fixed seed as part of `make test`; `make chaos` sets `TIDINGS_CHAOS=long` and takes the seed from the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::support::load::Load;
use crate::support::stack::{Stack, Wanted};
use crate::support::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Gateway(usize),
    Worker(usize),
    Postgres,
    Redis,
    RabbitMq,
}

struct Form {
    seed: u64,
    kills_of_each: usize,
    rate: u32,
    pause: std::ops::Range<f64>,
}

fn form() -> Form {
    if std::env::var("TIDINGS_CHAOS").is_ok_and(|form| form == "long") {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        let seed = std::env::var("TIDINGS_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
        Form { seed: seed.unwrap_or(now.as_secs()), kills_of_each: 20, rate: 1000, pause: 1.0..8.0 }
    } else {
        Form { seed: 7, kills_of_each: 1, rate: 200, pause: 1.0..3.0 }
    }
}

/// Between a kill and the start of what was killed.
const DOWN: std::ops::Range<f64> = 0.2..1.5;
/// Load goes on for this long after the last fault.
const CALM: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_of_each_part_lose_nothing() {
    let form = form();
    let mut random = StdRng::seed_from_u64(form.seed);
    println!("chaos: seed {}, {} kills of each part", form.seed, form.kills_of_each);
    let stack = Stack::private(&Wanted::ALL).await;
    let lease = [("worker__lease_ttl", "3s"), ("worker__lease_interval", "1s")];
    let mut world = World::roles_on(stack.postgres(), stack.rabbitmq(), stack.redis(), &lease).await;

    let mut victims = Vec::new();
    for turn in 0..form.kills_of_each {
        victims.extend([Victim::Gateway(turn % 2), Victim::Worker(turn % 2)]);
        victims.extend([Victim::Postgres, Victim::Redis, Victim::RabbitMq]);
    }
    victims.shuffle(&mut random);
    let plan: Vec<(Victim, f64, f64)> = victims
        .into_iter()
        .map(|victim| (victim, random.random_range(form.pause.clone()), random.random_range(DOWN)))
        .collect();
    // Services need some seconds to come up, RabbitMQ most.
    let faults: f64 = plan.iter().map(|(_, pause, down)| pause + down + 4.0).sum();
    let load = Load { sockets: 200, rate: form.rate, duration: Duration::from_secs_f64(faults) + CALM };
    let load = tokio::spawn(load.run(&world));
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (victim, pause, down) in plan {
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        strike(victim, Duration::from_secs_f64(down), &stack, &mut world).await;
    }
    let report = load.await.expect("the generator does not panic").expect("the run can be made");
    println!(
        "chaos: {} accepted, {} refused, {} unknown, {} stored; {:?}; whole {:?} s after the load ended",
        report.verdict.accepted,
        report.verdict.refused,
        report.verdict.unknown,
        report.verdict.stored,
        report.verdict.counts,
        report.drained_s,
    );
    assert!(report.verdict.accepted > 100, "the load did not get through");
    assert!(report.store_was_read);
    assert!(report.is_clean(), "{:?} {:?}", report.verdict.counts, report.verdict.examples);
}

async fn strike(victim: Victim, down: Duration, stack: &Stack, world: &mut World) {
    println!("chaos: kill {victim:?}, down for {down:?}");
    match victim {
        Victim::Gateway(index) => {
            world.servers[index].kill();
            tokio::time::sleep(down).await;
            world.servers[index].restart();
        }
        Victim::Worker(index) => {
            world.workers[index].kill();
            tokio::time::sleep(down).await;
            world.workers[index].restart();
        }
        Victim::Postgres => {
            stack.postgres().kill();
            tokio::time::sleep(down).await;
            stack.postgres().start().await;
        }
        Victim::Redis => {
            stack.redis().kill();
            tokio::time::sleep(down).await;
            stack.redis().start().await;
        }
        Victim::RabbitMq => {
            stack.rabbitmq().kill();
            tokio::time::sleep(down).await;
            stack.rabbitmq().start().await;
        }
    }
}
