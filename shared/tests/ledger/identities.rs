//! Accounts, sessions and keys.

use futures::future::join_all;
use shared::domain::testing::tester;
use shared::domain::{Actor, Role, Scope, UserId};
use shared::ports::{
    Account, AuditQuery, IdentityError, NewSession, Rotated, SecretHash, SigningKey,
};
use uuid::Uuid;

use crate::support::{World, buy, families};

families!(
    a_name_is_registered_once,
    a_name_that_has_orders_is_nobodys_to_register,
    an_account_is_found_as_it_was_registered,
    a_refresh_token_is_good_once_and_gives_the_next,
    a_token_that_comes_twice_ends_its_session,
    of_many_who_come_with_one_token_at_most_one_goes_on,
    a_session_ends_by_logout_by_time_and_with_its_account,
    sessions_that_are_over_are_forgotten_at_the_next_login,
    a_service_key_is_good_until_it_is_revoked,
    the_first_signing_key_is_made_once,
    an_older_signing_key_retires_after_the_overlap,
    keys_of_two_algorithms_leave_each_other_alone,
    everything_is_in_the_audit_log,
);

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn ann(origin: &str) -> Actor {
    Actor::user(&user("ann"), origin)
}

fn token(n: u8) -> SecretHash {
    [n; 32]
}

fn account(name: &str, role: Role) -> Account {
    let password_hash = format!("$argon2id${name}").into();
    Account { user_id: user(name), password_hash, role, disabled: false }
}

fn key(kid: &str, algorithm: &str) -> SigningKey {
    let (kid, algorithm) = (kid.to_owned(), algorithm.to_owned());
    SigningKey {
        kid,
        algorithm,
        secret: vec![7; 32].into(),
        created_at: shared::domain::Timestamp::default(),
        retires_at: None,
    }
}

impl World {
    /// Ann, with a session whose first token is `token(first)`.
    async fn session(&self, first: u8, seconds: u32) -> Uuid {
        let ann = account("ann", Role::Customer);
        if self.identities.account(&ann.user_id).await.unwrap().is_none() {
            self.identities.register(&ann, &tester()).await.unwrap();
        }
        let (id, user_id) = (Uuid::new_v4(), ann.user_id);
        let new = NewSession { id, user_id, token: token(first), seconds };
        self.identities.begin_session(&new, &tester()).await.unwrap();
        id
    }

    async fn rotate(&self, old: u8, next: u8) -> Rotated {
        self.identities.rotate(&token(old), &token(next), "192.0.2.1").await.unwrap()
    }

    async fn kids(&self) -> Vec<String> {
        let keys = self.identities.signing_keys().await.unwrap();
        keys.into_iter().map(|key| key.kid).collect()
    }
}

async fn a_name_is_registered_once(world: &World) {
    let (first, second) = (account("zoe", Role::Customer), account("zoe", Role::Operator));
    world.identities.register(&first, &tester()).await.unwrap();
    let again = world.identities.register(&second, &tester()).await;
    assert!(matches!(again, Err(IdentityError::Taken)), "{again:?}");
    let kept = world.identities.account(&user("zoe")).await.unwrap().unwrap();
    assert_eq!(kept.role, Role::Customer);
}

async fn a_name_that_has_orders_is_nobodys_to_register(world: &World) {
    let product = world.product("A", 1, None).await;
    world.record(&[buy(product, "ann", 1), buy(product, "bob", 1)]).await;
    for name in ["ann", "bob"] {
        let stranger = account(name, Role::Customer);
        let refused = world.identities.register(&stranger, &tester()).await;
        assert!(matches!(refused, Err(IdentityError::Taken)), "{refused:?}");
        assert!(world.identities.account(&user(name)).await.unwrap().is_none());
    }
    // An operator knows whose it is.
    world.identities.add_account(&account("ann", Role::Customer), &tester()).await.unwrap();
}

