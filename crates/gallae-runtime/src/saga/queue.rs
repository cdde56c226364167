//! Instances to take up, first come first served, and the mailboxes of those that are being run.
//!
//! Everything here is a hint: what it forgets, the sweep and the timers find again.

use super::{instance::Instance, operator::Reply, row::partition, transition::Incoming};
use gallae_core::{Actor, SagaId};
use gallae_ports::Partitions;
use std::{
    collections::{HashMap, VecDeque, hash_map},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// The queue of one node.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    ring: Notify,
    capacity: usize,
}

#[derive(Default)]
struct Inner {
    /// Partitions whose instances are taken up.
    open: Partitions,
    ready: VecDeque<Entry>,
    /// Everything queued or being run. Only ever looked up by id.
    known: HashMap<SagaId, Arc<Mailbox>>,
    /// How many are known of each partition that has any.
    busy: HashMap<u16, usize>,
}

/// An instance to take up.
pub(super) struct Entry {
    pub(super) id: SagaId,
    /// Its state, when it has only just begun.
    pub(super) seed: Option<Box<Instance>>,
    pub(super) mailbox: Arc<Mailbox>,
}

/// A request of an operator, and where its answer goes.
pub(super) struct Signal {
    pub(super) incoming: Incoming,
    pub(super) actor: Actor,
    pub(super) reply: Reply,
}

/// What reaches an instance while it is queued or being run.
#[derive(Default)]
pub(super) struct Mailbox {
    inner: Mutex<Letters>,
    ring: Notify,
}

#[derive(Default)]
struct Letters {
    rung: bool,
    signals: VecDeque<Signal>,
}

/// The next letter of a mailbox.
pub(super) enum Letter {
    Woken,
    Signal(Signal),
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { inner: Mutex::default(), ring: Notify::new(), capacity }
    }

    /// Takes instances of this partition from now on.
    pub(super) fn open(&self, partition: u16) {
        self.lock().open.insert(partition);
    }

    /// Takes none of these partitions any more, and forgets those that nobody has begun, with the requests among them.
    pub(super) fn close(&self, closed: &Partitions) {
        let mut inner = self.lock();
        closed.iter().for_each(|partition| inner.open.remove(partition));
        let is_closed = |entry: &Entry| closed.contains(partition(entry.id));
        let (gone, stay) = std::mem::take(&mut inner.ready).into_iter().partition(is_closed);
        inner.ready = stay;
        for entry in gone {
            inner.dismiss(entry.id);
        }
    }

    /// Asks for an instance to be looked at. `false`: the queue is full or closed, and forgot it.
    pub(super) fn wake(&self, id: SagaId, seed: Option<Box<Instance>>) -> bool {
        let mut inner = self.lock();
        if let Some(mailbox) = inner.known.get(&id) {
            mailbox.put(None);
            return true;
        }
        if !inner.open.contains(partition(id)) || inner.ready.len() >= self.capacity {
            return false;
        }
        let mailbox = inner.admit(id);
        inner.ready.push_back(Entry { id, seed, mailbox });
        drop(inner);
        self.ring.notify_one();
        true
    }

    /// Hands a request to an instance, before those that merely wait. Gives it back when its partition is closed.
    pub(super) fn signal(&self, id: SagaId, signal: Signal) -> Result<(), Signal> {
        let mut inner = self.lock();
        if !inner.open.contains(partition(id)) {
            return Err(signal);
        }
        if let Some(mailbox) = inner.known.get(&id) {
            mailbox.put(Some(signal));
            return Ok(());
        }
        let mailbox = inner.admit(id);
        mailbox.put(Some(signal));
        inner.ready.push_front(Entry { id, seed: None, mailbox });
        drop(inner);
        self.ring.notify_one();
        Ok(())
    }

    /// The next instance to take up.
    pub(super) async fn next(&self) -> Entry {
        loop {
            if let Some(entry) = self.lock().ready.pop_front() {
                return entry;
            }
            self.ring.notified().await;
        }
    }

    /// Lets an instance go if nothing has reached it meanwhile; `false` if something has.
    pub(super) fn leave(&self, id: SagaId) -> bool {
        let mut inner = self.lock();
        if inner.known.get(&id).is_some_and(|mailbox| mailbox.has_mail()) {
            return false;
        }
        inner.dismiss(id);
        true
    }

    /// Lets an instance go, whatever has reached it.
    pub(super) fn forget(&self, id: SagaId, mailbox: &Arc<Mailbox>) {
        let mut inner = self.lock();
        if inner.known.get(&id).is_some_and(|known| Arc::ptr_eq(known, mailbox)) {
            inner.dismiss(id);
        }
    }

    /// Whether an instance is queued or being run here.
    pub(super) fn knows(&self, id: SagaId) -> bool {
        self.lock().known.contains_key(&id)
    }

    /// Whether an instance of this partition is queued or being run here.
    pub(super) fn is_busy(&self, partition: u16) -> bool {
        self.lock().busy.contains_key(&partition)
    }

    /// How many instances are queued or being run.
    pub(super) fn len(&self) -> usize {
        self.lock().known.len()
    }

    /// How many instances wait to be taken up.
    pub(super) fn waiting(&self) -> usize {
        self.lock().ready.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn admit(&mut self, id: SagaId) -> Arc<Mailbox> {
        let mailbox = Arc::<Mailbox>::default();
        self.known.insert(id, Arc::clone(&mailbox));
        *self.busy.entry(partition(id)).or_default() += 1;
        mailbox
    }

    fn dismiss(&mut self, id: SagaId) {
        if self.known.remove(&id).is_some()
            && let hash_map::Entry::Occupied(mut busy) = self.busy.entry(partition(id))
        {
            *busy.get_mut() -= 1;
            if *busy.get() == 0 {
                busy.remove();
            }
        }
    }
}

impl Mailbox {
    /// The next letter: requests first, then the news that somebody rang.
    pub(super) fn take(&self) -> Option<Letter> {
        let mut letters = self.lock();
        if let Some(signal) = letters.signals.pop_front() {
            return Some(Letter::Signal(signal));
        }
        std::mem::take(&mut letters.rung).then_some(Letter::Woken)
    }

    /// Returns when there may be a letter.
    pub(super) async fn rang(&self) {
        self.ring.notified().await;
    }

    fn has_mail(&self) -> bool {
        let letters = self.lock();
        letters.rung || !letters.signals.is_empty()
    }

    fn put(&self, signal: Option<Signal>) {
        let mut letters = self.lock();
        match signal {
            Some(signal) => letters.signals.push_back(signal),
            None => letters.rung = true,
        }
        drop(letters);
        self.ring.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
