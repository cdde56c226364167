//! What the shop consists of, told to the platform.

use crate::{
    notifications::Notifications,
    payments::{PaymentEffects, PaymentGateway},
};
use commerce_domain::{
    books::Book,
    orders::Order,
    payments::{Payment, gateway},
    projections::{BookSearch, BookViews, OrderSearch, OrderViews, PaymentViews, Sales, UserViews},
    sagas::{Checkout, Refund, notifications},
    stock::Stock,
    users::User,
};
use gallae_ports::{Clock, CounterStore, SearchStore, ViewStore};
use gallae_runtime::{
    PlatformBuilder,
    projector::{counters, search, view},
    relay::Mapping,
    saga::Limits,
};
use std::{fmt, sync::Arc, time::Duration};
use uuid::Uuid;

/// Where the relay publishes: each event to its category's topic; shipped and delivered a second time, for those who listen for
/// shipping alone.
pub fn topics() -> Mapping {
    Mapping::new("commerce").also(|event| match &*event.event_type {
        "OrderShipped" | "OrderDelivered" => vec!["shipping-events".to_owned()],
        _ => vec![],
    })
}

/// What the shop needs from outside.
pub struct Wiring {
    /// Where views are kept.
    pub views: Arc<dyn ViewStore>,
    /// Where text is indexed.
    pub search: Arc<dyn SearchStore>,
    /// Where counters are kept.
    pub counters: Arc<dyn CounterStore>,
    /// Who moves the money.
    pub gateway: Arc<dyn PaymentGateway>,
    /// How long its answers are waited for.
    pub payment_deadline: Duration,
    /// How it is called.
    pub payment_limits: Limits,
    /// The platform's clock.
    pub clock: Arc<dyn Clock>,
    /// The log's id.
    pub store: Uuid,
}

impl Wiring {
    /// Adds the shop's aggregates, projections, sagas and participants to a platform.
    #[must_use]
    pub fn install(self, platform: PlatformBuilder) -> PlatformBuilder {
        let Self {
            views,
            search: index,
            counters: sums,
            gateway,
            payment_deadline,
            payment_limits,
            clock,
            store,
        } = self;
        let payments = PaymentEffects::new(gateway, clock, payment_deadline, store);
        platform
            .aggregate::<User>()
            .aggregate::<Book>()
            .aggregate::<Stock>()
            .aggregate::<Order>()
            .aggregate::<Payment>()
            .projection(view::<UserViews>(Arc::clone(&views)))
            .projection(view::<BookViews>(Arc::clone(&views)))
            .projection(view::<OrderViews>(Arc::clone(&views)))
            .projection(view::<PaymentViews>(views))
            .projection(search::<BookSearch>(Arc::clone(&index)))
            .projection(search::<OrderSearch>(index))
            .projection(counters::<Sales>(sums))
            .saga::<Checkout>()
            .saga::<Refund>()
            .effect(gateway::DEPENDENCY, Arc::new(payments))
            .limits(gateway::DEPENDENCY, payment_limits)
            .effect(notifications::DEPENDENCY, Arc::new(Notifications))
    }
}

impl fmt::Debug for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiring").field("payment_deadline", &self.payment_deadline).finish_non_exhaustive()
    }
}
