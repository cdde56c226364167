//! Connections that break while views are written and read.

mod schemas;
mod support;

use bytes::Bytes;
use gallae_core::{Increment, Position, Timestamp, ViewKey};
use gallae_ports::{
    ApplyError, CounterBatch, CounterStore, ProjectionSpec, ProjectionStore, Slot, ViewBatch, ViewRow,
    ViewStore,
};
use gallae_postgres::{
    Settings,
    views::{Behind, PostgresViews},
};
use schemas::TestSchema;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const ORDERS: ProjectionSpec = ProjectionSpec { name: "orders", revision: 1, fields: &[], text: &[] };

/// What becomes of the next statement that writes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pass,
    /// It never reaches the server.
    LoseStatement,
    /// It is done, and its answer never comes back.
    LoseAnswer,
}

/// A way to the server that breaks when it is told to.
struct Way {
    address: SocketAddr,
    fate: Arc<Mutex<Fate>>,
    _running: JoinSet<()>,
}

impl Way {
    async fn open() -> Self {
        let url = support::server();
        let after_user = url.rsplit('@').next().unwrap();
        let server = after_user.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, fate) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Fate::Pass)));
        let mut running = JoinSet::new();
        let shared = Arc::clone(&fate);
        running.spawn(async move {
            let mut sessions = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&server).await.unwrap();
                sessions.spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Self { address, fate, _running: running }
    }

    fn set(&self, fate: Fate) {
        *self.fate.lock().unwrap() = fate;
    }

    /// Views that are reached on it. Statements are not prepared, so that each is in one piece with its text.
    async fn views(&self, schema: &TestSchema) -> PostgresViews {
        let url = support::server();
        let (user, rest) = url.rsplit_once('@').unwrap();
        let database = rest.split_once('/').unwrap().1;
        let write_url = format!("{user}@{}/{database}", self.address);
        let settings = Settings { write_url, prepare: false, ..schema.settings() };
        PostgresViews::new(&support::open(settings).await, Behind::default())
    }
}

/// Passes everything on until fate strikes, and then closes both sides.
async fn pass(mut client: TcpStream, mut server: TcpStream, fate: Arc<Mutex<Fate>>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let piece = &asked[..length];
                let writes = piece.windows(20).any(|window| window == b"admitted AS (UPDATE ");
                let struck = if writes { std::mem::replace(&mut *fate.lock().unwrap(), Fate::Pass) } else { Fate::Pass };
                if struck == Fate::LoseStatement || server.write_all(piece).await.is_err() {
                    return;
                }
                if struck == Fate::LoseAnswer {
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn write(
    views: &PostgresViews,
    slot: &Slot,
    from: u64,
    document: &'static str,
) -> Result<(), ApplyError> {
    let document = Bytes::from_static(document.as_bytes());
    let row = ViewRow { key: "k".into(), document, fields: Vec::new(), changed_at: Position::new(1) };
    let (from, to) = (Position::new(from), Position::new(from + 1));
    ViewStore::apply(views, slot, ViewBatch { from, to, epoch: 1, rows: vec![row], removed: Vec::new() })
        .await
}

async fn read(views: &PostgresViews) -> Bytes {
    views.get("orders", &ViewKey::from("k")).await.unwrap().unwrap().document
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answer_is_lost_is_found_to_be_applied() {
    let (schema, way) = (TestSchema::new(), Way::open().await);
    let views = way.views(&schema).await;
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    write(&views, &slot, 0, "first").await.unwrap();
    way.set(Fate::LoseAnswer);
    write(&views, &slot, 1, "second").await.unwrap();
    assert_eq!(*way.fate.lock().unwrap(), Fate::Pass, "the answer was lost");
    assert_eq!(read(&views).await, "second");

    let sales = ProjectionSpec { name: "sales", ..ORDERS };
    let slot = views.open(&sales, false).await.unwrap().slot;
    for from in 0..3 {
        way.set(if from == 1 { Fate::LoseAnswer } else { Fate::Pass });
        let increments = vec![Increment::new("orders", Timestamp::from_micros(0), 1)];
        let (from, to) = (Position::new(from), Position::new(from + 1));
        CounterStore::apply(&views, &slot, CounterBatch { from, to, epoch: 1, increments }).await.unwrap();
    }
    assert_eq!(views.totals("sales").await.unwrap(), [("orders".to_owned(), 3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_never_arrives_is_unavailable_and_changes_nothing() {
    let (schema, way) = (TestSchema::new(), Way::open().await);
    let views = way.views(&schema).await;
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    write(&views, &slot, 0, "first").await.unwrap();
    way.set(Fate::LoseStatement);
    let refused = write(&views, &slot, 1, "second").await;
    assert!(matches!(refused, Err(ApplyError::Unavailable(_))), "{refused:?}");
    assert_eq!(views.cursor(&slot).await.unwrap(), Position::new(1));
    assert_eq!(read(&views).await, "first");
    write(&views, &slot, 1, "second").await.unwrap();
    assert_eq!(read(&views).await, "second");
}

#[tokio::test]
async fn reads_outlive_the_end_of_every_connection() {
    let schema = TestSchema::new();
    let name = format!("{:?}", schema).replace(|char: char| !char.is_ascii_alphanumeric(), "");
    let name = name[..60.min(name.len())].to_owned();
    let settings = Settings { application_name: name.clone(), ..schema.settings() };
    let views = PostgresViews::new(&support::open(settings).await, Behind::default());
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    write(&views, &slot, 0, "kept").await.unwrap();
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '{name}%'"
    );
    for _ in 0..2 {
        assert_eq!(read(&views).await, "kept");
        assert!(!schema.rows(&end).await.is_empty());
        assert_eq!(read(&views).await, "kept");
        assert!(!schema.rows(&end).await.is_empty());
        assert_eq!(ViewStore::load(&views, &slot, &["k".into()]).await.unwrap().len(), 1);
        assert!(!schema.rows(&end).await.is_empty());
        assert_eq!(views.state("orders").await.unwrap().unwrap().cursor, Position::new(1));
    }
}
