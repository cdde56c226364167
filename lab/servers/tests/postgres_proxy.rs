//! Faults at exact moments, seen by a real driver on a real server.

use gallae_lab_servers::{Database, Message, Moment, Postgres, PostgresUrl, Proxy, Side};
use std::{
    net::ToSocketAddrs,
    time::{Duration, Instant},
};
use tokio_postgres::{Client, NoTls};

const SOON: Duration = Duration::from_secs(20);

struct Bench {
    database: Database,
    proxy: Proxy,
    through: String,
}

fn bench() -> Bench {
    let database = Database::create(Postgres::shared().unwrap()).unwrap();
    database.query("CREATE TABLE t (n int)").unwrap();
    let url: PostgresUrl = database.url().parse().unwrap();
    let server = (url.host.as_str(), url.port).to_socket_addrs().unwrap().next().unwrap();
    let proxy = Proxy::to_postgres(server).unwrap();
    let through = proxy.url(&url).to_string();
    Bench { database, proxy, through }
}

impl Bench {
    async fn connect(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.through, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The rows that are there once nobody is still at work on them.
    fn rows(&self) -> usize {
        let others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                      AND backend_type = 'client backend'";
        let deadline = Instant::now() + SOON;
        while !self.database.query(others).unwrap().is_empty() {
            assert!(Instant::now() < deadline, "the server keeps a session whose connection was cut");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.database.query("SELECT n FROM t").unwrap().len()
    }
}

/// Whether the commit was acknowledged, and whether the row is there.
async fn commit_with(prepared: bool, moment: Moment) -> (bool, bool) {
    let bench = bench();
    let client = bench.connect().await;
    let fault = bench.proxy.cut(moment);
    client.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
    assert!(!fault.happened());
    let acknowledged = match prepared {
        true => client.execute("COMMIT", &[]).await.is_ok(),
        false => client.batch_execute("COMMIT").await.is_ok(),
    };
    assert!(fault.wait(SOON));
    drop(client);
    let written = bench.rows() == 1;
    // A fault happens once: the next connection is whole.
    bench.connect().await.batch_execute("BEGIN; INSERT INTO t VALUES (2); COMMIT").await.unwrap();
    (acknowledged, written)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_cut_before_during_and_after_as_a_simple_query() {
    let query = || Message::query("commit");
    assert_eq!(commit_with(false, Moment::Before(query())).await, (false, false));
    assert_eq!(commit_with(false, Moment::After(query())).await, (false, true));
    let done = || Message::command_complete("COMMIT");
    assert_eq!(commit_with(false, Moment::Before(done())).await, (false, true));
    let ready = || Message::ready_for_query().nth(2);
    assert_eq!(commit_with(false, Moment::Before(ready())).await, (false, true));
    assert_eq!(commit_with(false, Moment::After(ready())).await, (true, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_cut_before_during_and_after_as_a_prepared_statement() {
    assert_eq!(commit_with(true, Moment::Before(Message::parse("COMMIT"))).await, (false, false));
    assert_eq!(commit_with(true, Moment::Before(Message::bind("COMMIT"))).await, (false, false));
    assert_eq!(commit_with(true, Moment::Before(Message::execute("COMMIT"))).await, (false, false));
    // The driver prepares in one pipeline and executes in the next.
    assert_eq!(commit_with(true, Moment::After(Message::sync().nth(2))).await, (false, true));
    assert_eq!(commit_with(true, Moment::Before(Message::command_complete("COMMIT"))).await, (false, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_cut_after_so_many_bytes() {
    let bench = bench();
    let client = bench.connect().await;
    let statement = "INSERT INTO t VALUES (1)";
    // Tag, length, text and a zero: the last byte decides.
    let whole = u64::try_from(statement.len()).unwrap() + 6;
    let fault = bench.proxy.cut(Moment::Bytes(Side::Frontend, whole - 1));
    assert!(client.batch_execute(statement).await.is_err());
    assert!(fault.wait(SOON));
    assert_eq!(bench.rows(), 0);
    let client = bench.connect().await;
    bench.proxy.cut(Moment::Bytes(Side::Frontend, whole));
    assert!(client.batch_execute(statement).await.is_err());
    assert_eq!(bench.rows(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_now_is_closed_and_what_is_refused_does_not_begin() {
    let bench = bench();
    let (one, other) = (bench.connect().await, bench.connect().await);
    assert_eq!(bench.proxy.cut_now(), 2);
    assert!(one.batch_execute("SELECT 1").await.is_err());
    assert!(other.batch_execute("SELECT 1").await.is_err());
    bench.proxy.refuse(true);
    assert!(tokio_postgres::connect(&bench.through, NoTls).await.is_err());
    bench.proxy.refuse(false);
    bench.connect().await.batch_execute("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_waits_and_then_goes_on() {
    let bench = bench();
    let client = bench.connect().await;
    let fault = bench.proxy.hold(Moment::After(Message::query("INSERT")));
    let mut insert = std::pin::pin!(client.batch_execute("INSERT INTO t VALUES (1)"));
    let patience = Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, &mut insert).await.is_err(), "the answer is held");
    assert!(fault.wait(SOON));
    assert_eq!(bench.database.query("SELECT n FROM t").unwrap().len(), 1, "the server has it");
    let connecting = tokio_postgres::connect(&bench.through, NoTls);
    assert!(tokio::time::timeout(patience, connecting).await.is_err(), "new connections are held too");
    bench.proxy.release();
    insert.await.unwrap();
    bench.proxy.hold_now();
    assert!(tokio::time::timeout(patience, client.batch_execute("SELECT 1")).await.is_err());
    bench.proxy.cut_now();
    assert!(client.batch_execute("SELECT 1").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_is_as_long_as_it_is_told_to_be() {
    let bench = bench();
    let client = bench.connect().await;
    bench.proxy.delay(Side::Frontend, Duration::from_millis(100));
    bench.proxy.delay(Side::Backend, Duration::from_millis(200));
    let began = Instant::now();
    client.batch_execute("SELECT 1").await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    // Longer, not narrower: those that travel together arrive together.
    let began = Instant::now();
    let all = (0..20).map(|_| client.batch_execute("SELECT 1"));
    futures::future::try_join_all(all).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_proxy_closes_everything_when_it_goes() {
    let bench = bench();
    let address = bench.proxy.address();
    let mut client = std::net::TcpStream::connect(address).unwrap();
    bench.proxy.hold_now();
    drop(bench.proxy);
    client.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(std::io::Read::read(&mut client, &mut [0; 1]).unwrap_or(0), 0);
    assert!(std::net::TcpStream::connect(address).is_err());
}
