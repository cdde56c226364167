//! The smallest Gallae application: one aggregate, one event, one command.
#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use gallae::prelude::*;

// What can happen.
#[derive(Clone, Debug, PartialEq, Event)]
enum Greeted {
    #[event(name = "Greeted", version = 1)]
    By { name: String },
}

// What is known because of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(crate = "gallae::serde")]
struct Guestbook(Vec<String>);

impl Aggregate for Guestbook {
    const TYPE: &'static str = "guestbook";
    type Event = Greeted;
    type Rejection = Infallible;
    fn evolve(&mut self, Greeted::By { name }: &Greeted) {
        self.0.push(name.clone());
    }
}

// What may be asked, and what is decided.
#[derive(Debug)]
struct SayHello(String);

impl Command for SayHello {
    const NAME: &'static str = "guestbook.say_hello";
    type Aggregate = Guestbook;
    fn target(&self) -> Id<Guestbook> {
        Id::derived("front door")
    }
}

impl Decide<SayHello> for Guestbook {
    fn decide(&self, SayHello(name): &SayHello, _: &DecisionContext<'_>) -> Result<Vec<Greeted>, Infallible> {
        Ok(vec![Greeted::By { name: name.clone() }])
    }
}

async fn hello() -> Result<Guestbook, Box<dyn std::error::Error>> {
    let platform = Platform::builder(gallae::in_memory()).aggregate::<Guestbook>().build()?;
    platform.run(SayHello("world".to_owned())).await?;
    Ok(platform.peek(Id::derived("front door")).await?.0)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("Hello, {}!", hello().await?.0.join(" and "));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_greeting_is_remembered() {
        assert_eq!(super::hello().await.unwrap().0, ["world"]);
    }
}
