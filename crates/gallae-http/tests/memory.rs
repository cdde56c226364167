//! What hashing leaves behind, in a process that does nothing else and has the shop's allocator.

#![cfg(target_os = "linux")]

use gallae_http::auth::Passwords;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::test]
async fn the_memory_of_a_hash_goes_back_to_the_system_at_once() {
    let before = resident_mib();
    let passwords = Passwords::new().unwrap();
    let phc = passwords.hash("password123".to_owned()).await.unwrap();
    for _ in 0..3 {
        assert!(passwords.verify("password123".to_owned(), Some(phc.clone())).await.unwrap());
    }
    let after = resident_mib();
    assert!(after < before + 10, "{before} MiB before, {after} MiB after");
}

fn resident_mib() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
