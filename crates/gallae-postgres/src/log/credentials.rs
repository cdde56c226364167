//! What people log in with.

use super::PostgresLog;
use crate::{
    fault::Trouble,
    pool::{Param, Session},
};
use gallae_core::Timestamp;
use gallae_ports::{
    BoxFuture, Credential, CredentialError, CredentialStore, RefreshToken, StoreFault, TokenUse,
};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

macro_rules! credential_columns {
    ($rest:literal) => {
        concat!("SELECT \"user\", login, password_hash, failures, locked_until FROM @.credentials ", $rest)
    };
}

const OF_LOGIN: &str = credential_columns!("WHERE login = $1");
const OF_USER: &str = credential_columns!("WHERE \"user\" = $1");

/// A user's own credential is replaced; a login that is another's violates its constraint.
const INSERT: &str = "INSERT INTO @.credentials (\"user\", login, password_hash, failures, locked_until)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (\"user\") DO UPDATE SET login = $2, password_hash = $3, failures = $4, locked_until = $5";

const UPDATE: &str = "UPDATE @.credentials SET password_hash = $2, failures = $3, locked_until = $4
    WHERE \"user\" = $1";

const INSERT_TOKEN: &str =
    "INSERT INTO @.refresh_tokens (hash, family, \"user\", expires_at, used_at, revoked)
    VALUES ($1, $2, $3, $4, $5, $6)";

const TOKEN: &str = "SELECT hash, family, \"user\", expires_at, used_at, revoked FROM @.refresh_tokens
    WHERE hash = $1";

const USE_TOKEN: &str = "UPDATE @.refresh_tokens SET used_at = $2 WHERE hash = $1";
const REVOKE_FAMILY: &str = "UPDATE @.refresh_tokens SET revoked = true WHERE family = $1 AND NOT revoked";
const REVOKE_USER: &str = "UPDATE @.refresh_tokens SET revoked = true WHERE \"user\" = $1 AND NOT revoked";
const USER_OF_FAMILY: &str = "SELECT \"user\" FROM @.refresh_tokens WHERE family = $1 LIMIT 1";

/// Exchanging and revoking the tokens of one user take turns: a successor that is just being stored would escape a revocation.
const TAKE_TURN: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7160731))";

impl CredentialStore for PostgresLog {
    fn insert_credential(&self, credential: Credential) -> BoxFuture<'_, Result<(), CredentialError>> {
        Box::pin(async move {
            let login = credential.login.to_lowercase();
            let failures = i64::from(credential.failures);
            let locked = credential.locked_until.map(Timestamp::as_micros);
            let params: [Param<'_>; 5] = [
                (&credential.user, Type::UUID),
                (&login, Type::TEXT),
                (&credential.password_hash, Type::TEXT),
                (&failures, Type::INT8),
                (&locked, Type::INT8),
            ];
            let stored = async { self.write_pool().session().await?.execute(INSERT, &params).await };
            match stored.await {
                Ok(_) => Ok(()),
                Err(trouble) if trouble.constraint() == Some("credentials_by_login") => {
                    Err(CredentialError::LoginTaken)
                }
                Err(trouble) => Err(CredentialError::Unavailable(trouble.into_fault("storing a credential"))),
            }
        })
    }

    fn credential(&self, login: &str) -> BoxFuture<'_, Result<Option<Credential>, StoreFault>> {
        let login = login.to_lowercase();
        Box::pin(async move { self.find_credential(OF_LOGIN, &[(&login, Type::TEXT)]).await })
    }

    fn credential_of(&self, user: Uuid) -> BoxFuture<'_, Result<Option<Credential>, StoreFault>> {
        Box::pin(async move { self.find_credential(OF_USER, &[(&user, Type::UUID)]).await })
    }

    fn update_credential(&self, credential: Credential) -> BoxFuture<'_, Result<(), StoreFault>> {
        Box::pin(async move {
            let failures = i64::from(credential.failures);
            let locked = credential.locked_until.map(Timestamp::as_micros);
            let params: [Param<'_>; 4] = [
                (&credential.user, Type::UUID),
                (&credential.password_hash, Type::TEXT),
                (&failures, Type::INT8),
                (&locked, Type::INT8),
            ];
            self.write_pool().execute("updating a credential", UPDATE, &params).await.map(drop)
        })
    }

    fn insert_refresh_token(&self, token: RefreshToken) -> BoxFuture<'_, Result<(), StoreFault>> {
        Box::pin(async move {
            let inserted = async { insert_token(&mut self.write_pool().session().await?, &token).await };
            inserted.await.map_err(|trouble| trouble.into_fault("storing a refresh token"))
        })
    }

    fn rotate_refresh_token(
        &self,
        hash: [u8; 32],
        successor: RefreshToken,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<TokenUse, StoreFault>> {
        Box::pin(async move {
            let rotated = self.rotate(hash, &successor, now).await;
            rotated.map_err(|trouble| trouble.into_fault("exchanging a refresh token"))
        })
    }

    fn refresh_token(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<RefreshToken>, StoreFault>> {
        Box::pin(async move {
            const DOING: &str = "reading a refresh token";
            let rows = self.write_pool().read(DOING, TOKEN, &[(&&hash[..], Type::BYTEA)]).await?;
            rows.first().map(token).transpose().map_err(|trouble| trouble.into_fault(DOING))
        })
    }

    fn revoke_family(&self, family: Uuid) -> BoxFuture<'_, Result<(), StoreFault>> {
        Box::pin(async move {
            let revoked = async {
                let mut session = self.write_pool().session().await?;
                let rows = session.query(USER_OF_FAMILY, &[(&family, Type::UUID)]).await?;
                let Some(row) = rows.first() else { return Ok(()) };
                session.begin().await?;
                take_turn(&mut session, row.try_get(0)?).await?;
                session.execute(REVOKE_FAMILY, &[(&family, Type::UUID)]).await?;
                session.commit().await
            };
            revoked.await.map_err(|trouble: Trouble| trouble.into_fault("revoking refresh tokens"))
        })
    }

    fn revoke_user(&self, user: Uuid) -> BoxFuture<'_, Result<(), StoreFault>> {
        Box::pin(async move {
            let revoked = async {
                let mut session = self.write_pool().session().await?;
                session.begin().await?;
                take_turn(&mut session, user).await?;
                session.execute(REVOKE_USER, &[(&user, Type::UUID)]).await?;
                session.commit().await
            };
            revoked.await.map_err(|trouble: Trouble| trouble.into_fault("revoking refresh tokens"))
        })
    }
}

