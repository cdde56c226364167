//! What `serve` says when it is ready, and the first operator of a shop that is tried out.

use crate::{
    Shop,
    users::{NewUser, RegisterError, register},
};
use commerce_domain::users::{Email, Profile, Role};
use gallae_cli::{Exit, Failure};
use gallae_core::{Actor, CorrelationId, Metadata};
use gallae_http::auth::Secret;
use gallae_server::config::Mode;
use std::{fmt::Write, net::SocketAddr, path::Path};

/// Who operates a shop that is tried out.
const ADMIN: &str = "admin@example.com";

/// A login that was made just now. Its password is kept nowhere but in its hash.
pub(super) struct Login {
    email: Email,
    password: Secret,
}

/// Makes the first operator, unless there is one.
pub(super) async fn first_admin(shop: &Shop) -> Result<Option<Login>, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::because(Exit::Failed, "the first operator could not be made", error)
    };
    let email: Email = ADMIN.parse().map_err(|error| failed(&error))?;
    let password = Secret::random_password();
    let profile = Profile { email: email.clone(), first_name: "Admin".to_owned(), last_name: String::new() };
    let new = NewUser { profile, password: password.reveal().to_owned(), role: Role::Admin };
    let flow = CorrelationId::new(shop.platform.entropy().uuid());
    let metadata = Metadata::new(flow, Actor::System("first-start".into()), shop.platform.node().clone());
    match register(shop, new, metadata).await {
        Ok(_) => Ok(Some(Login { email, password })),
        Err(RegisterError::EmailTaken) => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

pub(super) fn words(listening: SocketAddr, directory: &Path, mode: Mode, admin: Option<&Login>) -> String {
    let url = format!("http://{listening}");
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "\n  갈래 Gallae Commerce is open: {url}\n  API {url}/api   data {}\n", directory.display());
    if mode == Mode::Demo {
        text.push_str("  demo mode, for trying out only / 시험용 모드\n");
    }
    match admin {
        Some(Login { email, password }) => {
            let _ = write!(
                text,
                "\n  operator / 운영자   {email}   password / 비밀번호  {}\n  \
                 It is shown this once and kept nowhere; another one: commerce user create EMAIL --admin\n",
                password.reveal()
            );
        }
        None => text.push_str("\n  an operator / 운영자 추가:  commerce user create EMAIL --admin\n"),
    }
    let _ = write!(
        text,
        "\n  try / 시험해 보기\n  \
         curl '{url}/books?q=Hunger'\n  \
         curl {url}/auth/register -H 'content-type: application/json' -d '{{\"email\":\"kim@example.com\",\"password\":\"password123\",\"firstName\":\"민수\",\"lastName\":\"김\"}}'\n  \
         curl {url}/health/detailed\n"
    );
    text
}
