use crate::{
    PGBOUNCER, PostgresUrl, ServerError,
    account::Account,
    folder::Folder,
    on_free_port,
    postgres::ready,
    process::{Process, Signal},
};
use std::{fs, net::SocketAddr, path::Path, time::Duration};

const READY_WITHIN: Duration = Duration::from_secs(20);
/// Answers also while there is no server.
const CONSOLE: &str = "pgbouncer";

/// A running PgBouncer in transaction mode before one PostgreSQL server: between two transactions a client may find itself in
/// another session. Dropped, it ends; so it does when this process is killed.
///
/// What breaks there is what production would break: prepared statements that are named (before PgBouncer 1.21), `LISTEN`,
/// `SET` outside a transaction, advisory locks of a session.
#[derive(Debug)]
pub struct PgBouncer {
    process: Process,
    address: SocketAddr,
    server: PostgresUrl,
    _folder: Folder,
}

impl PgBouncer {
    /// Starts one before `server`, with at most `sessions` on it for each database.
    ///
    /// # Errors
    /// PgBouncer is not installed, or it does not start: the error holds the end of its log.
    pub fn before(server: &PostgresUrl, sessions: u32) -> Result<Self, ServerError> {
        let account = Account::for_servers()?;
        let folder = Folder::create(&account)?;
        let program = PGBOUNCER.program("pgbouncer")?;
        let path = folder.path().to_owned();
        write(&path.join("users"), &users(server), &account)?;
        let (process, address) = on_free_port(|address| {
            let configuration = path.join("pgbouncer.ini");
            write(&configuration, &ini(server, sessions, address, &path), &account)?;
            let mut command = account.command(&program);
            command.arg(&configuration);
            let name = format!("PgBouncer at {address}");
            let mut process =
                Process::start(&name, &mut command, &path.join("pgbouncer.log"), Signal::Terminate)?;
            process.await_ready(READY_WITHIN, || ready(address, &server.user, CONSOLE))?;
            Ok(process)
        })?;
        Ok(Self { process, address, server: server.clone(), _folder: folder })
    }

    /// The server as reached through it.
    pub fn url(&self) -> PostgresUrl {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        PostgresUrl { host, port, ..self.server.clone() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last lines that it logged.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// Kills it with SIGKILL: sessions on the server see their client vanish.
    ///
    /// # Errors
    /// It does not end.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        self.process.signal(Signal::Kill)?;
        self.process.await_end(READY_WITHIN).map(drop)
    }
}

/// `server_login_retry` is 15 s by default, which would be the length of every failover.
fn ini(server: &PostgresUrl, sessions: u32, address: SocketAddr, folder: &Path) -> String {
    let (host, port) = (&server.host, server.port);
    format!(
        "[databases]\n* = host={host} port={port}\n\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\n\
         auth_type = {}\nauth_file = {}\nadmin_users = {}\npool_mode = transaction\ndefault_pool_size = {sessions}\n\
         max_client_conn = 1000\nserver_login_retry = 1\nserver_connect_timeout = 2\nquery_wait_timeout = 30\n\
         ignore_startup_parameters = extra_float_digits,options\n",
        address.ip(),
        address.port(),
        if server.password.is_some() { "scram-sha-256" } else { "trust" },
        folder.join("users").display(),
        server.user,
    )
}

/// In clear, because PgBouncer logs in to the server with it.
fn users(server: &PostgresUrl) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    format!("{} {}\n", quoted(&server.user), quoted(server.password.as_deref().unwrap_or_default()))
}

fn write(path: &Path, text: &str, account: &Account) -> Result<(), ServerError> {
    fs::write(path, text).map_err(ServerError::system(format!("write {}", path.display())))?;
    account.own(path)
}
