//! The closed lists of words that records carry: roles, modes, states, sources.

use super::words;

words!(
    /// What a member may do; ordered, the highest last.
    Role {
        /// Uses the application.
        Member = "member",
        /// Runs the organization.
        Admin = "admin",
        /// Answers for the organization.
        Owner = "owner",
    }
);

/// A role stands in a primary key; no database makes one.
impl sea_orm::TryFromU64 for Role {
    fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
        Err(sea_orm::DbErr::ConvertFromU64("Role"))
    }
}

words!(
    /// Whether a member may enter.
    MemberStatus {
        /// May enter.
        Active = "active",
        /// May not enter until whoever deactivated, or an owner, says so (rule 13).
        Deactivated = "deactivated",
        /// Gone; the row stays as the tombstone that keeps just-in-time provisioning away (rule 8).
        Removed = "removed",
    }
);

words!(
    /// Where a member's role comes from.
    RoleSource {
        /// The person's own: by hand, by an invite, or the ordinary one.
        Own = "own",
        /// The directory gives it, by groups or by the `roles` of the user, and it goes with them.
        Groups = "groups",
    }
);

words!(
    /// Who made a member, or ended its access.
    Source {
        /// An administrator or an API key, over REST.
        Rest = "rest",
        /// An accepted invite.
        Invite = "invite",
        /// Just in time, at a SAML sign-in.
        Jit = "jit",
        /// The directory, over SCIM.
        Scim = "scim",
    }
);

words!(
    /// Why somebody stays out when a directory's deactivations are given back together.
    KeptOut {
        /// An administrator has deactivated the person as well.
        Administrator = "deactivated_by_administrator",
        /// An administrator has removed the person.
        Removed = "removed_by_administrator",
        /// Another credential of the directory has put the person out as well.
        AnotherCredential = "deactivated_by_another_credential",
    }
);

words!(
    /// Who creates members in an organization (rule 8).
    ProvisioningMode {
        /// Neither just-in-time provisioning nor SCIM.
        Manual = "manual",
        /// Just in time where the domain's flag is on, and SCIM.
        Jit = "jit",
        /// SCIM alone: what the identity provider owns is refused over REST (409 `managed_by_directory`).
        Scim = "scim",
    }
);

words!(
    /// Whether the address alone makes the first link between a person and a subject at the IdP (rule 7).
    FirstLink {
        /// The address on a verified domain is enough.
        Address = "address",
        /// An administrator confirms each of them.
        Confirm = "confirm",
        /// Nobody is linked by the address.
        Off = "off",
    }
);

words!(
    /// Why a link waits for an administrator.
    PendingLinkReason {
        /// The member has not signed in through this connection before, and `first_link` is `confirm`.
        FirstLink = "first_link",
        /// The member is linked to another subject of this connection.
        OtherSubject = "other_subject",
    }
);

words!(
    /// Where a link that waits stands.
    PendingLinkStatus {
        /// Nobody has answered.
        Pending = "pending",
        /// Confirmed: made at the person's next sign-in.
        Confirmed = "confirmed",
        /// Somebody said no: this subject is refused.
        Dismissed = "dismissed",
    }
);

words!(
    /// What the people on a domain come in through (rule 9).
    SsoEnforcement {
        /// Whatever way is open.
        None = "none",
        /// SAML alone.
        Saml = "saml",
    }
);

words!(
    /// How somebody stands whom enforcement binds, or would bind.
    EnforcedStanding {
        /// Has signed in through an active SAML connection.
        Linked = "linked",
        /// Has not, and an active connection serves the address.
        Unlinked = "unlinked",
        /// On a domain of others, and approved by an owner until a day.
        Guest = "guest",
        /// No active connection serves the address: no way in would be left.
        ShutOut = "shut_out",
    }
);

words!(
    /// Where the approval of a guest stands.
    GuestStatus {
        Active = "active",
        /// Its day has come, or somebody ended it before.
        Ended = "ended",
    }
);

words!(
    /// Where a domain stands.
    DomainStatus {
        /// Claimed, its TXT record not seen yet.
        Unverified = "unverified",
        /// Its TXT record was seen.
        Verified = "verified",
    }
);

