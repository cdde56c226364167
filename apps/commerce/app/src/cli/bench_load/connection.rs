//! One HTTP/1.1 connection that is kept. Thin, because the generator shares its cores with what it measures.

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, Request, StatusCode, Uri, header},
};
use gallae_cli::{Exit, Failure};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::{io, net::IpAddr, sync::Arc};
use tokio::{net::TcpStream, task::JoinSet};

/// Where the shop listens.
#[derive(Clone, Debug)]
pub(super) struct Address {
    host: Arc<str>,
    port: u16,
}

impl Address {
    pub(super) fn of(url: &str) -> Result<Self, Failure> {
        let wrong = || Failure::new(Exit::Usage, format!("{url} is not an address such as http://127.0.0.1:3000"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self { host: host.into(), port: uri.port_u16().unwrap_or(80) })
    }

    /// Only what names this machine by itself counts: a name may lead anywhere.
    pub(super) fn is_this_machine(&self) -> bool {
        &*self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One connection; made again after it broke.
pub(super) struct Connection {
    address: Address,
    host: String,
    open: Option<(SendRequest<Full<Bytes>>, JoinSet<()>)>,
}

impl Connection {
    pub(super) fn new(address: &Address) -> Self {
        let host = format!("{}:{}", address.host, address.port);
        Self { address: address.clone(), host, open: None }
    }

    /// Sends a request and reads its answer whole.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> io::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(io::Error::other)?;
        let answer = match self.sender().await {
            Ok(sender) => exchange(sender, request).await,
            Err(error) => Err(error),
        };
        if answer.is_err() {
            self.open = None;
        }
        answer
    }

    async fn sender(&mut self) -> io::Result<&mut SendRequest<Full<Bytes>>> {
        if self.open.as_ref().is_none_or(|(sender, _)| sender.is_closed()) {
            let stream = TcpStream::connect((&*self.address.host, self.address.port)).await?;
            stream.set_nodelay(true)?;
            let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
            // The set ends the driver with the connection.
            let mut tasks = JoinSet::new();
            tasks.spawn(async move { drop(driver.await) });
            self.open = Some((sender, tasks));
        }
        let open = self.open.as_mut().ok_or_else(|| io::Error::other("no connection"))?;
        Ok(&mut open.0)
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> io::Result<Answer> {
    sender.ready().await.map_err(io::Error::other)?;
    let (parts, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_counts_as_this_machine() {
        for (url, here) in [
            ("http://127.0.0.1:3000", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:3000", true),
            ("http://localhost:3000", true),
            ("http://0.0.0.0:3000", false),
            ("http://10.0.0.5:3000", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
        ] {
            assert_eq!(Address::of(url).unwrap().is_this_machine(), here, "{url}");
        }
        assert_eq!(Address::of("https://127.0.0.1").unwrap_err().exit(), Exit::Usage);
        assert_eq!(Address::of("127.0.0.1:3000").unwrap_err().exit(), Exit::Usage);
    }
}
