//! Who may depend on whom: ARCHITECTURE.md's picture, judged by what cargo says.
//!
//! ```text
//! core ◄ ports ◄ runtime ◄ http ◄ server ◄ cli ◄ app
//!          ▲                        │
//!          └── every adapter ◄──────┘      domain ─► core
//! ```

use super::{Violation, repository::Repository};
use crate::workspace::Member;

/// The crates of the platform that are not adapters, and what of ours each may know.
const PLATFORM: &[(&str, &[&str])] = &[
    ("gallae-macros", &[]),
    ("gallae-core", &["gallae-macros"]),
    ("gallae-ports", &["gallae-core"]),
    ("gallae-runtime", &["gallae-core", "gallae-ports"]),
    ("gallae-http", &["gallae-core", "gallae-ports", "gallae-runtime"]),
    ("gallae-server", &["gallae-core", "gallae-ports", "gallae-runtime", "gallae-http", ADAPTERS]),
    (
        "gallae-cli",
        // The embedded store itself, to open it when no server holds it.
        &["gallae-core", "gallae-ports", "gallae-runtime", "gallae-http", "gallae-server", "gallae-sqlite"],
    ),
    // What needs no service: the facade's zero-configuration start and the testkit's in-memory one.
    ("gallae", &["gallae-core", "gallae-ports", "gallae-runtime", "gallae-memory", "gallae-sqlite"]),
    ("gallae-testkit", &["gallae-core", "gallae-ports", "gallae-runtime", "gallae-memory"]),
    ("gallae-conformance", &["gallae-core", "gallae-ports"]),
];

/// Stands for every crate below crates/ that is not named above.
const ADAPTERS: &str = "every adapter";

const APP: &[&str] = &[
    "gallae",
    "gallae-core",
    "gallae-ports",
    "gallae-runtime",
    "gallae-http",
    "gallae-server",
    "gallae-cli",
    NEIGHBOURS,
];

/// Stands for the crates of the same application.
const NEIGHBOURS: &str = "its own application's crates";

/// Starts real servers: for tests, for developers' programs and for whoever measures. Nothing that ships knows it.
const SERVERS: &str = "gallae-lab-servers";

/// What tests may know besides; the runtime for its clock and ids.
const FOR_TESTS: &[&str] =
    &["gallae-testkit", "gallae-conformance", "gallae-memory", "gallae-runtime", SERVERS];

/// Talk to an engine.
const DRIVERS: &[&str] = &[
    "rusqlite",
    "libsqlite3-sys",
    "sqlx",
    "postgres",
    "tokio-postgres",
    "tokio-postgres-rustls",
    "deadpool-postgres",
    "mongodb",
    "redis",
    "fred",
    "rdkafka",
    "rskafka",
    "opensearch",
    "elasticsearch",
    "fjall",
    "redb",
];

/// Speak HTTP to callers.
const WEB: &[&str] = &["axum", "hyper", "tower-http", "utoipa", "utoipa-axum"];

/// Wait, reach out or roll dice: what a decision must not do.
const IMPURE: &[&str] =
    &["tokio", "tokio-util", "tokio-stream", "futures", "async-std", "smol", "rand", "getrandom", "reqwest"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Core,
    Ports,
    Runtime,
    Adapter,
    /// The rest of the platform.
    Edge,
    Domain,
    App,
    /// What an application brings along, such as a provider to develop against.
    Companion,
    Example,
    Xtask,
    /// Goes through the front door, or measures beside it: bench, lab, sim.
    Outside,
}

fn layer(member: &Member) -> Layer {
    let parts: Vec<_> = member.folder.split('/').collect();
    match parts.as_slice() {
        ["crates", _] => match member.name.as_str() {
            "gallae-core" | "gallae-macros" => Layer::Core,
            "gallae-ports" => Layer::Ports,
            "gallae-runtime" => Layer::Runtime,
            name if PLATFORM.iter().any(|(known, _)| *known == name) => Layer::Edge,
            _ => Layer::Adapter,
        },
        ["apps", _, "domain"] => Layer::Domain,
        ["apps", _, "app"] => Layer::App,
        ["apps", ..] => Layer::Companion,
        ["examples", _] => Layer::Example,
        ["xtask"] => Layer::Xtask,
        _ => Layer::Outside,
    }
}

pub(super) fn is_adapter(member: &Member) -> bool {
    layer(member) == Layer::Adapter
}

