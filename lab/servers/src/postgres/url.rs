use crate::ServerError;
use std::{fmt, str::FromStr};

/// `postgres://user:password@host:port/database?parameters`, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// Who logs in.
    pub user: String,
    /// With which password, if any.
    pub password: Option<String>,
    /// Name or address of the server's machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Which database.
    pub database: String,
    /// What follows the question mark, as it was written.
    pub parameters: Option<String>,
}

impl FromStr for PostgresUrl {
    type Err = ServerError;

    fn from_str(url: &str) -> Result<Self, ServerError> {
        let wrong = |why| ServerError::Url { url: without_password(url), why };
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| wrong("it does not begin with postgres://"))?;
        let (rest, parameters) = match rest.split_once('?') {
            Some((rest, parameters)) => (rest, Some(parameters.to_owned())),
            None => (rest, None),
        };
        let (login, place) = rest.rsplit_once('@').ok_or_else(|| wrong("it names no user"))?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        let (address, database) = place.split_once('/').unwrap_or((place, ""));
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "5432"));
        let text =
            |encoded: &str| decode(encoded).ok_or_else(|| wrong("it has a % that begins no two hex digits"));
        let user = text(user)?;
        if user.is_empty() || host.is_empty() {
            return Err(wrong("it lacks a user or a host"));
        }
        let database = match database {
            "" => user.clone(),
            database => text(database)?,
        };
        Ok(Self {
            user,
            password: password.map(text).transpose()?,
            host: host.to_owned(),
            port: port.parse().map_err(|_| wrong("its port is no number"))?,
            database,
            parameters,
        })
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}", encode(&self.user))?;
        if let Some(password) = &self.password {
            write!(f, ":{}", encode(password))?;
        }
        write!(f, "@{}:{}/{}", self.host, self.port, encode(&self.database))?;
        self.parameters.as_ref().map_or(Ok(()), |parameters| write!(f, "?{parameters}"))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.to_string()))
    }
}

fn without_password(url: &str) -> String {
    let hidden = url.rsplit_once('@').and_then(|(login, place)| {
        let (scheme, login) = login.split_once("://")?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:…@{place}"))
    });
    hidden.unwrap_or_else(|| url.to_owned())
}

fn encode(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let one = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "postgres://postgres@127.0.0.1:5432/postgres",
            "postgres://%EA%B0%88%EB%9E%98:p%40ss%3Aw%2Frd@db.example:6432/a%20b?sslmode=require&x=1",
        ] {
            assert_eq!(text.parse::<PostgresUrl>().unwrap().to_string(), text);
        }
        let url: PostgresUrl = "postgresql://me@here".parse().unwrap();
        assert_eq!((url.port, url.database.as_str()), (5432, "me"));
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        for (text, why) in [
            ("mysql://a:secret@b/c", "begin with postgres://"),
            ("postgres://host/db", "no user"),
            ("postgres://a:secret@b:x/c", "no number"),
            ("postgres://a:secret%@b/c", "hex digits"),
        ] {
            let words = format!("{:?}", text.parse::<PostgresUrl>().unwrap_err());
            assert!(words.contains(why) && !words.contains("secret"), "{words}");
        }
        let url: PostgresUrl = "postgres://a:secret@b/c".parse().unwrap();
        assert_eq!(format!("{url:?}"), "postgres://a:…@b:5432/c");
    }
}