async fn an_account_is_found_as_it_was_registered(world: &World) {
    use secrecy::ExposeSecret;
    let asked = account("yves", Role::Operator);
    world.identities.register(&asked, &tester()).await.unwrap();
    let found = world.identities.account(&user("yves")).await.unwrap().unwrap();
    assert_eq!(found.role, Role::Customer, "nobody makes an operator of themself");
    let new = account("zoë", Role::Operator);
    world.identities.add_account(&new, &tester()).await.unwrap();
    let found = world.identities.account(&user("zoë")).await.unwrap().unwrap();
    assert_eq!(found.password_hash.expose_secret(), new.password_hash.expose_secret());
    assert_eq!((found.role, found.disabled), (Role::Operator, false));
    assert!(world.identities.account(&user("Zoë")).await.unwrap().is_none());
    let unknown = world.identities.disable(&user("nobody"), true, &tester()).await;
    assert!(matches!(unknown, Err(IdentityError::NotFound)));
}

async fn a_refresh_token_is_good_once_and_gives_the_next(world: &World) {
    let id = world.session(1, 3_600).await;
    for n in 1..5 {
        match world.rotate(n, n + 1).await {
            Rotated::Fresh { session, user_id, role, seconds_left } => {
                assert_eq!((session, user_id, role), (id, user("ann"), Role::Customer));
                assert!((3_500..=3_600).contains(&seconds_left), "{seconds_left}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.rotate(99, 100).await, Rotated::Ended);
}

async fn a_token_that_comes_twice_ends_its_session(world: &World) {
    world.session(1, 3_600).await;
    let other = world.session(50, 3_600).await;
    assert!(matches!(world.rotate(1, 2).await, Rotated::Fresh { .. }));
    assert_eq!(world.rotate(1, 3).await, Rotated::Reused { user_id: user("ann") });
    // Neither the thief's token nor the owner's goes on; another login of the same user does.
    for n in [1, 2, 3] {
        assert_eq!(world.rotate(n, 90 + n).await, Rotated::Ended);
    }
    assert!(
        matches!(world.rotate(50, 51).await, Rotated::Fresh { session, .. } if session == other)
    );
}

async fn of_many_who_come_with_one_token_at_most_one_goes_on(world: &World) {
    world.session(1, 3_600).await;
    let all = join_all((10..26).map(|next| world.rotate(1, next))).await;
    let fresh = all.iter().filter(|rotated| matches!(rotated, Rotated::Fresh { .. })).count();
    assert!(fresh <= 1, "{all:?}");
    assert!(all.contains(&Rotated::Reused { user_id: user("ann") }), "{all:?}");
    for next in 10..26 {
        assert_eq!(world.rotate(next, 99).await, Rotated::Ended);
    }
}

async fn a_session_ends_by_logout_by_time_and_with_its_account(world: &World) {
    world.session(1, 3_600).await;
    world.identities.end_session(&token(1), "192.0.2.1").await.unwrap();
    assert_eq!(world.rotate(1, 2).await, Rotated::Ended);
    // Again, or with a token of nobody's, is no error.
    world.identities.end_session(&token(1), "").await.unwrap();
    world.identities.end_session(&token(98), "").await.unwrap();
    world.session(10, 0).await;
    assert_eq!(world.rotate(10, 11).await, Rotated::Ended);
    world.session(20, 3_600).await;
    world.identities.disable(&user("ann"), true, &tester()).await.unwrap();
    assert_eq!(world.rotate(20, 21).await, Rotated::Ended);
    world.identities.disable(&user("ann"), false, &tester()).await.unwrap();
    assert_eq!(world.rotate(20, 22).await, Rotated::Ended, "it does not come back");
    assert!(!world.identities.account(&user("ann")).await.unwrap().unwrap().disabled);
}

async fn sessions_that_are_over_are_forgotten_at_the_next_login(world: &World) {
    world.session(1, 0).await;
    world.session(2, 3_600).await;
    // The token of a forgotten session can be given out again: nothing of it is left.
    world.session(1, 3_600).await;
    assert!(matches!(world.rotate(1, 3).await, Rotated::Fresh { .. }));
    assert!(matches!(world.rotate(2, 4).await, Rotated::Fresh { .. }));
}

async fn a_service_key_is_good_until_it_is_revoked(world: &World) {
    let ids = &world.identities;
    let scopes = [Scope::Products, Scope::Sales];
    let first = ids.add_service_key("warehouse", &token(1), &scopes, &tester()).await.unwrap();
    let taken = ids.add_service_key("warehouse", &token(2), &[], &tester()).await;
    assert!(matches!(taken, Err(IdentityError::Taken)), "{taken:?}");
    ids.revoke_service_key("warehouse", &tester()).await.unwrap();
    let gone = ids.revoke_service_key("warehouse", &tester()).await;
    assert!(matches!(gone, Err(IdentityError::NotFound)), "{gone:?}");
    let second = ids.add_service_key("warehouse", &token(2), &[Scope::Orders], &tester()).await;
    let second = second.unwrap();
    let keys = ids.service_keys().await.unwrap();
    let seen: Vec<_> = keys.iter().map(|k| (k.id, k.hash, k.revoked_at.is_some())).collect();
    assert_eq!(seen, [(first, token(1), true), (second, token(2), false)]);
    assert_eq!((&keys[0].scopes[..], &keys[1].scopes[..]), (&scopes[..], &[Scope::Orders][..]));
}

async fn the_first_signing_key_is_made_once(world: &World) {
    let keys: Vec<_> = (0..8).map(|n| key(&format!("k{n}"), "HS256")).collect();
    let by = tester();
    let made =
        join_all(keys.iter().map(|k| world.identities.add_signing_key(k, true, 0, &by))).await;
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    assert_eq!(world.kids().await.len(), 1);
}

async fn an_older_signing_key_retires_after_the_overlap(world: &World) {
    let add = async |kid, overlap_s| {
        let key = key(kid, "EdDSA");
        world.identities.add_signing_key(&key, false, overlap_s, &tester()).await.unwrap();
    };
    add("a", 0).await;
    add("b", 3_600).await;
    assert_eq!(world.kids().await, ["b", "a"]);
    let keys = world.identities.signing_keys().await.unwrap();
    assert!(keys[0].retires_at.is_none() && keys[1].retires_at > Some(keys[1].created_at));
    add("c", 0).await;
    assert_eq!(world.kids().await, ["c", "a"], "b has retired at once, a has its hour still");
}

/// While instances are told of another algorithm one by one, both are signed with.
async fn keys_of_two_algorithms_leave_each_other_alone(world: &World) {
    for _ in 0..3 {
        for (kid, algorithm) in [("a", "HS256"), ("b", "EdDSA")] {
            let key = key(kid, algorithm);
            world.identities.add_signing_key(&key, true, 0, &tester()).await.unwrap();
        }
    }
    assert_eq!(world.kids().await, ["b", "a"]);
    world.identities.add_signing_key(&key("c", "EdDSA"), false, 0, &tester()).await.unwrap();
    assert_eq!(world.kids().await, ["c", "a"]);
}

async fn everything_is_in_the_audit_log(world: &World) {
    let ids = &world.identities;
    ids.register(&account("ann", Role::Customer), &ann("192.0.2.1")).await.unwrap();
    world.session(1, 3_600).await;
    world.rotate(1, 2).await;
    world.rotate(1, 3).await;
    world.session(5, 3_600).await;
    ids.end_session(&token(5), "192.0.2.9").await.unwrap();
    ids.disable(&user("ann"), true, &tester()).await.unwrap();
    ids.disable(&user("ann"), false, &tester()).await.unwrap();
    ids.add_service_key("shop", &token(1), &[Scope::Orders], &tester()).await.unwrap();
    ids.revoke_service_key("shop", &tester()).await.unwrap();
    ids.add_signing_key(&key("k", "HS256"), true, 0, &tester()).await.unwrap();
    ids.note(&ann("192.0.2.7"), &shared::ports::Deed::login_refused(&user("ann"))).await.unwrap();
    let all = AuditQuery { limit: 100, ..AuditQuery::default() };
    let log = world.ledger.audit_log(&all).await.unwrap();
    let said: Vec<_> =
        log.iter().map(|e| (e.actor.as_str(), e.origin.as_str(), e.action.as_str())).collect();
    let expected = [
        ("user:ann", "192.0.2.1", "account.register"),
        ("tester", "", "session.begin"),
        ("user:ann", "192.0.2.1", "session.reuse"),
        ("tester", "", "session.begin"),
        ("user:ann", "192.0.2.9", "session.end"),
        ("tester", "", "account.disable"),
        ("tester", "", "account.enable"),
        ("tester", "", "service-key.create"),
        ("tester", "", "service-key.revoke"),
        ("tester", "", "signing-key.create"),
        ("user:ann", "192.0.2.7", "session.refuse"),
    ];
    assert_eq!(said, expected);
    assert_eq!(log[7].details["scopes"], serde_json::json!(["orders"]));
}
