//! The program as people call it: streams, exit codes, a running shop and a stopped one.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

fn commerce(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_commerce"));
    // A configuration of whoever runs the tests must not decide them.
    command.env_clear().current_dir(directory).args(arguments);
    command
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    commerce(directory, arguments).output().unwrap()
}

fn json(directory: &Path, arguments: &[&str]) -> Value {
    let output = run(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn told(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Starts a shop on any port, and waits until it says where it listens.
    fn start(directory: &Path) -> Self {
        let mut command = commerce(directory, &["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]);
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut all = String::new();
        let url = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "the shop ended:\n{all}");
            all.push_str(&line);
            if let Some((_, url)) = line.split_once("is open: ") {
                break url.trim().to_owned();
            }
        };
        // What it says later must not fill the pipe.
        std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
        Self { process, url }
    }

    fn signal(mut self, signal: &str) -> ExitStatus {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
        self.process.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_shop_is_operated_while_it_runs_and_after_it_ended() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let server = Server::start(at);
    let data = ["--data-dir", "data"];
    let with = |arguments: &[&'static str]| [arguments, &data].concat();

    let made = json(at, &with(&["user", "create", "kim@example.com", "--first-name", "민수", "--json"]));
    assert!(made["password"].as_str().is_some_and(|password| password.len() == 20), "{made}");
    let granted = json(at, &with(&["user", "grant-admin", "kim@example.com", "--json"]));
    assert_eq!((&granted["role"], &granted["changed"]), (&"admin".into(), &true.into()));
    let listed = json(at, &with(&["projection", "list", "--json"]));
    assert_eq!(listed["projections"].as_array().unwrap().len(), 7);
    let verified = run(at, &with(&["projection", "verify", "--all"]));
    assert!(verified.status.success(), "{}", told(&verified));
    let second = run(at, &with(&["serve", "--listen", "127.0.0.1:0"]));
    assert_eq!(second.status.code(), Some(4), "{}", told(&second));
    assert!(told(&second).contains("in use by process"), "{}", told(&second));
    let load = [
        "bench-load", "--seconds", "1", "--warm-up", "0", "--connections", "4", "--users", "2", "--json",
    ];
    let load = json(at, &with(&load));
    assert!(load["orders"]["placed"].as_u64().unwrap() > 0, "{load}");
    assert_eq!((&load["orders"]["failed"], &load["sagas"]["left"]), (&0.into(), &0.into()), "{load}");
    assert!(load["visible"]["afterAcknowledged"]["count"].as_u64().unwrap() > 0, "{load}");
    let copied = run(at, &with(&["backup", "copy"]));
    assert!(copied.status.success(), "{}", told(&copied));
    assert!(server.signal("-TERM").success());

    for data in ["data", "copy"] {
        let healthy = json(at, &["doctor", "--data-dir", data, "--json"]);
        assert_eq!(healthy["ok"], true, "{healthy}");
        let users = json(at, &["user", "list", "--role", "admin", "--data-dir", data, "--json"]);
        let admins: Vec<_> = users["users"].as_array().unwrap().iter().map(|user| &user["email"]).collect();
        assert_eq!(admins, ["admin@example.com", "kim@example.com"]);
    }
}

#[test]
fn a_killed_shop_is_operated_although_its_word_stays_behind() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let url = server.url.clone();
    assert!(!server.signal("-KILL").success());
    assert!(directory.path().join("data/admin-api.json").exists());
    let output = run(directory.path(), &["doctor", "--data-dir", "data"]);
    assert!(output.status.success(), "{}", told(&output));
    let gone = run(directory.path(), &["order", "list", "--url", &url, "--token", "x"]);
    assert_eq!(gone.status.code(), Some(4), "{}", told(&gone));
}

#[test]
fn every_refusal_has_its_exit_code_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("bad.toml"), "[http]\nlistne = \"127.0.0.1:1\"\n").unwrap();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["serve", "--config", "bad.toml"], 3, "did you mean http.listen?"),
        (&["serve", "--listen", "nowhere"], 3, "http.listen"),
        (&["serve", "--mode", "production"], 3, "JWT_SECRET"),
        (&["config", "check", "--config", "bad.toml"], 3, "http.listne"),
        (&["order", "list"], 4, "--data-dir"),
        (&["order", "list", "--url", "http://127.0.0.1:1"], 2, "--token"),
        (&["bench-load", "--url", "http://192.0.2.1:1"], 2, "--allow-remote"),
        (&["projection", "rebuild"], 2, "--all"),
    ];
    for (arguments, code, word) in cases {
        let output = run(at, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(word), "{arguments:?}: {}", told(&output));
        assert!(output.stdout.is_empty(), "{arguments:?} says it as data");
    }
}

#[test]
fn secrets_are_masked_and_every_value_says_where_it_comes_from() {
    let directory = tempfile::tempdir().unwrap();
    let secret = "0123456789abcdef0123456789abcdef";
    for form in [&["config", "show"][..], &["config", "show", "--json"]] {
        let output = commerce(directory.path(), form).env("JWT_SECRET", secret).output().unwrap();
        let text = told(&output);
        assert!(output.status.success() && !text.contains(secret) && text.contains("***"), "{text}");
        assert!(text.contains("$JWT_SECRET") && text.contains("default"), "{text}");
    }
}
