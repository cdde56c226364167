//! A change of one aggregate: keyed, provided that nobody changed it since the client looked.

use super::Answer;
use crate::{Shop, shop::Once};
use axum::http::StatusCode;
use bytes::Bytes;
use gallae_core::{Aggregate, Command, Metadata};
use gallae_http::{IfMatch, Problem, codes};
use gallae_runtime::dispatcher::{Request, SendError};

/// A command and how it is answered.
pub(crate) struct Change<C> {
    pub(crate) command: C,
    pub(crate) metadata: Metadata,
    pub(crate) if_match: IfMatch,
    pub(crate) once: Option<Once>,
    pub(crate) status: StatusCode,
    pub(crate) reply: Bytes,
}

impl<C: Command> Change<C> {
    /// Makes the change, or gives the answer of the first time.
    pub(crate) async fn send(self, shop: &Shop) -> Result<Answer, Problem> {
        let Self { command, metadata, if_match, once, status, reply } = self;
        let stream = command.target().stream();
        let mut request = Request::new(command, metadata);
        if let Some(once) = &once {
            request = request.once(once.answering(reply.clone()));
        }
        if let Some(expected) = if_match.0 {
            request = request.guard(stream, expected);
        }
        match shop.platform.send(request).await {
            Ok(receipt) => Ok(Answer::of(status, &receipt, reply)),
            Err(error) => Self::refused(shop, if_match, once.as_ref(), status, error).await,
        }
    }

    async fn refused(
        shop: &Shop,
        if_match: IfMatch,
        once: Option<&Once>,
        status: StatusCode,
        error: SendError<<C::Aggregate as Aggregate>::Rejection>,
    ) -> Result<Answer, Problem> {
        let SendError::Conflict { actual, .. } = &error else { return Err(error.into()) };
        // A repetition finds the version that its own first effect made.
        if let Some(first) = shop.replay(once).await? {
            return Ok(Answer::again(status, first, shop.platform.store().head().await?));
        }
        // Says 412 with the present version, unless it came back to it meanwhile.
        if_match.check(*actual)?;
        Err(Problem::new(codes::CONFLICT, "Nothing was written. Repeat the request."))
    }
}
