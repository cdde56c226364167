//! A real PostgreSQL: made, reached, broken in every way that the guard offers, and gone afterwards.

use gallae_lab_servers::{Database, Postgres, PostgresOptions, ServerError};
use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

fn one(server: &Postgres, statement: &str) -> String {
    server.query(statement).unwrap()[0][0].clone().unwrap()
}

fn folder(server: &Postgres) -> PathBuf {
    PathBuf::from(one(server, "SHOW data_directory")).parent().unwrap().to_owned()
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_is_durable_by_default_and_leaves_nothing_behind() {
    let server = Postgres::start().unwrap();
    assert_eq!(one(&server, "SHOW fsync"), "on");
    let (folder, address) = (folder(&server), server.address());
    assert!(folder.is_dir());
    drop(server);
    assert!(!folder.exists());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn settings_hold_and_the_last_one_wins() {
    let options =
        PostgresOptions::new().without_fsync().setting("work_mem", "1MB").setting("work_mem", "2MB");
    let server = options.setting("application_name", "it's").start().unwrap();
    assert_eq!(one(&server, "SHOW fsync"), "off");
    assert_eq!(one(&server, "SHOW work_mem"), "2MB");
    assert_eq!(one(&server, "SHOW timezone"), "UTC");
}

#[test]
fn a_wrong_setting_is_told_with_the_end_of_the_log() {
    let error = PostgresOptions::new().setting("no_such_setting", 1).start().unwrap_err();
    let words = format!("{error:?}");
    assert!(matches!(error, ServerError::Ended { .. }), "{words}");
    assert!(words.contains("no_such_setting"), "{words}");
}

#[test]
fn what_was_acknowledged_survives_every_end() {
    let mut server = Postgres::start().unwrap();
    server.query("CREATE TABLE kept (n int)").unwrap();
    type End = fn(&mut Postgres) -> Result<(), ServerError>;
    let ends: [(&str, End); 3] =
        [("kill", Postgres::kill), ("immediate", Postgres::stop_immediately), ("stop", Postgres::stop)];
    for (round, (name, end)) in ends.into_iter().enumerate() {
        server.query(&format!("INSERT INTO kept VALUES ({round})")).unwrap();
        end(&mut server).unwrap();
        let error = server.query("SELECT 1").unwrap_err();
        assert!(matches!(error, ServerError::System { .. }), "{name}: {error:?}");
        server.start_again().unwrap();
        let recovered = server.log_tail().contains("was not properly shut down");
        assert_eq!(recovered, name != "stop", "{name}: {}", server.log_tail());
        assert_eq!(one(&server, "SELECT count(*) FROM kept"), (round + 1).to_string(), "{name}");
    }
    let error = server.start_again().unwrap_err();
    assert!(error.to_string().contains("runs already"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_answers_nothing_until_it_is_thawed() {
    let mut server = PostgresOptions::new().without_fsync().start().unwrap();
    let url = server.url().to_string();
    let (session, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    server.freeze().unwrap();
    let mut in_session = std::pin::pin!(session.batch_execute("SELECT 1"));
    let mut connecting = std::pin::pin!(tokio_postgres::connect(&url, tokio_postgres::NoTls));
    let patience = Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, &mut in_session).await.is_err(), "a session goes on");
    assert!(tokio::time::timeout(patience, &mut connecting).await.is_err(), "a session begins");
    server.thaw().unwrap();
    in_session.await.unwrap();
    drop(connecting.await.unwrap());

    let folder = folder(&server);
    server.freeze().unwrap();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_password_is_asked_for() {
    let server = PostgresOptions::new().without_fsync().password("비밀: p@ss/word").start().unwrap();
    assert_eq!(one(&server, "SELECT 1"), "1");
    let database = Database::create(&server.url().to_string()).unwrap();
    database.query("SELECT 1").unwrap();
    let replica = PostgresOptions::new().replica_of(&server).unwrap();
    assert_eq!(one(&replica, "SELECT pg_is_in_recovery()"), "t");
    let mut wrong = server.url();
    wrong.password = Some("wrong".to_owned());
    let error = Database::create(&wrong.to_string()).unwrap_err();
    assert!(format!("{error:?}").contains("28P01"), "{error:?}");
}

#[test]
fn tls_is_offered_with_a_certificate_that_its_authority_signed() {
    let server = PostgresOptions::new().without_fsync().tls().start().unwrap();
    let connect = |server: &Postgres, authority: &std::path::Path| {
        let words = format!(
            "host=localhost hostaddr=127.0.0.1 port={} user=postgres sslmode=verify-full sslrootcert={}",
            server.address().port(),
            authority.display()
        );
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Command::new("psql").args(["-XAtc", sql, &words]).output().unwrap()
    };
    let is_encrypted = |server: &Postgres, authority: &std::path::Path| {
        let answer = connect(server, authority);
        assert_eq!(String::from_utf8_lossy(&answer.stdout), "t\n", "{answer:?}");
    };
    is_encrypted(&server, &server.authority());
    let other = PostgresOptions::new().without_fsync().tls().start().unwrap();
    assert!(!connect(&server, &other.authority()).status.success());

    let mut replica = PostgresOptions::new().replica_of(&server).unwrap();
    drop(server);
    replica.stop_immediately().unwrap();
    replica.start_again().unwrap();
    is_encrypted(&replica, &replica.authority());
}

#[test]
fn a_synchronous_replica_is_named_follows_and_is_promoted() {
    let options = PostgresOptions::new().setting("synchronous_standby_names", "ANY 1 (east, west)");
    let mut primary = options.setting("synchronous_commit", "local").start().unwrap();
    let east = PostgresOptions::new().name("east").replica_of(&primary).unwrap();
    let states = "SELECT application_name || ' ' || sync_state FROM pg_stat_replication";
    eventually("east is a quorum standby", || {
        primary.query(states).unwrap() == [[Some("east quorum".to_owned())]]
    });
    primary.query("CREATE TABLE t (n int)").unwrap();
    primary.query("SET synchronous_commit = remote_apply; INSERT INTO t VALUES (7)").unwrap();
    assert_eq!(one(&east, "SELECT n FROM t"), "7");
    let refused = east.query("INSERT INTO t VALUES (8)").unwrap_err();
    assert!(matches!(&refused, ServerError::Refused { code, .. } if code == "25006"), "{refused:?}");
    primary.kill().unwrap();
    east.promote().unwrap();
    east.query("SET synchronous_commit = local; INSERT INTO t VALUES (8)").unwrap();
    assert_eq!(one(&east, "SELECT sum(n) FROM t"), "15");
}

#[test]
fn a_database_is_ones_own_and_goes_with_its_guard_also_in_a_panic() {
    let server = Postgres::shared().unwrap();
    let keep = Database::create(server).unwrap();
    let names = |like: &str| {
        let sql = format!("SELECT datname FROM pg_database WHERE datname = '{like}'");
        keep.query(&sql).unwrap().len()
    };
    let name = |database: &Database| database.url().rsplit_once('/').unwrap().1.to_owned();
    let gone = std::thread::scope(|scope| {
        let panicking = scope.spawn(|| {
            // Declared first, and so dropped last: somebody is connected still when the database goes.
            let mut session;
            let database = Database::create(server).unwrap();
            let url: gallae_lab_servers::PostgresUrl = database.url().parse().unwrap();
            session = std::net::TcpStream::connect((url.host.as_str(), url.port)).unwrap();
            let mut start = vec![0, 3, 0, 0];
            start.extend(format!("user\0{}\0database\0{}\0\0", url.user, url.database).bytes());
            let length = u32::try_from(start.len() + 4).unwrap().to_be_bytes();
            std::io::Write::write_all(&mut session, &[&length[..], &start].concat()).unwrap();
            std::io::Read::read_exact(&mut session, &mut [0; 1]).unwrap();
            assert_eq!(names(&name(&database)), 1);
            std::panic::panic_any(name(&database));
        });
        *panicking.join().unwrap_err().downcast::<String>().unwrap()
    });
    assert_eq!(names(&gone), 0);
}

/// The name of the test that the next one runs in a process of its own.
const VICTIM: &str = "GALLAE_LAB_VICTIM";

#[test]
fn a_killed_test_leaves_neither_process_nor_folder() {
    if let Ok(report) = std::env::var(VICTIM) {
        let mut server = PostgresOptions::new().without_fsync().start().unwrap();
        let postmaster = one(&server, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
        let told = format!("{} {}", folder(&server).display(), postmaster);
        if report.ends_with("frozen") {
            server.freeze().unwrap();
        }
        std::fs::write(&report, told).unwrap();
        // Aborts: no destructor runs.
        std::process::abort();
    }
    for mode in ["running", "frozen"] {
        let report = std::env::temp_dir().join(format!("gallae-lab-report-{}-{mode}", std::process::id()));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_killed_test_leaves_neither_process_nor_folder"]).env(VICTIM, &report);
        let output = command.output().unwrap();
        let told = std::fs::read_to_string(&report).unwrap_or_else(|_| panic!("{output:?}"));
        std::fs::remove_file(&report).unwrap();
        let (folder, pid) = told.rsplit_once(' ').unwrap();
        eventually(&format!("{mode}: {folder} is removed"), || !PathBuf::from(folder).exists());
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.contains("postgres") && !stat.contains(") Z ")
        };
        eventually(&format!("{mode}: process {pid} ends"), || !lives());
    }
}
