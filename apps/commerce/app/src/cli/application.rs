//! The shop, as the verbs of the platform see it.

use crate::{Configuration, ConfigurationError, LEDGER_FILE, Node, OpenError};
use gallae_cli::{Application, Exit, Failure, Opened};
use gallae_ports::BoxFuture;
use gallae_runtime::Roles;
use gallae_server::config::{ConfigError, Layers};

/// The shop.
#[derive(Clone, Copy, Debug)]
pub struct Commerce;

impl Application for Commerce {
    fn settings(&self) -> Result<Layers, ConfigError> {
        Configuration::layers()
    }

    fn check(&self, settings: &Layers) -> Result<(), Failure> {
        configuration(settings).map(|_| ())
    }

    fn open(&self, settings: Layers, roles: Roles) -> BoxFuture<'_, Result<Opened, Failure>> {
        Box::pin(async move {
            let configuration = configuration(&settings)?;
            let node = Node::open(&configuration, roles, None).await.map_err(|error| closed(&error))?;
            let (router, token) = (node.router.clone(), node.operator_token.reveal().to_owned());
            Ok(Opened { router, token, close: Box::pin(node.close()) })
        })
    }

    fn files(&self) -> &'static [&'static str] {
        &[LEDGER_FILE, "jwt-secret"]
    }
}

/// What the shop is told, judged.
pub(super) fn configuration(settings: &Layers) -> Result<Configuration, Failure> {
    Configuration::read(settings).map_err(|error| match error {
        ConfigurationError::Platform(error) => error.into(),
        other => Failure::new(Exit::Configuration, other.to_string()),
    })
}

/// Why the shop is not open. The errors themselves say what to do.
pub(super) fn closed(error: &OpenError) -> Failure {
    let exit = if matches!(error, OpenError::Wiring(_)) { Exit::Failed } else { Exit::Unavailable };
    Failure::from_error(exit, error)
}
