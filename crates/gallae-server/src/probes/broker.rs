//! A message there and back.

use super::Prober;
use crate::{PlatformState, words::millis};
use axum::{Json, extract::State};
use bytes::Bytes;
use futures::StreamExt;
use gallae_core::{Position, StreamId};
use gallae_http::{Problem, codes};
use gallae_ports::{BrokerError, Message, MessageStream};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

const TOPIC: &str = "gallae-probe";
const PATIENCE: Duration = Duration::from_secs(5);

/// A message that came back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoundTrip {
    /// `ok`.
    pub status: String,
    /// The same as `status == "ok"`, as older clients ask for it.
    pub connected: bool,
    /// From its publication to its return.
    pub round_trip_ms: f64,
    /// The topic it went through.
    pub topic: String,
    /// The topics that exist.
    pub topics: Vec<String>,
}

/// Publishes a message to a topic of its own and waits for it to come back.
#[utoipa::path(get, path = "/kafka-test", tag = "Probes", security((), ("bearer" = [])),
    responses((status = 200, body = RoundTrip)))]
pub(super) async fn round_trip(
    State(server): State<PlatformState>,
    _prober: Prober,
) -> Result<Json<RoundTrip>, Problem> {
    let clock = server.platform.clock();
    let id = server.platform.entropy().uuid();
    let key = StreamId::of("probe", id);
    let message = Message {
        topic: TOPIC.to_owned(),
        key: key.clone(),
        position: Position::START,
        headers: vec![("eventType", "Probe".to_owned()), ("aggregateId", id.to_string())],
        payload: Bytes::from_static(b"{}"),
    };
    let incoming = server.broker.subscribe(&[TOPIC]);
    let began = clock.monotonic();
    let there_and_back = async {
        server.broker.publish(vec![message]).await?;
        wait_for(incoming, &key).await
    };
    tokio::select! {
        biased;
        came = there_and_back => came.map_err(unavailable)?,
        () = clock.sleep(PATIENCE) => {
            return Err(refusal(format!("The message did not come back within {} s.", PATIENCE.as_secs())));
        }
    }
    let round_trip_ms = millis(clock.monotonic().saturating_sub(began));
    let topics = server.broker.topics().await.map_err(unavailable)?;
    Ok(Json(RoundTrip {
        status: "ok".to_owned(),
        connected: true,
        round_trip_ms,
        topic: TOPIC.to_owned(),
        topics,
    }))
}

/// Other probes may be under way on the same topic.
async fn wait_for(mut incoming: MessageStream, key: &StreamId) -> Result<(), BrokerError> {
    while let Some(message) = incoming.next().await {
        if message?.key == *key {
            return Ok(());
        }
    }
    // The stream ended without an error: nothing will come any more, and the clock decides.
    std::future::pending().await
}

fn unavailable(error: BrokerError) -> Problem {
    tracing::warn!(error = crate::words::chain(&error), "the broker does not pass a message");
    refusal(format!("{error}."))
}

fn refusal(detail: String) -> Problem {
    Problem::new(codes::BROKER_UNAVAILABLE, detail).retry_after(Duration::from_secs(1))
}
