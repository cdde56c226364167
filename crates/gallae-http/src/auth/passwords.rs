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
}

/// Checked when there is no such login, so that the answer takes as long. The hash of a random password, made once with the
/// parameters of [`Passwords::new`] rather than at every start: hashing touches 19 MiB that the allocator then keeps.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$TzP7l+OGm62bzAcX8TKZtg$R4YNSuHjetlytEaI4xF+xjCDS/5N4SLA8TAKYWRXg9M";

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
        let params = Params::new(19 * 1024, 2, 1, None).map_err(failed)?;
        Ok(Self { slots: Arc::new(Semaphore::new(AT_ONCE)), params })
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
        let (known, phc) = (phc.is_some(), phc.unwrap_or_else(|| DECOY.to_owned()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_login_that_does_not_exist_costs_as_much_as_one_that_does() {
        let passwords = Passwords::new().unwrap();
        let real = passwords.hash("password123".to_owned()).await.unwrap();
        let cost = |phc: &str| {
            let parsed = PasswordHash::new(phc).unwrap();
            (parsed.algorithm, parsed.version, Params::try_from(&parsed).unwrap())
        };
        assert_eq!(cost(DECOY), cost(&real), "make the decoy again with the new parameters");
        assert!(passwords.verify("password123".to_owned(), Some(real)).await.unwrap());
        assert!(!passwords.verify("password123".to_owned(), None).await.unwrap());
    }
}
