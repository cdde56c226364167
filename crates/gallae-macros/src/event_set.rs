//! `derive(EventSet)`.

use crate::home;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "an event set is an enum with one variant per event enum",
        ));
    };
    let name = &input.ident;
    let core = home::core();
    let mut variants = Vec::new();
    for variant in &data.variants {
        match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                variants.push((&variant.ident, &fields.unnamed[0].ty));
            }
            _ => {
                let message = format!("`{0}` must wrap one event enum: {0}({0}Event)", variant.ident);
                return Err(Error::new_spanned(variant, message));
            }
        }
    }
    let types = variants.iter().map(|(_, ty)| quote!(types.extend(<#ty as #core::EventSet>::types());));
    let reads = variants.iter().map(|(ident, ty)| {
        quote! {
            if let ::core::option::Option::Some(event) = <#ty as #core::EventSet>::read(name, schema_version, payload)? {
                return ::core::result::Result::Ok(::core::option::Option::Some(Self::#ident(event)));
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl #core::EventSet for #name {
            fn types() -> ::std::vec::Vec<#core::EventType> {
                let mut types = ::std::vec::Vec::new();
                #(#types)*
                types
            }

            fn read(
                name: &str,
                schema_version: u32,
                payload: &[u8],
            ) -> ::core::result::Result<::core::option::Option<Self>, #core::DecodeError> {
                #(#reads)*
                ::core::result::Result::Ok(::core::option::Option::None)
            }
        }
    })
}
