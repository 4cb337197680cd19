//! Requests, written into buffers that the next one uses again.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use uuid::Uuid;

use crate::client::{Answer, Broken, Line, Request};
use crate::engine::scenario::Ask;
use crate::engine::stage::{Stage, in_turn};

/// A request without an answer after this time is taken for a broken connection.
const PATIENCE: Duration = Duration::from_secs(10);
const RESPOND_ASYNC: (&str, &str) = ("Prefer", "respond-async");

/// The buffers of one connection.
#[derive(Default)]
pub(crate) struct Buffers {
    user_id: String,
    body: Vec<u8>,
    path: String,
}

impl Buffers {
    /// Asks what arrival `number` comes for: a buyer that nobody else is, or a look at something.
    pub(crate) async fn ask<'a>(
        &mut self,
        line: &'a mut Line,
        stage: &Stage,
        ask: Ask,
        number: u64,
    ) -> Result<Answer<'a>, Broken> {
        match ask {
            Ask::Availability => {
                let path: &String = in_turn(&stage.availabilities, number);
                get(line, path).await
            }
            Ask::Poll => self.look_up(line, *in_turn(&stage.purchases, number)).await,
            Ask::BuyAsync => self.buy(line, stage, "/api/v1/async/purchase", number).await,
            Ask::BuySync => self.buy(line, stage, "/api/v1/sync/purchase", number).await,
            Ask::Hold | Ask::HoldAsync => {
                self.become_number(stage, number);
                let headers = [RESPOND_ASYNC, ("Idempotency-Key", self.user_id.as_str())];
                // Which of the two: the array is in the order that makes them one slice.
                let first = usize::from(ask == Ask::Hold);
                let past = if stage.keys { 2 } else { 1 };
                self.post(line, "/api/v1/reservations", &headers[first..past]).await
            }
        }
    }

    /// Looks a purchase up.
    pub(crate) async fn look_up<'a>(
        &mut self,
        line: &'a mut Line,
        id: Uuid,
    ) -> Result<Answer<'a>, Broken> {
        self.path.clear();
        // Writing to memory cannot fail.
        let _ = write!(self.path, "/api/v1/purchases/{id}");
        get(line, &self.path).await
    }

    async fn buy<'a>(
        &mut self,
        line: &'a mut Line,
        stage: &Stage,
        path: &str,
        number: u64,
    ) -> Result<Answer<'a>, Broken> {
        self.become_number(stage, number);
        let headers = [("Idempotency-Key", self.user_id.as_str())];
        self.post(line, path, if stage.keys { &headers } else { &[] }).await
    }

    async fn post<'a>(
        &self,
        line: &'a mut Line,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer<'a>, Broken> {
        line.call(&Request { method: "POST", path, headers, body: &self.body }, PATIENCE).await
    }

    fn become_number(&mut self, stage: &Stage, number: u64) {
        self.user_id.clear();
        self.body.clear();
        let _ = write!(self.user_id, "ld-{}-{number}", stage.run);
        let _ = write!(
            self.body,
            r#"{{"productId":{},"quantity":1,"userId":"{}"}}"#,
            in_turn(&stage.products, number),
            self.user_id
        );
    }
}

async fn get<'a>(line: &'a mut Line, path: &str) -> Result<Answer<'a>, Broken> {
    line.call(&Request { method: "GET", path, headers: &[], body: b"" }, PATIENCE).await
}
