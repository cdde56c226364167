//! What people log in with.

use super::{SqliteLog, sql};
use gallae_core::Timestamp;
use gallae_ports::{
    BoxFuture, Credential, CredentialError, CredentialStore, RefreshToken, StoreFault, TokenUse,
};
use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use uuid::Uuid;

macro_rules! credential_columns {
    () => {
        "SELECT user, login, password_hash, failures, locked_until FROM credentials "
    };
}

impl CredentialStore for SqliteLog {
    fn insert_credential(&self, credential: Credential) -> BoxFuture<'_, Result<(), CredentialError>> {
        let stored = self.write("storing a credential", move |connection| insert(connection, &credential));
        Box::pin(async move {
            match stored.await {
                Ok(true) => Ok(()),
                Ok(false) => Err(CredentialError::LoginTaken),
                Err(fault) => Err(CredentialError::Unavailable(fault)),
            }
        })
    }

    fn credential(&self, login: &str) -> BoxFuture<'_, Result<Option<Credential>, StoreFault>> {
        let login = login.to_lowercase();
        self.read("reading a credential", move |reader| {
            reader
                .connection
                .prepare_cached(concat!(credential_columns!(), "WHERE login = ?1"))?
                .query_row([&login], credential)
                .optional()
        })
    }

    fn credential_of(&self, user: Uuid) -> BoxFuture<'_, Result<Option<Credential>, StoreFault>> {
        self.read("reading a credential", move |reader| {
            reader
                .connection
                .prepare_cached(concat!(credential_columns!(), "WHERE user = ?1"))?
                .query_row([user.as_bytes()], credential)
                .optional()
        })
    }

    fn update_credential(&self, credential: Credential) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.write("updating a credential", move |connection| {
            connection
                .prepare_cached(
                    "UPDATE credentials SET password_hash = ?2, failures = ?3, locked_until = ?4 WHERE user = ?1",
                )?
                .execute((
                    credential.user.as_bytes(),
                    &credential.password_hash,
                    credential.failures,
                    credential.locked_until.map(Timestamp::as_micros),
                ))
                .map(drop)
        })
    }

    fn insert_refresh_token(&self, token: RefreshToken) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.write("storing a refresh token", move |connection| insert_token(connection, &token))
    }

    fn rotate_refresh_token(
        &self,
        hash: [u8; 32],
        successor: RefreshToken,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<TokenUse, StoreFault>> {
        self.write("exchanging a refresh token", move |connection| rotate(connection, hash, &successor, now))
    }

    fn refresh_token(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<RefreshToken>, StoreFault>> {
        self.read("reading a refresh token", move |reader| find_token(&reader.connection, hash))
    }

    fn revoke_family(&self, family: Uuid) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.write("revoking refresh tokens", move |connection| revoke_family(connection, family))
    }

    fn revoke_user(&self, user: Uuid) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.write("revoking refresh tokens", move |connection| {
            connection
                .prepare_cached("UPDATE refresh_tokens SET revoked = 1 WHERE user = ?1")?
                .execute([user.as_bytes()])
                .map(drop)
        })
    }
}

/// Stores a credential; `false` when the login belongs to another user. A user's own is replaced.
fn insert(connection: &Connection, credential: &Credential) -> rusqlite::Result<bool> {
    let login = credential.login.to_lowercase();
    let taken = connection
        .prepare_cached("SELECT 1 FROM credentials WHERE login = ?1 AND user <> ?2")?
        .exists((&login, credential.user.as_bytes()))?;
    if taken {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "INSERT INTO credentials (user, login, password_hash, failures, locked_until) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (user) DO UPDATE SET login = ?2, password_hash = ?3, failures = ?4, locked_until = ?5",
        )?
        .execute((
            credential.user.as_bytes(),
            login,
            &credential.password_hash,
            credential.failures,
            credential.locked_until.map(Timestamp::as_micros),
        ))?;
    Ok(true)
}

fn credential(row: &Row<'_>) -> rusqlite::Result<Credential> {
    Ok(Credential {
        user: sql::uuid(row, 0)?,
        login: row.get(1)?,
        password_hash: row.get(2)?,
        failures: sql::small(row, 3)?,
        locked_until: sql::optional_time(row, 4)?,
    })
}

fn rotate(
    connection: &Connection,
    hash: [u8; 32],
    successor: &RefreshToken,
    now: Timestamp,
) -> rusqlite::Result<TokenUse> {
    let Some(token) = find_token(connection, hash)? else { return Ok(TokenUse::Refused) };
    if token.used_at.is_some() {
        revoke_family(connection, token.family)?;
        return Ok(TokenUse::Reused);
    }
    if token.revoked || token.expires_at <= now {
        return Ok(TokenUse::Refused);
    }
    connection
        .prepare_cached("UPDATE refresh_tokens SET used_at = ?2 WHERE hash = ?1")?
        .execute((&hash[..], now.as_micros()))?;
    insert_token(connection, successor)?;
    Ok(TokenUse::Rotated { user: token.user })
}

fn insert_token(connection: &Connection, token: &RefreshToken) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO refresh_tokens (hash, family, user, expires_at, used_at, revoked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            &token.hash[..],
            token.family.as_bytes(),
            token.user.as_bytes(),
            token.expires_at.as_micros(),
            token.used_at.map(Timestamp::as_micros),
            token.revoked,
        ))
        .map(drop)
}

fn find_token(connection: &Connection, hash: [u8; 32]) -> rusqlite::Result<Option<RefreshToken>> {
    connection
        .prepare_cached(
            "SELECT hash, family, user, expires_at, used_at, revoked FROM refresh_tokens WHERE hash = ?1",
        )?
        .query_row([&hash[..]], |row| {
            let stored = row.get_ref(0)?.as_blob()?;
            Ok(RefreshToken {
                hash: stored.try_into().map_err(|error| sql::unreadable(0, Type::Blob, error))?,
                family: sql::uuid(row, 1)?,
                user: sql::uuid(row, 2)?,
                expires_at: sql::time(row, 3)?,
                used_at: sql::optional_time(row, 4)?,
                revoked: row.get(5)?,
            })
        })
        .optional()
}

fn revoke_family(connection: &Connection, family: Uuid) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE refresh_tokens SET revoked = 1 WHERE family = ?1")?
        .execute([family.as_bytes()])
        .map(drop)
}
