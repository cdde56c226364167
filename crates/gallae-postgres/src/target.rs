//! A URL as something to connect to.

use crate::{OpenError, Settings, tls};
use std::{fmt, str::FromStr, time::Duration};
use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Data sent but not acknowledged for this long means that the peer is gone.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

const KEEPALIVE_IDLE: Duration = Duration::from_secs(2);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEPALIVE_RETRIES: u32 = 3;

/// Whether a session must accept writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadWrite,
    Any,
}

/// Where to connect, and how.
#[derive(Clone)]
pub(crate) struct Target {
    /// One for each host, so that one that hangs does not keep us from the next.
    pub(crate) hosts: Vec<Config>,
    pub(crate) tls: MakeRustlsConnect,
    /// For one host, the handshake included.
    pub(crate) patience: Duration,
    /// Hosts and database in words; without credentials.
    pub(crate) place: String,
}

impl Target {
    /// Reads a URL. `what` names it in errors, `role` in the server's list of sessions.
    pub(crate) fn parse(
        what: &'static str,
        url: &str,
        access: Access,
        role: &str,
        settings: &Settings,
    ) -> Result<Self, OpenError> {
        let wrong = |reason: String| OpenError::Settings { what, reason };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("it must begin with postgres:// or postgresql://".to_owned()));
        }
        let (rest, security) = Security::take_from(url).map_err(wrong)?;
        let mut hosts = Vec::new();
        for url in one_url_per_host(&rest) {
            // The driver's error names the option at fault and never the password.
            let mut config = Config::from_str(&url).map_err(|error| wrong(reason_of(&error)))?;
            if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
                return Err(wrong("it names no host".to_owned()));
            }
            prepare(&mut config, security.mode, access, settings);
            config.application_name(format!("{} {role}", settings.application_name));
            hosts.push(config);
        }
        let tls = tls::connector(security.roots.as_deref()).map_err(wrong)?;
        Ok(Self { place: place(&hosts), hosts, tls, patience: settings.connect_timeout * 2 })
    }

    /// Whom the server knows us as.
    pub(crate) fn user(&self) -> &str {
        self.first().and_then(Config::get_user).unwrap_or("(the system's user)")
    }

    pub(crate) fn database(&self) -> &str {
        self.first().and_then(Config::get_dbname).unwrap_or_else(|| self.user())
    }

    fn first(&self) -> Option<&Config> {
        self.hosts.first()
    }
}

fn prepare(config: &mut Config, mode: SslMode, access: Access, settings: &Settings) {
    config
        .ssl_mode(mode)
        .connect_timeout(settings.connect_timeout)
        .tcp_user_timeout(TCP_USER_TIMEOUT)
        .keepalives(true)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .target_session_attrs(match access {
            Access::ReadWrite => TargetSessionAttrs::ReadWrite,
            Access::Any => TargetSessionAttrs::Any,
        });
}

/// `scheme://user@a,b/rest` as `scheme://user@a/rest` and `scheme://user@b/rest`.
fn one_url_per_host(url: &str) -> Vec<String> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let (before, hosts, after) = (&url[..start], &url[start..end], &url[end..]);
    hosts.split(',').map(|host| format!("{before}{host}{after}")).collect()
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("place", &self.place).finish_non_exhaustive()
    }
}

fn reason_of(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn place(hosts: &[Config]) -> String {
    let names = hosts.iter().flat_map(|config| {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        config.get_hosts().iter().map(move |host| match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(path) => format!("{}:{port}", path.display()),
        })
    });
    let names: Vec<_> = names.collect();
    let database = hosts.first().and_then(|config| config.get_dbname().or(config.get_user()));
    format!("{}/{}", names.join(","), database.unwrap_or_default())
}

/// The options of a URL that are ours and not the driver's.
struct Security {
    mode: SslMode,
    /// The file with the authorities to trust.
    roots: Option<String>,
}

impl Security {
    /// Takes `sslmode` and `sslrootcert` out of a URL; the driver does not know them.
    fn take_from(url: &str) -> Result<(String, Self), String> {
        let Some((base, query)) = url.split_once('?') else {
            return Ok((url.to_owned(), Self { mode: SslMode::Prefer, roots: None }));
        };
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(decoded(value)?),
                _ => rest.push(pair),
            }
        }
        let mode = match (mode.unwrap_or("prefer"), &roots) {
            ("disable", None) => SslMode::Disable,
            ("prefer", None) => SslMode::Prefer,
            ("require", None) => SslMode::Require,
            ("verify-full", Some(_)) => SslMode::Require,
            ("verify-full", None) => {
                return Err("sslmode=verify-full needs sslrootcert=<file with the authorities>".to_owned());
            }
            ("disable" | "prefer" | "require", Some(_)) => {
                return Err("sslrootcert has an effect with sslmode=verify-full only".to_owned());
            }
            (other, _) => {
                return Err(format!(
                    "sslmode={other} is not one of disable, prefer, require and verify-full"
                ));
            }
        };
        Ok((format!("{base}?{}", rest.join("&")), Self { mode, roots }))
    }
}

/// Undoes percent-encoding.
fn decoded(value: &str) -> Result<String, String> {
    let wrong = || format!("{value} is not percent-encoded text");
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().ok_or_else(wrong)?, rest.next().ok_or_else(wrong)?];
        let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, OpenError> {
        Target::parse("the write URL", url, Access::ReadWrite, "write", &Settings::new(url))
    }

    #[test]
    fn several_hosts_are_named_without_credentials() {
        let target = parse("postgres://app:s3cret@db-1:6432,db-2:6433/shop?sslmode=disable").unwrap();
        assert_eq!(target.place, "db-1:6432,db-2:6433/shop");
        assert_eq!(target.hosts.len(), 2);
        for (config, port) in target.hosts.iter().zip([6432, 6433]) {
            assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
            assert_eq!(config.get_ports(), [port]);
            assert_eq!(config.get_password(), Some(&b"s3cret"[..]));
        }
        assert!(!format!("{target:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_password() {
        for (url, part) in [
            ("mysql://app:s3cret@db/shop", "must begin with"),
            ("postgres://app:s3cret@db/shop?sslmode=maybe", "sslmode=maybe"),
            ("postgres://app:s3cret@db/shop?sslmode=verify-full", "needs sslrootcert"),
            ("postgres://app:s3cret@db/shop?sslrootcert=/ca.pem", "verify-full only"),
            ("postgres://app:s3cret@db/shop?sslmode=verify-full&sslrootcert=/none%2Fca.pem", "/none/ca.pem"),
            ("postgres://app:s3cret@db/shop?colour=red", "colour"),
            ("postgres://app:s3cret@db:port/shop", "port"),
            ("postgres:///shop", "names no host"),
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
