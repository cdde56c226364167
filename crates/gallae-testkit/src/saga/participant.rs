//! The other side of a saga's calls.

use gallae_core::saga::{Direction, EffectKey};
use gallae_ports::BoxFuture;
use gallae_runtime::saga::{CallOutcome, EffectCall, EffectHandler, QueryOutcome};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a participant does with one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Executes it and answers.
    Succeed,
    /// Says no, for good, with this stable code.
    Reject(&'static str),
    /// Fails before it does anything; another attempt may work.
    Fail,
    /// Executes it, and the answer is lost.
    LoseAnswer,
    /// Never sees it, which the caller does not know.
    LoseRequest,
    /// Answers that it can never work.
    Break,
}

/// A call that a participant executed.
#[derive(Clone, Debug, PartialEq)]
pub struct Executed {
    /// For which step.
    pub step: &'static str,
    /// To do it or to undo it.
    pub direction: Direction,
    /// What was asked.
    pub operation: &'static str,
    /// The request's body.
    pub body: Value,
    pub(super) key: EffectKey,
}

/// Executes a key at most once, answers a repetition alike, and remembers: the contract of [`EffectHandler`].
#[derive(Clone, Debug, Default)]
pub(super) struct Participant {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    script: BTreeMap<(String, Direction), VecDeque<Reply>>,
    answers: BTreeMap<String, Value>,
    executed: Vec<Executed>,
    refused: BTreeMap<String, &'static str>,
}

impl Participant {
    pub(super) fn script(&self, step: &str, direction: Direction, replies: impl IntoIterator<Item = Reply>) {
        self.inner().script.entry((step.to_owned(), direction)).or_default().extend(replies);
    }

    pub(super) fn answer(&self, step: &str, answer: Value) {
        self.inner().answers.insert(step.to_owned(), answer);
    }

    pub(super) fn executed(&self) -> Vec<Executed> {
        self.inner().executed.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn recorded(&self, key: &EffectKey) -> Option<&Executed> {
        self.executed.iter().find(|executed| executed.key == *key)
    }

    fn answer(&self, executed: &Executed) -> Value {
        match executed.direction {
            Direction::Do => self.answers.get(executed.step).cloned().unwrap_or_default(),
            Direction::Undo => Value::Null,
        }
    }

    fn call(&mut self, call: EffectCall) -> CallOutcome {
        if let Some(executed) = self.recorded(&call.key) {
            return CallOutcome::Succeeded(self.answer(executed));
        }
        if let Some(code) = self.refused.get(call.key.as_str()) {
            return rejected(code);
        }
        let scripted = self.script.get_mut(&(call.step.to_owned(), call.direction));
        let reply = scripted.and_then(VecDeque::pop_front).unwrap_or(Reply::Succeed);
        let EffectCall { key, step, direction, operation, body, .. } = call;
        let executed = Executed { step, direction, operation, body, key };
        match reply {
            Reply::Succeed | Reply::LoseAnswer => {
                let answer = self.answer(&executed);
                self.executed.push(executed);
                match reply {
                    Reply::Succeed => CallOutcome::Succeeded(answer),
                    _ => CallOutcome::Unknown("the connection broke".to_owned()),
                }
            }
            Reply::Reject(code) => {
                self.refused.insert(executed.key.as_str().to_owned(), code);
                rejected(code)
            }
            Reply::Fail => CallOutcome::Transient("the connection was refused".to_owned()),
            Reply::LoseRequest => CallOutcome::Unknown("the connection broke".to_owned()),
            Reply::Break => CallOutcome::Permanent("the request is malformed".to_owned()),
        }
    }

    fn query(&self, key: &EffectKey) -> QueryOutcome {
        match (self.recorded(key), self.refused.get(key.as_str())) {
            (Some(executed), _) => QueryOutcome::Executed(self.answer(executed)),
            (None, Some(code)) => {
                QueryOutcome::Refused { code: (*code).to_owned(), reason: REASON.to_owned() }
            }
            (None, None) => QueryOutcome::NotExecuted,
        }
    }
}

const REASON: &str = "the participant said no";

fn rejected(code: &str) -> CallOutcome {
    CallOutcome::Rejected { code: code.to_owned(), reason: REASON.to_owned() }
}

impl EffectHandler for Participant {
    fn call(&self, call: EffectCall) -> BoxFuture<'_, CallOutcome> {
        Box::pin(ready(self.inner().call(call)))
    }

    fn query<'a>(&'a self, key: &'a EffectKey, _operation: &'a str) -> BoxFuture<'a, QueryOutcome> {
        Box::pin(ready(self.inner().query(key)))
    }
}
