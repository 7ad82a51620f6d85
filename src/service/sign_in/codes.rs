//! Every code that a sign-in is refused with, in one table: the step that failed, what the person at the browser reads,
//! what it means, and what an administrator changes. The refusal's page, the sign-in log and the page
//! `/problems/{code}` are all written from it; a test compares it with the codes that exist.

mod field;

pub use field::Field;

use crate::model::sign_in::SignInStep::Attributes as Attribute;
use crate::model::sign_in::SignInStep::{self, Checks, Decryption, Match, Person, Response, Signature};
use crate::protocol::saml::Console;

/// A code, and all that is said of it.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    pub code: &'static str,
    /// Where the sign-in stopped.
    pub step: SignInStep,
    /// What happened, for the person.
    pub plain: &'static str,
    /// What the person can check or do.
    pub check: &'static str,
    /// What it means, for the administrator.
    pub meaning: &'static str,
    /// What the administrator changes; `{field}` is the field of the IdP's console.
    pub fix: &'static str,
    pub field: Option<Field>,
}

impl Code {
    /// What the administrator changes, in the words of this IdP.
    pub fn fix_at(&self, console: Console) -> String {
        self.field.map_or_else(|| self.fix.to_owned(), |field| self.fix.replace("{field}", field.at(console)))
    }
}

/// Whether a sign-in that was refused with this code had a signature that is right.
pub fn is_after_signature(code: &str) -> bool {
    // These two are given on both sides of it.
    of(code).step > Signature && !matches!(code, "missing_element" | "bad_value")
}

/// All that is said of a code; of one that the table does not know, what is said of a response that cannot be read.
pub fn of(code: &str) -> &'static Code {
    super::logout_codes::all().find(|known| known.code == code).unwrap_or(&UNREADABLE)
}

const AGAIN: &str = "Start again from the sign-in page. If it happens every time, send the reference below to your administrator.";
const ADMIN: &str =
    "Send the reference below to your administrator, who finds the details in the sign-in log.";
const CLOCKS: &str = "Start again from the sign-in page. If it happens every time, the clocks differ: send the reference below to your administrator.";
const ONCE: &str = "This sign-in was finished before; each one is good for once.";
const NOT_SIGNED_IN: &str = "If you are not signed in, start again from the sign-in page.";
const NOT_GENUINE: &str = "The answer of your identity provider could not be proven to be genuine.";
const UNREADABLE_PLAIN: &str = "The answer of your identity provider cannot be read.";
const WEAK: &str = "The answer is signed with an algorithm that is no longer considered safe.";
const SETTING: &str =
    "This is a setting at the identity provider. Send the reference below to your administrator.";
const NO_ADDRESS: &str = "Your identity provider did not tell an e-mail address that can be used here.";
const WHICH_ATTRIBUTES: &str = "Your administrator sets at the identity provider which attributes are sent. Send them the reference below.";
const ANOTHER_ADDRESS: &str = "Your identity provider answered to another address than this one.";
const ACS_SETTING: &str = "This is a setting at the identity provider (the assertion consumer service URL). Send the reference below to your administrator.";
const ENCRYPTED: &str = "The answer of your identity provider is encrypted in a way that is not taken here.";
const NOT_DECRYPTED: &str = "The answer of your identity provider is encrypted, and could not be read here.";
const OLDER_KEY: &str =
    "Your identity provider may encrypt for an older key. Send the reference below to your administrator.";
const UNUSUAL: &str = "Check that the connection's IdP is the one that answered, and that nothing between it and this server rewrites pages. \
     An IdP with usual settings sends no such response.";
const SET_ACS: &str = "Set {field} to the acs_url of the connection.";
const SEND_ATTRIBUTE: &str = "Send the value as an attribute: see {field}. If it comes under a name of your own, set that name in the connection's attribute_mapping.";

const UNREADABLE: Code = saml(
    "unreadable",
    Response,
    (UNREADABLE_PLAIN, ADMIN),
    "The posted response has another form than SAML 2.0 gives it.",
    UNUSUAL,
    None,
);

const fn saml(
    code: &'static str,
    step: SignInStep,
    (plain, check): (&'static str, &'static str),
    meaning: &'static str,
    fix: &'static str,
    field: Option<Field>,
) -> Code {
    Code { code, step, plain, check, meaning, fix, field }
}

