//! The pitfalls of RFC 8725, one by one.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;

const SECRET: &[u8] = b"thirty-two bytes of a secret key";

fn expected() -> Expected {
    Expected::new("shop", "shop", false)
}

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

fn claims() -> Value {
    let now = now();
    json!({"iss": "shop", "aud": "shop", "sub": "zoe", "exp": now + 60, "nbf": now - 5,
        "iat": now - 5, "jti": "1", "role": "operator"})
}

fn header() -> Value {
    json!({"alg": "HS256", "typ": "at+jwt", "kid": "hs"})
}

/// A token of any header and claims, signed with HMAC-SHA256 whatever the header says.
fn token_with(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(&signed);
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn token(change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let (mut header, mut claims) = (header(), claims());
    change(&mut header, &mut claims);
    token_with(&header, &claims, SECRET)
}

fn ed25519() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn check(token: &str, expected: &Expected) -> Result<(UserId, Role), TokenError> {
    verified(token, expected).map(|verified| (verified.user_id, verified.role))
}

fn verified(token: &str, expected: &Expected) -> Result<Verified, TokenError> {
    let hs = Verifier::new(Algorithm::HS256, DecodingKey::from_secret(SECRET), SECRET);
    let public = ed25519().verifying_key();
    let key = DecodingKey::from_ed_der(public.as_bytes());
    let ed = Verifier::new(Algorithm::EdDSA, key, public.as_bytes());
    verify(token, expected, |kid| match kid {
        "hs" => Some(&hs),
        "ed" => Some(&ed),
        _ => None,
    })
}

fn refused(token: &str) -> TokenError {
    check(token, &expected()).unwrap_err()
}

#[test]
fn what_we_signed_is_believed() {
    let (user, role) = check(&token(|_, _| ()), &expected()).unwrap();
    assert_eq!((user.as_str(), role), ("zoe", Role::Operator));
    let private = ed25519().to_pkcs8_der().unwrap();
    for (kid, algorithm, key) in [
        ("hs", Algorithm::HS256, EncodingKey::from_secret(SECRET)),
        ("ed", Algorithm::EdDSA, EncodingKey::from_ed_der(private.as_bytes())),
    ] {
        let claims: Claims = serde_json::from_value(claims()).unwrap();
        let signed = sign(&claims, kid, algorithm, &key).unwrap();
        assert!(check(&signed, &expected()).is_ok(), "{kid}");
    }
}

/// Section 2.1: `none`, in every spelling, with a signature or without.
#[test]
fn an_unsigned_token_is_not_believed() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let signed = token(|header, _| header["alg"] = alg.into());
        let bare = format!("{}.", signed.rsplit_once('.').unwrap().0);
        assert_eq!(refused(&signed), TokenError::Malformed, "{alg}");
        assert_eq!(refused(&bare), TokenError::Malformed, "{alg}");
    }
    let signed = token(|_, _| ());
    let bare = format!("{}.", signed.rsplit_once('.').unwrap().0);
    assert_eq!(refused(&bare), TokenError::Signature);
}

/// Section 2.1: a public key taken for an HMAC secret, and any other algorithm than the key's.
#[test]
fn a_key_is_for_one_algorithm_only() {
    let public = ed25519().verifying_key();
    let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": "ed"});
    let confused = token_with(&header, &claims(), public.as_bytes());
    assert_eq!(refused(&confused), TokenError::Signature);
    for alg in ["HS384", "HS512", "EdDSA", "RS256", "ES256", "PS256"] {
        let other = token(|header, _| header["alg"] = alg.into());
        assert_eq!(refused(&other), TokenError::Signature, "{alg}");
    }
}

/// Section 2.2 and 3.2: another secret, another text, half a signature.
#[test]
fn another_signature_is_not_believed() {
    assert_eq!(refused(&token_with(&header(), &claims(), b"guessed")), TokenError::Signature);
    let (ours, theirs) = (token(|_, _| ()), token(|_, claims| claims["sub"] = "eve".into()));
    let (_, signature) = ours.rsplit_once('.').unwrap();
    let (text, _) = theirs.rsplit_once('.').unwrap();
    assert_eq!(refused(&format!("{text}.{signature}")), TokenError::Signature);
    assert_ne!(
        check(&ours[..ours.len() - 4], &expected()).ok(),
        Some((UserId::parse("zoe").unwrap(), Role::Operator))
    );
}

/// Sections 3.8 and 3.9.
#[test]
fn a_token_of_another_issuer_or_for_somebody_else_is_not_believed() {
    let changes: [fn(&mut Value); 8] = [
        |claims| claims["iss"] = "other".into(),
        |claims| claims["iss"] = Value::Null,
        |claims| drop(claims.as_object_mut().unwrap().remove("iss")),
        |claims| claims["aud"] = "other".into(),
        |claims| claims["aud"] = json!(["other", "another"]),
        |claims| claims["aud"] = json!([]),
        |claims| drop(claims.as_object_mut().unwrap().remove("aud")),
        |claims| claims["aud"] = json!("SHOP"),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let refused = refused(&token(|_, claims| change(claims)));
        assert!(matches!(refused, TokenError::Claims | TokenError::Malformed), "{n}: {refused:?}");
    }
    let many = token(|_, claims| claims["aud"] = json!(["other", "shop"]));
    assert!(check(&many, &expected()).is_ok());
}

