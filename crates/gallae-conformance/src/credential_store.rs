//! The suite of [`CredentialStore`].

use crate::{
    Harness,
    sample::{NOW, later, uuid},
};
use gallae_ports::{Credential, CredentialError, CredentialStore, RefreshToken, TokenUse};
use uuid::Uuid;

/// Every case of credentials.
#[macro_export]
macro_rules! credential_store_suite {
    ($harness:expr) => {
        $crate::__suite! { credential_store, $harness, [
            a_credential_is_found_by_login_and_user,
            a_login_belongs_to_one_user,
            an_update_leaves_the_login_alone,
            a_token_is_exchanged_for_its_successor,
            a_token_used_twice_revokes_its_family,
            a_token_that_does_not_work_is_refused,
            tokens_are_revoked_by_family_and_by_user,
            one_of_many_simultaneous_uses_rotates,
        ] }
    };
}

/// Logins are compared without case.
pub async fn a_credential_is_found_by_login_and_user<H: Harness<Store: CredentialStore>>(harness: &H) {
    let store = harness.fresh().await;
    let kim = Credential { failures: 3, locked_until: Some(later(5)), ..credential("kim@example.com") };
    let lee = credential("이@example.com");
    for each in [&kim, &lee] {
        store.insert_credential(each.clone()).await.unwrap();
    }
    for login in ["kim@example.com", "Kim@Example.COM"] {
        assert_eq!(store.credential(login).await.unwrap().as_ref(), Some(&kim), "{login}");
    }
    assert_eq!(store.credential_of(lee.user).await.unwrap(), Some(lee));
    assert_eq!(store.credential("nobody@example.com").await.unwrap(), None);
    assert_eq!(store.credential_of(uuid()).await.unwrap(), None);
}

/// Whoever comes second is told so.
pub async fn a_login_belongs_to_one_user<H: Harness<Store: CredentialStore>>(harness: &H) {
    let store = harness.fresh().await;
    let kim = credential("kim@example.com");
    store.insert_credential(kim.clone()).await.unwrap();
    let error = store.insert_credential(credential("kim@example.com")).await.unwrap_err();
    assert!(matches!(error, CredentialError::LoginTaken), "{error}");
    assert_eq!(store.credential("kim@example.com").await.unwrap(), Some(kim));
}

/// Hash, failures and lock change.
pub async fn an_update_leaves_the_login_alone<H: Harness<Store: CredentialStore>>(harness: &H) {
    let store = harness.fresh().await;
    let (kim, lee) = (credential("kim@example.com"), credential("lee@example.com"));
    store.insert_credential(kim.clone()).await.unwrap();
    store.insert_credential(lee.clone()).await.unwrap();
    let changed = Credential {
        password_hash: "$argon2id$new".into(),
        failures: 7,
        locked_until: Some(later(60)),
        ..kim.clone()
    };
    store.update_credential(changed.clone()).await.unwrap();
    assert_eq!(store.credential("kim@example.com").await.unwrap(), Some(changed));
    store.update_credential(kim.clone()).await.unwrap();
    assert_eq!(store.credential_of(kim.user).await.unwrap(), Some(kim), "a lock can be lifted");
    assert_eq!(store.credential_of(lee.user).await.unwrap(), Some(lee));
}

/// The old one is used up, the new one works, once.
pub async fn a_token_is_exchanged_for_its_successor<H: Harness<Store: CredentialStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = token(1, uuid());
    store.insert_refresh_token(first.clone()).await.unwrap();
    let second = RefreshToken { hash: [2; 32], ..first.clone() };
    let third = RefreshToken { hash: [3; 32], ..first.clone() };
    assert_eq!(rotate(&store, &first, &second).await, TokenUse::Rotated { user: first.user });
    let used = store.refresh_token(first.hash).await.unwrap().unwrap();
    assert_eq!(used, RefreshToken { used_at: Some(NOW), ..first.clone() });
    assert_eq!(store.refresh_token(second.hash).await.unwrap().as_ref(), Some(&second));
    assert_eq!(rotate(&store, &second, &third).await, TokenUse::Rotated { user: first.user });
}

