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
    key: String,
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
            Ask::BuyAsync => self.buy(line, stage, "/api/v1/async/purchase", None, number).await,
            Ask::BuySync => self.buy(line, stage, "/api/v1/sync/purchase", None, number).await,
            Ask::Hold | Ask::HoldAsync => {
                let prefer = (ask == Ask::HoldAsync).then_some(RESPOND_ASYNC);
                self.buy(line, stage, "/api/v1/reservations", prefer, number).await
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
        prefer: Option<(&str, &str)>,
        number: u64,
    ) -> Result<Answer<'a>, Broken> {
        self.become_number(stage, number);
        let key = stage.keys.then_some(("Idempotency-Key", self.key.as_str()));
        let token = stage.buyer(number).and_then(|buyer| buyer.authorization.as_deref());
        let token = token.map(|token| ("Authorization", token));
        let mut headers = [("", ""); 3];
        let mut count = 0;
        for header in [prefer, key, token].into_iter().flatten() {
            headers[count] = header;
            count += 1;
        }
        let headers = &headers[..count];
        line.call(&Request { method: "POST", path, headers, body: &self.body }, PATIENCE).await
    }

    /// A buyer that nobody else is, or the next of those who come again.
    fn become_number(&mut self, stage: &Stage, number: u64) {
        self.key.clear();
        self.body.clear();
        let _ = write!(self.key, "ld-{}-{number}", stage.run);
        let user_id = stage.buyer(number).map_or(self.key.as_str(), |buyer| buyer.user_id.as_str());
        let _ = write!(
            self.body,
            r#"{{"productId":{},"quantity":1,"userId":"{user_id}"}}"#,
            in_turn(&stage.products, number),
        );
    }
}

async fn get<'a>(line: &'a mut Line, path: &str) -> Result<Answer<'a>, Broken> {
    line.call(&Request { method: "GET", path, headers: &[], body: b"" }, PATIENCE).await
}
