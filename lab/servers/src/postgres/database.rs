use super::{client, url::PostgresUrl};
use crate::ServerError;

/// A database of one's own with a random name. Dropping this drops it, with whoever is still connected.
#[derive(Debug)]
pub struct Database {
    url: String,
    name: String,
    server: PostgresUrl,
}

impl Database {
    /// Makes an empty database on the server at `url`, whose user must be allowed to.
    ///
    /// # Errors
    /// The URL is wrong, the server cannot be reached, or it refuses.
    pub fn create(url: &str) -> Result<Self, ServerError> {
        let server: PostgresUrl = url.parse()?;
        let name = format!("gallae_test_{}", crate::random_word());
        // From template0: a connection to template1, which tests do not own, would refuse the copy.
        client::query(&server, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        let url = PostgresUrl { database: name.clone(), ..server.clone() }.to_string();
        Ok(Self { url, name, server })
    }

    /// Where to connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements in a session of their own and hands back the rows of all.
    ///
    /// # Errors
    /// The server cannot be reached, or it refuses.
    pub fn query(&self, statements: &str) -> Result<Vec<client::Row>, ServerError> {
        client::query(&self.url.parse()?, statements)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let dropped =
            client::query(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        match dropped {
            // A server that was stopped takes its databases along.
            Ok(_) | Err(ServerError::System { .. }) => {}
            Err(error) => eprintln!("the database {} stays behind: {error:?}", self.name),
        }
    }
}
