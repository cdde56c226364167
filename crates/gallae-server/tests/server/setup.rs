//! A small application: parcels, a view of them, and a saga that hands each over to somebody who never answers.

use axum::{
    Router,
    body::Body,
    extract::FromRef,
    http::{HeaderMap, Request, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use gallae_core::{
    Actor, Aggregate, Command, Decide, DecisionContext, Event, Field, FieldValue, Id, Metadata, Projection,
    Recorded, Rejection, Saga, SagaId, StreamId, View, ViewKey,
    saga::{EffectKey, SagaGraph, Start, Step, call, compensable, local, pivot},
};
use gallae_http::{
    ErrorCode, InFlight, Problem, RateLimits, StrictJson,
    auth::{AccessTokens, Secret},
    codes,
};
use gallae_memory::{MemoryBroker, MemoryLocks, MemoryLog, MemoryViews};
use gallae_ports::{BoxFuture, Clock, Entropy, Pool, PoolRole, Pools, StoreFault};
use gallae_runtime::{
    Platform, SystemClock, SystemEntropy,
    dispatcher::Request as Send,
    projector,
    relay::Mapping,
    saga::{CallOutcome, EffectCall, EffectHandler, QueryOutcome},
};
use gallae_server::{
    PlatformParts, PlatformState,
    admin::{InvariantCheck, Invariants},
    config::{Layers, Mode, PlatformSettings},
    errors,
    layers::{LayerParts, wrap},
    openapi::{ApiInfo, publish},
    platform_routes,
    serve::Readiness,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Event)]
pub(crate) enum ParcelEvent {
    #[event(name = "ParcelSent", version = 1)]
    Sent { to: String },
    #[event(name = "ParcelHandedOver", version = 1)]
    HandedOver {},
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Parcel {
    to: String,
    done: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the parcel was sent before")]
pub(crate) struct SentBefore;

impl Rejection for SentBefore {
    fn code(&self) -> &'static str {
        "SENT_BEFORE"
    }
}

impl Aggregate for Parcel {
    const TYPE: &'static str = "parcel";
    type Event = ParcelEvent;
    type Rejection = SentBefore;

    fn evolve(&mut self, event: &ParcelEvent) {
        match event {
            ParcelEvent::Sent { to } => self.to = to.clone(),
            ParcelEvent::HandedOver {} => self.done = true,
        }
    }
}

#[derive(Debug)]
pub(crate) struct SendParcel {
    pub parcel: Id<Parcel>,
    pub to: String,
}

impl Command for SendParcel {
    const NAME: &'static str = "parcel.send";
    type Aggregate = Parcel;
    fn target(&self) -> Id<Parcel> {
        self.parcel
    }
}

impl Decide<SendParcel> for Parcel {
    fn decide(&self, command: &SendParcel, _: &DecisionContext<'_>) -> Result<Vec<ParcelEvent>, SentBefore> {
        if self.to.is_empty() {
            Ok(vec![ParcelEvent::Sent { to: command.to.clone() }])
        } else {
            Err(SentBefore)
        }
    }
}

#[derive(Debug)]
pub(crate) struct HandOver(Id<Parcel>);

impl Command for HandOver {
    const NAME: &'static str = "parcel.hand-over";
    type Aggregate = Parcel;
    fn target(&self) -> Id<Parcel> {
        self.0
    }
}

impl Decide<HandOver> for Parcel {
    fn decide(&self, _: &HandOver, _: &DecisionContext<'_>) -> Result<Vec<ParcelEvent>, SentBefore> {
        Ok(vec![ParcelEvent::HandedOver {}])
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParcelView {
    to: String,
}

impl View for ParcelView {
    const FIELDS: &'static [Field] = &[];
    fn fields(&self) -> Vec<FieldValue> {
        Vec::new()
    }
}

pub(crate) struct Parcels;

impl Projection for Parcels {
    const NAME: &'static str = "parcels";
    const REVISION: u32 = 1;
    type Events = ParcelEvent;
    type View = ParcelView;

    fn key(event: &Recorded<ParcelEvent>) -> Option<ViewKey> {
        Some(ViewKey::from(event.stream().key()))
    }

    fn project(view: &mut ParcelView, event: &Recorded<ParcelEvent>) {
        if let ParcelEvent::Sent { to } = &event.event {
            view.to = to.clone();
        }
    }
}

pub(crate) struct Delivery;

const CARRY: Step<Value> = Step::new("carry");
const HAND_OVER: Step<()> = Step::new("hand_over");

impl Saga for Delivery {
    const NAME: &'static str = "delivery";
    const VERSION: u32 = 1;
    type Trigger = ParcelEvent;
    type Input = Uuid;

    fn start(event: &ParcelEvent, stream: &StreamId) -> Option<Start<Uuid>> {
        let parcel = stream.uuid()?;
        let sent = matches!(event, ParcelEvent::Sent { .. });
        sent.then(|| Start { business_key: parcel.to_string(), input: parcel })
    }

    fn graph() -> SagaGraph<Self> {
        SagaGraph::new()
            .then(compensable(CARRY, call("carrier", "carry", |cx| *cx.input)).undo(call(
                "carrier",
                "bring-back",
                |cx| *cx.input,
            )))
            .then(pivot(
                HAND_OVER,
                local(|cx| vec![gallae_core::saga::SagaCommand::new(HandOver(Id::new(*cx.input)))]),
            ))
    }
}

/// Takes every parcel and never answers.
struct SilentCarrier;

impl EffectHandler for SilentCarrier {
    fn call(&self, _: EffectCall) -> BoxFuture<'_, CallOutcome> {
        Box::pin(std::future::pending())
    }
    fn query<'a>(&'a self, _: &'a EffectKey, _: &'a str) -> BoxFuture<'a, QueryOutcome> {
        Box::pin(std::future::pending())
    }
}

struct BusyPools;

impl Pools for BusyPools {
    fn pools(&self) -> Vec<Pool> {
        vec![Pool::new("log", PoolRole::Write, 1, 1, 7), Pool::new("log", PoolRole::Read, 4, 1, 0)]
    }
}

struct OneBroken;

impl Invariants for OneBroken {
    fn check(&self) -> BoxFuture<'_, Result<Vec<InvariantCheck>, StoreFault>> {
        let check = InvariantCheck {
            name: "parcels".to_owned(),
            ok: false,
            checked: 2,
            violations: vec!["a parcel is lost".to_owned()],
        };
        Box::pin(std::future::ready(Ok(vec![check])))
    }
}

