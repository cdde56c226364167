use std::{fmt, io, path::Path};

/// Lines of a log that an error carries: the log itself is gone when somebody reads it.
const TAIL_LINES: usize = 20;

/// Why a server could not be started, reached or stopped. `Debug` prints the whole chain as sentences, so that a test may unwrap.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A program is not on this machine.
    #[error("{program} is not installed; get it with `{remedy}`")]
    Missing {
        /// The program that was looked for.
        program: String,
        /// The command that installs it.
        remedy: String,
    },
    /// A server ended while somebody waited for it.
    #[error("{server} ended with {status} while one waited for it; its log ends with:\n{tail}")]
    Ended {
        /// Name of the server.
        server: String,
        /// As the system tells it.
        status: String,
        /// The last lines that the server wrote.
        tail: String,
    },
    /// A server runs, but did not get as far as it should.
    #[error("{server} {what} within {seconds} s ({last}); its log ends with:\n{tail}")]
    Late {
        /// Name of the server.
        server: String,
        /// What it did not do.
        what: &'static str,
        /// How long one waited.
        seconds: u64,
        /// What the last question was answered with.
        last: String,
        /// The last lines that the server wrote.
        tail: String,
    },
    /// A tool that makes or changes a server's data failed.
    #[error("`{command}` ended with {status}:\n{output}")]
    Tool {
        /// The command.
        command: String,
        /// As the system tells it.
        status: String,
        /// All that it printed.
        output: String,
    },
    /// The server refused a statement or a login.
    #[error("{server} refused `{what}`: {message} ({code})")]
    Refused {
        /// Its address.
        server: String,
        /// The statement, or the login.
        what: String,
        /// SQLSTATE.
        code: String,
        /// Its words.
        message: String,
    },
    /// A URL that is none of `postgres://user@host:port/database`.
    #[error("`{url}` is no URL of a PostgreSQL server: {why}")]
    Url {
        /// As it was given; a password is left out.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
    /// This machine cannot do it.
    #[error("{0}")]
    Unsupported(String),
    /// The system failed.
    #[error("cannot {doing}")]
    System {
        /// What was tried.
        doing: String,
        /// The system's words.
        source: io::Error,
    },
}

impl ServerError {
    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        |source| Self::System { doing, source }
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// The last lines of a log, or why there are none.
pub(crate) fn tail(log: &Path) -> String {
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("    ({} cannot be read: {error})", log.display()),
    };
    let lines: Vec<_> = text.lines().collect();
    if lines.is_empty() {
        return "    (nothing)".to_owned();
    }
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    last.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
