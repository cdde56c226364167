//! What every route of the shop works with.

use crate::{payments::PaymentGateway, settings::ShopSettings};
use axum::extract::FromRef;
use bytes::Bytes;
use commerce_domain::users::{Profile, Role, User};
use gallae_core::{Id, Position, Version};
use gallae_http::{
    AtLeast, Flight, IdempotencyKey, InFlight, Problem, RequestContext,
    auth::{AccessTokens, Accounts, Caller, Secret},
    codes, fingerprint,
};
use gallae_ports::{CounterStore, SearchStore, ViewStore};
use gallae_runtime::{Platform, dispatcher::Idempotency, projector::NotReached};
use serde_json::Value;
use std::{fmt, ops::Deref, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The shop's state. Cheap to clone.
#[derive(Clone)]
pub struct Shop(Arc<ShopParts>);

/// What a [`Shop`] is made of.
pub struct ShopParts {
    /// Commands, sagas, projections.
    pub platform: Platform,
    /// Where views are read.
    pub views: Arc<dyn ViewStore>,
    /// Where text is searched.
    pub search: Arc<dyn SearchStore>,
    /// Where counters are read.
    pub counters: Arc<dyn CounterStore>,
    /// Passwords and sessions.
    pub accounts: Accounts,
    /// Access tokens.
    pub tokens: Arc<AccessTokens>,
    /// Who moves the money; for audits.
    pub gateway: Arc<dyn PaymentGateway>,
    /// What the shop was told.
    pub settings: ShopSettings,
    /// Keyed requests that this node is working on, those of the platform's routes among them.
    pub in_flight: InFlight,
    /// Signs what is handed to clients to be handed back.
    pub secret: Secret,
    /// Ends live streams.
    pub stopping: CancellationToken,
}

impl Shop {
    /// A shop of these parts.
    pub fn new(parts: ShopParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Waits until `projection` shows what the client demands to see; says what it shows.
    pub(crate) async fn reached(
        &self,
        projection: &'static str,
        wanted: &AtLeast,
    ) -> Result<Position, Problem> {
        if wanted.position > Position::START {
            let head = self.platform.store().head().await?;
            if wanted.position > head {
                return Err(Problem::new(
                    codes::INVALID_TOKEN_POSITION,
                    format!("The log ends at position {head}."),
                )
                .member("head", head.get()));
            }
        }
        let reached = self.platform.projections().reached(projection, wanted.position, wanted.wait).await;
        reached.map_err(|error| match error {
            NotReached::Behind { wanted, at, .. } => {
                Problem::new(codes::VIEW_BEHIND, format!("The view stands at {at}, not yet at {wanted}."))
                    .member("position", at.get())
                    .retry_after(Duration::from_secs(1))
            }
            NotReached::Store(fault) => fault.into(),
            unknown => Problem::internal(&unknown),
        })
    }

    /// A registered user.
    pub(crate) async fn user(&self, id: Id<User>) -> Result<Option<(Profile, Role, Version)>, Problem> {
        let (user, version) = self.platform.peek(id).await?;
        Ok(user.profile().map(|profile| (profile.clone(), user.role(), version)))
    }

    /// The caller's profile. A token may outlive its user when the data folder is replaced.
    pub(crate) async fn profile(&self, caller: &Caller) -> Result<Profile, Problem> {
        let user = self.user(Id::new(caller.user)).await?;
        let gone =
            || Problem::new(codes::UNAUTHENTICATED, "This account does not exist here. Register again.");
        user.map(|(profile, ..)| profile).ok_or_else(gone)
    }

    /// How a request is recognised when it comes again. `content` is what it asks for, all of it. Refused while the same request is
    /// being worked on here, which lasts until what is returned is dropped.
    pub(crate) fn once(
        &self,
        context: &RequestContext,
        key: &IdempotencyKey,
        operation: &'static str,
        keep: Duration,
        content: impl FnOnce() -> Value,
    ) -> Result<Option<Once>, Problem> {
        let Some(key) = key.0.as_deref() else { return Ok(None) };
        let key = IdempotencyKey::scoped(key, &context.actor.to_string(), operation);
        let flight = self.in_flight.begin(&key)?;
        let fingerprint = fingerprint(operation, &content());
        let expires_at = self.platform.clock().now().after(keep);
        Ok(Some(Once { key, fingerprint, expires_at, _flight: flight }))
    }

    /// The first answer, when the request came before.
    pub(crate) async fn replay(&self, once: Option<&Once>) -> Result<Option<Bytes>, Problem> {
        let Some(once) = once else { return Ok(None) };
        let now = self.platform.clock().now();
        match self.platform.store().idempotency(&once.key, now).await? {
            Some(record) if record.fingerprint == once.fingerprint => Ok(Some(record.response)),
            Some(_) => Err(Problem::new(
                codes::IDEMPOTENCY_KEY_REUSED,
                "Use a new Idempotency-Key for a new request.",
            )),
            None => Ok(None),
        }
    }
}

/// How long a repeated order is recognised.
pub(crate) const KEEP_ORDERS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long any other repeated request is recognised.
pub(crate) const KEEP_REQUESTS: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that takes effect once, before its answer is known.
#[derive(Debug)]
pub(crate) struct Once {
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    pub(crate) expires_at: gallae_core::Timestamp,
    _flight: Flight,
}

impl Once {
    /// With the answer that repetitions get.
    pub(crate) fn answering(&self, response: Bytes) -> Idempotency {
        Idempotency {
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            response,
            expires_at: self.expires_at,
        }
    }
}

impl Deref for Shop {
    type Target = ShopParts;
    fn deref(&self) -> &ShopParts {
        &self.0
    }
}

impl FromRef<Shop> for Arc<AccessTokens> {
    fn from_ref(shop: &Shop) -> Self {
        Arc::clone(&shop.tokens)
    }
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shop").field(&*self.0).finish()
    }
}

impl fmt::Debug for ShopParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopParts")
            .field("platform", &self.platform)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
