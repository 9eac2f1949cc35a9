//! Fixtures run over the transport of an adapter: the driver serves, and a client sends.

use std::collections::BTreeMap;
use std::sync::Arc;

use httpants_driver::{BodyPolicy, Server};
use httpants_testkit::conformance::{CaseHandler, PATIENCE, Received, Stage, StageClient};

use crate::cuts::Numbers;
use crate::handler::{self, Plan};
use crate::steps::Step;
use crate::{Exchange, Fixture, Style, text};

/// The results of fixtures.
#[derive(Debug, Default)]
pub struct Tally {
    /// The number of inputs sent, each in several ways.
    pub inputs: usize,
    /// The reasons why inputs were not sent, with the number of inputs for each.
    pub skipped: BTreeMap<&'static str, usize>,
    /// Each failed fixture, with the first difference.
    pub failures: Vec<String>,
}

/// Longer inputs are split at random positions instead of everywhere.
const LONG: usize = 300;

/// Runs a fixture over the transport of this stage: whole, byte by byte, and split at random
/// positions, with a server that streams bodies and one that buffers them. Then the client ends its
/// stream, and the received bytes must be the core's response to the same input.
pub fn run_fixture<S: Stage>(fixture: &Fixture, tally: &mut Tally) {
    let Some(plan) = handler::plan(&fixture.script) else {
        *tally.skipped.entry("calls of the core that handlers cannot make").or_default() += fixture.inputs.len();
        return;
    };
    run_fixture_with::<S>(fixture, plan, tally);
}

fn run_fixture_with<S: Stage>(fixture: &Fixture, plan: Plan, tally: &mut Tally) {
    let inputs = fixture.inputs.iter().filter_map(|steps| match bytes(steps) {
        Ok(bytes) => Some((steps, bytes)),
        Err(reason) => {
            *tally.skipped.entry(reason).or_default() += 1;
            None
        }
    });
    let inputs: Vec<_> = inputs.collect();
    tally.inputs += inputs.len();
    for policy in plan.body_policies() {
        let mut stage = S::set();
        let handle = stage.start(server(&stage, fixture, plan.clone(), *policy));
        for (steps, bytes) in &inputs {
            if let Err(difference) = compare(&stage, fixture, steps, bytes) {
                tally.failures.push(format!("{}: {difference}", fixture.title));
            }
        }
        handle.close();
        stage.end();
    }
}

fn server<S: Stage>(
    stage: &S,
    fixture: &Fixture,
    plan: Plan,
    policy: fn(&Plan) -> BodyPolicy,
) -> Server<S::Runtime, CaseHandler> {
    let (config, chosen) = (fixture.config.as_ref().clone(), plan.clone());
    let application = CaseHandler::new(move |request| plan.clone().respond(request));
    stage.server(application).config(|settings| *settings = config).body_policy(move |_| policy(&chosen))
}

/// Returns all bytes that the client sends, or the reason why a client cannot cause these steps.
fn bytes(steps: &[Step]) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Bytes(more) => bytes.extend_from_slice(more),
            Step::Eof if at + 1 == steps.len() => {}
            Step::Wait(_) => return Err("virtual time"),
            Step::Go => return Err("an application that waits for the peer's next bytes"),
            Step::PeerClosed => return Err("an end detected before it is read"),
            Step::Block | Step::Unblock | Step::IoError => return Err("a transport that is blocked or fails"),
            Step::Shutdown => return Err("a shutdown between two bytes"),
            Step::Eof => return Err("input after the end of the stream"),
        }
    }
    Ok(bytes)
}

fn compare<S: Stage>(stage: &S, fixture: &Fixture, steps: &[Step], bytes: &[u8]) -> Result<(), String> {
    let mut steps = steps.to_vec();
    if steps.last() != Some(&Step::Eof) {
        steps.push(Step::Eof);
    }
    let script = fixture.script.clone();
    let expected = Exchange::new(Arc::clone(&fixture.config), script, Style::LENT).run(&steps, &[]);
    let is_reset = expected.events.iter().any(|event| event == "reset");
    let due = without_dates(&expected.response);
    // Only a client that announced its end and continues to send may get a reset, which may lose
    // the response (RFC 9112 section 9.6).
    let trickle: Vec<_> = (1..bytes.len()).collect();
    let script = fixture.script.clone();
    let has_unread = Exchange::new(Arc::clone(&fixture.config), script, Style::LENT).run(&steps, &trickle).unread > 0;
    for cuts in ways(bytes) {
        let (received, how) = exchange(stage.connect(), bytes, &cuts);
        let came = without_dates(&received);
        // A reset may overtake bytes sent before it.
        let may_reset = is_reset || has_unread && !cuts.is_empty() && how == Received::Reset;
        let same = if may_reset { due.starts_with(&came) } else { came == due && how == Received::End };
        if !same {
            return Err(format!(
                "cut at {cuts:?}\n--- input\n{}\n--- due\n{}\n--- came, then {how:?}\n{}",
                text::display(bytes),
                text::display(&due),
                text::display(&came)
            ));
        }
    }
    Ok(())
}

/// Returns three splits: none; byte by byte for a short input, otherwise at many random positions;
/// at three positions.
fn ways(bytes: &[u8]) -> [Vec<usize>; 3] {
    let mut numbers = Numbers::new(bytes.len() as u64);
    let mut random = |count: usize| {
        let mut cuts: Vec<_> = (0..count).map(|_| numbers.below(bytes.len())).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    };
    let many = if bytes.len() <= LONG { (1..bytes.len()).collect() } else { random(30) };
    [vec![], many, random(3)]
}

fn exchange(mut client: impl StageClient, bytes: &[u8], cuts: &[usize]) -> (Vec<u8>, Received) {
    let mut from = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        client.send(bytes.get(from..cut).unwrap_or_default());
        from = cut;
    }
    client.end();
    let mut received = Vec::new();
    loop {
        match client.receive(&mut received, PATIENCE) {
            Received::Bytes => {}
            how => return (received, how),
        }
    }
}

/// Removes the Date fields, because the wall-clock time differs from the fixture's.
fn without_dates(response: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"\r\nDate: ";
    let mut masked = response.to_vec();
    let starts = response.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    for (at, _) in starts {
        let value = masked.iter_mut().skip(at + NAME.len());
        value.take_while(|byte| **byte != b'\r').for_each(|byte| *byte = b'-');
    }
    masked
}

#[cfg(test)]
mod tests {
    use httpants_testkit::conformance::InMemory;

    use super::*;
    use crate::{app, fixture};

    #[test]
    fn differences_are_detected() {
        let fence = "```";
        let document = format!(
            "## A\nrow: a\n{fence}input\nGET / HTTP/1.1\\r\\n\nHost: a\\r\\n\n\\r\\n\n{fence}\n{fence}events\n{fence}\n{fence}response\n{fence}\n"
        );
        let fixtures = fixture::parse(&document).unwrap();
        for (script, failures) in [("respond", 0), ("respond 200 length 2; send \"no\"; finish", 1)] {
            let mut tally = Tally::default();
            let plan = handler::plan(&app::parse(script).unwrap()).unwrap();
            run_fixture_with::<InMemory>(&fixtures[0], plan, &mut tally);
            assert_eq!((tally.inputs, tally.failures.len()), (1, failures), "{script}");
        }
    }
}
