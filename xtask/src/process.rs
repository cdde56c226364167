//! Starting other programs and saying what came of them.

use std::{
    fmt, fs, io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What went wrong, in words for the person at the terminal.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// A failure that was explained already.
    pub(crate) fn said() -> Self {
        Self(String::new())
    }

    pub(crate) fn is_said(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The cargo that started us, so that a toolchain chosen with `cargo +name` is kept.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `command` on this terminal and waits.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    announce(command);
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    succeeded(command, status)
}

/// Runs `command` and hands back its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    succeeded(command, output.status)?;
    String::from_utf8(output.stdout)
        .map_err(|_| Failure::new(format!("`{}` printed bytes that are not UTF-8", show(command))))
}

/// Whether `command` can be started and ends well. Prints nothing.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs `command` on this terminal, and kills it when `limit` has passed.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<(), Failure> {
    announce(command);
    let mut child = Running::start(command)?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.ended()? {
            return succeeded(command, status);
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!(
                "`{}` did not end within {} s and was killed",
                show(command),
                limit.as_secs()
            )));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A child that does not outlive its guard.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        command.spawn().map(Self).map_err(|error| cannot_start(command, &error))
    }

    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        self.0.try_wait().map_err(|error| Failure::new(format!("cannot wait for a child: {error}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn succeeded(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` ended with {status}", brief(command))))
}

pub(crate) fn cannot_start(command: &Command, error: &io::Error) -> Failure {
    Failure::new(format!("cannot start `{}`: {error}", show(command)))
}

pub(crate) fn announce(command: &Command) {
    eprintln!("$ {}", show(command));
}

pub(crate) fn create_dir(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path)
        .map_err(|error| Failure::new(format!("cannot create {}: {error}", path.display())))
}

/// Enough of the command line to know it again; the whole was announced.
fn brief(command: &Command) -> String {
    let line = show(command);
    match line.char_indices().nth(70) {
        Some((cut, _)) => format!("{} …", line[..cut].trim_end()),
        None => line,
    }
}

/// The command line as one would type it; secrets after `Authorization:` are left out.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut line = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        line.push(' ');
        match argument.split_once("Authorization:") {
            Some(_) => line.push_str("'Authorization: …'"),
            None if argument.contains(' ') => line.push_str(&format!("'{argument}'")),
            None => line.push_str(&argument),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_arguments() {
        let failure = output(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(failure.contains("sh -c 'exit 3'") && failure.contains('3'), "{failure}");
        let failure = output(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert!(failure.starts_with("cannot start `no-such-program-here`"), "{failure}");
    }

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let began = Instant::now();
        let failure = run_within(Command::new("sleep").arg("60"), Duration::from_millis(100)).unwrap_err();
        assert!(failure.to_string().contains("was killed"), "{failure}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_token_is_never_shown() {
        let line = show(Command::new("fuzz").args(["-H", "Authorization: Bearer abc"]));
        assert_eq!(line, "fuzz -H 'Authorization: …'");
    }
}
