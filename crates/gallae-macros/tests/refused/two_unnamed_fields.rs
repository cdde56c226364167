use gallae_core::Event;

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    #[event(name = "DoorOpened", version = 1)]
    Opened(String, u32),
}

fn main() {}
