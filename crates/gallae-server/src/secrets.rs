//! Secrets that the server makes for itself, in files that only its user can read.

use crate::config::{Mode, PlatformSettings};
use gallae_http::auth::Secret;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const JWT_FILE: &str = "jwt-secret";
const ADMIN_FILE: &str = "admin-api.json";

/// Why a secret could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read or written.
    #[error("{} cannot be {doing}: give the data directory to this user", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} does not hold what it should: remove it and start the server again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// Production mode makes no secrets.
    #[error("auth.jwt_secret is not set: production mode does not make one")]
    Missing,
}

/// The secret that signs access tokens: the configured one. In demo mode, one that is made at the first start and kept in the data
/// directory, so that a restart does not log everybody out.
///
/// # Errors
/// See [`SecretError`].
pub fn jwt_secret(settings: &PlatformSettings) -> Result<Secret, SecretError> {
    let configured = settings.auth.jwt_secret.reveal();
    if !configured.is_empty() {
        return Ok(settings.auth.jwt_secret.clone());
    }
    if settings.mode == Mode::Production {
        return Err(SecretError::Missing);
    }
    let path = settings.data.dir.join(JWT_FILE);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= 32 => Ok(Secret::new(text.trim())),
        Ok(_) => Err(SecretError::Damaged { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = Secret::random();
            write_private(&path, secret.reveal().as_bytes())?;
            Ok(secret)
        }
        Err(source) => Err(SecretError::File { path, doing: "read", source }),
    }
}

/// Where a running server listens, and the token that operates it.
#[derive(Clone, Debug)]
pub struct AdminApi {
    /// Such as `http://127.0.0.1:3000`.
    pub base_url: String,
    /// For `Authorization: Bearer`.
    pub token: Secret,
}

/// What the file holds. Kept apart from [`AdminApi`], whose token never shows itself.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AdminApiText {
    base_url: String,
    token: String,
}

impl AdminApi {
    /// The server that runs on this data directory; `None` if none has left word.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn of(directory: &Path) -> Result<Option<Self>, SecretError> {
        let path = directory.join(ADMIN_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SecretError::File { path, doing: "read", source }),
        };
        let AdminApiText { base_url, token } =
            serde_json::from_str(&text).map_err(|_| SecretError::Damaged { path })?;
        Ok(Some(Self { base_url, token: Secret::new(token) }))
    }
}

/// The word that a running server leaves in its data directory for the verbs of the command line. Taken back when dropped.
#[derive(Debug)]
pub struct AdminApiFile {
    path: PathBuf,
}

impl AdminApiFile {
    /// Leaves word where this server listens and which token operates it. Give the same token to
    /// [`AccessTokens::with_operator_token`](gallae_http::auth::AccessTokens::with_operator_token); make a new one
    /// ([`Secret::random`]) at each start.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn leave(directory: &Path, listening: SocketAddr, token: &Secret) -> Result<Self, SecretError> {
        let path = directory.join(ADMIN_FILE);
        let text = AdminApiText { base_url: base_url(listening), token: token.reveal().to_owned() };
        // Two strings: this cannot fail.
        let json = serde_json::to_vec_pretty(&text).unwrap_or_default();
        write_private(&path, &json)?;
        Ok(Self { path })
    }
}

impl Drop for AdminApiFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the admin API's token file stays behind; its token is void");
        }
    }
}

/// A server that listens on every address is reached on this machine's own.
fn base_url(listening: SocketAddr) -> String {
    let port = listening.port();
    match listening {
        SocketAddr::V4(address) if address.ip().is_unspecified() => format!("http://127.0.0.1:{port}"),
        SocketAddr::V6(address) if address.ip().is_unspecified() => format!("http://[::1]:{port}"),
        listening => format!("http://{listening}"),
    }
}

/// Writes a file that only this user can read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> Result<(), SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), doing: "written", source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let draft = path.with_extension("draft");
    // A draft that was left behind may be readable by others: never written into.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&draft, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn settings(directory: &Path, mode: &str) -> PlatformSettings {
        let layers = crate::config::Layers::new(PlatformSettings::DEFAULTS, &[], &[]).unwrap();
        let layers = layers.flag("--data-dir", "data.dir", &directory.display().to_string()).unwrap();
        layers.flag("--mode", "mode", mode).unwrap().read().unwrap()
    }

    #[test]
    fn demo_mode_makes_one_secret_and_keeps_it_and_production_makes_none() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(jwt_secret(&settings(directory.path(), "production")), Err(SecretError::Missing)));
        let demo = settings(directory.path(), "demo");
        let made = jwt_secret(&demo).unwrap();
        assert_eq!((made.reveal().len(), mode_of(&directory.path().join(JWT_FILE))), (64, 0o600));
        assert_eq!(jwt_secret(&demo).unwrap(), made);
        fs::write(directory.path().join(JWT_FILE), "short").unwrap();
        assert!(matches!(jwt_secret(&demo), Err(SecretError::Damaged { .. })));
    }

    #[test]
    fn the_admin_api_is_found_while_its_server_runs_and_by_its_user_alone() {
        let directory = tempfile::tempdir().unwrap();
        assert!(AdminApi::of(directory.path()).unwrap().is_none());
        let token = Secret::random();
        let file = AdminApiFile::leave(directory.path(), "0.0.0.0:3000".parse().unwrap(), &token).unwrap();
        let found = AdminApi::of(directory.path()).unwrap().unwrap();
        assert_eq!((found.base_url.as_str(), &found.token), ("http://127.0.0.1:3000", &token));
        assert_eq!(mode_of(&directory.path().join(ADMIN_FILE)), 0o600);
        assert!(!format!("{found:?}").contains(token.reveal()));
        drop(file);
        assert!(AdminApi::of(directory.path()).unwrap().is_none());
    }

    #[test]
    fn a_file_with_open_permissions_is_replaced_by_a_private_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(ADMIN_FILE);
        fs::write(&path, "{}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(AdminApi::of(directory.path()), Err(SecretError::Damaged { .. })));
        let _file =
            AdminApiFile::leave(directory.path(), "[::1]:80".parse().unwrap(), &Secret::random()).unwrap();
        assert_eq!(mode_of(&path), 0o600);
    }
}
