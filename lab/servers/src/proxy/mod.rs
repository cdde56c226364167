//! A TCP proxy whose faults are exact: it knows the messages that pass, so that a test can cut before, during and after a
//! commit instead of hoping to.

mod connection;
mod faults;
mod message;

pub use faults::{Fault, Moment};
pub use message::{Message, Side};

use crate::{PostgresUrl, ServerError};
use connection::Connection;
use faults::{Action, Faults};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// Listens on a free loopback port and passes everything on to a server, until told otherwise. Dropped, it closes all.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    faults: Faults,
    target: SocketAddr,
    /// Whether messages of PostgreSQL are told apart.
    tells_messages: bool,
    connections: Mutex<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    all: Vec<Connection>,
    closed: bool,
}

impl Proxy {
    /// In front of a PostgreSQL server, or of what speaks like one.
    ///
    /// # Errors
    /// The system gives no port or thread.
    pub fn to_postgres(server: SocketAddr) -> Result<Self, ServerError> {
        Self::start(server, true)
    }

    /// In front of any server. Faults may wait for bytes, not for messages.
    ///
    /// # Errors
    /// The system gives no port or thread.
    pub fn to(server: SocketAddr) -> Result<Self, ServerError> {
        Self::start(server, false)
    }

    fn start(target: SocketAddr, tells_messages: bool) -> Result<Self, ServerError> {
        let starting = || ServerError::system("start a proxy");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(starting())?;
        let address = listener.local_addr().map_err(starting())?;
        let connections = Mutex::default();
        let shared = Arc::new(Shared { faults: Faults::default(), target, tells_messages, connections });
        let accepting = Arc::clone(&shared);
        let acceptor = thread::Builder::new().name("proxy".to_owned());
        let acceptor = acceptor.spawn(move || accept(&listener, &accepting)).map_err(starting())?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `server` as reached through this proxy.
    pub fn url(&self, server: &PostgresUrl) -> PostgresUrl {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        PostgresUrl { host, port, ..server.clone() }
    }

    /// Closes every connection now; new ones are passed on. Says how many there were.
    pub fn cut_now(&self) -> usize {
        let mut connections = self.shared.connections();
        connections.all.iter().for_each(Connection::cut);
        connections.all.drain(..).count()
    }

    /// Closes the connection on which that moment comes first. The server still reads what was passed on before, and then
    /// the end of the connection.
    pub fn cut(&self, moment: Moment) -> Fault {
        self.shared.faults.set(moment, Action::Cut)
    }

    /// Holds everything, in both directions of all connections, from that moment on: the network is gone, and nobody is
    /// told. [`release`](Self::release) ends it.
    pub fn hold(&self, moment: Moment) -> Fault {
        self.shared.faults.set(moment, Action::Hold)
    }

    /// Holds everything from now on. What was on its way may still arrive.
    pub fn hold_now(&self) {
        self.shared.faults.hold(true);
    }

    /// Passes on what was held, and everything that follows.
    pub fn release(&self) {
        self.shared.faults.hold(false);
    }

    /// Closes new connections at once, or no longer. Those that exist go on.
    pub fn refuse(&self, refuse: bool) {
        self.shared.faults.refuse(refuse);
    }

    /// From now on what `side` says arrives that much later, in order and without lowering the rate.
    pub fn delay(&self, side: Side, delay: Duration) {
        self.shared.faults.delay(side, delay);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.connections().closed = true;
        // The acceptor waits for a connection: here is one.
        let woken = TcpStream::connect_timeout(&self.address, CONNECTED_WITHIN);
        if let (Ok(_), Some(acceptor)) = (woken, self.acceptor.take()) {
            let _ = acceptor.join();
        }
        self.shared.faults.close();
        let all: Vec<_> = self.shared.connections().all.drain(..).collect();
        all.into_iter().for_each(Connection::close);
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        // What a thread that panicked left is a list like any other.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.connections().closed {
            return;
        }
        // A client that left before it was accepted, or a server that refuses: the client sees a closed connection.
        let _ = client.and_then(|client| pass_on(client, shared));
    }
}

fn pass_on(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    if shared.faults.refuses() {
        return Ok(());
    }
    let server = TcpStream::connect_timeout(&shared.target, CONNECTED_WITHIN)?;
    let connection = Connection::start(client, server, shared)?;
    let mut connections = shared.connections();
    connections.all.retain(|one| !one.is_over());
    connections.all.push(connection);
    Ok(())
}
