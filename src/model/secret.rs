//! Secrets that are shown once: API keys, operator keys, SCIM tokens, invite links, session cookies.
//!
//! A token reads `pstn_KIND_` + 32 characters (160 random bits) + 6 characters of checksum, so that a scanner can
//! recognise it and a typing error is refused before the database is asked (rule 16). Only its SHA-256 is stored:
//! [`TokenHash`] is made in this file alone. The random part is long enough that a plain hash cannot be searched.

use super::random::Random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::sha::Sha256;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BODY: usize = 32;
const CHECK: usize = 6;

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// The operator's key: the REST API, all organizations.
    OperatorKey,
    /// An organization's API key.
    ApiKey,
    /// A SCIM token of a directory.
    ScimToken,
    /// The secret of an OAuth client of a directory.
    ScimClientSecret,
    /// An access token of an OAuth client of a directory.
    ScimAccessToken,
    /// The link of an invite.
    InviteLink,
    /// The link of a test sign-in.
    TestLink,
    /// A session cookie.
    Session,
    /// The cookie that binds a sign-in attempt to a browser.
    Browser,
}

impl TokenKind {
    /// What the token starts with; never changed once released.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::OperatorKey => "pstn_op_",
            Self::ApiKey => "pstn_key_",
            Self::ScimToken => "pstn_scim_",
            Self::ScimClientSecret => "pstn_scs_",
            Self::ScimAccessToken => "pstn_sat_",
            Self::InviteLink => "pstn_inv_",
            Self::TestLink => "pstn_tst_",
            Self::Session => "pstn_ses_",
            Self::Browser => "pstn_bro_",
        }
    }
}

/// A secret in the clear. Prints as dots; [`Token::reveal`] is for the one answer that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    kind: TokenKind,
    text: String,
}

impl Drop for Token {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.text);
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}…", self.kind.prefix())
    }
}

fn base32(bits: &[u8], characters: usize) -> String {
    (0..characters)
        .map(|i| {
            let at = i * 5;
            let high = u16::from(bits.get(at / 8).copied().unwrap_or(0)) << 8;
            let low = u16::from(bits.get(at / 8 + 1).copied().unwrap_or(0));
            let index = ((high | low) >> (11 - at % 8)) & 31;
            char::from(ALPHABET[usize::from(index)])
        })
        .collect()
}

/// SHA-256 without the search for a provider that OpenSSL 3's one-call function begins with: this runs once or twice
/// in every request.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

fn checksum(text: &str) -> String {
    base32(&sha256(text.as_bytes()), CHECK)
}

impl Token {
    /// A new secret of this kind.
    pub fn generate(kind: TokenKind, random: &dyn Random) -> Self {
        let mut bytes = [0_u8; 20];
        random.fill(&mut bytes);
        let mut text = format!("{}{}", kind.prefix(), base32(&bytes, BODY));
        text.push_str(&checksum(&text));
        Self { kind, text }
    }

    /// Reads a presented secret; `None` if it is not one of this kind or its checksum is wrong.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(kind.prefix())?;
        if rest.len() != BODY + CHECK || !rest.bytes().all(|b| ALPHABET.contains(&b)) {
            return None;
        }
        let (body, check) = text.split_at(text.len() - CHECK);
        (checksum(body) == check).then(|| Self { kind, text: text.to_owned() })
    }

    /// The secret itself, for the answer or cookie that hands it over.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The last four characters, by which people recognise it in lists.
    pub fn last_four(&self) -> String {
        self.text[self.text.len() - 4..].to_owned()
    }

    /// What is stored of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(sha256(self.text.as_bytes()).to_vec())
    }
}

/// The SHA-256 of a secret: what the database keeps.
#[derive(Clone, PartialEq, Eq, Hash, sea_orm::DeriveValueType)]
pub struct TokenHash(Vec<u8>);

impl TokenHash {
    /// The hash by which a sign-in attempt is found again: of the request's id, which has 160 random bits.
    pub fn of_request_id(id: &str) -> Self {
        Self(sha256(id.as_bytes()).to_vec())
    }

    /// The hash itself, for comparing and storing.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// In URL-safe base 64, for places that want text (an access token's reference to its session).
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::SystemRandom;
    use super::*;

    #[test]
    fn a_token_is_read_back_and_a_changed_one_is_not() {
        let token = Token::generate(TokenKind::ApiKey, &SystemRandom);
        let text = token.reveal().to_owned();
        assert_eq!(Token::parse(TokenKind::ApiKey, &text).unwrap().hash(), token.hash());
        assert!(Token::parse(TokenKind::ScimToken, &text).is_none());
        for at in 9..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert!(
                Token::parse(TokenKind::ApiKey, std::str::from_utf8(&changed).unwrap()).is_none(),
                "at {at}"
            );
        }
    }

    #[test]
    fn nothing_prints_the_secret() {
        let token = Token::generate(TokenKind::Session, &SystemRandom);
        assert_eq!(format!("{token:?}"), "pstn_ses_…");
        assert_eq!(format!("{:?}", token.hash()), "TokenHash(…)");
    }
}
