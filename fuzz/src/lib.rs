//! Everything that strangers send, made up by a machine. A target takes any bytes and panics where something
//! does not hold; libFuzzer (`scripts/fuzz`) looks for such bytes, and the tests here run those that were ever
//! interesting (`fuzz/corpus`).
//!
//! | target | takes | must hold |
//! |---|---|---|
//! | [`envelope`] | a message of the queue | what is decoded is what is encoded |
//! | [`tracking_id`] | a tracking ID | read back as written; an altered one was never issued |
//! | [`token`] | an access token, or what one says | nobody who has no key is believed |
//! | [`pass`] | a ticket or a pass of a waiting room, or whose they are | only what was given out is believed, and nothing else of it |
//! | [`webhook`] | a signature and a body | nobody who has no secret is believed |
//! | [`cursor`] | a query string | answered, and never with 500 |
//! | [`request`] | method, path and body | the same |

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use api::identity::tokens::{Claims, Expected, Verifier, sign, verify};
use api::router::router;
use api::state::App;
use api::webhook::Signature;
use axum::body::Body;
use axum::http::{self, Method, Request, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use shared::adapters::family;
use shared::config::{Config, DEFAULT_TOML};
use shared::domain::room::{Pass, Seal, Ticket};
use shared::domain::{
    Minter, SaleId, Timestamp, TrackingId, TrackingKey, UserId, envelope as message,
};
use shared::pipeline::events::Events;
use shared::pipeline::relay::{Payer, Relay};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SECRET: &[u8] = b"nobody who makes up bytes has it";

/// A message of the queue: what can be decoded is the same after encoding and decoding again.
pub fn envelope(data: &[u8]) {
    let inside = message::purchases_in(data);
    if let Ok(decoded) = message::decode(data) {
        let again = message::decode(&message::encode(&decoded.purchases));
        assert_eq!(again.map(|again| again.purchases).ok(), Some(decoded.purchases.clone()));
        assert_eq!(inside, decoded.purchases);
    }
}

/// A tracking ID: read back as it was written; one bit off, and it was never issued.
pub fn tracking_id(data: &[u8]) {
    if let Some(id) =
        std::str::from_utf8(data).ok().and_then(|text| text.parse::<TrackingId>().ok())
    {
        assert_eq!(id.to_string().parse::<TrackingId>().ok(), Some(id));
    }
    let Some((at, bit)) = data.split_first_chunk::<8>().map(|(at, rest)| (at, rest.first())) else {
        return;
    };
    let key = TrackingKey::new(*b"a key for a fuzz");
    let at = Timestamp::from_millis(i64::from_le_bytes(*at).rem_euclid(1 << 47));
    let id = Minter::new(key.clone(), 7).mint(at);
    assert!(key.verify(id), "{id}");
    if let Some(bit) = bit {
        let altered = TrackingId(Uuid::from_u128(id.0.as_u128() ^ (1 << (bit % 128))));
        assert!(!key.verify(altered), "{id} {bit}");
    }
}

fn expected() -> Expected {
    Expected::new("shop", "shop", true)
}

/// An access token: any text is refused, for nobody has the key; any claims that *are* signed are judged, and
/// whom they name is who they say.
pub fn token(data: &[u8]) {
    let verifier = Verifier::new(Algorithm::HS256, DecodingKey::from_secret(SECRET), SECRET);
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(verify(text, &expected(), |_| Some(&verifier)).is_err(), "{text}");
    let Ok(claims) = serde_json::from_str::<Claims>(text) else { return };
    let Ok(signed) = sign(&claims, "k", Algorithm::HS256, &EncodingKey::from_secret(SECRET)) else {
        return;
    };
    if let Ok(verified) = verify(&signed, &expected(), |_| Some(&verifier)) {
        assert_eq!(verified.user_id.as_str(), claims.sub);
        assert!(claims.iss == "shop" && claims.aud.iter().any(|aud| aud == "shop"));
    }
}

/// A ticket or a pass: any text is refused, for nobody has the key. Of any user's, what was sealed is read again;
/// one is never taken for the other, and with one bit off it is nothing.
pub fn pass(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let seal = Seal::new(&TrackingKey::new(*b"a key for a fuzz"));
    assert!(seal.open_ticket(text).is_err() && seal.open_pass(text).is_err(), "{text}");
    let Ok(user_id) = UserId::parse(text) else { return };
    let number = |at: usize| i64::from(data.get(at).copied().unwrap_or_default());
    let (sale_id, index) = (SaleId(number(0)), number(1).unsigned_abs());
    let at = Timestamp::from_millis(number(2) << number(3).min(54));
    let ticket = Ticket { sale_id, user_id: user_id.clone(), index, joined_at: at };
    let pass = Pass { sale_id, user_id, index, expires_at: at };
    let (of_ticket, of_pass) = (seal.ticket(&ticket), seal.pass(&pass));
    assert!(seal.open_pass(&of_ticket).is_err() && seal.open_ticket(&of_pass).is_err());
    assert_eq!((seal.open_ticket(&of_ticket), seal.open_pass(&of_pass)), (Ok(ticket), Ok(pass)));
    let altered = |text: &str| {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let at = number(4) as usize % bytes.len();
        bytes[at] ^= 1 << (number(5) % 8);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    };
    assert!(seal.open_ticket(&altered(&of_ticket)).is_err(), "{of_ticket}");
    assert!(seal.open_pass(&altered(&of_pass)).is_err(), "{of_pass}");
}

/// A webhook: a line with the signature, then the body.
pub fn webhook(data: &[u8]) {
    let (header, body) = match data.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let Ok(header) = std::str::from_utf8(header) else { return };
    let secret = String::from_utf8_lossy(SECRET).into_owned().into();
    let signature = Signature::new(secret, Duration::from_secs(300));
    let now = Timestamp::from_millis(1_700_000_000_000);
    assert!(signature.check(header, body, now).is_err(), "{header}");
}

/// A query string, at everything that has pages.
pub fn cursor(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    for path in [
        "/api/v1/products",
        "/api/v1/orders",
        "/api/v1/orders/user/u-1",
        "/api/v1/flash-sales",
        "/api/v1/admin/dead-letters",
        "/api/v1/admin/audit-log",
    ] {
        ask(Method::GET, &format!("{path}?{query}"), "");
    }
}

/// A line with method and path, then a body that is said to be JSON.
pub fn request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (line, body) = text.split_once('\n').unwrap_or((text, ""));
    let (method, path) = line.split_once(' ').unwrap_or(("POST", line));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    // It would wait for up to thirty seconds, as it is asked to.
    if !path.contains("wait=") {
        ask(method, path, body);
    }
}

