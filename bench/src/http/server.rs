//! A server as a process of its own, seen from outside.

use crate::{Failure, machine::kilobytes};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// What the kernel counts CPU in: a hundredth of a second, on every machine that Linux runs on.
const TICK: Duration = Duration::from_millis(10);

/// A running server; ended when dropped.
#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    address: SocketAddr,
    /// Where its operator's token lies; absent for the bare handler.
    data: Option<PathBuf>,
    folder: PathBuf,
}

impl Server {
    /// The shop, with its data in `folder`.
    pub(super) fn shop(commerce: &Path, folder: &Path) -> Result<Self, Failure> {
        let (address, data) = (free_address()?, folder.join("data"));
        let mut command = Command::new(commerce);
        command.args(["serve", "--listen", &address.to_string(), "--data-dir"]).arg(&data);
        Self::start(command, address, Some(data), folder)
    }

    /// The bare handler.
    pub(super) fn bare(folder: &Path) -> Result<Self, Failure> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bare", "--listen", &address.to_string()]);
        Self::start(command, address, None, folder)
    }

    fn start(
        mut command: Command,
        address: SocketAddr,
        data: Option<PathBuf>,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let log = File::create(folder.join(format!("server-{}.log", address.port())))?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().map_err(|error| format!("{command:?} cannot be started: {error}"))?;
        let mut server = Self { process, address, data, folder: folder.to_owned() };
        server.wait()?;
        Ok(server)
    }

    /// Until it says that it is ready.
    fn wait(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("the server ended with {status}: {}", self.log()).into());
            }
            if self.is_ready().unwrap_or(false) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!("the server is not ready after {PATIENCE:?}: {}", self.log()).into())
    }

    fn is_ready(&self) -> std::io::Result<bool> {
        let mut connection = TcpStream::connect(self.address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        write!(connection, "GET /health/ready HTTP/1.0\r\nHost: {}\r\n\r\n", self.address)?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200"))
    }

    fn log(&self) -> String {
        let file = self.folder.join(format!("server-{}.log", self.address.port()));
        fs::read_to_string(file).unwrap_or_default()
    }

    /// Points the load generator at this server.
    pub(super) fn aim(&self, generator: &mut Command) {
        generator.current_dir(&self.folder);
        match &self.data {
            Some(data) => generator.arg("--data-dir").arg(data),
            None => generator.arg("--url").arg(format!("http://{}", self.address)),
        };
    }

    /// Resident memory.
    pub(super) fn memory_mb(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Ok(kilobytes(resident.ok_or("the server is gone")?)? as f64 / 1024.0)
    }

    /// User and system time so far.
    pub(super) fn cpu(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name before the closing parenthesis may hold spaces; user and system time are the 14th and 15th field.
        let fields = stat.rsplit_once(')').ok_or("the kernel says nothing about the server")?.1;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
        Ok(TICK * ticks.sum::<Result<u32, _>>()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let began = Instant::now();
        while began.elapsed() < PATIENCE && matches!(self.process.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that nobody listens at.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
