//! `trace`: everything that one request set in motion.

use gallae_cli::{
    Client, Exit, Failure, Output, segment,
    verbs::{Context, show_flow},
};
use gallae_runtime::Roles;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Trace {
    /// Show a flow by its correlation id
    #[command(after_help = "Examples:\n  {bin} trace correlation 0190…\n  {bin} trace correlation my-test-1 --json")]
    Correlation {
        /// The X-Correlation-Id of the request
        id: String,
    },
    /// Show the flow of an order
    #[command(after_help = "Examples:\n  {bin} trace order 0190…")]
    Order {
        /// The order's id
        id: String,
    },
}

impl Trace {
    pub(super) async fn run(&self, cx: Context<'_>) -> Result<Exit, Failure> {
        let connection = cx.connect(Roles { projector: true, ..Roles::NONE }).await?;
        let done = self.ask(&connection.client, cx.output).await;
        connection.close().await;
        done
    }

    async fn ask(&self, client: &Client, output: &Output) -> Result<Exit, Failure> {
        let correlation = match self {
            Self::Correlation { id } => id.clone(),
            Self::Order { id } => {
                let order = client.get(&format!("/orders/{}", segment(id))).await?;
                let flow = order["correlationId"].as_str().map(str::to_owned);
                flow.ok_or_else(|| Failure::failed("the order does not say to which flow it belongs"))?
            }
        };
        show_flow(client, output, &format!("/trace/correlation/{}", segment(&correlation))).await
    }
}