/// A response of another form than SAML gives it.
const fn unreadable(code: &'static str, meaning: &'static str) -> Code {
    saml(code, Response, (UNREADABLE_PLAIN, ADMIN), meaning, UNUSUAL, None)
}

/// All codes.
pub const CODES: &[Code] = &[
    // What the response looks like.
    unreadable("response_too_large", "The posted response is larger than is read at all."),
    unreadable("not_base64", "The form field SAMLResponse is not base64."),
    unreadable("not_utf8", "The posted response is not UTF-8 text."),
    unreadable(
        "malformed_xml",
        "The posted response is not XML, or XML of a kind that is never let in, such as with a document type.",
    ),
    unreadable("not_a_response", "Something other than a SAML response was posted."),
    unreadable("bad_id", "An ID in the response stands twice, or is none."),
    saml(
        "assertion_count",
        Response,
        (UNREADABLE_PLAIN, ADMIN),
        "The response has no assertion, or several; exactly one is read.",
        UNUSUAL,
        None,
    ),
    saml(
        "idp_status",
        Response,
        (
            "Your identity provider did not sign you in.",
            "Check at your identity provider that you may use this application, or ask your administrator, with the reference below.",
        ),
        "The IdP answered with an error in place of an assertion. Its own words stand in the log.",
        "Look into the IdP's own sign-in log, and check that the person is assigned to the application there.",
        None,
    ),
    // Whose request it answers.
    saml(
        "connection_inactive",
        Match,
        ("Single sign-on is switched off for your organization at the moment.", ADMIN),
        "The connection is a draft, or was switched off.",
        "Activate the connection: POST …/saml-connections/{id}/activate.",
        None,
    ),
    saml(
        "unsolicited",
        Match,
        (
            "This sign-in began at your identity provider, and only those that begin here are accepted.",
            "Open the sign-in page and type your e-mail address.",
        ),
        "The response answers no request: the person clicked the application in the IdP's list.",
        "Have people start at the sign-in page; the application's tile in the IdP can be a link to it. Or switch idp_initiated of the connection on, if the guide's warning on it is acceptable to you.",
        None,
    ),
    saml(
        "unknown_request",
        Match,
        ("This answer belongs to no sign-in that was begun here.", AGAIN),
        "The response answers a request that this connection never made, or one long forgotten.",
        "Have the person start at the sign-in page. If it happens to everybody, {field} may be that of another connection: set it to the acs_url of this one.",
        Some(Field::Acs),
    ),
    saml(
        "other_browser",
        Match,
        (
            "This sign-in was begun in another browser, or your browser did not keep our cookie.",
            "Allow cookies for this site and start again from the sign-in page. If you came here by a link that somebody sent you, do not use it.",
        ),
        "The browser that brought the response is not the one that began the sign-in, or lost the cookie that says so. It is also what an attack looks like that would sign somebody in as somebody else.",
        "Check that the browser keeps cookies and that people reach this server at its public URL. If one person reports a link that they followed, somebody tried to sign them in as another person.",
        None,
    ),
    saml(
        "attempt_used",
        Match,
        (ONCE, NOT_SIGNED_IN),
        "The request was answered before: the person went back in the browser, or sent the page twice.",
        "Nothing, if it stays the exception.",
        None,
    ),
    saml(
        "attempt_expired",
        Match,
        ("This sign-in took too long.", "Start again from the sign-in page."),
        "The IdP's answer came later than a sign-in may take.",
        "Nothing, if it stays the exception. The operator sets how long a sign-in may take: saml.attempt_minutes.",
        None,
    ),
    // Encryption.
    saml(
        "encrypted_unsupported",
        Decryption,
        (ENCRYPTED, SETTING),
        "Something other than the assertion is encrypted, such as the NameID or an attribute, and that is not decrypted.",
        "Encrypt the whole assertion, or switch off {field}.",
        Some(Field::Encryption),
    ),
    saml(
        "encryption_structure",
        Decryption,
        (ENCRYPTED, SETTING),
        "The encrypted assertion has another shape than XML Encryption gives it.",
        UNUSUAL,
        None,
    ),
    saml(
        "encryption_algorithm_refused",
        Decryption,
        (ENCRYPTED, SETTING),
        "The assertion is encrypted by an algorithm that is not accepted: AES in CBC or GCM mode with RSA-OAEP is.",
        "Choose AES-256 and RSA-OAEP where the IdP lets you: {field}.",
        Some(Field::Encryption),
    ),
    saml(
        "no_encryption_key",
        Decryption,
        (NOT_DECRYPTED, OLDER_KEY),
        "The assertion is encrypted, and the connection has no encryption key.",
        "Make an encryption key for the connection and put its certificate into {field}, or switch encryption off there.",
        Some(Field::Encryption),
    ),
    saml(
        "decryption_failed",
        Decryption,
        (NOT_DECRYPTED, OLDER_KEY),
        "The assertion could not be decrypted, or what came out could not be verified. Which of them it was is told to nobody who could have sent it.",
        "Put the connection's current encryption certificate into {field}.",
        Some(Field::Encryption),
    ),
    saml(
        "not_encrypted",
        Decryption,
        (
            "The answer of your identity provider was not encrypted, and your organization asks for that.",
            SETTING,
        ),
        "The connection requires encrypted assertions, and this one is not encrypted.",
        "Switch on {field} with the connection's encryption certificate, or switch require_encryption of the connection off.",
        Some(Field::Encryption),
    ),
    // The signature.
    saml(
        "unsigned",
        Signature,
        (NOT_GENUINE, ADMIN),
        "Neither the response nor the assertion has a signature.",
        "Switch on {field}.",
        Some(Field::Signing),
    ),
    saml(
        "signature_structure",
        Signature,
        (NOT_GENUINE, ADMIN),
        "The signature has another shape or place than SAML gives it. That is what signature wrapping looks like.",
        UNUSUAL,
        None,
    ),
    saml(
        "sha1_refused",
        Signature,
        (WEAK, SETTING),
        "The signature or its digest is made with SHA-1, which can be forged.",
        "Set {field}.",
        Some(Field::Algorithm),
    ),
    saml(
        "algorithm_refused",
        Signature,
        (WEAK, SETTING),
        "The signature is made with an algorithm that is not accepted: RSA or ECDSA with SHA-256, SHA-384 or SHA-512 is.",
        "Set {field}.",
        Some(Field::Algorithm),
    ),
    saml(
        "no_certificates",
        Signature,
        (
            "The answer is signed with a key that is not known here.",
            "Your identity provider may have changed its certificate. Send the reference below to your administrator, who adds the new one.",
        ),
        "The connection has no signing certificate of its IdP.",
        "Copy {field} into the connection.",
        Some(Field::Certificate),
    ),
    saml(
        "signature_mismatch",
        Signature,
        (
            "The answer is signed with a key that is not known here.",
            "Your identity provider may have changed its certificate. Send the reference below to your administrator, who adds the new one.",
        ),
        "No certificate of the connection made this signature. The log has the fingerprint of the certificate that came with it.",
        "Compare that fingerprint with {field}. If the IdP rotated its key, add the new certificate to the connection and keep the old one until the change is done.",
        Some(Field::Certificate),
    ),
    saml(
        "content_altered",
        Signature,
        (NOT_GENUINE, ADMIN),
        "The signature is right but the content was changed after it was signed.",
        "Look for proxies between the IdP and this server that rewrite pages. Else somebody forged the response.",
        None,
    ),
    saml(
        "verifier_refused",
        Signature,
        (NOT_GENUINE, ADMIN),
        "The library that verifies signatures did not agree that this one is right.",
        UNUSUAL,
        None,
    ),
    saml(
        "verifier_unavailable",
        Signature,
        (
            "Your sign-in could not be checked at the moment.",
            "Start again from the sign-in page in a moment.",
        ),
        "The processes that verify signatures did not answer. It says nothing of the response.",
        "The operator finds the cause in the log.",
        None,
    ),
    // The profile.
    saml(
        "wrong_version",
        Checks,
        (UNREADABLE_PLAIN, ADMIN),
        "The response is of another version than SAML 2.0.",
        "Set the application at the IdP to SAML 2.0.",
        None,
    ),
    saml(
        "wrong_issuer",
        Checks,
        (
            "The answer came from another identity provider than the one that is set up for your organization.",
            ADMIN,
        ),
        "The Issuer of the response is not the connection's IdP entity id.",
        "Compare idp_entity_id of the connection with {field}, to the letter and the slash at its end. If they differ, change the connection.",
        Some(Field::Issuer),
    ),
    saml(
        "wrong_destination",
        Checks,
        (ANOTHER_ADDRESS, ACS_SETTING),
        "The Destination of the response is not our assertion consumer service URL.",
        SET_ACS,
        Some(Field::Acs),
    ),
    saml(
        "wrong_recipient",
        Checks,
        (ANOTHER_ADDRESS, ACS_SETTING),
        "The Recipient in the assertion is not our assertion consumer service URL.",
        SET_ACS,
        Some(Field::Acs),
    ),
    saml(
        "wrong_audience",
        Checks,
        (
            "Your identity provider answered for another service than this one.",
            "This is a setting at the identity provider (the audience, or entity id). Send the reference below to your administrator.",
        ),
        "The Audience of the assertion is not our entity id.",
        "Set {field} to the entity_id of the connection, to the letter.",
        Some(Field::Audience),
    ),
    saml(
        "wrong_in_response_to",
        Checks,
        ("This answer belongs to no sign-in that was begun here.", AGAIN),
        "The assertion answers another request than the response around it.",
        "Nothing, if it stays the exception: the person signs in again in one browser window.",
        None,
    ),
    saml(
        "not_yet_valid",
        Checks,
        ("The answer of your identity provider is not valid at this time.", CLOCKS),
        "A time in the response lies in the future, by more than clocks may differ.",
        "Compare the clocks of the IdP and of this server; the log has the difference. AD FS sends its own time as NotBefore: set NotBeforeSkew of the relying party to 1 or 2 minutes.",
        None,
    ),
    saml(
        "expired",
        Checks,
        ("The answer of your identity provider is not valid at this time.", CLOCKS),
        "The response is too old: its time was over, by more than clocks may differ.",
        "Compare the clocks of the IdP and of this server; the log has the difference.",
        None,
    ),
    saml(
        "missing_element",
        Checks,
        (UNREADABLE_PLAIN, ADMIN),
        "Something is missing that SAML's web browser profile asks for. The log says what.",
        UNUSUAL,
        None,
    ),
    saml(
        "bad_value",
        Checks,
        (UNREADABLE_PLAIN, ADMIN),
        "A value in the response cannot be read. The log says which.",
        UNUSUAL,
        None,
    ),
    saml(
        "unknown_condition",
        Checks,
        (UNREADABLE_PLAIN, ADMIN),
        "The assertion has a condition that is not understood, and so cannot be met.",
        "Take the condition away at the IdP; the log has its name.",
        None,
    ),
    saml(
        "wrong_authn_context",
        Checks,
        (
            "You signed in at your identity provider in a way that your organization does not accept here.",
            "Sign in again with a second factor, if you can choose. Else send the reference below to your administrator.",
        ),
        "The person signed in at the IdP by a method that is not among the connection's requested_authn_contexts.",
        "Have the IdP ask for the method that the connection wants, by a sign-on policy of the application, or change requested_authn_contexts of the connection.",
        None,
    ),
    // Who it is.
    saml(
        "no_email",
        Attribute,
        (NO_ADDRESS, WHICH_ATTRIBUTES),
        "The response is right but no e-mail address was found in it. The log has the names of the attributes that came.",
        SEND_ATTRIBUTE,
        Some(Field::Attributes),
    ),
    saml(
        "no_subject",
        Attribute,
        (NO_ADDRESS, WHICH_ATTRIBUTES),
        "The attribute that the connection maps as subject did not come, or not with exactly one value.",
        SEND_ATTRIBUTE,
        Some(Field::Attributes),
    ),
    saml(
        "address_invalid",
        Attribute,
        (NO_ADDRESS, WHICH_ATTRIBUTES),
        "What the IdP sent as e-mail address is none that can be used.",
        SEND_ATTRIBUTE,
        Some(Field::Attributes),
    ),
    saml(
        "assertion_used",
        Person,
        (ONCE, NOT_SIGNED_IN),
        "The assertion signed somebody in before, and each is good for once.",
        "Ask the person whether they sent the page twice. If not, somebody replayed a response: look into the IdP's own log.",
        None,
    ),
    saml(
        "connection_changed",
        Person,
        ("Single sign-on of your organization was changed while you signed in.", AGAIN),
        "The connection was changed between the request and the end of the sign-in.",
        "Nothing: the person signs in again.",
        None,
    ),
    saml(
        "foreign_domain",
        Person,
        (
            "Your e-mail address is not on a domain that your identity provider may speak for here.",
            "Check that you signed in with the right account. If you did, send the reference below to your administrator.",
        ),
        "An IdP speaks only for the verified domains that are assigned to its connection; this address is on none of them.",
        "If the domain is yours, claim and verify it and put it into domain_ids of the connection; else correct the person's address at the IdP.",
        None,
    ),
    saml(
        "deprovisioned",
        Person,
        (
            "Your access to this organization was ended.",
            "If you think that is a mistake, send the reference below to your administrator.",
        ),
        "The person was deactivated or removed, here or by the directory. Signing in does not undo that.",
        "Whoever ended the access, or an owner, gives it back: activate the member, or the user in the directory.",
        None,
    ),
    saml(
        "subject_conflict",
        Person,
        (
            "Your e-mail address belongs to another account here.",
            "This happens when an account at the identity provider was made anew. Send the reference below to your administrator.",
        ),
        "The address is the contact address of a member whose own address is another one.",
        "Give one of the two another address; if it is the same person, correct the address of the member.",
        None,
    ),
    saml(
        "owner_link_refused",
        Person,
        (
            "You are an owner of this organization, and an owner connects single sign-on only while signed in.",
            "Sign in the way you used to, then open our sign-in page in the same browser and type your e-mail address.",
        ),
        "An owner is never linked by the IdP's word alone: whoever runs the IdP could become the owner.",
        "The owner signs in to this organization in another way first, then begins the sign-in at our sign-in page in the same browser.",
        None,
    ),
    saml(
        "first_link_off",
        Person,
        (
            "Your account is not connected to this identity provider, and connecting it by the e-mail address is switched off.",
            ADMIN,
        ),
        "The member has never signed in through this connection, and first_link of the organization is off.",
        "Set first_link of the organization to address or confirm, or have the person sign in in another way.",
        None,
    ),
    saml(
        "link_pending",
        Person,
        (
            "An administrator of your organization has to confirm first that this account at the identity provider is yours.",
            "Send the reference below to your administrator, who confirms it. Then sign in again.",
        ),
        "The address is a member's, and the subject is not linked to that member: first_link of the organization is confirm, or the member is linked to another subject.",
        "See GET …/pending-links. If it is the same person, confirm the link; it is made at the next sign-in. If it is somebody else, dismiss it and give one of the two another address.",
        None,
    ),
    saml(
        "link_dismissed",
        Person,
        (
            "An administrator of your organization did not accept this account at the identity provider as yours.",
            "If that is a mistake, send the reference below to your administrator.",
        ),
        "An administrator dismissed the link between this subject and the member with the address.",
        "If it is the same person after all, confirm the link that was dismissed; else give one of the two another address.",
        None,
    ),
    saml(
        "step_up_stale",
        Person,
        (
            "Your identity provider did not ask you to sign in again, and that was needed here. You are still signed in as before.",
            "Sign out at your identity provider, then try again.",
        ),
        "For a step-up the IdP is asked by ForceAuthn to have the person sign in again; its AuthnInstant says that it took an earlier sign-in.",
        "Have the IdP honor ForceAuthn for this application. If the clocks of the IdP and of this server differ, set them right.",
        None,
    ),
    saml(
        "step_up_other_person",
        Person,
        (
            "You signed in at your identity provider with another account than here. You are still signed in as before.",
            "Try again, with the account that you are signed in with here.",
        ),
        "The assertion that came back from a step-up is about somebody else than the person of the session, or about nobody who is linked.",
        "The person signs in at the IdP with the account that they are signed in with here.",
        None,
    ),
    saml(
        "step_up_session_over",
        Person,
        ("Your session ended in the meantime.", "Sign in again, then try once more."),
        "The session that was to be stepped up has ended.",
        "Nothing: the person signs in again.",
        None,
    ),
    saml(
        "jit_off",
        Person,
        (
            "You have no account in this organization yet, and none is made by signing in.",
            "Ask your administrator to add or invite you.",
        ),
        "Nobody with this address is a member, and just-in-time provisioning is off for the organization or the domain.",
        "Add or invite the person, provision them over SCIM, or switch just-in-time provisioning on.",
        None,
    ),
];

#[cfg(test)]
mod tests;
