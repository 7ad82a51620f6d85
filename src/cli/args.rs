//! What each sub-command takes, apart from what it does.
//!
//! The help texts here are what a user reads first; an argument without one is a mistake.

use clap::{Args, Subcommand};

/// `postern config …`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Say that all is fine, or name everything that is not
    Check,
    /// Print every value with the place it came from, secrets hidden
    Show,
}

/// `postern serve`
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {}

/// `postern demo`
#[derive(Debug, Clone, Default, Args)]
pub struct DemoArgs {
    /// End after the tour instead of staying up
    #[arg(long)]
    pub exit: bool,
}

/// `postern migrate …`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum MigrateCommand {
    /// Bring the schema to this version
    Up,
    /// Show which steps have run and which are due
    Status,
    /// Undo the last steps; what they had added is lost
    Down {
        /// How many
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
}

/// `postern sso …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum SsoCommand {
    /// Let the people of an organization in by other ways than SAML again; its owners are told who did it and why
    ///
    /// For an organization whose identity provider lets nobody in who could switch enforcement off: sso_required of the
    /// organization and sso_enforcement of all its domains are switched off in one step, whether they have started or
    /// not. Connections, links and guests stay as they are.
    Lift {
        /// Its id, such as org_01h455vb4pex5vsknk084sn02q
        #[arg(long, value_name = "ID")]
        organization: String,
        /// Why, for the owners and the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who lifts it, for the owners and the audit log
        #[arg(long, value_name = "NAME", default_value = "the operator")]
        by: String,
    },
}

/// `postern operator-key …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum OperatorKeyCommand {
    /// Make a key that reaches every organization; its secret is all that goes to standard output
    Create {
        /// What the key is for, to recognize it by
        #[arg(long)]
        name: String,
    },
    /// List the keys, without their secrets
    List,
    /// Make a key worthless at once
    Revoke {
        /// Its id, as `list` shows it
        id: String,
    },
}
