//! Users: who they are and what they may do. Credentials live elsewhere and never in events.

pub mod commands;
mod email;

pub use email::{Email, InvalidEmail};

use gallae_core::{Aggregate, Event, Id, Rejection, RejectionKind};
use serde::{Deserialize, Serialize};

/// What a person may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys, and sees what is their own.
    #[default]
    User,
    /// Operates the shop.
    Admin,
}

impl Role {
    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

/// What identifies a person to other people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// As the person wrote it.
    pub email: Email,
    /// Given name.
    pub first_name: String,
    /// Family name; may be empty.
    pub last_name: String,
}

impl Profile {
    /// First and last name as one text.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// Whether the names are acceptable.
    ///
    /// # Errors
    /// [`UserRejection::InvalidName`].
    pub fn check(&self) -> Result<(), UserRejection> {
        let short = |name: &str| name.chars().count() <= 100;
        let named = !self.first_name.trim().is_empty() && short(&self.first_name) && short(&self.last_name);
        if named { Ok(()) } else { Err(UserRejection::InvalidName) }
    }
}

/// What happened to a user.
#[derive(Clone, Debug, PartialEq, Event)]
pub enum UserEvent {
    /// A person joined.
    #[event(name = "UserRegistered", version = 1)]
    Registered {
        /// Who.
        profile: Profile,
        /// What they may do.
        role: Role,
    },
    /// A person may do more, or less.
    #[event(name = "UserRoleChanged", version = 1)]
    RoleChanged {
        /// Before.
        from: Role,
        /// From now on.
        to: Role,
    },
}

/// A person known to the shop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    profile: Option<Profile>,
    role: Role,
}

/// How a user says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserRejection {
    /// Nobody registered under this id.
    #[error("there is no such user")]
    NotFound,
    /// Somebody else registered under this id.
    #[error("this user is registered already, with other details")]
    AlreadyRegistered,
    /// A name is missing or too long.
    #[error("a first name of 1 to 100 characters and a last name of at most 100 are required")]
    InvalidName,
}

impl Rejection for UserRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "USER_NOT_FOUND",
            Self::AlreadyRegistered => "USER_ALREADY_REGISTERED",
            Self::InvalidName => "INVALID_NAME",
        }
    }

    fn kind(&self) -> RejectionKind {
        match self {
            Self::NotFound => RejectionKind::NotFound,
            Self::AlreadyRegistered => RejectionKind::Conflict,
            Self::InvalidName => RejectionKind::Unprocessable,
        }
    }
}

impl Aggregate for User {
    const TYPE: &'static str = "user";
    type Event = UserEvent;
    type Rejection = UserRejection;

    fn evolve(&mut self, event: &UserEvent) {
        match event {
            UserEvent::Registered { profile, role } => {
                *self = Self { profile: Some(profile.clone()), role: *role };
            }
            UserEvent::RoleChanged { to, .. } => self.role = *to,
        }
    }
}

impl User {
    /// The id that always belongs to an address, for people that an import brings.
    pub fn of(email: &Email) -> Id<Self> {
        Id::derived(&email.key())
    }

    /// The claim that makes an address unique; its owner is the user's id.
    pub fn claim_of(email: &Email) -> String {
        format!("user-email:{}", email.key())
    }

    /// Who it is; nobody before registration.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// What they may do.
    pub const fn role(&self) -> Role {
        self.role
    }
}

#[cfg(test)]
mod tests {
    use super::commands::{ChangeRole, RegisterUser};
    use super::*;
    use crate::given::{given, taken, when};
    use gallae_core::Command;
    use uuid::Uuid;

    fn profile(email: &str) -> Profile {
        Profile { email: email.parse().unwrap(), first_name: "민수".into(), last_name: "Kim".into() }
    }

    fn register(email: &str) -> RegisterUser {
        RegisterUser { user: Id::new(Uuid::from_u128(1)), profile: profile(email), role: Role::User }
    }

    fn registered() -> UserEvent {
        UserEvent::Registered { profile: profile("Kim@Example.com"), role: Role::User }
    }

    #[test]
    fn registering_takes_the_address_whatever_its_case() {
        let command = register("Kim@Example.com");
        assert_eq!(when(&given(&[]), &command), Ok(vec![registered()]));
        assert_eq!(taken(&command.claims(&given(&[]))), Some("user-email:kim@example.com"));
    }

    #[test]
    fn registering_twice_is_nothing_to_do_unless_it_is_somebody_else() {
        let state = given(&[registered()]);
        assert_eq!(when(&state, &register("Kim@Example.com")), Ok(vec![]));
        assert_eq!(when(&state, &register("lee@example.com")), Err(UserRejection::AlreadyRegistered));
    }

    #[test]
    fn a_name_is_required() {
        let mut command = register("kim@example.com");
        command.profile.first_name = " ".into();
        assert_eq!(when(&given(&[]), &command), Err(UserRejection::InvalidName));
    }

    #[test]
    fn roles_change_once() {
        let command = ChangeRole { user: Id::new(Uuid::from_u128(1)), role: Role::Admin };
        let changed = UserEvent::RoleChanged { from: Role::User, to: Role::Admin };
        assert_eq!(when(&given(&[registered()]), &command), Ok(vec![changed.clone()]));
        assert_eq!(when(&given(&[registered(), changed]), &command), Ok(vec![]));
        assert_eq!(when(&given(&[]), &command), Err(UserRejection::NotFound));
    }
}
