//! What the shop can be told, beside the platform.

use gallae_runtime::saga::{Limits, Rate};
use gallae_server::config::Mode;
use serde::Deserialize;
use std::time::Duration;

/// The shop's sections of the configuration with their defaults, as TOML; append it to the platform's.
pub const DEFAULTS: &str = include_str!("settings.toml");

/// The shop's sections as written.
#[derive(Clone, Debug, Deserialize)]
pub struct ShopSections {
    /// The catalogue's write API.
    pub books: BooksSection,
    /// What may be ordered.
    pub catalogue: CatalogueSection,
    /// Ordering.
    pub orders: OrdersSection,
    /// The dashboard.
    pub dashboard: DashboardSection,
    /// The payment provider.
    pub payments: PaymentsSection,
}

/// The catalogue's write API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BooksSection {
    /// Who may change the catalogue.
    pub write: BooksWriteSwitch,
}

/// What may be ordered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueSection {
    /// Whether products outside the catalogue are refused.
    pub strict: Switch,
}

/// Ordering.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrdersSection {
    /// Seconds within which a second order for the same products is questioned; 0 never does.
    pub window_seconds: u64,
}

/// The dashboard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DashboardSection {
    /// The time zone whose days it shows.
    pub zone: String,
}

/// The payment provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentsSection {
    /// Milliseconds that an answer is waited for.
    pub deadline_ms: u64,
    /// Calls under way at the same time, of this node; 0 does not limit them.
    pub concurrency: usize,
    /// Calls a second, of this node; 0 does not limit them.
    pub per_second: u32,
    /// Whether product ids such as `PAYMENT_FAIL` make the simulator fail.
    pub triggers: Switch,
}

/// A switch whose default depends on the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// As strict as the mode.
    Auto,
    /// On.
    On,
    /// Off.
    Off,
}

/// Who may change the catalogue, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BooksWriteSwitch {
    /// Users in demo mode, operators in production mode.
    Auto,
    /// See [`BooksWrite::Anonymous`].
    Anonymous,
    /// See [`BooksWrite::User`].
    User,
    /// See [`BooksWrite::Admin`].
    Admin,
}

/// Who may change the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BooksWrite {
    /// Anybody.
    Anonymous,
    /// Who is logged in.
    User,
    /// Operators.
    Admin,
}

/// The shop's settings once the mode has decided what was left open.
#[derive(Clone, Debug)]
pub struct ShopSettings {
    /// Who may change the catalogue.
    pub books_write: BooksWrite,
    /// Whether products outside the catalogue are refused.
    pub catalogue_strict: bool,
    /// How long a second order for the same products is questioned.
    pub order_window: Option<Duration>,
    /// The time zone whose days the dashboard shows.
    pub zone: jiff::tz::TimeZone,
    /// How long an answer of the payment provider is waited for.
    pub payment_deadline: Duration,
    /// How the payment provider is called.
    pub payment_limits: Limits,
    /// Whether product ids make the simulator fail.
    pub payment_triggers: bool,
}

/// A setting that the shop refuses. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The time zone is unknown.
    #[error("dashboard.zone = {zone:?} is not a time zone: use a name such as \"Asia/Seoul\"")]
    UnknownZone {
        /// The name found.
        zone: String,
    },
    /// The deadline is none, or outlasts the attempt that the saga engine allows.
    #[error("payments.deadline_ms = {found} is not within 1 and 4900: the saga gives an attempt 5 seconds")]
    Deadline {
        /// The value found.
        found: u64,
    },
    /// Production mode refuses what is for trying out.
    #[error("{setting} is for trying out and mode is \"production\": {remedy}")]
    NotInProduction {
        /// What.
        setting: &'static str,
        /// What to do.
        remedy: &'static str,
    },
}

impl PaymentsSection {
    fn limits(&self) -> Limits {
        let per_second = Some(self.per_second).filter(|calls| *calls > 0);
        Limits {
            concurrency: Some(self.concurrency).filter(|calls| *calls > 0),
            rate: per_second.map(|calls| Rate { per_second: f64::from(calls), burst: calls }),
            ..Limits::default()
        }
    }
}

