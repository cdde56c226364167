//! A way to the server that fails when it is told to.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

/// What happens to the batcher's sessions; others pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// The next write never reaches the server, and the session ends.
    LoseWrite,
    /// The next write is done, its answer lost, and the session ends.
    LoseAnswer,
    /// The next write is done and its answer never comes.
    SwallowAnswer,
    /// The next write's success comes with the warning that nobody waited for the standbys.
    WarnOfReplication,
    /// The node freezes as soon as it holds the counter.
    FreezeWithCounter,
    /// Sessions end, and new ones are refused until then.
    RefuseUntil(Instant),
}

/// Listens on a port of its own, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    mode: Arc<Mutex<Mode>>,
    /// Ends the sessions that are open.
    kill: watch::Sender<u64>,
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// In front of the server at `server`, as host and port.
    pub(crate) fn start(server: &str) -> Self {
        let server = server.to_owned();
        let mode = Arc::new(Mutex::new(Mode::Pass));
        let (kill, killed) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let shared = Arc::clone(&mode);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let accept = async {
                    loop {
                        let (client, _) = listener.accept().await.unwrap();
                        tokio::spawn(serve(client, server.clone(), Arc::clone(&shared), killed.clone()));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: told.recv().unwrap(), mode, kill, _stop: stop }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
        if matches!(mode, Mode::RefuseUntil(_)) {
            self.kill.send_modify(|count| *count += 1);
        }
    }

    /// Refuses sessions for a while.
    pub(crate) fn refuse_for(&self, time: Duration) {
        self.set(Mode::RefuseUntil(Instant::now() + time));
    }
}

async fn serve(
    mut client: TcpStream,
    server: String,
    mode: Arc<Mutex<Mode>>,
    mut killed: watch::Receiver<u64>,
) {
    client.set_nodelay(true).unwrap();
    killed.mark_unchanged();
    let mut startup = vec![0; 4096];
    let Ok(length) = client.read(&mut startup).await else { return };
    startup.truncate(length);
    let is_batcher = startup.windows(8).any(|window| window == b"batcher\0");
    if is_batcher && matches!(*mode.lock().unwrap(), Mode::RefuseUntil(until) if Instant::now() < until) {
        return;
    }
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    upstream.set_nodelay(true).unwrap();
    if upstream.write_all(&startup).await.is_err() {
        return;
    }
    if !is_batcher {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
        return;
    }
    let mut session = Session { client, upstream, mode, writes: HashSet::new(), pending: Vec::new() };
    tokio::select! {
        () = session.run() => {}
        _ = killed.changed() => {}
    }
}

struct Session {
    client: TcpStream,
    upstream: TcpStream,
    mode: Arc<Mutex<Mode>>,
    /// Names of prepared statements that write a group.
    writes: HashSet<Vec<u8>>,
    /// The beginning of a message that has not come whole.
    pending: Vec<u8>,
}

/// What a piece of the client's stream holds.
#[derive(Default)]
struct Seen {
    write: bool,
    lock: bool,
}

impl Session {
    async fn run(&mut self) {
        let (mut from_client, mut from_server) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        loop {
            tokio::select! {
                read = self.client.read(&mut from_client) => {
                    let Ok(length @ 1..) = read else { return };
                    if !self.pass_on(&from_client[..length]).await {
                        return;
                    }
                }
                read = self.upstream.read(&mut from_server) => {
                    let Ok(length @ 1..) = read else { return };
                    if self.client.write_all(&from_server[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Passes a piece on, or fails as told; `false` ends the session.
    async fn pass_on(&mut self, piece: &[u8]) -> bool {
        let seen = self.look_at(piece);
        let mode = *self.mode.lock().unwrap();
        let strikes = match mode {
            Mode::Pass | Mode::RefuseUntil(_) => false,
            Mode::FreezeWithCounter => seen.lock,
            _ => seen.write,
        };
        if strikes {
            *self.mode.lock().unwrap() = Mode::Pass;
            if mode == Mode::LoseWrite {
                return false;
            }
        }
        if self.upstream.write_all(piece).await.is_err() {
            return false;
        }
        if !strikes {
            return true;
        }
        let mut answer = vec![0; 1 << 20];
        let Ok(length) = self.upstream.read(&mut answer).await else { return false };
        match mode {
            Mode::LoseAnswer => false,
            Mode::WarnOfReplication => {
                self.client.write_all(&warning()).await.is_ok()
                    && self.client.write_all(&answer[..length]).await.is_ok()
            }
            // Held open, and silent, for longer than anybody waits.
            _ => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                false
            }
        }
    }

    fn look_at(&mut self, piece: &[u8]) -> Seen {
        self.pending.extend_from_slice(piece);
        let mut seen = Seen::default();
        while let Some(length) = self.pending.get(1..5) {
            let length = 1 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
            if self.pending.len() < length {
                break;
            }
            let message: Vec<u8> = self.pending.drain(..length).collect();
            let mut words = message[5..].split(|byte| *byte == 0);
            match message[0] {
                b'P' => {
                    let (name, text) = (words.next().unwrap(), words.next().unwrap());
                    if text.starts_with(b"WITH moved") {
                        self.writes.insert(name.to_vec());
                    } else {
                        self.writes.remove(name);
                    }
                }
                b'B' => {
                    let statement = words.nth(1).unwrap();
                    seen.write |= self.writes.contains(statement);
                }
                b'Q' => {
                    seen.lock |= words.next().unwrap().starts_with(b"BEGIN ISOLATION LEVEL READ COMMITTED")
                }
                _ => {}
            }
        }
        seen
    }
}

/// What PostgreSQL sends when somebody cancels the wait for the standbys.
fn warning() -> Vec<u8> {
    let fields = [
        ('S', "WARNING"),
        ('V', "WARNING"),
        ('C', "01000"),
        ('M', "canceling wait for synchronous replication due to user request"),
        ('R', "SyncRepWaitForLSN"),
    ];
    let mut body = Vec::new();
    for (kind, text) in fields {
        body.push(kind as u8);
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let mut message = vec![b'N'];
    message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    message.extend_from_slice(&body);
    message
}
