//! One of our programs as a process. Killed when the test ends, however it ends.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub struct Program {
    child: Child,
}

/// `doorbuster` is built for these tests; its siblings lie beside it.
pub fn binary(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_doorbuster")).with_file_name(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace`", path.display());
    path
}

impl Program {
    pub fn start(name: &str, args: &[&str], environment: &[(String, String)]) -> Self {
        let child = Command::new(binary(name))
            .args(args)
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child }
    }

    /// Runs a program to its end; its standard output.
    pub fn run(
        name: &str,
        args: &[&str],
        environment: &[(String, String)],
    ) -> (ExitStatus, String) {
        Self::run_with(name, args, environment, "")
    }

    /// The same, with something to read.
    pub fn run_with(
        name: &str,
        args: &[&str],
        environment: &[(String, String)],
        input: &str,
    ) -> (ExitStatus, String) {
        let mut child = Command::new(binary(name))
            .args(args)
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        // Whoever does not read it may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        (output.status, String::from_utf8(output.stdout).unwrap())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and the exit status that follows within 30 seconds.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "it did not stop on SIGTERM");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
