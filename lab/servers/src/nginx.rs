use crate::{
    NGINX, ServerError,
    account::Account,
    folder::Folder,
    on_free_port,
    process::{Process, Signal},
};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const READY_WITHIN: Duration = Duration::from_secs(20);
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// A running nginx that shares requests out among nodes, as in production: a node that fails is left out for two seconds, and a
/// request is given to the next one if its repetition does no harm. Dropped, it ends; so it does when this process is killed.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    address: SocketAddr,
    _folder: Folder,
}

impl Nginx {
    /// Starts one before `nodes`, which need not run yet.
    ///
    /// # Errors
    /// nginx is not installed, or it does not start: the error holds the end of its log.
    pub fn before(nodes: &[SocketAddr]) -> Result<Self, ServerError> {
        let account = Account::for_servers()?;
        let folder = Folder::create(&account)?;
        let program = NGINX.program("nginx")?;
        let path = folder.path().to_owned();
        let (process, address) = on_free_port(|address| {
            let file = path.join("nginx.conf");
            let written = fs::write(&file, configuration(nodes, address));
            written.map_err(ServerError::system(format!("write {}", file.display())))?;
            account.own(&file)?;
            let mut command = account.command(&program);
            // Without -e it first tries the log of the machine's own nginx.
            command.arg("-e").arg("stderr").arg("-p").arg(&path).arg("-c").arg(&file);
            let name = format!("nginx at {address}");
            let mut process =
                Process::start(&name, &mut command, &path.join("nginx.log"), Signal::Terminate)?;
            process.await_ready(READY_WITHIN, || answers(address))?;
            Ok(process)
        })?;
        Ok(Self { process, address, _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last lines that it logged.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}

fn configuration(nodes: &[SocketAddr], address: SocketAddr) -> String {
    let servers: Vec<_> =
        nodes.iter().map(|node| format!("    server {node} max_fails=1 fail_timeout=2s;\n")).collect();
    TEMPLATE.replace("SERVERS", &servers.concat()).replace("ADDRESS", &address.to_string())
}

/// `proxy_next_upstream` does not repeat a POST, and should not: the client repeats it with its Idempotency-Key.
const TEMPLATE: &str = "\
daemon off;
pid nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream nodes {
SERVERS    keepalive 32;
  }
  server {
    listen ADDRESS;
    location / {
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_buffering off;
      proxy_next_upstream error timeout http_503;
    }
  }
}
";

/// Asks what nginx refuses by itself, so that no node sees a request which no test made.
fn answers(address: SocketAddr) -> Result<(), String> {
    let ask = || -> std::io::Result<[u8; 5]> {
        let mut connection = TcpStream::connect_timeout(&address, PROBE_PATIENCE)?;
        connection.set_read_timeout(Some(PROBE_PATIENCE))?;
        connection.write_all(b"no HTTP\r\n\r\n")?;
        let mut answer = [0; 5];
        connection.read_exact(&mut answer)?;
        Ok(answer)
    };
    match ask() {
        Ok(answer) if &answer == b"HTTP/" || &answer == b"<html" => Ok(()),
        Ok(answer) => Err(format!("it answered {:?}", String::from_utf8_lossy(&answer))),
        Err(error) => Err(error.to_string()),
    }
}
