//! SIGKILL at a random moment: what was answered is in the ledger.

use crate::desk::*;
use commerce_psp::{Provider, ProviderOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const LEDGER_OF_CHILD: &str = "COMMERCE_PSP_TEST_LEDGER";
const CHILD: &str = "crash::authorises_until_it_is_killed";

/// Run by the other test in a process of its own; by itself it has nothing to do.
#[tokio::test]
async fn authorises_until_it_is_killed() {
    let Some(path) = std::env::var_os(LEDGER_OF_CHILD) else { return };
    let provider = Provider::open(path, || 0, ProviderOptions::default()).unwrap();
    let first = provider.entries().unwrap().count();
    let mut answers = std::io::stderr().lock();
    for number in first.. {
        let answer = provider.authorize(authorize(&format!("do-{number}"), 1)).await.unwrap();
        writeln!(answers, "answered do-{number} {}", payment(answer)).unwrap();
    }
}

#[test]
fn what_was_answered_survives_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut answered = Vec::new();
    for round in 1..=10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", CHILD, "--nocapture"])
            .env(LEDGER_OF_CHILD, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let before = answered.len();
        answered.extend(lines.by_ref().filter(|line| line.starts_with("answered ")).take(37 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(answered.len(), before + 37 * round, "the child worked until it was killed");
        answered.extend(lines.filter(|line| line.starts_with("answered ") && line.contains("pay_")));
    }
    let provider = Provider::open(&path, || 0, ProviderOptions::default()).unwrap();
    for line in &answered {
        let [_, name, reference] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        if reference.len() < "pay_0000000001".len() {
            continue; // the pipe broke off in the middle of the line
        }
        let found = provider.query(&key(name)).unwrap().unwrap_or_else(|| panic!("{line} is lost"));
        assert_eq!(payment(found.into()).to_string(), reference);
    }
}
