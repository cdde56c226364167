//! Just enough of the protocol to ask whether a server is ready and to make and drop databases: without a driver, which
//! would bring its own waiting, and without TLS.

use super::url::PostgresUrl;
use crate::ServerError;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{
        backend::{DataRowBody, ErrorFields, Message},
        frontend,
    },
};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

/// SQLSTATE of a server that starts, stops or recovers: come back later.
const CANNOT_CONNECT_NOW: &str = "57P03";
/// For a connection, and for each answer: a server that was frozen must not freeze a test.
const PATIENCE: Duration = Duration::from_secs(20);
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// The values of a row as text; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// Whether a server accepts logins, whatever it thinks of this one. Else what it says instead.
pub(crate) fn ready(address: SocketAddr, user: &str, database: &str) -> Result<(), String> {
    let mut client = Client::open(&address.to_string(), PROBE_PATIENCE).map_err(|error| error.to_string())?;
    let answer = client.introduce(user, database).and_then(|()| client.next());
    match answer.map_err(|error| error.to_string())? {
        Message::ErrorResponse(body) => match told(body.fields()).map_err(|error| error.to_string())? {
            (code, message) if code == CANNOT_CONNECT_NOW => Err(message),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Runs statements in a session of their own and hands back the rows of all.
pub(crate) fn query(url: &PostgresUrl, statements: &str) -> Result<Vec<Row>, ServerError> {
    let server = format!("{}:{}", url.host, url.port);
    let unreachable =
        |error| ServerError::System { doing: format!("speak with PostgreSQL at {server}"), source: error };
    let refused = |what: &str, fault: Fault| match fault {
        Fault::Io(error) => unreachable(error),
        Fault::Told { code, message } => {
            ServerError::Refused { server: server.clone(), what: what.to_owned(), code, message }
        }
    };
    let mut client = Client::open(&server, PATIENCE).map_err(unreachable)?;
    let login = format!("the login of {} to {}", url.user, url.database);
    client.log_in(url).map_err(|fault| refused(&login, fault))?;
    client.query(statements).map_err(|fault| refused(statements, fault))
}

#[derive(Debug)]
enum Fault {
    Io(io::Error),
    Told { code: String, message: String },
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[derive(Debug)]
struct Client {
    connection: TcpStream,
    received: BytesMut,
}

impl Client {
    fn open(server: &str, patience: Duration) -> io::Result<Self> {
        let address =
            server.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
        let connection = TcpStream::connect_timeout(&address, patience)?;
        connection.set_read_timeout(Some(patience))?;
        connection.set_write_timeout(Some(patience))?;
        connection.set_nodelay(true)?;
        Ok(Self { connection, received: BytesMut::new() })
    }

    fn introduce(&mut self, user: &str, database: &str) -> io::Result<()> {
        let mut message = BytesMut::new();
        let words = [("user", user), ("database", database), ("application_name", "gallae-lab")];
        frontend::startup_message(words, &mut message)?;
        self.connection.write_all(&message)
    }

    fn log_in(&mut self, url: &PostgresUrl) -> Result<(), Fault> {
        self.introduce(&url.user, &url.database)?;
        let password = url.password.as_deref().unwrap_or_default().as_bytes();
        let mut scram = None;
        loop {
            let mut answer = BytesMut::new();
            match self.next()? {
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(password, &mut answer)?
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(url.user.as_bytes(), password, body.salt());
                    frontend::password_message(hash.as_bytes(), &mut answer)?;
                }
                Message::AuthenticationSasl(_) => {
                    let begun = ScramSha256::new(password, ChannelBinding::unsupported());
                    frontend::sasl_initial_response(SCRAM_SHA_256, begun.message(), &mut answer)?;
                    scram = Some(begun);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let scram = scram.as_mut().ok_or_else(unexpected)?;
                    scram.update(body.data())?;
                    frontend::sasl_response(scram.message(), &mut answer)?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    scram.as_mut().ok_or_else(unexpected)?.finish(body.data())?;
                }
                Message::ErrorResponse(body) => return Err(fault(body.fields())),
                Message::ReadyForQuery(_) => return Ok(()),
                _ => {}
            }
            self.connection.write_all(&answer)?;
        }
    }

    fn query(&mut self, statements: &str) -> Result<Vec<Row>, Fault> {
        let mut message = BytesMut::new();
        frontend::query(statements, &mut message)?;
        self.connection.write_all(&message)?;
        let mut rows = Vec::new();
        let mut refused = None;
        loop {
            match self.next()? {
                Message::DataRow(body) => rows.push(row(&body)?),
                Message::ErrorResponse(body) => refused = Some(fault(body.fields())),
                Message::ReadyForQuery(_) => return refused.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    fn next(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.received)? {
                return Ok(message);
            }
            let mut bytes = [0; 4096];
            match self.connection.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.received.extend_from_slice(&bytes[..count]),
            }
        }
    }
}

fn row(body: &DataRowBody) -> io::Result<Row> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut ranges = body.ranges();
    let mut row = Row::new();
    while let Some(range) = ranges.next()? {
        row.push(range.map(|range| text(&body.buffer()[range])));
    }
    Ok(row)
}

fn fault(fields: ErrorFields<'_>) -> Fault {
    match told(fields) {
        Ok((code, message)) => Fault::Told { code, message },
        Err(error) => Fault::Io(error),
    }
}

/// SQLSTATE and message of an error.
fn told(mut fields: ErrorFields<'_>) -> io::Result<(String, String)> {
    let (mut code, mut message) = (String::new(), String::new());
    while let Some(field) = fields.next()? {
        let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => code = text,
            b'M' => message = text,
            _ => {}
        }
    }
    Ok((code, message))
}

fn unexpected() -> io::Error {
    io::Error::other("the server went on with a login that was not begun")
}
