//! The demo shop of `doorbuster dev` in a real browser.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic is how a test fails.

#[path = "page/browser.rs"]
mod browser;
mod support;

use browser::Browser;
use serde_json::{Value, json};
use support::{Client, Program, eventually, free_port, ready};
use thirtyfour::prelude::*;

/// A shop of its own, and the page of it.
struct Shop {
    _program: Program,
    api: Client,
    browser: Browser,
}

impl Shop {
    async fn open() -> Self {
        Self::with(&[]).await
    }

    async fn with(environment: &[(&str, &str)]) -> Self {
        let addr = format!("127.0.0.1:{}", free_port());
        let environment: Vec<_> = [("DOORBUSTER__LOG__LEVEL", "warn")]
            .iter()
            .chain(environment)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let program = Program::start("doorbuster", &["dev", "--addr", &addr], &environment);
        let api = Client::new(format!("http://{addr}"));
        ready(&api).await;
        let browser = Browser::open(&format!("{}/", api.base)).await;
        browser.shown("[data-sku=PHONE-15] .name").await;
        Self { _program: program, api, browser }
    }

    /// What the API says of a product's stock.
    async fn stock(&self, sku: &str) -> Value {
        self.api.get(&format!("/api/v1/products/{sku}/availability")).await.body
    }

    /// Buys one, and waits for the outcome on the page.
    async fn buy(&self, sku: &str, way: &str) {
        let selector = format!("[data-sku={sku}] button[value={way}]");
        self.browser.click(&selector).await;
        let outcome = format!("[data-sku={sku}] .outcome");
        self.browser.text(&outcome, |text| text.starts_with("Yours, after ")).await;
    }
}

#[tokio::test]
async fn the_page_shows_the_shop_and_asks_nobody_else() {
    let Shop { api, browser, .. } = &Shop::open().await;
    assert_eq!(browser.page.title().await.unwrap(), "Doorbuster: the demo shop");
    for (sku, state, price) in [
        ("PHONE-15", "plain", "$999.00"),
        ("SNEAKER-AIR", "on", "$129.00"),
        ("TICKET-FINAL", "upcoming", "$90.00"),
        ("POSTER-SIGNED", "plain", "$45.00"),
    ] {
        let card = browser.shown(&format!("[data-sku={sku}][data-state={state}]")).await;
        let shown = card.find(By::Css(".price")).await.unwrap().text().await.unwrap();
        assert_eq!(shown, price, "{sku}");
    }
    let opens = browser.shown("[data-sku=TICKET-FINAL] .opens").await.text().await.unwrap();
    assert!(opens.starts_with("Opens in "), "{opens}");
    browser.text("#live-words", |text| text == "Live").await;

    let asked = browser.asked().await;
    let host = api.base.trim_start_matches("http://");
    assert!(asked.iter().any(|url| url.ends_with("/page/page.js")), "{asked:?}");
    for url in asked {
        let url = url.trim_start_matches("http://").trim_start_matches("ws://");
        assert!(url.starts_with(&format!("{host}/")), "{url}");
    }
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test]
async fn it_can_be_read_by_everybody_on_every_screen() {
    let shop = Shop::open().await;
    shop.buy("PHONE-15", "async").await;
    shop.buy("PHONE-15", "sync").await;
    shop.browser.run("document.getElementById('counter').scrollIntoView()").await;
    shop.browser.shown("#outcomes [data-code=CONFIRMED]").await;
    for (width, height) in [(1280, 900), (390, 844), (320, 640)] {
        for scheme in ["light", "dark"] {
            shop.browser.screen(width, height, scheme).await;
            let wrong = shop.browser.look().await;
            assert!(wrong.is_empty(), "{width} by {height}, {scheme}: {wrong:#?}");
        }
    }
}

