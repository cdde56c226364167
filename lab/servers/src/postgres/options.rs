use super::{Postgres, server::Data, tls};
use crate::{ServerError, account::Account, folder::Folder, port::on_free_port};
use std::time::Duration;

/// For a server without data to recover.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(60);

/// How a server is to be. The default is durable (`fsync` on), lets `postgres` in without a password, and is UTC.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    pub(super) settings: Vec<(String, String)>,
    pub(super) password: Option<String>,
    pub(super) tls: bool,
}

impl PostgresOptions {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of `postgresql.conf`; the last one of a name holds. `ALTER SYSTEM` still overrides it.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// Trades durability for speed, for tests that never pull the plug.
    #[must_use]
    pub fn without_fsync(self) -> Self {
        self.setting("fsync", "off").setting("full_page_writes", "off")
    }

    /// The name by which a primary's `synchronous_standby_names` calls this replica.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.setting("cluster_name", name)
    }

    /// Lets `postgres` in over TCP with this password alone, by SCRAM-SHA-256.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Offers TLS with a certificate for `localhost` and `127.0.0.1` that an authority of its own signed:
    /// [`Postgres::authority`]. Needs the program `openssl`. Clients without TLS are let in as well.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Makes an empty server and starts it on a free port.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or it does not start: the error holds the end of its log.
    pub fn start(self) -> Result<Postgres, ServerError> {
        self.start_with(|data| data.initialise())
    }

    /// Makes a physical replica of `primary`, which must run, and starts it on a free port. It has the settings of the
    /// primary, then those given here; its password and its certificate.
    ///
    /// # Errors
    /// As [`start`](Self::start); or the primary refuses the copy.
    pub fn replica_of(mut self, primary: &Postgres) -> Result<Postgres, ServerError> {
        let of_primary = primary.data();
        self.password = of_primary.options.password.clone();
        self.tls = of_primary.options.tls;
        let source = primary.url();
        self.start_with(|data| {
            if data.options.tls {
                tls::copy(&of_primary.folder, &data.folder, &data.account)?;
            }
            data.copy(&source)
        })
    }

    fn start_with(
        self,
        fill: impl FnOnce(&Data) -> Result<(), ServerError>,
    ) -> Result<Postgres, ServerError> {
        let account = Account::for_servers()?;
        let folder = Folder::create(&account)?;
        let data = Data { folder: folder.path().to_owned(), account, options: self };
        fill(&data)?;
        let (process, address) = on_free_port(|address| data.launch(address, READY_WITHIN))?;
        Ok(Postgres::new(process, address, data, folder))
    }
}