impl PostgresLog {
    async fn find_credential(
        &self,
        statement: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<Credential>, StoreFault> {
        const DOING: &str = "reading a credential";
        let rows = self.write_pool().read(DOING, statement, params).await?;
        rows.first().map(credential).transpose().map_err(|trouble| trouble.into_fault(DOING))
    }

    async fn rotate(
        &self,
        hash: [u8; 32],
        successor: &RefreshToken,
        now: Timestamp,
    ) -> Result<TokenUse, Trouble> {
        let mut session = self.write_pool().session().await?;
        let Some(found) = find_token(&mut session, hash).await? else { return Ok(TokenUse::Refused) };
        session.begin().await?;
        take_turn(&mut session, found.user).await?;
        let Some(token) = find_token(&mut session, hash).await? else { return Ok(TokenUse::Refused) };
        let outcome = if token.used_at.is_some() {
            session.execute(REVOKE_FAMILY, &[(&token.family, Type::UUID)]).await?;
            TokenUse::Reused
        } else if token.revoked || token.expires_at <= now {
            TokenUse::Refused
        } else {
            let used = now.as_micros();
            session.execute(USE_TOKEN, &[(&&hash[..], Type::BYTEA), (&used, Type::INT8)]).await?;
            insert_token(&mut session, successor).await?;
            TokenUse::Rotated { user: token.user }
        };
        session.commit().await?;
        Ok(outcome)
    }
}

async fn take_turn(session: &mut Session, user: Uuid) -> Result<(), Trouble> {
    session.query(TAKE_TURN, &[(&user.to_string(), Type::TEXT)]).await.map(drop)
}

async fn find_token(session: &mut Session, hash: [u8; 32]) -> Result<Option<RefreshToken>, Trouble> {
    let rows = session.query(TOKEN, &[(&&hash[..], Type::BYTEA)]).await?;
    rows.first().map(token).transpose()
}

async fn insert_token(session: &mut Session, token: &RefreshToken) -> Result<(), Trouble> {
    let (expires_at, used_at) = (token.expires_at.as_micros(), token.used_at.map(Timestamp::as_micros));
    let params: [Param<'_>; 6] = [
        (&&token.hash[..], Type::BYTEA),
        (&token.family, Type::UUID),
        (&token.user, Type::UUID),
        (&expires_at, Type::INT8),
        (&used_at, Type::INT8),
        (&token.revoked, Type::BOOL),
    ];
    session.execute(INSERT_TOKEN, &params).await.map(drop)
}

fn credential(row: &Row) -> Result<Credential, Trouble> {
    let failures: i64 = row.try_get(3)?;
    Ok(Credential {
        user: row.try_get(0)?,
        login: row.try_get(1)?,
        password_hash: row.try_get(2)?,
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        locked_until: row.try_get::<_, Option<i64>>(4)?.map(Timestamp::from_micros),
    })
}

fn token(row: &Row) -> Result<RefreshToken, Trouble> {
    let hash: &[u8] = row.try_get(0)?;
    let hash =
        hash.try_into().map_err(|_| Trouble::Unreadable("a token's hash is not 32 bytes long".to_owned()))?;
    Ok(RefreshToken {
        hash,
        family: row.try_get(1)?,
        user: row.try_get(2)?,
        expires_at: Timestamp::from_micros(row.try_get(3)?),
        used_at: row.try_get::<_, Option<i64>>(4)?.map(Timestamp::from_micros),
        revoked: row.try_get(5)?,
    })
}
