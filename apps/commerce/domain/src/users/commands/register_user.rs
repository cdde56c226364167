//! A person joins.

use crate::users::{Profile, Role, User, UserEvent, UserRejection};
use gallae_core::{ClaimChange, Command, Decide, DecisionContext, Id};

/// Registers a person. The address is taken in the same transaction, so that two people never share one.
#[derive(Clone, Debug)]
pub struct RegisterUser {
    /// Made by the caller.
    pub user: Id<User>,
    /// Who.
    pub profile: Profile,
    /// What they may do.
    pub role: Role,
}

impl Command for RegisterUser {
    const NAME: &'static str = "user.register";
    type Aggregate = User;

    fn target(&self) -> Id<User> {
        self.user
    }

    fn claims(&self, _: &User) -> Vec<ClaimChange> {
        let key = User::claim_of(&self.profile.email);
        vec![ClaimChange::Take { key, owner: self.user.to_string(), expires_after: None }]
    }
}

impl Decide<RegisterUser> for User {
    fn decide(
        &self,
        command: &RegisterUser,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<UserEvent>, UserRejection> {
        if let Some(profile) = &self.profile {
            let same = *profile == command.profile;
            return if same { Ok(vec![]) } else { Err(UserRejection::AlreadyRegistered) };
        }
        command.profile.check()?;
        Ok(vec![UserEvent::Registered { profile: command.profile.clone(), role: command.role }])
    }
}
