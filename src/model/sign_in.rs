//! The words of the sign-in log: how a sign-in ended, and the steps on its way.

use super::words;

words!(
    /// How a sign-in ended.
    SignInOutcome {
        /// In a session.
        SignedIn = "signed_in",
        /// In a refusal.
        Refused = "refused",
        /// The IdP never answered in time.
        Abandoned = "abandoned",
        /// It was a test: nobody was signed in. One with a `code` did not pass.
        Test = "test",
    }
);

words!(
    /// A step of a sign-in.
    SignInStep {
        /// We sent the person to the IdP with a request.
        Request = "request",
        /// A response came that can be read.
        Response = "response",
        /// It answers a request of ours, in the browser that began it.
        Match = "match",
        /// What was encrypted was decrypted.
        Decryption = "decryption",
        /// A certificate of the connection made its signature.
        Signature = "signature",
        /// It is from this IdP, for us, now.
        Checks = "checks",
        /// It says who it is about.
        Attributes = "attributes",
        /// The person is known or may come in.
        Person = "person",
        /// A session began.
        Session = "session",
    }
);
