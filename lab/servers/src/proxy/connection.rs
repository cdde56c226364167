//! One connection through the proxy: in each direction a thread that reads and one that writes, so that a delay lengthens
//! the way and does not narrow it.

use super::{
    Shared,
    faults::{Action, Fault},
    message::{Frame, Handshake, Messages, Side},
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

/// Frames on their way; a writer that is held makes its reader wait, as a full window would.
const ON_THE_WAY: usize = 1024;

#[derive(Debug)]
pub(super) struct Connection {
    ends: Arc<Ends>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Ends {
    client: TcpStream,
    server: TcpStream,
    cut: AtomicBool,
    handshake: Mutex<Handshake>,
}

enum Item {
    Bytes {
        due: Instant,
        bytes: Vec<u8>,
    },
    /// `last` passes still, and what follows does not, or waits.
    Fault {
        due: Instant,
        last: Vec<u8>,
        action: Action,
        fault: Fault,
    },
    /// The speaker has finished.
    End,
}

impl Connection {
    pub(super) fn start(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) -> io::Result<Self> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (cut, handshake) = (AtomicBool::new(false), Mutex::default());
        let ends = Arc::new(Ends { client, server, cut, handshake });
        let mut connection = Self { ends, threads: Vec::new() };
        for side in [Side::Frontend, Side::Backend] {
            let (to_writer, from_reader) = sync_channel(ON_THE_WAY);
            connection.spawn(shared, move |ends, shared| ends.read(side, shared, &to_writer))?;
            connection.spawn(shared, move |ends, shared| ends.write(side, shared, &from_reader))?;
        }
        Ok(connection)
    }

    fn spawn(
        &mut self,
        shared: &Arc<Shared>,
        work: impl FnOnce(&Ends, &Shared) + Send + 'static,
    ) -> io::Result<()> {
        let (ends, shared) = (Arc::clone(&self.ends), Arc::clone(shared));
        let thread = thread::Builder::new().name("proxy".to_owned());
        self.threads.push(thread.spawn(move || work(&ends, &shared))?);
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    pub(super) fn cut(&self) {
        self.ends.cut();
    }

    /// Closes both ends and waits for the threads.
    pub(super) fn close(self) {
        self.ends.cut();
        let _ = self.ends.server.shutdown(Shutdown::Both);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

impl Ends {
    /// The client is gone at once; the server reads what was passed on, then the end. Its answers go nowhere.
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        // Fails only when the other side has closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Write);
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    fn from(&self, side: Side) -> &TcpStream {
        match side {
            Side::Frontend => &self.client,
            Side::Backend => &self.server,
        }
    }

    fn to(&self, side: Side) -> &TcpStream {
        match side {
            Side::Frontend => &self.server,
            Side::Backend => &self.client,
        }
    }

    fn read(&self, side: Side, shared: &Shared, to_writer: &SyncSender<Item>) {
        let mut messages = Messages::of(side);
        let mut bytes = vec![0; 64 * 1024];
        let mut from = self.from(side);
        // An error is an end too: the other side is told that nothing follows.
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            for frame in self.frames(&mut messages, shared, &bytes[..count]) {
                if !pass(side, shared, frame, to_writer) {
                    break;
                }
            }
        }
        let _ = to_writer.send(Item::End);
    }

    fn frames(&self, messages: &mut Messages, shared: &Shared, bytes: &[u8]) -> Vec<Frame> {
        let mut handshake = self.handshake.lock().unwrap_or_else(PoisonError::into_inner);
        handshake.opaque |= !shared.tells_messages;
        messages.push(bytes, &mut handshake)
    }

    fn write(&self, side: Side, shared: &Shared, from_reader: &Receiver<Item>) {
        let mut to = self.to(side);
        while let Ok(item) = from_reader.recv() {
            let passed = match item {
                Item::Bytes { due, bytes } => {
                    shared.faults.may_pass(due, || self.is_cut()) && to.write_all(&bytes).is_ok()
                }
                Item::Fault { due, last, action, fault } => {
                    let may = shared.faults.may_pass(due, || self.is_cut());
                    may && self.break_after(side, &last, action, &fault, shared).is_ok()
                }
                Item::End => {
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
            };
            if !passed {
                // Nobody takes it any more: the speaker is told by the end of the connection.
                self.cut();
                return;
            }
        }
    }

    /// No answer to `last` gets through: where the other direction could be quicker, it is closed first.
    fn break_after(
        &self,
        side: Side,
        last: &[u8],
        action: Action,
        fault: &Fault,
        shared: &Shared,
    ) -> io::Result<()> {
        match (action, side) {
            (Action::Hold, _) => shared.faults.hold(true),
            (Action::Cut, Side::Frontend) => drop(self.client.shutdown(Shutdown::Both)),
            (Action::Cut, Side::Backend) => {}
        }
        let written = self.to(side).write_all(last);
        if action == Action::Cut {
            self.cut();
        }
        fault.note();
        written
    }
}

/// Hands a frame to the writer as far as faults allow. Says whether anybody still listens.
fn pass(side: Side, shared: &Shared, mut frame: Frame, to_writer: &SyncSender<Item>) -> bool {
    let verdict = shared.faults.judge(side, &frame);
    let rest = frame.bytes.split_off(verdict.passes);
    let due = shared.faults.due(side);
    let Some((action, fault)) = verdict.then else {
        return to_writer.send(Item::Bytes { due, bytes: frame.bytes }).is_ok();
    };
    let items = [Item::Fault { due, last: frame.bytes, action, fault }, Item::Bytes { due, bytes: rest }];
    items.into_iter().all(|item| to_writer.send(item).is_ok())
}
