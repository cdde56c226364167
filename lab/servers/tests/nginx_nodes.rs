//! nginx before nodes that answer, refuse and vanish.

use gallae_lab_servers::Nginx;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Listens, counts the requests, and answers each with `answer`, or closes without one.
fn node(answer: Option<&'static str>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            count.fetch_add(1, Ordering::SeqCst);
            if let Some(answer) = answer {
                let length = answer.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                connection.write_all(format!("{head}{answer}").as_bytes()).unwrap();
            }
        }
    });
    (address, asked)
}

fn ask(nginx: &Nginx, method: &str) -> String {
    let mut connection = TcpStream::connect(nginx.address()).unwrap();
    let request =
        format!("{method} /x HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

fn unused() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn requests_are_shared_out_and_none_comes_from_the_start() {
    let ((first, of_first), (second, of_second)) = (node(Some("first")), node(Some("second")));
    let nginx = Nginx::before(&[first, second]).unwrap();
    assert_eq!(of_first.load(Ordering::SeqCst) + of_second.load(Ordering::SeqCst), 0);
    let answers: Vec<_> = (0..4).map(|_| ask(&nginx, "GET")).collect();
    for node in ["first", "second"] {
        assert_eq!(answers.iter().filter(|answer| answer.ends_with(node)).count(), 2, "{answers:?}");
    }
}

#[test]
fn a_node_that_is_gone_is_passed_over() {
    let (there, _) = node(Some("there"));
    let nginx = Nginx::before(&[unused(), there]).unwrap();
    for _ in 0..4 {
        // Nothing was sent to the one that refuses: a POST may go on too.
        assert!(ask(&nginx, "POST").ends_with("there"), "{}", nginx.log_tail());
    }
}

#[test]
fn a_request_that_may_have_been_carried_out_is_not_repeated() {
    let ((vanishes, of_vanishing), (there, of_there)) = (node(None), node(Some("there")));
    let nginx = Nginx::before(&[vanishes, there]).unwrap();
    let first = ask(&nginx, "POST");
    assert!(first.starts_with("HTTP/1.1 502"), "{first}");
    assert_eq!((of_vanishing.load(Ordering::SeqCst), of_there.load(Ordering::SeqCst)), (1, 0));
    assert!(ask(&nginx, "GET").ends_with("there"));
}

#[test]
fn it_starts_before_any_node_and_ends_with_its_guard() {
    let nginx = Nginx::before(&[unused()]).unwrap();
    assert!(ask(&nginx, "GET").starts_with("HTTP/1.1 502"));
    let address = nginx.address();
    drop(nginx);
    assert!(TcpStream::connect(address).is_err());
}