/// Somebody has a copy: neither the thief nor the owner goes on without a new log-in. Other families do.
pub async fn a_token_used_twice_revokes_its_family<H: Harness<Store: CredentialStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = token(1, uuid());
    let other = RefreshToken { hash: [9; 32], user: first.user, ..token(9, uuid()) };
    for each in [&first, &other] {
        store.insert_refresh_token(each.clone()).await.unwrap();
    }
    let successor = |n| RefreshToken { hash: [n; 32], ..first.clone() };
    rotate(&store, &first, &successor(2)).await;
    assert_eq!(rotate(&store, &first, &successor(3)).await, TokenUse::Reused);
    assert_eq!(store.refresh_token([3; 32]).await.unwrap(), None, "the thief's successor was not stored");
    assert!(store.refresh_token([2; 32]).await.unwrap().unwrap().revoked);
    assert_eq!(rotate(&store, &successor(2), &successor(4)).await, TokenUse::Refused);
    assert!(!store.refresh_token(other.hash).await.unwrap().unwrap().revoked);
}

/// Unknown, expired or revoked: refused without a successor.
pub async fn a_token_that_does_not_work_is_refused<H: Harness<Store: CredentialStore>>(harness: &H) {
    let store = harness.fresh().await;
    let (unknown, live) = (token(1, uuid()), token(2, uuid()));
    let expired = RefreshToken { expires_at: NOW, ..token(3, uuid()) };
    let revoked = RefreshToken { revoked: true, ..token(4, uuid()) };
    for each in [&live, &expired, &revoked] {
        store.insert_refresh_token(each.clone()).await.unwrap();
    }
    for refused in [&unknown, &expired, &revoked] {
        let successor = RefreshToken { hash: [5; 32], ..live.clone() };
        assert_eq!(rotate(&store, refused, &successor).await, TokenUse::Refused);
        assert_eq!(store.refresh_token([5; 32]).await.unwrap(), None);
    }
}

/// A log-out, and everything of one person.
pub async fn tokens_are_revoked_by_family_and_by_user<H: Harness<Store: CredentialStore>>(harness: &H) {
    let store = harness.fresh().await;
    let (family, user) = (uuid(), uuid());
    let tokens = [
        RefreshToken { user, ..token(1, family) },
        RefreshToken { user, ..token(2, family) },
        RefreshToken { user, ..token(3, uuid()) },
        token(4, uuid()),
    ];
    for each in &tokens {
        store.insert_refresh_token(each.clone()).await.unwrap();
    }
    let revoked = async || {
        let mut revoked = Vec::new();
        for n in 1..=4 {
            if store.refresh_token([n; 32]).await.unwrap().unwrap().revoked {
                revoked.push(n);
            }
        }
        revoked
    };
    assert!(revoked().await.is_empty());
    store.revoke_family(family).await.unwrap();
    assert_eq!(revoked().await, [1, 2]);
    store.revoke_user(user).await.unwrap();
    assert_eq!(revoked().await, [1, 2, 3]);
}

/// A token presented many times at once is exchanged once; the others find it used.
pub async fn one_of_many_simultaneous_uses_rotates<H: Harness<Store: CredentialStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = token(1, uuid());
    store.insert_refresh_token(first.clone()).await.unwrap();
    let successors: Vec<_> = (10..26).map(|n| RefreshToken { hash: [n; 32], ..first.clone() }).collect();
    let uses = successors.iter().map(|successor| rotate(&store, &first, successor));
    let outcomes = futures::future::join_all(uses).await;
    let rotated = outcomes.iter().filter(|outcome| matches!(outcome, TokenUse::Rotated { .. })).count();
    let reused = outcomes.iter().filter(|outcome| **outcome == TokenUse::Reused).count();
    assert_eq!((rotated, reused), (1, 15));
}

fn credential(login: &str) -> Credential {
    Credential {
        user: uuid(),
        login: login.into(),
        password_hash: "$argon2id$old".into(),
        failures: 0,
        locked_until: None,
    }
}

fn token(n: u8, family: Uuid) -> RefreshToken {
    RefreshToken { hash: [n; 32], family, user: uuid(), expires_at: later(60), used_at: None, revoked: false }
}

async fn rotate(store: &impl CredentialStore, token: &RefreshToken, successor: &RefreshToken) -> TokenUse {
    store.rotate_refresh_token(token.hash, successor.clone(), NOW).await.unwrap()
}
