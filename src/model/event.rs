//! Events: facts that happened in an organization. The list of kinds is closed; webhooks and the audit log read it.

use super::actor::Actor;
use super::id::OrganizationId;
use super::words;
use serde_json::Value;

words!(
    /// What happened.
    EventKind {
        OrganizationCreated = "organization.created",
        OrganizationUpdated = "organization.updated",
        /// The last owner's access ended (rule 12): the operator must act.
        OrganizationOwnerless = "organization.ownerless",
        DomainClaimed = "domain.claimed",
        DomainRenewed = "domain.challenge_renewed",
        DomainVerified = "domain.verified",
        DomainUpdated = "domain.updated",
        DomainDeleted = "domain.deleted",
        /// Another organization proved control of a domain that this one holds (rule 2).
        DomainContested = "domain.contested",
        ConnectionCreated = "saml_connection.created",
        ConnectionUpdated = "saml_connection.updated",
        /// A change of what an active connection trusts waits for somebody who may change trust.
        ConnectionChangeDrafted = "saml_connection.change_drafted",
        ConnectionChangeDropped = "saml_connection.change_dropped",
        /// A test sign-in ended; nobody was signed in by it.
        ConnectionTested = "saml_connection.tested",
        ConnectionActivated = "saml_connection.activated",
        ConnectionDeactivated = "saml_connection.deactivated",
        ConnectionDeleted = "saml_connection.deleted",
        SamlKeyCreated = "saml_key.created",
        /// Another key of ours is the current one from now on.
        SamlKeyActivated = "saml_key.activated",
        SamlKeyDeleted = "saml_key.deleted",
        /// A key of the IdP came to be trusted: its metadata has it, signed by a key that was trusted before.
        ConnectionCertificateAdded = "saml_connection.certificate_added",
        /// The IdP's metadata has a key that nobody vouches for: somebody who may change trust must look.
        ConnectionCertificatePending = "saml_connection.certificate_pending",
        ConnectionCertificateConfirmed = "saml_connection.certificate_confirmed",
        ConnectionCertificateDismissed = "saml_connection.certificate_dismissed",
        /// A key is not in the IdP's metadata any more, and will be dropped.
        ConnectionCertificateMissing = "saml_connection.certificate_missing",
        ConnectionCertificateRemoved = "saml_connection.certificate_removed",
        /// A certificate ends in so many days, or has ended.
        ConnectionCertificateExpiring = "saml_connection.certificate_expiring",
        /// The IdP's metadata has other addresses, and nobody vouches for them.
        ConnectionAddressesPending = "saml_connection.addresses_pending",
        ConnectionAddressesConfirmed = "saml_connection.addresses_confirmed",
        ConnectionAddressesDismissed = "saml_connection.addresses_dismissed",
        /// The IdP's metadata could not be fetched, or nothing could be taken from it.
        ConnectionMetadataFailed = "saml_connection.metadata_failed",
        ConnectionMetadataRecovered = "saml_connection.metadata_recovered",
        /// The time until which the metadata is valid by its own word has passed.
        ConnectionMetadataLapsed = "saml_connection.metadata_lapsed",
        /// From a time on a domain's people, or all members, come in through SAML alone; or that time or the grace changed.
        EnforcementSet = "sso_enforcement.set",
        EnforcementRemoved = "sso_enforcement.removed",
        /// The operator's command line ended all enforcement of the organization: the owners must look.
        EnforcementLifted = "sso_enforcement.lifted",
        /// An owner lets somebody on another domain in without SAML until a day, or until another day.
        GuestApproved = "guest.approved",
        GuestRenewed = "guest.renewed",
        GuestEnded = "guest.ended",
        DirectoryUpdated = "directory.updated",
        /// A sync put an unusual share of the members out within minutes: the owners must look.
        DirectoryMassDeactivation = "directory.mass_deactivation",
        ScimTokenCreated = "scim_token.created",
        ScimTokenRevoked = "scim_token.revoked",
        /// A new token takes the place of this one, which goes on until the overlap ends.
        ScimTokenRotationStarted = "scim_token.rotation_started",
        ScimTokenRotationCompleted = "scim_token.rotation_completed",
        ScimTokenRotationCanceled = "scim_token.rotation_canceled",
        /// The token ends in so many days: rotate it, or the IdP's pushes stop.
        ScimTokenExpiring = "scim_token.expiring",
        ScimClientCreated = "scim_client.created",
        ScimClientRevoked = "scim_client.revoked",
        /// Which schemas an organization adds to its users.
        ScimSchemasUpdated = "scim_schemas.updated",
        DirectoryUserCreated = "directory_user.created",
        DirectoryUserUpdated = "directory_user.updated",
        DirectoryUserDeactivated = "directory_user.deactivated",
        DirectoryUserReactivated = "directory_user.reactivated",
        DirectoryUserDeleted = "directory_user.deleted",
        DirectoryGroupCreated = "directory_group.created",
        DirectoryGroupUpdated = "directory_group.updated",
        DirectoryGroupDeleted = "directory_group.deleted",
        DirectoryGroupMembersAdded = "directory_group.members_added",
        DirectoryGroupMembersRemoved = "directory_group.members_removed",
        /// Which groups give which roles.
        RoleMappingsUpdated = "role_mappings.updated",
        MemberAdded = "member.added",
        MemberUpdated = "member.updated",
        MemberRoleChanged = "member.role_changed",
        MemberDeactivated = "member.deactivated",
        MemberReactivated = "member.reactivated",
        MemberRemoved = "member.removed",
        MemberLinked = "member.linked",
        /// Somebody signs in with a member's address, and an administrator has to say whether it is that member.
        MemberLinkPending = "member.link_pending",
        MemberLinkConfirmed = "member.link_confirmed",
        MemberLinkDismissed = "member.link_dismissed",
        InviteCreated = "invite.created",
        InviteAccepted = "invite.accepted",
        InviteRevoked = "invite.revoked",
        ApiKeyCreated = "api_key.created",
        ApiKeyRevoked = "api_key.revoked",
        /// The person who made this key of the organization left (rule 11): rotate it.
        ApiKeyRotationDue = "api_key.rotation_due",
        SignInSucceeded = "sign_in.succeeded",
        SignInRefused = "sign_in.refused",
        SessionEnded = "session.ended",
        /// The person of a session has shown to be there, for what asks for that.
        SessionSteppedUp = "session.stepped_up",
        /// A log-out message came that is not the IdP's, or not for us, or not for now.
        SingleLogoutRefused = "single_logout.refused",
        /// The IdP says that somebody who signed out here is still signed in elsewhere.
        SingleLogoutIncomplete = "single_logout.incomplete",
    }
);

/// An event to be written in the transaction of the change it tells of.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Where it happened.
    pub organization: OrganizationId,
    /// What happened.
    pub kind: EventKind,
    /// Who did it.
    pub actor: Actor,
    /// The id of what it happened to, in its shown form.
    pub subject: String,
    /// What a reader needs to know beyond that: never a secret.
    pub data: Value,
}
