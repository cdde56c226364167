//! Users as operators see them.

use crate::users::{Profile, Role, User, UserEvent};
use gallae_core::{Field, FieldValue, Id, Projection, Recorded, Timestamp, View, ViewKey};
use serde::{Deserialize, Serialize};

/// One view per user.
#[derive(Clone, Copy, Debug)]
pub struct UserViews;

/// A user as queries show them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UserView {
    /// Which.
    pub id: Option<Id<User>>,
    /// Who.
    pub profile: Option<Profile>,
    /// What they may do.
    pub role: Role,
    /// When they registered.
    pub created_at: Option<Timestamp>,
    /// When something about them last changed.
    pub updated_at: Option<Timestamp>,
}

impl View for UserView {
    const FIELDS: &'static [Field] =
        &[Field::text("email"), Field::text("role"), Field::integer("created_at")];

    /// The address in lower case, as it is unique.
    fn fields(&self) -> Vec<FieldValue> {
        let email = self.profile.as_ref().map(|profile| profile.email.key());
        vec![email.into(), self.role.as_str().into(), self.created_at.into()]
    }
}

impl Projection for UserViews {
    const NAME: &'static str = "user-views";
    const REVISION: u32 = 1;
    type Events = UserEvent;
    type View = UserView;

    fn key(event: &Recorded<UserEvent>) -> Option<ViewKey> {
        Some(event.stream().key().into())
    }

    fn project(view: &mut UserView, event: &Recorded<UserEvent>) {
        view.updated_at = Some(event.time());
        match &event.event {
            UserEvent::Registered { profile, role } => {
                view.id = event.id();
                view.profile = Some(profile.clone());
                view.role = *role;
                view.created_at = Some(event.time());
            }
            UserEvent::RoleChanged { to, .. } => view.role = *to,
        }
    }
}
