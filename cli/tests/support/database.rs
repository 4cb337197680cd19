//! A whole database of a drill's own, backed up and restored with PostgreSQL's own tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use shared::testing::postgres::URL_VARIABLE;

/// Dropped with the drill.
pub struct Database {
    name: String,
    server: String,
}

/// A backup in a file, removed when dropped.
pub struct Backup(PathBuf);

impl Database {
    /// Makes an empty one.
    pub fn create() -> Self {
        let server = std::env::var(URL_VARIABLE).expect("the servers of scripts/services");
        let name = format!("drill_{}_{:08x}", std::process::id(), rand::random::<u32>());
        let database = Self { name, server };
        database.on_the_server(&format!("create database {} template template0", database.name));
        database
    }

    pub fn url(&self) -> String {
        self.url_of(&self.name)
    }

    /// Runs SQL; its first column, line by line.
    pub fn run(&self, sql: &str) -> Vec<String> {
        psql(&self.url(), sql)
    }

    pub fn back_up(&self) -> Backup {
        let backup = Backup(std::env::temp_dir().join(format!("{}.dump", self.name)));
        let file = format!("--file={}", backup.0.display());
        tool("pg_dump", &["--format=custom", &file, &self.url()]);
        backup
    }

    /// Restores `backup` beside the database, which goes on meanwhile; the URL of what is restored.
    pub fn restore_aside(&self, backup: &Backup) -> String {
        let restored = format!("{}_restored", self.name);
        self.on_the_server(&format!("create database {restored} template template0"));
        let url = self.url_of(&restored);
        let into = format!("--dbname={url}");
        tool("pg_restore", &["--exit-on-error", "--no-owner", &into, &backup.0.to_string_lossy()]);
        psql(&url, "analyze orders, inventory, products, sales, buyers");
        url
    }

    /// Puts what was restored in the place of the database, whoever is connected to that.
    pub fn swap(&self) {
        let name = &self.name;
        self.on_the_server(&format!("alter database {name} allow_connections false"));
        self.on_the_server(&format!(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}'"
        ));
        self.on_the_server(&format!("alter database {name} rename to {name}_lost"));
        self.on_the_server(&format!("alter database {name}_restored rename to {name}"));
    }

    fn url_of(&self, name: &str) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{name}")
    }

    fn on_the_server(&self, sql: &str) {
        psql(&self.server, sql);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for suffix in ["", "_restored", "_lost"] {
            let sql = format!("drop database if exists {}{suffix} with (force)", self.name);
            let _ = command("psql").args(["-Xqc", &sql, &self.server]).status();
        }
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn psql(url: &str, sql: &str) -> Vec<String> {
    let text = tool("psql", &["-XAtqv", "ON_ERROR_STOP=1", "-c", sql, url]);
    text.lines().map(str::to_owned).collect()
}

/// Runs one of PostgreSQL's programs to its end; its standard output.
fn tool(name: &str, args: &[&str]) -> String {
    let output = command(name).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {}: {error}", args.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// From the PATH, else Debian's newest.
fn command(name: &str) -> Command {
    let on_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(name).exists());
    if on_path {
        return Command::new(name);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL's programs");
    let newest = versions
        .flatten()
        .map(|entry| entry.path().join("bin").join(name))
        .filter(|program| Path::exists(program))
        .max();
    Command::new(newest.unwrap_or_else(|| panic!("{name} is missing")))
}
