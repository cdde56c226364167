//! `config`: what is in force, and where it comes from.

use super::Context;
use crate::{Exit, Failure, Table};
use gallae_server::config::Setting;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Config {
    /// Show every setting in force, secrets masked, and where each comes from
    #[command(after_help = "Examples:\n  {bin} config show\n  {bin} config show --config /etc/shop/gallae.toml --json\n  GALLAE_HTTP__LISTEN=0.0.0.0:80 {bin} config show")]
    Show,
    /// Judge the settings as a start would, without starting anything
    #[command(after_help = "Ends with 3 if a start would be refused.\n\nExamples:\n  {bin} config check --config gallae.toml")]
    Check,
}

impl Config {
    pub(super) fn run(&self, cx: Context<'_>) -> Result<Exit, Failure> {
        let settings = cx.target.settings(cx.application)?;
        match self {
            Self::Show => {
                let shown = settings.settings();
                cx.output.give(&as_json(&shown), || table(&shown))?;
            }
            Self::Check => {
                crate::target::platform(&settings)?;
                cx.application.check(&settings)?;
                cx.output.give(&json!({ "ok": true }), || "the settings are good".to_owned())?;
            }
        }
        Ok(Exit::Done)
    }
}

fn as_json(settings: &[Setting]) -> Value {
    let one = |setting: &Setting| {
        let origin = setting.origin.to_string();
        (setting.key.clone(), json!({ "value": setting.value, "origin": origin }))
    };
    Value::Object(settings.iter().map(one).collect())
}

fn table(settings: &[Setting]) -> String {
    let mut table = Table::new(["setting", "value", "from"]);
    for setting in settings {
        table.row([setting.key.clone(), setting.value.clone(), setting.origin.to_string()]);
    }
    table.to_string()
}
