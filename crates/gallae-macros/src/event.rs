//! `derive(Event)`.

use crate::home;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, LitInt, LitStr, Path, Result, Variant, spanned::Spanned,
};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "events are an enum with one variant per event, so that replay must handle every one",
        ));
    };
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new_spanned(
            parameter,
            "an event enum has no generic parameters: its payload is stored",
        ));
    }
    let variants = collect(data.variants.iter().map(EventVariant::parse))?;
    refuse_duplicates(&variants)?;

    let name = &input.ident;
    let core = home::core();
    let types = variants.iter().map(|variant| variant.event_type(&core));
    let type_of = variants.iter().map(|variant| {
        let (ident, event_type) = (&variant.variant.ident, variant.event_type(&core));
        quote!(Self::#ident { .. } => #event_type)
    });
    let encode = variants.iter().map(|variant| variant.encode(&core));
    let decode = variants.iter().map(|variant| variant.decode(&core));
    let upcasters = variants.iter().flat_map(|variant| variant.upcasters(&core));
    Ok(quote! {
        #[automatically_derived]
        impl #core::Event for #name {
            const TYPES: &'static [#core::EventType] = &[#(#types),*];

            fn event_type(&self) -> #core::EventType {
                match self { #(#type_of),* }
            }

            fn encode(&self, payload: &mut ::std::vec::Vec<u8>) -> ::core::result::Result<(), #core::EncodeError> {
                use #core::__private::{serde, serde_json};
                match self { #(#encode),* }
                    .map_err(|source| #core::EncodeError { event_type: #core::Event::event_type(self), source })
            }

            fn decode(name: &str, payload: &[u8]) -> ::core::result::Result<Self, #core::DecodeError> {
                use #core::__private::{serde, serde_json};
                let decoded: ::core::result::Result<Self, serde_json::Error> = match name {
                    #(#decode,)*
                    _ => return ::core::result::Result::Err(#core::DecodeError::UnknownType { name: name.to_owned() }),
                };
                decoded.map_err(|source| #core::DecodeError::Payload { name: name.to_owned(), source })
            }

            fn upcasters() -> &'static [#core::Upcaster] {
                &[#(#upcasters),*]
            }
        }
    })
}

struct EventVariant<'a> {
    variant: &'a Variant,
    name: LitStr,
    version: LitInt,
    upcasts: Vec<(LitInt, Path)>,
}

