use super::{
    client,
    options::PostgresOptions,
    server::{Data, SUPERUSER},
    url::PostgresUrl,
};
use crate::{
    ServerError,
    account::Account,
    error::tail,
    folder::{private, restrict},
    port::{free_address, is_taken},
    tool,
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// For a start with recovery, and for a shutdown in order.
const SECONDS: &str = "120";

/// A PostgreSQL with a folder of its own that outlives whoever starts it, for a developer's day.
#[derive(Debug)]
pub struct KeptPostgres {
    data: Data,
}

impl KeptPostgres {
    /// The server whose data is, or will be, in `folder`. Nothing is touched.
    ///
    /// # Errors
    /// There is no account to run servers under.
    pub fn in_folder(folder: &Path) -> Result<Self, ServerError> {
        let account = Account::for_servers()?;
        let (folder, options) = (folder.to_owned(), PostgresOptions::new());
        Ok(Self { data: Data { folder, account, options } })
    }

    /// Makes the data where there is none, starts the server, durable, on the port that it had before, and waits until it
    /// lets somebody in. A server that runs is left as it is.
    ///
    /// # Errors
    /// PostgreSQL is not installed, its account cannot enter the folder, or it does not start.
    pub fn start(&self) -> Result<PostgresUrl, ServerError> {
        if let Some(url) = self.running()? {
            return Ok(url);
        }
        if !self.data.path().join("PG_VERSION").exists() {
            self.make()?;
        }
        let port = self.port()?;
        let mut command = self.control("start")?;
        command.arg("--log").arg(self.data.log()).args(["-o", &format!("-p {port}")]);
        tool::run(&mut command).map_err(|error| self.with_log(error, port))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        client::ready(address, SUPERUSER, SUPERUSER).map_err(ServerError::Unsupported)?;
        Ok(self.data.url(port))
    }

    /// Shuts down in order; the data stays. Says whether it ran.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(&self) -> Result<bool, ServerError> {
        if self.running()?.is_none() {
            return Ok(false);
        }
        tool::run(self.control("stop")?.arg("--mode=fast"))?;
        Ok(true)
    }

    /// Where it listens, if it runs.
    ///
    /// # Errors
    /// PostgreSQL is not installed any more, or the folder cannot be read.
    pub fn running(&self) -> Result<Option<PostgresUrl>, ServerError> {
        let note = self.data.path().join("postmaster.pid");
        if !note.exists() || !tool::agrees(&mut self.control("status")?)? {
            return Ok(None);
        }
        let text =
            fs::read_to_string(&note).map_err(ServerError::system(format!("read {}", note.display())))?;
        // PostgreSQL's own order: process, folder, time, port.
        let port = text.lines().nth(3).and_then(|line| line.trim().parse().ok());
        Ok(port.map(|port| self.data.url(port)))
    }

    /// The file that it logs to.
    pub fn log(&self) -> PathBuf {
        self.data.log()
    }

    fn make(&self) -> Result<(), ServerError> {
        let folder = &self.data.folder;
        let above = folder.parent().unwrap_or(folder);
        fs::create_dir_all(above).map_err(ServerError::system(format!("create {}", above.display())))?;
        if !tool::agrees(self.data.account.command(Path::new("test")).arg("-x").arg(above))? {
            return Err(ServerError::Unsupported(format!(
                "PostgreSQL does not run as root, and the user it runs as cannot enter {}; give --folder DIR with one that is \
                 open to others, or do this as an ordinary user",
                above.display()
            )));
        }
        if !folder.exists() {
            private(folder, &self.data.account)?;
        }
        self.data.initialise()
    }

    /// The port of the last time, or a new one.
    fn port(&self) -> Result<u16, ServerError> {
        let file = self.data.folder.join("port");
        if let Some(port) = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) {
            return Ok(port);
        }
        let port = free_address()?.port();
        let written = fs::write(&file, port.to_string()).and_then(|()| restrict(&file, 0o644));
        written.map_err(ServerError::system(format!("write {}", file.display())))?;
        Ok(port)
    }

    fn control(&self, verb: &str) -> Result<std::process::Command, ServerError> {
        let mut command = self.data.program("pg_ctl")?;
        command.arg(verb).arg("--pgdata").arg(self.data.path());
        if verb != "status" {
            command.args(["--wait", "--timeout", SECONDS]);
        }
        Ok(command)
    }

    /// pg_ctl says only that there is a log.
    fn with_log(&self, error: ServerError, port: u16) -> ServerError {
        let ServerError::Tool { status, .. } = error else { return error };
        let mut tail = tail(&self.data.log());
        if is_taken(&tail) {
            let file = self.data.folder.join("port");
            tail.push_str(&format!(
                "\nsomebody else listens on port {port}; remove {} to have another chosen",
                file.display()
            ));
        }
        ServerError::Ended { server: format!("PostgreSQL in {}", self.data.folder.display()), status, tail }
    }
}
