//! A browser, driven by chromedriver. Both end with the test, however it ends.

use std::io::{BufRead, BufReader};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use shared::testing::eventually;
use thirtyfour::prelude::*;
use thirtyfour::{ChromiumLikeCapabilities, LoggingPrefsLogLevel};

const MISSING: &str = "is missing: the tests of the page need a browser. \
    Install it with  sudo apt-get install chromium chromium-driver";

pub(crate) struct Browser {
    /// Not dropped: it would wait for an answer of a chromedriver that is gone by then.
    pub(crate) page: ManuallyDrop<WebDriver>,
    chromedriver: Child,
    profile: PathBuf,
}

/// What the page says of itself, found by a script.
const LOOK: &str = include_str!("look.js");

impl Browser {
    pub(crate) async fn open(url: &str) -> Self {
        let chromium = find("chromium");
        let mut chromedriver = Command::new(find("chromedriver"))
            .args(["--port=0", "--log-level=SEVERE"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let port = port_of(&mut chromedriver);
        let profile = std::env::temp_dir().join(format!("doorbuster-page-{}", chromedriver.id()));
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(chromium.to_str().unwrap()).unwrap();
        for arg in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--disable-sync",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", profile.display()),
        ] {
            wanted.add_arg(arg).unwrap();
        }
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        wanted.set_logging_prefs("performance", LoggingPrefsLogLevel::All).unwrap();
        let driver = format!("http://127.0.0.1:{port}");
        let page = WebDriver::new(&driver, wanted).await.unwrap();
        let browser = Self { page: ManuallyDrop::new(page), chromedriver, profile };
        browser.page.goto(url).await.unwrap();
        browser
    }

    /// The element that this selector finds, as soon as it is shown.
    pub(crate) async fn shown(&self, selector: &str) -> WebElement {
        eventually(&format!("{selector} is shown"), async || {
            let found = self.page.find(By::Css(selector)).await.ok()?;
            found.is_displayed().await.ok()?.then_some(found)
        })
        .await
    }

    pub(crate) async fn click(&self, selector: &str) {
        let element = self.shown(selector).await;
        // What moves under a click is clicked again.
        eventually(&format!("a click on {selector}"), async || element.click().await.ok()).await;
    }

    /// The text of what this selector finds, once `good` likes it.
    pub(crate) async fn text(&self, selector: &str, good: impl Fn(&str) -> bool) -> String {
        eventually(&format!("{selector} says what it should"), async || {
            let found = self.page.find(By::Css(selector)).await.ok()?;
            found.text().await.ok().filter(|text| good(text))
        })
        .await
    }

    /// The result of a script.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.page.execute(script, vec![]).await.unwrap().json().clone()
    }

    /// What a look at the page finds wrong with it.
    pub(crate) async fn look(&self) -> Vec<String> {
        serde_json::from_value(self.run(LOOK).await).unwrap()
    }

    /// Shows the page on a screen of this size.
    pub(crate) async fn screen(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.page.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
        self.page.cdp().send_raw("Emulation.setEmulatedMedia", scheme).await.unwrap();
    }

    /// What the page or the browser complained about.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.page.browser_log().await.unwrap();
        let said = log.into_iter().filter(|entry| entry.level != "INFO" && entry.level != "DEBUG");
        said.map(|entry| entry.message).collect()
    }

    /// The addresses of everything that was asked for, but for what the browser's own first page wanted.
    pub(crate) async fn asked(&self) -> Vec<String> {
        let log = self.page.get_log("performance").await.unwrap();
        let events = log.iter().map(|entry| serde_json::from_str::<Value>(&entry.message).unwrap());
        let url = |event: Value| {
            let (method, params) = (&event["message"]["method"], &event["message"]["params"]);
            let url = match method.as_str()? {
                "Network.requestWillBeSent"
                    if params["documentURL"].as_str()?.starts_with("http") =>
                {
                    &params["request"]["url"]
                }
                "Network.webSocketCreated" => &params["url"],
                _ => return None,
            };
            url.as_str().map(str::to_owned)
        };
        events.filter_map(url).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        for pid in family(self.chromedriver.id()) {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
        let _ = self.chromedriver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// A program of this name on the PATH.
fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} {MISSING}"))
}

/// The free port that chromedriver chose, from what it prints.
fn port_of(chromedriver: &mut Child) -> u16 {
    let mut lines = BufReader::new(chromedriver.stdout.take().unwrap()).lines();
    let said = lines.find_map(|line| {
        let line = line.ok()?;
        line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
    });
    // It may go on printing.
    std::thread::spawn(move || lines.for_each(drop));
    said.expect("chromedriver says on which port it listens")
}

/// A process and all that descend from it, as /proc has them.
fn family(ancestor: u32) -> Vec<u32> {
    let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        // pid (name) state parent …
        let pid: u32 = stat.split(' ').next()?.parse().ok()?;
        let parent: u32 = stat.rsplit(')').next()?.split(' ').nth(2)?.parse().ok()?;
        Some((pid, parent))
    });
    let parents: Vec<_> = stats.collect();
    let mut family = vec![ancestor];
    let mut at = 0;
    while at < family.len() {
        let children = parents.iter().filter(|(_, parent)| *parent == family[at]);
        let children: Vec<_> = children.map(|(pid, _)| *pid).collect();
        family.extend(children);
        at += 1;
    }
    family
}