#[derive(Clone)]
struct AppState {
    platform: PlatformState,
    tokens: Arc<AccessTokens>,
}

impl FromRef<AppState> for PlatformState {
    fn from_ref(state: &AppState) -> Self {
        state.platform.clone()
    }
}

impl FromRef<AppState> for Arc<AccessTokens> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.tokens)
    }
}

/// How a server differs from the usual one.
pub(crate) struct Options {
    pub mode: Mode,
    pub in_flight: usize,
    pub limits: RateLimits,
    /// Time for the layers alone.
    pub layer_clock: Option<Arc<dyn Clock>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { mode: Mode::Demo, in_flight: 100, limits: RateLimits::off(), layer_clock: None }
    }
}

/// A running application.
pub(crate) struct Server {
    router: Router,
    pub log: Arc<MemoryLog>,
    pub platform: Platform,
    pub document: OpenApi,
    pub tokens: Arc<AccessTokens>,
    pub readiness: Readiness,
}

pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.text()))
    }
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self.json()
    }
    /// Checks that this is a problem of that code, whole.
    #[track_caller]
    pub(crate) fn problem(&self, code: ErrorCode) -> Value {
        assert_eq!(self.status, code.status, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let body = self.json();
        assert_eq!(body["code"], code.code, "{body}");
        assert_eq!(body["type"], format!("/errors/{}", code.code));
        assert_eq!(body["title"], code.title);
        assert_eq!(body["correlationId"], self.headers["x-correlation-id"].to_str().unwrap());
        assert_eq!(self.headers["x-content-type-options"], "nosniff");
        body
    }
}

