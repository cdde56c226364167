use gallae_core::Event;

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    Opened,
}

fn main() {}
