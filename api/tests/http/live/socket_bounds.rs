//! `GET /ws`: what one client can cost.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::json;
use shared::testing::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{TestApp, buy_body};

const HANDSHAKE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn who_sends_nothing_but_nonsense_is_let_go() {
    let app = TestApp::start(1).await;
    let mut socket = app.socket(&[]).await;
    for _ in 0..200 {
        if futures::SinkExt::send(&mut socket.0, Message::text("?")).await.is_err() {
            break;
        }
    }
    assert_eq!(socket.closed_with().await, 1008);
}

#[tokio::test]
async fn who_sends_too_much_is_told_and_then_let_go() {
    let app = TestApp::start(1).await;
    let mut socket = app.socket(&[]).await;
    for _ in 0..100 {
        socket.ask("inventory:watch", json!({"productId": 1}), "a").await;
    }
    let refused = async {
        loop {
            let answer = socket.hear().await;
            if answer["event"] == "error" {
                return answer["data"]["code"].clone();
            }
        }
    };
    assert_eq!(refused.await, "RATE_LIMITED");
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_connection() {
    let app = TestApp::start(1).await;
    let mut socket = app.socket(&[]).await;
    socket.send("x".repeat(4 * 1024)).await;
    assert_eq!(socket.hear().await["event"], "error");
    socket.send("x".repeat(4 * 1024 + 1)).await;
    assert_eq!(socket.closed_with().await, 1009);
}

#[tokio::test]
async fn who_answers_pings_stays_and_who_does_not_is_dropped() {
    let app = TestApp::with(1, |config| config.live.heartbeat = Duration::from_millis(50)).await;
    let mut lively = app.socket(&[]).await;
    let mut dead = TcpStream::connect(app.addr).await.unwrap();
    dead.write_all(HANDSHAKE).await.unwrap();
    let mut heard = vec![];
    let dropped = timeout(Duration::from_secs(10), dead.read_to_end(&mut heard));
    let answer = async {
        let mut pings = 0;
        while pings < 5 {
            // Reading answers them.
            pings += usize::from(matches!(lively.any().await, Some(Message::Ping(_))));
        }
        pings
    };
    let (dropped, pings) = tokio::join!(dropped, answer);
    dropped.unwrap().unwrap();
    assert_eq!(pings, 5);
    assert!(heard.ends_with(&[0x89, 0, 0x89, 0]), "two pings");
}

#[tokio::test]
async fn who_reads_slowly_keeps_nobody_waiting_and_gets_the_newest() {
    let app = TestApp::start(100_000).await;
    // Little fits on the way to this one.
    let slow = TcpSocket::new_v4().unwrap();
    slow.set_recv_buffer_size(2_048).unwrap();
    let mut slow = slow.connect(app.addr).await.unwrap();
    slow.write_all(b"GET /api/v1/products/1/stock/events HTTP/1.1\r\nHost: test\r\n\r\n")
        .await
        .unwrap();
    let mut quick = app.socket(&[]).await;
    quick.ask("inventory:watch", json!({"productId": 1}), "a").await;
    let mut sold = 0;
    for _ in 0..40 {
        app.post("/api/v1/sync/purchase", &buy_body("u-1", 1)).await.ok(200);
        sold += 1;
        while quick.hear().await["data"]["soldCount"] != sold {}
    }
    // What it reads in the end is the last, after far fewer than all that was to be told.
    let mut text = String::new();
    let last = format!("\"soldCount\":{sold},");
    let mut buffer = [0; 1_024];
    while !text.contains(&last) {
        let read = timeout(Duration::from_secs(10), slow.read(&mut buffer)).await.unwrap().unwrap();
        text.push_str(str::from_utf8(&buffer[..read]).unwrap());
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let app = TestApp::with(1, |config| {
        config.http.write_timeout = Duration::from_millis(500);
        config.live.connections_max = NonZeroUsize::MIN;
    })
    .await;
    let deaf = TcpSocket::new_v4().unwrap();
    deaf.set_recv_buffer_size(2_048).unwrap();
    let mut deaf = deaf.connect(app.addr).await.unwrap();
    deaf.write_all(HANDSHAKE).await.unwrap();
    // The answers fill the way back; they are too few to be called abuse.
    let ask = frame(br#"{"v":1,"event":"inventory:watch","data":{"productId":1}}"#);
    for _ in 0..120 {
        deaf.write_all(&ask).await.unwrap();
    }
    eventually("its place is free", async || {
        let answer = app.send("HEAD", "/api/v1/products/1/stock/events", &[], "").await;
        (answer.status == 200).then_some(())
    })
    .await;
}

/// A text from a client, masked with zeroes.
fn frame(text: &[u8]) -> Vec<u8> {
    [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0], text].concat()
}

#[tokio::test]
async fn a_socket_counts_among_the_connections_for_as_long_as_it_is_open() {
    let two = NonZeroUsize::new(2).unwrap();
    let app = TestApp::with(1, |config| config.http.connections_max = two).await;
    let sockets = (app.socket(&[]).await, app.socket(&[]).await);
    let waiting = timeout(Duration::from_millis(300), app.get("/livez")).await;
    assert!(waiting.is_err());
    drop(sockets);
    assert_eq!(app.get("/livez").await.status, 200);
}
