//! What can be asked of a user.

mod change_role;
mod register_user;

pub use change_role::ChangeRole;
pub use register_user::RegisterUser;