/// Section 3.10: the time that a token is good for, with half a minute for clocks that differ.
#[test]
fn a_token_is_good_for_its_time_only() {
    let now = now();
    let exp = |at: i64| token(|_, claims| claims["exp"] = json!(now.saturating_add_signed(at)));
    let nbf = |at: i64| token(|_, claims| claims["nbf"] = json!(now.saturating_add_signed(at)));
    assert_eq!(refused(&exp(-40)), TokenError::Time);
    assert!(check(&exp(-20), &expected()).is_ok());
    assert_eq!(refused(&nbf(40)), TokenError::Time);
    assert!(check(&nbf(20), &expected()).is_ok());
    let valid_until_s =
        |exp: Value| verified(&token(|_, c| c["exp"] = exp), &expected()).unwrap().valid_until_s;
    assert_eq!(valid_until_s(json!(now + 60)), now + 90);
    assert_eq!(valid_until_s(json!((now + 60) as f64 + 0.5)), now + 90);
    let endless = token(|_, claims| drop(claims.as_object_mut().unwrap().remove("exp")));
    assert!(matches!(refused(&endless), TokenError::Claims | TokenError::Malformed));
    let text = token(|_, claims| claims["exp"] = "tomorrow".into());
    assert!(matches!(refused(&text), TokenError::Claims | TokenError::Malformed));
}

/// Section 3.11: an ID token, or a token of any other kind, is no access token.
#[test]
fn a_token_of_another_type_is_not_believed() {
    for typ in [json!("JWT"), json!("id+jwt"), json!("logout+jwt"), json!(""), Value::Null] {
        let other = token(|header, _| header["typ"] = typ.clone());
        assert_eq!(refused(&other), TokenError::Malformed, "{typ}");
    }
    assert!(check(&token(|h, _| h["typ"] = "application/AT+JWT".into()), &expected()).is_ok());
    let plain = token(|header, _| header["typ"] = "JWT".into());
    let outside = Expected::new("shop", "shop", true);
    assert!(check(&plain, &outside).is_ok());
    assert!(check(&token(|h, _| h["typ"] = "id+jwt".into()), &outside).is_err());
}

/// Section 3.10: keys are found by name among ours; what a header brings along is not looked at.
#[test]
fn only_keys_that_are_known_count() {
    let kid = |kid: Value| refused(&token(|header, _| header["kid"] = kid));
    for unknown in [json!("other"), json!("../hs"), json!("hs\u{0}"), json!("' or 1=1 --")] {
        assert_eq!(kid(unknown), TokenError::UnknownKey);
    }
    assert_eq!(
        refused(&token(|h, _| drop(h.as_object_mut().unwrap().remove("kid")))),
        TokenError::UnknownKey
    );
    let eves = b"a key that eve has made for this";
    let jwk = json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(eves)});
    for brought in [
        json!({"jwk": jwk}),
        json!({"jku": "https://eve.example/keys"}),
        json!({"x5u": "https://eve.example/cert"}),
    ] {
        let mut header = header();
        header.as_object_mut().unwrap().extend(brought.as_object().unwrap().clone());
        let refused = refused(&token_with(&header, &claims(), eves));
        assert!(matches!(refused, TokenError::Signature | TokenError::Malformed), "{brought}");
    }
}

/// RFC 7515, section 4.1.11: extensions that must be understood, and are not.
#[test]
fn a_critical_extension_is_not_understood() {
    let critical = token(|header, _| {
        header["crit"] = json!(["b64"]);
        header["b64"] = json!(false);
    });
    assert_eq!(refused(&critical), TokenError::Malformed);
}

/// Section 3.6 and 2.4: nothing large is even decoded; nothing else that is odd is a panic.
#[test]
fn what_is_oversized_or_no_token_is_refused() {
    let long = token(|_, claims| claims["more"] = "x".repeat(BYTES_MAX).into());
    assert_eq!(refused(&long), TokenError::Malformed);
    let good = token(|_, _| ());
    for odd in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b.c.d",
        "é.é.é",
        &good.replace('.', ""),
        &format!("{good}.x"),
        &format!(" {good}"),
    ] {
        check(odd, &expected()).unwrap_err();
    }
}

#[test]
fn a_subject_or_role_that_cannot_be_is_refused() {
    for sub in [json!(""), json!("a\u{0}b"), json!("x".repeat(500)), json!(7), Value::Null] {
        let refused = refused(&token(|_, claims| claims["sub"] = sub.clone()));
        assert!(matches!(refused, TokenError::Claims | TokenError::Malformed), "{sub}");
    }
    assert_eq!(refused(&token(|_, claims| claims["role"] = "root".into())), TokenError::Claims);
    // What an issuer outside calls by its own names makes nobody an operator, and no token unreadable.
    let outside = Expected::new("shop", "shop", true);
    for theirs in [json!("authenticated"), json!(["operator", "admin"]), json!(7)] {
        let token = token(|_, claims| {
            claims["role"] = theirs.clone();
            claims["sid"] = "opaque".into();
        });
        assert_eq!(check(&token, &outside).unwrap().1, Role::Customer, "{theirs}");
        assert_eq!(refused(&token), TokenError::Claims, "{theirs}");
    }
    let nobody = token(|_, claims| drop(claims.as_object_mut().unwrap().remove("role")));
    assert_eq!(check(&nobody, &expected()).unwrap().1, Role::Customer);
}