impl ShopSections {
    /// Lets the mode decide what is left open.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn resolve(&self, mode: Mode) -> Result<ShopSettings, SettingsError> {
        let production = mode == Mode::Production;
        let books_write = match self.books.write {
            BooksWriteSwitch::Auto if production => BooksWrite::Admin,
            BooksWriteSwitch::Auto | BooksWriteSwitch::User => BooksWrite::User,
            BooksWriteSwitch::Admin => BooksWrite::Admin,
            BooksWriteSwitch::Anonymous => BooksWrite::Anonymous,
        };
        let refuse = |setting, remedy| Err(SettingsError::NotInProduction { setting, remedy });
        if production && books_write == BooksWrite::Anonymous {
            return refuse("books.write = \"anonymous\"", "use \"user\" or \"admin\"");
        }
        if production && self.catalogue.strict == Switch::Off {
            return refuse("catalogue.strict = \"off\"", "use \"auto\" or \"on\"");
        }
        if production && self.payments.triggers == Switch::On {
            return refuse("payments.triggers = \"on\"", "use \"auto\" or \"off\"");
        }
        if !(1..=4_900).contains(&self.payments.deadline_ms) {
            return Err(SettingsError::Deadline { found: self.payments.deadline_ms });
        }
        let zone = jiff::tz::TimeZone::get(&self.dashboard.zone)
            .map_err(|_| SettingsError::UnknownZone { zone: self.dashboard.zone.clone() })?;
        Ok(ShopSettings {
            books_write,
            catalogue_strict: self.catalogue.strict == Switch::On || production,
            order_window: (self.orders.window_seconds > 0)
                .then(|| Duration::from_secs(self.orders.window_seconds)),
            zone,
            payment_deadline: Duration::from_millis(self.payments.deadline_ms),
            payment_limits: self.payments.limits(),
            payment_triggers: self.payments.triggers != Switch::Off && !production,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(change: impl FnOnce(&mut ShopSections)) -> ShopSections {
        let mut sections: ShopSections = toml::from_str(DEFAULTS).unwrap();
        change(&mut sections);
        sections
    }

    #[test]
    fn production_is_stricter_where_nothing_is_said() {
        let demo = sections(|_| {}).resolve(Mode::Demo).unwrap();
        assert_eq!(
            (demo.books_write, demo.catalogue_strict, demo.payment_triggers),
            (BooksWrite::User, false, true)
        );
        assert_eq!(demo.order_window, Some(Duration::from_secs(60)));
        let production = sections(|_| {}).resolve(Mode::Production).unwrap();
        assert_eq!(
            (production.books_write, production.catalogue_strict, production.payment_triggers),
            (BooksWrite::Admin, true, false)
        );
    }

    #[test]
    fn production_refuses_what_is_for_trying_out() {
        let tricks: [fn(&mut ShopSections); 3] = [
            |s| s.books.write = BooksWriteSwitch::Anonymous,
            |s| s.catalogue.strict = Switch::Off,
            |s| s.payments.triggers = Switch::On,
        ];
        for trick in tricks {
            assert!(sections(trick).resolve(Mode::Demo).is_ok());
            let refused = sections(trick).resolve(Mode::Production);
            assert!(matches!(refused, Err(SettingsError::NotInProduction { .. })), "{refused:?}");
        }
    }

    #[test]
    fn nothing_limits_the_calls_of_the_provider_unless_told_so() {
        let free = sections(|_| {}).resolve(Mode::Production).unwrap().payment_limits;
        assert_eq!(free, Limits::default());
        let told = sections(|s| (s.payments.concurrency, s.payments.per_second) = (8, 50));
        let limits = told.resolve(Mode::Demo).unwrap().payment_limits;
        assert_eq!((limits.concurrency, limits.rate), (Some(8), Some(Rate { per_second: 50.0, burst: 50 })));
    }

    #[test]
    fn nonsense_is_refused() {
        let zone = sections(|s| s.dashboard.zone = "Asia/Soul".into()).resolve(Mode::Demo);
        assert!(matches!(zone, Err(SettingsError::UnknownZone { .. })));
        let deadline = sections(|s| s.payments.deadline_ms = 5_000).resolve(Mode::Demo);
        assert!(matches!(deadline, Err(SettingsError::Deadline { .. })));
    }
}
