//! Who is noted in the audit log for what a command does.

use clap::Args;
use shared::domain::Actor;

#[derive(Debug, Args)]
pub(crate) struct Who {
    /// Who is noted in the audit log
    #[arg(long = "as", value_name = "NAME", env = "USER", default_value = "cli")]
    who: String,
}

impl Who {
    pub(crate) fn actor(&self) -> Actor {
        Actor::local(format!("cli:{}", self.who))
    }
}
