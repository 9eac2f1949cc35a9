//! Wakers of tasks that wait for a connection.

use std::task::Waker;

/// Wakers, usually none or one. Cloning, waking and dropping them may run foreign code, so that
/// happens outside of the lock.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    first: Option<Waker>,
    /// None without a first one.
    others: Vec<Waker>,
}

impl Wakers {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Returns whether this task is among those to be woken.
    pub(super) fn contains(&self, own: &Waker) -> bool {
        self.first.iter().chain(&self.others).any(|waker| waker.will_wake(own))
    }

    pub(super) fn extend(&mut self, waker: Option<Waker>) {
        match &self.first {
            None => self.first = waker,
            Some(_) => self.others.extend(waker),
        }
    }

    /// Moves the wakers of all waiters here.
    pub(super) fn append(&mut self, waiters: &mut Waiters) {
        waiters.registered.drain(..).for_each(|(_, waker)| self.extend(Some(waker)));
    }

    pub(super) fn wake(self) {
        self.first.into_iter().chain(self.others).for_each(Waker::wake);
    }

    /// Wakes all tasks but the one with this waker; returns whether its waker was among them.
    pub(super) fn wake_others(self, own: &Waker) -> bool {
        let mut own_woken = false;
        for waker in self.first.into_iter().chain(self.others) {
            if waker.will_wake(own) {
                own_woken = true;
            } else {
                waker.wake();
            }
        }
        own_woken
    }
}

/// Waiting futures, each with its own number, by which it removes its waker.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    registered: Vec<(u64, Waker)>,
    last: u64,
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.registered.is_empty()
    }

    /// Registers the waker of a future, and assigns its number on the first call; returns the waker
    /// that is no longer needed.
    pub(super) fn register(&mut self, number: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let number = *number.get_or_insert_with(|| {
            self.last += 1;
            self.last
        });
        match self.registered.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) if known.will_wake(&waker) => Some(waker),
            Some((_, known)) => Some(std::mem::replace(known, waker)),
            None => {
                self.registered.push((number, waker));
                None
            }
        }
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Waker> {
        let at = self.registered.iter().position(|(known, _)| *known == number)?;
        Some(self.registered.swap_remove(at).1)
    }
}

/// Replaces a waker; returns the one that is no longer needed.
pub(super) fn replace(place: &mut Option<Waker>, waker: Waker) -> Option<Waker> {
    match place {
        Some(known) if known.will_wake(&waker) => Some(waker),
        place => place.replace(waker),
    }
}
