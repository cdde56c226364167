//! Where a saga instance stands. The words and transitions are those of saga-engine section 1.3.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
                    format!("{text:?} is not one of {}", known.join(", "))
                })
            }
        }
    };
}

words!(
    /// The status of a saga instance.
    SagaStatus {
        /// Steps are ready or in flight.
        Running = "RUNNING",
        /// Only timers or signals are outstanding.
        Waiting = "WAITING",
        /// An operator holds it.
        Paused = "PAUSED",
        /// Effects are being undone.
        Compensating = "COMPENSATING",
        /// It cannot go on without help; the reason is recorded.
        Stuck = "STUCK",
        /// Every step succeeded or was skipped.
        Completed = "COMPLETED",
        /// It failed before anything took effect.
        Rejected = "REJECTED",
        /// Every effect was undone.
        Compensated = "COMPENSATED",
        /// An operator closed it, with a reason.
        Abandoned = "ABANDONED",
    }
);

impl SagaStatus {
    /// Whether nothing will happen any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Rejected | Self::Compensated | Self::Abandoned)
    }
}

words!(
    /// Why a saga left its straight way.
    Cause {
        /// The domain or a participant said no.
        BusinessReject = "BUSINESS_REJECT",
        /// Time ran out.
        Deadline = "DEADLINE",
        /// The customer asked.
        UserCancel = "USER_CANCEL",
        /// An operator asked.
        Operator = "OPERATOR",
        /// Something is wrong with the program or its data; never compensated on its own.
        Bug = "BUG",
    }
);

/// How a saga ended, as told to [`Saga::ended`](super::Saga::ended).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaEnd {
    /// A terminal status.
    pub status: SagaStatus,
    /// Why, unless it completed.
    pub cause: Option<Cause>,
    /// The stable code of the refusal, such as `PAYMENT_DECLINED`.
    pub code: Option<String>,
    /// The refusal in words.
    pub reason: Option<String>,
}