/// What of ours `member` may know; `None` is everything.
fn known_to(member: &Member) -> Option<&'static [&'static str]> {
    match layer(member) {
        Layer::Adapter => Some(&["gallae-core", "gallae-ports"]),
        Layer::Domain => Some(&["gallae-core"]),
        // The provider decides imported payments by the table that the import documents.
        Layer::Companion => Some(&["gallae-core", "commerce-import"]),
        Layer::App => Some(APP),
        Layer::Example => Some(&["gallae"]),
        Layer::Xtask => Some(&[SERVERS]),
        Layer::Outside if member.name == SERVERS => Some(&[]),
        Layer::Outside => None,
        Layer::Core | Layer::Ports | Layer::Runtime | Layer::Edge => {
            PLATFORM.iter().find(|(name, _)| *name == member.name).map(|(_, known)| *known)
        }
    }
}

pub(super) fn directions(repository: &Repository) -> Vec<Violation> {
    let members = &repository.workspace.members;
    let mut violations = Vec::new();
    for member in members {
        let Some(known) = known_to(member) else { continue };
        for dependency in &member.dependencies {
            let Some(other) = members.iter().find(|other| other.name == dependency.name) else { continue };
            let allowed = known.contains(&other.name.as_str())
                || (known.contains(&ADAPTERS) && is_adapter(other))
                || (known.contains(&NEIGHBOURS) && app_of(other) == app_of(member))
                || (dependency.dev && FOR_TESTS.contains(&other.name.as_str()))
                // What the derives write is tested against the traits that they implement.
                || (dependency.dev && member.name == "gallae-macros" && other.name == "gallae-core");
            if !allowed {
                let may = if known.is_empty() { "no crate of ours".to_owned() } else { known.join(", ") };
                violations.push(Violation::new(
                    format!("{}/Cargo.toml", member.folder),
                    format!("{} depends on {}; it may know {may}", member.name, other.name),
                    "move the code to the layer that may know both, or put a port between them",
                ));
            }
        }
    }
    violations
}

fn app_of(member: &Member) -> Option<&str> {
    member.folder.strip_prefix("apps/")?.split('/').next()
}

pub(super) fn foreign_crates(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &repository.workspace.members {
        let layer = layer(member);
        for dependency in member.dependencies.iter().filter(|dependency| !dependency.dev) {
            let name = dependency.name.as_str();
            let fix = if DRIVERS.contains(&name) && !matches!(layer, Layer::Adapter | Layer::Outside) {
                "only adapters talk to an engine: put it behind a port"
            } else if WEB.contains(&name)
                && !matches!(layer, Layer::Edge | Layer::App | Layer::Companion | Layer::Outside)
            {
                "HTTP begins in gallae-http: hand plain values across"
            } else if IMPURE.contains(&name) && matches!(layer, Layer::Core | Layer::Domain) {
                "decisions are pure: take the value as an input, or do it in the runtime or the app"
            } else {
                continue;
            };
            let place = format!("{}/Cargo.toml", member.folder);
            violations.push(Violation::new(place, format!("{} depends on {name}", member.name), fix));
        }
    }
    violations
}

