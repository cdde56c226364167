//! A server as a child process: started, waited for by asking it, signalled by its process id, ended with its guard.

use crate::{ServerError, error::tail, watchdog::Watchdog};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// For a server that was asked to end, before it is killed.
const ENDED_WITHIN: Duration = Duration::from_secs(15);

/// What one says to a process. Named as `kill -s` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Quit,
    Terminate,
    Kill,
    Stop,
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

/// A running server. Dropped, it is asked to end with its own signal, then killed.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    end: Signal,
    /// Dropped before the child is reaped: its number could be another's afterwards.
    watchdog: Option<Watchdog>,
}

impl Process {
    /// Starts `command` with its output in `log`, which is written anew.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        log: &Path,
        end: Signal,
    ) -> Result<Self, ServerError> {
        let opening = || ServerError::system(format!("write {}", log.display()));
        let output = File::create(log).map_err(opening())?;
        let errors = output.try_clone().map_err(opening())?;
        // None of our own channels: whoever reads them would wait for the server to end.
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        apart(command);
        let child = command.spawn().map_err(ServerError::system(format!("start {name}")))?;
        let mut process = Self { name: name.to_owned(), log: log.to_owned(), child, end, watchdog: None };
        process.watchdog = Some(Watchdog::over_process(process.id(), end.name())?);
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log)
    }

    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, ServerError> {
        self.child.try_wait().map_err(ServerError::system(format!("wait for {}", self.name)))
    }

    /// Asks until `probe` is content; what it says instead is told when time runs out.
    pub(crate) fn await_ready(
        &mut self,
        limit: Duration,
        mut probe: impl FnMut() -> Result<(), String>,
    ) -> Result<(), ServerError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                let (server, tail) = (self.name.clone(), self.log_tail());
                return Err(ServerError::Ended { server, status: status.to_string(), tail });
            }
            let Err(last) = probe() else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(self.late("did not become ready", limit, last));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits for the end of a process that was told to end, and takes note of it.
    pub(crate) fn await_end(&mut self, limit: Duration) -> Result<ExitStatus, ServerError> {
        let deadline = Instant::now() + limit;
        self.watchdog = None;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.late("did not end", limit, "it still runs".to_owned()));
            }
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn late(&self, what: &'static str, limit: Duration, last: String) -> ServerError {
        let (server, tail) = (self.name.clone(), self.log_tail());
        ServerError::Late { server, what, seconds: limit.as_secs(), last, tail }
    }

    /// Nothing happens when it has ended already.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<(), ServerError> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        send(self.id(), signal).map_err(ServerError::system(format!(
            "send {} to {}",
            signal.name(),
            self.name
        )))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever fails here fails because the process is gone.
        let _ = self.signal(self.end);
        let _ = self.signal(Signal::Continue);
        if self.await_end(ENDED_WITHIN).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A group of its own: Ctrl-C at the terminal ends us, and its guards end the server.
#[cfg(unix)]
pub(crate) fn apart(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
pub(crate) fn apart(_: &mut Command) {}

#[cfg(unix)]
pub(crate) fn send(pid: u32, signal: Signal) -> std::io::Result<()> {
    use rustix::process::{Pid, Signal as Number, kill_process};
    let number = match signal {
        Signal::Interrupt => Number::INT,
        Signal::Quit => Number::QUIT,
        Signal::Terminate => Number::TERM,
        Signal::Kill => Number::KILL,
        Signal::Stop => Number::STOP,
        Signal::Continue => Number::CONT,
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(std::io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, number)?)
}

#[cfg(not(unix))]
pub(crate) fn send(_: u32, _: Signal) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The children of `parent` that live, as Linux tells them.
pub(crate) fn children(parent: u32) -> Result<Vec<u32>, ServerError> {
    let entries = std::fs::read_dir("/proc")
        .map_err(ServerError::system("list processes (this needs Linux's /proc)"))?;
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(ids.filter(|id| stat(*id).is_some_and(|(living, of)| living && of == parent)).collect())
}

/// Whether a process is there and no mere entry that waits to be reaped.
pub(crate) fn lives(pid: u32) -> bool {
    stat(pid).is_some_and(|(living, _)| living)
}

/// Whether it lives, and its parent. The name in brackets may hold anything.
fn stat(pid: u32) -> Option<(bool, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut rest = text.rsplit_once(')')?.1.split_whitespace();
    let living = !matches!(rest.next()?, "Z" | "X");
    Some((living, rest.next()?.parse().ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn start(script: &str, log: &Path) -> Process {
        Process::start("a script", Command::new("sh").args(["-c", script]), log, Signal::Terminate).unwrap()
    }

    #[test]
    fn a_server_that_never_gets_ready_is_told_from_one_that_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut slow = start("echo begins; exec sleep 60", &folder.path().join("slow"));
        let late =
            slow.await_ready(Duration::from_millis(300), || Err("nobody listens".to_owned())).unwrap_err();
        let words = late.to_string();
        assert!(matches!(late, ServerError::Late { .. }) && words.contains("nobody listens"), "{words}");
        assert!(words.ends_with("begins"), "{words}");
        let mut ended = start("echo no such file >&2; exit 3", &folder.path().join("ended"));
        let ended_with = ended.await_ready(Duration::from_secs(20), || Err(String::new())).unwrap_err();
        let words = ended_with.to_string();
        assert!(words.contains("exit status: 3") && words.ends_with("no such file"), "{words}");
        let pid = slow.id();
        drop(slow);
        assert!(!lives(pid));
    }
}
