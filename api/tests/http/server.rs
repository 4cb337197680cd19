//! The listener: its bounds and its end.

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::adapters::family;
use shared::testing::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::{Switches, TestApp, buy_body};

/// Sends bytes and reads until the server closes.
async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_let_go() {
    let app =
        TestApp::with(1, |config| config.http.header_timeout = Duration::from_millis(300)).await;
    for requests_before in 0..3 {
        let mut stream = TcpStream::connect(app.addr).await.unwrap();
        let asking = async {
            for _ in 0..requests_before {
                stream.write_all(b"HEAD /livez HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
                let mut answer = vec![];
                while !answer.ends_with(b"\r\n\r\n") {
                    answer.push(stream.read_u8().await.unwrap());
                }
                assert!(answer.starts_with(b"HTTP/1.1 200 "));
            }
            let began = Instant::now();
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: test\r\n").await.unwrap();
            let mut rest = vec![];
            stream.read_to_end(&mut rest).await.unwrap();
            began.elapsed()
        };
        let waited = timeout(Duration::from_secs(5), asking).await.unwrap();
        assert!(waited > Duration::from_millis(200), "{waited:?}");
    }
}

#[tokio::test]
async fn a_client_that_never_ends_its_body_is_told() {
    let app =
        TestApp::with(1, |config| config.http.header_timeout = Duration::from_millis(300)).await;
    let head = b"POST /api/v1/async/purchase HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
        Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
    let answer = raw(&app, head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("REQUEST_TIMEOUT"), "{answer}");
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together_and_its_size_bounded() {
    let app = TestApp::start(1).await;
    let head = "POST /api/v1/async/purchase HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
        Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let pieces: String = buy_body("u-1", 1)
        .to_string()
        .chars()
        .map(|piece| format!("1\r\n{piece}\r\n"))
        .chain(["0\r\n\r\n".to_owned()])
        .collect();
    let answer = raw(&app, format!("{head}{pieces}").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    let spaces = format!("4000\r\n{}\r\n", " ".repeat(0x4000)).repeat(4);
    let answer = raw(&app, format!("{head}{spaces}0\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let one = NonZeroUsize::new(1).unwrap();
    let app = TestApp::bare(family::embedded(), |config| {
        config.http.connections_max = one;
    })
    .await;
    let holder = TcpStream::connect(app.addr).await.unwrap();
    // Served only once the holder has been accepted, which it is first.
    let waiting = timeout(Duration::from_millis(300), app.get("/livez")).await;
    assert!(waiting.is_err());
    drop(holder);
    assert_eq!(app.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_shutdown_ends_waits_and_then_the_program() {
    let switches = Switches::default();
    let mut app = TestApp::over(switches.before(family::embedded()), 1, |_| {}).await;
    let accepted = app.post("/api/v1/async/purchase", &buy_body("u-1", 1)).await.ok(202);
    let path = format!("{}?wait=30", accepted["links"]["self"].as_str().unwrap());
    let began = Instant::now();
    let idle = TcpStream::connect(app.addr).await.unwrap();
    let stop = async {
        eventually("somebody waits", async || {
            (switches.looks.load(Ordering::SeqCst) > 0).then_some(())
        })
        .await;
        app.shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(app.get(&path), stop);
    assert_eq!(answer.ok(200)["status"], "QUEUED");
    timeout(Duration::from_secs(5), &mut app.served).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(TcpStream::connect(app.addr).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answers_is_cut() {
    let app =
        TestApp::with(1, |config| config.http.write_timeout = Duration::from_millis(500)).await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    let ask = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: test\r\n\r\n".repeat(1_000);
    // Asks for far more than all buffers hold, and reads nothing: in the end it cannot even ask on.
    let cut = async {
        loop {
            if let Err(error) = stream.write_all(&ask).await {
                return error.kind();
            }
        }
    };
    let kind = timeout(Duration::from_secs(30), cut).await.unwrap();
    let gone = [
        std::io::ErrorKind::ConnectionReset,
        std::io::ErrorKind::BrokenPipe,
        std::io::ErrorKind::TimedOut,
    ];
    assert!(gone.contains(&kind), "{kind:?}");
}
