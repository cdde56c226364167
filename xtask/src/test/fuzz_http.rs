//! The HTTP fuzzer: schemathesis reads the OpenAPI document of a running shop and sends what it allows, and what it does
//! not. Signed in as an operator, so that the requests get past the door.

use super::{Context, Depth};
use crate::{
    http,
    process::{self, Failure, Running},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PACKAGE: &str = "schemathesis==4.32.5";
const DOCUMENT: &str = "/api/openapi.json";
const READY_WITHIN: Duration = Duration::from_secs(60);
const PASSWORD: &str = "a password of the fuzzer";
const EMAIL: &str = "fuzzer@example.com";

pub(super) fn missing(context: &Context) -> Option<String> {
    if fuzzer(context).exists() {
        return None;
    }
    if process::works(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        return Some("schemathesis is not installed below target/tools".to_owned());
    }
    Some("python3 with venv is not installed (Debian, Ubuntu: apt-get install python3-venv)".to_owned())
}

/// Into a folder of its own below target/, so that `cargo clean` removes it.
pub(super) fn install(context: &Context) -> Result<(), Failure> {
    let folder = tools(context);
    process::create_dir(&folder)?;
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    process::run(Command::new(folder.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        PACKAGE,
    ]))
}

pub(super) fn fuzz(context: &Context) -> Result<(), Failure> {
    let binary = context.programs()?.join("commerce");
    let folder = context.workspace.target.join("fuzz-http");
    // Left by the run before; kept until now so that its log can be read.
    let _ = fs::remove_dir_all(&folder);
    process::create_dir(&folder)?;

    let mut shop = Shop::start(&binary, &folder)?;
    let outcome = shop.attack(context, &binary, &folder);
    let alive = shop.await_ready();
    outcome
        .and(alive)
        .map_err(|failure| Failure::new(format!("{failure}; the shop's log: {}", shop.log.display())))
}

struct Shop {
    process: Running,
    address: SocketAddr,
    data: PathBuf,
    log: PathBuf,
}

impl Shop {
    fn start(binary: &Path, folder: &Path) -> Result<Self, Failure> {
        let address = free_address()?;
        let (data, log) = (folder.join("data"), folder.join("shop.log"));
        let file = File::create(&log).map_err(|error| failed("create the shop's log", error))?;
        let copy = file.try_clone().map_err(|error| failed("share the shop's log", error))?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", &address.to_string(), "--data-dir"]).arg(&data);
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        process::announce(&command);
        Ok(Self { process: Running::start(&mut command)?, address, data, log })
    }

    fn attack(&mut self, context: &Context, binary: &Path, folder: &Path) -> Result<(), Failure> {
        self.await_ready()?;
        let token = self.sign_in(binary)?;
        let endless = self.endless_paths()?;
        let mut command = Command::new(fuzzer(context));
        command.arg("run").arg(format!("http://{}{DOCUMENT}", self.address));
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
        command.args(["--checks", "not_a_server_error,response_schema_conformance"]);
        command.args(["--continue-on-failure", "--request-timeout", "10", "--workers", "2"]);
        command.args(["--generation-database", "none", "--generation-unique-inputs", "--warnings", "off"]);
        command.args(bounds(context.depth));
        for path in &endless {
            println!("left out, because its answer never ends: {path}");
            command.args(["--exclude-path", path]);
        }
        // There, because it leaves files where it runs and reads configuration above it.
        command.current_dir(folder).stdin(Stdio::null());
        process::run_within(&mut command, limit(context.depth))
    }

    fn await_ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = self.process.ended()? {
                return Err(Failure::new(format!("`commerce serve` ended with {status}")));
            }
            let last = match http::get(self.address, "/health/ready") {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => format!("{} {}", answer.status, answer.body),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(Failure::new(format!("/health/ready did not answer 200 in time: {last}")));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Registers, is made an operator, and logs in.
    fn sign_in(&self, binary: &Path) -> Result<String, Failure> {
        let person = json!({"email": EMAIL, "password": PASSWORD, "firstName": "Fuzz", "lastName": "Er"});
        self.post("/auth/register", &person)?;
        process::run(
            Command::new(binary)
                .args(["user", "grant-admin", EMAIL, "--data-dir"])
                .arg(&self.data)
                .stdin(Stdio::null()),
        )?;
        let login = self.post("/auth/login", &json!({"email": EMAIL, "password": PASSWORD}))?;
        let token = login["accessToken"].as_str();
        token.map(str::to_owned).ok_or_else(|| Failure::new("/auth/login answered without an accessToken"))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let answer =
            http::post(self.address, path, &body.to_string()).map_err(|error| failed(path, error))?;
        if !(200..300).contains(&answer.status) {
            return Err(Failure::new(format!("{path} answered {} {}", answer.status, answer.body)));
        }
        serde_json::from_str(&answer.body).map_err(|error| failed(path, error))
    }

    fn endless_paths(&self) -> Result<Vec<String>, Failure> {
        let answer = http::get(self.address, DOCUMENT).map_err(|error| failed(DOCUMENT, error))?;
        let document: Value = serde_json::from_str(&answer.body).map_err(|error| failed(DOCUMENT, error))?;
        let endless = event_streams(&document);
        let paths = document["paths"].as_object().map_or(0, |paths| paths.len());
        if paths <= endless.len() {
            return Err(Failure::new(format!("{DOCUMENT} names nothing to send requests to")));
        }
        Ok(endless)
    }
}

/// The paths that answer with server-sent events.
fn event_streams(document: &Value) -> Vec<String> {
    let streams = |operation: &Value| {
        let responses = operation["responses"].as_object().into_iter().flatten();
        responses.into_iter().any(|(_, response)| response["content"].get("text/event-stream").is_some())
    };
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .filter(|(_, operations)| operations.as_object().into_iter().flatten().any(|(_, one)| streams(one)))
        .map(|(path, _)| path.clone())
        .collect()
}

/// The same requests each time by default, so that a change is judged and not the dice; new ones every night, whose seed
/// is printed. A fixed seed rather than the deterministic mode, which hardly leaves the simplest values; unique inputs for
/// the same reason.
fn bounds(depth: Depth) -> &'static [&'static str] {
    match depth {
        Depth::Default => &["--phases", "examples,coverage,fuzzing", "--max-examples", "50", "--seed", "1"],
        Depth::Nightly => &["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "500"],
    }
}

fn limit(depth: Depth) -> Duration {
    match depth {
        Depth::Default => Duration::from_secs(10 * 60),
        Depth::Nightly => Duration::from_secs(2 * 60 * 60),
    }
}

/// Free when asked; the shop takes it a moment later.
fn free_address() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| failed("find a free port", error))?;
    listener.local_addr().map_err(|error| failed("find a free port", error))
}

fn tools(context: &Context) -> PathBuf {
    context.workspace.target.join("tools/schemathesis")
}

fn fuzzer(context: &Context) -> PathBuf {
    tools(context).join("bin/schemathesis")
}

fn failed(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_answers_that_never_end() {
        let document = json!({"paths": {
            "/orders": {"get": {"responses": {"200": {"content": {"application/json": {}}}}}},
            "/orders/stream": {"get": {"responses": {"200": {"content": {"text/event-stream": {}}}}}},
        }});
        assert_eq!(event_streams(&document), ["/orders/stream"]);
    }
}