pub(crate) const KIM: Uuid = Uuid::from_u128(0x11);
pub(crate) const LEE: Uuid = Uuid::from_u128(0x22);
pub(crate) const BOSS: Uuid = Uuid::from_u128(0x99);

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let log = Arc::new(MemoryLog::new(Uuid::from_u128(7), Arc::clone(&clock)));
        let broker = Arc::new(MemoryBroker::new(64));
        let mapping = Mapping::new("test");
        let platform = Platform::builder(Arc::clone(&log))
            .environment(Arc::clone(&clock), Arc::clone(&entropy))
            .aggregate::<Parcel>()
            .projection(projector::view::<Parcels>(Arc::new(MemoryViews::default())))
            .saga::<Delivery>()
            .effect("carrier", Arc::new(SilentCarrier))
            .relay(mapping, broker.clone())
            .build()
            .unwrap();
        let secret = Secret::new("0123456789abcdef0123456789abcdef");
        let tokens = AccessTokens::new(&secret, "test", Duration::from_secs(60), Arc::clone(&clock));
        let tokens = Arc::new(tokens.with_operator_token(&Secret::new("from-this-machine")));
        let readiness = Readiness::default();
        let state = AppState {
            platform: PlatformState::new(PlatformParts {
                platform: platform.clone(),
                locks: Arc::new(MemoryLocks::new(Arc::clone(&clock), Arc::clone(&entropy))),
                broker,
                version: "1.2.3",
                mode: options.mode,
                readiness: readiness.clone(),
                metrics: Some(PrometheusBuilder::new().build_recorder().handle()),
                invariants: Some(Arc::new(OneBroken)),
                in_flight: InFlight::default(),
                pools: vec![Arc::new(BusyPools)],
            }),
            tokens: Arc::clone(&tokens),
        };
        let info = ApiInfo { title: "Parcels", version: "1.2.3", description: "Parcels / 소포", tags: &[] };
        let (router, document) = publish(platform_routes(state), &info);
        let registry: Arc<[ErrorCode]> = codes::ALL.into();
        let router = router
            .merge(errors::routes(errors::PAGES.iter().copied(), Arc::clone(&registry)))
            .route("/panic", get(async || -> String { panic!("the secret plan") }))
            .route("/never", get(async || std::future::pending::<String>().await))
            .route("/never", post(async || std::future::pending::<String>().await))
            .route(
                "/numbers",
                post(async |StrictJson { value, .. }: StrictJson<Vec<u8>>| value.len().to_string()),
            )
            .route("/large", get(async || axum::Json(vec!["갈래"; 2_000])))
            .route("/refusal", get(async || Problem::not_found("thing").into_response()));
        let mut settings: PlatformSettings =
            Layers::new(PlatformSettings::DEFAULTS, &[], &[]).unwrap().read().unwrap();
        settings.http.in_flight_limit = options.in_flight;
        settings.http.cors_origins = vec!["https://shop.example.com".to_owned()];
        let parts = LayerParts {
            settings,
            registry,
            readiness: readiness.clone(),
            limits: options.limits,
            clock: options.layer_clock.unwrap_or(clock),
            entropy,
        };
        Self { router: wrap(router, parts), log, platform, document, tokens, readiness }
    }

    pub(crate) fn token(&self, user: Uuid) -> String {
        let role = if user == BOSS { "admin" } else { "user" };
        format!("Bearer {}", self.tokens.issue(user, role).unwrap())
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        Reply { status, headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, user: Uuid, path: &str) -> Reply {
        let request = Request::get(path).header("authorization", self.token(user));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post_as(&self, user: Uuid, path: &str, body: Option<Value>) -> Reply {
        let request = Request::post(path).header("authorization", self.token(user));
        self.send(match body {
            Some(body) => {
                let bytes = body.to_string();
                let length = bytes.len().to_string();
                let request = request.header("content-type", "application/json");
                request.header("content-length", length).body(bytes.into()).unwrap()
            }
            None => request.body(Body::empty()).unwrap(),
        })
        .await
    }

    /// Sends a parcel in a flow; its saga begins and waits for ever.
    pub(crate) async fn parcel(&self, by: Uuid, flow: &str) -> (Id<Parcel>, SagaId) {
        let parcel = Id::new(self.platform.entropy().uuid());
        let metadata = Metadata::new(flow.parse().unwrap(), Actor::User(by), "node-1");
        let command = SendParcel { parcel, to: "서울".to_owned() };
        self.platform.send(Send::new(command, metadata)).await.unwrap();
        (parcel, SagaId::of("delivery", &parcel.to_string()))
    }

    /// Asks again until the answer is as wanted: background work takes a moment.
    pub(crate) async fn until(&self, user: Uuid, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..500 {
            let reply = self.get_as(user, path).await;
            if reply.status.is_success() {
                last = reply.json();
                if wanted(&last) {
                    return last;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} never became as wanted: {last}")
    }
}
