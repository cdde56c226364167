use gallae_core::EventSet;

#[derive(Clone, Debug, EventSet)]
enum HouseEvents {
    Door { event: u32 },
}

fn main() {}
