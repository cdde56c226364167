//! Customers: users without credentials. They become able to log in when somebody gives them a password.

use super::super::{
    ImportError,
    sending::{Sent, send},
};
use commerce_domain::{
    orders::Customer as OrderCustomer,
    users::{Email, Profile, Role, User, UserRejection, commands::RegisterUser},
};
use commerce_import::retail::{Customer, Sale};
use gallae_core::{Id, Rejection};
use gallae_runtime::Platform;

/// A customer as their orders name them, and whether this run registered them.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) customer: OrderCustomer,
    pub(super) new: bool,
}

/// Who bought, each once, in the order of their first invoice.
pub(super) fn of(sales: &[&Sale]) -> Vec<Customer> {
    let mut seen = std::collections::HashSet::new();
    sales.iter().map(|sale| sale.customer).filter(|customer| seen.insert(*customer)).collect()
}

pub(super) async fn bring(platform: &Platform, customer: Customer) -> Result<Known, ImportError> {
    let profile = profile(customer)?;
    let (user, email) = (User::of(&profile.email), profile.email.clone());
    let command = RegisterUser { user, profile: profile.clone(), role: Role::User };
    match send(platform, user.uuid(), command).await? {
        Sent::Accepted(new) => Ok(Known { customer: named(user, &profile), new }),
        // The person changed their name since, or registered by themselves: they are who they are.
        Sent::Refused(UserRejection::AlreadyRegistered) => existing(platform, user, &email).await,
        Sent::Taken(owner) => {
            let owner = owner.parse().map_err(|_| stopped(&email, "its owner cannot be read"))?;
            existing(platform, owner, &email).await
        }
        Sent::Refused(rejection) => Err(stopped(&email, rejection.code())),
    }
}

async fn existing(platform: &Platform, user: Id<User>, email: &Email) -> Result<Known, ImportError> {
    let (state, _) = platform.peek(user).await?;
    let profile = state.profile().ok_or_else(|| stopped(email, "it is taken by nobody"))?;
    Ok(Known { customer: named(user, profile), new: false })
}

fn profile(customer: Customer) -> Result<Profile, ImportError> {
    let address = customer.email();
    let email: Email =
        address.parse().map_err(|error| ImportError::Stopped { what: address, reason: format!("{error}") })?;
    let (first_name, last_name) = match customer {
        Customer::Known(number) => ("Customer".to_owned(), number.to_string()),
        Customer::Guest => ("Guest".to_owned(), String::new()),
    };
    Ok(Profile { email, first_name, last_name })
}

fn named(user: Id<User>, profile: &Profile) -> OrderCustomer {
    OrderCustomer { id: user, name: profile.full_name(), email: profile.email.clone() }
}

fn stopped(email: &Email, reason: &str) -> ImportError {
    ImportError::Stopped { what: format!("the address {email}"), reason: reason.to_owned() }
}
