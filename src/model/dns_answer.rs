//! What asking DNS for the TXT records or the addresses of a name can come to. Produced by `outbound::dns`, judged by
//! `protocol::dns_challenge`; the point of the type is that "there is none" and "could not find out" never mix.

/// The answer to one TXT question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxtAnswer {
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// The name exists without TXT records.
    NoRecords,
    /// The name is an alias (CNAME) of `target`, which has no TXT record or does not exist.
    EmptyAlias { target: String },
    /// The TXT values, each one record with its 255-byte strings joined; bytes outside UTF-8 are replaced.
    Found(Vec<String>),
    /// DNS could not be asked or did not say: nothing is known.
    Failed(LookupFailure),
}

/// The answer to the question for a name's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressAnswer {
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// The name exists without addresses.
    NoAddresses,
    /// All its addresses, of both families.
    Found(Vec<std::net::IpAddr>),
    /// DNS could not be asked or did not say: nothing is known.
    Failed(LookupFailure),
}

/// Why nothing is known. `Display` completes the sentence "DNS could not be asked: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupFailure {
    #[error("no name server answered in time")]
    Timeout,
    #[error("the name server answered with an error ({code})")]
    ServerFailure { code: String },
    #[error("no name server could be reached")]
    Unreachable,
    #[error("the name server's answer could not be read")]
    Unreadable,
}

impl LookupFailure {
    /// The stable code of this failure for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout => "dns_timeout",
            Self::ServerFailure { .. } => "dns_server_failure",
            Self::Unreachable => "dns_unreachable",
            Self::Unreadable => "dns_unreadable",
        }
    }
}
