//! A place in line as its owner is shown it.

use serde::Serialize;
use shared::domain::room::Ticket;
use shared::domain::{ProductId, SaleId, Timestamp, UserId};
use shared::pipeline::waiting_room::{Place, RoomState, Stage};
use utoipa::ToSchema;

use super::text::Moment;

/// Where somebody stands in the line of a sale.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlaceView {
    /// The sale.
    #[schema(value_type = i64, minimum = 1, example = 7)]
    pub flash_sale_id: SaleId,
    /// What it sells.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    pub product_id: ProductId,
    /// Whose place it is.
    #[schema(value_type = String, example = "u-1")]
    pub user_id: UserId,
    /// `PRE_QUEUE`: the line has no order before the sale opens. `WAITING`. `ADMITTED`: buy, with the pass.
    /// `MISSED`: called and not there, or the pass has run out; join again. `SOLD_OUT`: what is given back
    /// goes on being sold. `ENDED`, `CANCELLED`: the sale. `LIFTED`: there is no line any more.
    #[schema(schema_with = super::schema::queue_status)]
    pub status: &'static str,
    /// 1 is next; null where nobody waits.
    #[schema(minimum = 1, example = 42)]
    pub position: Option<u64>,
    /// So many are called before.
    #[schema(minimum = 0, example = 41)]
    pub ahead: Option<u64>,
    /// How long that may take, as fast as the line moves now; null where it does not move.
    #[schema(minimum = 0, example = 12)]
    pub estimated_wait_seconds: Option<u64>,
    /// So many numbers were called so far.
    #[schema(minimum = 0, example = 120)]
    pub now_serving: u64,
    /// Proof of the place. Send it as `X-Queue-Ticket`.
    #[schema(example = "dAAAAAAAAAAH")]
    pub ticket: String,
    /// Leave to buy once. Send it as `X-Queue-Pass` with the purchase.
    pub pass: Option<String>,
    /// Until when.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub pass_expires_at: Option<Moment>,
    /// Who is not heard of for so long loses the place: ask again sooner, or stay connected.
    #[schema(minimum = 5, example = 45)]
    pub patience_seconds: u32,
    /// When the line was so.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    pub as_of: Moment,
    /// When it was told.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    pub server_time: Moment,
}

impl PlaceView {
    /// The place of `ticket` (as `text`) in a line in this state; `pass` is its text once there is one.
    pub fn new(
        ticket: &Ticket,
        text: String,
        product_id: ProductId,
        (state, place): (&RoomState, &Place),
        pass: Option<String>,
        now: Timestamp,
    ) -> Self {
        let mut view = Self {
            flash_sale_id: ticket.sale_id,
            product_id,
            user_id: ticket.user_id.clone(),
            status: status(state.stage, place),
            position: None,
            ahead: None,
            estimated_wait_seconds: None,
            now_serving: state.line.admitted,
            ticket: text,
            pass,
            pass_expires_at: None,
            patience_seconds: state.rules.patience_seconds,
            as_of: Moment(Timestamp::from_millis(state.line.now_ms)),
            server_time: Moment(now),
        };
        match place {
            Place::Waiting { ahead, estimate } => {
                view.position = Some(ahead + 1);
                view.ahead = Some(*ahead);
                view.estimated_wait_seconds = estimate.map(|wait| wait.as_secs());
            }
            Place::Inside(pass) => view.pass_expires_at = Some(Moment(pass.expires_at)),
            Place::Early | Place::Missed => {}
        }
        view
    }

    /// Whether nothing can change any more without joining again.
    pub fn is_over(&self) -> bool {
        matches!(self.status, "MISSED" | "ENDED" | "CANCELLED" | "LIFTED")
    }

    /// Whether it says nothing new to its owner.
    pub fn same_place(&self, other: &Self) -> bool {
        (self.status, self.position, &self.pass) == (other.status, other.position, &other.pass)
    }
}

/// Every status, in the order of a life.
pub(super) const STATUSES: [&str; 8] =
    ["PRE_QUEUE", "WAITING", "ADMITTED", "MISSED", "SOLD_OUT", "ENDED", "CANCELLED", "LIFTED"];

fn status(stage: Stage, place: &Place) -> &'static str {
    match (stage, place) {
        (Stage::Ended, _) => "ENDED",
        (Stage::Cancelled, _) => "CANCELLED",
        (Stage::Lifted, _) => "LIFTED",
        (_, Place::Inside(_)) => "ADMITTED",
        (Stage::SoldOut, _) => "SOLD_OUT",
        (_, Place::Missed) => "MISSED",
        (_, Place::Early) => "PRE_QUEUE",
        (_, Place::Waiting { .. }) => "WAITING",
    }
}

/// A place that was given up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftView {
    /// The sale.
    #[schema(value_type = i64, minimum = 1, example = 7)]
    pub flash_sale_id: SaleId,
    /// Whose place it was.
    #[schema(value_type = String, example = "u-1")]
    pub user_id: UserId,
    /// `LEFT`.
    #[schema(example = "LEFT")]
    pub status: &'static str,
}