#[tokio::test]
async fn either_way_of_buying_ends_and_the_stock_goes_down_by_itself() {
    let shop = Shop::open().await;
    let browser = &shop.browser;
    // A mark that a page loaded anew would not have.
    browser.run("document.body.dataset.mark = 'still here'").await;
    let left = "[data-sku=SNEAKER-AIR] .units";
    browser.text(left, |text| text == "150 of 150 left").await;

    shop.buy("SNEAKER-AIR", "async").await;
    browser.text(left, |text| text == "149 of 150 left").await;
    shop.buy("SNEAKER-AIR", "sync").await;
    browser.text(left, |text| text == "148 of 150 left").await;
    // Somebody else buys, elsewhere.
    let other = json!({"sku": "SNEAKER-AIR", "quantity": 2, "userId": "somebody else"});
    assert_eq!(shop.api.post("/api/v1/sync/purchase", &[], other).await.status, 200);
    browser.text(left, |text| text == "146 of 150 left").await;
    browser.shown("body[data-mark='still here']").await;

    // The API has what the page says: two purchases of one buyer, by their tracking IDs.
    let user = browser.run("return document.getElementById('user').value").await;
    for way in ["async", "sync"] {
        let item = format!("#bought [data-way={way}][data-status=CONFIRMED]");
        let timing = browser.shown(&format!("{item} .timing")).await.text().await.unwrap();
        assert!(timing.contains("final after "), "{timing}");
        let link = browser.shown(&format!("{item} a")).await.attr("href").await.unwrap().unwrap();
        let bought = shop.api.get(&link).await.body;
        assert_eq!((&bought["status"], &bought["userId"]), (&"CONFIRMED".into(), &user));
        browser.text(&format!("#compare [data-way={way}] td:last-child"), |n| n == "1").await;
    }
    // A third is over the limit of the sale, and says so.
    browser.click("[data-sku=SNEAKER-AIR] button[value=sync]").await;
    let refused =
        browser.text("[data-sku=SNEAKER-AIR] .outcome", |t| t.starts_with("Refused")).await;
    assert_eq!(refused, "Refused: over the limit per buyer.");
    browser.text("#bought li:first-child .badge", |text| text == "over the limit per buyer").await;
    let said = browser.run("return document.getElementById('said').textContent").await;
    assert_eq!(said, "Air sneaker: Refused: over the limit per buyer.");
}

#[tokio::test]
async fn a_stampede_is_summed_up_as_the_api_counts_it() {
    let shop = Shop::open().await;
    let browser = &shop.browser;
    browser.run("document.getElementById('counter').scrollIntoView()").await;
    // The sale that is on is chosen already.
    browser.click("#stampede-go").await;
    browser.shown("#summary").await;
    let count = async |name: &str| -> i64 {
        let selector = format!("#summary [data-count={name}]");
        let shown = browser.shown(&selector).await.attr("data-n").await.unwrap();
        shown.unwrap().parse().unwrap()
    };
    let [sent, accepted, refused, sold] =
        [count("sent").await, count("accepted").await, count("refused").await, count("sold").await];
    assert_eq!((sent, sold, refused), (200, 150, 50));
    assert!((sold..=sent).contains(&accepted), "{accepted} accepted");
    let stock = shop.stock("SNEAKER-AIR").await;
    assert_eq!((&stock["soldCount"], &stock["isAvailable"]), (&sold.into(), &false.into()));
    let (left, state) =
        ("[data-sku=SNEAKER-AIR] .units", "[data-sku=SNEAKER-AIR][data-state=gone]");
    browser.text(left, |text| text == "0 of 150 left").await;
    browser.shown(state).await;
    browser.text("#watched-now", |text| text == "0 of 150 left").await;
    // The operator sees the same from the metrics.
    for name in ["accepted", "refused", "settled", "depth"] {
        let tile = format!("#tiles [data-tile={name}] dd");
        browser.text(&tile, |shown| shown.starts_with(|first: char| first.is_ascii_digit())).await;
    }
    browser.text("#outcomes [data-code=CONFIRMED] .n", |text| text == "150").await;
}

