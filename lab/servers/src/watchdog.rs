//! What a process leaves behind when it dies without its destructors is removed by a shell that outlives it: the shell
//! reads a pipe that only its parent holds, and the system closes that pipe however the parent ends.

use crate::ServerError;
use std::{
    io::Write,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

/// Asks first; PostgreSQL needs five seconds to give up on children that were stopped with SIGSTOP.
const OVER_PROCESS: &str = r#"
trap '' HUP INT TERM
read -r pid || exit 0
read -r answer && exit 0
kill -s CONT "$pid"
kill -s "$1" "$pid" || exit 0
tries=0
while kill -s 0 "$pid" && [ $tries -lt 80 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -s KILL "$pid"
"#;

/// Again while a dying server still writes there.
const OVER_FOLDER: &str = r#"
trap '' HUP INT TERM
read -r answer && exit 0
tries=0
while [ -e "$1" ] && [ $tries -lt 100 ]; do
  rm -rf "$1" && [ ! -e "$1" ] && exit 0
  sleep 0.1
  tries=$((tries + 1))
done
"#;

/// Acts when this process dies; does nothing when it is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    leash: Option<ChildStdin>,
}

impl Watchdog {
    /// Ends the process `pid` with the signal of that name, and with KILL when it does not listen.
    pub(crate) fn over_process(pid: u32, signal: &str) -> Result<Self, ServerError> {
        let mut watchdog = Self::start(OVER_PROCESS, signal)?;
        let leash = watchdog.leash.as_mut();
        let told = leash.map_or(Ok(()), |leash| writeln!(leash, "{pid}"));
        told.map_err(ServerError::system("tell a watchdog what to watch"))?;
        Ok(watchdog)
    }

    /// Removes the folder with all that is in it.
    pub(crate) fn over_folder(folder: &Path) -> Result<Self, ServerError> {
        Self::start(OVER_FOLDER, &folder.to_string_lossy())
    }

    fn start(script: &str, argument: &str) -> Result<Self, ServerError> {
        let mut command = Command::new("sh");
        command.args(["-c", script, "watchdog", argument]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C goes to a group: it should end us, and leave the watchdog its work.
        crate::process::apart(&mut command);
        let mut shell = command.spawn().map_err(ServerError::system("start a watchdog with sh"))?;
        let leash = shell.stdin.take();
        Ok(Self { shell, leash })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            // Fails only when the shell is gone.
            let _ = writeln!(leash, "done");
        }
        let _ = self.shell.wait();
    }
}
