//! The description of the API: who may call, and how it refuses.

use gallae_http::{FieldError, ProblemBody};
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        Content, Ref, RefOr, Response, ResponseBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// The shop's part of the OpenAPI document, before its routes.
#[derive(Clone, Copy, Debug, OpenApi)]
#[openapi(components(schemas(ProblemBody, FieldError)), modifiers(&Bearer))]
pub struct Documentation;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// How a route that reads may refuse.
pub(crate) struct ReadRefusals;

impl IntoResponses for ReadRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[400, 401, 403, 404, 408, 429, 503])
    }
}

/// How a route that changes something may refuse.
pub(crate) struct WriteRefusals;

impl IntoResponses for WriteRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 503])
    }
}

fn problems(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    let problem = |status: &u16| {
        let content = Content::new(Some(Ref::from_schema_name("ProblemBody")));
        let response =
            ResponseBuilder::new().description(meaning(*status)).content("application/problem+json", content);
        (status.to_string(), RefOr::T(response.build()))
    };
    statuses.iter().map(problem).collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be understood.",
        401 => "A valid access token is needed.",
        403 => "This is not allowed for you.",
        404 => "There is nothing here, or it is not yours.",
        408 => "The request took too long to arrive.",
        409 => "The present state refuses, or somebody else was faster.",
        412 => "It has changed since you read it.",
        413 => "The request is too large.",
        415 => "Send JSON.",
        422 => "Well formed, but never acceptable.",
        429 => "Too many requests; Retry-After says when to come back.",
        _ => "Not available at the moment; says whether anything was written.",
    }
}