#[tokio::test]
async fn whoever_waits_in_line_is_let_in_and_buys() {
    let shop = Shop::open().await;
    let browser = &shop.browser;
    let (join, place) = ("[data-sku=CAMERA-X] .join", "[data-sku=CAMERA-X] .place");
    let buy = browser.page.find(By::Css("[data-sku=CAMERA-X] .buy")).await.unwrap();
    assert!(!buy.is_displayed().await.unwrap(), "nobody buys past the waiting room");
    browser.click(join).await;
    browser.text(place, |text| text.starts_with("You are in. Buy within ")).await;
    shop.buy("CAMERA-X", "async").await;

    // Behind a crowd there is a line.
    browser.run("document.getElementById('counter').scrollIntoView()").await;
    browser.click("#watched option[value='7']").await;
    browser.click("#stampede-go").await;
    browser.shown("#summary").await;
    let joined = browser.shown("#summary [data-count=accepted]").await.attr("data-n").await;
    assert_eq!(joined.unwrap().unwrap(), "200");
    let user = browser.shown("#user").await;
    user.clear().await.unwrap();
    user.send_keys("somebody else").await.unwrap();
    browser.click(join).await;
    browser.text(place, |text| text.starts_with("You are number ")).await;
    browser.click("[data-sku=CAMERA-X] .leave").await;
    browser.shown(join).await;
}

#[tokio::test]
async fn the_keyboard_is_enough_to_buy() {
    let shop = Shop::open().await;
    let browser = &shop.browser;
    browser.run("document.body.tabIndex = -1; document.body.focus()").await;
    let wanted = "return document.activeElement.closest('[data-sku=PHONE-15]') !== null \
                  && document.activeElement.value === 'async'";
    let mut presses = 0;
    while browser.run(wanted).await != true {
        presses += 1;
        assert!(presses < 30, "the button is not reached");
        press(browser, Key::Tab).await;
    }
    let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle").await;
    assert_eq!(outline, "solid", "the focus is not seen");
    press(browser, Key::Enter).await;
    browser.text("[data-sku=PHONE-15] .outcome", |text| text.starts_with("Yours")).await;
    assert_eq!(browser.run(wanted).await, true, "the focus was lost");
    eventually("the outcome is said", async || {
        let said = browser.run("return document.getElementById('said').textContent").await;
        said.as_str().unwrap().starts_with("Phone 15: Yours").then_some(())
    })
    .await;
}

async fn press(browser: &Browser, key: Key) {
    browser.page.action_chain().send_keys(key).perform().await.unwrap();
}

#[tokio::test]
async fn where_names_are_not_believed_people_log_in() {
    let shop = Shop::with(&[("DOORBUSTER__AUTH__MODE", "jwt")]).await;
    let browser = &shop.browser;
    assert!(!browser.page.find(By::Id("user")).await.unwrap().is_displayed().await.unwrap());
    assert!(!browser.page.find(By::Id("stampede")).await.unwrap().is_displayed().await.unwrap());
    browser.click("[data-sku=PHONE-15] button[value=async]").await;
    browser.shown("#name").await.send_keys("zoë").await.unwrap();
    browser.shown("#password").await.send_keys("correct horse battery").await.unwrap();
    let wrong = browser.look().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    browser.click("#log-in-form [value=login]").await;
    browser.text("#log-in-wrong", |text| !text.is_empty()).await;
    browser.click("#log-in-form [value=register]").await;
    browser.text("#account", |text| text == "zoë").await;
    shop.buy("PHONE-15", "async").await;
    shop.buy("PHONE-15", "sync").await;
    // Nothing of it outlives the page.
    let kept = browser.run("return JSON.stringify([{...localStorage}, {...sessionStorage}])").await;
    assert_eq!(kept, "[{},{}]");
    browser.click("#log-out").await;
    browser.shown("#to-log-in").await;
}
