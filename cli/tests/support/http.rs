//! A client as a shop would write it.

use serde_json::{Value, json};

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// A text field of the body.
    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

#[derive(Clone)]
pub struct Client {
    pub base: String,
    http: reqwest::Client,
}

impl Client {
    pub fn new(base: String) -> Self {
        Self { base, http: reqwest::Client::new() }
    }

    /// Sends a request; `None` when there is nobody to answer it.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Option<Answer> {
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.ok()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some(Answer { status, headers, body })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.try_send("GET", path, &[], None).await.expect("an answer")
    }

    /// A metric that the program serves under `/metrics`; none where it was never recorded.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let answer = self.try_send("GET", "/metrics", &[], None).await?;
        let text = answer.body.as_str()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value?.parse().ok()
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        self.try_send("POST", path, headers, Some(body)).await.expect("an answer")
    }

    /// Adds a product with `stock` units; its number.
    pub async fn add_product(&self, sku: &str, stock: i64) -> i64 {
        let body = json!({"sku": sku, "name": sku, "basePrice": "9.99", "currency": "USD",
            "totalInventory": stock});
        let key = [("x-api-key", super::API_KEY)];
        let answer = self.post("/api/v1/products", &key, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["productId"].as_i64().unwrap()
    }

    /// One purchase either way.
    pub async fn buy(&self, mode: &str, product: i64, user: &str) -> Answer {
        let body = json!({"productId": product, "quantity": 1, "userId": user});
        self.post(&format!("/api/v1/{mode}/purchase"), &[], body).await
    }

    /// Follows a tracking ID until it is decided.
    pub async fn outcome(&self, id: &str) -> Value {
        super::eventually(&format!("an outcome of {id}"), async || {
            let path = format!("/api/v1/purchases/{id}?wait=5");
            let answer = self.try_send("GET", &path, &[], None).await?;
            let open = matches!(answer.body["status"].as_str(), None | Some("QUEUED" | "PARKED"));
            (answer.status == 200 && !open).then_some(answer.body)
        })
        .await
    }
}
