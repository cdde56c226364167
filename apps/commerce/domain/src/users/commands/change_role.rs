//! A person becomes an operator, or stops being one.

use crate::users::{Role, User, UserEvent, UserRejection};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Gives a person another role.
#[derive(Clone, Debug)]
pub struct ChangeRole {
    /// Whose.
    pub user: Id<User>,
    /// From now on.
    pub role: Role,
}

impl Command for ChangeRole {
    const NAME: &'static str = "user.change-role";
    type Aggregate = User;

    fn target(&self) -> Id<User> {
        self.user
    }
}

impl Decide<ChangeRole> for User {
    fn decide(&self, command: &ChangeRole, _: &DecisionContext<'_>) -> Result<Vec<UserEvent>, UserRejection> {
        if self.profile.is_none() {
            return Err(UserRejection::NotFound);
        }
        if self.role == command.role {
            return Ok(vec![]);
        }
        Ok(vec![UserEvent::RoleChanged { from: self.role, to: command.role }])
    }
}
