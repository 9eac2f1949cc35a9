//! Requirements of the driver for clocks and timers.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use httpants_driver::runtime::{Runtime, Sleep};

use super::contract::{pause, within};
use super::waking::Flag;
use crate::conformance::stage::Stage;
use crate::memory;

const MOMENT: Duration = Duration::from_millis(20);

async fn elapse<T: Sleep>(mut sleep: Pin<&mut T>) {
    poll_fn(|context| sleep.as_mut().poll_elapsed(context)).await;
}

fn has_elapsed<T: Sleep>(sleep: Pin<&mut T>) -> bool {
    sleep.poll_elapsed(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// `now` has the same origin for all clones of the runtime and never goes backwards; its wall-clock
/// time is that of the system, or of the virtual clock in memory.
pub fn clock_is_monotonic_and_wall_time_is_current<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let other = runtime.clone();
        let mut last = runtime.now();
        for _ in 0..20 {
            pause(&runtime, Duration::from_millis(1)).await;
            let now = other.now();
            assert!(now.mono >= last.mono + Duration::from_millis(1), "{now:?} is before {last:?}");
            assert!(now.wall >= last.wall, "{now:?} is before {last:?}");
            last = now;
        }
        let system = SystemTime::UNIX_EPOCH.elapsed().expect("a clock that is set").as_secs();
        let near = |seconds: u64| last.wall.as_secs().abs_diff(seconds) < 10;
        assert!(near(system) || near(memory::START.as_secs()), "{last:?} is no wall time");
    });
}

/// A timer is ready at its time on the clock of `now`, never before it, and stays ready until it is
/// reset; reset to another time, earlier or later, it is ready at that time.
pub fn timer_elapses_at_its_time_and_can_be_reset<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let at = runtime.now().mono + MOMENT;
        let mut sleep = pin!(runtime.sleep_until(at));
        assert!(!has_elapsed(sleep.as_mut()), "ready before its time");
        elapse(sleep.as_mut()).await;
        assert!(runtime.now().mono >= at, "ready before its time");
        assert!(has_elapsed(sleep.as_mut()), "it stays ready");

        let at = runtime.now().mono + MOMENT;
        sleep.as_mut().reset(at);
        assert!(!has_elapsed(sleep.as_mut()), "after its reset it must not be ready");
        sleep.as_mut().reset(at + MOMENT);
        elapse(sleep.as_mut()).await;
        assert!(runtime.now().mono >= at + MOMENT, "ready at its previous time");

        sleep.as_mut().reset(runtime.now().mono + Duration::from_secs(3600));
        assert!(!has_elapsed(sleep.as_mut()), "ready an hour early");
        sleep.as_mut().reset(runtime.now().mono + MOMENT);
        elapse(sleep.as_mut()).await;
    });
}

/// A timer for a time in the past is ready at once; one for a time that the clock cannot reach is
/// never ready, and does not overflow.
pub fn past_timer_is_ready_and_unreachable_one_never<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        pause(&runtime, Duration::from_millis(2)).await;
        elapse(pin!(runtime.sleep_until(Duration::ZERO))).await;
        let mut never = pin!(runtime.sleep_until(Duration::MAX));
        assert!(!has_elapsed(never.as_mut()), "a timer in the far future is ready");
        never.as_mut().reset(Duration::MAX - Duration::from_nanos(1));
        assert!(!has_elapsed(never.as_mut()), "a timer in the far future is ready");
        never.as_mut().reset(runtime.now().mono + MOMENT);
        elapse(never.as_mut()).await;
        elapse(pin!(runtime.sleep_until(runtime.now().mono))).await;
    });
}

/// A timer wakes the waker of its last poll.
pub fn timer_wakes_the_waker_of_its_last_poll<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let (first, last) = (Flag::new(), Flag::new());
        let mut sleep = pin!(runtime.sleep_until(runtime.now().mono + MOMENT));
        for flag in [&first, &last] {
            let waker = flag.waker();
            assert!(sleep.as_mut().poll_elapsed(&mut Context::from_waker(&waker)).is_pending());
        }
        let waker = last.waker();
        let elapsed = || sleep.as_mut().poll_elapsed(&mut Context::from_waker(&waker)).is_ready();
        last.until(&runtime, "the last waker of a timer", elapsed).await;
    });
}

/// One task may have many timers: each wakes it, in whatever order they were created, also if
/// others were dropped.
pub fn timers_of_one_task_elapse_at_their_times<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let start = runtime.now().mono;
        let mut sleeps: Vec<_> = (0..40_u32)
            .map(|number| (number * 17) % 40 + 1)
            .map(|place| (place, Box::pin(runtime.sleep_until(start + Duration::from_millis(1) * place))))
            .collect();
        // Some timers are polled and dropped.
        for (_, sleep) in &mut sleeps {
            let _ = has_elapsed(sleep.as_mut());
        }
        sleeps.retain(|(place, _)| place % 4 != 0);
        let mut elapsed = Vec::new();
        while !sleeps.is_empty() {
            poll_fn(|context| {
                let before = sleeps.len();
                sleeps.retain_mut(|(place, sleep)| {
                    let ready = sleep.as_mut().poll_elapsed(context).is_ready();
                    if ready {
                        elapsed.push((*place, runtime.now().mono));
                    }
                    !ready
                });
                if sleeps.len() < before { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        for (place, at) in &elapsed {
            assert!(
                *at >= start + Duration::from_millis(1) * *place,
                "timer {place} elapsed at {at:?}, before its time"
            );
        }
        elapsed.sort_unstable();
        let places: Vec<_> = elapsed.into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, (1..=40).filter(|place| place % 4 != 0).collect::<Vec<_>>());
    });
}
