//! The shop put together: engines, platform, routes.

use crate::{
    Shop, ShopParts, codes, imports,
    invariants::ShopInvariants,
    payments::{PaymentGateway, Simulator},
    settings::ShopSettings,
    users,
    wiring::Wiring,
};
use axum::{Router, extract::FromRef};
use commerce_psp::{Provider, ProviderOptions};
use gallae_cli::{Exit, Failure};
use gallae_core::RecordedEvent;
use gallae_http::{
    ErrorCode, RateLimits,
    auth::{AccessTokens, Accounts, Passwords, Secret},
};
use gallae_ports::EventStore;
use gallae_runtime::{Platform, Roles, relay::Mapping};
use gallae_server::{
    PlatformParts, PlatformState,
    config::PlatformSettings,
    engines::Engines,
    errors, layers,
    layers::LayerParts,
    openapi::{self, ApiInfo},
    platform_routes, secrets,
    serve::Readiness,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// The provider's own ledger, in the data directory.
pub(super) const LEDGER: &str = "payment-ledger.jsonl";

const ABOUT: ApiInfo = ApiInfo {
    title: "Gallae Commerce",
    version: env!("CARGO_PKG_VERSION"),
    description: "The reference shop of Gallae. / 갈래의 예제 상점.",
    tags: &[
        ("Authentication", "Joining and logging in", "가입과 로그인"),
        ("Books", "The catalogue", "도서 카탈로그"),
        ("Orders", "Ordering, following, cancelling", "주문, 조회, 취소"),
        ("Dashboard", "Sales in figures", "매출 현황"),
    ],
};

/// The shop, open. Dropping it without draining the platform loses nothing that was acknowledged.
pub struct OpenShop {
    /// Commands, sagas, projections.
    pub platform: Platform,
    /// What routes work with.
    pub shop: Shop,
    /// Every route, wrapped.
    pub router: Router,
    /// Whether it takes new work.
    pub readiness: Readiness,
    /// Rate limits, to be tidied now and then.
    pub limits: RateLimits,
}

/// What the platform's routes find in their state.
#[derive(Clone)]
struct ServerState {
    platform: PlatformState,
    tokens: Arc<AccessTokens>,
}

impl FromRef<ServerState> for PlatformState {
    fn from_ref(state: &ServerState) -> Self {
        state.platform.clone()
    }
}

impl FromRef<ServerState> for Arc<AccessTokens> {
    fn from_ref(state: &ServerState) -> Self {
        Arc::clone(&state.tokens)
    }
}

/// Opens the shop in its data directory, making it if need be. `operator` is accepted as an operator's token; `metrics` renders
/// what is measured, if anything is.
///
/// # Errors
/// [`Exit::Unavailable`] when the directory cannot be opened, [`Exit::Configuration`] when a secret is missing.
pub async fn open(
    settings: PlatformSettings,
    shop: ShopSettings,
    roles: Roles,
    operator: &Secret,
    metrics: Option<PrometheusHandle>,
) -> Result<OpenShop, Failure> {
    let directory = &settings.data.dir;
    let engines = Engines::embedded(directory, &settings.node).map_err(|error| unavailable(&error))?;
    let secret = secrets::jwt_secret(&settings).map_err(|error| unavailable(&error))?;
    let gateway: Arc<dyn PaymentGateway> = Arc::new(Simulator::new(Arc::new(provider(&settings, &shop, &engines)?)));
    let platform = platform(&settings, &shop, &engines, roles, Arc::clone(&gateway))?;
    let lifetime = Duration::from_secs(settings.auth.access_seconds);
    let tokens = AccessTokens::new(&secret, settings.auth.issuer.clone(), lifetime, Arc::clone(&engines.clock));
    let tokens = Arc::new(tokens.with_operator_token(operator));
    let passwords = Passwords::new().map_err(|error| unavailable(&error))?;
    let accounts = Accounts::new(
        Arc::clone(&engines.log) as _,
        passwords,
        Arc::clone(&tokens),
        Arc::clone(&engines.clock),
        Arc::clone(&engines.entropy),
        Duration::from_secs(settings.auth.refresh_seconds),
    );
    let readiness = Readiness::default();
    let shop = Shop::new(ShopParts {
        platform: platform.clone(),
        views: Arc::clone(&engines.views) as _,
        search: Arc::clone(&engines.views) as _,
        counters: Arc::clone(&engines.views) as _,
        accounts,
        tokens: Arc::clone(&tokens),
        gateway: Arc::clone(&gateway),
        settings: shop,
        secret,
        stopping: readiness.stopping(),
    });
    let invariants = ShopInvariants::new(Arc::clone(platform.store()), gateway);
    let server = PlatformState::new(PlatformParts {
        platform: platform.clone(),
        locks: Arc::clone(&engines.locks) as _,
        broker: Arc::clone(&engines.broker) as _,
        version: ABOUT.version,
        mode: settings.mode,
        readiness: readiness.clone(),
        metrics,
        invariants: Some(Arc::new(invariants)),
        pool: Arc::new(|| json!({ "engine": "sqlite", "writers": 1 })),
    });
    let limits = layers::rate_limits(&settings, Arc::clone(&tokens));
    let state = ServerState { platform: server, tokens };
    let router = routes(&shop, state, settings, &readiness, &limits, &engines);
    Ok(OpenShop { platform, shop, router, readiness, limits })
}

fn provider(
    settings: &PlatformSettings,
    shop: &ShopSettings,
    engines: &Engines,
) -> Result<Provider, Failure> {
    let options = ProviderOptions { honour_triggers: shop.payment_triggers, ..ProviderOptions::default() };
    let clock = Arc::clone(&engines.clock);
    let opened = Provider::open(settings.data.dir.join(LEDGER), move || clock.now().as_micros(), options);
    opened.map_err(|error| unavailable(&error))
}

fn platform(
    settings: &PlatformSettings,
    shop: &ShopSettings,
    engines: &Engines,
    roles: Roles,
    gateway: Arc<dyn PaymentGateway>,
) -> Result<Platform, Failure> {
    let wiring = Wiring {
        views: Arc::clone(&engines.views) as _,
        search: Arc::clone(&engines.views) as _,
        counters: Arc::clone(&engines.views) as _,
        gateway,
        payment_deadline: shop.payment_deadline,
        clock: Arc::clone(&engines.clock),
        store: engines.log.id(),
    };
    let builder = Platform::builder(Arc::clone(&engines.log))
        .node(settings.node.as_str())
        .environment(Arc::clone(&engines.clock), Arc::clone(&engines.entropy))
        .roles(roles)
        .saga_concurrency(settings.saga.concurrency)
        .relay(Mapping::new("commerce").also(shipping), Arc::clone(&engines.broker) as _);
    wiring.install(builder).build().map_err(|errors| Failure::failed(errors.to_string()))
}

/// What happens to parcels is published a second time, for those who listen only there.
fn shipping(event: &RecordedEvent) -> Vec<String> {
    match &*event.event_type {
        "OrderShipped" | "OrderDelivered" => vec!["shipping-events".to_owned()],
        _ => Vec::new(),
    }
}

fn routes(
    shop: &Shop,
    state: ServerState,
    settings: PlatformSettings,
    readiness: &Readiness,
    limits: &RateLimits,
    engines: &Engines,
) -> Router {
    let registry: Arc<[ErrorCode]> = gallae_http::codes::ALL.iter().chain(codes::ALL).copied().collect();
    let described = crate::router(shop.clone())
        .merge(users::operators().with_state(shop.clone()))
        .merge(platform_routes::<ServerState>().with_state(state));
    let (router, _) = openapi::publish(described, &ABOUT);
    let pages = errors::routes(errors::PAGES.iter().copied(), Arc::clone(&registry));
    let parts = LayerParts {
        settings,
        registry,
        readiness: readiness.clone(),
        limits: limits.clone(),
        clock: Arc::clone(&engines.clock),
        entropy: Arc::clone(&engines.entropy),
    };
    // Files are larger than requests: their routes pass the same layers under a limit of their own.
    let mut files = parts.clone();
    files.settings.http.body_limit = imports::routes::MAX_FILE;
    layers::wrap(router.merge(pages), parts)
        .merge(layers::wrap(imports::routes::router(shop.clone()), files))
}

fn unavailable(error: &dyn Error) -> Failure {
    Failure::because(Exit::Unavailable, "the shop cannot be opened", error)
}

impl fmt::Debug for OpenShop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenShop").field("platform", &self.platform).finish_non_exhaustive()
    }
}