pub(super) fn core_is_free_of_tokio(repository: &Repository) -> Vec<Violation> {
    let chain = repository.workspace.chain("gallae-core", "tokio");
    chain
        .map(|chain| {
            Violation::new(
                "crates/gallae-core/Cargo.toml",
                format!("gallae-core reaches tokio: {}", chain.join(" ► ")),
                "turn off the feature of the second crate that brings it, or drop that crate",
            )
        })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Dependency, Workspace};

    fn member(folder: &str, name: &str, needs: &[&str]) -> Member {
        let dependencies = needs
            .iter()
            .map(|need| match need.strip_prefix("dev:") {
                Some(name) => Dependency { name: name.to_owned(), dev: true },
                None => Dependency { name: (*need).to_owned(), dev: false },
            })
            .collect();
        Member { name: name.to_owned(), folder: folder.to_owned(), dependencies, ..Member::default() }
    }

    fn broken(rule: fn(&Repository) -> Vec<Violation>, members: Vec<Member>) -> Vec<String> {
        rule(&Repository::sample(&[], members)).into_iter().map(|violation| violation.what).collect()
    }

    fn platform() -> Vec<Member> {
        let named = PLATFORM.iter().map(|(name, _)| member(&format!("crates/{name}"), name, &[]));
        named
            .chain([
                member("crates/gallae-memory", "gallae-memory", &["gallae-ports", "gallae-core"]),
                member("crates/gallae-sqlite", "gallae-sqlite", &["gallae-ports", "dev:gallae-conformance"]),
                member("apps/shop/psp", "shop-psp", &[]),
                member("bench", "gallae-bench", &["gallae-sqlite", "gallae-cli", SERVERS]),
                member("lab/servers", SERVERS, &[]),
                member("xtask", "xtask", &[SERVERS]),
            ])
            .collect()
    }

    fn directions_with(one: Member) -> Vec<String> {
        let mut members = platform();
        members.retain(|member| member.name != one.name);
        members.push(one);
        broken(directions, members)
    }

    #[test]
    fn the_picture_itself_is_allowed() {
        assert_eq!(broken(directions, platform()), Vec::<String>::new());
        let server = member(
            "crates/gallae-server",
            "gallae-server",
            &["gallae-http", "gallae-sqlite", "gallae-memory"],
        );
        assert_eq!(directions_with(server), Vec::<String>::new());
        let app = member("apps/shop/app", "shop", &["gallae-server", "shop-psp", "dev:gallae-testkit"]);
        assert_eq!(directions_with(app), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_against_the_picture_is_refused() {
        for (folder, name, need) in [
            ("crates/gallae-ports", "gallae-ports", "gallae-runtime"),
            ("crates/gallae-runtime", "gallae-runtime", "gallae-sqlite"),
            ("crates/gallae-http", "gallae-http", "gallae-server"),
            ("crates/gallae-sqlite", "gallae-sqlite", "gallae-memory"),
            ("crates/gallae-kafka", "gallae-kafka", "gallae-runtime"),
            ("apps/shop/domain", "shop-domain", "gallae"),
            ("apps/shop/domain", "shop-domain", "shop-psp"),
            ("apps/shop/app", "shop", "gallae-sqlite"),
            ("examples/bank", "bank", "gallae-runtime"),
            ("xtask", "xtask", "gallae-core"),
            ("lab/servers", SERVERS, "gallae-core"),
        ] {
            let violations = directions_with(member(folder, name, &[need]));
            assert_eq!(violations.len(), 1, "{name} ► {need}: {violations:?}");
            assert!(violations[0].starts_with(&format!("{name} depends on {need}")), "{violations:?}");
        }
    }

    #[test]
    fn a_test_may_know_the_test_crates_and_no_more() {
        let with = |need| directions_with(member("crates/gallae-runtime", "gallae-runtime", &[need]));
        assert_eq!(with("dev:gallae-memory"), Vec::<String>::new());
        assert_eq!(with("dev:gallae-sqlite").len(), 1);
        assert_eq!(with("gallae-testkit").len(), 1);
        assert_eq!(with("dev:gallae-lab-servers"), Vec::<String>::new());
        assert_eq!(with("gallae-lab-servers").len(), 1);
    }

    #[test]
    fn foreign_crates_outside_their_layer_are_refused() {
        for (folder, name, need) in [
            ("crates/gallae-runtime", "gallae-runtime", "rusqlite"),
            ("apps/shop/app", "shop", "tokio-postgres"),
            ("crates/gallae-sqlite", "gallae-sqlite", "axum"),
            ("crates/gallae-core", "gallae-core", "futures"),
            ("apps/shop/domain", "shop-domain", "rand"),
        ] {
            let violations = broken(foreign_crates, vec![member(folder, name, &[need])]);
            assert_eq!(violations, [format!("{name} depends on {need}")]);
        }
        for (folder, name, need) in [
            ("crates/gallae-sqlite", "gallae-sqlite", "rusqlite"),
            ("crates/gallae-http", "gallae-http", "axum"),
            ("crates/gallae-runtime", "gallae-runtime", "tokio"),
            ("apps/shop/domain", "shop-domain", "dev:tokio"),
        ] {
            assert_eq!(broken(foreign_crates, vec![member(folder, name, &[need])]), Vec::<String>::new());
        }
    }

    #[test]
    fn tokio_below_the_core_is_found_however_deep() {
        let edges = [("gallae-core", "bytes"), ("bytes", "deep"), ("deep", "tokio")];
        let built_from = edges.map(|(from, to)| (from.to_owned(), [to.to_owned()].into())).into();
        let workspace = Workspace { built_from, ..Workspace::default() };
        let repository = Repository { workspace, ..Repository::default() };
        let violations = core_is_free_of_tokio(&repository);
        assert!(violations[0].what.ends_with("gallae-core ► bytes ► deep ► tokio"), "{violations:?}");
    }
}
