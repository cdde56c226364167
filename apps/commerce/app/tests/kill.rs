//! The server is killed with SIGKILL while orders come in, and started again on the same folder, several times. Afterwards every
//! order that a client was told of is there, every saga has ended, and `doctor` finds that everything adds up.

use gallae_testkit::nightly;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const CLIENTS: usize = 8;

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        // Freed at once: whoever takes it first in between fails the start loudly.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_commerce"))
            .args(["serve", "--listen", &address, "--data-dir"])
            .arg(folder)
            .env("LOG_LEVEL", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !matches!(request(&address, "GET", "/health/ready", "", None), Some((200, _))) {
            assert!(child.try_wait().unwrap().is_none(), "the server ended while it started");
            assert!(Instant::now() < deadline, "the server did not become ready");
            thread::sleep(Duration::from_millis(20));
        }
        Self { child, address }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// One request on a connection of its own; `None` when the connection broke before the whole answer was read.
fn request(
    address: &str,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line.split_whitespace().nth(1)?.parse().ok()?;
    let mut expected = None;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                expected = value.parse::<usize>().ok()
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; expected.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn log_in(address: &str) -> String {
    let login = json!({"email": "kill@example.com", "password": "password123"});
    let person = json!({"email": "kill@example.com", "password": "password123", "firstName": "민수", "lastName": "김"});
    request(address, "POST", "/auth/register", "", Some(&person));
    let (status, session) = request(address, "POST", "/auth/login", "", Some(&login)).unwrap();
    assert_eq!(status, 200, "{session}");
    session["accessToken"].as_str().unwrap().to_owned()
}

/// Orders until the server is gone; what is acknowledged is written down.
fn order_until_it_ends(
    address: &str,
    token: &str,
    round: usize,
    client: usize,
    stop: &AtomicBool,
    told: &Mutex<Vec<String>>,
) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let product = format!("kill-{round}-{client}-{number}");
        let order = json!({
            "items": [{"productId": product, "productName": "커피", "quantity": 1, "price": 1000}],
            "shippingAddress": "서울시 강남구 테헤란로 1",
        });
        match request(address, "POST", "/orders", token, Some(&order)) {
            Some((201, reply)) => told.lock().unwrap().push(reply["orderId"].as_str().unwrap().to_owned()),
            Some((status, reply)) => panic!("{status}: {reply}"),
            None => break,
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let rounds = if nightly() { 40 } else { 3 };
    for round in 0..rounds {
        let server = Server::start(folder.path());
        let token = log_in(&server.address);
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (address, token) = (server.address.clone(), token.clone());
                let (stop, told) = (Arc::clone(&stop), Arc::clone(&told));
                thread::spawn(move || order_until_it_ends(&address, &token, round, client, &stop, &told))
            })
            .collect();
        let before = told.lock().unwrap().len();
        while told.lock().unwrap().len() < before + 40 {
            thread::sleep(Duration::from_millis(5));
        }
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    }
    let server = Server::start(folder.path());
    let token = log_in(&server.address);
    let told = told.lock().unwrap();
    for order in told.iter() {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let (status, shown) =
                request(&server.address, "GET", &format!("/orders/{order}"), &token, None).unwrap();
            if status == 200 && shown["status"] == "CONFIRMED" {
                break;
            }
            assert!(Instant::now() < deadline, "order {order} was acknowledged and is {status} {shown}");
            thread::sleep(Duration::from_millis(20));
        }
    }
    let doctor = Command::new(env!("CARGO_BIN_EXE_commerce"))
        .args(["doctor", "--data-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    let report =
        String::from_utf8_lossy(&doctor.stdout).into_owned() + &String::from_utf8_lossy(&doctor.stderr);
    assert!(doctor.status.success(), "{report}");
    server.kill();
}
