//! Counting test cases in what `cargo test` prints.

use crate::process::{self, Failure};
use std::{
    fmt,
    io::{BufRead, BufReader},
    iter::Sum,
    process::{Command, Stdio},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cases {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

/// Runs `command` on this terminal and adds up its `test result:` lines.
pub(super) fn run_counting(command: &mut Command) -> (Cases, Result<(), Failure>) {
    process::announce(command);
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return (Cases::default(), Err(process::cannot_start(command, &error))),
    };
    let mut cases = Cases::default();
    if let Some(output) = child.stdout.take() {
        // Bytes, because a test may print what is not UTF-8.
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            cases = [cases, result_line(&line).unwrap_or_default()].into_iter().sum();
        }
    }
    let outcome = match child.wait() {
        Ok(status) => process::succeeded(command, status),
        Err(error) => Err(Failure::new(format!("cannot wait for the tests: {error}"))),
    };
    (cases, outcome)
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, coloured or not.
fn result_line(line: &str) -> Option<Cases> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| {
        counts.split(';').find_map(|part| part.trim().strip_suffix(word)?.trim_end().parse::<u64>().ok())
    };
    Some(Cases { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
}

impl Sum for Cases {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            passed: sum.passed + one.passed,
            failed: sum.failed + one.failed,
            skipped: sum.skipped + one.skipped,
        })
    }
}

impl fmt::Display for Cases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_result_line_plain_and_coloured() {
        let plain =
            "test result: ok. 31 passed; 0 failed; 2 ignored; 0 measured; 5 filtered out; finished in 0.10s";
        assert_eq!(result_line(plain), Some(Cases { passed: 31, failed: 0, skipped: 2 }));
        let coloured =
            "test result: \u{1b}[31mFAILED\u{1b}(B\u{1b}[m. 1 passed; 4 failed; 0 ignored; 0 measured";
        assert_eq!(result_line(coloured), Some(Cases { passed: 1, failed: 4, skipped: 0 }));
        assert_eq!(result_line("test append::is_dense ... ok"), None);
    }

    #[test]
    fn adds_up_several_binaries_and_keeps_the_exit_code() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured'; printf '\\377\\n'; \
                      echo 'test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured'; exit 101";
        let (cases, outcome) = run_counting(Command::new("sh").args(["-c", script]));
        assert_eq!(cases.to_string(), "5 passed, 1 failed, 1 skipped");
        assert!(outcome.unwrap_err().to_string().contains("101"));
    }
}
