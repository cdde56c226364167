//! Password hashes: Argon2id, a bounded number at once.

use allocator_api2::{alloc::System, vec::Vec as VecIn};
use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Hashing uses 19 MiB and tens of milliseconds of a core: more than this many at once would starve everything else.
const AT_ONCE: usize = 2;

/// What is asked of the operating system for a hash, of which only the blocks that the parameters name are touched. The program's
/// allocator would keep the 19 MiB for later; the system's maps whatever is larger than 32 MiB for itself, and gives it back as soon
/// as it is freed.
const RESERVED: usize = 33 * 1024 * 1024;

/// Makes and checks password hashes off the async threads.
#[derive(Clone, Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    params: Params,
}

/// Checked when there is no such login, so that the answer takes as long. The hash of a random password, made once with the
/// parameters of [`Passwords::new`] rather than at every start.
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
        let fits = self.off_thread(move || fits(&password, &phc));
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
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let salt = password_hash::try_generate_salt().map_err(failed)?;
    let salt = Salt::new(&salt).map_err(failed)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(failed)?,
        hash: Some(output(&argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN)?),
        salt: Some(salt),
    };
    Ok(hash.to_string())
}

fn fits(password: &str, phc: &str) -> Result<bool, PasswordError> {
    let known = PasswordHash::new(phc).map_err(failed)?;
    let algorithm = Algorithm::try_from(known.algorithm.as_str()).map_err(failed)?;
    let version = known.version.map_or(Ok(Version::default()), Version::try_from).map_err(failed)?;
    let params = Params::try_from(&known).map_err(failed)?;
    let (Some(salt), Some(expected)) = (&known.salt, &known.hash) else {
        return Err(failed("the stored hash has no salt or no output"));
    };
    let found = output(&Argon2::new(algorithm, version, params), password, salt, expected.len())?;
    // Outputs compare in constant time.
    Ok(found == *expected)
}

fn output(argon2: &Argon2<'_>, password: &str, salt: &Salt, length: usize) -> Result<Output, PasswordError> {
    let blocks = argon2.params().block_count();
    let mut memory: VecIn<Block, System> = VecIn::new_in(System);
    memory.try_reserve_exact(blocks.max(RESERVED / Block::SIZE)).map_err(failed)?;
    memory.resize(blocks, Block::new());
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..length).ok_or_else(|| failed("the stored hash is too long"))?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut *memory).map_err(failed)?;
    Output::new(output).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> PasswordError {
    PasswordError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

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

    /// What is computed here in memory of our own is what the library computes in its.
    #[tokio::test]
    async fn hashes_are_those_of_the_library() {
        let passwords = Passwords::new().unwrap();
        let ours = passwords.hash("비밀번호123".to_owned()).await.unwrap();
        let parsed = PasswordHash::new(&ours).unwrap();
        Argon2::default().verify_password("비밀번호123".as_bytes(), &parsed).unwrap();
        let small = Params::new(32, 3, 2, Some(24)).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2i, Version::V0x10, small);
        let theirs = argon2.hash_password(b"password123").unwrap().to_string();
        assert!(passwords.verify("password123".to_owned(), Some(theirs.clone())).await.unwrap());
        assert!(!passwords.verify("password124".to_owned(), Some(theirs)).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_that_cannot_be_read_is_an_error_and_no_log_in() {
        let passwords = Passwords::new().unwrap();
        for phc in
            ["", "$argon2id$v=19$m=19456,t=2,p=1", "$scrypt$ln=15$c2FsdHNhbHQ$aGFzaGhhc2g", "password123"]
        {
            let verified = passwords.verify("password123".to_owned(), Some(phc.to_owned())).await;
            assert!(verified.is_err(), "{phc}");
        }
    }
}
