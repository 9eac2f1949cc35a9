//! Pings of the server, which detect clients that have disconnected without a Close.

use std::task::{Context, Poll};
use std::time::Duration;

use super::shared::Shared;
use crate::response::TimeLimit;

/// The shortest interval: the resolution of the alarm.
const MIN_STEP: Duration = Duration::from_millis(1);

/// The settings of pings.
#[derive(Clone, Copy, Debug)]
pub(super) struct PingSettings {
    pub(super) interval: Option<Duration>,
    pub(super) timeout: Duration,
}

impl Default for PingSettings {
    fn default() -> Self {
        Self { interval: Some(Duration::from_secs(30)), timeout: Duration::from_secs(20) }
    }
}

/// The pings of one WebSocket.
#[derive(Debug)]
pub(super) struct Pings {
    settings: PingSettings,
    stage: Stage,
    /// True if a sent ping may still be buffered.
    unsent: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// No pings are sent, or no more.
    Off,
    /// The next ping is due at the alarm.
    Idle,
    /// The next ping is sent as soon as the handler does not use the stream.
    Due,
    /// Waiting for bytes of the client, for the time `waited` so far; checked every `step`.
    Awaiting { waited: Duration, step: Duration },
    /// The check is due as soon as the handler does not use the stream.
    Checking { waited: Duration, step: Duration },
}

impl Pings {
    pub(super) fn new(settings: PingSettings, limit: &TimeLimit) -> Self {
        let interval = settings.interval.map(|interval| interval.max(MIN_STEP));
        let settings = PingSettings { interval, timeout: settings.timeout.max(MIN_STEP) };
        let stage = match settings.interval {
            Some(interval) => {
                limit.set_alarm(interval);
                Stage::Idle
            }
            None => Stage::Off,
        };
        Self { settings, stage, unsent: false }
    }

    /// Sends a ping if it is due; returns true once if the client did not respond to the last one.
    pub(super) fn poll(&mut self, shared: &Shared, context: &mut Context<'_>, limit: &TimeLimit) -> bool {
        if limit.has_rung() {
            self.stage = match self.stage {
                Stage::Idle => Stage::Due,
                Stage::Awaiting { waited, step } => Stage::Checking { waited: waited.saturating_add(step), step },
                stage => stage,
            };
        }
        if let Stage::Checking { waited, step } = self.stage {
            self.check_response(shared, context, limit, (waited, step));
            if let Stage::Off = self.stage {
                return true;
            }
        }
        if let Stage::Due = self.stage {
            self.send(shared, context, limit);
        }
        if self.unsent {
            let flush = shared.poll(context, |connected, context| {
                let flushed = connected.poll_flush(context);
                if flushed.is_ready() {
                    // The handler's waker was replaced by that of this task.
                    connected.wake_handler();
                }
                flushed
            });
            self.unsent = flush.is_pending();
        }
        false
    }

    fn send(&mut self, shared: &Shared, context: &mut Context<'_>, limit: &TimeLimit) {
        let Poll::Ready(sent) = shared.poll(context, |connected, _| Poll::Ready(connected.ping())) else { return };
        self.unsent = sent;
        self.stage = match self.settings.interval {
            Some(interval) if sent => {
                let step = interval.min(self.settings.timeout);
                limit.set_alarm(step);
                Stage::Awaiting { waited: Duration::ZERO, step }
            }
            _ => Stage::Off,
        };
    }

    fn check_response(
        &mut self,
        shared: &Shared,
        context: &mut Context<'_>,
        limit: &TimeLimit,
        (waited, step): (Duration, Duration),
    ) {
        let timeout = self.settings.timeout;
        let checked = shared.poll(context, |connected, context| {
            let is_alive = connected.is_alive(context);
            if !is_alive && waited >= timeout {
                connected.give_up();
            }
            Poll::Ready(is_alive)
        });
        let Poll::Ready(is_alive) = checked else { return };
        let rest = self.settings.interval.unwrap_or_default().saturating_sub(waited);
        self.stage = match is_alive {
            true if rest.is_zero() => Stage::Due,
            true => {
                limit.set_alarm(rest);
                Stage::Idle
            }
            false if waited >= timeout => Stage::Off,
            false => {
                let step = step.min(timeout - waited);
                limit.set_alarm(step);
                Stage::Awaiting { waited, step }
            }
        };
    }
}
