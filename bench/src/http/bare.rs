//! The least that could take an order: it parses the body and answers. What it costs is the price of HTTP and JSON.

use crate::Failure;
use axum::{
    Json, Router,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use std::{hint::black_box, net::SocketAddr};
use uuid::Uuid;

/// The body of an order, as the shop's customers send it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "parsed for the sake of parsing")]
struct Order {
    items: Vec<Item>,
    shipping_address: String,
    #[serde(default)]
    payment_method: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "parsed for the sake of parsing")]
struct Item {
    product_id: String,
    #[serde(default)]
    product_name: Option<String>,
    quantity: i64,
    #[serde(default)]
    price: Option<i64>,
}

/// Serves until the process is ended. The other routes are what the load generator asks for besides.
pub(crate) async fn serve(listen: SocketAddr) -> Result<(), Failure> {
    let app = Router::new()
        .route("/health/ready", get(StatusCode::OK))
        .route("/auth/register", post(StatusCode::CREATED))
        .route("/auth/login", post(async || Json(json!({ "accessToken": "bare" }))))
        .route("/orders", post(place))
        .route("/orders/{id}", get(StatusCode::OK));
    Ok(axum::serve(tokio::net::TcpListener::bind(listen).await?, app).await?)
}

async fn place(Json(order): Json<Order>) -> impl IntoResponse {
    black_box(order);
    (StatusCode::CREATED, [("gallae-position", "1")], Json(json!({ "id": Uuid::now_v7() })))
}
