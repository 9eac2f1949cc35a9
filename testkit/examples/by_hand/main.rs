//! A server that drives the core without the driver, in the driver's simulation.
//! `docs/custom-runtime.md` explains [`server`]; `tests/by_hand.rs` checks that the simulation
//! finds faults in it.

mod server;

use httpants_testkit::simulation::Simulator;

use crate::server::Server;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let simulator = Simulator::new()?;
    let seeds = std::env::args().nth(1).map_or(Ok(300), |seeds| seeds.parse())?;
    for seed in 0..seeds {
        let outcome = simulator.run_with(seed, Server::new).map_err(|violation| {
            println!("{}", violation.log.join("\n"));
            violation.to_string()
        })?;
        println!("seed {seed}: {outcome:?}");
    }
    Ok(())
}
