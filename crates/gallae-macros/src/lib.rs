//! `derive(Event)` and `derive(EventSet)`. They write only what one could write by hand: every generated item is an
//! item of the trait, every name is a literal of the source.

mod event;
mod event_set;
mod home;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Event` for an enum.
///
/// Each variant carries `#[event(name = "OrderCreated", version = 1)]`; the name is stable, the version counts up with each
/// change of the variant's fields. Older payloads are lifted by `upcast(from = 1, with = path::to::function)`, a
/// `fn(&mut serde_json::Value)`, one per version. Fields are written in camelCase and may carry `#[serde(...)]`.
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Implements `EventSet` for an enum whose variants each wrap one event enum.
#[proc_macro_derive(EventSet)]
pub fn derive_event_set(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event_set::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
