//! The document of the whole API, and Swagger UI to try it, both without the network.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use gallae_http::ProblemBody;
use std::{collections::BTreeSet, sync::Arc};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
        ServerBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::{Tag, TagBuilder},
    },
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::Config;

/// The files of Swagger UI that its page loads.
const UI_FILES: &[&str] = &[
    "index.css",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
];

/// What the document says of the application.
#[derive(Clone, Debug)]
pub struct ApiInfo {
    /// Its title.
    pub title: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it is, in English and Korean; Markdown.
    pub description: &'static str,
    /// The application's own tags: name, English, Korean.
    pub tags: &'static [(&'static str, &'static str, &'static str)],
}

/// The platform's tags: name, English, Korean.
const TAGS: &[(&str, &str, &str)] = &[
    (
        "Sagas",
        "How each business transaction stands, and what an operator can do",
        "사가의 상태와 운영자 조치",
    ),
    ("Tracing", "What happened in a business flow, and on which node", "비즈니스 흐름과 노드별 처리 추적"),
    ("Health", "For load balancers and Prometheus", "상태 확인과 지표"),
    (
        "Operations",
        "Projections, dead letters, relay, streams: for operators",
        "프로젝션, 데드 레터, 릴레이, 스트림 운영",
    ),
    ("Probes", "Trying the broker and the locks by hand", "브로커와 락 시험"),
];

/// Completes the document of a router's routes and adds the routes that serve it: `/api/openapi.json`, its aliases `/api-json`
/// and `/v3/api-docs`, and Swagger UI at `/api`.
pub fn publish<S>(router: OpenApiRouter<S>, info: &ApiInfo) -> (Router<S>, OpenApi)
where
    S: Clone + Send + Sync + 'static,
{
    let (router, collected) = router.split_for_parts();
    let document = complete(collected, info);
    // A document of plain data: it has no map with keys that are not text, and no number that JSON cannot hold.
    let json = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let serve_json = {
        let json = json.clone();
        move || {
            let json = json.clone();
            async move { ([(header::CONTENT_TYPE, "application/json")], json) }
        }
    };
    let config = Config::new(["/api/openapi.json"])
        .validator_url("none")
        .persist_authorization(true)
        .display_request_duration(true)
        .try_it_out_enabled(true);
    let mut ui = Router::new().route("/api/", get(ui_file));
    for file in UI_FILES {
        ui = ui.route(&format!("/api/{file}"), get(ui_file));
    }
    let ui = ui.with_state(Arc::new(config));
    let router = router
        .merge(ui)
        .route("/api", get(|| async { Redirect::permanent("/api/") }))
        .route("/api/openapi.json", get(serve_json.clone()))
        .route("/api-json", get(serve_json.clone()))
        .route("/v3/api-docs", get(serve_json));
    (router, document)
}

async fn ui_file(State(config): State<Arc<Config<'static>>>, uri: axum::http::Uri) -> Response {
    let name = uri.path().strip_prefix("/api/").unwrap_or_default();
    match utoipa_swagger_ui::serve(name, config) {
        Ok(Some(file)) => {
            ([(header::CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, file = name, "Swagger UI cannot be served");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What no single route can say: who we are, how one logs in, how errors look, and ids that are told apart.
fn complete(mut document: OpenApi, info: &ApiInfo) -> OpenApi {
    document.info = InfoBuilder::new()
        .title(info.title)
        .version(info.version)
        .description(Some(info.description))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    document.servers =
        Some(vec![ServerBuilder::new().url("/").description(Some("This server / 이 서버")).build()]);
    document.tags = Some(info.tags.iter().chain(TAGS).map(tag).collect());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("accessToken of POST /auth/login / 로그인 응답의 accessToken"))
        .build();
    let components = document.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
    let mut components = components;
    components.schemas.extend(schemas);
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document.components = Some(components);

    let mut taken = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        let methods = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("patch", &mut item.patch),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                name(operation, method, path, &mut taken);
                explain_errors(operation);
            }
        }
    }
    document
}

fn tag((name, english, korean): &(&str, &str, &str)) -> Tag {
    TagBuilder::new().name(*name).description(Some(format!("{english} / {korean}"))).build()
}

/// The handler's name where it is the only one of that name; else the method and the path, which are unique.
fn name(operation: &mut Operation, method: &str, path: &str, taken: &mut BTreeSet<String>) {
    let sign = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '_' };
    let by_path = || {
        let words: String = path.chars().map(sign).collect();
        format!("{method}_{}", words.trim_matches('_'))
    };
    let wanted = operation.operation_id.take().filter(|id| !taken.contains(id));
    let id = wanted.unwrap_or_else(by_path);
    taken.insert(id.clone());
    operation.operation_id = Some(id);
}

/// Every route answers errors in one way, and any route may have one: a bad header, a rate limit, a store that is down.
fn explain_errors(operation: &mut Operation) {
    let schema = RefOr::Ref(Ref::from_schema_name(ProblemBody::name()));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let problem = ResponseBuilder::new()
        .description("A problem (RFC 9457); its code has a page under /errors / 오류: code별 설명은 /errors 아래에 있습니다")
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.entry("default".to_owned()).or_insert(RefOr::T(problem));
}
