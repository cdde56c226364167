use gallae_core::{Event, EventSet};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Painted {
    colour: String,
}

fn lift(_: &mut serde_json::Value) {}

#[derive(Clone, Debug, PartialEq, Event)]
enum DoorEvent {
    #[event(name = "DoorOpened", version = 3, upcast(from = 1, with = lift), upcast(from = 2, with = lift))]
    Opened { by: String },
    #[event(name = "DoorPainted", version = 1)]
    Painted(Painted),
    #[event(name = "DoorClosed", version = 1)]
    Closed,
    #[event(name = "DoorSlammed", version = 1)]
    Slammed {},
}

#[derive(Clone, Debug, PartialEq, Event)]
enum WindowEvent {
    #[event(name = "WindowBroken", version = 1)]
    Broken {
        #[serde(default)]
        panes: u32,
    },
}

#[derive(Clone, Debug, EventSet)]
enum HouseEvents {
    Door(DoorEvent),
    Window(WindowEvent),
}

fn main() {
    assert_eq!((DoorEvent::TYPES.len(), HouseEvents::types().len()), (4, 5));
}
