//! How an instance is turned back, closed, and ended.

use super::{Origin, Planner, Refusal};
use crate::saga::{row::is_committed, script::Broken};
use gallae_core::saga::{Cause, SagaEnd, SagaEvent, SagaStatus};

impl Planner<'_> {
    pub(super) fn cancel(&mut self, cause: Cause, reason: &str) {
        let held = matches!(self.plan.state.status, Some(SagaStatus::Paused | SagaStatus::Stuck));
        // What an operator or a bug holds, only an operator sets in motion again.
        if held && cause == Cause::Operator {
            self.push(SagaEvent::Resumed { reason: reason.to_owned() });
        }
        let compensating =
            self.plan.state.origin.or(self.plan.state.status) == Some(SagaStatus::Compensating);
        let committed = is_committed(&self.instance.definition, &self.plan.state);
        if self.plan.state.end.is_none() && !compensating && !committed {
            self.push(SagaEvent::CancelRequested { cause, reason: reason.to_owned() });
        }
    }

    pub(super) fn abandon(&mut self, reason: &str) {
        let end = SagaEnd {
            status: SagaStatus::Abandoned,
            cause: Some(Cause::Operator),
            code: Some("ABANDONED".to_owned()),
            reason: Some(reason.to_owned()),
        };
        // The last resort works even when the domain will not follow.
        if self.refusal(Origin::Ended).is_none()
            && let Ok(commands) = self.instance.definition.script.ended(&self.facts(), &end)
        {
            self.issue(Origin::Ended, commands);
        }
        self.push(SagaEvent::Abandoned { reason: reason.to_owned() });
    }

    pub(super) fn end(&mut self, status: SagaStatus) {
        let why = self.plan.state.end.clone().filter(|_| status != SagaStatus::Completed);
        let end = SagaEnd {
            status,
            cause: why.as_ref().map(|(cause, ..)| *cause),
            code: why.as_ref().map(|(_, code, _)| code.clone()),
            reason: why.as_ref().map(|(.., reason)| reason.clone()),
        };
        let commands = match self.refusal(Origin::Ended) {
            Some(Refusal { code, reason, .. }) => Err(Broken(format!("{code}: {reason}"))),
            None => self.instance.definition.script.ended(&self.facts(), &end),
        };
        match commands {
            Err(Broken(reason)) => {
                return self.stuck(None, format!("what its end changes was refused: {reason}"));
            }
            Ok(commands) => self.issue(Origin::Ended, commands),
        }
        let (cause, code, reason) = why.unwrap_or((Cause::Bug, String::new(), String::new()));
        self.push(match status {
            SagaStatus::Rejected => SagaEvent::Rejected { cause, code, reason },
            SagaStatus::Compensated => SagaEvent::Compensated { cause, code, reason },
            _ => SagaEvent::Completed {},
        });
    }
}