words!(
    /// Where a SAML connection stands.
    ConnectionStatus {
        /// Being set up; nobody signs in through it.
        Draft = "draft",
        /// People sign in through it.
        Active = "active",
        /// Switched off.
        Inactive = "inactive",
    }
);

words!(
    /// Whose product the IdP is: decides the words of guides and messages.
    ConnectionType {
        Okta = "okta",
        Entra = "entra",
        Google = "google",
        Onelogin = "onelogin",
        Jumpcloud = "jumpcloud",
        Ping = "ping",
        Adfs = "adfs",
        Keycloak = "keycloak",
        Generic = "generic",
    }
);

words!(
    /// What happens to a person pushed over SCIM with an address outside the directory's domains (rule 6).
    ForeignAddresses {
        /// Refused with an error that lists the allowed domains.
        Refuse = "refuse",
        /// Kept as a directory user without user or member.
        Hold = "hold",
    }
);

words!(
    /// How strictly a directory reads what its identity provider sends.
    Conformance {
        /// Unknown attributes and passwords are dropped, PATCH without a path is taken: what Okta and Entra need.
        Tolerant = "tolerant",
        /// The refusals of the SCIM Interoperability Profile: undefined attributes and PATCH without a path are 400
        /// `invalidSyntax`, passwords are refused.
        Profile = "profile",
    }
);

words!(
    /// How an OAuth client of a directory proves itself at the token endpoint.
    ClientAuthentication {
        /// By its id and secret in an `Authorization: Basic` header.
        SecretBasic = "client_secret_basic",
        /// By a JWT that it signs (RFC 7523).
        PrivateKeyJwt = "private_key_jwt",
    }
);

words!(
    /// What a value of an attribute is (RFC 7643 section 2.3), of the attributes that organizations add.
    AttributeType {
        String = "string",
        Boolean = "boolean",
        Integer = "integer",
        Decimal = "decimal",
        DateTime = "dateTime",
        Reference = "reference",
        Complex = "complex",
    }
);

words!(
    /// Whether an attribute changes once it has a value.
    AttributeMutability {
        ReadWrite = "readWrite",
        /// Set once, then neither changed nor taken away.
        Immutable = "immutable",
    }
);

words!(
    /// When an attribute comes back.
    AttributeReturned {
        Always = "always",
        /// Unless others are asked for.
        Default = "default",
        /// Only where it is asked for.
        Request = "request",
    }
);

words!(
    /// What a client assertion may be signed with.
    SigningAlgorithm {
        Ps256 = "PS256",
        Es256 = "ES256",
        EdDsa = "EdDSA",
        /// Only where it was chosen at registration.
        Rs256 = "RS256",
    }
);

words!(
    /// Where an invite stands.
    InviteStatus {
        /// Not answered yet.
        Pending = "pending",
        /// Accepted.
        Accepted = "accepted",
        /// Declined by the person invited.
        Declined = "declined",
        /// Taken back.
        Revoked = "revoked",
        /// Its time ran out.
        Expired = "expired",
    }
);

words!(
    /// How a session was made.
    SignInMethod {
        /// Through a SAML connection.
        Saml = "saml",
        /// By accepting an invite.
        Invite = "invite",
    }
);

words!(
    /// Whether responses that a certificate's key signed are accepted.
    CertificateState {
        /// They are.
        Active = "active",
        /// Not before somebody who may change trust confirms it (rule 10a).
        Pending = "pending",
        /// Somebody looked at it and said no; kept so that the metadata does not bring it up again.
        Dismissed = "dismissed",
    }
);

words!(
    /// How a certificate came to a connection.
    CertificateSource {
        /// The IdP's metadata, fetched or pasted.
        Metadata = "metadata",
        /// By hand.
        Manual = "manual",
    }
);

words!(
    /// How log-out messages travel to the IdP.
    SloBinding {
        /// HTTP-Redirect.
        Redirect = "redirect",
        /// HTTP-POST.
        Post = "post",
    }
);

words!(
    /// Who signed a metadata document.
    MetadataSignature {
        /// A key that the connection trusted already.
        CurrentKey = "current_key",
        /// Somebody else, or it is wrong, or of a form that is not taken.
        OtherKey = "other_key",
        /// Nobody.
        Unsigned = "unsigned",
    }
);
