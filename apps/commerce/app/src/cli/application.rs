//! The shop, as the verbs of the platform see it.

use super::open;
use crate::settings::{DEFAULTS, ShopSections, ShopSettings};
use gallae_cli::{Application, Exit, Failure, Opened};
use gallae_http::auth::Secret;
use gallae_ports::BoxFuture;
use gallae_runtime::Roles;
use gallae_server::config::{ConfigError, Layers, PlatformSettings};

/// The shop.
#[derive(Clone, Copy, Debug)]
pub struct Commerce;

impl Application for Commerce {
    fn settings(&self) -> Result<Layers, ConfigError> {
        let defaults = format!("{}\n{DEFAULTS}", PlatformSettings::DEFAULTS);
        Layers::new(&defaults, PlatformSettings::ALIASES, PlatformSettings::SECRETS)
    }

    fn check(&self, settings: &Layers) -> Result<(), Failure> {
        read(settings).map(|_| ())
    }

    fn open(&self, settings: Layers, roles: Roles) -> BoxFuture<'_, Result<Opened, Failure>> {
        Box::pin(async move {
            let (platform, shop) = read(&settings)?;
            let token = Secret::random();
            let drain = platform.drain();
            let opened = open(platform, shop, roles, &token, None).await?;
            let close = Box::pin(async move {
                opened.platform.drain(drain).await;
            });
            Ok(Opened { router: opened.router, token: token.reveal().to_owned(), close })
        })
    }

    fn files(&self) -> &'static [&'static str] {
        &[open::LEDGER, "jwt-secret"]
    }
}

/// The settings of platform and shop, judged.
pub(super) fn read(settings: &Layers) -> Result<(PlatformSettings, ShopSettings), Failure> {
    let platform: PlatformSettings = settings.read()?;
    platform.check()?;
    let sections: ShopSections = settings.read()?;
    let shop = sections.resolve(platform.mode);
    let shop = shop.map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
    Ok((platform, shop))
}
