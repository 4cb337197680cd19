//! The demo shop: a page for people who want to see what this does. It needs no build and nothing from
//! elsewhere, and asks what every client may ask.
//!
//! | file | what |
//! |---|---|
//! | `page.js` | starts the others |
//! | `goods.js`, `cards.js` | products, their stock and sales; what is shown of them |
//! | `buying.js`, `account.js` | both ways to buy, and who is buying |
//! | `room.js` | the waiting room of a sale |
//! | `counter.js`, `stampede.js` | what an operator sees, and a crowd to look at |
//! | `api.js`, `dom.js`, `words.js` | asking, showing, wording |

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::parse::FilePath;
use crate::problem::{Problem, kind, responses};
use crate::state::Shared;

/// The page may run its own files and ask this server, nothing else: no line in it is inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal: $content_type:ident),+ $(,)?) => {
        &[$(($name, $content_type, include_str!(concat!("page/", $name)))),+]
    };
}

const FILES: &[(&str, &str, &str)] = files! {
    "page.css": CSS,
    "page.js": JAVASCRIPT,
    "account.js": JAVASCRIPT,
    "api.js": JAVASCRIPT,
    "buying.js": JAVASCRIPT,
    "cards.js": JAVASCRIPT,
    "counter.js": JAVASCRIPT,
    "dom.js": JAVASCRIPT,
    "goods.js": JAVASCRIPT,
    "room.js": JAVASCRIPT,
    "stampede.js": JAVASCRIPT,
    "words.js": JAVASCRIPT,
};

/// How the page is told that names of buyers are believed.
const TOKENS: &str = r#"data-users="tokens""#;
const BELIEVED: &str = r#"data-users="believed""#;

/// A file with the name of its contents, by which a browser sees that it has them.
struct File {
    name: &'static str,
    content_type: &'static str,
    contents: String,
    etag: HeaderValue,
}

impl File {
    fn new(name: &'static str, content_type: &'static str, contents: String) -> Self {
        let hash = Sha256::digest(&contents);
        let start = hash.first_chunk().map_or(0, |start| u128::from_be_bytes(*start));
        let etag = HeaderValue::try_from(format!("\"{start:032x}\""));
        let etag = etag.unwrap_or(HeaderValue::from_static("\"\""));
        Self { name, content_type, contents, etag }
    }

    fn answer(&'static self, headers: &HeaderMap) -> Response {
        let had = headers.get(header::IF_NONE_MATCH).and_then(|had| had.to_str().ok());
        // A proxy that compresses calls it weak.
        let names = |had: &str| had.trim().trim_start_matches("W/") == self.etag;
        let had = had.is_some_and(|had| had.split(',').any(names));
        // Kept, and asked about every time: a new version shows at once.
        let kept = [
            (header::ETAG, self.etag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        if had {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        let content_type = HeaderValue::from_static(self.content_type);
        (kept, [(header::CONTENT_TYPE, content_type)], self.contents.as_str()).into_response()
    }
}

static INDEX: LazyLock<[File; 2]> = LazyLock::new(|| {
    let html = include_str!("page/index.html");
    [html.to_owned(), html.replacen(TOKENS, BELIEVED, 1)].map(|html| File::new("", HTML, html))
});

static PARTS: LazyLock<Vec<File>> = LazyLock::new(|| {
    let icon = ("icon.svg", "image/svg+xml", include_str!("page/icon.svg"));
    let all = FILES.iter().chain([&icon]);
    all.map(|&(name, content_type, text)| File::new(name, content_type, text.to_owned())).collect()
});

/// The demo shop as a page
///
/// 404 where `http.page` is off.
#[utoipa::path(
    get,
    path = "/",
    tag = "Operations",
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 304, description = "The client has it"),
        (status = "default", response = responses::Other),
    )
)]
pub async fn page(State(app): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    shown(&app)?;
    Ok(INDEX[usize::from(app.gatekeeper.open())].answer(&headers))
}

/// A file of the page
#[utoipa::path(
    get,
    path = "/page/{file}",
    tag = "Operations",
    params(("file" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/css"),
            (String = "text/javascript"),
            (String = "image/svg+xml"),
        )),
        (status = 304, description = "The client has it"),
        (status = "default", response = responses::Other),
    )
)]
pub async fn file(
    State(app): State<Shared>,
    FilePath(name): FilePath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    shown(&app)?;
    let found = PARTS.iter().find(|file| file.name == name);
    found.map(|file| file.answer(&headers)).ok_or_else(|| Problem::plain(kind::NOT_FOUND))
}

fn shown(app: &Shared) -> Result<(), Problem> {
    if app.http.page { Ok(()) } else { Err(Problem::plain(kind::NOT_FOUND)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_told_whether_names_are_believed() {
        let [tokens, believed] = &*INDEX;
        assert!(tokens.contents.contains(TOKENS) && !tokens.contents.contains(BELIEVED));
        assert!(believed.contents.contains(BELIEVED) && !believed.contents.contains(TOKENS));
        assert_ne!(tokens.etag, believed.etag);
    }

    #[test]
    fn whatever_a_file_asks_for_is_served() {
        for text in [&INDEX[0]].into_iter().chain(&*PARTS).map(|file| &file.contents) {
            let imported = text.split("from \"./").skip(1);
            let linked = text.split("\"/page/").skip(1);
            for rest in imported.chain(linked) {
                let name = rest.split('"').next().unwrap();
                assert!(PARTS.iter().any(|file| file.name == name), "{name}");
            }
            assert!(!text.contains("innerHTML"), "what a server says is text");
        }
    }
}
