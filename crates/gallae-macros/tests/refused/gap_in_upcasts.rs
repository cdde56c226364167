use gallae_core::Event;

fn lift(_: &mut serde_json::Value) {}

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    #[event(name = "DoorOpened", version = 3, upcast(from = 1, with = lift))]
    Opened,
}

fn main() {}
