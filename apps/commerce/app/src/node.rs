//! The shop as one process: opened from its settings, wired, served, closed.

use crate::{
    Shop, ShopParts, codes, imports,
    invariants::ShopInvariants,
    payments::{PaymentGateway, Simulator},
    router,
    settings::{self, SettingsError, ShopSections, ShopSettings},
    wiring::{self, Wiring},
};
use axum::{Router, extract::FromRef};
use commerce_psp::{LedgerError, Provider, ProviderOptions};
use gallae_http::{
    ErrorCode, InFlight,
    auth::{AccessTokens, Accounts, PasswordError, Passwords, Secret},
};
use gallae_runtime::{BuildErrors, Platform, Roles};
use gallae_server::{
    PlatformParts, PlatformState,
    config::{ConfigError, Layers, PlatformSettings},
    engines::{Engines, EnginesError},
    errors, housekeeping, layers,
    openapi::{self, ApiInfo},
    platform_routes,
    secrets::{AdminApiFile, SecretError, jwt_secret},
    serve::{Readiness, serve as listen},
    telemetry::{self, TelemetryError},
};
use metrics_exporter_prometheus::PrometheusHandle;
use std::{fmt, future::Future, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// The payment simulator's ledger in the data directory: somebody else's books, which a backup takes along.
pub const LEDGER_FILE: &str = "payments.ledger";

const INFO: ApiInfo = ApiInfo {
    title: "Gallae commerce",
    version: env!("CARGO_PKG_VERSION"),
    description: "A shop on Gallae: commands, queries, sagas. Orders answer under `/orders` and `/api/orders`.\n\n\
                  갈래 위의 상점: 명령, 조회, 사가. 주문 경로는 `/orders`와 `/api/orders`에서 모두 응답합니다.",
    tags: &[
        ("Authentication", "Join, log in, stay logged in", "회원가입과 로그인"),
        ("Books", "The catalogue", "도서 카탈로그"),
        ("Orders", "Place, follow, cancel, operate, search", "주문, 조회, 취소, 운영, 검색"),
    ],
};

/// Everything the shop was told.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The platform's part.
    pub platform: PlatformSettings,
    /// The shop's part.
    pub shop: ShopSettings,
}

