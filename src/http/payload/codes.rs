//! Every code that a refusal of the REST API or of a page has, with what it means and what to do about it: what the
//! `type` of a problem leads to. The codes of refused sign-ins have a table of their own in `service::sign_in::codes`.

/// A code, what it means, and what to do.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub code: &'static str,
    pub meaning: &'static str,
    pub fix: &'static str,
}

/// All that is said of a code.
pub fn of(code: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.code == code)
}

const fn known(code: &'static str, meaning: &'static str, fix: &'static str) -> Known {
    Known { code, meaning, fix }
}

const SEND_AGAIN: &str = "Send the request again in a moment. Nothing was changed.";
const READ_FIRST: &str = "Read the resource again, then decide whether the change is still wanted.";
const SEE_ERRORS: &str = "Each entry of errors names a field, what was found and what was expected.";
const DNS: &str =
    "Compare the TXT record with verification of the domain, field by field, then verify again.";

/// All codes, by the alphabet.
pub const KNOWN: &[Known] = &[
    known("access_token_expired", "The access token is over.", "Trade the session for a new one."),
    known(
        "admin_sign_in_required",
        "No administrator or owner has signed in through an active SAML connection that would be enforced.",
        "Let one sign in through it first: only then is it known that nobody is locked out.",
    ),
    known(
        "already_verified",
        "The domain is verified already.",
        "Nothing is to be done; renewing its challenge is not needed.",
    ),
    known("body_too_slow", "The body of the request came too slowly.", SEND_AGAIN),
    known(
        "bound_to_domain",
        "The SCIM credential is bound to one domain, and this reaches beyond it.",
        "Use a credential of the whole directory.",
    ),
    known("certificate_active", "The certificate verifies sign-ins already.", "Nothing is to be done."),
    known(
        "challenge_changed",
        "The domain's challenge was renewed while it was being verified.",
        "Publish the new value and verify again.",
    ),
    known(
        "challenge_expired",
        "The domain's challenge is over.",
        "Renew it, publish the new value, and verify again.",
    ),
    known("changed_meanwhile", "The connection was changed while its metadata was fetched.", READ_FIRST),
    known("conflict", "Something else was changed or deleted at the same moment.", READ_FIRST),
    known(
        "connection_active",
        "People sign in through the SAML connection.",
        "Deactivate it first, then delete it.",
    ),
    known(
        "connection_incomplete",
        "The SAML connection does not know its IdP yet.",
        "Give metadata_xml, or idp_entity_id, sso_url and certificates.",
    ),
    known(
        "connection_not_active",
        "A change is drafted beside an active SAML connection only.",
        "Nobody signs in through this one, so change the connection itself.",
    ),
    known(
        "credential_invalid",
        "The credential is mistyped, revoked or expired.",
        "Use another one; the answer is the same for all three, so that nobody can sort stolen ones by it.",
    ),
    known(
        "credential_malformed",
        "The Authorization header is not \"Bearer\" and a credential.",
        "Send \"Authorization: Bearer\" and the API key or access token.",
    ),
    known(
        "credential_missing",
        "The operation needs a credential.",
        "Send an API key or access token, or the session cookie from our own pages.",
    ),
    known(
        "cross_origin",
        "A request that lives by the session cookie came from another site.",
        "Programs send an API key or access token instead; forms are submitted from our own pages.",
    ),
    known("database_unavailable", "The database does not answer.", SEND_AGAIN),
    known(
        "deactivated_elsewhere",
        "Somebody else ended this person's access.",
        "Whoever ended it, or an owner, gives it back.",
    ),
    known("dns_no_record", "The name exists and has no TXT record of ours.", DNS),
    known("dns_no_such_name", "DNS knows no such name.", DNS),
    known("dns_unknown", "DNS could not be reached, so nothing is known.", "Verify again in a few minutes."),
    known("dns_wildcard", "A wildcard record answers, which proves nothing.", DNS),
    known("dns_wrong_value", "There is a record of ours with another value.", DNS),
    known(
        "domain_already_claimed",
        "This organization claims this domain already.",
        "Use the claim that is there.",
    ),
    known(
        "domain_enforced",
        "The people on this domain come in through SAML alone.",
        "Set its sso_enforcement to none first.",
    ),
    known(
        "domain_held",
        "Another organization holds this domain verified. Its owners have been told.",
        "If the domain is yours alone, leave your TXT record in place and ask the operator.",
    ),
    known(
        "domain_not_verified",
        "The domain is not verified, so no identity provider speaks for its people.",
        "Verify it first.",
    ),
    known("dry_run_hindered", "The dry run met a change that was being made at the same time.", SEND_AGAIN),
    known(
        "enforcement_needs_connection",
        "No active SAML connection serves those who would have to use it.",
        "Activate one and assign the verified domain to it.",
    ),
    known(
        "expiry_above_own",
        "An API key makes only keys that end no later than itself.",
        "Ask for an earlier expires_at, or use another credential.",
    ),
    known(
        "fetch_under_way",
        "Another request of the organization is fetching metadata.",
        "Wait for its answer, ten seconds at most, then send the request again.",
    ),
    known(
        "guest_approved",
        "An approval for this address stands.",
        "Renew it: PATCH …/guests/{id} with another ends_at.",
    ),
    known("guest_ended", "The approval has ended.", "Approve the guest anew."),
    known(
        "guest_on_own_domain",
        "People on the organization's own domains are no guests.",
        "They sign in through the identity provider; add them there.",
    ),
    known(
        "guest_role",
        "Admins and owners are no guests.",
        "Make the person an ordinary member first, if they are to be one.",
    ),
    known(
        "idempotency_in_progress",
        "A request with this Idempotency-Key is being worked on.",
        "Wait for its answer, or ask again a little later with the same key.",
    ),
    known(
        "idempotency_key_invalid",
        "The Idempotency-Key is not one header with 1 to 255 visible ASCII characters.",
        "Send one, such as a UUID.",
    ),
    known(
        "idempotency_key_reused",
        "The Idempotency-Key was used for another request.",
        "Use a new key for each request.",
    ),
    known(
        "idempotency_outcome_unknown",
        "A request with this Idempotency-Key was begun, and it is not known how it ended.",
        "Look whether its change is there, then send it with a new key if it is not.",
    ),
    known(
        "internal_error",
        "Something failed on our side.",
        "Give the request id to the operator, who finds the cause in the log.",
    ),
    known("invalid_body", "The body of the request cannot be read.", SEE_ERRORS),
    known("invalid_parameter", "A parameter of the path or query cannot be read.", SEE_ERRORS),
    known("invalid_request", "Fields of the request are wrong.", SEE_ERRORS),
    known(
        "invite_answered",
        "The invite was accepted, declined or revoked already.",
        "Invite again if it is wanted.",
    ),
    known("invite_expired", "The invite is over.", "Ask for a new one."),
    known(
        "invite_invalid",
        "The link of the invite is none of ours, or was cut off.",
        "Open the link from the message again, whole.",
    ),
    known("invite_pending", "An invite for this address is pending.", "Revoke it before inviting again."),
    known("key_in_use", "The key is in use.", "Let another take its place first."),
    known("key_is_current", "The key is the current one already.", "Nothing is to be done."),
    known(
        "last_enforced_connection",
        "It is the last active SAML connection of people who come in through SAML alone.",
        "Activate and assign another one first, or switch enforcement off.",
    ),
    known("last_owner", "An organization keeps one owner at least.", "Make somebody else an owner first."),
    known(
        "managed_by_directory",
        "The directory owns this in an organization whose provisioning_mode is scim.",
        "Change it at the identity provider, or set another provisioning_mode.",
    ),
    known("member_exists", "The person is a member already.", "Change the member that is there."),
    known(
        "metadata_url_set",
        "The connection's facts come from its metadata_url.",
        "Change them at the IdP, or take metadata_url away first.",
    ),
    known(
        "method_not_allowed",
        "The address does not take this method.",
        "The Allow header lists those that it takes.",
    ),
    known(
        "no_metadata_url",
        "The connection has no metadata_url to fetch.",
        "Set metadata_url, or give metadata_xml.",
    ),
    known(
        "no_oauth_client",
        "The directory would take OAuth credentials only, and has no OAuth client.",
        "Make an OAuth client first.",
    ),
    known("no_rotation", "The SCIM token is not being rotated.", "Begin a rotation first, if one is wanted."),
    known("not_enforced", "Nothing is enforced in the organization.", "Nothing is to be done."),
    known(
        "not_found",
        "There is no such thing, or the credential does not reach it. Which of the two is told to nobody.",
        "Check the id and the organization of the credential.",
    ),
    known("nothing_pending", "No change waits to be confirmed.", READ_FIRST),
    known(
        "oauth_only",
        "The directory takes OAuth credentials only.",
        "Use an OAuth client, or set the directory to take tokens.",
    ),
    known(
        "operator_has_no_organization",
        "\"me\" stands for the organization of the credential, and an operator's key has none.",
        "Write the organization's id.",
    ),
    known(
        "operator_only",
        "The operation is for the operator's keys.",
        "The operator makes one on the command line: postern operator-key create.",
    ),
    known(
        "own_sign_in_required",
        "Whoever switches enforcement on shows first that it lets them in.",
        "Sign in through the SAML connection that is to be enforced, then switch on with that session.",
    ),
    known(
        "owner_links_alone",
        "The link that waits is an owner's, and nobody confirms for an owner.",
        "The owner signs in to the organization in another way, then begins a sign-in at our sign-in page in the same browser.",
    ),
    known(
        "payload_too_large",
        "The body of the request is too large.",
        "Send less; the detail says how much is taken.",
    ),
    known("precondition_failed", "The resource was changed since it was read.", READ_FIRST),
    known(
        "rate_limited",
        "The limit for this credential or address is used up.",
        "Come back after the seconds in Retry-After.",
    ),
    known(
        "return_to_refused",
        "After signing in nobody is sent to another site.",
        "Give return_to as a path of this site.",
    ),
    known(
        "role_above_own",
        "Nobody hands out or takes away a role above their own.",
        "Ask somebody with that role.",
    ),
    known(
        "role_too_low",
        "The operation needs a higher role in the organization.",
        "Ask an administrator or owner.",
    ),
    known("rotation_under_way", "A rotation is under way already.", "Complete or cancel it first."),
    known(
        "saml_response_count",
        "The form does not have exactly one field SAMLResponse.",
        "Open the sign-in page to begin. An IdP that sends this needs its support.",
    ),
    known(
        "schema_in_use",
        "People hold values of this schema.",
        "Take the values away at the identity provider first.",
    ),
    known(
        "scope_above_own",
        "An API key makes only keys with scopes of its own.",
        "Ask for fewer scopes, or use another credential.",
    ),
    known("scope_missing", "The API key lacks a scope.", "The detail names it: use a key that has it."),
    known(
        "session_required",
        "The operation is for signed-in people.",
        "Sign in, and use the session or an access token.",
    ),
    known("slug_taken", "Another organization has this slug.", "Choose another one."),
    known(
        "sso_required",
        "The organization lets this person in through its identity provider alone.",
        "Sign in at the sign-in page; somebody whom the identity provider does not know asks an owner to approve a guest.",
    ),
    known(
        "step_up_required",
        "This changes whom the organization trusts, which a session alone is not enough for: its owner has to step up, by a fresh sign-in at the IdP, at most ten minutes before.",
        "Send POST /api/v1/me/step-up and open its login_url, or open /step-up in the browser; then send the request again. An API key with the scope trust and the operator need no step-up.",
    ),
    known(
        "step_up_unavailable",
        "A step-up is a fresh sign-in at the IdP, and the person is connected to none that is active here.",
        "Sign in through SAML first, at our sign-in page in the same browser; or use an API key with the scope trust.",
    ),
    known(
        "test_link_over",
        "The link of a test sign-in was opened before, or is over.",
        "Ask for a new one: POST …/saml-connections/{id}/test.",
    ),
    known(
        "test_sign_in_required",
        "No test sign-in has passed with what the connection trusts now.",
        "POST …/saml-connections/{id}/test gives the link of one.",
    ),
    known("timeout", "The request took too long.", SEND_AGAIN),
    known("token_over", "The SCIM token is over.", "Make a new one."),
    known("too_many_clients", "There are as many OAuth clients as may be.", "Revoke one that is not needed."),
    known("too_many_keys", "The connection has as many keys as may be.", "Delete one that is not needed."),
    known("too_many_tokens", "There are as many SCIM tokens as may be.", "Revoke one that is not needed."),
    known("too_many_values", "The JSON has more values than are read.", "Send it in parts."),
    known("unauthenticated", "There is no valid credential.", "Send an API key or access token."),
    known("unreadable_body", "The body of the request could not be read.", SEND_AGAIN),
    known(
        "unsupported_media_type",
        "The Content-Type is not one that the operation takes.",
        "Send JSON with Content-Type: application/json; forms as application/x-www-form-urlencoded.",
    ),
    known("verification_busy", "Too many sign-ins are being verified at the moment.", SEND_AGAIN),
    known(
        "verifier_unavailable",
        "The processes that verify signatures do not answer.",
        "Try again in a moment; the operator finds the cause in the log.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_once_by_the_alphabet() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].code < pair[1].code));
        for known in KNOWN {
            assert!(known.meaning.ends_with('.') && known.fix.ends_with('.'), "{}", known.code);
        }
    }
}
