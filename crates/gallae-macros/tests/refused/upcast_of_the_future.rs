use gallae_core::Event;

fn lift(_: &mut serde_json::Value) {}

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    #[event(name = "DoorOpened", version = 2, upcast(from = 2, with = lift))]
    Opened,
}

fn main() {}
