//! Programs that do one thing and end.

use crate::ServerError;
use std::process::{Command, Stdio};

/// Runs it to its end; what it printed is told only when it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), ServerError> {
    let doing = format!("start {}", command.get_program().to_string_lossy());
    let output = command.stdin(Stdio::null()).output().map_err(ServerError::system(doing))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    let words: Vec<_> = command.get_args().map(|word| without_password(&word.to_string_lossy())).collect();
    Err(ServerError::Tool {
        command: format!("{} {}", command.get_program().to_string_lossy(), words.join(" ")),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&printed).trim_end().to_owned(),
    })
}

/// Runs it to its end in silence, and says whether it was content.
pub(crate) fn agrees(command: &mut Command) -> Result<bool, ServerError> {
    let doing = format!("start {}", command.get_program().to_string_lossy());
    let output = command.stdin(Stdio::null()).output().map_err(ServerError::system(doing))?;
    Ok(output.status.success())
}

fn without_password(word: &str) -> String {
    word.parse::<crate::PostgresUrl>().map_or_else(|_| word.to_owned(), |url| format!("{url:?}"))
}
