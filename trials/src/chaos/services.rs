//! PostgreSQL, Redis and RabbitMQ as processes, by `scripts/services`, in a folder of their own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio::sync::Mutex;

/// Servers that nobody else uses. Stopped, with all that they hold, when dropped.
pub(super) struct Services {
    folder: PathBuf,
    /// One at a time: the script locks its folder.
    turn: Mutex<()>,
}

/// The script, in the repository that this was built from.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/services")
}

impl Services {
    /// Brings them up in `folder`.
    pub(super) async fn up(folder: &Path, replicated: bool) -> Result<Self> {
        let services = Self { folder: folder.to_owned(), turn: Mutex::default() };
        let up: &[_] = if replicated { &["up", "--replicated"] } else { &["up"] };
        services.run(up).await?;
        Ok(services)
    }

    /// Runs the script; its standard output.
    pub(super) async fn run(&self, args: &[&str]) -> Result<String> {
        let _turn = self.turn.lock().await;
        let output = Command::new(script())
            .args(args)
            .env("DOORBUSTER_SERVICES_DIR", &self.folder)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .await
            .context("scripts/services cannot be run")?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("scripts/services {}: {}", args.join(" "), told.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The URL that `scripts/services env` exports under `name`.
    pub(super) async fn url(&self, name: &str) -> Result<String> {
        let exports = self.run(&["env"]).await?;
        let export = format!("export {name}=");
        let url = exports.lines().find_map(|line| line.strip_prefix(&export));
        // The script quotes for a shell; of what a URL of its own holds only that needs a backslash.
        url.map(|url| url.replace('\\', "")).with_context(|| format!("there is no {name}"))
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let down = std::process::Command::new(script())
            .args(["down", "--wipe"])
            .env("DOORBUSTER_SERVICES_DIR", &self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !down.is_ok_and(|status| status.success()) {
            // There is nobody to hand an error to.
            let _ = writeln!(
                std::io::stderr(),
                "servers may still run: DOORBUSTER_SERVICES_DIR={} scripts/services down --wipe",
                self.folder.display()
            );
        }
    }
}
