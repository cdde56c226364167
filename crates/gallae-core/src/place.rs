//! Places in the log: [`Version`] counts within one stream, [`Position`] counts across the whole log.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! place {
    ($(#[$doc:meta])* $name:ident, $zero:ident, $zero_doc:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            #[doc = $zero_doc]
            pub const $zero: Self = Self(0);

            /// Wraps a raw number.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The raw number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The place right after this one.
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The place `count` further on.
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0 + count)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

place!(
    /// A place within one stream. The first event of a stream has version 1.
    Version, NONE, "Before the first event: the version of a stream that does not exist."
);
place!(
    /// A place within the whole log. The first event has position 1 and positions are dense: a gap is corruption.
    Position, START, "Before the first event of the log."
);
