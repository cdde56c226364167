//! A server's data on disk, and starting a server on it.

use super::{client, options::PostgresOptions, tls, url::PostgresUrl};
use crate::{
    POSTGRES, ServerError,
    account::Account,
    process::{Process, Signal},
    tool,
};
use std::{
    fs::OpenOptions,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

pub(super) const SUPERUSER: &str = "postgres";

/// For many tests at a time on a small machine.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "300"),
    ("shared_buffers", "64MB"),
    ("wal_retrieve_retry_interval", "500ms"),
    ("log_line_prefix", "%m [%p] "),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
];

#[derive(Debug)]
pub(super) struct Data {
    /// Holds `data/`, the log and what TLS needs.
    pub(super) folder: PathBuf,
    pub(super) account: Account,
    pub(super) options: PostgresOptions,
}

impl Data {
    /// Makes an empty cluster. Not synced: if the machine fails now, the tests that need it fail too.
    pub(super) fn initialise(&self) -> Result<(), ServerError> {
        let mut command = self.program("initdb")?;
        command.arg("--pgdata").arg(self.path()).args([
            "--username",
            SUPERUSER,
            "--encoding=UTF8",
            "--locale=C",
        ]);
        command.args(["--no-sync", "--auth-local=trust"]);
        if let Some(password) = &self.options.password {
            let file = self.folder.join("password");
            std::fs::write(&file, password).map_err(ServerError::system("write a password for initdb"))?;
            self.account.own(&file)?;
            command.arg("--auth-host=scram-sha-256").arg(format!("--pwfile={}", file.display()));
        } else {
            command.arg("--auth-host=trust");
        }
        tool::run(&mut command)?;
        if self.options.tls {
            tls::make(&self.folder, &self.account)?;
        }
        self.configure(SETTINGS)
    }

    /// Copies a running server and makes a replica of the copy.
    pub(super) fn copy(&self, primary: &PostgresUrl) -> Result<(), ServerError> {
        let mut command = self.program("pg_basebackup")?;
        command.arg("--pgdata").arg(self.path()).args([
            "--checkpoint=fast",
            "--wal-method=stream",
            "--no-sync",
        ]);
        command.arg("--write-recovery-conf").args(["--dbname", &primary.to_string()]);
        tool::run(&mut command)?;
        self.configure(&[])
    }

    /// Starts the server and waits until it lets somebody in.
    pub(super) fn launch(&self, address: SocketAddr, limit: Duration) -> Result<Process, ServerError> {
        let mut command = self.program("postgres")?;
        command.arg("-D").arg(self.path()).args(["-p", &address.port().to_string()]);
        let name = format!("PostgreSQL at {address}");
        let mut process = Process::start(&name, &mut command, &self.log(), Signal::Quit)?;
        process.await_ready(limit, || client::ready(address, SUPERUSER, SUPERUSER))?;
        Ok(process)
    }

    /// Where the server of this data listens, when `port` is its port.
    pub(super) fn url(&self, port: u16) -> PostgresUrl {
        PostgresUrl {
            user: SUPERUSER.to_owned(),
            password: self.options.password.clone(),
            host: "127.0.0.1".to_owned(),
            port,
            database: SUPERUSER.to_owned(),
            parameters: None,
        }
    }

    /// Removes what a killed server cannot: the system keeps its segment, and has few to give. The next start would do it, but
    /// there may be none.
    pub(super) fn forget_shared_memory(&self) {
        let note = std::fs::read_to_string(self.path().join("postmaster.pid")).unwrap_or_default();
        // PostgreSQL's own order: the seventh line has the key and the id.
        let id = note.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
        if let Some(id) = id {
            // Fails only when it is gone.
            let _ = tool::agrees(self.account.command(Path::new("ipcrm")).args(["-m", id]));
        }
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn program(&self, name: &str) -> Result<Command, ServerError> {
        let mut command = self.account.command(&POSTGRES.program(name)?);
        // A developer's own settings for another server.
        for name in
            ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGDATA", "PGOPTIONS"]
        {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        Ok(command)
    }

    /// Below what initdb wrote, so that it holds.
    fn configure(&self, ours: &[(&str, &str)]) -> Result<(), ServerError> {
        let path = self.path().join("postgresql.conf");
        let theirs = self.options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut text = String::new();
        for (name, value) in ours.iter().copied().chain(theirs) {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        if self.options.tls {
            text.push_str(&tls::settings(&self.folder));
        }
        append(&path, &text).map_err(ServerError::system(format!("write {}", path.display())))
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())
}
