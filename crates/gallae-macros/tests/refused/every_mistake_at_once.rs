use gallae_core::Event;

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    Opened,
    #[event(name = "DoorClosed", version = 0)]
    Closed,
}

fn main() {}
