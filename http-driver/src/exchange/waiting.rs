//! Wakers of those who wait for something of a connection.

use std::task::Waker;

/// Wakers, usually none or one. Cloning, waking and dropping them may run foreign code, so that
/// happens outside of the lock.
#[derive(Debug, Default)]
pub(super) struct Wakers(Vec<Waker>);

impl Wakers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a waker; gives it back where it is registered already.
    pub(super) fn register(&mut self, waker: Waker) -> Option<Waker> {
        if self.0.iter().any(|known| known.will_wake(&waker)) {
            return Some(waker);
        }
        self.0.push(waker);
        None
    }

    pub(super) fn extend(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }

    /// Moves all of the others here.
    pub(super) fn append(&mut self, others: &mut Self) {
        if self.0.is_empty() {
            std::mem::swap(&mut self.0, &mut others.0);
        } else {
            self.0.append(&mut others.0);
        }
    }

    pub(super) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }

    /// Wakes all but those of the task with this waker; says whether there were any of its own.
    pub(super) fn wake_others(self, own: &Waker) -> bool {
        let mut own_woken = false;
        for waker in self.0 {
            if waker.will_wake(own) {
                own_woken = true;
            } else {
                waker.wake();
            }
        }
        own_woken
    }
}

/// Puts a waker in the place of another; returns the one that is not needed.
pub(super) fn replace(place: &mut Option<Waker>, waker: Waker) -> Option<Waker> {
    match place {
        Some(known) if known.will_wake(&waker) => Some(waker),
        place => place.replace(waker),
    }
}
