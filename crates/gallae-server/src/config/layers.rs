//! Layers of settings.

use super::ConfigError;
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt, path::Path};
use toml::{Table, Value};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File(String),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(path),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One setting, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its key, such as `http.listen`.
    pub key: String,
    /// Its value; `***` when it is secret and set.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
}

/// Settings by key, each from the highest layer that sets it. The defaults name every key there is.
#[derive(Clone, Debug)]
pub struct Layers {
    values: BTreeMap<String, (Value, Origin)>,
    aliases: BTreeMap<String, String>,
    secrets: Vec<String>,
}

impl Layers {
    /// Starts from the defaults: a TOML document that names every key. `aliases` are further environment names, such as
    /// `PORT`; `secrets` are keys whose values are masked.
    ///
    /// # Errors
    /// When the defaults are not TOML.
    pub fn new(defaults: &str, aliases: &[(&str, &str)], secrets: &[&str]) -> Result<Self, ConfigError> {
        let table = parse("the built-in defaults".as_ref(), defaults)?;
        let mut layers = Self {
            values: BTreeMap::new(),
            aliases: aliases.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned())).collect(),
            secrets: secrets.iter().map(|key| (*key).to_owned()).collect(),
        };
        flatten("", table, &mut |key, value| {
            layers.values.insert(key, (value, Origin::Default));
            Ok(())
        })?;
        Ok(layers)
    }

    /// Adds a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or sets a key that does not exist.
    pub fn file(mut self, path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let origin = Origin::File(path.display().to_string());
        flatten("", parse(path, &text)?, &mut |key, value| self.set(key, value, origin.clone()))?;
        Ok(self)
    }

    /// Adds the environment: `GALLAE_HTTP__LISTEN` sets `http.listen`, and the aliases set theirs.
    ///
    /// # Errors
    /// When a `GALLAE_` variable names a key that does not exist.
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        for (name, text) in variables {
            let key = match (name.strip_prefix("GALLAE_"), self.aliases.get(&name)) {
                // What the test tiers use is not a setting of the server.
                (Some("TIER" | "CONFIG" | "TOKEN"), _) => continue,
                (Some(rest), _) => rest.to_ascii_lowercase().replace("__", "."),
                (None, Some(key)) => key.clone(),
                (None, None) => continue,
            };
            self.set_text(key, &text, Origin::Environment(name))?;
        }
        Ok(self)
    }

    /// Adds a flag.
    ///
    /// # Errors
    /// When the key does not exist.
    pub fn flag(mut self, flag: &str, key: &str, text: &str) -> Result<Self, ConfigError> {
        self.set_text(key.to_owned(), text, Origin::Flag(flag.to_owned()))?;
        Ok(self)
    }

    /// The settings as a typed value.
    ///
    /// # Errors
    /// When a value does not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let mut table = Table::new();
        for (key, (value, _)) in &self.values {
            insert(&mut table, key, value.clone());
        }
        serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
            let key = error.path().to_string();
            let reason = error.into_inner().to_string().lines().next().unwrap_or_default().to_owned();
            let (value, origin) = match self.values.get(&key) {
                Some((value, origin)) => (self.shown(&key, value), origin.to_string()),
                None => (String::new(), Origin::Default.to_string()),
            };
            ConfigError::BadValue { key, value, origin, reason }
        })
    }

    /// Every setting with its value, masked if secret, and its origin.
    pub fn settings(&self) -> Vec<Setting> {
        let shown = |(key, (value, origin)): (&String, &(Value, Origin))| Setting {
            key: key.clone(),
            value: self.shown(key, value),
            origin: origin.clone(),
        };
        self.values.iter().map(shown).collect()
    }

    fn set_text(&mut self, key: String, text: &str, origin: Origin) -> Result<(), ConfigError> {
        // The default's type says how text is read.
        let value = match self.values.get(&key) {
            Some((Value::Integer(_), _)) => text.parse().map(Value::Integer).ok(),
            Some((Value::Float(_), _)) => text.parse().map(Value::Float).ok(),
            Some((Value::Boolean(_), _)) => text.parse().map(Value::Boolean).ok(),
            Some((Value::Array(_), _)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
            }
            _ => None,
        };
        self.set(key, value.unwrap_or_else(|| Value::String(text.to_owned())), origin)
    }

    fn set(&mut self, key: String, value: Value, origin: Origin) -> Result<(), ConfigError> {
        match self.values.get_mut(&key) {
            Some(slot) => {
                *slot = (value, origin);
                Ok(())
            }
            None => {
                let hint = nearest(&key, self.values.keys());
                Err(ConfigError::UnknownKey { key, origin: origin.to_string(), hint })
            }
        }
    }

    fn shown(&self, key: &str, value: &Value) -> String {
        match value {
            Value::String(text) if text.is_empty() => String::new(),
            _ if self.secrets.iter().any(|secret| secret == key) => "***".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<Table, ConfigError> {
    text.parse().map_err(|error: toml::de::Error| ConfigError::NotToml {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn flatten(
    prefix: &str,
    table: Table,
    set: &mut impl FnMut(String, Value) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, set)?,
            value => set(key, value)?,
        }
    }
    Ok(())
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = table.entry(head.to_owned()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The known key that differs least, if it differs little.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    let distances = known.map(|candidate| (distance(key, candidate), candidate));
    distances.min().filter(|(distance, _)| *distance <= 4).map(|(_, candidate)| candidate.clone())
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str = "node = \"node-1\"\n[http]\nlisten = \"127.0.0.1:3000\"\nsecret = \"\"\nmax = 1\n";

    fn layers() -> Layers {
        Layers::new(DEFAULTS, &[("NODE_ID", "node")], &["http.secret"]).unwrap()
    }

    #[test]
    fn the_highest_layer_wins_and_is_named() {
        let variables = [("NODE_ID", "n2"), ("GALLAE_HTTP__MAX", "7"), ("HOME", "x")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let layers =
            layers().environment(variables).unwrap().flag("--listen", "http.listen", "0.0.0.0:1").unwrap();
        let shown: Vec<_> =
            layers.settings().iter().map(|s| format!("{}={} {}", s.key, s.value, s.origin)).collect();
        assert_eq!(
            shown,
            [
                "http.listen=0.0.0.0:1 --listen",
                "http.max=7 $GALLAE_HTTP__MAX",
                "http.secret= default",
                "node=n2 $NODE_ID",
            ]
        );
    }

    #[test]
    fn secrets_are_masked_and_unknown_keys_are_refused_with_a_hint() {
        let secret = layers().flag("--secret", "http.secret", "s3cret").unwrap();
        assert!(secret.settings().iter().any(|setting| setting.value == "***"));
        assert!(!format!("{:?}", secret.settings()).contains("s3cret"));
        let unknown = layers().flag("--x", "http.listne", "y").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "--x sets http.listne, which is not a setting: did you mean http.listen?"
        );
    }

    #[test]
    fn a_value_that_does_not_fit_names_key_value_and_origin() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        struct Http {
            max: u8,
        }
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        struct Settings {
            http: Http,
        }
        let error = layers().flag("--max", "http.max", "many").unwrap().read::<Settings>().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("http.max") && text.contains("many") && text.contains("--max"), "{text}");
    }
}
