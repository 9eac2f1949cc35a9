//! Tests of whole servers in the simulator; see `httpants_testkit::simulation`.
//!
//! A failure shows its seed and the log of its scenario; repeat it with `SIMULATION_SEED=7 cargo
//! test -p httpants-tests --test simulation`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ops::Range;

use httpants_testkit::simulation::{Outcome, Simulator, Violation};

/// Runs scenarios on all processors; shows the first that fails.
fn run(seeds: Range<u64>) -> Vec<Outcome> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let results: Vec<Result<Vec<Outcome>, Violation>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let seeds = seeds.clone().skip(thread as usize).step_by(threads as usize);
                scope.spawn(move || {
                    let simulator = Simulator::new().unwrap();
                    seeds.map(|seed| simulator.run(seed)).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut outcomes = Vec::new();
    for result in results {
        match result {
            Ok(some) => outcomes.extend(some),
            Err(violation) => {
                let seed = violation.seed;
                panic!(
                    "{}\n{violation}\nagain: SIMULATION_SEED={seed} cargo test -p httpants-tests --test simulation",
                    violation.log.join("\n")
                )
            }
        }
    }
    outcomes
}

/// Returns the seeds to run: that of SIMULATION_SEED, else the first `count`.
fn seeds(count: u64) -> Range<u64> {
    match std::env::var("SIMULATION_SEED") {
        Ok(seed) => {
            let seed = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) => 0..count,
    }
}

#[test]
fn every_rule_holds_in_every_scenario() {
    let seeds = seeds(400);
    let whole = seeds.end - seeds.start > 1;
    let outcomes = run(seeds);
    let sum = |part: fn(&Outcome) -> usize| outcomes.iter().map(part).sum::<usize>();
    let (requests, completed) = (sum(|o| o.requests), sum(|o| o.completed));
    let (refused, broken, dropped) = (sum(|o| o.refused), sum(|o| o.broken), sum(|o| o.dropped));
    eprintln!(
        "{} scenarios, {requests} requests: {completed} completed, {refused} refused, {broken} broken off, {dropped} dropped",
        outcomes.len()
    );
    if whole {
        // Scenarios in which nothing succeeds, or nothing fails, prove nothing.
        assert!(completed * 2 > requests && refused * 100 > requests && broken * 100 > requests && dropped > 0);
    }
}

#[test]
#[ignore = "takes long; .ci/run runs it"]
fn every_rule_holds_in_thousands_of_scenarios() {
    run(400..6_000);
}

#[test]
fn same_seed_gives_the_same_scenario() {
    let simulator = Simulator::new().unwrap();
    for seed in 0..20 {
        assert_eq!(simulator.run(seed).unwrap(), simulator.run(seed).unwrap(), "seed {seed}");
    }
}
