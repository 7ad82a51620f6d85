//! SAML 2.0 as a service provider: the web browser SSO profile with a redirected request and a posted response.
//!
//! [`request`] writes the request, [`response`] turns what the browser posts back into a
//! [`response::VerifiedAssertion`] or a [`refusal::SamlRefusal`], [`attributes`] reads who it is, [`metadata`]
//! reads the IdP's facts and [`sp_metadata`] writes ours. On the way in a document passes [`scan`] (strict reading), `structure` (what
//! it must look like), [`signature`] (the only caller of samael) and `checks` (the profile), in that order;
//! [`encryption`] opens an encrypted assertion, which then goes the same way by itself.
//! Nothing here has a clock, randomness or I/O.

pub mod attributes;
pub mod c14n;
pub mod certificate;
mod checks;
pub mod claims;
pub mod console;
pub mod encryption;
mod enveloped;
pub mod logout;
pub mod metadata;
pub mod metadata_signature;
pub mod own_key;
pub mod redirect;
pub mod refusal;
pub mod request;
pub mod response;
pub mod scan;
pub mod signature;
pub mod sp_metadata;
mod structure;
pub mod xml;

pub use attributes::{AttributeMapping, Identity, Part, Subject};
pub use certificate::{Certificate, CertificateError};
pub use claims::Claims;
pub use console::Console;
pub use encryption::DecryptionKey;
pub use logout::{ArrivedLogout, LogoutExpectations, LogoutRefusal, VerifiedLogout};
pub use metadata::{IdpMetadata, LogoutAddresses, LogoutBinding, MetadataError, read_idp_metadata};
pub use metadata_signature::{DocumentSignature, read_signed_metadata};
pub use own_key::RequestKey;
pub use refusal::SamlRefusal;
pub use request::{AuthnRequest, RequestError, request_id};
pub use response::{Expectations, NameIdFormat, PostedResponse, Unconfirmed, VerifiedAssertion, verify};
pub use sp_metadata::SpMetadata;
