//! Wakers of tasks that wait for a connection.

use std::task::Waker;

/// Wakers, usually none or one. Cloning, waking and dropping a waker may run foreign code, so it is
/// done without the lock.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    first: Option<Waker>,
    /// Empty if there is no first waker.
    others: Vec<Waker>,
}

impl Wakers {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Returns whether the task with this waker is among those to be woken.
    pub(super) fn contains(&self, task_waker: &Waker) -> bool {
        self.first.iter().chain(&self.others).any(|waker| waker.will_wake(task_waker))
    }

    pub(super) fn extend(&mut self, waker: Option<Waker>) {
        match &self.first {
            None => self.first = waker,
            Some(_) => self.others.extend(waker),
        }
    }

    /// Takes over the wakers of all waiters.
    pub(super) fn append(&mut self, waiters: &mut Waiters) {
        waiters.registered.drain(..).for_each(|(_, waker)| self.extend(Some(waker)));
    }

    pub(super) fn wake(self) {
        self.first.into_iter().chain(self.others).for_each(Waker::wake);
    }

    /// Wakes all tasks but the one with this waker; returns whether its waker was among them.
    pub(super) fn wake_others(self, task_waker: &Waker) -> bool {
        let mut task_woken = false;
        for waker in self.first.into_iter().chain(self.others) {
            if waker.will_wake(task_waker) {
                task_woken = true;
            } else {
                waker.wake();
            }
        }
        task_woken
    }
}

/// The wakers of waiting futures. Each future has a number, by which it removes its waker.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    registered: Vec<(u64, Waker)>,
    last: u64,
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.registered.is_empty()
    }

    /// Registers the waker of a future, and assigns a number to it on the first call; returns the
    /// waker that is no longer needed.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// A waker that counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Task {
        fn woken(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns three tasks and a waker for each.
    fn tasks() -> ([Arc<Task>; 3], [Waker; 3]) {
        let tasks: [Arc<Task>; 3] = Default::default();
        let wakers = tasks.clone().map(Waker::from);
        (tasks, wakers)
    }

    fn wake(waiters: &mut Waiters) {
        let mut wakers = Wakers::default();
        wakers.append(waiters);
        wakers.wake();
    }

    #[test]
    fn waker_of_the_last_poll_is_woken() {
        let (tasks, [first, second, third]) = tasks();
        let (mut waiters, mut one, mut other) = (Waiters::default(), None, None);
        assert!(waiters.register(&mut one, first.clone()).is_none());
        assert!(waiters.register(&mut other, second).is_none());
        assert!(waiters.register(&mut one, third).is_some_and(|unused| unused.will_wake(&first)));
        wake(&mut waiters);
        assert_eq!(tasks.map(|task| task.woken()), [0, 1, 1]);
    }

    #[test]
    fn removed_waiter_is_not_woken() {
        let (tasks, wakers) = tasks();
        let (mut waiters, mut numbers) = (Waiters::default(), [None; 3]);
        for (number, waker) in numbers.iter_mut().zip(wakers) {
            waiters.register(number, waker);
        }
        assert!(waiters.remove(numbers[0].unwrap()).is_some());
        assert!(waiters.remove(numbers[0].unwrap()).is_none());
        wake(&mut waiters);
        assert!(waiters.is_empty());
        assert_eq!(tasks.map(|task| task.woken()), [0, 1, 1]);
    }

    #[test]
    fn reader_that_moves_to_another_task_is_woken_there() {
        let (_, [first, second, _]) = tasks();
        let mut place = None;
        assert!(replace(&mut place, first.clone()).is_none());
        assert!(replace(&mut place, first.clone()).is_some());
        assert!(replace(&mut place, second.clone()).is_some_and(|unused| unused.will_wake(&first)));
        assert!(place.is_some_and(|kept| kept.will_wake(&second)));
    }

    #[test]
    fn task_of_the_connection_is_reported_instead_of_woken() {
        let (tasks, wakers) = tasks();
        for includes_own in [false, true] {
            let mut woken = Wakers::default();
            woken.extend(Some(wakers[0].clone()));
            woken.extend(includes_own.then(|| wakers[1].clone()));
            woken.extend(Some(wakers[2].clone()));
            assert_eq!(woken.contains(&wakers[1]), includes_own);
            assert_eq!(woken.wake_others(&wakers[1]), includes_own);
        }
        assert_eq!(tasks.map(|task| task.woken()), [2, 0, 2]);
    }
}
