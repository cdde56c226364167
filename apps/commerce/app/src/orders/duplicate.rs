//! Ordering the same products again: questioned within a window, allowed on purpose.

use crate::{Shop, codes, http::Sealed};
use commerce_domain::{
    orders::{Order, OrderItem, commands::order_window},
    users::User,
};
use gallae_core::{Id, Timestamp};
use gallae_http::Problem;
use gallae_ports::Claim;
use std::time::Duration;

/// How long a confirm token is valid.
const CONFIRM_WITHIN: Duration = Duration::from_secs(600);

/// The wish to order again what `existing` holds.
///
/// A token names the order that it confirms against. The confirmed order takes that order's place in the window, so the token
/// works once: the second time it names an order that does not hold the window any more.
pub(super) struct Confirmation {
    window: String,
    existing: Id<Order>,
}

impl Confirmation {
    /// Checks a token that came with an order; `None` when the window has ended meanwhile and nothing needs confirming.
    pub(super) async fn check(
        shop: &Shop,
        customer: Id<User>,
        items: &[OrderItem],
        token: &str,
    ) -> Result<Option<Self>, Problem> {
        let window = order_window(customer, items);
        let now = shop.platform.clock().now();
        let Some(held) = shop.platform.store().claim(&window, now).await? else { return Ok(None) };
        let wrong = || {
            Problem::new(
                codes::INVALID_CONFIRM_TOKEN,
                "Nothing was stored. Order without it to get a new one.",
            )
            .field(
                "/confirmToken",
                codes::INVALID_CONFIRM_TOKEN.code,
                "not for this order, used, or too old",
            )
        };
        seals(shop).check(token, &[&window, &held.owner], now).map_err(|_| wrong())?;
        let existing = held.owner.parse().map_err(|_| wrong())?;
        Ok(Some(Self { window, existing }))
    }

    /// Frees the window for the new order, in the new order's transaction.
    pub(super) fn release(&self) -> Claim {
        Claim::Release { key: self.window.clone(), owner: self.existing.to_string() }
    }
}

/// The answer to a second order, if that is what a taken claim means.
pub(super) fn duplicate(
    shop: &Shop,
    claim: &str,
    existing: &str,
    expires_at: Option<Timestamp>,
) -> Option<Problem> {
    if !claim.starts_with("order-window:") {
        return None;
    }
    let now = shop.platform.clock().now();
    let token = seals(shop).token(&[claim, existing], now.after(CONFIRM_WITHIN));
    let problem = Problem::new(
        codes::DUPLICATE_ORDER,
        "Nothing was stored. To order again on purpose, send the same request with this confirmToken.",
    );
    let problem = problem.member("existingOrderId", existing).member("confirmToken", token);
    Some(match expires_at {
        Some(at) => problem.member("windowEndsAt", at.to_string()).retry_after(at.since(now)),
        None => problem,
    })
}

fn seals(shop: &Shop) -> Sealed {
    Sealed::new(&shop.secret, "commerce order confirm token v1")
}
