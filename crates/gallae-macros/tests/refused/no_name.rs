use gallae_core::Event;

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    #[event(version = 1)]
    Opened,
}

fn main() {}
