//! PgBouncer in transaction mode, between a real driver and a real server.

use gallae_lab_servers::{Database, PgBouncer, Postgres, PostgresOptions, PostgresUrl, ServerError};
use std::time::Duration;
use tokio_postgres::{Client, NoTls};

const PATIENCE: Duration = Duration::from_millis(300);

async fn connect(url: &PostgresUrl) -> Client {
    let (client, connection) = tokio_postgres::connect(&url.to_string(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn session(client: &Client) -> i32 {
    let rows = client.simple_query("SELECT pg_backend_pid()").await.unwrap();
    rows.iter()
        .find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        })
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_share_a_session_between_transactions_and_wait_within() {
    let database = Database::create(Postgres::shared().unwrap()).unwrap();
    let server: PostgresUrl = database.url().parse().unwrap();
    let mut bouncer = PgBouncer::before(&server, 1).unwrap();
    let (one, other) = (connect(&bouncer.url()).await, connect(&bouncer.url()).await);
    assert_eq!(session(&one).await, session(&other).await);

    one.batch_execute("BEGIN").await.unwrap();
    let mut waiting = std::pin::pin!(session(&other));
    assert!(tokio::time::timeout(PATIENCE, &mut waiting).await.is_err(), "the session is taken");
    one.batch_execute("COMMIT").await.unwrap();
    waiting.await;

    bouncer.kill().unwrap();
    assert!(one.batch_execute("SELECT 1").await.is_err());
    assert!(tokio_postgres::connect(&bouncer.url().to_string(), NoTls).await.is_err());
    database.query("SELECT 1").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_asked_for_and_a_server_that_comes_back_is_found() {
    let mut server = PostgresOptions::new().without_fsync().password("비밀 \"so\"").start().unwrap();
    let bouncer = PgBouncer::before(&server.url(), 2).unwrap();
    let wrong = PostgresUrl { password: Some("wrong".to_owned()), ..bouncer.url() };
    assert!(tokio_postgres::connect(&wrong.to_string(), NoTls).await.is_err());
    let first = session(&connect(&bouncer.url()).await).await;
    server.kill().unwrap();
    server.start_again().unwrap();
    // What it had pooled is broken once; then it logs in again.
    let mut again = None;
    for _ in 0..3 {
        if let Ok((client, connection)) = tokio_postgres::connect(&bouncer.url().to_string(), NoTls).await {
            tokio::spawn(connection);
            if client.batch_execute("SELECT 1").await.is_ok() {
                again = Some(session(&client).await);
                break;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(again.is_some_and(|again| again != first), "{again:?}: {}", bouncer.log_tail());
}

#[test]
fn it_starts_while_there_is_no_server() {
    let mut server = PostgresOptions::new().without_fsync().start().unwrap();
    server.stop().unwrap();
    let bouncer = PgBouncer::before(&server.url(), 1).unwrap();
    server.start_again().unwrap();
    Database::create(&bouncer.url().to_string()).unwrap();
}

#[test]
fn a_wrong_configuration_is_told_with_the_end_of_the_log() {
    let server: PostgresUrl = "postgres://me@127.0.0.1:1/x".parse().unwrap();
    let nonsense = PostgresUrl { host: "127.0.0.1\nnonsense".to_owned(), ..server };
    let error = PgBouncer::before(&nonsense, 1).unwrap_err();
    assert!(matches!(error, ServerError::Ended { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("syntax error in configuration"), "{error:?}");
}