impl<'a> EventVariant<'a> {
    fn parse(variant: &'a Variant) -> Result<Self> {
        let attribute =
            variant.attrs.iter().find(|attribute| attribute.path().is_ident("event")).ok_or_else(|| {
                let example = format!(
                    "`{0}` has no stable name: add #[event(name = \"…{0}\", version = 1)] above it",
                    variant.ident
                );
                Error::new_spanned(&variant.ident, example)
            })?;
        if let Fields::Unnamed(fields) = &variant.fields
            && fields.unnamed.len() != 1
        {
            return Err(Error::new_spanned(
                fields,
                "name the fields, or wrap exactly one struct: payloads are JSON objects",
            ));
        }
        let (mut name, mut version, mut upcasts) = (None, None, Vec::new());
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                name = Some(meta.value()?.parse::<LitStr>()?);
            } else if meta.path.is_ident("version") {
                version = Some(meta.value()?.parse::<LitInt>()?);
            } else if meta.path.is_ident("upcast") {
                let (mut from, mut with) = (None, None);
                meta.parse_nested_meta(|meta| {
                    if meta.path.is_ident("from") {
                        from = Some(meta.value()?.parse::<LitInt>()?);
                    } else if meta.path.is_ident("with") {
                        with = Some(meta.value()?.parse::<Path>()?);
                    } else {
                        return Err(meta.error("expected upcast(from = N, with = path)"));
                    }
                    Ok(())
                })?;
                upcasts.push(
                    from.zip(with).ok_or_else(|| meta.error("expected upcast(from = N, with = path)"))?,
                );
            } else {
                return Err(meta.error("expected name = \"…\", version = N or upcast(from = N, with = path)"));
            }
            Ok(())
        })?;
        let missing = |what: &str| Error::new(attribute.span(), format!("this event has no {what}"));
        let name = name.ok_or_else(|| missing("name = \"…\""))?;
        let version = version.ok_or_else(|| missing("version = N"))?;
        check_chain(&name, &version, &upcasts)?;
        Ok(Self { variant, name, version, upcasts })
    }

    fn event_type(&self, core: &TokenStream) -> TokenStream {
        let (name, version) = (&self.name, &self.version);
        quote!(#core::EventType { name: #name, version: #version })
    }

    fn encode(&self, core: &TokenStream) -> TokenStream {
        let serde = serde_path(core);
        let ident = &self.variant.ident;
        match &self.variant.fields {
            Fields::Unit => {
                quote!(Self::#ident => { payload.extend_from_slice(b"{}"); ::core::result::Result::Ok(()) })
            }
            Fields::Unnamed(_) => quote!(Self::#ident(inner) => serde_json::to_writer(payload, inner)),
            Fields::Named(fields) => {
                let idents: Vec<_> = fields.named.iter().map(|field| &field.ident).collect();
                let types = fields.named.iter().map(|field| &field.ty);
                let attributes = fields.named.iter().map(|field| serde_attributes(&field.attrs));
                let lifetime = (!idents.is_empty()).then(|| quote!(<'a>));
                quote!(Self::#ident { #(#idents),* } => {
                    #[derive(serde::Serialize)]
                    #[serde(crate = #serde, rename_all = "camelCase")]
                    struct Payload #lifetime { #(#attributes #idents: &'a #types),* }
                    serde_json::to_writer(payload, &Payload { #(#idents),* })
                })
            }
        }
    }

    fn decode(&self, core: &TokenStream) -> TokenStream {
        let serde = serde_path(core);
        let (ident, name) = (&self.variant.ident, &self.name);
        match &self.variant.fields {
            Fields::Unit => {
                quote!(#name => serde_json::from_slice::<serde::de::IgnoredAny>(payload).map(|_| Self::#ident))
            }
            Fields::Unnamed(_) => quote!(#name => serde_json::from_slice(payload).map(Self::#ident)),
            Fields::Named(fields) => {
                let idents: Vec<_> = fields.named.iter().map(|field| &field.ident).collect();
                let types = fields.named.iter().map(|field| &field.ty);
                let attributes = fields.named.iter().map(|field| serde_attributes(&field.attrs));
                let payload = format_ident!("Payload");
                quote!(#name => {
                    #[derive(serde::Deserialize)]
                    #[serde(crate = #serde, rename_all = "camelCase")]
                    struct #payload { #(#attributes #idents: #types),* }
                    serde_json::from_slice(payload).map(|#payload { #(#idents),* }| Self::#ident { #(#idents),* })
                })
            }
        }
    }

    fn upcasters(&self, core: &TokenStream) -> impl Iterator<Item = TokenStream> {
        let name = &self.name;
        self.upcasts
            .iter()
            .map(move |(from, with)| quote!(#core::Upcaster { event: #name, from: #from, lift: #with }))
    }
}

/// Every version below the current one needs exactly one way up, if there is any at all.
fn check_chain(name: &LitStr, version: &LitInt, upcasts: &[(LitInt, Path)]) -> Result<()> {
    let current: u32 = version.base10_parse()?;
    if current == 0 {
        return Err(Error::new_spanned(version, "schema versions count from 1"));
    }
    let mut seen = Vec::new();
    for (from, _) in upcasts {
        let number: u32 = from.base10_parse()?;
        if number == 0 || number >= current {
            return Err(Error::new_spanned(
                from,
                format!("an upcaster lifts an older version: from 1 to {}", current - 1),
            ));
        }
        if seen.contains(&number) {
            return Err(Error::new_spanned(from, "this version already has an upcaster"));
        }
        seen.push(number);
    }
    match (1..current).find(|number| !seen.contains(number)) {
        Some(gap) => Err(Error::new_spanned(
            name,
            format!("payloads of version {gap} could not be read: add upcast(from = {gap}, with = path)"),
        )),
        None => Ok(()),
    }
}

fn refuse_duplicates(variants: &[EventVariant<'_>]) -> Result<()> {
    for (index, variant) in variants.iter().enumerate() {
        if variants[..index].iter().any(|earlier| earlier.name.value() == variant.name.value()) {
            return Err(Error::new_spanned(&variant.name, "another event of this enum has this name"));
        }
    }
    Ok(())
}

/// Where serde's own derives find serde, as they want to be told.
fn serde_path(core: &TokenStream) -> String {
    format!("{core}::__private::serde").replace(' ', "")
}

fn serde_attributes(attributes: &[Attribute]) -> TokenStream {
    let serde = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    quote!(#(#serde)*)
}

/// All values, or all errors at once.
fn collect<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let (mut values, mut failure) = (Vec::new(), None::<Error>);
    for result in results {
        match (result, &mut failure) {
            (Ok(value), _) => values.push(value),
            (Err(error), Some(failure)) => failure.combine(error),
            (Err(error), none) => *none = Some(error),
        }
    }
    failure.map_or(Ok(values), Err)
}
