use gallae_core::Event;

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent<T> {
    #[event(name = "DoorOpened", version = 1)]
    Opened { by: T },
}

fn main() {}
