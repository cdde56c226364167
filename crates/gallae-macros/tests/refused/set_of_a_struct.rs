use gallae_core::EventSet;

#[derive(Clone, Debug, EventSet)]
struct House;

fn main() {}
