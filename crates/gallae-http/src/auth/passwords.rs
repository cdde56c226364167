//! Password hashes: Argon2id, a bounded number at once.

use argon2::{
    Argon2, Params,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Hashing uses 19 MiB and tens of milliseconds of a core: more than this many at once would starve everything else.
const AT_ONCE: usize = 2;

/// Makes and checks password hashes off the async threads.
#[derive(Clone, Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    params: Params,
    /// Checked when there is no such login, so that the answer takes as long.
    decoy: Arc<str>,
}

/// A password could not be hashed or checked; nothing was stored.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be processed: {0}")]
pub struct PasswordError(String);

impl Passwords {
    /// With the parameters that OWASP's Password Storage Cheat Sheet recommends for Argon2id: 19 MiB, 2 passes, 1 lane.
    ///
    /// # Errors
    /// When the parameters are refused by the algorithm.
    pub fn new() -> Result<Self, PasswordError> {
        Self::with_params(Params::new(19 * 1024, 2, 1, None).map_err(failed)?)
    }

    fn with_params(params: Params) -> Result<Self, PasswordError> {
        let decoy = hash(&params, "a password that nobody has")?;
        Ok(Self { slots: Arc::new(Semaphore::new(AT_ONCE)), params, decoy: decoy.into() })
    }

    /// A PHC string of a new salt and the password's hash.
    ///
    /// # Errors
    /// When the machine cannot.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let params = self.params.clone();
        self.off_thread(move || hash(&params, &password)).await?
    }

    /// Whether the password fits the hash. Without a hash it takes as long and says no.
    ///
    /// # Errors
    /// When the stored hash cannot be read.
    pub async fn verify(&self, password: String, phc: Option<String>) -> Result<bool, PasswordError> {
        let (known, phc) = (phc.is_some(), phc.unwrap_or_else(|| self.decoy.to_string()));
        let fits = self.off_thread(move || {
            let parsed = PasswordHash::new(&phc).map_err(failed)?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
        });
        Ok(fits.await?? && known)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _slot = self.slots.acquire().await.map_err(failed)?;
        tokio::task::spawn_blocking(work).await.map_err(failed)
    }
}

fn hash(params: &Params, password: &str) -> Result<String, PasswordError> {
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params.clone());
    Ok(argon2.hash_password(password.as_bytes()).map_err(failed)?.to_string())
}

fn failed(error: impl std::fmt::Display) -> PasswordError {
    PasswordError(error.to_string())
}
