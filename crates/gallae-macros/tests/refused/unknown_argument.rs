use gallae_core::Event;

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    #[event(name = "DoorOpened", version = 1, topic = "doors")]
    Opened,
}

fn main() {}
