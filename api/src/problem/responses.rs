//! Problems as the OpenAPI document lists them, one per status.

use utoipa::ToResponse;

use super::document::ProblemDocument;

macro_rules! responses {
    ($($name:ident = $description:literal;)+) => {
        $(
            #[doc = concat!("`", stringify!($name), "` in the `OpenAPI` document.")]
            #[derive(ToResponse)]
            #[response(description = $description, content_type = "application/problem+json")]
            #[allow(dead_code)] // Never made: it only describes.
            pub struct $name(ProblemDocument);
        )+
    };
}

responses! {
    Invalid = "INVALID_REQUEST: every fault is listed in details.faults.";
    Unauthenticated = "UNAUTHENTICATED: no access token or API key, or one that is not believed.";
    NoSuchProduct = "PRODUCT_NOT_FOUND: there is no such product.";
    NeverIssued = "PURCHASE_NOT_FOUND: this tracking ID was never issued.";
    NoSuchOrder = "ORDER_NOT_FOUND: there is no such order.";
    NoSuchReservation = "RESERVATION_NOT_FOUND: there is no such reservation.";
    Forbidden = "FORBIDDEN: it belongs to another user, or these credentials do not allow it. CHALLENGE_REQUIRED: buyers must pass a challenge first. PASS_REQUIRED, PASS_EXPIRED: the sale has a waiting room (details.flashSaleId).";
    UserTaken = "USER_TAKEN: another account has this name.";
    WrongCredentials = "UNAUTHENTICATED: the user, the password or the token is wrong, or its session is over.";
    InvalidTransition = "INVALID_TRANSITION: the order does not allow it where it stands; details.allowed says what it does. RESERVATION_EXPIRED: the hold ran out.";
    PaymentDeclined = "PAYMENT_DECLINED: the payment was declined; details.status says whether the units are still held.";
    BadSignature = "UNAUTHENTICATED: the signature is missing, wrong, or too old.";
    Refused = "A rule refuses it: OUT_OF_STOCK, LIMIT_REACHED, ALREADY_PURCHASED, SALE_NOT_STARTED, SALE_ENDED, SALE_CANCELLED, PRODUCT_INACTIVE. details.trackingId names the row where one was written.";
    NoSuchSale = "SALE_NOT_FOUND: there is no such sale.";
    NoSuchLine = "SALE_NOT_FOUND: there is no such sale. NO_WAITING_ROOM: nobody waits for it. NOT_IN_QUEUE: nobody stands in line with this ticket or name.";
    SaleConflict = "SALE_OVERLAP: another sale of the product (details.saleId) is at the same time. SALE_FIXED: it is over, called off or has begun (details.status). SALE_TAKEN: it has sold or holds more units than that (details.taken).";
    NoSuchLetter = "DEAD_LETTER_NOT_FOUND: there is no such dead letter.";
    LetterConflict = "NOT_REPLAYABLE: nothing of it can be settled. INVALID_TRANSITION: its order was decided already; details.status says how.";
    SkuTaken = "SKU_TAKEN: another product has this SKU.";
    StockInUse = "STOCK_IN_USE: so many units cannot be withdrawn; details.available says how many can.";
    TooLarge = "PAYLOAD_TOO_LARGE: the body is larger than 16 KiB (or as configured).";
    NotJson = "UNSUPPORTED_MEDIA_TYPE: the body is not sent as application/json.";
    KeyReused = "IDEMPOTENCY_KEY_REUSED: the key came with another request before.";
    UpgradeRequired = "UPGRADE_REQUIRED: this path speaks WebSocket only.";
    OtherOrigin = "FORBIDDEN: pages of this origin may not connect here; http.cors_origins lists those that may.";
    RateLimited = "RATE_LIMITED: too many requests by this user or from this address; details.limit says of what, Retry-After until when.";
    NotNow = "UNAVAILABLE or OVERLOADED: nothing was promised; try again after Retry-After.";
    Other = "Any other failure is a problem document too.";
}