/// Why a configuration is refused. Nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// A setting of the platform, or a value of the wrong kind.
    #[error(transparent)]
    Platform(#[from] ConfigError),
    /// A setting of the shop.
    #[error(transparent)]
    Shop(#[from] SettingsError),
}

impl Configuration {
    /// Every setting there is, with its default.
    ///
    /// # Errors
    /// When the built-in defaults are broken.
    pub fn layers() -> Result<Layers, ConfigError> {
        let defaults = format!("{}\n{}", PlatformSettings::DEFAULTS, settings::DEFAULTS);
        Layers::new(&defaults, PlatformSettings::ALIASES, PlatformSettings::SECRETS)
    }

    /// Reads and checks.
    ///
    /// # Errors
    /// The first thing that is wrong, and how to mend it.
    pub fn read(layers: &Layers) -> Result<Self, ConfigurationError> {
        let platform: PlatformSettings = layers.read()?;
        platform.check()?;
        let shop = layers.read::<ShopSections>()?.resolve(platform.mode)?;
        Ok(Self { platform, shop })
    }
}

/// Why the shop could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The stores.
    #[error(transparent)]
    Engines(#[from] EnginesError),
    /// The simulator's ledger.
    #[error("the payment ledger {} cannot be used", path.display())]
    Ledger {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: LedgerError,
    },
    /// The secrets.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// Passwords could not be hashed.
    #[error("passwords cannot be hashed on this machine")]
    Passwords(#[from] PasswordError),
    /// The wiring; a fault of the program.
    #[error(transparent)]
    Wiring(#[from] BuildErrors),
}

/// The shop, open: its data directory is held, its background work runs.
pub struct Node {
    /// The shop's state.
    pub shop: Shop,
    /// All routes, the admin API among them, wrapped in all layers.
    pub router: Router,
    /// An operator's token, valid while this node is open.
    pub operator_token: Secret,
    readiness: Readiness,
    drain: Duration,
}

impl Node {
    /// Opens the shop on the engines of its profile, doing in the background what `roles` say.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing is left running.
    pub async fn open(
        configuration: &Configuration,
        roles: Roles,
        metrics: Option<PrometheusHandle>,
    ) -> Result<Self, OpenError> {
        let Configuration { platform: settings, shop: shop_settings } = configuration;
        let engines = Engines::open(settings).await?;
        let secret = jwt_secret(settings)?;
        let gateway = simulator(configuration, &engines)?;
        let operator_token = Secret::random();
        let tokens = access_tokens(settings, &engines, &secret, &operator_token);
        let accounts = accounts(settings, &engines, &tokens)?;
        let platform = platform(configuration, &engines, roles, Arc::clone(&gateway))?;
        let (readiness, in_flight) = (Readiness::default(), InFlight::default());
        let shop = Shop::new(ShopParts {
            platform: platform.clone(),
            views: engines.views.clone(),
            search: engines.search.clone(),
            counters: engines.counters.clone(),
            accounts,
            tokens: Arc::clone(&tokens),
            gateway: Arc::clone(&gateway),
            settings: shop_settings.clone(),
            in_flight: in_flight.clone(),
            secret,
            stopping: readiness.stopping(),
        });
        let state = PlatformState::new(PlatformParts {
            invariants: Some(Arc::new(ShopInvariants::new(Arc::clone(platform.store()), gateway))),
            platform,
            locks: engines.locks.clone(),
            broker: engines.broker.clone(),
            version: INFO.version,
            mode: settings.mode,
            readiness: readiness.clone(),
            metrics: metrics.clone(),
            in_flight,
            pools: engines.pools.clone(),
        });
        let router = whole(&shop, state, settings, &engines, metrics);
        let drain = Duration::from_secs(settings.http.drain_seconds);
        Ok(Self { shop, router, operator_token, readiness, drain })
    }

    /// Finishes what is under way, within the drain's bound, and lets the data directory go.
    pub async fn close(self) {
        self.shop.platform.drain(self.drain).await;
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("shop", &self.shop).finish_non_exhaustive()
    }
}

/// Why the shop was not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Logs or metrics could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Somebody else listens there, or this user may not.
    #[error("cannot listen on {address}: choose another with --listen HOST:PORT")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The listener failed.
    #[error("the listener failed")]
    Serving(#[source] io::Error),
    /// Word for the command line could not be left.
    #[error(transparent)]
    Secrets(#[from] SecretError),
}

/// Opens the shop and serves it until `shutdown` completes, then drains it. `ready` is called once it listens.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    configuration: Configuration,
    ready: impl AsyncFnOnce(&Node, SocketAddr),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let settings = &configuration.platform;
    telemetry::log_to_stderr(&settings.log)?;
    let metrics = telemetry::collect_metrics()?;
    let node = Node::open(&configuration, Roles::ALL, Some(metrics)).await?;
    let address = settings.http.listen;
    let refused = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let listening = listener.local_addr().map_err(refused)?;
    let word = AdminApiFile::leave(&settings.data.dir, listening, &node.operator_token)?;
    ready(&node, listening).await;
    let (router, readiness) = (node.router.clone(), node.readiness.clone());
    let served = listen(listener, router, readiness, node.drain, shutdown).await;
    drop(word);
    node.close().await;
    served.map_err(ServeError::Serving)
}

fn simulator(configuration: &Configuration, engines: &Engines) -> Result<Arc<dyn PaymentGateway>, OpenError> {
    let path = configuration.platform.data.dir.join(LEDGER_FILE);
    let clock = Arc::clone(&engines.clock);
    let options = ProviderOptions {
        honour_triggers: configuration.shop.payment_triggers,
        ..ProviderOptions::default()
    };
    match Provider::open(&path, move || clock.now().as_micros(), options) {
        Ok(provider) => Ok(Arc::new(Simulator::new(Arc::new(provider)))),
        Err(source) => Err(OpenError::Ledger { path, source }),
    }
}

fn access_tokens(
    settings: &PlatformSettings,
    engines: &Engines,
    secret: &Secret,
    operator: &Secret,
) -> Arc<AccessTokens> {
    let lifetime = Duration::from_secs(settings.auth.access_seconds);
    let tokens = AccessTokens::new(secret, &*settings.auth.issuer, lifetime, Arc::clone(&engines.clock));
    Arc::new(tokens.with_operator_token(operator))
}

fn accounts(
    settings: &PlatformSettings,
    engines: &Engines,
    tokens: &Arc<AccessTokens>,
) -> Result<Accounts, PasswordError> {
    Ok(Accounts::new(
        engines.credentials.clone(),
        Passwords::new()?,
        Arc::clone(tokens),
        Arc::clone(&engines.clock),
        Arc::clone(&engines.entropy),
        Duration::from_secs(settings.auth.refresh_seconds),
    ))
}

fn platform(
    configuration: &Configuration,
    engines: &Engines,
    roles: Roles,
    gateway: Arc<dyn PaymentGateway>,
) -> Result<Platform, BuildErrors> {
    let Configuration { platform: settings, shop } = configuration;
    let wiring = Wiring {
        views: engines.views.clone(),
        search: engines.search.clone(),
        counters: engines.counters.clone(),
        gateway,
        payment_deadline: shop.payment_deadline,
        payment_limits: shop.payment_limits,
        clock: Arc::clone(&engines.clock),
        store: engines.log.id(),
    };
    let builder = Platform::on(Arc::clone(&engines.log))
        .node(&*settings.node)
        .owner(&*engines.owner)
        .environment(Arc::clone(&engines.clock), Arc::clone(&engines.entropy))
        .roles(roles)
        .saga_concurrency(settings.saga.concurrency)
        .pace(Duration::from_millis(settings.projection.pace_ms))
        .relay(wiring::topics(), engines.broker.clone());
    wiring.install(builder).build()
}

/// What the platform's routes find in their state.
#[derive(Clone)]
struct PlatformSide {
    state: PlatformState,
    tokens: Arc<AccessTokens>,
}

impl FromRef<PlatformSide> for PlatformState {
    fn from_ref(side: &PlatformSide) -> Self {
        side.state.clone()
    }
}

impl FromRef<PlatformSide> for Arc<AccessTokens> {
    fn from_ref(side: &PlatformSide) -> Self {
        Arc::clone(&side.tokens)
    }
}

fn whole(
    shop: &Shop,
    state: PlatformState,
    settings: &PlatformSettings,
    engines: &Engines,
    metrics: Option<PrometheusHandle>,
) -> Router {
    let registry: Arc<[ErrorCode]> = [gallae_http::codes::ALL, codes::ALL].concat().into();
    let tokens = Arc::clone(&shop.tokens);
    let limits = layers::rate_limits(settings, Arc::clone(&tokens));
    housekeeping::start(shop.platform.supervisor(), &engines.clock, metrics, limits.clone());
    let readiness = state.readiness.clone();
    let platform = platform_routes(PlatformSide { state, tokens });
    let (routes, _) = openapi::publish(router(shop.clone()).merge(platform), &INFO);
    let routes = routes
        .merge(errors::routes(errors::PAGES.iter().chain(codes::PAGES).copied(), Arc::clone(&registry)));
    let parts = layers::LayerParts {
        settings: settings.clone(),
        registry,
        readiness,
        limits,
        clock: Arc::clone(&engines.clock),
        entropy: Arc::clone(&engines.entropy),
    };
    // Files are larger than requests: their routes pass the same layers under a limit of their own.
    let mut files = parts.clone();
    files.settings.http.body_limit = imports::routes::MAX_FILE;
    layers::wrap(routes, parts).merge(layers::wrap(imports::routes::router(shop.clone()), files))
}
