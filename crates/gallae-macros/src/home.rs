//! Where the traits live for the crate that derives them.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

/// The path to gallae-core: itself where the caller depends on it, else through the facade, under whatever name the caller's
/// manifest gives them.
pub(crate) fn core() -> TokenStream {
    let named = |name: &str| Ident::new(name, Span::call_site());
    match (crate_name("gallae-core"), crate_name("gallae")) {
        (Ok(FoundCrate::Name(name)), _) => {
            let name = named(&name);
            quote!(::#name)
        }
        // gallae-core names itself, so that its own tests can derive.
        (Ok(FoundCrate::Itself), _) | (Err(_), Err(_)) => quote!(::gallae_core),
        (Err(_), Ok(FoundCrate::Itself)) => quote!(::gallae::core),
        (Err(_), Ok(FoundCrate::Name(name))) => {
            let name = named(&name);
            quote!(::#name::core)
        }
    }
}
