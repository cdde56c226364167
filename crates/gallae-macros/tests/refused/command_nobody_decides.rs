use gallae_core::{Aggregate, Command, Event, Id};
use std::convert::Infallible;

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    #[event(name = "DoorOpened", version = 1)]
    Opened,
}

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Door;

impl Aggregate for Door {
    const TYPE: &'static str = "door";
    type Event = DoorEvent;
    type Rejection = Infallible;
    fn evolve(&mut self, _: &DoorEvent) {}
}

#[derive(Debug)]
struct OpenDoor(Id<Door>);

impl Command for OpenDoor {
    const NAME: &'static str = "door.open";
    type Aggregate = Door;
    fn target(&self) -> Id<Door> {
        self.0
    }
}

fn main() {}
