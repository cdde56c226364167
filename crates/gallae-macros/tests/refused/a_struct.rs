use gallae_core::Event;

#[derive(Clone, Debug, PartialEq, Event)]
struct DoorOpened {
    by: String,
}

fn main() {}