const API_KEY: &str = "the operators of a fuzz";

/// An API over memory, and the runtime that it lives in.
struct Shop {
    runtime: Runtime,
    edge: api::edge::Edge,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let edge = runtime.block_on(async {
        let mut config: Config = toml::from_str(DEFAULT_TOML).expect("the defaults");
        config.admin.api_key = API_KEY.to_owned().into();
        config.tracking.secret = "fuzz".to_owned().into();
        config.limits.per_user_per_second = 0;
        config.limits.sign_ins_per_minute = 0;
        let ports = family::embedded();
        let (relay, _) = Relay::start(Payer {
            gate: Arc::clone(&ports.gate),
            bus: Arc::clone(&ports.bus),
            queue: Arc::clone(&ports.queue),
            ledger: Arc::clone(&ports.ledger),
            events: Events::from_config(&config.events),
        });
        let ledger = Arc::clone(&ports.ledger);
        let app = Arc::new(App::new(ports, &config, None, relay, CancellationToken::new()));
        let edge = router(&app);
        for opening in OPENING {
            let (line, body) = opening.split_once('\n').expect("a line and a body");
            let path = line.trim_start_matches("POST ");
            let answer =
                edge.answer(operators(Method::POST, path, body).expect("a request"), LOCAL);
            assert_eq!(answer.await.status(), StatusCode::CREATED, "{line}");
        }
        app.boards.catalogue.look_again(&*ledger).await.expect("a catalogue");
        let rooms = app.waiting_rooms.clone();
        tokio::spawn(async move { rooms.usher(|| false).await });
        edge
    });
    Shop { runtime, edge }
});

/// A product, and a sale of it with a line in front.
const OPENING: [&str; 2] =
    [include_str!("../corpus/request/product"), include_str!("../corpus/request/room")];
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn operators(method: Method, path: &str, body: &str) -> Result<Request<Body>, http::Error> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("x-api-key", API_KEY)
        .body(Body::from(body.to_owned()))
}

/// Asks with the operators' key, so that every handler is reached. What cannot be a request is none.
fn ask(method: Method, path: &str, body: &str) {
    let Ok(request) = operators(method, path, body) else { return };
    let (status, body) = SHOP.runtime.block_on(async {
        let response = SHOP.edge.answer(request, LOCAL).await;
        let status = response.status();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        if content_type.is_some_and(|kind| kind == "text/event-stream") {
            // It has no end; the first event is enough.
            let first = timeout(Duration::from_secs(1), response.into_body().frame()).await;
            let first = first.ok().flatten().and_then(|first| first.ok()?.into_data().ok());
            return (status, Ok(first.unwrap_or_default()));
        }
        (status, response.into_body().collect().await.map(|body| body.to_bytes()))
    });
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {body:?}");
    if status.is_client_error() || status.is_server_error() {
        let body = body.expect("a whole answer");
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem document");
        assert!(problem["code"].is_string() || path.starts_with("/readyz"), "{path}: {problem}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Target = fn(&[u8]);

    /// Runs everything that was ever interesting.
    fn run(name: &str, target: Target) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty(), "{}: no corpus", folder.display());
        for file in files {
            println!("{}", file.display());
            target(&std::fs::read(file).unwrap());
        }
    }

    #[test]
    fn what_was_interesting_still_holds() {
        let targets: [(&str, Target); 7] = [
            ("envelope", envelope),
            ("tracking-id", tracking_id),
            ("token", token),
            ("pass", pass),
            ("webhook", webhook),
            ("cursor", cursor),
            ("request", request),
        ];
        for (name, target) in targets {
            run(name, target);
        }
    }
}
