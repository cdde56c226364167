use gallae_core::Event;

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    #[event(name = "DoorOpened", version = 0)]
    Opened,
}

fn main() {}
